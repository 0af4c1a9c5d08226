"""k-means on a line, exactly: the least sum of squares within cells, by dynamic programming.

The best last cell of more points begins no earlier (the costs are Monge), so that each added cell costs n log n.
Wang, Song, Ckmeans.1d.dp: Optimal k-means Clustering in One Dimension by Dynamic Programming, The R Journal, 2011.
"""

from libc.math cimport INFINITY

from ._core cimport NOT_CONVERGED, OK
from ._interrupt cimport SLICE, heard, turn

import numpy as np

cdef struct Line:
    const double *mass          # sums over the points before each, n + 1
    const double *moment
    const double *square
    double tie                  # costs no further apart count as equal
    Py_ssize_t left


cdef inline double spread(const Line *line, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The sum of squares of the points from start to before end around their mean."""
    cdef double moment = line.moment[end] - line.moment[start]
    return max(line.square[end] - line.square[start] - moment * moment / (line.mass[end] - line.mass[start]), 0.0)


cdef int fill(
    Line *line,
    const double *before,
    double *here,
    int *cut,
    Py_ssize_t low,
    Py_ssize_t high,
    Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """The costs of the first `end` points, low <= end < high, with one more cell, which begins in first..last.

    Of equally good cells the one that begins first is taken.
    """
    cdef Py_ssize_t end = (low + high) // 2, start, best
    cdef double least = INFINITY
    if low >= high:
        return OK
    if turn(&line.left, 2 * (last - first + 1)):
        return NOT_CONVERGED
    for start in range(first, min(last, end - 1) + 1):
        least = min(least, before[start] + spread(line, start, end))
    best = first
    while before[best] + spread(line, best, end) > least + line.tie:
        best += 1
    here[end] = before[best] + spread(line, best, end)
    cut[end] = <int>best
    if fill(line, before, here, cut, low, end, first, best) != OK:
        return NOT_CONVERGED
    return fill(line, before, here, cut, end + 1, high, best, last)


def cut_line(const double[::1] values, const double[::1] weights, Py_ssize_t cells):
    """Where each cell begins among increasing values of positive weights, at most as many cells as values."""
    cdef Py_ssize_t n = values.shape[0], k, end
    cdef double[:, ::1] sums = np.zeros((3, n + 1))
    cdef double[:, ::1] costs = np.zeros((2, n + 1))
    cdef int[:, ::1] cuts = np.zeros((cells, n + 1), dtype=np.intc)
    cdef Py_ssize_t[::1] starts = np.zeros(cells, dtype=np.intp)
    cdef Line line
    cdef int status = OK
    for k in range(n):
        sums[0, k + 1] = sums[0, k] + weights[k]
        sums[1, k + 1] = sums[1, k] + weights[k] * values[k]
        sums[2, k + 1] = sums[2, k] + weights[k] * values[k] * values[k]
    line = Line(&sums[0, 0], &sums[1, 0], &sums[2, 0], 0.0, SLICE)
    line.tie = 1e-10 * spread(&line, 0, n)
    with nogil:
        for end in range(1, n + 1):
            costs[0, end] = spread(&line, 0, end)
        for k in range(1, cells):
            # k + 1 cells hold at least k + 1 points, and the first k of them k.
            status = fill(&line, &costs[(k - 1) % 2, 0], &costs[k % 2, 0], &cuts[k, 0], k + 1, n + 1, k, n - 1)
            if status != OK:
                break
    heard()
    end = n
    for k in range(cells - 1, 0, -1):
        end = starts[k] = cuts[k, end]
    return np.asarray(starts)
