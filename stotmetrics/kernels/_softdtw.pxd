# Soft-DTW of a given cost matrix. Costs are finite or +inf (a forbidden cell); gamma >= 0, and 0 is hard DTW.

# Doubles of workspace for an n x m problem.
cdef Py_ssize_t softdtw_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef Py_ssize_t softdtw_alignment_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil

# *value = dtw_gamma(cost), +inf and NO_PATH when forbidden cells leave no path.
cdef int softdtw_value(const double[:, ::1] cost, double gamma, double[::1] work, double *value) noexcept nogil

# The same, with the expected alignment (n, m).
cdef int softdtw_value_and_alignment(
    const double[:, ::1] cost, double gamma, double[:, ::1] alignment, double[::1] work, double *value
) noexcept nogil
