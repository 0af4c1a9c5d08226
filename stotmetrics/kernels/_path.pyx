"""One cheapest alignment under a given cost matrix, cell by cell."""

from libc.math cimport INFINITY

from ._band cimport set_band
from ._interrupt cimport SLICE, heard, turn

import numpy as np


# Where the cheapest alignment of a cell comes from.
cdef enum Step:
    DIAGONAL
    ROW_BEFORE
    COLUMN_BEFORE


cdef double fill(
    const double *cost, Py_ssize_t n, Py_ssize_t m, const Py_ssize_t *first, const Py_ssize_t *last, double *sums,
    unsigned char *steps
) noexcept nogil:
    """The cost of the cheapest alignment, and the step to each cell. sums: 2 (m + 1) doubles."""
    cdef double *above = sums
    cdef double *row = sums + m + 1
    cdef double least
    cdef Py_ssize_t i, j, until = SLICE
    cdef unsigned char step
    for j in range(m + 1):
        above[j] = INFINITY
    above[0] = 0.0
    for i in range(n):
        if turn(&until, 2 * m):
            return INFINITY
        for j in range(m + 1):
            row[j] = INFINITY
        for j in range(first[i], last[i] + 1):
            least, step = above[j], DIAGONAL
            if above[j + 1] < least:
                least, step = above[j + 1], ROW_BEFORE
            if row[j] < least:
                least, step = row[j], COLUMN_BEFORE
            row[j + 1] = cost[i * m + j] + least
            steps[i * m + j] = step
        above, row = row, above
    return above[m]


cdef Py_ssize_t follow(
    Py_ssize_t n, Py_ssize_t m, const unsigned char *steps, Py_ssize_t *cells
) noexcept nogil:
    """The cells back from the last one; returns their number."""
    cdef Py_ssize_t i = n - 1, j = m - 1, count = 0
    cdef unsigned char step
    while True:
        cells[2 * count], cells[2 * count + 1] = i, j
        count += 1
        if i == 0 and j == 0:
            return count
        step = steps[i * m + j]
        i -= step != COLUMN_BEFORE
        j -= step != ROW_BEFORE


def path(const double[:, ::1] cost, Py_ssize_t radius=-1):
    """The cells (k, 2) of one cheapest alignment, from the first to the last; none where forbidden cells leave none.

    Looking back from the end, of steps that cost the same the diagonal is taken first, then the row before.
    """
    cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1], count = 0
    cdef Py_ssize_t[::1] first = np.zeros(n, dtype=np.intp), last = np.full(n, m - 1, dtype=np.intp)
    cdef double[::1] sums = np.empty(2 * (m + 1))
    cdef unsigned char[::1] steps = np.empty(n * m, dtype=np.uint8)
    backwards = np.empty((n + m, 2), dtype=np.intp)
    cdef Py_ssize_t[:, ::1] cells = backwards
    with nogil:
        if radius >= 0:
            set_band(n, m, radius, &first[0], &last[0])
        if fill(&cost[0, 0], n, m, &first[0], &last[0], &sums[0], &steps[0]) < INFINITY:
            count = follow(n, m, &steps[0], &cells[0, 0])
    heard()
    return np.ascontiguousarray(backwards[:count][::-1])
