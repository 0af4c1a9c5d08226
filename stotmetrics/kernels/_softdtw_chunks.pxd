# Values of SDTW_LANES pairs at a time, whose points lie in the lanes.

from ._softdtw_loops cimport (
    SDTW_LANES, SDTW_TILE, sdtw_banded, sdtw_banded_hard, sdtw_banded_soft, sdtw_hard_lanes, sdtw_lanes,
    sdtw_kernels, sdtw_problem, sdtw_side_by_side, sdtw_total,
)
from ._softdtw_pairs cimport Pairs, cols_of, in_range, is_hard, is_tiny, largest_cost, rows_of, unit_of
from ._softdtw_problem cimport scale_of, set_problem_band, value_of_total

cdef enum:
    # Beyond this length the rows of the lanes leave the nearer caches, and single pairs are as fast.
    LONGEST_LANE = 2048
    # The points of the left come one after the other, from any cache, but they take room.
    MOST_ROWS = 32768
    # Lanes that one vector of the narrower builds holds.
    HALF = SDTW_LANES // 2


cdef struct Chunk:
    sdtw_lanes lanes
    Py_ssize_t radius            # negative: no band
    Py_ssize_t fewest            # pairs that are worth it
    Py_ssize_t most              # cells of a pair
    Py_ssize_t *room             # 2 sizes for each row: the band of banded_n by banded_m
    Py_ssize_t banded_n, banded_m
    Py_ssize_t[SDTW_LANES] pair  # -1: nobody wants this lane
    Py_ssize_t[SDTW_LANES] alone  # pairs that are better solved one by one
    Py_ssize_t lonely            # how many


cdef inline Py_ssize_t chunk_work(Py_ssize_t m) noexcept nogil:
    """Doubles of workspace."""
    return (4 * (min(m, LONGEST_LANE) + 2) + SDTW_TILE) * SDTW_LANES + 8


cdef inline void start_chunk(
    Chunk *c, double *work, Py_ssize_t *room, Py_ssize_t d, Py_ssize_t radius, Py_ssize_t fewest,
    Py_ssize_t most
) noexcept nogil:
    """``work`` is aligned."""
    c.lanes.d = d
    c.lanes.work = work
    c.radius = radius
    c.fewest = fewest
    c.most = most
    c.room = room
    c.banded_n = c.banded_m = 0


cdef inline bint fits(const Pairs *p, const Chunk *c, Py_ssize_t k) noexcept nogil:
    """Whether a pair may go into a lane, where what is below the normal numbers is zero; never a matter of its company.
    """
    cdef Py_ssize_t n = rows_of(p, k), m = cols_of(p, k)
    return 2 <= n <= MOST_ROWS and 2 <= m <= LONGEST_LANE and n * m <= c.most and not is_tiny(p, k)


cdef inline Py_ssize_t choose(const Pairs *p, Chunk *c, bint hard, unsigned char *far) noexcept nogil:
    """Mark the lanes of this kind that run side by side; those that do not pay are alone. Returns the cells."""
    cdef Py_ssize_t[SDTW_LANES] together
    cdef Py_ssize_t lane, k, size = 0, cells = 0, n = 0, m = 0
    cdef bint[2] halves
    cdef double largest
    halves[0] = halves[1] = False
    c.lonely = 0
    for lane in range(SDTW_LANES):
        k = c.pair[lane]
        c.lanes.wanted[lane] = False
        c.lanes.scale[lane] = 0.0  # its numbers are one: nothing overflows that nobody wants
        c.lanes.unit[lane] = 1.0
        c.lanes.rows[lane] = c.lanes.cols[lane] = 0
        if k < 0 or is_hard(p, k) != hard:
            continue
        if p.gammas[k] > 0.0:
            largest = largest_cost(p, k)
            if not in_range(p, k, largest):
                far[k] = True
                continue
            c.lanes.unit[lane] = unit_of(largest)
            c.lanes.scale[lane] = scale_of(p.gammas[k])
        if not fits(p, c, k):
            c.alone[c.lonely] = k
            c.lonely += 1
            continue
        c.lanes.wanted[lane] = True
        c.lanes.rows[lane] = rows_of(p, k)
        c.lanes.cols[lane] = cols_of(p, k)
        together[size] = k
        size += 1
        halves[lane // HALF] = True
        cells += rows_of(p, k) * cols_of(p, k)
        n = max(n, rows_of(p, k))
        m = max(m, cols_of(p, k))
    c.lanes.n, c.lanes.m = n, m
    if size >= c.fewest and (
        c.radius >= 0 or c.fewest == 1 or (halves[0] + halves[1]) * HALF * n * m <= (4 if hard else 2) * cells
    ):
        return cells
    for lane in range(size):
        c.alone[c.lonely] = together[lane]
        c.lonely += 1
    return 0


cdef inline void run_banded(Chunk *c, bint hard, double *values, sdtw_total *totals) noexcept nogil:
    cdef sdtw_problem shape
    cdef sdtw_banded banded
    cdef Py_ssize_t lane
    shape.n, shape.m = c.lanes.n, c.lanes.m
    if c.banded_n != shape.n or c.banded_m != shape.m:
        set_problem_band(&shape, c.radius, c.room)
        c.banded_n, c.banded_m = shape.n, shape.m
    banded.n, banded.m, banded.d = shape.n, shape.m, c.lanes.d
    banded.first, banded.last = c.room, c.room + shape.n
    banded.x, banded.y, banded.work = c.lanes.x, c.lanes.y, c.lanes.work
    for lane in range(SDTW_LANES):
        banded.scale[lane] = c.lanes.scale[lane]
    if hard:
        sdtw_banded_hard(&banded, values)
    else:
        sdtw_banded_soft(&banded, totals)


cdef inline void run_chunk(const Pairs *p, Chunk *c, bint hard, double *out) noexcept nogil:
    """The values of the lanes that `choose` has marked."""
    cdef sdtw_total[SDTW_LANES] totals
    cdef double[SDTW_LANES] values
    cdef Py_ssize_t lane, k
    if c.radius >= 0:
        run_banded(c, hard, values, totals)
    elif hard:
        sdtw_hard_lanes(&c.lanes, values)
    elif p.kernel:
        sdtw_kernels(&c.lanes, totals)
    else:
        sdtw_side_by_side(&c.lanes, totals)
    for lane in range(SDTW_LANES):
        if c.lanes.wanted[lane]:
            k = c.pair[lane]
            out[k] = values[lane] if hard else value_of_total(&totals[lane], 1.0 if p.kernel else p.gammas[k])
