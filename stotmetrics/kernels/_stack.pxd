# Series one behind the other: that with number k is the rows at[k]..at[k + 1] of their arrays.

cdef inline Py_ssize_t longest(const Py_ssize_t[::1] at, const Py_ssize_t[::1] chosen) noexcept nogil:
    """The length of the longest of some of them."""
    cdef Py_ssize_t k, most = 0
    for k in range(chosen.shape[0]):
        most = max(most, at[chosen[k] + 1] - at[chosen[k]])
    return most
