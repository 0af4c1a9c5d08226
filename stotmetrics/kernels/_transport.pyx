"""Optimal transport between two clouds, and its maximum over w: the network simplex, parametric in the costs.

A basis stays feasible when the costs change; that is what makes the maximum over w cheap. The first basis comes from
the same problem at coarser scales.
"""

from libc.math cimport INFINITY
from libc.string cimport memcpy

from ._clouds cimport CELL, Atoms, Stack
from ._core cimport NOT_CONVERGED, OK
from ._dense cimport Optimum, transport
from ._interrupt cimport SLICE, heard, interrupted, turn
from ._network cimport (
    Network, arc_costs, dual_value, masses, network_doubles, optimise, pivot_limit, place, row_potential,
    set_potentials, staircase,
)
from ._scales cimport (
    MOST_SCALES, Room, Scale, Side, begin, bound_from, coarsen, highest, lay_out, refine, room_for, scales_of,
)

import numpy as np


# How far from its maximum the search at a coarse scale may end, as a share; and how far w moves first at a finer one.
cdef double ROUGH = 0.03, STEP = 0.005

# A plan: the flow of each node to its parent in the basis that holds it.
cdef struct Kept:
    int *parent
    long long *flow

# Two clouds between which mass is to be moved.
cdef struct Clouds:
    Network *net
    Kept rising                 # a plan whose cost rises with w, or does not change
    Kept falling
    const long long *a          # masses, in units of `unit`
    const long long *b
    double unit
    double scale                # no cost is larger
    double cutoff               # above it nobody asks how far
    double rough                # what may be missing at the end, as a share

# What a plan costs under w A + (1 - w) B, a line in w.
cdef struct Line:
    double a                # <A, P>
    double b                # <B, P>

# Where the search for the best w is, how far it goes next at most, and a line that rises and one that falls, if any.
cdef struct Bracket:
    Line left
    Line right
    bint has_left
    bint has_right
    double w
    double step

cdef struct Maximum:
    double value            # the upper bound on max g where the lines met
    double lower            # the certified dual value at w
    double w
    double share            # of the rising plan in the saddle point; the falling one has the rest
    Py_ssize_t solves


cdef inline double height(Line line, double w) noexcept nogil:
    return w * line.a + (1.0 - w) * line.b


cdef Line line_of(const Network *net, double unit) noexcept nogil:
    """The line of the plan of the basis."""
    cdef Py_ssize_t node
    cdef double a = 0.0, b = 0.0
    cdef Line line
    line.a = line.b = 0.0
    for node in range(net.n + net.m):
        if net.flow[node] > 0 and net.parent[node] >= 0:
            arc_costs(net, node, &a, &b)
            line.a += net.flow[node] * a
            line.b += net.flow[node] * b
    line.a *= unit
    line.b *= unit
    return line


cdef Line line_in_order(const Clouds *q, const int *rows, const int *columns) noexcept nogil:
    """The line of the coupling that fills rows and columns in these orders, whose basis is left behind."""
    staircase(q.net, q.a, q.b, rows, columns)
    return line_of(q.net, q.unit)


cdef inline void keep(const Network *net, Kept plan) noexcept nogil:
    """Remember the plan of the basis, if there is room for it."""
    cdef Py_ssize_t nodes = net.n + net.m
    if plan.parent != NULL:
        memcpy(plan.parent, net.parent, nodes * sizeof(int))
        memcpy(plan.flow, net.flow, nodes * sizeof(long long))


cdef inline double share_of(Line rising, Line falling) noexcept nogil:
    """The share of the rising plan in the mixture whose cost is the same at every w."""
    cdef double up = rising.a - rising.b, down = falling.b - falling.a
    return min(max(down / (up + down), 0.0), 1.0) if up + down > 0.0 else 1.0


cdef inline void weigh(Network *net, double w) noexcept nogil:
    """Costs at w, and the potentials of the basis there."""
    net.costs.w = w
    net.costs.v = 1.0 - w
    set_potentials(net)


cdef inline void report(const Clouds *q, double w, double upper, Maximum *best) noexcept nogil:
    """The bounds at w, from the potentials of the basis."""
    best.w = w
    best.value = upper
    best.lower = dual_value(q.net, q.a, q.b) * q.unit


cdef int finish(const Clouds *q, double w, double upper, Maximum *best) noexcept nogil:
    """Certify the basis at w with fresh potentials."""
    weigh(q.net, w)
    report(q, w, upper, best)
    return OK


cdef inline double crossing(Line left, Line right) noexcept nogil:
    """The w in [0, 1] where two lines meet, the left one the lower at w = 0."""
    cdef double top = right.b - left.b
    return min(max(top / (top + left.a - right.a), 0.0), 1.0)


cdef inline double bound_at(const Bracket *between, double w) noexcept nogil:
    """What g is at most there."""
    cdef double upper = INFINITY
    if between.has_left:
        upper = height(between.left, w)
    if between.has_right:
        upper = min(upper, height(between.right, w))
    return upper


cdef inline double meeting_of(const Bracket *between) noexcept nogil:
    """The w where the lines meet, or the end that one of them leads to: there they bound g."""
    if between.has_left and between.has_right:
        return crossing(between.left, between.right)
    return 1.0 if between.has_left else 0.0


cdef inline bint advance(Bracket *between) noexcept nogil:
    """Go to where the lines meet, or a step towards it, each twice the last; whether it is reached."""
    cdef double meeting = meeting_of(between)
    between.w = min(max(meeting, between.w - between.step), between.w + between.step)
    between.step *= 2.0
    return between.w == meeting


cdef int climb(const Clouds *q, Bracket *between, Maximum *best) noexcept nogil:
    """Maximise g(w) = min_P <w A + (1 - w) B, P>, concave and piecewise linear, over w in [0, 1].

    Every plan's cost is a line in w above g. A rising and a falling line meet at the next w; the plan that is optimal
    there replaces the line on the side its slope points from, until g touches the meeting point. Both lines are optimal
    there, and no w raises the cost of their mixture without slope: the saddle point. Stops early when g rises above the
    cutoff.
    """
    cdef Line here
    cdef double w, upper, at, top
    cdef Py_ssize_t limit = pivot_limit(q.net.n, q.net.m)
    cdef int status
    cdef bint reached = False
    best.solves = 0
    best.share = 1.0
    while True:
        w = between.w
        upper = bound_at(between, w)
        weigh(q.net, w)
        top = bound_at(between, meeting_of(between))
        if q.cutoff < INFINITY:
            report(q, w, top, best)
            if best.lower > q.cutoff:
                return NOT_CONVERGED
        status = optimise(q.net, 1e-15 * q.scale, limit)
        if status != OK and interrupted():
            return NOT_CONVERGED
        best.solves += 1
        here = line_of(q.net, q.unit)
        at = height(here, w)
        if at > q.cutoff:
            report(q, w, top, best)
            if best.lower > q.cutoff:
                return NOT_CONVERGED
        if between.has_left and between.has_right:
            best.share = share_of(between.left, between.right)
        if status != OK or best.solves > 200:
            finish(q, w, top, best)
            return NOT_CONVERGED
        if reached and at >= upper - 4e-16 * q.scale - max(q.rough, 1e-14) * upper:
            return finish(q, w, upper, best)
        if here.a < here.b:
            between.right = here
            between.has_right = True
            keep(q.net, q.falling)
        else:
            between.left = here
            between.has_left = True
            keep(q.net, q.rising)
        if here.a == here.b or w == (1.0 if here.a > here.b else 0.0):
            best.share = 1.0 if here.a >= here.b else 0.0
            return finish(q, w, at, best)
        reached = advance(between)


cdef int maximise(
    const Clouds *q, Scale *scales, Py_ssize_t count, const int *by_time, const int *by_value, bint ordered,
    long long *wholes, int *integers, Maximum *best
) noexcept nogil:
    """The maximum over w of the first of so many scales.

    The order of the times solves w = 0. `ordered` says that the values have one dimension, whose order then solves
    w = 1 for nothing. Orders are of the rows, then of the columns.
    """
    cdef Bracket between
    cdef Py_ssize_t n = q.net.n
    best.solves = 0
    best.share = 1.0
    best.lower = -INFINITY
    between.right.a = between.right.b = 0.0
    between.has_left = True
    between.has_right = ordered
    between.step = 1.0
    between.left = line_in_order(q, by_time, by_time + n)
    keep(q.net, q.rising)
    if between.left.a <= between.left.b:
        return finish(q, 0.0, between.left.b, best)
    if ordered:
        between.right = line_in_order(q, by_value, by_value + n)
        keep(q.net, q.falling)
        if between.right.a >= between.right.b:
            best.share = 0.0
            return finish(q, 1.0, between.right.a, best)
    between.w = crossing(between.left, between.right) if ordered else 0.5
    if q.cutoff < INFINITY:
        finish(q, between.w, bound_at(&between, between.w), best)
    if best.lower > q.cutoff or (count > 1 and descend(q, scales, count, wholes, integers, &between, best)):
        return NOT_CONVERGED
    return climb(q, &between, best)


cdef bint descend(
    const Clouds *q, Scale *scales, Py_ssize_t count, long long *wholes, int *integers, Bracket *between, Maximum *best
) noexcept nogil:
    """From the coarsest scale to the first, which starts near the best w, from a plan that is near the best.

    True if that is not needed, since the maximum lies above the cutoff.
    """
    cdef Py_ssize_t level
    cdef Scale *scale = &scales[count - 1]
    cdef Bracket coarse
    cdef Maximum nearly
    cdef Clouds part = q[0]
    part.rising = part.falling = Kept(NULL, NULL)
    part.cutoff = INFINITY
    part.rough = ROUGH
    coarse.w = between.w
    coarse.step = 1.0
    begin(scale, integers)
    for level in range(count - 1, 0, -1):
        scale = &scales[level]
        part.net = &scale.net
        part.a = scale.rows.whole
        part.b = scale.columns.whole
        coarse.has_left = coarse.has_right = False
        if (climb(&part, &coarse, &nearly) != OK and interrupted()) or not refine(
            scale, &scales[level - 1], wholes, integers
        ):
            # The first scale then starts from the coupling in order.
            return False
        if q.cutoff < INFINITY:
            best.lower = bound_from(scale, scales) * q.unit
            if best.lower > q.cutoff:
                best.w = coarse.w
                best.value = bound_at(between, meeting_of(between))
                return True
        coarse.step = STEP
    between.w = coarse.w
    between.step = STEP
    return False


cdef void gather(const Atoms *cloud, Py_ssize_t d, const long long *whole, Side *side, int *place_of) noexcept nogil:
    """The atoms of one side in the order of their hierarchy, and where each has gone."""
    cdef Py_ssize_t i, k
    cdef int atom
    for i in range(side.size):
        atom = cloud.tree[i]
        place_of[atom] = <int>i
        side.t[i] = cloud.times[atom]
        side.whole[i] = whole[atom]
        for k in range(d):
            side.x[i * d + k] = cloud.values[atom * d + k]


cdef class Workspace:
    """Memory for one problem, kept from pair to pair, and the basis of the last one solved in it."""

    cdef double[::1] doubles
    cdef long long[::1] wholes
    cdef int[::1] integers
    cdef const double[:, ::1] cost      # the network may read it later
    cdef const int[::1] row_atoms       # which atom each node of the network is
    cdef const int[::1] column_atoms
    cdef Network net
    cdef double unit, share

    def __cinit__(self):
        self.doubles = np.empty(0)
        self.wholes = np.empty(0, dtype=np.longlong)
        self.integers = np.empty(0, dtype=np.intc)
        self.share = 1.0

    cdef void fit(self, Py_ssize_t doubles, Py_ssize_t wholes, Py_ssize_t integers):
        if self.doubles.shape[0] < doubles:
            self.doubles = np.empty(doubles)
        if self.wholes.shape[0] < wholes:
            self.wholes = np.empty(wholes, dtype=np.longlong)
        if self.integers.shape[0] < integers:
            self.integers = np.empty(integers, dtype=np.intc)

    cdef Kept kept(self, int which, Py_ssize_t nodes) noexcept nogil:
        """Where the rising (0) or the falling plan (1) of the last problem stands."""
        return Kept(&self.integers[which * nodes], &self.wholes[which * nodes])

    cdef void fit_all(
        self, Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double p
    ):
        """Room for each of some pairs of clouds."""
        cdef Py_ssize_t k, n, m, doubles = 0, wholes = 0, integers = 0
        cdef Room room
        for k in range(rows.shape[0]):
            n, m = left.atoms(rows[k]).size, right.atoms(cols[k]).size
            room = room_for(n, m, left.features, p)
            # Two plans, then what `refine` works in, the orders of times and of values, and the scales.
            doubles = max(doubles, room.doubles)
            wholes = max(wholes, 2 * (n + m) + room.spare_wholes + room.wholes)
            integers = max(integers, 4 * (n + m) + room.spare_integers + room.integers)
        self.fit(doubles, wholes, integers)

    cdef int solve(
        self, const Atoms *x, const Atoms *y, Py_ssize_t d, double p, double cutoff, Maximum *best
    ) noexcept nogil:
        """One pair; there is room for it."""
        cdef Py_ssize_t n = x.size, m = y.size, nodes = n + m, i, count = scales_of(n, m)
        cdef Room room = room_for(n, m, d, p)
        cdef Scale scales[MOST_SCALES]
        cdef Clouds q
        cdef int status
        cdef long long *wholes = &self.wholes[2 * nodes]
        cdef int *by_time = &self.integers[2 * nodes]
        cdef int *by_value = by_time + nodes
        cdef int *integers = by_value + nodes
        lay_out(
            scales, n, m, d, p, &self.doubles[0], wholes + room.spare_wholes, integers + room.spare_integers, integers
        )
        self.unit = masses(x.weights, n, y.weights, m, x.uniform and y.uniform, wholes, wholes + n)
        gather(x, d, wholes, &scales[0].rows, by_time)
        gather(y, d, wholes + n, &scales[0].columns, by_time + n)
        for i in range(n):
            by_value[i] = by_time[x.order[i]]
        for i in range(m):
            by_value[n + i] = by_time[n + y.order[i]]
        coarsen(scales, count, d, p)
        q = Clouds(
            &scales[0].net, self.kept(0, nodes), self.kept(1, nodes), scales[0].rows.whole, scales[0].columns.whole,
            self.unit, highest(scales, d), cutoff, 0.0,
        )
        status = maximise(&q, scales, count, by_time, by_value, d == 1, wholes, integers, best)
        self.net = scales[0].net
        self.share = best.share
        return status

    def tiots(
        self, Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double p,
        const double[::1] cutoffs
    ):
        """(statuses, upper bounds, certified lower bounds, w, solves) of max_w min_P <C_w, P> for the pairs of clouds
        (rows[k], cols[k]) in two stacks.

        What is certainly above its cutoff is not solved to the end, and has another status than 0.
        """
        cdef Py_ssize_t k, count = rows.shape[0], until = SLICE
        statuses, solves = np.ones(count, dtype=np.intc), np.zeros(count, dtype=np.intp)
        uppers, lowers, ws = np.zeros(count), np.zeros(count), np.zeros(count)
        cdef int[::1] status = statuses
        cdef Py_ssize_t[::1] solved = solves
        cdef double[::1] upper = uppers, lower = lowers, w = ws
        cdef Atoms x, y
        cdef Maximum best
        self.fit_all(left, right, rows, cols, p)
        with nogil:
            for k in range(count):
                x, y = left.atoms(rows[k]), right.atoms(cols[k])
                status[k] = self.solve(&x, &y, left.features, p, cutoffs[k], &best)
                upper[k], lower[k], w[k], solved[k] = best.value, best.lower, best.w, best.solves
                if turn(&until, CELL * x.size * y.size):
                    break
        heard()
        if count > 0:
            self.row_atoms = left.halved[left.at[rows[count - 1]]:left.at[rows[count - 1] + 1]]
            self.column_atoms = right.halved[right.at[cols[count - 1]]:right.at[cols[count - 1] + 1]]
        return statuses, uppers, lowers, ws, solves

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
        cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1], nodes = n + m
        cdef Optimum best
        cdef int status
        self.fit(network_doubles(n, m), 3 * nodes, 2 * nodes)
        place(&self.net, n, m, &self.doubles[0])
        self.cost = cost
        self.row_atoms = self.column_atoms = None
        with nogil:
            status = transport(
                &self.net, &cost[0, 0], &a[0], &x_order[0], &b[0], &y_order[0], uniform, &self.wholes[2 * nodes],
                &best,
            )
            keep(&self.net, self.kept(0, nodes))
            self.unit = best.unit
            self.share = 1.0
        heard()
        return status, best.value, best.lower, self.net.pivots

    def coupling(self):
        """(rows, columns, masses) of the plan of the last problem, one row after the other.

        Of tiot it is the plan of the saddle point, which no w makes cost more than the value.
        """
        cdef Py_ssize_t n = self.net.n, m = self.net.m, node, parent, count = 0
        cdef Py_ssize_t[::1] rows = np.empty(2 * (n + m), dtype=np.intp)
        cdef Py_ssize_t[::1] columns = np.empty(2 * (n + m), dtype=np.intp)
        cdef double[::1] moved = np.empty(2 * (n + m))
        cdef double share
        cdef int which
        cdef Kept plan
        for which in range(2):
            share = self.share if which == 0 else 1.0 - self.share
            plan = self.kept(which, n + m)
            for node in range(n + m if share > 0.0 else 0):
                parent = plan.parent[node]
                if parent >= 0 and plan.flow[node] > 0:
                    rows[count] = node if node < n else parent
                    columns[count] = (parent if node < n else node) - n
                    moved[count] = share * (plan.flow[node] * self.unit)
                    count += 1
        cells = _atoms(rows[:count], self.row_atoms) * m + _atoms(columns[:count], self.column_atoms)
        used, at = np.unique(cells, return_inverse=True)
        return used // m, used % m, np.bincount(at, weights=np.asarray(moved[:count]))

    def potentials(self):
        """(f, g) of the last basis, those of the rows made feasible exactly."""
        cdef Py_ssize_t n = self.net.n, m = self.net.m, i
        cdef double[::1] rows = np.empty(n)
        for i in range(n):
            rows[i] = row_potential(&self.net, i)
        f, g = np.empty(n), np.empty(m)
        f[_atoms(np.arange(n), self.row_atoms)] = rows
        g[_atoms(np.arange(m), self.column_atoms)] = np.array(<double[:m]>(self.net.potential + n))
        return f, g


def _atoms(nodes, atoms):
    """Which atoms nodes of the network are; themselves where that is not said."""
    return np.asarray(nodes) if atoms is None else np.asarray(atoms)[np.asarray(nodes)].astype(np.intp)
