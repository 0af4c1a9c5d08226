# Gradients and expected costs of SDTW_LANES pairs at a time.

from ._softdtw_chunks cimport Chunk, choose, fits
from ._softdtw_loops cimport (
    SDTW_LANES, SDTW_TILE, sdtw_gradients, sdtw_problem, sdtw_slopes, sdtw_slopes_out, sdtw_total,
)
from ._softdtw_pairs cimport Pairs, cols_of, rows_of, x_of, y_of
from ._softdtw_problem cimport set_problem_band, value_of_total
from ._softdtw_single cimport series_gradient


cdef enum:
    # Cells that the lanes keep: beyond that they leave every cache.
    MOST_KEPT = 1 << 17


# Where the gradients go: of the left and of the right, those of a pair from its place on; and the lanes they come from.
cdef struct Slopes:
    bint expect                  # of the expected cost, instead of the value
    double *left
    double *right
    const Py_ssize_t *left_at
    const Py_ssize_t *right_at
    sdtw_slopes_out lanes


cdef inline Py_ssize_t kept_points(int parts, Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Points that hold what is kept of any pair of up to n by m cells, MOST_KEPT at most, and its tiles."""
    cdef Py_ssize_t cells = min(n * m, <Py_ssize_t>MOST_KEPT), tall = 2, wide = SDTW_TILE
    # (n + tall) / tall strips of (m + wide - 1) / wide tiles, three points each; in the first row a strip more.
    return parts * (cells + m) + 3 * ((cells + wide * (n + 4) + 4 * m) // (tall * wide) + 2)


cdef inline void gather(const double *lane, Py_ssize_t count, double *out) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = lane[i * SDTW_LANES]


cdef inline void slopes_of_chunk(const Pairs *pairs, Chunk *chunk, const Slopes *slopes, double *out) noexcept nogil:
    cdef sdtw_total[SDTW_LANES] totals
    cdef double[SDTW_LANES] costs
    cdef sdtw_slopes_out lanes = slopes.lanes
    cdef Py_ssize_t lane, k
    lanes.total, lanes.cost = totals, costs
    if slopes.expect:
        sdtw_slopes(&chunk.lanes, &lanes)
    else:
        sdtw_gradients(&chunk.lanes, &lanes)
    for lane in range(SDTW_LANES):
        if chunk.lanes.wanted[lane]:
            k = chunk.pair[lane]
            out[k] = costs[lane] if slopes.expect else value_of_total(&totals[lane], pairs.gammas[k])
            if lanes.kept != NULL:
                gather(lanes.x + lane, rows_of(pairs, k) * pairs.d, slopes.left + slopes.left_at[k] * pairs.d)
                gather(lanes.y + lane, cols_of(pairs, k) * pairs.d, slopes.right + slopes.right_at[k] * pairs.d)


cdef inline void slopes_alone(
    const Pairs *pairs, Py_ssize_t k, Py_ssize_t radius, const Slopes *slopes, double *work, Py_ssize_t *room,
    double *out, unsigned char *far
) noexcept nogil:
    cdef sdtw_problem p
    if slopes.expect:
        far[k] = True
        return
    p.n, p.m, p.d = rows_of(pairs, k), cols_of(pairs, k), pairs.d
    set_problem_band(&p, radius, room)
    far[k] = not series_gradient(
        &p, x_of(pairs, k), y_of(pairs, k), pairs.gammas[k], work, out + k, slopes.left + slopes.left_at[k] * p.d,
        slopes.right + slopes.right_at[k] * p.d
    )


cdef inline Py_ssize_t slopes_in_lanes(
    const Pairs *pairs, Chunk *chunk, const Slopes *slopes, double *out, unsigned char *far
) noexcept nogil:
    """The pairs in the lanes, together or, where they would keep too much, one after the other; returns their cells."""
    cdef Py_ssize_t[SDTW_LANES] pair = chunk.pair
    cdef Py_ssize_t cells = choose(pairs, chunk, False, far), lane
    if cells == 0 or slopes.lanes.kept == NULL or chunk.lanes.n * chunk.lanes.m <= MOST_KEPT:
        if cells:
            slopes_of_chunk(pairs, chunk, slopes, out)
        return cells
    for lane in range(SDTW_LANES):
        chunk.pair[lane] = -1
    for lane in range(SDTW_LANES):
        chunk.pair[lane] = pair[lane]
        if pair[lane] >= 0 and fits(pairs, chunk, pair[lane]) and choose(pairs, chunk, False, far):
            slopes_of_chunk(pairs, chunk, slopes, out)
        chunk.pair[lane] = -1
    chunk.pair = pair
    return cells
