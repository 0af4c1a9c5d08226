# The Sakoe-Chiba band.

cdef inline void set_band(
    Py_ssize_t n, Py_ssize_t m, Py_ssize_t radius, Py_ssize_t *first, Py_ssize_t *last
) noexcept nogil:
    """The columns first[i]..last[i] within `radius` of the rescaled diagonal, counted along the shorter series.

    Floor and ceil of the diagonal leave no gap between neighbouring rows.
    """
    cdef Py_ssize_t i, low = 0, high = 0
    for i in range(n):
        if n >= m:
            low = i * (m - 1) // (n - 1) if n > 1 else 0
            high = (i * (m - 1) + n - 2) // (n - 1) if n > 1 else 0
            first[i] = low - radius if low > radius else 0
            last[i] = high + radius if radius < m - 1 - high else m - 1
        else:
            while (low * (n - 1) + m - 2) // (m - 1) + radius < i:
                low += 1
            while high + 1 < m and (high + 1) * (n - 1) // (m - 1) - radius <= i:
                high += 1
            first[i] = low
            last[i] = high
