"""Cholesky factors of small matrices, for the Newton steps of entropic transport."""

from ._cpu cimport chosen
from ._simd cimport SIMD_WIDEST, aligned, padded, simd_follow, simd_running

import numpy as np


cdef extern from "_factor_small.h" nogil:
    void small_products(const double *P, Py_ssize_t n, Py_ssize_t m, Py_ssize_t stride, double *Q, double *S)
    bint small_cholesky(double *S, Py_ssize_t stride, double *inverse)
    void small_solve(const double *S, Py_ssize_t stride, const double *inverse, double *x, double *y)

simd_follow(&chosen)


cdef void products(
    const double *P, Py_ssize_t n, Py_ssize_t m, Py_ssize_t stride, double *Q, double *S
) noexcept nogil:
    small_products(P, n, m, stride, Q, S)


cdef bint cholesky(double *S, Py_ssize_t stride, double *inverse) noexcept nogil:
    return small_cholesky(S, stride, inverse)


cdef void solve(const double *S, Py_ssize_t stride, const double *inverse, double *x, double *y) noexcept nogil:
    small_solve(S, stride, inverse, x, y)


def solutions(const double[:, ::1] P, const double[::1] diagonal, const double[:, ::1] sides):
    """The z of ``(diag(diagonal) - P' P) z = side`` for two right sides, or None if that matrix has no factor."""
    cdef Py_ssize_t n = P.shape[0], m = P.shape[1], stride = padded(m), j
    cdef double[::1] work = np.zeros((n + stride + 3) * stride + SIMD_WIDEST)
    cdef double *S = aligned(&work[0])
    cdef double *Q = S + stride * stride
    cdef double *inverse = Q + n * stride
    cdef double *x = inverse + stride
    solved = np.empty((2, m))
    cdef double[:, ::1] out = solved
    products(&P[0, 0], n, m, stride, Q, S)
    for j in range(m):
        S[j * stride + j] += diagonal[j]
        x[j], x[stride + j] = sides[0, j], sides[1, j]
    if not cholesky(S, stride, inverse):
        return None
    solve(S, stride, inverse, x, x + stride)
    for j in range(m):
        out[0, j], out[1, j] = x[j], x[stride + j]
    return solved


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
