"""The mean absolute difference of many pairs, without the interpreter lock."""

from libc.math cimport fabs


def areas(
    const double[:, :, ::1] left,
    const double[:, :, ::1] right,
    const Py_ssize_t[::1] rows,
    const Py_ssize_t[::1] cols,
    double[::1] out,
):
    """``out[k]`` = mean over time of ``|left[rows[k]] - right[cols[k]]|``, summed over the value dimensions."""
    cdef Py_ssize_t k, t, j
    cdef double total
    with nogil:
        for k in range(rows.shape[0]):
            total = 0.0
            for t in range(left.shape[1]):
                for j in range(left.shape[2]):
                    total += fabs(left[rows[k], t, j] - right[cols[k], t, j])
            out[k] = total / left.shape[1]
