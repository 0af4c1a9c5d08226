"""Anderson acceleration of a fixed-point iteration: the step that its last few residuals ask for."""

from libc.math cimport INFINITY, isfinite

from ._cpu cimport chosen
from ._simd cimport simd_follow
from ._sinkhorn_loops cimport sink_axpy, sink_dot


simd_follow(&chosen)


cdef bint fit(double (*gram)[MAX_DEPTH], double *theta, Py_ssize_t count, double ridge) noexcept nogil:
    """Overwrite theta, the products of the differences with the residual, by the least-squares fit; false if there is
    none. Of the symmetric gram the lower half is read, and overwritten; ``ridge`` is a share of its trace."""
    cdef double value, trace = 0.0
    cdef Py_ssize_t i, j, k
    for i in range(count):
        trace += gram[i][i]
    ridge *= trace
    if not ridge > 0.0:
        return False
    # Cholesky; a direction that the others span already is left out.
    for i in range(count):
        for j in range(i + 1):
            value = gram[i][j] + (ridge if i == j else 0.0)
            for k in range(j):
                value -= gram[i][k] * gram[j][k]
            if i == j:
                gram[i][i] = value ** 0.5 if value > 0.1 * ridge else INFINITY
            else:
                gram[i][j] = value / gram[j][j]
        for k in range(i):
            theta[i] -= gram[i][k] * theta[k]
        theta[i] /= gram[i][i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            theta[i] -= gram[k][i] * theta[k]
        theta[i] /= gram[i][i]
    for i in range(count):
        if not isfinite(theta[i]):
            return False
    return True


cdef void anderson(
    const double *weight, const double *residual, const double *dg, const double *dr, Py_ssize_t count,
    Py_ssize_t stride, Py_ssize_t n, double *v
) noexcept nogil:
    """v -= sum theta_i dg_i, theta the weighted least-squares fit of the residual by its past differences."""
    cdef double gram[MAX_DEPTH][MAX_DEPTH]
    cdef double theta[MAX_DEPTH]
    cdef Py_ssize_t i, j
    for i in range(count):
        for j in range(i + 1):
            gram[i][j] = sink_dot(weight, dr + i * stride, dr + j * stride, n)
        theta[i] = sink_dot(weight, dr + i * stride, residual, n)
    if not fit(gram, theta, count, 1e-12):
        return
    for i in range(count):
        sink_axpy(-theta[i], dg + i * stride, v, n)
