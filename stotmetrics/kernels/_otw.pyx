"""Optimal transport warping of many pairs: absolute differences of windowed sums, added up."""

from libc.math cimport fabs

from ._interrupt cimport SLICE, heard, turn

import numpy as np


cdef inline double cityblock(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    """Four sums side by side: one chain of additions would wait for itself."""
    cdef double[4] sums
    cdef Py_ssize_t i, k
    for k in range(4):
        sums[k] = 0.0
    for i in range(0, n - n % 4, 4):
        for k in range(4):
            sums[k] += fabs(a[i + k] - b[i + k])
    for i in range(n - n % 4, n):
        sums[0] += fabs(a[i] - b[i])
    return (sums[0] + sums[1]) + (sums[2] + sums[3])


def values(
    const double[:, ::1] left, const double[:, ::1] right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    Py_ssize_t moved, double waste
):
    """The pairs (left[rows[k]], right[cols[k]]): the first ``moved`` differences, and ``waste`` times the others."""
    cdef Py_ssize_t k, n = left.shape[1], until = SLICE
    cdef const double *a
    cdef const double *b
    totals = np.empty(rows.shape[0])
    cdef double[::1] out = totals
    with nogil:
        for k in range(rows.shape[0]):
            a, b = &left[rows[k], 0], &right[cols[k], 0]
            out[k] = cityblock(a, b, moved) + waste * cityblock(a + moved, b + moved, n - moved)
            if turn(&until, n):
                break
    heard()
    return totals
