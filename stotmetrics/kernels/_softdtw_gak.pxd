# Squared distances for the global alignment kernel.

cdef inline void squares(
    const double *x, Py_ssize_t n, const double *y, Py_ssize_t m, Py_ssize_t d, double scale, double *out
) noexcept nogil:
    """Squared distances of the rows, every difference multiplied by ``scale`` twice, whose square may be no number."""
    cdef Py_ssize_t i, j, k
    cdef double gap, total
    if d == 1:
        for i in range(n):
            for j in range(m):
                gap = (x[i] - y[j]) * scale * scale
                out[i * m + j] = gap * gap
        return
    for i in range(n):
        for j in range(m):
            total = 0.0
            for k in range(d):
                gap = (x[i * d + k] - y[j * d + k]) * scale * scale
                total += gap * gap
            out[i * m + j] = total
