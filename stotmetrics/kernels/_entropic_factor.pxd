# The factor of what Newton's equations of entropic transport leave for g: of our own where it is small, else of LAPACK.

from libc.string cimport memcpy, memset
from scipy.linalg.cython_lapack cimport dpotrs

from ._entropic_problem cimport Entropic
from ._factor cimport cholesky, products
from ._factor_small cimport cholesky as cholesky_of_small
from ._factor_small cimport products as products_of_small
from ._factor_small cimport solve as solve_small
from ._interrupt cimport interrupted


cdef inline double *inverse_of(const Entropic *e) noexcept nogil:
    """The inverses of the diagonal of a small factor."""
    return e.Q + e.n * e.stride


cdef inline bint factorise(Entropic *e) noexcept nogil:
    """Cholesky of what is left for g, ``diag(columns) - P' diag(1 / rows) P``; False if it is not to be had."""
    cdef int m = <int>e.m, i, j, _attempt
    cdef double largest, ridge = 0.0
    cdef double *column
    for _attempt in range(6):
        if e.Q != NULL:
            products_of_small(e.P, e.n, m, e.stride, e.Q, e.S)
        else:
            products(e.P, e.n, m, e.S)
        largest = 0.0
        for j in range(m):
            largest = max(largest, e.columns[j])
        # Constants can move from g to f and change nothing; the rank-one term makes that direction regular.
        for j in range(m):
            column = e.S + j * e.stride
            column[j] += e.columns[j]
            for i in range(j, m):
                column[i] += e.columns[i] * e.columns[j]
            column[j] += ridge + 1e-15 * largest
        if cholesky_of_small(e.S, e.stride, inverse_of(e)) if e.Q != NULL else cholesky(e.S, m):
            return True
        if interrupted():
            break
        ridge = 1e-14 * largest if ridge == 0.0 else 100.0 * ridge
    return False


cdef inline void solve_both(Entropic *e) noexcept nogil:
    """step_g and beta become the solutions of what `factorise` has left."""
    cdef int m = <int>e.m, one = 1, info = 0
    cdef double *x
    cdef double *y
    if e.Q == NULL:
        dpotrs("L", &m, &one, e.S, &m, e.step_g, &m, &info)
        dpotrs("L", &m, &one, e.S, &m, e.beta, &m, &info)
        return
    x = inverse_of(e) + e.stride
    y = x + e.stride
    memset(x, 0, 2 * e.stride * sizeof(double))
    memcpy(x, e.step_g, m * sizeof(double))
    memcpy(y, e.beta, m * sizeof(double))
    solve_small(e.S, e.stride, inverse_of(e), x, y)
    memcpy(e.step_g, x, m * sizeof(double))
    memcpy(e.beta, y, m * sizeof(double))
