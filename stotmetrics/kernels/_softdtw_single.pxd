# One pair of series in the exponential domain, along diagonals.

from ._softdtw_loops cimport (
    SDTW_GAK, SDTW_LANES, SDTW_LINE, SDTW_PAD, SDTW_PLANE, SDTW_SPACE, sdtw_backward, sdtw_forward, sdtw_gradient,
    sdtw_hard, sdtw_problem, sdtw_sums, sdtw_total,
)
from ._softdtw_problem cimport clear, pack, scale_of, series_in_range, unpack, value_of_total


cdef inline Py_ssize_t lines_work(Py_ssize_t n) noexcept nogil:
    return 6 * (n + SDTW_PAD)


cdef inline Py_ssize_t packed_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    return d * (n + m + 2 * SDTW_LANES)


cdef inline Py_ssize_t alone_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    return lines_work(n) + packed_work(n, m, d)


cdef inline Py_ssize_t kept_work(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return 2 * SDTW_PLANE(n * m)


cdef inline double value_of(const sdtw_problem *p, int kind, double gamma, double *work) noexcept nogil:
    cdef sdtw_total total
    # A single row or column has one path: its sum needs no exponentials and keeps every digit at a huge gamma.
    if gamma == 0.0 or p.n == 1 or p.m == 1:
        return sdtw_hard(p, kind, work)
    sdtw_forward(p, kind, work, NULL, &total)
    return value_of_total(&total, gamma)


cdef inline double gradient_of(
    const sdtw_problem *p, int kind, double gamma, double *work, const sdtw_gradient *gradient
) noexcept nogil:
    """work: lines_work and kept_work doubles."""
    cdef sdtw_total total
    cdef sdtw_sums kept
    cdef Py_ssize_t i
    kept.cells = p.n * p.m
    if p.first != NULL:
        kept.cells = 0
        for i in range(p.n):
            kept.cells += p.last[i] - p.first[i] + 1
    kept.sum = work + lines_work(p.n)
    kept.top = kept.sum + SDTW_PLANE(kept.cells)
    sdtw_forward(p, kind, work, &kept, &total)
    sdtw_backward(p, kind, work, &kept, gradient)
    if p.n == 1 or p.m == 1:
        return sdtw_hard(p, kind, work)
    return value_of_total(&total, gamma)


cdef inline void set_series(
    sdtw_problem *p, const double *x, const double *y, double *work
) noexcept nogil:
    pack(x, p.n, p.d, False, work)
    pack(y, p.m, p.d, True, work + p.d * (p.n + SDTW_LANES))
    p.x = work
    p.y = work + p.d * (p.n + SDTW_LANES)
    p.cost = NULL


cdef inline int kind_of(const sdtw_problem *p) noexcept nogil:
    return SDTW_LINE if p.d == 1 else SDTW_SPACE


cdef inline double value_in_range(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work
) noexcept nogil:
    """work: lines_work and packed_work doubles."""
    p.scale = 0.0 if gamma == 0.0 else scale_of(gamma)
    set_series(p, x, y, work + lines_work(p.n))
    return value_of(p, kind_of(p), gamma, work)


cdef inline double kernel_value(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work
) noexcept nogil:
    """Minus the logarithm of the global alignment kernel, with the same workspace."""
    cdef sdtw_total total
    p.scale = scale_of(gamma)
    set_series(p, x, y, work + lines_work(p.n))
    sdtw_forward(p, SDTW_GAK, work, NULL, &total)
    return value_of_total(&total, 1.0)


cdef inline bint series_value(
    sdtw_problem *p, const double *x, const double *y, double gamma, double *work, double *value
) noexcept nogil:
    """False where the log domain must take over. work: lines_work and packed_work doubles."""
    if gamma > 0.0:
        p.scale = scale_of(gamma)
        if not series_in_range(x, y, p):
            return False
    value[0] = value_in_range(p, x, y, gamma, work)
    return True


cdef inline bint series_gradient(
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
    gradient.y = gradient.x + p.d * (p.n + SDTW_LANES)
    gradient.alignment = NULL
    clear(gradient.x, packed)
    value[0] = gradient_of(p, kind_of(p), gamma, work, &gradient)
    unpack(gradient.x, p.n, p.d, False, grad_x)
    unpack(gradient.y, p.m, p.d, True, grad_y)
    return True
