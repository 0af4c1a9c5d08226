# Products with the Gibbs plan of an entropic problem that is too large to be stored.

cdef class Plan:
    cdef const double[:, ::1] x, y
    cdef const double[::1] t, s
    cdef double p
    cdef double[:, ::1] rows    # A, B, P of one row, and two sums over columns that nobody asked for

    cdef void row(
        self, Py_ssize_t i, double alpha, const double *beta, double wa, double wb, double *columns, double *products,
        double *sums
    ) noexcept nogil
