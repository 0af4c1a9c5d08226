"""Soft-DTW in the log domain on a given cost matrix, one cell at a time: any gamma, any cost, forbidden cells (+inf).

Differences are taken before the division by gamma: a tiny gamma may overflow to exp(-inf) = 0, never to inf - inf.
"""

from libc.math cimport INFINITY, exp, fmin, isinf, log

from ._interrupt cimport SLICE, turn
from ._softdtw_problem cimport clear

# What a cell costs, in elementary steps.
cdef enum:
    CELL = 32


# The three predecessors of a cell, diagonal, up, left, and their weights, whose sum is 1.
cdef struct Before:
    double[3] value
    double[3] weight


cdef inline double softmin(double a, double b, double c, double gamma) noexcept nogil:
    cdef double low = fmin(a, fmin(b, c))
    if gamma == 0.0 or isinf(low):
        return low
    return low - gamma * log(exp((low - a) / gamma) + exp((low - b) / gamma) + exp((low - c) / gamma))


cdef inline void weigh(Before *b, const double *cell, Py_ssize_t row, double gamma) noexcept nogil:
    """The predecessors of a cell of the bordered matrix; ties of hard DTW share equally, the limit of gamma -> 0."""
    cdef double low, total = 0.0
    cdef int k
    cdef const double *corner = cell - row - 1
    b.value[0], b.value[1], b.value[2] = corner[0], corner[1], corner[row]
    low = fmin(b.value[0], fmin(b.value[1], b.value[2]))
    for k in range(3):
        if isinf(b.value[k]):
            b.weight[k] = 0.0
        elif gamma == 0.0:
            b.weight[k] = 1.0 if b.value[k] == low else 0.0
        else:
            b.weight[k] = exp((low - b.value[k]) / gamma)
        total += b.weight[k]
    for k in range(3):
        b.weight[k] /= total


cdef inline bint inside(const sdtw_problem *p, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    return p.first == NULL or (p.first[i] <= j and j <= p.last[i])


cdef double log_value(const sdtw_problem *p, double gamma, double *work) noexcept nogil:
    cdef Py_ssize_t i, j, until = SLICE
    cdef double diagonal, left, up
    for j in range(p.m):
        work[j] = INFINITY
    for i in range(p.n):
        if turn(&until, CELL * p.m):
            break
        diagonal = 0.0 if i == 0 else INFINITY
        left = INFINITY
        for j in range(p.m):
            up = work[j]
            left = p.cost[i * p.m + j] + softmin(diagonal, up, left, gamma) if inside(p, i, j) else INFINITY
            diagonal = up
            work[j] = left
    return work[p.m - 1]


cdef double fill_table(const sdtw_problem *p, double gamma, double *table) noexcept nogil:
    """The bordered matrix R, (n + 1)(m + 1) doubles; returns the value."""
    cdef Py_ssize_t row = p.m + 1, i, j, until = SLICE
    cdef double *r
    for j in range(row):
        table[j] = INFINITY
    table[0] = 0.0
    for i in range(p.n):
        if turn(&until, CELL * p.m):
            break
        r = table + (i + 1) * row
        r[0] = INFINITY
        for j in range(p.m):
            if inside(p, i, j):
                r[j + 1] = p.cost[i * p.m + j] + softmin(r[j - row], r[j + 1 - row], r[j], gamma)
            else:
                r[j + 1] = INFINITY
    return table[p.n * row + p.m]


cdef double log_alignment(const sdtw_problem *p, double gamma, double *work, double *alignment) noexcept nogil:
    """The value, and the expected alignment (n, m): each cell hands its mass to its predecessors."""
    cdef Py_ssize_t m = p.m, row = m + 1, cell, until = SLICE
    cdef Py_ssize_t[3] before = [-m - 1, -m, -1]
    cdef double value = fill_table(p, gamma, work)
    cdef Before b
    cdef int k
    clear(alignment, p.n * m)
    if isinf(value):
        return value
    alignment[p.n * m - 1] = 1.0
    for cell in range(p.n * m - 1, 0, -1):
        if turn(&until, CELL):
            break
        if alignment[cell] == 0.0:
            continue
        weigh(&b, work + (cell // m + 1) * row + cell % m + 1, row, gamma)
        for k in range(3):
            if b.weight[k] > 0.0:
                alignment[cell + before[k]] += b.weight[k] * alignment[cell]
    return value


cdef inline double mean_slope(const Before *b, const double *slope, Py_ssize_t row, double less) noexcept nogil:
    """That of the predecessors, less a number; of equal ones nothing is left, to the last digit."""
    cdef const double *corner = slope - row - 1
    return b.weight[0] * (corner[0] - less) + b.weight[1] * (corner[1] - less) + b.weight[2] * (corner[row] - less)


cdef void fill_slopes(
    const sdtw_problem *p, double gamma, const double *along, const double *table, double *slopes
) noexcept nogil:
    """How R moves when the cost moves along `along`; both bordered."""
    cdef Py_ssize_t m = p.m, row = m + 1, cell, at, until = SLICE
    cdef Before b
    clear(slopes, (p.n + 1) * row)
    slopes[row + 1] = along[0]
    for cell in range(1, p.n * m):
        if turn(&until, CELL):
            break
        at = (cell // m + 1) * row + cell % m + 1
        if not isinf(table[at]):
            weigh(&b, table + at, row, gamma)
            slopes[at] = along[cell] + mean_slope(&b, slopes + at, row, 0.0)


cdef double log_jvp(
    const sdtw_problem *p, double gamma, const double *along, double *work, double *alignment, double *moved
) noexcept nogil:
    """The value, the alignment, and its derivative in the direction `along` (n, m), for gamma > 0."""
    cdef Py_ssize_t m = p.m, row = m + 1, cell, at, k, until = SLICE
    cdef Py_ssize_t[3] before = [-m - 1, -m, -1], border = [-row - 1, -row, -1]
    cdef double *slopes = work + (p.n + 1) * row
    cdef double value = log_alignment(p, gamma, work, alignment), farther
    cdef Before b
    clear(moved, p.n * m)
    if isinf(value):
        return value
    fill_slopes(p, gamma, along, work, slopes)
    for cell in range(p.n * m - 1, 0, -1):
        if turn(&until, CELL):
            break
        at = (cell // m + 1) * row + cell % m + 1
        if isinf(work[at]):
            continue
        weigh(&b, work + at, row, gamma)
        for k in range(3):
            if b.weight[k] > 0.0:
                farther = mean_slope(&b, slopes + at, row, slopes[at + border[k]])
                moved[cell + before[k]] += b.weight[k] * (moved[cell] + alignment[cell] * farther / gamma)
    return value
