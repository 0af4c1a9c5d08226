"""Clouds one behind the other, and exact transport of many pairs of them under one mixture of their costs."""

from ._costs cimport powers
from ._dense cimport Optimum, transport
from ._interrupt cimport SLICE, heard, turn
from ._network cimport Network, network_doubles, place
from ._scales cimport halve
from ._stack cimport longest

import numpy as np


cdef class Stack:
    """The clouds of a set: atoms one behind the other, those of cloud k from ``at[k]`` to ``at[k + 1]``."""

    def __init__(
        self, const double[:, ::1] values, const double[::1] times, const double[::1] weights, const int[::1] order,
        const Py_ssize_t[::1] at, const unsigned char[::1] uniform
    ):
        cdef Py_ssize_t k, n
        cdef double[::1] key
        self.features = values.shape[1]
        self.values, self.times, self.weights, self.order = values, times, weights, order
        self.at, self.uniform = at, uniform
        self.halved = np.empty(times.shape[0], dtype=np.intc)
        key = np.empty(times.shape[0])
        with nogil:
            for k in range(at.shape[0] - 1):
                n = at[k + 1] - at[k]
                halve(&values[at[k], 0], &times[at[k]], n, values.shape[1], &key[at[k]], &self.halved[at[k]])

    @property
    def sizes(self):
        """How many atoms each cloud has."""
        return np.diff(self.at)

    @property
    def tree(self):
        """The atoms of each cloud in the order of repeated halving."""
        return np.asarray(self.halved)

    cdef Atoms atoms(self, Py_ssize_t k) noexcept nogil:
        cdef Py_ssize_t i = self.at[k]
        return Atoms(
            self.at[k + 1] - i, &self.values[i, 0], &self.times[i], &self.weights[i], &self.order[i],
            &self.halved[i], self.uniform[k],
        )

    cdef Py_ssize_t most_atoms(self, const Py_ssize_t[::1] chosen) noexcept nogil:
        """The most atoms of some clouds."""
        return longest(self.at, chosen)


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
    Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double p, double of_values,
    double of_times
):
    """(statuses, values, certified lower bounds) of ``min_P <of_values A + of_times B, P>`` for the pairs of clouds
    (rows[k], cols[k]) in two stacks."""
    cdef Network net
    cdef Optimum best
    cdef Atoms x, y
    cdef Py_ssize_t k, until = SLICE
    cdef Py_ssize_t n = left.most_atoms(rows), m = right.most_atoms(cols)
    statuses, costs, bounds = np.ones(rows.shape[0], dtype=np.intc), np.zeros(rows.shape[0]), np.zeros(rows.shape[0])
    cdef int[::1] status = statuses
    cdef double[::1] value = costs, lower = bounds, work = np.empty(network_doubles(n, m) + 2 * n * m)
    cdef long long[::1] whole = np.empty(n + m, dtype=np.longlong)
    cdef double *cost
    with nogil:
        for k in range(rows.shape[0]):
            cost = &work[0] + network_doubles(n, m)
            x, y = left.atoms(rows[k]), right.atoms(cols[k])
            mix(&x, &y, left.features, p, of_values, of_times, cost, cost + n * m)
            place(&net, x.size, y.size, &work[0])
            status[k] = transport(
                &net, cost, x.weights, x.order, y.weights, y.order, x.uniform and y.uniform, &whole[0], &best
            )
            value[k], lower[k] = best.value, best.lower
            if turn(&until, CELL * x.size * y.size):
                break
    heard()
    return statuses, costs, bounds
