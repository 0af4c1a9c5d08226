"""Norms of the differences of many pairs of rows: Euclidean ones, and those of optimal transport warping."""

from libc.math cimport fabs, fmax, sqrt

from ._cpu cimport chosen
from ._interrupt cimport SLICE, heard, turn
from ._simd cimport simd_follow, simd_running

import numpy as np


cdef extern from "_differences.h" nogil:
    enum: DIFF_ROWS
    ctypedef const double *diff_row
    void diff_squares(const diff_row *a, int rows, const double *b, Py_ssize_t n, double *sums)
    void diff_sizes(const diff_row *a, int rows, const double *b, Py_ssize_t n, double *sums)


simd_follow(&chosen)

# Sums of squares that keep all digits.
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


# The rows of the left and the right, and which of them make the pairs.
cdef struct Pairs:
    const double *left
    const double *right
    const Py_ssize_t *rows
    const Py_ssize_t *cols
    Py_ssize_t count, length
    Py_ssize_t moved            # negative: squares; else the sizes of so many, and those of the others times `waste`
    double waste


cdef void together(const Pairs *p, const diff_row *some, int rows, const double *other, double *out) noexcept nogil:
    """The norms of a few rows from another one."""
    cdef diff_row[DIFF_ROWS] behind
    cdef double[DIFF_ROWS] wasted
    cdef int r
    if p.moved < 0:
        diff_squares(some, rows, other, p.length, out)
        for r in range(rows):
            # A sum of squares outside loses digits, all of them at worst.
            out[r] = sqrt(out[r]) if LOW < out[r] < HIGH else scaled(some[r], other, p.length)
        return
    for r in range(rows):
        behind[r] = some[r] + p.moved
    diff_sizes(some, rows, other, p.moved, out)
    diff_sizes(behind, rows, other + p.moved, p.length - p.moved, wasted)
    for r in range(rows):
        out[r] += p.waste * wasted[r]


cdef inline Py_ssize_t run(const Pairs *p, Py_ssize_t k) noexcept nogil:
    """How many pairs from k on have the row of the first."""
    cdef Py_ssize_t stop = k + 1
    while stop < p.count and p.rows[stop] == p.rows[k]:
        stop += 1
    return stop - k


cdef inline bint repeats(const Pairs *p, Py_ssize_t k, Py_ssize_t width, Py_ssize_t at) noexcept nogil:
    """Whether the pairs from `at` on have one row, and the columns of those from k on."""
    cdef Py_ssize_t t
    if at + width > p.count:
        return False
    for t in range(width):
        if p.rows[at + t] != p.rows[at] or p.cols[at + t] != p.cols[k + t]:
            return False
    return True


cdef void along(const Pairs *p, Py_ssize_t k, Py_ssize_t width, double *out) noexcept nogil:
    """Pairs of one row: a few columns at a time."""
    cdef diff_row[DIFF_ROWS] some
    cdef const double *row = p.left + p.rows[k] * p.length
    cdef Py_ssize_t t = 0
    cdef int rows, r
    while t < width:
        rows = DIFF_ROWS if t + DIFF_ROWS <= width else 1
        for r in range(rows):
            some[r] = p.right + p.cols[k + t + r] * p.length
        together(p, some, rows, row, out + k + t)
        t += rows


cdef void across(const Pairs *p, Py_ssize_t k, Py_ssize_t width, double *out) noexcept nogil:
    """Pairs of a few rows with the same columns: each column is read once."""
    cdef diff_row[DIFF_ROWS] some
    cdef double[DIFF_ROWS] norms
    cdef Py_ssize_t t
    cdef int r
    for r in range(DIFF_ROWS):
        some[r] = p.left + p.rows[k + r * width] * p.length
    for t in range(width):
        together(p, some, DIFF_ROWS, p.right + p.cols[k + t] * p.length, norms)
        for r in range(DIFF_ROWS):
            out[k + r * width + t] = norms[r]


cdef int solve(const Pairs *p, double *out) noexcept nogil:
    cdef Py_ssize_t k = 0, width, height, until = SLICE
    while k < p.count:
        width, height = run(p, k), 1
        while height < DIFF_ROWS and repeats(p, k, width, k + height * width):
            height += 1
        if height == DIFF_ROWS:
            across(p, k, width, out)
        else:
            height = 1
            along(p, k, width, out)
        k += height * width
        if turn(&until, height * width * p.length):
            return 1
    return 0


cdef norms_of(
    const double[:, ::1] left, const double[:, ::1] right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    Py_ssize_t moved, double waste
):
    norms = np.empty(rows.shape[0])
    cdef double[::1] out = norms
    cdef Pairs pairs
    if rows.shape[0] == 0:
        return norms
    pairs = Pairs(
        &left[0, 0], &right[0, 0], &rows[0], &cols[0], rows.shape[0], left.shape[1], moved, waste
    )
    with nogil:
        solve(&pairs, &out[0])
    heard()
    return norms


def euclidean(
    const double[:, ::1] left, const double[:, ::1] right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols
):
    """``||left[rows[k]] - right[cols[k]]||``, however large or small the differences are."""
    return norms_of(left, right, rows, cols, -1, 0.0)


def warping(
    const double[:, ::1] left, const double[:, ::1] right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    Py_ssize_t moved, double waste
):
    """The sizes of the first ``moved`` differences of two rows, and ``waste`` times those of the others."""
    return norms_of(left, right, rows, cols, moved, waste)


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
