"""Norms of the differences of many pairs of rows: Euclidean ones, and those of optimal transport warping."""

from libc.math cimport fabs, fmax, sqrt

from ._cpu cimport chosen
from ._interrupt cimport SLICE, heard, turn
from ._simd cimport simd_follow, simd_running

import numpy as np


cdef extern from "_differences.h" nogil:
    double diff_squares(const double *a, const double *b, Py_ssize_t n)
    double diff_sizes(const double *a, const double *b, Py_ssize_t n)


simd_follow(&chosen)

# A sum of squares outside loses digits, all of them at worst.
cdef double LOW = 1e-280, HIGH = 1e300


cdef double scaled(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    """The norm where squares leave the range: that of what is left of the largest difference, times it."""
    cdef double largest = 0.0, sum = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        largest = fmax(largest, fabs(a[i] - b[i]))
    if largest == 0.0 or largest - largest != 0.0:
        return largest
    for i in range(n):
        sum += ((a[i] - b[i]) / largest) ** 2
    return largest * sqrt(sum)


def euclidean(
    const double[:, ::1] left, const double[:, ::1] right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols
):
    """``||left[rows[k]] - right[cols[k]]||``, however large or small the differences are."""
    cdef Py_ssize_t k, n = left.shape[1], until = SLICE
    cdef double squares
    norms = np.empty(rows.shape[0])
    cdef double[::1] out = norms
    with nogil:
        for k in range(rows.shape[0]):
            squares = diff_squares(&left[rows[k], 0], &right[cols[k], 0], n)
            if LOW < squares < HIGH:
                out[k] = sqrt(squares)
            else:
                out[k] = scaled(&left[rows[k], 0], &right[cols[k], 0], n)
            if turn(&until, n):
                break
    heard()
    return norms


def warping(
    const double[:, ::1] left, const double[:, ::1] right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    Py_ssize_t moved, double waste
):
    """The sizes of the first ``moved`` differences of two rows, and ``waste`` times those of the others."""
    cdef Py_ssize_t k, n = left.shape[1], until = SLICE
    cdef const double *a
    cdef const double *b
    totals = np.empty(rows.shape[0])
    cdef double[::1] out = totals
    with nogil:
        for k in range(rows.shape[0]):
            a, b = &left[rows[k], 0], &right[cols[k], 0]
            out[k] = diff_sizes(a, b, moved) + waste * diff_sizes(a + moved, b + moved, n - moved)
            if turn(&until, n):
                break
    heard()
    return totals


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
