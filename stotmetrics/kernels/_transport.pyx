"""Optimal transport between two clouds, and its maximum over w: the network simplex, parametric in the costs.

A basis stays feasible when the costs change; that is what makes the maximum over w cheap.
"""

from libc.math cimport INFINITY
from libc.string cimport memcpy

from ._core cimport NOT_CONVERGED, OK
from ._costs cimport powers
from ._interrupt cimport SLICE, heard, interrupted
from ._network cimport (
    Network, dual_value, masses, network_doubles, optimise, pivot_limit, place, row_potential, set_potentials,
    staircase,
)

import numpy as np


# A plan: the flow of each node to its parent in the basis that holds it.
cdef struct Kept:
    int *parent
    long long *flow

# Two clouds between which mass is to be moved.
cdef struct Clouds:
    Network *net
    Kept rising                 # a plan whose cost rises with w, or does not change
    Kept falling
    const double *A             # costs, (n, m)
    const double *B
    const double *a             # masses
    const double *b
    const long long *whole_a    # the same as integers, in units of `unit`
    const long long *whole_b
    double unit
    double scale                # the largest cost
    double cutoff               # above it nobody asks how far

# What a plan costs under w A + (1 - w) B, a line in w.
cdef struct Line:
    double a                # <A, P>
    double b                # <B, P>

cdef struct Maximum:
    double value            # the upper bound on max g where the lines met
    double lower            # the certified dual value at w
    double w
    double share            # of the rising plan in the saddle point; the falling one has the rest
    Py_ssize_t solves
    Py_ssize_t pivots


cdef inline double height(Line line, double w) noexcept nogil:
    return w * line.a + (1.0 - w) * line.b


cdef double largest(const double *costs, Py_ssize_t cells) noexcept nogil:
    cdef double top = 0.0
    cdef Py_ssize_t cell
    for cell in range(cells):
        top = max(top, costs[cell])
    return top


cdef Line line_of(const Network *net, const double *A, const double *B, double unit) noexcept nogil:
    """The line of the plan of the basis."""
    cdef Py_ssize_t node, n = net.n, m = net.m, cell
    cdef Line line
    line.a = line.b = 0.0
    for node in range(n + m):
        if net.flow[node] > 0 and net.parent[node] >= 0:
            cell = node * m + net.parent[node] - n if node < n else net.parent[node] * m + node - n
            line.a += net.flow[node] * A[cell]
            line.b += net.flow[node] * B[cell]
    line.a *= unit
    line.b *= unit
    return line


cdef Line line_in_order(const Clouds *q, const int *rows, const int *columns) noexcept nogil:
    """The line of the coupling that fills rows and columns in these orders, whose basis is left behind."""
    staircase(q.net, q.whole_a, q.whole_b, rows, columns)
    return line_of(q.net, q.A, q.B, q.unit)


cdef inline void keep(const Network *net, Kept plan) noexcept nogil:
    """Remember the plan of the basis."""
    cdef Py_ssize_t nodes = net.n + net.m
    memcpy(plan.parent, net.parent, nodes * sizeof(int))
    memcpy(plan.flow, net.flow, nodes * sizeof(long long))


cdef inline double share_of(Line rising, Line falling) noexcept nogil:
    """The share of the rising plan in the mixture whose cost is the same at every w."""
    cdef double up = rising.a - rising.b, down = falling.b - falling.a
    return min(max(down / (up + down), 0.0), 1.0) if up + down > 0.0 else 1.0


cdef inline bint interrupted_by(Py_ssize_t work) noexcept nogil:
    """Whether to stop after so much work at once."""
    return work > SLICE and interrupted()


cdef inline void mix(Network *net, const double *A, const double *B, double w) noexcept nogil:
    cdef Py_ssize_t cell, cells = net.n * net.m
    cdef double v = 1.0 - w
    for cell in range(cells):
        net.cost[cell] = w * A[cell] + v * B[cell]
    set_potentials(net)


cdef inline void report(const Clouds *q, double w, double upper, Maximum *found) noexcept nogil:
    """The bounds at w, from the potentials of the basis."""
    found.w = w
    found.value = upper
    found.lower = dual_value(q.net, q.a, q.b)
    found.pivots = q.net.pivots


cdef int finish(const Clouds *q, double w, double upper, Maximum *found) noexcept nogil:
    """Certify the basis at w with fresh potentials."""
    mix(q.net, q.A, q.B, w)
    report(q, w, upper, found)
    return OK


cdef inline double crossing(Line left, Line right) noexcept nogil:
    """The w in [0, 1] where two lines meet, the left one the lower at w = 0."""
    cdef double top = right.b - left.b
    return min(max(top / (top + left.a - right.a), 0.0), 1.0)


cdef int maximise(
    const Clouds *q,
    const int *rows,
    const int *columns,
    const int *value_rows,
    const int *value_columns,
    bint ordered,
    Maximum *found,
) noexcept nogil:
    """Maximise g(w) = min_P <w A + (1 - w) B, P>, concave and piecewise linear, over w in [0, 1].

    The order of the times, in rows and columns, solves w = 0. `ordered` says that the values have one dimension, whose
    order then solves w = 1 for nothing.
    """
    cdef Line left, right
    left = line_in_order(q, rows, columns)
    keep(q.net, q.rising)
    found.solves = 0
    found.share = 1.0
    q.net.pivots = 0
    if left.a <= left.b:
        return finish(q, 0.0, left.b, found)
    right.a = right.b = 0.0
    if ordered:
        right = line_in_order(q, value_rows, value_columns)
        keep(q.net, q.falling)
        if right.a >= right.b:
            found.share = 0.0
            return finish(q, 1.0, right.a, found)
    return close_in(q, left, right, ordered, found)


cdef int close_in(const Clouds *q, Line left, Line right, bint have_right, Maximum *found) noexcept nogil:
    """The maximum between a plan whose line rises and one, if there is any yet, whose line falls.

    Every plan's cost is a line in w above g. Lines at both ends meet at the next w; the plan that is optimal there
    replaces the line on the side its slope points from, until g touches the meeting point. Both lines are optimal
    there, and no w raises the cost of their mixture without slope: the saddle point. Stops early when g rises above the
    cutoff.
    """
    cdef Line here
    cdef double w, upper, at
    cdef Py_ssize_t limit = pivot_limit(q.net.n, q.net.m)
    cdef int status
    while True:
        if have_right:
            w = crossing(left, right)
        else:
            w = 0.5 if found.solves == 0 else 1.0
        upper = height(left, w)
        mix(q.net, q.A, q.B, w)
        if q.cutoff < INFINITY:
            report(q, w, upper, found)
            if found.lower > q.cutoff:
                return NOT_CONVERGED
        status = optimise(q.net, 1e-15 * q.scale, limit)
        if status != OK and interrupted():
            return NOT_CONVERGED
        found.solves += 1
        here = line_of(q.net, q.A, q.B, q.unit)
        at = height(here, w)
        if at > q.cutoff:
            report(q, w, upper, found)
            if found.lower > q.cutoff:
                return NOT_CONVERGED
        if have_right:
            found.share = share_of(left, right)
        if status != OK or found.solves > 200:
            finish(q, w, upper, found)
            return NOT_CONVERGED
        if at >= upper - 4e-16 * q.scale - 1e-14 * upper and (have_right or w == 1.0):
            return finish(q, w, upper, found)
        if here.a < here.b:
            right = here
            have_right = True
            keep(q.net, q.falling)
            continue
        left = here
        keep(q.net, q.rising)
        if w == 1.0 or here.a == here.b:
            found.share = 1.0
            return finish(q, w, at, found)


cdef class Workspace:
    """Memory for one network, kept from pair to pair, and the basis of the last one solved in it."""

    cdef double[::1] doubles
    cdef long long[::1] wholes
    cdef int[::1] natural
    cdef int[::1] parents
    cdef Network net
    cdef double unit, share

    def __cinit__(self):
        self.doubles = np.empty(0)
        self.natural = np.empty(0, dtype=np.intc)
        self.share = 1.0

    cdef void fit(self, Py_ssize_t n, Py_ssize_t m):
        """Place a network of n x m atoms, with room for A and B behind it."""
        cdef Py_ssize_t wanted = network_doubles(n, m) + 2 * n * m
        if self.doubles.shape[0] < wanted:
            self.doubles = np.empty(wanted)
        if self.natural.shape[0] < n + m:
            # Masses, then the flows of two plans.
            self.wholes = np.empty(3 * (n + m), dtype=np.longlong)
            self.natural = np.arange(n + m, dtype=np.intc)
            self.parents = np.empty(2 * (n + m), dtype=np.intc)
        place(&self.net, n, m, &self.doubles[0])

    cdef Kept kept(self, int which):
        """Where the rising (0) or the falling plan (1) of the last problem stands."""
        cdef Py_ssize_t nodes = self.net.n + self.net.m
        return Kept(&self.parents[which * nodes], &self.wholes[(1 + which) * nodes])

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
        cdef Clouds q
        cdef Maximum found
        cdef int status
        self.fit(n, m)
        cdef double *A = &self.doubles[network_doubles(n, m)]
        cdef double *B = A + n * m
        cdef long long *whole = &self.wholes[0]
        cdef int *natural = &self.natural[0]
        cdef Kept rising = self.kept(0), falling = self.kept(1)
        with nogil:
            powers(&x[0, 0], n, &y[0, 0], m, d, p, A)
            powers(&t[0], n, &s[0], m, 1, p, B)
            self.unit = masses(&a[0], n, &b[0], m, uniform, whole, whole + n)
            q = Clouds(
                &self.net, rising, falling, A, B, &a[0], &b[0], whole, whole + n, self.unit,
                max(largest(A, n * m), largest(B, n * m)), cutoff,
            )
            status = NOT_CONVERGED if interrupted_by(n * m) else maximise(
                &q, natural, natural, &x_order[0], &y_order[0], d == 1, &found
            )
        heard()
        self.share = found.share
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
        cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1]
        cdef double lower, value
        cdef const double *C = &cost[0, 0]
        cdef int status
        self.fit(n, m)
        cdef long long *whole = &self.wholes[0]
        cdef Kept plan = self.kept(0)
        with nogil:
            self.unit = masses(&a[0], n, &b[0], m, uniform, whole, whole + n)
            staircase(&self.net, whole, whole + n, &x_order[0], &y_order[0])
            mix(&self.net, C, C, 1.0)
            status = optimise(&self.net, 1e-15 * largest(C, n * m), pivot_limit(n, m))
            # Potentials drift by rounding from pivot to pivot: once more from the root.
            set_potentials(&self.net)
            value = line_of(&self.net, C, C, self.unit).a
            lower = dual_value(&self.net, &a[0], &b[0])
            keep(&self.net, plan)
            self.share = 1.0
        heard()
        return status, value, lower, self.net.pivots

    def coupling(self):
        """(rows, columns, masses) of the plan of the last problem, one row after the other.

        Of tiot it is the plan of the saddle point, which no w makes cost more than the value.
        """
        cdef Py_ssize_t n = self.net.n, m = self.net.m, node, parent, count = 0, most = 2 * (n + m)
        cdef Py_ssize_t[::1] cells = np.empty(most, dtype=np.intp)
        cdef double[::1] moved = np.empty(most)
        cdef double share
        cdef int which
        cdef Kept plan
        for which in range(2):
            share = self.share if which == 0 else 1.0 - self.share
            plan = self.kept(which)
            for node in range(n + m if share > 0.0 else 0):
                parent = plan.parent[node]
                if parent >= 0 and plan.flow[node] > 0:
                    cells[count] = node * m + parent - n if node < n else parent * m + node - n
                    moved[count] = share * (plan.flow[node] * self.unit)
                    count += 1
        used, at = np.unique(np.asarray(cells[:count]), return_inverse=True)
        return used // m, used % m, np.bincount(at, weights=np.asarray(moved[:count]))

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
