"""Squared Euclidean costs between the values of two series, as a matrix."""

from ._costs cimport powers
from ._interrupt cimport heard

import numpy as np


def squared_euclidean(const double[:, ::1] x, const double[:, ::1] y):
    """``C[i, j] = ||x_i - y_j||^2`` for values shaped (n, d) and (m, d)."""
    cdef Py_ssize_t n = x.shape[0], m = y.shape[0], d = x.shape[1]
    C = np.empty((n, m))
    cdef double[:, ::1] out = C
    if n and m:
        with nogil:
            powers(&x[0, 0], n, &y[0, 0], m, d, 2.0, &out[0, 0])
        heard()
    return C
