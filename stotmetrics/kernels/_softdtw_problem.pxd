# Soft-DTW problems: their scale, whether their numbers fit, their band, how they lie in memory, and their value.

from libc.math cimport M_LN2, fabs, frexp, log
from libc.string cimport memset

from ._band cimport set_band
from ._interrupt cimport SLICE, turn
from ._softdtw_loops cimport SDTW_LIMIT, SDTW_LANES, sdtw_problem, sdtw_total


cdef inline double scale_of(double gamma) noexcept nogil:
    """log2(e) / gamma."""
    return 1.0 / (gamma * M_LN2)


cdef inline double value_of_total(const sdtw_total *total, double gamma) noexcept nogil:
    """-gamma log Z. The mantissa is brought to one range first, so that every route to it gives the same bits."""
    cdef int power
    cdef double mantissa = frexp(total.mantissa, &power)
    return -gamma * ((total.exponent + power) * M_LN2 + log(mantissa))


cdef inline bint costs_in_range(const sdtw_problem *p) noexcept nogil:
    """Whether all exponents stay integers of a double, for given costs."""
    cdef double limit = SDTW_LIMIT / <double>(p.n + p.m)
    cdef Py_ssize_t i, j, left = SLICE
    cdef bint beyond = False
    for i in range(p.n):
        if turn(&left, p.m):
            break
        for j in range(p.m):
            beyond |= not fabs(p.cost[i * p.m + j]) * p.scale <= limit
    return not beyond


# So many cells are cleared at once: the first touch of new memory may take more than the clearing.
cdef enum:
    AT_ONCE = 65536


cdef inline void clear(double *cells, Py_ssize_t count) noexcept nogil:
    """Set cells to zero, with an ear for Ctrl-C."""
    cdef Py_ssize_t at = 0, width, left = SLICE
    while at < count:
        width = min(count - at, <Py_ssize_t>AT_ONCE)
        memset(cells + at, 0, width * sizeof(double))
        at += width
        if turn(&left, 4 * width):
            break


cdef inline void widen(const double *series, Py_ssize_t n, Py_ssize_t d, double *low, double *high) noexcept nogil:
    """Widen the range of one dimension by that of a C-ordered series."""
    cdef Py_ssize_t i
    for i in range(n):
        low[0] = series[i * d] if series[i * d] < low[0] else low[0]
        high[0] = series[i * d] if series[i * d] > high[0] else high[0]


cdef inline bint series_in_range(const double *x, const double *y, const sdtw_problem *p) noexcept nogil:
    """Whether all exponents stay integers of a double, for C-ordered series."""
    cdef double bound = 0.0, low, high
    cdef Py_ssize_t k
    for k in range(p.d):
        low = high = x[k]
        widen(x + k, p.n, p.d, &low, &high)
        widen(y + k, p.m, p.d, &low, &high)
        bound += (high - low) * (high - low)
    return bound * p.scale * <double>(p.n + p.m) <= SDTW_LIMIT


cdef inline void set_problem_band(sdtw_problem *p, Py_ssize_t radius, Py_ssize_t *room) noexcept nogil:
    """A band for this problem, in 2 n sizes of room; a negative radius: none."""
    p.first = p.last = NULL
    if radius >= 0:
        set_band(p.n, p.m, radius, room, room + p.n)
        p.first = room
        p.last = room + p.n


cdef inline void pack(const double *series, Py_ssize_t n, Py_ssize_t d, bint reverse, double *out) noexcept nogil:
    """Pack a C-ordered (n, d) series by dimension, forwards or backwards, and pad with a value of the series."""
    cdef Py_ssize_t k, i
    cdef double *row
    for k in range(d):
        row = out + k * (n + SDTW_LANES)
        for i in range(n):
            row[n - 1 - i if reverse else i] = series[i * d + k]
        for i in range(n, n + SDTW_LANES):
            row[i] = row[n - 1]


cdef inline void unpack(const double *packed, Py_ssize_t n, Py_ssize_t d, bint reverse, double *out) noexcept nogil:
    """Undo `pack`."""
    cdef Py_ssize_t k, i
    for k in range(d):
        for i in range(n):
            out[i * d + k] = packed[k * (n + SDTW_LANES) + (n - 1 - i if reverse else i)]
