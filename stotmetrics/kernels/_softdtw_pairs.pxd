# Many pairs of series in one buffer, SIMD_W of similar lengths side by side.

from libc.stdint cimport uintptr_t

from ._softdtw_loops cimport SDTW_LIMIT, SIMD_W, sdtw_lanes, sdtw_side_by_side, sdtw_total
from ._softdtw_problem cimport scale_of, value_of_total

cdef enum:
    # Beyond this length the rows of the lanes leave the nearer caches, and single pairs are as fast.
    LONGEST_LANE = 2048


# Pair k: series rows[k] of the left and cols[k] of the right at gammas[k]. Series s of a side has the d-dimensional
# points at[s]..at[s + 1] of its values, within the box low[s d..], high[s d..].
cdef struct Pairs:
    const double *left
    const double *right
    const Py_ssize_t *left_at
    const Py_ssize_t *right_at
    const double *left_low
    const double *left_high
    const double *right_low
    const double *right_high
    const Py_ssize_t *rows
    const Py_ssize_t *cols
    const double *gammas
    Py_ssize_t d


cdef inline Py_ssize_t rows_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.left_at[p.rows[k] + 1] - p.left_at[p.rows[k]]


cdef inline Py_ssize_t cols_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.right_at[p.cols[k] + 1] - p.right_at[p.cols[k]]


cdef inline const double *x_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.left + p.left_at[p.rows[k]] * p.d


cdef inline const double *y_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.right + p.right_at[p.cols[k]] * p.d


cdef inline bint pair_in_range(const Pairs *p, Py_ssize_t k) noexcept nogil:
    """Whether the exponents of pair k stay integers of a double."""
    cdef Py_ssize_t i = p.rows[k] * p.d, j = p.cols[k] * p.d, q
    cdef double bound = 0.0, low, high
    for q in range(p.d):
        high = p.left_high[i + q] if p.left_high[i + q] > p.right_high[j + q] else p.right_high[j + q]
        low = p.left_low[i + q] if p.left_low[i + q] < p.right_low[j + q] else p.right_low[j + q]
        bound += (high - low) * (high - low)
    return bound * scale_of(p.gammas[k]) * <double>(rows_of(p, k) + cols_of(p, k)) <= SDTW_LIMIT


cdef inline bint lanes_pay(const Pairs *p, const Py_ssize_t *chosen, sdtw_lanes *lanes) noexcept nogil:
    """Whether these SIMD_W pairs can and should run side by side: in range, and of similar lengths."""
    cdef Py_ssize_t cells = 0, lane, k, n, m
    lanes.n = lanes.m = 0
    lanes.d = p.d
    for lane in range(SIMD_W):
        k = chosen[lane]
        n, m = rows_of(p, k), cols_of(p, k)
        if p.gammas[k] == 0.0 or n == 1 or m == 1 or m > LONGEST_LANE or not pair_in_range(p, k):
            return False
        lanes.rows[lane] = n
        lanes.cols[lane] = m
        lanes.scale[lane] = scale_of(p.gammas[k])
        lanes.n = max(lanes.n, n)
        lanes.m = max(lanes.m, m)
        cells += n * m
    return 5 * SIMD_W * lanes.n * lanes.m <= 6 * cells


cdef inline double *spread_points(
    const double *series, Py_ssize_t length, Py_ssize_t d, Py_ssize_t count, double *out
) noexcept nogil:
    """The points of a series into one lane of `count` points, the last one repeated; returns where they end."""
    cdef Py_ssize_t i, k, point
    for i in range(count):
        point = i if i < length else length - 1
        for k in range(d):
            out[0] = series[point * d + k]
            out += SIMD_W
    return out


cdef inline void run_lanes(
    const Pairs *p, const Py_ssize_t *chosen, const sdtw_lanes *lanes, double *out
) noexcept nogil:
    """The values of SIMD_W pairs side by side."""
    cdef sdtw_total[SIMD_W] totals
    cdef Py_ssize_t lane, k
    cdef double *at
    for lane in range(SIMD_W):
        k = chosen[lane]
        at = spread_points(x_of(p, k), lanes.rows[lane], p.d, lanes.n + 1, lanes.work + lane)
        spread_points(y_of(p, k), lanes.cols[lane], p.d, lanes.m, at)
    sdtw_side_by_side(lanes, totals)
    for lane in range(SIMD_W):
        out[chosen[lane]] = value_of_total(&totals[lane], p.gammas[chosen[lane]])


cdef inline Py_ssize_t lanes_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    """Doubles of workspace for lanes, alignment included."""
    m = min(m, LONGEST_LANE)
    return SIMD_W * ((n + 1 + m) * d + 4 * m) + 8


cdef inline double *aligned(double *work) noexcept nogil:
    return <double *>((<uintptr_t>work + 63) & ~<uintptr_t>63)
