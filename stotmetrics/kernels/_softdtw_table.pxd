# Many pairs of few series: each series of the right lies in its lane all the time, those of the left are repeated in
# all lanes, one after the other.

from ._interrupt cimport SLICE, turn
from ._softdtw_loops cimport SDTW_LANES, sdtw_narrow
from ._softdtw_pairs cimport Pairs, spread_points


cdef struct Table:
    Py_ssize_t count, width          # rows, lanes
    const Py_ssize_t *series         # of each row
    const Py_ssize_t *lane_series    # of each lane; -1: none
    const Py_ssize_t *longest        # of each vector of lanes: the length of its longest series
    const Py_ssize_t *points_at      # where the points of each vector of lanes start
    Py_ssize_t *pair                 # in each row and lane; -1: none


cdef inline bint set_table(
    const Pairs *p, Py_ssize_t count, const Py_ssize_t *row_of, const Py_ssize_t *lane_of, Table *table
) noexcept nogil:
    """False if two pairs are in the same place."""
    cdef Py_ssize_t k, at
    for k in range(count):
        at = row_of[p.rows[k]] * table.width + lane_of[p.cols[k]]
        if table.pair[at] >= 0:
            return False
        table.pair[at] = k
    return True


cdef inline void fill_lanes(const Pairs *p, const Table *table, double *points) noexcept nogil:
    cdef Py_ssize_t vector, group, lane, k
    for vector in range(table.width // SDTW_LANES):
        group = vector * SDTW_LANES
        for lane in range(group, group + SDTW_LANES):
            k = table.lane_series[lane] if table.lane_series[lane] >= 0 else table.lane_series[group]
            spread_points(
                p.right + p.right_at[k] * p.d, p.right_at[k + 1] - p.right_at[k], p.d, table.longest[vector],
                points + table.points_at[vector] + lane - group,
            )


cdef inline bint any_of(const Py_ssize_t *pair, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        if pair[k] >= 0:
            return True
    return False


cdef inline Py_ssize_t solve_narrow(
    const Pairs *p, const Table *table, const double *points, Py_ssize_t radius, double *out
) noexcept nogil:
    """Hard DTW of the pairs of one length, which leave the table; returns how many. The points of two vectors of lanes
    stay in the nearest cache while the series of the left come along."""
    cdef double[2 * SDTW_LANES] values
    cdef Py_ssize_t vector = 0, vectors = table.width // SDTW_LANES, row, k, lane, lanes, n, solved = 0, until = SLICE
    cdef const double *y
    cdef const double *z
    cdef Py_ssize_t *pair
    while vector < vectors:
        n, lanes = table.longest[vector], SDTW_LANES
        y = z = points + table.points_at[vector]
        if vector + 1 < vectors and table.longest[vector + 1] == n:
            z = points + table.points_at[vector + 1]
            lanes += SDTW_LANES
        for row in range(table.count):
            k = table.series[row]
            pair = table.pair + row * table.width + vector * SDTW_LANES
            if p.left_at[k + 1] - p.left_at[k] != n or not any_of(pair, lanes):
                continue
            sdtw_narrow(p.left + p.left_at[k], n, y, z, <int>radius, values)
            for lane in range(lanes):
                if pair[lane] >= 0:
                    out[pair[lane]] = values[lane]
                    pair[lane] = -1
                    solved += 1
            if turn(&until, 2 * SDTW_LANES * n * (2 * radius + 1)):
                return solved
        vector += lanes // SDTW_LANES
    return solved
