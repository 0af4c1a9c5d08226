"""Exact transport of many pairs of clouds under one mixture of the costs of their values and of their times."""

from ._costs cimport powers
from ._dense cimport Optimum, transport
from ._interrupt cimport SLICE, heard, turn
from ._network cimport Network, network_doubles, place
from ._stack cimport longest

import numpy as np


# What a cell takes in all, in elementary steps.
cdef enum:
    CELL = 64

# The atoms of one cloud; `order` is that of the first feature.
cdef struct Atoms:
    Py_ssize_t size
    const double *values
    const double *times
    const double *weights
    const int *order
    bint uniform


cdef inline Atoms atoms_of(
    const double[:, ::1] values, const double[::1] times, const double[::1] weights, const int[::1] order,
    const Py_ssize_t[::1] at, const unsigned char[::1] uniform, Py_ssize_t k
) noexcept nogil:
    cdef Py_ssize_t i = at[k]
    return Atoms(at[k + 1] - i, &values[i, 0], &times[i], &weights[i], &order[i], uniform[k])


cdef inline void mix(
    const Atoms *x, const Atoms *y, Py_ssize_t d, double p, double of_values, double of_times, double *cost,
    double *other
) noexcept nogil:
    """``of_values A + of_times B``; what does not count may leave the range of a double."""
    cdef Py_ssize_t cell, cells = x.size * y.size
    if of_values == 0.0 or of_times == 0.0:
        if of_times == 0.0:
            powers(x.values, x.size, y.values, y.size, d, p, cost)
        else:
            powers(x.times, x.size, y.times, y.size, 1, p, cost)
        for cell in range(cells):
            cost[cell] *= of_values if of_times == 0.0 else of_times
        return
    powers(x.values, x.size, y.values, y.size, d, p, cost)
    powers(x.times, x.size, y.times, y.size, 1, p, other)
    for cell in range(cells):
        cost[cell] = of_values * cost[cell] + of_times * other[cell]


def transports(
    const double[:, ::1] left, const double[::1] left_times, const double[::1] left_weights,
    const int[::1] left_order, const Py_ssize_t[::1] left_at, const unsigned char[::1] left_uniform,
    const double[:, ::1] right, const double[::1] right_times, const double[::1] right_weights,
    const int[::1] right_order, const Py_ssize_t[::1] right_at, const unsigned char[::1] right_uniform,
    const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double p, double of_values, double of_times
):
    """(statuses, values, certified lower bounds) of ``min_P <of_values A + of_times B, P>`` for the pairs of clouds
    (rows[k], cols[k]) in two stacks."""
    cdef Network net
    cdef Optimum best
    cdef Atoms x, y
    cdef Py_ssize_t k, d = left.shape[1], until = SLICE
    cdef Py_ssize_t n = longest(left_at, rows), m = longest(right_at, cols)
    statuses, costs, bounds = np.ones(rows.shape[0], dtype=np.intc), np.zeros(rows.shape[0]), np.zeros(rows.shape[0])
    cdef int[::1] status = statuses
    cdef double[::1] value = costs, lower = bounds, work = np.empty(network_doubles(n, m) + 2 * n * m)
    cdef long long[::1] whole = np.empty(n + m, dtype=np.longlong)
    cdef double *cost
    with nogil:
        for k in range(rows.shape[0]):
            cost = &work[0] + network_doubles(n, m)
            x = atoms_of(left, left_times, left_weights, left_order, left_at, left_uniform, rows[k])
            y = atoms_of(right, right_times, right_weights, right_order, right_at, right_uniform, cols[k])
            mix(&x, &y, d, p, of_values, of_times, cost, cost + n * m)
            place(&net, x.size, y.size, &work[0])
            status[k] = transport(
                &net, cost, x.weights, x.order, y.weights, y.order, x.uniform and y.uniform, &whole[0], &best
            )
            value[k], lower[k] = best.value, best.lower
            if turn(&until, CELL * x.size * y.size):
                break
    heard()
    return statuses, costs, bounds
