# Products with the transpose and Cholesky factors, in slices between which Ctrl-C is heard.

from scipy.linalg.cython_blas cimport dsyrk, dtrsm
from scipy.linalg.cython_lapack cimport dpotrf

from ._interrupt cimport interrupted

cdef extern from *:
    """
    /* Products and sums in one call of BLAS, which hears nothing. */
    #define FACTOR_LONGEST ((Py_ssize_t)2000000000)
    """
    const Py_ssize_t FACTOR_LONGEST


cdef inline int slice_of(Py_ssize_t size, Py_ssize_t all_of_it) noexcept nogil:
    """How many columns at a time keep a product of matrices of `size` rows short enough to hear Ctrl-C."""
    return <int>min(all_of_it, max(16, FACTOR_LONGEST // (size * size)))


cdef inline void products(double *P, Py_ssize_t n, int m, double *S) noexcept nogil:
    """S = -P' P in the lower triangle; row-major P is column-major P': (m, n)."""
    cdef int width = slice_of(m, n), count
    cdef double minus = -1.0, kept = 0.0
    cdef Py_ssize_t at = 0
    while at < n:
        count = <int>min(width, n - at)
        dsyrk("L", "N", &m, &count, &minus, P + at * m, &m, &kept, S, &m)
        kept = 1.0
        at += count
        if interrupted():
            break


cdef inline bint cholesky(double *S, int m) noexcept nogil:
    """The Cholesky factor of S in its lower triangle; False if there is none or Ctrl-C came first."""
    cdef int width = slice_of(m, m), count, rest, info = 0
    cdef double one = 1.0, minus = -1.0
    cdef Py_ssize_t at = 0, stride = m
    cdef double *corner
    cdef double *below
    while at < m:
        count = <int>min(width, m - at)
        rest = <int>(m - at - count)
        corner = S + at * (stride + 1)
        below = corner + count
        dpotrf("L", &count, corner, &m, &info)
        if info != 0 or interrupted():
            return False
        if rest > 0:
            dtrsm("R", "L", "T", "N", &rest, &count, &one, corner, &m, below, &m)
            dsyrk("L", "N", &rest, &count, &minus, below, &m, &one, below + count * stride, &m)
        at += count
    return True
