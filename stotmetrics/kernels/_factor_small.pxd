# Cholesky factors of matrices that the nearer caches hold: see _factor_small.h.

cdef enum:
    # Up to so many columns they are faster than those of LAPACK.
    SMALL = 320
    # More rows than this make a product that hears no Ctrl-C for long.
    MOST_ROWS = 16384

cdef void products(
    const double *P, Py_ssize_t n, Py_ssize_t m, Py_ssize_t stride, double *Q, double *S
) noexcept nogil
cdef bint cholesky(double *S, Py_ssize_t stride, double *inverse) noexcept nogil
cdef void solve(const double *S, Py_ssize_t stride, const double *inverse, double *x, double *y) noexcept nogil
