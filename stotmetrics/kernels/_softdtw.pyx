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
from ._softdtw_bands cimport FEWEST, Banded, alike, banded_work, run_banded, start_banded
from ._softdtw_gak cimport squares
from ._softdtw_log cimport log_alignment, log_jvp, log_value
from ._softdtw_loops cimport (
    SDTW_LINE, SDTW_MATRIX, SDTW_PAD, SDTW_PLANE, SDTW_SPACE, SIMD_W, gak_costs, sdtw_backward, sdtw_exponentials,
    sdtw_forward, sdtw_gradient, sdtw_hard, sdtw_lanes, sdtw_problem, sdtw_steps, sdtw_total,
)
from ._softdtw_pairs cimport (
    Pairs, aligned, cols_of, lanes_pay, lanes_work, pair_in_range, rows_of, run_lanes, x_of, y_of,
)
from ._softdtw_problem cimport (
    clear, costs_in_range, pack, scale_of, series_in_range, set_problem_band, unpack, value_of_total,
)

import numpy as np

from ._value_costs import squared_euclidean


cdef extern from "_interrupt.h":
    bint (*interrupt_ask)() noexcept nogil

interrupt_ask = interrupted
simd_follow(&chosen)


# --- the exponential domain ------------------------------------------------------------------------------------------

cdef inline Py_ssize_t lines_work(Py_ssize_t n) noexcept nogil:
    return 6 * (n + SDTW_PAD)


cdef inline Py_ssize_t packed_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    return d * (n + m + 2 * SIMD_W)


cdef inline Py_ssize_t kept_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return 3 * SDTW_PLANE(n * m)


cdef double value_of(const sdtw_problem *p, int kind, double gamma, double *work) noexcept nogil:
    cdef sdtw_total total
    # A single row or column has one path: its sum needs no exponentials and keeps every digit at a huge gamma.
    if gamma == 0.0 or p.n == 1 or p.m == 1:
        return sdtw_hard(p, kind, work)
    sdtw_forward(p, kind, work, NULL, &total)
    return value_of_total(&total, gamma)


cdef double gradient_of(
    const sdtw_problem *p, int kind, double gamma, double *work, const sdtw_gradient *gradient
) noexcept nogil:
    """work: lines_work and kept_work doubles."""
    cdef sdtw_total total
    cdef sdtw_steps kept
    cdef Py_ssize_t i
    kept.cells = p.n * p.m
    if p.first != NULL:
        kept.cells = 0
        for i in range(p.n):
            kept.cells += p.last[i] - p.first[i] + 1
    kept.from_before = work + lines_work(p.n)
    kept.from_above = kept.from_before + SDTW_PLANE(kept.cells)
    kept.from_diagonal = kept.from_above + SDTW_PLANE(kept.cells)
    sdtw_forward(p, kind, work, &kept, &total)
    sdtw_backward(p, kind, work, &kept, gradient)
    if p.n == 1 or p.m == 1:
        return sdtw_hard(p, kind, work)
    return value_of_total(&total, gamma)


cdef void set_series(
    sdtw_problem *p, const double *x, const double *y, double *work
) noexcept nogil:
    pack(x, p.n, p.d, False, work)
    pack(y, p.m, p.d, True, work + p.d * (p.n + SIMD_W))
    p.x = work
    p.y = work + p.d * (p.n + SIMD_W)
    p.cost = NULL


cdef inline int kind_of(const sdtw_problem *p) noexcept nogil:
    return SDTW_LINE if p.d == 1 else SDTW_SPACE


cdef double value_in_range(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work
) noexcept nogil:
    """work: lines_work and packed_work doubles."""
    p.scale = 0.0 if gamma == 0.0 else scale_of(gamma)
    set_series(p, x, y, work + lines_work(p.n))
    return value_of(p, kind_of(p), gamma, work)


cdef bint series_value(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work, double *value
) noexcept nogil:
    """False where the log domain must take over. work: lines_work and packed_work doubles."""
    if gamma > 0.0:
        p.scale = scale_of(gamma)
        if not series_in_range(x, y, p):
            return False
    value[0] = value_in_range(p, x, y, gamma, work)
    return True


cdef bint series_gradient(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work, double *value, double *grad_x,
    double *grad_y
) noexcept nogil:
    """As series_value. work: lines_work, kept_work and twice packed_work doubles."""
    cdef sdtw_gradient gradient
    cdef Py_ssize_t packed = packed_work(p.n, p.m, p.d)
    cdef double *at = work + lines_work(p.n) + kept_work(p.n, p.m)
    if gamma == 0.0:
        return False
    p.scale = scale_of(gamma)
    if not series_in_range(x, y, p):
        return False
    set_series(p, x, y, at)
    gradient.x = at + packed
    gradient.y = gradient.x + p.d * (p.n + SIMD_W)
    gradient.alignment = NULL
    clear(gradient.x, packed)
    value[0] = gradient_of(p, kind_of(p), gamma, work, &gradient)
    unpack(gradient.x, p.n, p.d, False, grad_x)
    unpack(gradient.y, p.m, p.d, True, grad_y)
    return True


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


# --- series, one pair or many ----------------------------------------------------------------------------------------

def _far_gradient(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius):
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
    return (total, grad_x, grad_y) if done else _far_gradient(x, y, gamma, radius)


def _pack_ranges(const double[:, ::1] values, const Py_ssize_t[::1] at):
    starts = np.asarray(at)[:at.shape[0] - 1]
    return np.minimum.reduceat(values, starts, axis=0), np.maximum.reduceat(values, starts, axis=0)


cdef void solve_pairs(
    const Pairs *pairs, const Py_ssize_t *order, Py_ssize_t count, Py_ssize_t radius, double *work, Py_ssize_t *room,
    double *out, unsigned char *far
) noexcept nogil:
    """The values of the pairs, taken in this order; `far` marks those that the log domain must take over."""
    cdef sdtw_problem p
    cdef sdtw_lanes lanes
    cdef Banded banded
    cdef Py_ssize_t at = 0, until = SLICE, k, size
    lanes.work = aligned(work)
    start_banded(&banded, aligned(work), room, pairs.d)
    while at < count:
        size = alike(pairs, order + at, count - at) if radius >= 0 else 0
        if size >= FEWEST:
            run_banded(pairs, order + at, size, radius, &banded, out)
            at += size
            if turn(&until, size * banded.lanes.n * (2 * radius + 1) * (pairs.d + 1)):
                return
            continue
        if radius < 0 and at + SIMD_W <= count and lanes_pay(pairs, order + at, &lanes):
            run_lanes(pairs, order + at, &lanes, out)
            at += SIMD_W
            if turn(&until, SIMD_W * lanes.n * lanes.m * (pairs.d + 1)):
                return
            continue
        k = order[at]
        at += 1
        banded.lanes.n = 0  # one pair alone takes its workspace
        p.n, p.m, p.d = rows_of(pairs, k), cols_of(pairs, k), pairs.d
        if pairs.gammas[k] > 0.0 and not pair_in_range(pairs, k):
            far[k] = True
            continue
        set_problem_band(&p, radius, room)
        out[k] = value_in_range(&p, x_of(pairs, k), y_of(pairs, k), pairs.gammas[k], work)
        if turn(&until, p.n * p.m * (p.d + 1)):
            return


def values(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, Py_ssize_t radius=-1
):
    """dtw_gamma of the pairs (left[rows[k]], right[cols[k]]) at gammas[k].

    The series stand one behind the other: series s of left is ``left[left_at[s]:left_at[s + 1]]``. The value of a pair
    does not depend on the others, to the last bit.
    """
    cdef Py_ssize_t count = rows.shape[0], k, d = left.shape[1]
    totals = np.empty(count)
    if count == 0:
        return totals
    lengths_x, lengths_y = np.diff(left_at), np.diff(right_at)
    cdef Py_ssize_t n = lengths_x.max(), m = lengths_y.max()
    cdef double[:, ::1] left_low, left_high, right_low, right_high
    left_low, left_high = _pack_ranges(left, left_at)
    right_low, right_high = _pack_ranges(right, right_at)
    # Pairs of similar lengths next to each other fill the lanes best.
    cdef Py_ssize_t[::1] order = np.lexsort((lengths_y[cols], lengths_x[rows])).astype(np.intp, copy=False)
    missed = np.zeros(count, dtype=np.uint8)
    cdef double[::1] out = totals
    cdef unsigned char[::1] far = missed
    cdef Py_ssize_t needed = lines_work(n) + packed_work(n, m, d)
    cdef double[::1] work = np.empty(max(needed, lanes_work(n, m, d) if radius < 0 else banded_work(n, m, d)))
    cdef Py_ssize_t[::1] room = np.empty(2 * n, dtype=np.intp)
    cdef Pairs pairs = Pairs(
        &left[0, 0], &right[0, 0], &left_at[0], &right_at[0], &left_low[0, 0], &left_high[0, 0], &right_low[0, 0],
        &right_high[0, 0], &rows[0], &cols[0], &gammas[0], d,
    )
    with nogil:
        solve_pairs(&pairs, &order[0], count, radius, &work[0], &room[0], &out[0], &far[0])
    heard()
    for k in np.flatnonzero(missed):
        x = left[left_at[rows[k]]:left_at[rows[k] + 1]]
        y = right[right_at[cols[k]]:right_at[cols[k] + 1]]
        totals[k] = value(squared_euclidean(x, y), gammas[k], radius)
    return totals


def gradients(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, Py_ssize_t radius=-1
):
    """(values, gradients in left, gradients in right) of the pairs as in `values`, the gradients in their order."""
    cdef sdtw_problem p
    cdef Py_ssize_t n, m, k, i, j, d = left.shape[1], count = rows.shape[0], at_x = 0, at_y = 0, until = SLICE
    n, m = np.diff(left_at).max(), np.diff(right_at).max()
    totals = np.empty(count)
    missed = np.zeros(count, dtype=np.uint8)
    lengths_x, lengths_y = np.diff(left_at)[rows], np.diff(right_at)[cols]
    grad_x, grad_y = np.empty((lengths_x.sum(), d)), np.empty((lengths_y.sum(), d))
    cdef double[:, ::1] out_x = grad_x, out_y = grad_y
    cdef double[::1] out = totals
    cdef unsigned char[::1] far = missed
    cdef double[::1] work = np.empty(lines_work(n) + kept_work(n, m) + 2 * packed_work(n, m, d))
    cdef Py_ssize_t[::1] room = np.empty(2 * n, dtype=np.intp)
    with nogil:
        for k in range(count):
            i, j = left_at[rows[k]], right_at[cols[k]]
            p.n, p.m, p.d = left_at[rows[k] + 1] - i, right_at[cols[k] + 1] - j, d
            set_problem_band(&p, radius, &room[0])
            far[k] = not series_gradient(
                &p, &left[i, 0], &right[j, 0], gammas[k], &work[0], &out[k], &out_x[at_x, 0], &out_y[at_y, 0]
            )
            at_x += p.n
            at_y += p.m
            if turn(&until, p.n * p.m * (d + 1)):
                break
    heard()
    ends_x, ends_y = np.cumsum(lengths_x), np.cumsum(lengths_y)
    for k in np.flatnonzero(missed):
        x = left[left_at[rows[k]]:left_at[rows[k] + 1]]
        y = right[right_at[cols[k]]:right_at[cols[k] + 1]]
        totals[k], grad_x[ends_x[k] - x.shape[0]:ends_x[k]], grad_y[ends_y[k] - y.shape[0]:ends_y[k]] = _far_gradient(
            x, y, gammas[k], radius
        )
    return totals, grad_x, grad_y


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
    cdef Py_ssize_t k, i, j, until = SLICE, n = np.diff(left_at).max(), m = np.diff(right_at).max()
    totals = np.empty(rows.shape[0])
    cdef double[::1] out = totals, cost = np.empty(n * m), work = np.empty(cost_work(n, m))
    with nogil:
        p.first = p.last = NULL
        p.x = p.y = NULL
        p.cost = &cost[0]
        p.d = 0
        for k in range(rows.shape[0]):
            i, j = left_at[rows[k]], right_at[cols[k]]
            p.n, p.m = left_at[rows[k] + 1] - i, right_at[cols[k] + 1] - j
            squares(&left[i, 0], p.n, &right[j, 0], p.m, left.shape[1], scale, &cost[0])
            gak_costs(&cost[0], p.n * p.m, factor, most)
            solve_costs(&p, 1.0, &work[0], &out[k])
            if turn(&until, 2 * p.n * p.m * (left.shape[1] + 1)):
                break
    heard()
    return totals


def band(Py_ssize_t n, Py_ssize_t m, Py_ssize_t radius):
    """First and last column of each row of the Sakoe-Chiba band."""
    both = np.empty((2, n), dtype=np.intp)
    cdef Py_ssize_t[:, ::1] room = both
    set_band(n, m, radius, &room[0, 0], &room[1, 0])
    return both[0], both[1]


def exponentials(Py_ssize_t n, Py_ssize_t m, Py_ssize_t rounds):
    """Evaluate the costs and exponentials of rounds problems of n x m cells and nothing else: for benchmarks."""
    cdef sdtw_lanes lanes
    cdef double[::1] work = np.zeros(lanes_work(n, m, 1))
    cdef double total = 0.0
    cdef Py_ssize_t k, _k
    lanes.n, lanes.m, lanes.d = n, m, 1
    for k in range(SIMD_W):
        lanes.scale[k] = 1.0
    with nogil:
        lanes.work = aligned(&work[0])
        for _k in range(rounds // SIMD_W):
            total += sdtw_exponentials(&lanes)
    return total


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
