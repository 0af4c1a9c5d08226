"""Soft-DTW of many pairs of series: values, gradients, expected costs, SDTW_LANES pairs side by side."""

from ._cpu cimport chosen
from ._interrupt cimport SLICE, heard, interrupted, turn
from ._simd cimport aligned, simd_follow
from ._softdtw_chunks cimport LONGEST_LANE, MOST_ROWS, Chunk, choose, chunk_work, fits, run_chunk, start_chunk
from ._softdtw_loops cimport (
    SDTW_BEYOND, SDTW_COSTS, SDTW_LANES, SDTW_NARROW, SDTW_SOFT, SDTW_TILE, sdtw_exponentials, sdtw_lanes, sdtw_problem,
)
from ._softdtw_pairs cimport (
    Pairs, cols_of, enclose, is_hard, points_work, repeat_points, rows_of, set_kinds, spread_points, x_of,
    y_of,
)
from ._softdtw_problem cimport set_problem_band
from ._softdtw_single cimport (
    alone_work, kept_work, kernel_value, lines_work, packed_work, value_in_range,
)
from ._softdtw_slopes cimport MOST_KEPT, Slopes, kept_points, slopes_alone, slopes_in_lanes
from ._softdtw_table cimport Table, any_of, fill_lanes, set_table, solve_narrow

import numpy as np

from ._softdtw import far_gradient, value
from ._value_costs import squared_euclidean


cdef extern from "_interrupt.h":
    bint (*interrupt_ask)() noexcept nogil

interrupt_ask = interrupted
simd_follow(&chosen)

# Cells of a pair that goes into a lane: any number.
cdef Py_ssize_t EVERY = (<Py_ssize_t>1) << 62

cdef enum:
    # Up to so many pairs in a vector of lanes go with others of their kind, at the diagonal of a matrix and at its end,
    # if they have so many cells: then it takes little to spread the points of both sides.
    SPARSE = 5
    SPREAD = 1 << 12


cdef class Batch:
    """Pairs of series in two buffers, the boxes of those that are used, and the values to come."""

    cdef Pairs pairs
    cdef Py_ssize_t count, n, m, d
    cdef readonly object lengths_x, lengths_y, used_x, used_y, totals, missed
    cdef object kept

    def __init__(
        self, const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
        const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
        const double[::1] gammas, bint kernel=False
    ):
        self.count, self.d = rows.shape[0], left.shape[1]
        self.lengths_x, self.lengths_y = np.diff(left_at), np.diff(right_at)
        self.used_x, self.used_y = np.flatnonzero(np.bincount(rows)), np.flatnonzero(np.bincount(cols))
        self.n, self.m = self.lengths_x[self.used_x].max(), self.lengths_y[self.used_y].max()
        self.totals, self.missed = np.empty(self.count), np.zeros(self.count, dtype=np.uint8)
        cdef double[:, :, ::1] left_boxes = np.empty((2, len(self.lengths_x), self.d))
        cdef double[:, :, ::1] right_boxes = np.empty((2, len(self.lengths_y), self.d))
        cdef unsigned char[::1] left_tiny = np.zeros(len(self.lengths_x), dtype=np.uint8)
        cdef unsigned char[::1] right_tiny = np.zeros(len(self.lengths_y), dtype=np.uint8)
        self.kept = left, left_at, right, right_at, rows, cols, gammas, left_boxes, right_boxes, left_tiny, right_tiny
        self.pairs = Pairs(
            &left[0, 0], &right[0, 0], &left_at[0], &right_at[0], &left_boxes[0, 0, 0],
            &left_boxes[1, 0, 0], &right_boxes[0, 0, 0], &right_boxes[1, 0, 0], &left_tiny[0], &right_tiny[0], &rows[0],
            &cols[0], &gammas[0], self.d, [False, False], False, kernel,
        )
        cdef const Py_ssize_t[::1] used_x = self.used_x, used_y = self.used_y
        cdef Pairs *p = &self.pairs
        with nogil:
            set_kinds(p, self.count)
            if p.smooth:  # the range of the costs says whether their exponentials fit
                enclose(p.left, p.left_at, p.d, &used_x[0], used_x.shape[0], p.left_low, p.left_high, p.left_tiny)
                enclose(
                    p.right, p.right_at, p.d, &used_y[0], used_y.shape[0], p.right_low, p.right_high, p.right_tiny
                )


cdef Py_ssize_t solve_alone(
    const Pairs *pairs, Py_ssize_t k, Py_ssize_t radius, double *work, Py_ssize_t *room, double *out
) noexcept nogil:
    """The value of a pair by itself; returns its cells."""
    cdef sdtw_problem p
    p.n, p.m, p.d = rows_of(pairs, k), cols_of(pairs, k), pairs.d
    set_problem_band(&p, radius, room)
    if pairs.kernel:
        out[k] = kernel_value(&p, x_of(pairs, k), y_of(pairs, k), pairs.gammas[k], work)
    else:
        out[k] = value_in_range(&p, x_of(pairs, k), y_of(pairs, k), pairs.gammas[k], work)
    return p.n * p.m


cdef Py_ssize_t solve_chunk(
    const Pairs *pairs, Chunk *chunk, double *work, Py_ssize_t *room, double *out, unsigned char *far
) noexcept nogil:
    """The values of the pairs in the lanes; returns their cells."""
    cdef Py_ssize_t cells = 0, side_by_side, k
    cdef bint hard
    for hard in range(2):
        if not pairs.kinds[hard]:
            continue
        side_by_side = choose(pairs, chunk, hard, far)
        if side_by_side:
            run_chunk(pairs, chunk, hard, out)
        for k in range(chunk.lonely):
            cells += solve_alone(pairs, chunk.alone[k], chunk.radius, work, room, out)
        cells += side_by_side
    return cells


cdef void solve_table(
    const Pairs *pairs, Py_ssize_t count, const Table *table, double *points, Chunk *chunk, double *work,
    Py_ssize_t *room, double *out, unsigned char *far
) noexcept nogil:
    cdef Py_ssize_t row, vector, lane, k, until = SLICE
    cdef double *x = points + SDTW_BEYOND * pairs.d * SDTW_LANES
    fill_lanes(pairs, table, points)
    if pairs.d == 1 and 0 <= chunk.radius <= SDTW_NARROW and not pairs.kinds[0]:
        if solve_narrow(pairs, table, points, chunk.radius, out) == count:
            return
    chunk.lanes.x = x
    for row in range(table.count):
        k = table.series[row]
        repeat_points(
            pairs.left + pairs.left_at[k] * pairs.d, pairs.left_at[k + 1] - pairs.left_at[k], pairs.d, x
        )
        for vector in range(table.width // SDTW_LANES):
            for lane in range(SDTW_LANES):
                chunk.pair[lane] = table.pair[row * table.width + vector * SDTW_LANES + lane]
            chunk.lanes.y = points + table.points_at[vector]
            if not any_of(chunk.pair, SDTW_LANES):
                continue
            if turn(&until, solve_chunk(pairs, chunk, work, room, out, far) * (pairs.d + 1)):
                return


def _lanes_of(used, lengths, bint alike):
    """(the series in each lane, or -1; where the points of each vector of lanes start, and the end): short ones first.

    ``alike``: all of a vector have one length.
    """
    used = used[np.argsort(lengths[used], kind="stable")]
    sizes = np.unique(lengths[used], return_counts=True)[1] if alike else np.array([len(used)])
    lanes = np.full(int((-(-sizes // SDTW_LANES)).sum()) * SDTW_LANES, -1, dtype=np.intp)
    start = at = 0
    for size in sizes.tolist():
        lanes[at:at + size] = used[start:start + size]
        start += size
        at += -(-size // SDTW_LANES) * SDTW_LANES
    return lanes, np.where(lanes >= 0, lengths[lanes], 0).reshape(-1, SDTW_LANES).max(axis=1)


def _take_sparse(pair):
    """Take the pairs out of a table whose vector of lanes has few of them in a row, and return them."""
    vectors = pair.reshape(-1, SDTW_LANES)
    count = np.count_nonzero(vectors >= 0, axis=1)
    sparse = vectors[count <= SPARSE]
    vectors[count <= SPARSE] = -1
    return sparse[sparse >= 0]


cdef object in_table(Batch batch, Py_ssize_t radius):
    """Solve the pairs as a table; those that are left: all of them, where too few places of it are taken."""
    every = np.arange(batch.count)
    if 2 * batch.count < len(batch.used_x) * len(batch.used_y) or batch.n > MOST_ROWS or batch.m > LONGEST_LANE:
        return every
    lanes, longest = _lanes_of(batch.used_y, batch.lengths_y, radius >= 0)
    cdef Py_ssize_t d = batch.d
    starts = np.cumsum([points_work(batch.n, d), *(points_work(length, d) for length in longest.tolist())])
    cdef Py_ssize_t[::1] points_at = np.asarray(starts + SDTW_BEYOND * d * SDTW_LANES, dtype=np.intp)
    places = [np.empty(len(lengths), dtype=np.intp) for lengths in (batch.lengths_x, batch.lengths_y)]
    places[0][batch.used_x] = np.arange(len(batch.used_x))
    places[1][lanes[lanes >= 0]] = np.flatnonzero(lanes >= 0)
    cdef Py_ssize_t[::1] row_of = places[0], lane_of = places[1], series = batch.used_x, lane_series = lanes
    cdef Py_ssize_t[::1] longest_of = longest
    table_of = np.full((len(batch.used_x), len(lanes)), -1, dtype=np.intp)
    cdef Py_ssize_t[:, ::1] pair = table_of
    cdef double[::1] points = np.empty(int(starts.max()) + 8), out = batch.totals
    cdef double[::1] work = np.empty(max(chunk_work(batch.m), alone_work(batch.n, batch.m, d)))
    cdef Py_ssize_t[::1] room = np.empty(4 * batch.n, dtype=np.intp)
    cdef unsigned char[::1] far = batch.missed
    cdef Table table = Table(
        series.shape[0], lane_series.shape[0], &series[0], &lane_series[0], &longest_of[0], &points_at[0],
        &pair[0, 0]
    )
    cdef Chunk chunk
    cdef bint unique
    with nogil:
        unique = set_table(&batch.pairs, batch.count, &row_of[0], &lane_of[0], &table)
    if not unique:
        return every
    left = _take_sparse(table_of) if radius < 0 and batch.n * batch.m >= SPREAD else every[:0]
    cdef Py_ssize_t count = batch.count - len(left)
    with nogil:
        start_chunk(&chunk, aligned(&work[0]), &room[2 * batch.n], d, radius, 2, EVERY)
        solve_table(&batch.pairs, count, &table, aligned(&points[0]), &chunk, &work[0], &room[0], &out[0], &far[0])
    return left


# Pairs of any series, in an order in which neighbours have similar lengths.

cdef Py_ssize_t take(
    const Pairs *pairs, const Py_ssize_t *order, Py_ssize_t left, double *x, double *y, Chunk *chunk
) noexcept nogil:
    """Put the next pairs into the lanes; returns how many."""
    cdef Py_ssize_t k, lane, n = 0, m = 0, size = 0, any_lane = -1
    chunk.lanes.x, chunk.lanes.y = x, y
    while size < SDTW_LANES and size < left:
        k = order[size]
        if chunk.radius >= 0 and any_lane >= 0 and (rows_of(pairs, k) != n or cols_of(pairs, k) != m):
            break
        if fits(pairs, chunk, k):
            any_lane = size
            n, m = max(n, rows_of(pairs, k)), max(m, cols_of(pairs, k))
        chunk.pair[size] = k
        size += 1
    for lane in range(size, SDTW_LANES):
        chunk.pair[lane] = -1
    if any_lane >= 0 and size >= chunk.fewest:
        for lane in range(SDTW_LANES):
            k = order[lane if lane < size and fits(pairs, chunk, order[lane]) else any_lane]
            spread_points(x_of(pairs, k), rows_of(pairs, k), pairs.d, n, x + lane)
            spread_points(y_of(pairs, k), cols_of(pairs, k), pairs.d, m, y + lane)
    return size


cdef void solve_in_order(
    const Pairs *pairs, const Py_ssize_t *order, Py_ssize_t count, double *x, double *y, Chunk *chunk, double *work,
    Py_ssize_t *room, double *out, unsigned char *far
) noexcept nogil:
    cdef Py_ssize_t at = 0, until = SLICE
    while at < count:
        at += take(pairs, order + at, count - at, x, y, chunk)
        if turn(&until, solve_chunk(pairs, chunk, work, room, out, far) * (pairs.d + 1)):
            return


cdef void in_order(Batch batch, pairs, rows, cols, Py_ssize_t radius):
    cdef Py_ssize_t d = batch.d, n = min(batch.n, MOST_ROWS), m = min(batch.m, LONGEST_LANE)
    lengths = batch.lengths_y[cols[pairs]], batch.lengths_x[rows[pairs]]
    cdef Py_ssize_t[::1] order = pairs[np.lexsort(lengths)].astype(np.intp, copy=False)
    cdef double[::1] points = np.empty(points_work(n, d) + points_work(m, d) + 8), out = batch.totals
    cdef double[::1] work = np.empty(max(chunk_work(batch.m), alone_work(batch.n, batch.m, d)))
    cdef Py_ssize_t[::1] room = np.empty(4 * batch.n, dtype=np.intp)
    cdef unsigned char[::1] far = batch.missed
    cdef Chunk chunk
    cdef double *x
    with nogil:
        start_chunk(&chunk, aligned(&work[0]), &room[2 * batch.n], d, radius, 2, EVERY)
        x = aligned(&points[0]) + SDTW_BEYOND * d * SDTW_LANES
        solve_in_order(
            &batch.pairs, &order[0], order.shape[0], x, x + points_work(n, d), &chunk, &work[0], &room[0], &out[0],
            &far[0],
        )


cdef void solve(Batch batch, rows, cols, Py_ssize_t radius):
    left = in_table(batch, radius)
    if len(left):
        in_order(batch, left, np.asarray(rows), np.asarray(cols), radius)
    heard()


def values(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, Py_ssize_t radius=-1
):
    """dtw_gamma of the pairs (left[rows[k]], right[cols[k]]) at gammas[k].

    The series stand one behind the other: series s of left is ``left[left_at[s]:left_at[s + 1]]``. The value of a pair
    does not depend on the others, to the last bit.
    """
    if rows.shape[0] == 0:
        return np.empty(0)
    batch = Batch(left, left_at, right, right_at, rows, cols, gammas)
    solve(batch, rows, cols, radius)
    totals = batch.totals
    for k in np.flatnonzero(batch.missed):
        x = left[left_at[rows[k]]:left_at[rows[k] + 1]]
        y = right[right_at[cols[k]]:right_at[cols[k] + 1]]
        totals[k] = value(squared_euclidean(x, y), gammas[k], radius)
    return totals


def minus_log_kernels(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double gamma
):
    """-log of the global alignment kernel of the pairs as in `values`, and which of them are out of range and missing.

    The weight of two points is ``g / (2 - g)`` with ``g = exp(-|x_i - y_j|^2 / gamma)``.
    """
    if rows.shape[0] == 0:
        return np.empty(0), np.zeros(0, dtype=np.bool_)
    batch = Batch(left, left_at, right, right_at, rows, cols, np.full(rows.shape[0], gamma), True)
    solve(batch, rows, cols, -1)
    return batch.totals, batch.missed.view(np.bool_)


# --- gradients and expected costs of many pairs ----------------------------------------------------------------------

cdef void solve_slopes(
    const Pairs *pairs, const Py_ssize_t *order, Py_ssize_t count, double *x, double *y, Chunk *chunk,
    const Slopes *slopes, double *work, Py_ssize_t *room, double *out, unsigned char *far
) noexcept nogil:
    cdef Py_ssize_t at = 0, until = SLICE, k, lane, size, cells
    cdef bint together
    while at < count:
        size = take(pairs, order + at, count - at, x, y, chunk)
        cells = slopes_in_lanes(pairs, chunk, slopes, out, far)
        together = cells > 0
        for lane in range(size):
            k = order[at + lane]
            if not (far[k] or (together and fits(pairs, chunk, k) and not is_hard(pairs, k))):
                slopes_alone(pairs, k, chunk.radius, slopes, work, room, out, far)
                cells += rows_of(pairs, k) * cols_of(pairs, k)
            if turn(&until, 3 * cells * (pairs.d + 1)):
                return
            cells = 0
        at += size


cdef tuple slopes_of(Batch batch, rows, cols, Py_ssize_t radius, bint expect, bint gradients):
    """(gradients of the left, of the right, where those of each pair start in both); the values are in the batch."""
    cdef Py_ssize_t d = batch.d, n = batch.n, m = batch.m
    lengths_x, lengths_y = batch.lengths_x[rows], batch.lengths_y[cols]
    ends_x, ends_y = np.cumsum(lengths_x), np.cumsum(lengths_y)
    starts_x, starts_y = ends_x - lengths_x, ends_y - lengths_y
    grad_x = np.empty((lengths_x.sum() if gradients else 1, d))
    grad_y = np.empty((lengths_y.sum() if gradients else 1, d))
    cdef Py_ssize_t[::1] order = np.lexsort((lengths_y, lengths_x)).astype(np.intp, copy=False)
    cdef Py_ssize_t[::1] left_at = starts_x, right_at = starts_y, room = np.empty(4 * n, dtype=np.intp)
    cdef double[:, ::1] left = grad_x, right = grad_y
    cdef double[::1] out = batch.totals
    cdef unsigned char[::1] far = batch.missed
    # Bands go one by one, and so does what is beyond the lanes.
    cdef bint lanes = radius < 0, kept = gradients and lanes
    cdef Py_ssize_t fewest = 1 if lanes else SDTW_LANES + 1
    cdef Py_ssize_t rows_there = min(n, MOST_ROWS) if lanes else 0, cols_there = min(m, LONGEST_LANE) if lanes else 0
    cdef Py_ssize_t of_x = points_work(rows_there, d), of_y = points_work(cols_there, d)
    cdef double[::1] points = np.empty((2 if kept else 1) * (of_x + of_y) + 8)
    cdef int parts = SDTW_COSTS if expect else SDTW_SOFT
    cdef double[::1] planes = np.empty(kept_points(parts, rows_there, cols_there) * SDTW_LANES + 8 if kept else 1)
    cdef double[::1] lines = np.empty((2 * parts * cols_there + 3 * SDTW_TILE) * SDTW_LANES + 8)
    cdef double[::1] work = np.empty(1 if expect else lines_work(n) + kept_work(n, m) + 2 * packed_work(n, m, d))
    cdef Slopes slopes
    cdef Chunk chunk
    cdef double *x
    cdef double *y
    slopes.expect = expect
    slopes.left, slopes.right, slopes.left_at, slopes.right_at = &left[0, 0], &right[0, 0], &left_at[0], &right_at[0]
    with nogil:
        start_chunk(&chunk, aligned(&lines[0]), &room[2 * n], d, radius, fewest, MOST_KEPT if kept else EVERY)
        x = aligned(&points[0]) + SDTW_BEYOND * d * SDTW_LANES
        y = x + of_x
        slopes.lanes.kept = aligned(&planes[0]) if kept else NULL
        slopes.lanes.x, slopes.lanes.y = y + of_y, y + of_y + of_x
        solve_slopes(
            &batch.pairs, &order[0], batch.count, x, y, &chunk, &slopes, &work[0], &room[0], &out[0], &far[0]
        )
    heard()
    return grad_x, grad_y, starts_x, starts_y


def gradients(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, Py_ssize_t radius=-1
):
    """(values, gradients in left, gradients in right) of the pairs as in `values`, the gradients in their order."""
    cdef Py_ssize_t d = left.shape[1]
    if rows.shape[0] == 0:
        return np.empty(0), np.empty((0, d)), np.empty((0, d))
    batch = Batch(left, left_at, right, right_at, rows, cols, gammas)
    grad_x, grad_y, starts_x, starts_y = slopes_of(batch, rows, cols, radius, False, True)
    totals = batch.totals
    for k in np.flatnonzero(batch.missed).tolist():
        x = left[left_at[rows[k]]:left_at[rows[k] + 1]]
        y = right[right_at[cols[k]]:right_at[cols[k] + 1]]
        totals[k], of_x, of_y = far_gradient(x, y, gammas[k], radius)
        grad_x[starts_x[k]:starts_x[k] + len(of_x)], grad_y[starts_y[k]:starts_y[k] + len(of_y)] = of_x, of_y
    return totals, grad_x, grad_y


def expected_costs(
    const double[:, ::1] left, const Py_ssize_t[::1] left_at, const double[:, ::1] right,
    const Py_ssize_t[::1] right_at, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols,
    const double[::1] gammas, bint with_gradients=False
):
    """(expected costs of the pairs as in `values`, gradients in left and in right or None, the pairs left out).

    A pair is left out where the exponential domain does not hold it, or it is too long for a lane.
    """
    if rows.shape[0] == 0:
        return np.empty(0), np.empty((0, left.shape[1])), np.empty((0, left.shape[1])), np.empty(0, dtype=np.intp)
    batch = Batch(left, left_at, right, right_at, rows, cols, gammas)
    grad_x, grad_y, *_ = slopes_of(batch, rows, cols, -1, True, with_gradients)
    if not with_gradients:
        grad_x = grad_y = None
    return batch.totals, grad_x, grad_y, np.flatnonzero(batch.missed)


def exponentials(Py_ssize_t n, Py_ssize_t m, Py_ssize_t rounds):
    """Evaluate the costs and exponentials of rounds problems of n x m cells and nothing else: for benchmarks."""
    cdef sdtw_lanes lanes
    cdef double[::1] points = np.zeros(points_work(n, 1) + points_work(m, 1) + 8)
    cdef double total = 0.0
    cdef Py_ssize_t k, _k
    lanes.n, lanes.m, lanes.d = n, m, 1
    for k in range(SDTW_LANES):
        lanes.scale[k] = 1.0
    with nogil:
        lanes.x = aligned(&points[0])
        lanes.y = lanes.x + points_work(n, 1)
        for _k in range(rounds // SDTW_LANES):
            lanes.scale[0] = 1.0 + 1e-9 * _k  # or a compiler sees that all rounds are one
            total += sdtw_exponentials(&lanes)
    return total
