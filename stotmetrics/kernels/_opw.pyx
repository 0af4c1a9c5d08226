"""OPW of many pairs: entropic transport under costs that hold the plan to the order of the samples."""

from libc.math cimport INFINITY, sqrt

from ._costs cimport powers
from ._entropic cimport Saddle, certified_gap, entropic_doubles, place, set_masses, solve
from ._entropic_problem cimport Entropic
from ._interrupt cimport SLICE, heard, turn
from ._stack cimport longest

import numpy as np


# What a pair is left as where epsilon is at a limit beside its costs: nothing is solved.
cdef enum:
    AT_LIMIT = -1
    # What a cell takes in all, in elementary steps: some ten Newton steps, with an exponential in each.
    CELL = 1024

# The samples of one series that carry mass; `length` counts the others too.
cdef struct Samples:
    Py_ssize_t size
    const double *values
    const double *places
    const double *weights
    double length

# The terms of the cost beside the squared distance of two samples.
cdef struct Order:
    double moment
    double epsilon
    double sigma


cdef inline void order_row(
    double at, double length, const double *places, Py_ssize_t m, double length_of_other, const Order *order,
    double *out
) noexcept nogil:
    """``epsilon l^2 / (2 sigma^2) - moment / ((i/N - j/M)^2 + 1)``, from 0 up, of one sample and all of the other."""
    cdef Py_ssize_t j
    cdef double off, from_diagonal, unit = sqrt(1.0 / (length * length) + 1.0 / (length_of_other * length_of_other))
    cdef double spread = 2.0 * (order.sigma * order.sigma)
    for j in range(m):
        off = at - places[j]
        from_diagonal = off / unit
        out[j] = (
            order.epsilon * (from_diagonal * from_diagonal) / spread
            + order.moment * (1.0 - 1.0 / (off * off + 1.0))
        )


def order_costs(
    const double[::1] x_places, double x_length, const double[::1] y_places, double y_length, double moment,
    double epsilon, double sigma
):
    """What leaving the diagonal costs, shaped (n, m)."""
    cdef Order order = Order(moment, epsilon, sigma)
    cdef Py_ssize_t i, n = x_places.shape[0], m = y_places.shape[0], until = SLICE
    cost = np.empty((n, m))
    cdef double[:, ::1] out = cost
    with nogil:
        for i in range(n):
            order_row(x_places[i], x_length, &y_places[0], m, y_length, &order, &out[i, 0])
            if turn(&until, 16 * m):
                break
    heard()
    return cost


cdef inline Samples samples_of(
    const double[:, ::1] values, const double[::1] places, const double[::1] weights, const Py_ssize_t[::1] at,
    const double[::1] lengths, Py_ssize_t k
) noexcept nogil:
    cdef Py_ssize_t i = at[k]
    return Samples(at[k + 1] - i, &values[i, 0], &places[i], &weights[i], lengths[k])


cdef double pose(
    Entropic *e, const Samples *x, const Samples *y, Py_ssize_t d, const Order *order, double *work
) noexcept nogil:
    """Costs in A, the squared distances that the value counts in B; returns the largest cost."""
    cdef Py_ssize_t n = x.size, m = y.size, i, j
    cdef double largest = 0.0
    cdef double *row
    place(e, n, m, work)
    set_masses(e, x.weights, y.weights)
    e.w = 1.0
    e.fixed = True
    powers(x.values, n, y.values, m, d, 2.0, e.B)
    for i in range(n):
        row = e.A + i * m
        order_row(x.places[i], x.length, y.places, m, y.length, order, row)
        for j in range(m):
            row[j] += e.B[i * m + j]
            largest = max(largest, row[j])
    return largest


def values(
    const double[:, ::1] left, const double[::1] left_places, const double[::1] left_weights,
    const Py_ssize_t[::1] left_at, const double[::1] left_lengths, const double[:, ::1] right,
    const double[::1] right_places, const double[::1] right_weights, const Py_ssize_t[::1] right_at,
    const double[::1] right_lengths, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double moment,
    double epsilon, double sigma, double tol, Py_ssize_t max_iter, double vanishing
):
    """(statuses, values, gaps, steps) of the pairs of series (rows[k], cols[k]) in two stacks of samples.

    The status of a pair whose epsilon is below this share of its costs, or above its inverse, is negative: it is left
    to others.
    """
    cdef Order order = Order(moment, epsilon, sigma)
    cdef Entropic e
    cdef Saddle saddle
    cdef Samples x, y
    cdef Py_ssize_t k, d = left.shape[1], until = SLICE
    cdef Py_ssize_t n = longest(left_at, rows), m = longest(right_at, cols)
    cdef double largest
    statuses, steps = np.full(rows.shape[0], AT_LIMIT, dtype=np.intc), np.zeros(rows.shape[0], dtype=np.intp)
    costs, gaps = np.zeros(rows.shape[0]), np.zeros(rows.shape[0])
    cdef int[::1] status = statuses
    cdef Py_ssize_t[::1] step = steps
    cdef double[::1] value = costs, gap = gaps, work = np.empty(entropic_doubles(max(n, m), min(n, m)))
    with nogil:
        for k in range(rows.shape[0]):
            x = samples_of(left, left_places, left_weights, left_at, left_lengths, rows[k])
            y = samples_of(right, right_places, right_weights, right_at, right_lengths, cols[k])
            # A step solves a system of the size of the columns: the longer side takes the rows.
            if y.size > x.size:
                largest = pose(&e, &y, &x, d, &order, &work[0])
            else:
                largest = pose(&e, &x, &y, d, &order, &work[0])
            if vanishing * largest <= epsilon and vanishing * epsilon < largest:
                status[k] = solve(&e, epsilon, tol, max_iter, INFINITY, &saddle)
                value[k], gap[k], step[k] = saddle.beside, certified_gap(&e, epsilon, &saddle), saddle.steps
            if turn(&until, CELL * e.n * e.m):
                break
    heard()
    return statuses, costs, gaps, steps
