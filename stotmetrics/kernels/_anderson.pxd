# The last step of an accelerated fixed-point iteration.

cdef enum:
    MAX_DEPTH = 8

# The least-squares fit behind it, from the products of the differences with each other and with the residual.
cdef bint fit(double (*gram)[MAX_DEPTH], double *theta, Py_ssize_t count, double ridge) noexcept nogil

# At most MAX_DEPTH differences are looked at.
cdef void anderson(
    const double *weight, const double *residual, const double *dg, const double *dr, Py_ssize_t count,
    Py_ssize_t stride, Py_ssize_t n, double *v
) noexcept nogil
