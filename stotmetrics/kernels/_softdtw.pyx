"""Soft-DTW of series and of given cost matrices: values, expected alignments, gradients, one pair or many.

Almost every problem runs in the exponential domain along anti-diagonals (``_softdtw_loops.h``). Where the costs are
so large beside gamma that their exponents leave the integers of a double, the recursion in the log domain takes over.
"""

from libc.math cimport INFINITY

from ._band cimport set_band
from ._core cimport NO_PATH, OK
from ._cpu cimport chosen
from ._interrupt cimport SLICE, heard, interrupted, turn
from ._simd cimport simd_follow, simd_running
from ._softdtw_gak cimport squares
from ._softdtw_log cimport log_alignment, log_jvp, log_value
from ._softdtw_loops cimport SDTW_LIMIT, SDTW_MATRIX, gak_costs, sdtw_gradient, sdtw_problem
from ._softdtw_problem cimport clear, costs_in_range, scale_of, set_problem_band
from ._softdtw_single cimport (
    gradient_of, kept_work, lines_work, packed_work, series_gradient, series_value, value_of,
)

import numpy as np

from ._value_costs import squared_euclidean


cdef extern from "_interrupt.h":
    bint (*interrupt_ask)() noexcept nogil

interrupt_ask = interrupted
simd_follow(&chosen)


# --- given cost matrices ---------------------------------------------------------------------------------------------

cdef Py_ssize_t cost_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return max(lines_work(n), m)


cdef Py_ssize_t alignment_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return max(lines_work(n) + kept_work(n, m), (n + 1) * (m + 1))


cdef int solve_costs(sdtw_problem *p, double gamma, double *work, double *value) noexcept nogil:
    p.scale = 0.0 if gamma == 0.0 else scale_of(gamma)
    if gamma == 0.0 or costs_in_range(p):
        value[0] = value_of(p, SDTW_MATRIX, gamma, work)
    else:
        value[0] = log_value(p, gamma, work)
    return NO_PATH if value[0] == INFINITY else OK


cdef int solve_alignment(
    sdtw_problem *p, double gamma, double *alignment, double *work, double *value
) noexcept nogil:
    cdef sdtw_gradient gradient
    p.scale = 0.0 if gamma == 0.0 else scale_of(gamma)
    if gamma > 0.0 and costs_in_range(p):
        gradient.x = gradient.y = NULL
        gradient.alignment = alignment
        if p.first != NULL:
            clear(alignment, p.n * p.m)
        value[0] = gradient_of(p, SDTW_MATRIX, gamma, work, &gradient)
    else:
        value[0] = log_alignment(p, gamma, work, alignment)
    return NO_PATH if value[0] == INFINITY else OK


cdef inline void set_cost(sdtw_problem *p, const double[:, ::1] cost) noexcept nogil:
    p.n, p.m, p.d = cost.shape[0], cost.shape[1], 0
    p.x = p.y = NULL
    p.first = p.last = NULL
    p.cost = &cost[0, 0]


def value(const double[:, ::1] cost, double gamma, Py_ssize_t radius=-1):
    """dtw_gamma of a cost matrix; +inf when forbidden cells leave no path."""
    cdef sdtw_problem p
    cdef double[::1] work = np.empty(cost_work(cost.shape[0], cost.shape[1]))
    cdef Py_ssize_t[::1] room = np.empty(2 * cost.shape[0], dtype=np.intp)
    cdef double total
    with nogil:
        set_cost(&p, cost)
        set_problem_band(&p, radius, &room[0])
        solve_costs(&p, gamma, &work[0], &total)
    heard()
    return total


def value_and_alignment(const double[:, ::1] cost, double gamma, Py_ssize_t radius=-1):
    """(dtw_gamma, expected alignment) of a cost matrix; (+inf, zeros) when forbidden cells leave no path."""
    cdef sdtw_problem p
    alignment = np.empty((cost.shape[0], cost.shape[1]))
    cdef double[:, ::1] expected = alignment
    cdef double[::1] work = np.empty(alignment_work(cost.shape[0], cost.shape[1]))
    cdef Py_ssize_t[::1] room = np.empty(2 * cost.shape[0], dtype=np.intp)
    cdef double total
    with nogil:
        set_cost(&p, cost)
        set_problem_band(&p, radius, &room[0])
        solve_alignment(&p, gamma, &expected[0, 0], &work[0], &total)
    heard()
    return total, alignment


def alignment_jvp(const double[:, ::1] cost, double gamma, const double[:, ::1] along, Py_ssize_t radius=-1):
    """(dtw_gamma, expected alignment, its derivative when the cost moves along `along`), for gamma > 0."""
    cdef sdtw_problem p
    cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1]
    alignment, moved = np.empty((n, m)), np.empty((n, m))
    cdef double[:, ::1] expected = alignment, derivative = moved
    cdef double[::1] work = np.empty(2 * (n + 1) * (m + 1))
    cdef Py_ssize_t[::1] room = np.empty(2 * n, dtype=np.intp)
    cdef double total
    with nogil:
        set_cost(&p, cost)
        set_problem_band(&p, radius, &room[0])
        total = log_jvp(&p, gamma, &along[0, 0], &work[0], &expected[0, 0], &derivative[0, 0])
    heard()
    return total, alignment, moved


# --- pairs of series ------------------------------------------------------------------------------------------------

def far_gradient(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius):
    total, alignment = value_and_alignment(squared_euclidean(x, y), gamma, radius)
    gaps = np.subtract(np.asarray(x)[:, None, :], np.asarray(y)[None, :, :])
    gaps *= 2.0 * alignment[:, :, None]
    return total, gaps.sum(axis=1), -gaps.sum(axis=0)


def pair_value(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius=-1):
    """dtw_gamma of two series with the squared Euclidean cost, in O(n + m) memory."""
    cdef sdtw_problem p
    cdef double total
    cdef bint done
    p.n, p.m, p.d = x.shape[0], y.shape[0], x.shape[1]
    cdef double[::1] work = np.empty(lines_work(p.n) + packed_work(p.n, p.m, p.d))
    cdef Py_ssize_t[::1] room = np.empty(2 * p.n, dtype=np.intp) if radius >= 0 else None
    with nogil:
        set_problem_band(&p, radius, &room[0] if radius >= 0 else NULL)
        done = series_value(&p, &x[0, 0], &y[0, 0], gamma, &work[0], &total)
    heard()
    return total if done else value(squared_euclidean(x, y), gamma, radius)


def pair_gradient(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius=-1):
    """(value, gradient in x, gradient in y) of two series."""
    cdef sdtw_problem p
    cdef double total
    cdef bint done
    p.n, p.m, p.d = x.shape[0], y.shape[0], x.shape[1]
    grad_x, grad_y = np.empty((p.n, p.d)), np.empty((p.m, p.d))
    cdef double[:, ::1] out_x = grad_x, out_y = grad_y
    cdef double[::1] work = np.empty(lines_work(p.n) + kept_work(p.n, p.m) + 2 * packed_work(p.n, p.m, p.d))
    cdef Py_ssize_t[::1] room = np.empty(2 * p.n, dtype=np.intp)
    with nogil:
        set_problem_band(&p, radius, &room[0])
        done = series_gradient(
            &p, &x[0, 0], &y[0, 0], gamma, &work[0], &total, &out_x[0, 0], &out_y[0, 0]
        )
    heard()
    return (total, grad_x, grad_y) if done else far_gradient(x, y, gamma, radius)


def minus_log_kernels(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    double scale, double factor, double most
):
    """-log of the global alignment kernel of the pairs as in `values`.

    That is soft-DTW at gamma = 1 of the costs ``q + log(2 - exp(-q))``, where q is ``factor`` times the squared
    distance of two points after their differences are multiplied by ``scale`` twice, and at most ``most``.
    """
    cdef sdtw_problem p
    cdef Py_ssize_t k, i, j, at, some, few = SLICE // 16, until = SLICE
    cdef Py_ssize_t n = np.diff(left_at).max(), m = np.diff(right_at).max()
    cdef bint stop = False
    cdef double dearest
    totals = np.empty(rows.shape[0])
    cdef double[::1] out = totals, cost = np.empty(n * m), work = np.empty(cost_work(n, m))
    with nogil:
        p.first = p.last = NULL
        p.x = p.y = NULL
        p.cost = &cost[0]
        p.d = 0
        p.scale = scale_of(1.0)
        for k in range(rows.shape[0]):
            i, j = left_at[rows[k]], right_at[cols[k]]
            p.n, p.m = left_at[rows[k] + 1] - i, right_at[cols[k] + 1] - j
            # An exponential and a logarithm take as long as some sixteen plain steps, fresh memory as long again.
            some = max(1, few // p.m)
            at = 0
            dearest = 0.0
            while at < p.n and not stop:
                some = min(some, p.n - at)
                squares(&left[i + at, 0], some, &right[j, 0], p.m, left.shape[1], scale, &cost[at * p.m])
                dearest = max(dearest, gak_costs(&cost[at * p.m], some * p.m, factor, most))
                stop = turn(&until, 16 * some * p.m)
                at += some
            if not stop:
                # Every alignment is allowed, and no cost is negative.
                if dearest * p.scale <= SDTW_LIMIT / <double>(p.n + p.m):
                    out[k] = value_of(&p, SDTW_MATRIX, 1.0, &work[0])
                else:
                    out[k] = log_value(&p, 1.0, &work[0])
            if stop or turn(&until, 2 * p.n * p.m * (left.shape[1] + 1)):
                break
    heard()
    return totals


def band(Py_ssize_t n, Py_ssize_t m, Py_ssize_t radius):
    """First and last column of each row of the Sakoe-Chiba band."""
    both = np.empty((2, n), dtype=np.intp)
    cdef Py_ssize_t[:, ::1] room = both
    set_band(n, m, radius, &room[0, 0], &room[1, 0])
    return both[0], both[1]


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
