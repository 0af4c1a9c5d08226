"""Optimal transport between two clouds, and its maximum over w: the network simplex, parametric in the costs.

A basis stays feasible when the costs change; that is what makes the maximum over w cheap.
"""

from libc.math cimport INFINITY

from ._core cimport NOT_CONVERGED, OK
from ._costs cimport powers
from ._network cimport (
    Network, dual_value, masses, network_doubles, optimise, pivot_limit, place, row_potential, set_potentials,
    staircase,
)

import numpy as np


cdef struct Maximum:
    double value            # the upper bound on max g where the lines met
    double lower            # the certified dual value at w
    double w
    double level_a          # <A, P> of the plan P that the basis holds
    double level_b          # <B, P>
    Py_ssize_t solves
    Py_ssize_t pivots


cdef void levels(Network *net, const double *A, const double *B, double unit, double *la, double *lb) noexcept nogil:
    """What the plan of the basis costs under A and under B."""
    cdef Py_ssize_t node, n = net.n, m = net.m, cell
    cdef double of_a = 0.0, of_b = 0.0
    for node in range(n + m):
        if net.flow[node] > 0 and net.parent[node] >= 0:
            cell = node * m + net.parent[node] - n if node < n else net.parent[node] * m + node - n
            of_a += net.flow[node] * A[cell]
            of_b += net.flow[node] * B[cell]
    la[0] = of_a * unit
    lb[0] = of_b * unit


cdef inline void mix(Network *net, const double *A, const double *B, double w) noexcept nogil:
    cdef Py_ssize_t cell, cells = net.n * net.m
    cdef double v = 1.0 - w
    for cell in range(cells):
        net.cost[cell] = w * A[cell] + v * B[cell]
    set_potentials(net)


cdef int maximise(
    Network *net,
    const double *A,
    const double *B,
    const double *a,
    const double *b,
    const long long *whole_a,
    const long long *whole_b,
    double unit,
    const int *rows,
    const int *columns,
    const int *value_rows,
    const int *value_columns,
    bint line,
    double cutoff,
    Maximum *found,
) noexcept nogil:
    """Maximise g(w) = min_P <w A + (1 - w) B, P>, concave and piecewise linear, over w in [0, 1].

    Every plan's cost is a line in w above g. Lines at both ends meet at the next w; the plan that is optimal there
    replaces the line on the side its slope points from, until g touches the meeting point. `line` says that the values
    have one dimension, whose order then solves w = 1 for nothing. Stops early when g rises above `cutoff`.
    """
    cdef double left_a, left_b, right_a, right_b, at, top, w, upper, scale = 0.0, lower
    cdef Py_ssize_t cell, cells = net.n * net.m, limit = pivot_limit(net.n, net.m)
    cdef bint have_right = False
    cdef int status
    for cell in range(cells):
        scale = max(scale, max(A[cell], B[cell]))
    found.solves = 0
    net.pivots = 0
    # The order of the times solves w = 0.
    staircase(net, whole_a, whole_b, rows, columns)
    levels(net, A, B, unit, &left_a, &left_b)
    right_a = right_b = 0.0
    if left_a <= left_b:
        return finish(net, A, B, a, b, 0.0, left_a, left_b, left_b, found)
    if line:
        staircase(net, whole_a, whole_b, value_rows, value_columns)
        levels(net, A, B, unit, &right_a, &right_b)
        if right_a >= right_b:
            return finish(net, A, B, a, b, 1.0, right_a, right_b, right_a, found)
        have_right = True
    while True:
        if have_right:
            # Where left_a w + left_b (1 - w) = right_a w + right_b (1 - w).
            top = right_b - left_b
            w = top / (top + left_a - right_a)
        else:
            w = 0.5 if found.solves == 0 else 1.0
        w = min(max(w, 0.0), 1.0)
        upper = w * left_a + (1.0 - w) * left_b
        mix(net, A, B, w)
        if cutoff < INFINITY:
            lower = dual_value(net, a, b)
            if lower > cutoff:
                found.lower = lower
                found.value = upper
                found.w = w
                found.pivots = net.pivots
                return NOT_CONVERGED
        status = optimise(net, 1e-15 * scale, limit)
        found.solves += 1
        levels(net, A, B, unit, &found.level_a, &found.level_b)
        at = w * found.level_a + (1.0 - w) * found.level_b
        if at > cutoff:
            found.lower = dual_value(net, a, b)
            found.value = upper
            if found.lower > cutoff:
                return NOT_CONVERGED
        if status != OK or found.solves > 200:
            finish(net, A, B, a, b, w, found.level_a, found.level_b, upper, found)
            return NOT_CONVERGED
        if at >= upper - 4e-16 * scale - 1e-14 * upper and (have_right or w == 1.0):
            return finish(net, A, B, a, b, w, found.level_a, found.level_b, upper, found)
        if w == 1.0 and found.level_a >= found.level_b:
            return finish(net, A, B, a, b, 1.0, found.level_a, found.level_b, found.level_a, found)
        if found.level_a > found.level_b:
            left_a = found.level_a
            left_b = found.level_b
        elif found.level_a < found.level_b:
            right_a = found.level_a
            right_b = found.level_b
            have_right = True
        else:
            return finish(net, A, B, a, b, w, found.level_a, found.level_b, at, found)


cdef int finish(
    Network *net,
    const double *A,
    const double *B,
    const double *a,
    const double *b,
    double w,
    double level_a,
    double level_b,
    double upper,
    Maximum *found,
) noexcept nogil:
    mix(net, A, B, w)
    found.w = w
    found.value = upper
    found.level_a = level_a
    found.level_b = level_b
    found.lower = dual_value(net, a, b)
    found.pivots = net.pivots
    return OK


cdef class Workspace:
    """Memory for one network, kept from pair to pair, and the basis of the last one solved in it."""

    cdef double[::1] doubles
    cdef long long[::1] wholes
    cdef int[::1] natural
    cdef Network net
    cdef double unit

    def __cinit__(self):
        self.doubles = np.empty(0)
        self.natural = np.empty(0, dtype=np.intc)

    cdef void fit(self, Py_ssize_t n, Py_ssize_t m):
        """Place a network of n x m atoms, with room for A and B behind it."""
        cdef Py_ssize_t wanted = network_doubles(n, m) + 2 * n * m
        if self.doubles.shape[0] < wanted:
            self.doubles = np.empty(wanted)
        if self.natural.shape[0] < n + m:
            self.wholes = np.empty(n + m, dtype=np.longlong)
            self.natural = np.arange(n + m, dtype=np.intc)
        place(&self.net, n, m, &self.doubles[0])

    def tiot(
        self,
        const double[:, ::1] x,
        const double[::1] t,
        const double[::1] a,
        const int[::1] x_order,
        const double[:, ::1] y,
        const double[::1] s,
        const double[::1] b,
        const int[::1] y_order,
        bint uniform,
        double p,
        double cutoff,
    ):
        """(status, upper bound, certified lower bound, w, solves, pivots) of max_w min_P <C_w, P>."""
        cdef Py_ssize_t n = x.shape[0], m = y.shape[0], d = x.shape[1]
        cdef Maximum found
        cdef int status
        self.fit(n, m)
        cdef double *A = &self.doubles[network_doubles(n, m)]
        cdef double *B = A + n * m
        cdef long long *whole = &self.wholes[0]
        cdef int *natural = &self.natural[0]
        with nogil:
            powers(&x[0, 0], n, &y[0, 0], m, d, p, A)
            powers(&t[0], n, &s[0], m, 1, p, B)
            self.unit = masses(&a[0], n, &b[0], m, uniform, whole, whole + n)
            status = maximise(
                &self.net, A, B, &a[0], &b[0], whole, whole + n, self.unit, natural, natural, &x_order[0], &y_order[0],
                d == 1, cutoff, &found,
            )
        return status, found.value, found.lower, found.w, found.solves, found.pivots

    def transport(
        self,
        const double[:, ::1] cost,
        const double[::1] a,
        const int[::1] x_order,
        const double[::1] b,
        const int[::1] y_order,
        bint uniform,
    ):
        """(status, <cost, P>, certified lower bound, pivots) of min_P <cost, P>, from the staircase in these orders."""
        cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1], cell
        cdef double scale = 0.0, value = 0.0, again = 0.0, lower
        cdef const double *C = &cost[0, 0]
        cdef int status
        self.fit(n, m)
        cdef long long *whole = &self.wholes[0]
        with nogil:
            self.unit = masses(&a[0], n, &b[0], m, uniform, whole, whole + n)
            staircase(&self.net, whole, whole + n, &x_order[0], &y_order[0])
            for cell in range(n * m):
                scale = max(scale, C[cell])
            mix(&self.net, C, C, 1.0)
            status = optimise(&self.net, 1e-15 * scale, pivot_limit(n, m))
            # Potentials drift by rounding from pivot to pivot: once more from the root.
            set_potentials(&self.net)
            levels(&self.net, C, C, self.unit, &value, &again)
            lower = dual_value(&self.net, &a[0], &b[0])
        return status, value, lower, self.net.pivots

    def coupling(self):
        """(rows, columns, masses) of the plan of the last basis."""
        cdef Py_ssize_t n = self.net.n, node, parent
        rows, columns, moved = [], [], []
        for node in range(n + self.net.m):
            parent = self.net.parent[node]
            if parent >= 0 and self.net.flow[node] > 0:
                rows.append(node if node < n else parent)
                columns.append(parent - n if node < n else node - n)
                moved.append(self.net.flow[node] * self.unit)
        return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp), np.array(moved)

    def potentials(self):
        """(f, g) of the last basis, those of the rows made feasible exactly."""
        cdef Py_ssize_t n = self.net.n, m = self.net.m, i, j
        cdef double[::1] f = np.empty(n)
        cdef double[::1] g = np.empty(m)
        for i in range(n):
            f[i] = row_potential(&self.net, i)
        for j in range(m):
            g[j] = self.net.potential[n + j]
        return np.asarray(f), np.asarray(g)
