"""Soft-DTW of series and of given cost matrices: values, expected alignments, gradients, one pair or many.

Almost every problem runs in the exponential domain along anti-diagonals (``_softdtw_variants.h``). Where the costs are
so large beside gamma that their exponents leave the integers of a double, the recursion in the log domain takes over.
"""

from libc.math cimport INFINITY

from ._core cimport NO_PATH, OK
from ._interrupt cimport SLICE, heard, interrupted, turn
from ._softdtw_log cimport sdtw_log_alignment, sdtw_log_jvp, sdtw_log_value
from ._softdtw_pairs cimport (
    sdtw_aligned, sdtw_cols_of, sdtw_in_range, sdtw_lanes_pay, sdtw_lanes_work, sdtw_pairs, sdtw_rows_of,
    sdtw_run_lanes, sdtw_x_of, sdtw_y_of,
)
from ._softdtw_problem cimport sdtw_costs_in_range, sdtw_scale, sdtw_series_in_range, sdtw_set_band
from ._softdtw_variants cimport (
    SDTW_LINE, SDTW_MATRIX, SDTW_PAD, SDTW_SPACE, SDTW_W, sdtw_get_variant, sdtw_gradient, sdtw_lanes, sdtw_pack,
    sdtw_problem, sdtw_runs, sdtw_total, sdtw_unpack, sdtw_value_of, sdtw_variant, sdtw_variant_count,
)

import os

import numpy as np


cdef extern from "_interrupt.h":
    bint (*interrupt_ask)() noexcept nogil

interrupt_ask = interrupted

cdef const sdtw_variant *active = NULL


# --- the exponential domain ------------------------------------------------------------------------------------------

cdef inline Py_ssize_t lines_work(Py_ssize_t n) noexcept nogil:
    return 6 * (n + SDTW_PAD)


cdef inline Py_ssize_t packed_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    return d * (n + m + 2 * SDTW_W)


cdef inline Py_ssize_t kept_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return 2 * (n * m + SDTW_W)


cdef double value_of(const sdtw_problem *p, int kind, double gamma, double *work) noexcept nogil:
    cdef sdtw_total total
    # A single row or column has one path: its sum needs no exponentials and keeps every digit at a huge gamma.
    if gamma == 0.0 or p.n == 1 or p.m == 1:
        return active.hard(p, kind, work)
    active.soft(p, kind, work, NULL, NULL, &total)
    return sdtw_value_of(&total, gamma)


cdef double gradient_of(
    const sdtw_problem *p, int kind, double gamma, double *work, const sdtw_gradient *gradient
) noexcept nogil:
    """work: lines_work and kept_work doubles."""
    cdef sdtw_total total
    cdef Py_ssize_t cells = p.n * p.m, i
    cdef double *kept = work + lines_work(p.n)
    if p.first != NULL:
        cells = 0
        for i in range(p.n):
            cells += p.last[i] - p.first[i] + 1
    active.soft(p, kind, work, kept, kept + cells + SDTW_W, &total)
    active.gradient(p, kind, work, kept + cells, kept + 2 * cells + SDTW_W, &total, gradient)
    if p.n == 1 or p.m == 1:
        return active.hard(p, kind, work)
    return sdtw_value_of(&total, gamma)


cdef void set_series(
    sdtw_problem *p, const double *x, const double *y, double *work
) noexcept nogil:
    sdtw_pack(x, p.n, p.d, False, work)
    sdtw_pack(y, p.m, p.d, True, work + p.d * (p.n + SDTW_W))
    p.x = work
    p.y = work + p.d * (p.n + SDTW_W)
    p.cost = NULL


cdef inline int kind_of(const sdtw_problem *p) noexcept nogil:
    return SDTW_LINE if p.d == 1 else SDTW_SPACE


cdef double value_in_range(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work
) noexcept nogil:
    """work: lines_work and packed_work doubles."""
    p.scale = 0.0 if gamma == 0.0 else sdtw_scale(gamma)
    set_series(p, x, y, work + lines_work(p.n))
    return value_of(p, kind_of(p), gamma, work)


cdef bint series_value(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work, double *value
) noexcept nogil:
    """False where the log domain must take over. work: lines_work and packed_work doubles."""
    if gamma > 0.0:
        p.scale = sdtw_scale(gamma)
        if not sdtw_series_in_range(x, y, p):
            return False
    value[0] = value_in_range(p, x, y, gamma, work)
    return True


cdef bint series_gradient(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work, double *value, double *grad_x,
    double *grad_y
) noexcept nogil:
    """As series_value. work: lines_work, kept_work and twice packed_work doubles."""
    cdef sdtw_gradient gradient
    cdef Py_ssize_t packed = packed_work(p.n, p.m, p.d), k
    cdef double *at = work + lines_work(p.n) + kept_work(p.n, p.m)
    if gamma == 0.0:
        return False
    p.scale = sdtw_scale(gamma)
    if not sdtw_series_in_range(x, y, p):
        return False
    set_series(p, x, y, at)
    gradient.x = at + packed
    gradient.y = gradient.x + p.d * (p.n + SDTW_W)
    gradient.alignment = NULL
    for k in range(packed):
        gradient.x[k] = 0.0
    value[0] = gradient_of(p, kind_of(p), gamma, work, &gradient)
    sdtw_unpack(gradient.x, p.n, p.d, False, grad_x)
    sdtw_unpack(gradient.y, p.m, p.d, True, grad_y)
    return True


# --- given cost matrices ---------------------------------------------------------------------------------------------

cdef Py_ssize_t softdtw_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return max(lines_work(n), m)


cdef Py_ssize_t softdtw_alignment_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return max(lines_work(n) + kept_work(n, m), (n + 1) * (m + 1))


cdef int solve_costs(sdtw_problem *p, double gamma, double *work, double *value) noexcept nogil:
    p.scale = 0.0 if gamma == 0.0 else sdtw_scale(gamma)
    if gamma == 0.0 or sdtw_costs_in_range(p):
        value[0] = value_of(p, SDTW_MATRIX, gamma, work)
    else:
        value[0] = sdtw_log_value(p, gamma, work)
    return NO_PATH if value[0] == INFINITY else OK


cdef int solve_alignment(
    sdtw_problem *p, double gamma, double *alignment, double *work, double *value
) noexcept nogil:
    cdef sdtw_gradient gradient
    cdef Py_ssize_t k
    p.scale = 0.0 if gamma == 0.0 else sdtw_scale(gamma)
    if gamma > 0.0 and sdtw_costs_in_range(p):
        gradient.x = gradient.y = NULL
        gradient.alignment = alignment
        if p.first != NULL:
            for k in range(p.n * p.m):
                alignment[k] = 0.0
        value[0] = gradient_of(p, SDTW_MATRIX, gamma, work, &gradient)
    else:
        value[0] = sdtw_log_alignment(p, gamma, work, alignment)
    return NO_PATH if value[0] == INFINITY else OK


cdef inline void set_cost(sdtw_problem *p, const double[:, ::1] cost) noexcept nogil:
    p.n, p.m, p.d = cost.shape[0], cost.shape[1], 0
    p.x = p.y = NULL
    p.first = p.last = NULL
    p.cost = &cost[0, 0]


cdef int softdtw_value(const double[:, ::1] cost, double gamma, double[::1] work, double *value) noexcept nogil:
    cdef sdtw_problem p
    set_cost(&p, cost)
    return solve_costs(&p, gamma, &work[0], value)


cdef int softdtw_value_and_alignment(
    const double[:, ::1] cost, double gamma, double[:, ::1] alignment, double[::1] work, double *value
) noexcept nogil:
    cdef sdtw_problem p
    set_cost(&p, cost)
    return solve_alignment(&p, gamma, &alignment[0, 0], &work[0], value)


def value(const double[:, ::1] cost, double gamma, Py_ssize_t radius=-1):
    """dtw_gamma of a cost matrix; +inf when forbidden cells leave no path."""
    cdef sdtw_problem p
    cdef double[::1] work = np.empty(softdtw_work(cost.shape[0], cost.shape[1]))
    cdef Py_ssize_t[::1] room = np.empty(2 * cost.shape[0], dtype=np.intp)
    cdef double found
    with nogil:
        set_cost(&p, cost)
        sdtw_set_band(&p, radius, &room[0])
        solve_costs(&p, gamma, &work[0], &found)
    heard()
    return found


def value_and_alignment(const double[:, ::1] cost, double gamma, Py_ssize_t radius=-1):
    """(dtw_gamma, expected alignment) of a cost matrix; (+inf, zeros) when forbidden cells leave no path."""
    cdef sdtw_problem p
    alignment = np.empty((cost.shape[0], cost.shape[1]))
    cdef double[:, ::1] expected = alignment
    cdef double[::1] work = np.empty(softdtw_alignment_work(cost.shape[0], cost.shape[1]))
    cdef Py_ssize_t[::1] room = np.empty(2 * cost.shape[0], dtype=np.intp)
    cdef double found
    with nogil:
        set_cost(&p, cost)
        sdtw_set_band(&p, radius, &room[0])
        solve_alignment(&p, gamma, &expected[0, 0], &work[0], &found)
    heard()
    return found, alignment


def alignment_jvp(const double[:, ::1] cost, double gamma, const double[:, ::1] along, Py_ssize_t radius=-1):
    """(dtw_gamma, expected alignment, its derivative when the cost moves along `along`), for gamma > 0."""
    cdef sdtw_problem p
    cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1]
    alignment, moved = np.empty((n, m)), np.empty((n, m))
    cdef double[:, ::1] expected = alignment, derivative = moved
    cdef double[::1] work = np.empty(2 * (n + 1) * (m + 1))
    cdef Py_ssize_t[::1] room = np.empty(2 * n, dtype=np.intp)
    cdef double found
    with nogil:
        set_cost(&p, cost)
        sdtw_set_band(&p, radius, &room[0])
        found = sdtw_log_jvp(&p, gamma, &along[0, 0], &work[0], &expected[0, 0], &derivative[0, 0])
    heard()
    return found, alignment, moved


# --- series, one pair or many ----------------------------------------------------------------------------------------

def _cost_of(const double[:, ::1] x, const double[:, ::1] y):
    """Squared Euclidean costs, for the rare pair that leaves the exponential domain."""
    from scipy.spatial.distance import cdist
    return cdist(x, y, "sqeuclidean")


def _far_gradient(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius):
    found, alignment = value_and_alignment(_cost_of(x, y), gamma, radius)
    gaps = np.subtract(np.asarray(x)[:, None, :], np.asarray(y)[None, :, :])
    gaps *= 2.0 * alignment[:, :, None]
    return found, gaps.sum(axis=1), -gaps.sum(axis=0)


def pair_value(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius=-1):
    """dtw_gamma of two series with the squared Euclidean cost, in O(n + m) memory."""
    cdef sdtw_problem p
    cdef double found
    cdef bint done
    p.n, p.m, p.d = x.shape[0], y.shape[0], x.shape[1]
    cdef double[::1] work = np.empty(lines_work(p.n) + packed_work(p.n, p.m, p.d))
    cdef Py_ssize_t[::1] room = np.empty(2 * p.n, dtype=np.intp) if radius >= 0 else None
    with nogil:
        sdtw_set_band(&p, radius, &room[0] if radius >= 0 else NULL)
        done = series_value(&p, &x[0, 0], &y[0, 0], gamma, &work[0], &found)
    heard()
    return found if done else value(_cost_of(x, y), gamma, radius)


def pair_gradient(const double[:, ::1] x, const double[:, ::1] y, double gamma, Py_ssize_t radius=-1):
    """(value, gradient in x, gradient in y) of two series."""
    cdef sdtw_problem p
    cdef double found
    cdef bint done
    p.n, p.m, p.d = x.shape[0], y.shape[0], x.shape[1]
    grad_x, grad_y = np.empty((p.n, p.d)), np.empty((p.m, p.d))
    cdef double[:, ::1] out_x = grad_x, out_y = grad_y
    cdef double[::1] work = np.empty(lines_work(p.n) + kept_work(p.n, p.m) + 2 * packed_work(p.n, p.m, p.d))
    cdef Py_ssize_t[::1] room = np.empty(2 * p.n, dtype=np.intp)
    with nogil:
        sdtw_set_band(&p, radius, &room[0])
        done = series_gradient(
            &p, &x[0, 0], &y[0, 0], gamma, &work[0], &found, &out_x[0, 0], &out_y[0, 0]
        )
    heard()
    return (found, grad_x, grad_y) if done else _far_gradient(x, y, gamma, radius)


def _pack_ranges(const double[:, ::1] values, const Py_ssize_t[::1] at):
    starts = np.asarray(at)[:at.shape[0] - 1]
    return np.minimum.reduceat(values, starts, axis=0), np.maximum.reduceat(values, starts, axis=0)


def values(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, Py_ssize_t radius=-1
):
    """dtw_gamma of the pairs (left[rows[k]], right[cols[k]]) at gammas[k].

    The series stand one behind the other: series s of left is ``left[left_at[s]:left_at[s + 1]]``. The value of a pair
    does not depend on the others, to the last bit.
    """
    cdef Py_ssize_t count = rows.shape[0], at = 0, until = SLICE, k, d = left.shape[1]
    found = np.empty(count)
    if count == 0:
        return found
    lengths_x, lengths_y = np.diff(left_at), np.diff(right_at)
    cdef Py_ssize_t n = lengths_x.max(), m = lengths_y.max()
    cdef double[:, ::1] left_low, left_high, right_low, right_high
    left_low, left_high = _pack_ranges(left, left_at)
    right_low, right_high = _pack_ranges(right, right_at)
    # Pairs of similar lengths next to each other fill the lanes best.
    cdef Py_ssize_t[::1] order = np.lexsort((lengths_y[cols], lengths_x[rows])).astype(np.intp, copy=False)
    cdef double[::1] out = found
    missed = np.zeros(count, dtype=np.uint8)
    cdef unsigned char[::1] far = missed
    cdef double[::1] work = np.empty(max(lines_work(n) + packed_work(n, m, d), sdtw_lanes_work(n, m, d)))
    cdef Py_ssize_t[::1] room = np.empty(2 * n, dtype=np.intp)
    cdef sdtw_problem p
    cdef sdtw_lanes lanes
    cdef sdtw_pairs pairs
    pairs.left, pairs.right, pairs.d = &left[0, 0], &right[0, 0], d
    pairs.left_at, pairs.right_at = &left_at[0], &right_at[0]
    pairs.left_low, pairs.left_high = &left_low[0, 0], &left_high[0, 0]
    pairs.right_low, pairs.right_high = &right_low[0, 0], &right_high[0, 0]
    pairs.rows, pairs.cols, pairs.gammas = &rows[0], &cols[0], &gammas[0]
    with nogil:
        lanes.work = sdtw_aligned(&work[0])
        while at < count:
            if radius < 0 and at + SDTW_W <= count and sdtw_lanes_pay(&pairs, &order[at], &lanes):
                sdtw_run_lanes(active, &pairs, &order[at], &lanes, &out[0])
                at += SDTW_W
                if turn(&until, SDTW_W * lanes.n * lanes.m * (d + 1)):
                    break
                continue
            k = order[at]
            at += 1
            p.n, p.m, p.d = sdtw_rows_of(&pairs, k), sdtw_cols_of(&pairs, k), d
            if gammas[k] > 0.0 and not sdtw_in_range(&pairs, k):
                far[k] = True
                continue
            sdtw_set_band(&p, radius, &room[0])
            out[k] = value_in_range(&p, sdtw_x_of(&pairs, k), sdtw_y_of(&pairs, k), gammas[k], &work[0])
            if turn(&until, p.n * p.m * (d + 1)):
                break
    heard()
    for k in np.flatnonzero(missed):
        x = left[left_at[rows[k]]:left_at[rows[k] + 1]]
        y = right[right_at[cols[k]]:right_at[cols[k] + 1]]
        found[k] = value(_cost_of(x, y), gammas[k], radius)
    return found


def gradients(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, Py_ssize_t radius=-1
):
    """(values, gradients in left, gradients in right) of the pairs as in `values`, the gradients in their order."""
    cdef sdtw_problem p
    cdef Py_ssize_t n, m, k, i, j, d = left.shape[1], count = rows.shape[0], at_x = 0, at_y = 0, until = SLICE
    n, m = np.diff(left_at).max(), np.diff(right_at).max()
    found = np.empty(count)
    missed = np.zeros(count, dtype=np.uint8)
    lengths_x, lengths_y = np.diff(left_at)[rows], np.diff(right_at)[cols]
    grad_x, grad_y = np.empty((lengths_x.sum(), d)), np.empty((lengths_y.sum(), d))
    cdef double[:, ::1] out_x = grad_x, out_y = grad_y
    cdef double[::1] out = found
    cdef unsigned char[::1] far = missed
    cdef double[::1] work = np.empty(lines_work(n) + kept_work(n, m) + 2 * packed_work(n, m, d))
    cdef Py_ssize_t[::1] room = np.empty(2 * n, dtype=np.intp)
    with nogil:
        for k in range(count):
            i, j = left_at[rows[k]], right_at[cols[k]]
            p.n, p.m, p.d = left_at[rows[k] + 1] - i, right_at[cols[k] + 1] - j, d
            sdtw_set_band(&p, radius, &room[0])
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
        found[k], grad_x[ends_x[k] - x.shape[0]:ends_x[k]], grad_y[ends_y[k] - y.shape[0]:ends_y[k]] = _far_gradient(
            x, y, gammas[k], radius
        )
    return found, grad_x, grad_y


def band(Py_ssize_t n, Py_ssize_t m, Py_ssize_t radius):
    """First and last column of each row of the Sakoe-Chiba band."""
    cdef sdtw_problem p
    both = np.empty((2, n), dtype=np.intp)
    cdef Py_ssize_t[:, ::1] room = both
    p.n, p.m = n, m
    sdtw_set_band(&p, radius, &room[0, 0])
    return both[0], both[1]


def exponentials(Py_ssize_t n, Py_ssize_t m, Py_ssize_t rounds):
    """Evaluate the costs and exponentials of rounds problems of n x m cells and nothing else: for benchmarks."""
    cdef sdtw_lanes lanes
    cdef double[::1] work = np.zeros(sdtw_lanes_work(n, m, 1))
    cdef double total = 0.0
    cdef Py_ssize_t k, _k
    lanes.n, lanes.m, lanes.d = n, m, 1
    for k in range(SDTW_W):
        lanes.scale[k] = 1.0
    with nogil:
        lanes.work = sdtw_aligned(&work[0])
        for _k in range(rounds // SDTW_W):
            total += active.exponentials(&lanes)
    return total


# --- which variant ---------------------------------------------------------------------------------------------------

def cpu_variants():
    """Names of the variants that this processor runs, the preferred one first."""
    return [sdtw_get_variant(k).name.decode() for k in range(sdtw_variant_count) if sdtw_runs(k)]


def cpu_variant():
    """Name of the variant in use."""
    return active.name.decode()


def use_cpu_variant(str name):
    """Switch to another variant; for tests, and for ``STOTMETRICS_CPU`` at import."""
    global active
    for k in range(sdtw_variant_count):
        if sdtw_runs(k) and sdtw_get_variant(k).name.decode() == name:
            active = sdtw_get_variant(k)
            return
    raise ValueError(f"this processor runs the variants {', '.join(cpu_variants())}; got {name!r}")


use_cpu_variant(os.environ.get("STOTMETRICS_CPU") or cpu_variants()[0])
