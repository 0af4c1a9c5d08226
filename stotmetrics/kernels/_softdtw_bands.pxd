# Pairs of series within a band, those of the same two lengths side by side.

from ._softdtw_loops cimport (
    SDTW_GROUPS, SIMD_W, sdtw_banded, sdtw_banded_hard, sdtw_banded_soft, sdtw_problem, sdtw_total,
)
from ._softdtw_pairs cimport LONGEST_LANE, Pairs, cols_of, pair_in_range, rows_of, spread_points, x_of, y_of
from ._softdtw_problem cimport scale_of, set_problem_band, value_of_total

cdef enum:
    LANES = SDTW_GROUPS * SIMD_W
    # Fewer pairs than these are as fast one by one.
    FEWEST = 3


# What the lanes hold from one run to the next: the series of the left, which are often the same again.
cdef struct Banded:
    sdtw_banded lanes
    Py_ssize_t[LANES] held
    Py_ssize_t *room


cdef inline Py_ssize_t banded_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    """Doubles of workspace, alignment included."""
    n, m = min(n, LONGEST_LANE), min(m, LONGEST_LANE)
    return LANES * ((n + m) * d + 6 * (n + 2)) + 8


cdef inline void start_banded(Banded *b, double *work, Py_ssize_t *room, Py_ssize_t d) noexcept nogil:
    """``work`` is aligned; ``room`` has 2 sizes for each row of the longest pair."""
    b.lanes.n = b.lanes.m = 0
    b.lanes.d = d
    b.lanes.work = work
    b.room = room


cdef inline Py_ssize_t alike(const Pairs *p, const Py_ssize_t *chosen, Py_ssize_t count) noexcept nogil:
    """How many of the next pairs can run side by side: of the same lengths, all hard or all soft, and in range."""
    cdef Py_ssize_t n = rows_of(p, chosen[0]), m = cols_of(p, chosen[0]), k, lane
    cdef bint hard = p.gammas[chosen[0]] == 0.0
    if n == 1 or m == 1 or n > LONGEST_LANE or m > LONGEST_LANE:
        return 0
    for lane in range(min(count, LANES)):
        k = chosen[lane]
        if rows_of(p, k) != n or cols_of(p, k) != m or (p.gammas[k] == 0.0) != hard:
            return lane
        if not hard and not pair_in_range(p, k):
            return lane
    return min(count, LANES)


cdef inline void set_lengths(Banded *b, Py_ssize_t n, Py_ssize_t m, Py_ssize_t radius) noexcept nogil:
    cdef sdtw_problem shape
    cdef Py_ssize_t lane
    if b.lanes.n == n and b.lanes.m == m:
        return
    shape.n, shape.m = n, m
    set_problem_band(&shape, radius, b.room)
    b.lanes.n, b.lanes.m = n, m
    b.lanes.first, b.lanes.last = shape.first, shape.last
    for lane in range(LANES):
        b.held[lane] = -1


cdef inline void fill_lane(const Pairs *p, Py_ssize_t k, Py_ssize_t lane, Banded *b) noexcept nogil:
    cdef Py_ssize_t n = b.lanes.n, m = b.lanes.m
    cdef double *at = b.lanes.work + lane // SIMD_W * (n + m) * p.d * SIMD_W + lane % SIMD_W
    if b.held[lane] != p.rows[k]:
        spread_points(x_of(p, k), n, p.d, n, at)
        b.held[lane] = p.rows[k]
    spread_points(y_of(p, k), m, p.d, m, at + n * p.d * SIMD_W)


cdef inline void run_banded(
    const Pairs *p, const Py_ssize_t *chosen, Py_ssize_t count, Py_ssize_t radius, Banded *b, double *out
) noexcept nogil:
    """The values of ``count`` pairs that are alike."""
    cdef sdtw_total[LANES] totals
    cdef double[LANES] hard
    cdef Py_ssize_t lane, k
    cdef bint soft = p.gammas[chosen[0]] > 0.0
    set_lengths(b, rows_of(p, chosen[0]), cols_of(p, chosen[0]), radius)
    for lane in range(LANES):
        k = chosen[min(lane, count - 1)]
        fill_lane(p, k, lane, b)
        b.lanes.scale[lane] = scale_of(p.gammas[k]) if soft else 0.0
    if soft:
        sdtw_banded_soft(&b.lanes, totals)
    else:
        sdtw_banded_hard(&b.lanes, hard)
    for lane in range(count):
        k = chosen[lane]
        out[k] = value_of_total(&totals[lane], p.gammas[k]) if soft else hard[lane]
