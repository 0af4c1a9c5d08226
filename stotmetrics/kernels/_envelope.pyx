"""Lower bounds on hard DTW from the ranges that alignments leave, in time linear in the lengths.

Every alignment visits both corners, every row and every column. In row i it stays within the columns of the band, so
that ``y_j`` lies in the range of y over them; h_i is the point of that range next to ``x_i``. As ``h_i`` lies between
``x_i`` and ``y_j``, ``(x_i - y_j)**2 >= (x_i - h_i)**2 + (h_i - y_j)**2``, feature by feature. Summed over the cells of
an alignment without the corners: the first terms are at least one for each row between the corners, the second at least
one for each column between them, namely the distance of ``y_j`` from the range of h over the rows of the band.
"""

from ._band cimport set_band
from ._interrupt cimport SLICE, heard, turn

import numpy as np


# Series are C-ordered, of d features, and finite.
#
# Row i may meet the columns first[i]..last[i], column j likewise rows; 2**level is the largest power of two that fits
# into a window. Without a band every window is everything.
cdef struct windows:
    Py_ssize_t count, levels
    Py_ssize_t *first
    Py_ssize_t *last
    Py_ssize_t *level


# One shape of problem, n by m, and its workspace.
cdef struct shape:
    Py_ssize_t n, m
    bint banded
    windows rows, cols
    double *tables   # the extremes of all runs of 2**level points: 2 (levels + 1) max(n, m)
    double *low      # the range of y in each row, one feature after the other: d n
    double *high
    double *nearest  # h, likewise
    double *spare    # the range of h in each column: 2 m


# Sizes and doubles of workspace for problems up to n by m.
cdef Py_ssize_t sizes_of(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return 3 * (n + m)


cdef Py_ssize_t doubles_of(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    return 2 * (levels_of(max(n, m)) + 1) * max(n, m) + 3 * n * d + 2 * m


cdef inline Py_ssize_t levels_of(Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t level = 0
    while (<Py_ssize_t>2 << level) <= width:
        level += 1
    return level


# In this order: set_shape once for a shape (radius -1: no band), set_ranges once for a y, bound_of once for each x.

cdef void set_levels(windows *w) noexcept nogil:
    cdef Py_ssize_t i
    w.levels = 0
    for i in range(w.count):
        w.level[i] = levels_of(w.last[i] - w.first[i] + 1)
        w.levels = max(w.levels, w.level[i])


cdef void set_shape(
    shape *s, Py_ssize_t n, Py_ssize_t m, Py_ssize_t d, Py_ssize_t radius, Py_ssize_t *sizes, double *doubles
) noexcept nogil:
    cdef Py_ssize_t i = 0, j, past = 0
    s.n, s.m, s.banded = n, m, radius >= 0
    s.low, s.high, s.nearest = doubles, doubles + n * d, doubles + 2 * n * d
    s.spare = doubles + 3 * n * d
    s.tables = s.spare + 2 * m
    s.rows.count, s.cols.count = n, m
    s.rows.first, s.rows.last, s.rows.level = sizes, sizes + n, sizes + 2 * n
    s.cols.first, s.cols.last, s.cols.level = sizes + 3 * n, sizes + 3 * n + m, sizes + 3 * n + 2 * m
    if not s.banded:
        return
    set_band(n, m, radius, s.rows.first, s.rows.last)
    for j in range(m):
        while s.rows.last[i] < j:
            i += 1
        while past < n and s.rows.first[past] <= j:
            past += 1
        s.cols.first[j], s.cols.last[j] = i, past - 1
    set_levels(&s.rows)
    set_levels(&s.cols)


cdef inline double lesser(double a, double b) noexcept nogil:
    return a if a < b else b


cdef inline double greater(double a, double b) noexcept nogil:
    return a if a > b else b


cdef inline double square(double v) noexcept nogil:
    return v * v


cdef void ranges(
    const double *y, Py_ssize_t m, Py_ssize_t stride, const windows *w, double *tables, double *low, double *high
) noexcept nogil:
    """The range of y over each window, from the extremes of the runs of 2, 4, 8... points."""
    cdef double *least = tables
    cdef double *most = tables + (w.levels + 1) * m
    cdef Py_ssize_t i, j, level, half, at
    for j in range(m):
        least[j] = most[j] = y[j * stride]
    for level in range(1, w.levels + 1):
        half = <Py_ssize_t>1 << (level - 1)
        for j in range(m - 2 * half + 1):
            least[level * m + j] = lesser(least[(level - 1) * m + j], least[(level - 1) * m + j + half])
            most[level * m + j] = greater(most[(level - 1) * m + j], most[(level - 1) * m + j + half])
    for i in range(w.count):
        level = w.level[i]
        at = w.last[i] + 1 - (<Py_ssize_t>1 << level)
        low[i] = lesser(least[level * m + w.first[i]], least[level * m + at])
        high[i] = greater(most[level * m + w.first[i]], most[level * m + at])


cdef void whole_range(
    const double *y, Py_ssize_t m, Py_ssize_t stride, Py_ssize_t count, double *low, double *high
) noexcept nogil:
    """The range of all of y, for each of count windows."""
    cdef double least = y[0], most = y[0]
    cdef Py_ssize_t i
    for i in range(1, m):
        least = lesser(least, y[i * stride])
        most = greater(most, y[i * stride])
    for i in range(count):
        low[i] = least
        high[i] = most


cdef void set_ranges(const double *y, Py_ssize_t d, shape *s) noexcept nogil:
    """The range of y in each row."""
    cdef Py_ssize_t q, n = s.n
    for q in range(d):
        if s.banded:
            ranges(y + q, s.m, d, &s.rows, s.tables, s.low + q * n, s.high + q * n)
        else:
            whole_range(y + q, s.m, d, n, s.low + q * n, s.high + q * n)


cdef double apart(
    const double *x, Py_ssize_t n, Py_ssize_t stride, const double *low, const double *high, double *nearest
) noexcept nogil:
    """Squared distances of the inner points of x from their ranges, summed; nearest: the points there, of all."""
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        nearest[i] = lesser(greater(x[i * stride], low[i]), high[i])
    for i in range(1, n - 1):
        total += square(x[i * stride] - nearest[i])
    return total


cdef double bound_of(const double *x, const double *y, Py_ssize_t d, shape *s) noexcept nogil:
    """The bound for one pair, after set_ranges of y."""
    cdef Py_ssize_t n = s.n, m = s.m, q, i, j
    cdef double total = 0.0
    cdef double *nearest = s.nearest
    if n == 1 or m == 1:  # there is only one alignment
        for i in range(n):
            for j in range(m):
                for q in range(d):
                    total += square(x[i * d + q] - y[j * d + q])
        return total
    for q in range(d):
        total += square(x[q] - y[q]) + square(x[(n - 1) * d + q] - y[(m - 1) * d + q])
        total += apart(x + q, n, d, s.low + q * n, s.high + q * n, nearest)
        if s.banded:
            ranges(nearest, n, 1, &s.cols, s.tables, s.spare, s.spare + m)
        else:
            whole_range(nearest, n, 1, m, s.spare, s.spare + m)
        total += apart(y + q, m, d, s.spare, s.spare + m, s.tables)
    return total


def envelopes(const double[:, ::1] series, const Py_ssize_t[::1] at, Py_ssize_t radius):
    """The least and the largest values of every series within the band, one feature of a series after the other.

    They are what ``bounds`` takes of pairs of equal lengths.
    """
    cdef Py_ssize_t d = series.shape[1], count = at.shape[0] - 1, j, m, until = SLICE
    ends = np.empty((2, series.shape[0] * d))
    if count == 0:
        return ends[0], ends[1]
    cdef Py_ssize_t most = np.diff(at).max()
    cdef double[:, ::1] low_high = ends
    cdef double[::1] doubles = np.empty(doubles_of(most, most, d))
    cdef Py_ssize_t[::1] sizes = np.empty(sizes_of(most, most), dtype=np.intp)
    cdef shape s
    s.m = -1
    with nogil:
        for j in range(count):
            m = at[j + 1] - at[j]
            if m != s.m:
                set_shape(&s, m, m, d, radius, &sizes[0], &doubles[0])
            s.low, s.high = &low_high[0, at[j] * d], &low_high[1, at[j] * d]
            set_ranges(&series[at[j], 0], d, &s)
            if turn(&until, 8 * m * d):
                break
    heard()
    return ends[0], ends[1]


def bounds(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, Py_ssize_t radius=-1,
    double[::1] low=None, double[::1] high=None
):
    """What hard DTW costs at least between the pairs (left[rows[k]], right[cols[k]]).

    The series stand one behind the other: series s of left is ``left[left_at[s]:left_at[s + 1]]``. Neighbouring pairs
    with the same right series share what is computed of it; ``low`` and ``high`` are the envelopes of right, if they
    are kept.
    """
    cdef bint kept = low is not None
    cdef Py_ssize_t count = rows.shape[0], d = left.shape[1], k, i, j, n, m, of = -1, until = SLICE
    values = np.empty(count)
    if count == 0:
        return values
    cdef Py_ssize_t most_n = np.diff(left_at).max(), most_m = np.diff(right_at).max()
    cdef double[::1] out = values, doubles = np.empty(doubles_of(most_n, most_m, d))
    cdef Py_ssize_t[::1] sizes = np.empty(sizes_of(most_n, most_m), dtype=np.intp)
    cdef shape s
    with nogil:
        set_shape(&s, most_n, most_m, d, radius, &sizes[0], &doubles[0])
        for k in range(count):
            i, j = rows[k], cols[k]
            n, m = left_at[i + 1] - left_at[i], right_at[j + 1] - right_at[j]
            if n != s.n or m != s.m:
                set_shape(&s, n, m, d, radius, &sizes[0], &doubles[0])
                of = -1
            if j != of:
                if kept and n == m:
                    s.low, s.high = &low[right_at[j] * d], &high[right_at[j] * d]
                else:
                    set_ranges(&right[right_at[j], 0], d, &s)
                of = j
            out[k] = bound_of(&left[left_at[i], 0], &right[right_at[j], 0], d, &s)
            if turn(&until, 16 * (n + m) * d):
                break
    heard()
    return values
