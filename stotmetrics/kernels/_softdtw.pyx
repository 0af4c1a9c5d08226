"""Soft-DTW of a cost matrix: value, and expected alignment."""

from libc.math cimport INFINITY, exp, fmin, isinf, log

from ._core cimport NO_PATH, OK

import numpy as np


cdef inline double softmin(double a, double b, double c, double gamma) noexcept nogil:
    cdef double low = fmin(a, fmin(b, c))
    if gamma == 0.0 or isinf(low):
        return low
    # Differences before the division: a tiny gamma may overflow to exp(-inf) = 0, never to inf - inf.
    return low - gamma * log(exp((low - a) / gamma) + exp((low - b) / gamma) + exp((low - c) / gamma))


cdef int softdtw_value(const double[:, ::1] cost, double gamma, double[::1] work, double *value) noexcept nogil:
    cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1], i, j
    cdef double diagonal, left, up
    for j in range(m):
        work[j] = INFINITY
    for i in range(n):
        diagonal = 0.0 if i == 0 else INFINITY
        left = INFINITY
        for j in range(m):
            up = work[j]
            left = cost[i, j] + softmin(diagonal, up, left, gamma)
            diagonal = up
            work[j] = left
    value[0] = work[m - 1]
    return NO_PATH if isinf(value[0]) else OK


cdef inline double share(double source, double low, double gamma) noexcept nogil:
    """exp((low - source) / gamma): the weight of a predecessor before normalisation."""
    if isinf(source):
        return 0.0
    if gamma == 0.0:
        return 1.0 if source == low else 0.0
    return exp((low - source) / gamma)


cdef int softdtw_value_and_alignment(
    const double[:, ::1] cost, double gamma, double[:, ::1] alignment, double[::1] work, double *value
) noexcept nogil:
    cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1], row = cost.shape[1] + 1, i, j, at
    cdef double low, diagonal, up, left, total, mass
    for j in range(m + 1):
        work[j] = INFINITY
    work[0] = 0.0
    for i in range(n):
        work[(i + 1) * row] = INFINITY
        for j in range(m):
            at = (i + 1) * row + j + 1
            work[at] = cost[i, j] + softmin(work[at - row - 1], work[at - row], work[at - 1], gamma)
    value[0] = work[n * row + m]
    alignment[:, :] = 0.0
    if isinf(value[0]):
        return NO_PATH
    # Each cell hands its mass to its predecessors; ties of hard DTW share equally, the limit of gamma -> 0.
    alignment[n - 1, m - 1] = 1.0
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            if alignment[i, j] == 0.0 or i + j == 0:
                continue
            at = (i + 1) * row + j + 1
            low = fmin(work[at - row - 1], fmin(work[at - row], work[at - 1]))
            diagonal = share(work[at - row - 1], low, gamma)
            up = share(work[at - row], low, gamma)
            left = share(work[at - 1], low, gamma)
            total = diagonal + up + left
            mass = alignment[i, j] / total
            if i > 0:
                alignment[i - 1, j] += mass * up
                if j > 0:
                    alignment[i - 1, j - 1] += mass * diagonal
            if j > 0:
                alignment[i, j - 1] += mass * left
    return OK


def value(const double[:, ::1] cost, double gamma):
    """dtw_gamma of a cost matrix; +inf when forbidden cells leave no path."""
    cdef double[::1] work = np.empty(cost.shape[1])
    cdef double found
    with nogil:
        softdtw_value(cost, gamma, work, &found)
    return found


def value_and_alignment(const double[:, ::1] cost, double gamma):
    """(dtw_gamma, expected alignment) of a cost matrix; (+inf, zeros) when forbidden cells leave no path."""
    alignment = np.empty((cost.shape[0], cost.shape[1]))
    cdef double[:, ::1] expected = alignment
    cdef double[::1] work = np.empty((cost.shape[0] + 1) * (cost.shape[1] + 1))
    cdef double found
    with nogil:
        softdtw_value_and_alignment(cost, gamma, expected, work, &found)
    return found, alignment
