# Many pairs of series in two buffers, and how their points go into lanes.

from libc.math cimport fabs, frexp, ldexp

from ._softdtw_loops cimport SDTW_BEYOND, SDTW_LANES, SDTW_LEAST, SDTW_LIMIT
from ._softdtw_problem cimport scale_of, widen


# Pair k: series rows[k] of the left and cols[k] of the right at gammas[k]. Series s of a side has the d-dimensional
# points at[s]..at[s + 1] of its values. Where `enclose` has looked at it, they are within the box low[s d..],
# high[s d..], and tiny[s] says whether one of them is below SDTW_LEAST.
cdef struct Pairs:
    const double *left
    const double *right
    const Py_ssize_t *left_at
    const Py_ssize_t *right_at
    double *left_low
    double *left_high
    double *right_low
    double *right_high
    unsigned char *left_tiny
    unsigned char *right_tiny
    const Py_ssize_t *rows
    const Py_ssize_t *cols
    const double *gammas
    Py_ssize_t d
    bint[2] kinds  # whether any pair is soft, and whether any is hard: see is_hard
    bint smooth    # whether any gamma is not zero
    bint kernel    # whether the weights are those of the global alignment kernel


cdef inline Py_ssize_t rows_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.left_at[p.rows[k] + 1] - p.left_at[p.rows[k]]


cdef inline Py_ssize_t cols_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.right_at[p.cols[k] + 1] - p.right_at[p.cols[k]]


cdef inline const double *x_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.left + p.left_at[p.rows[k]] * p.d


cdef inline const double *y_of(const Pairs *p, Py_ssize_t k) noexcept nogil:
    return p.right + p.right_at[p.cols[k]] * p.d


cdef inline bint is_hard(const Pairs *p, Py_ssize_t k) noexcept nogil:
    """A single row or column has one path: its sum needs no exponentials and keeps every digit at a huge gamma."""
    return p.gammas[k] == 0.0 or rows_of(p, k) == 1 or cols_of(p, k) == 1


cdef inline void set_kinds(Pairs *p, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    p.kinds[0] = p.kinds[1] = p.smooth = False
    for k in range(count):
        p.kinds[is_hard(p, k)] = True
        p.smooth |= p.gammas[k] > 0.0


cdef inline void enclose(
    const double *values, const Py_ssize_t *at, Py_ssize_t d, const Py_ssize_t *used, Py_ssize_t count, double *low,
    double *high, unsigned char *tiny
) noexcept nogil:
    """The boxes of the series ``used``, and which of them are tiny somewhere."""
    cdef Py_ssize_t s, k, q, i
    cdef const double *series
    for s in range(count):
        k = used[s]
        series = values + at[k] * d
        for q in range(d):
            low[k * d + q] = high[k * d + q] = series[q]
            widen(series + q, at[k + 1] - at[k], d, &low[k * d + q], &high[k * d + q])
        tiny[k] = False
        for i in range((at[k + 1] - at[k]) * d):
            tiny[k] |= 0.0 < fabs(series[i]) < SDTW_LEAST


cdef inline bint is_tiny(const Pairs *p, Py_ssize_t k) noexcept nogil:
    """Whether a cost of pair k may be too small for a normal number."""
    return p.gammas[k] > 0.0 and (p.left_tiny[p.rows[k]] or p.right_tiny[p.cols[k]])


cdef inline double largest_cost(const Pairs *p, Py_ssize_t k) noexcept nogil:
    """No cost of pair k is above it."""
    cdef Py_ssize_t i = p.rows[k] * p.d, j = p.cols[k] * p.d, q
    cdef double bound = 0.0, low, high
    for q in range(p.d):
        high = p.left_high[i + q] if p.left_high[i + q] > p.right_high[j + q] else p.right_high[j + q]
        low = p.left_low[i + q] if p.left_low[i + q] < p.right_low[j + q] else p.right_low[j + q]
        bound += (high - low) * (high - low)
    return bound


cdef inline bint in_range(const Pairs *p, Py_ssize_t k, double largest) noexcept nogil:
    """Whether the exponents of pair k stay within the integers of a double."""
    return largest * scale_of(p.gammas[k]) * <double>(rows_of(p, k) + cols_of(p, k)) <= SDTW_LIMIT


cdef inline double unit_of(double largest) noexcept nogil:
    """A power of two that makes the largest cost a number of at most one; where there is any, a normal one."""
    cdef int power
    frexp(largest, &power)
    return ldexp(1.0, min(-power, 1000))


# A series in one lane, or in all of them: `count` points, the last one repeated, and SDTW_BEYOND more on both sides.

cdef inline Py_ssize_t points_work(Py_ssize_t count, Py_ssize_t d) noexcept nogil:
    return (count + 2 * SDTW_BEYOND) * d * SDTW_LANES


cdef inline void spread_points(
    const double *series, Py_ssize_t length, Py_ssize_t d, Py_ssize_t count, double *out
) noexcept nogil:
    """Into one lane; ``out`` is where its first point goes."""
    cdef Py_ssize_t i, k, point
    for i in range(-SDTW_BEYOND, count + SDTW_BEYOND):
        point = max(min(i, length - 1), 0)
        for k in range(d):
            out[(i * d + k) * SDTW_LANES] = series[point * d + k]


cdef inline void repeat_points(const double *series, Py_ssize_t length, Py_ssize_t d, double *out) noexcept nogil:
    """Into all lanes."""
    cdef Py_ssize_t i, k, lane, point
    cdef double value
    for i in range(-SDTW_BEYOND, length + SDTW_BEYOND):
        point = max(min(i, length - 1), 0)
        for k in range(d):
            value = series[point * d + k]
            for lane in range(SDTW_LANES):
                out[(i * d + k) * SDTW_LANES + lane] = value
