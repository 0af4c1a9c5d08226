# Ground costs between the atoms of two clouds.

from libc.math cimport fabs, pow, sqrt

from ._interrupt cimport SLICE, turn


cdef inline void powers(
    const double *x, Py_ssize_t n, const double *y, Py_ssize_t m, Py_ssize_t d, double p, double *out
) noexcept nogil:
    """Euclidean distances between the rows of x and of y, to the power p."""
    cdef Py_ssize_t i, j, k, left = SLICE
    cdef double gap = 0.0, total
    if d == 1 and p == 2.0:
        for i in range(n):
            if turn(&left, m):
                return
            for j in range(m):
                out[i * m + j] = (x[i] - y[j]) * (x[i] - y[j])
        return
    for i in range(n):
        if turn(&left, (d + 16) * m):
            return
        for j in range(m):
            total = 0.0
            for k in range(d):
                gap = x[i * d + k] - y[j * d + k]
                total += gap * gap
            if p == 1.0:
                total = sqrt(total)
            elif p != 2.0:
                total = pow(total, 0.5 * p) if d > 1 else pow(fabs(gap), p)
            out[i * m + j] = total
