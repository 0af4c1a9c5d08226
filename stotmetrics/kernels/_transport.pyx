"""Optimal transport by the network simplex on the dense bipartite graph, parametric in the costs.

Masses are integers, so flows are exact: a basis stays a strongly feasible spanning tree (Cunningham 1976) in which
every arc without flow points towards the root, and the method cannot cycle. A basis stays feasible when the costs
change; that is what makes the maximum over w cheap.
"""

from libc.math cimport INFINITY, llround
from libc.stdint cimport INT64_MAX

from ._core cimport NOT_CONVERGED, OK
from ._costs cimport powers

import numpy as np


cdef extern from "_pricing.h" nogil:
    ctypedef double (*least_fn)(const double *cost, const double *potential, Py_ssize_t m)
    least_fn choose_least()


cdef least_fn least = choose_least()


cdef Py_ssize_t network_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Size of the workspace that `place` cuts up."""
    return n * m + 5 * (n + m) + 8


cdef void place(Network *net, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil:
    cdef Py_ssize_t nodes = n + m
    cdef int *integers
    net.n = n
    net.m = m
    net.cost = work
    net.potential = work + n * m
    net.flow = <long long *>(work + n * m + nodes)
    integers = <int *>(work + n * m + 2 * nodes)
    net.parent = integers
    net.depth = integers + nodes
    net.child = integers + 2 * nodes
    net.after = integers + 3 * nodes
    net.before = integers + 4 * nodes
    net.row = 0
    net.pivots = 0


cdef inline void attach(Network *net, int node, int parent) noexcept nogil:
    cdef int first = net.child[parent]
    net.parent[node] = parent
    net.before[node] = -1
    net.after[node] = first
    if first >= 0:
        net.before[first] = node
    net.child[parent] = node


cdef inline void detach(Network *net, int node) noexcept nogil:
    cdef int before = net.before[node], after = net.after[node]
    if before >= 0:
        net.after[before] = after
    else:
        net.child[net.parent[node]] = after
    if after >= 0:
        net.before[after] = before


cdef inline int following(Network *net, int node, int top) noexcept nogil:
    """The next node of the subtree of `top` in depth-first order, -1 after the last."""
    if net.child[node] >= 0:
        return net.child[node]
    while node != top:
        if net.after[node] >= 0:
            return net.after[node]
        node = net.parent[node]
    return -1


cdef void staircase(
    Network *net, const long long *a, const long long *b, const int *rows, const int *columns
) noexcept nogil:
    """The basis of the coupling that fills rows and columns in the given orders (the north-west corner rule)."""
    cdef Py_ssize_t n = net.n, m = net.m, i = 0, j = 0, node
    cdef int row = rows[0], column = <int>(n + columns[0])
    cdef long long supply = a[rows[0]], demand = b[columns[0]]
    for node in range(n + m):
        net.child[node] = -1
    net.parent[row] = -1
    net.after[row] = -1
    net.before[row] = -1
    net.flow[row] = 0
    attach(net, column, row)
    net.flow[column] = min(supply, demand)
    while True:
        if supply <= demand:
            # On a tie the next row comes in with no flow: a source may, since its arc points to its parent.
            demand -= supply
            i += 1
            if i == n:
                break
            row = rows[i]
            supply = a[row]
            attach(net, row, column)
            net.flow[row] = min(supply, demand)
        else:
            supply -= demand
            j += 1
            if j == m:
                break
            column = <int>(n + columns[j])
            demand = b[columns[j]]
            attach(net, column, row)
            net.flow[column] = min(supply, demand)
    net.row = 0


cdef int root_of(Network *net) noexcept nogil:
    cdef int node = 0
    while net.parent[node] >= 0:
        node = net.parent[node]
    return node


cdef void set_potentials(Network *net) noexcept nogil:
    """Potentials and depths from the root down: u_i + v_j = C_ij on every arc of the tree."""
    cdef int n = <int>net.n, root = root_of(net), node = root, parent
    net.potential[root] = 0.0
    net.depth[root] = 0
    node = following(net, root, root)
    while node >= 0:
        parent = net.parent[node]
        net.depth[node] = net.depth[parent] + 1
        if node < n:
            net.potential[node] = net.cost[node * net.m + parent - n] - net.potential[parent]
        else:
            net.potential[node] = net.cost[parent * net.m + node - n] - net.potential[parent]
        node = following(net, node, root)


cdef bint enter(Network *net, double tolerance, int *source, int *sink) noexcept nogil:
    """Block pricing: the least reduced cost of the next rows that have a negative one; False at an optimum."""
    cdef Py_ssize_t n = net.n, m = net.m, _scanned, row = net.row, best_row = -1, block, j, left
    cdef double best = -tolerance, low
    cdef const double *costs
    block = left = 1 + n // 24
    for _scanned in range(n):
        low = least(net.cost + row * m, net.potential + n, m) - net.potential[row]
        if low < best:
            best = low
            best_row = row
        row += 1
        if row == n:
            row = 0
        left -= 1
        if left == 0:
            if best_row >= 0:
                break
            left = block
    net.row = row
    if best_row < 0:
        return False
    costs = net.cost + best_row * m
    best += net.potential[best_row]
    low = INFINITY
    for j in range(m):
        if costs[j] - net.potential[n + j] < low:
            low = costs[j] - net.potential[n + j]
            sink[0] = <int>(n + j)
    source[0] = <int>best_row
    return True


cdef void pivot(Network *net, int source, int sink) noexcept nogil:
    """Bring the arc source -> sink into the tree, and its potentials up to date."""
    cdef int n = <int>net.n, u = source, v = sink, join, leaving = -1, node, parent, above, top
    cdef long long least_flow = INT64_MAX, carried, kept
    cdef bint source_side = True
    cdef double reduced = net.cost[source * net.m + sink - n] - net.potential[source] - net.potential[sink]
    # Flow round the cycle shrinks on the arcs of sources on the source's side, of sinks on the sink's. The last
    # blocking arc, seen from the join along the cycle, leaves: that keeps the tree strongly feasible.
    while u != v:
        if net.depth[u] >= net.depth[v]:
            u = net.parent[u]
        else:
            v = net.parent[v]
    join = u
    node = source
    while node != join:
        if node < n and net.flow[node] < least_flow:
            least_flow = net.flow[node]
            leaving = node
        node = net.parent[node]
    node = sink
    while node != join:
        if node >= n and net.flow[node] <= least_flow:
            least_flow = net.flow[node]
            leaving = node
            source_side = False
        node = net.parent[node]
    if least_flow > 0:
        node = source
        while node != join:
            net.flow[node] += -least_flow if node < n else least_flow
            node = net.parent[node]
        node = sink
        while node != join:
            net.flow[node] += least_flow if node < n else -least_flow
            node = net.parent[node]
    # Hang the cut-off subtree from the other end of the new arc: turn the path from there to the leaving arc round.
    top = source if source_side else sink
    parent = sink if source_side else source
    node = top
    carried = least_flow
    while True:
        above = net.parent[node]
        kept = net.flow[node]
        detach(net, node)
        attach(net, node, parent)
        net.flow[node] = carried
        if node == leaving:
            break
        parent = node
        carried = kept
        node = above
    if not source_side:
        reduced = -reduced
    node = top
    while node >= 0:
        net.depth[node] = net.depth[net.parent[node]] + 1
        net.potential[node] += reduced if node < n else -reduced
        node = following(net, node, top)
    net.pivots += 1


cdef int optimise(Network *net, double tolerance, Py_ssize_t max_pivots) noexcept nogil:
    """Pivot until no reduced cost lies below -tolerance."""
    cdef int source = 0, sink = 0
    cdef Py_ssize_t last = net.pivots + max_pivots
    while enter(net, tolerance, &source, &sink):
        if net.pivots >= last:
            return NOT_CONVERGED
        pivot(net, source, sink)
    return OK


cdef inline Py_ssize_t pivot_limit(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Far above what any instance was seen to need."""
    return 10000 + 200 * (n + m)


cdef double dual_value(Network *net, const double *a, const double *b) noexcept nogil:
    """A lower bound on the transport cost: the dual value with the potentials of the rows made feasible exactly."""
    cdef Py_ssize_t n = net.n, m = net.m, i, j
    cdef double total = 0.0
    for i in range(n):
        total += a[i] * least(net.cost + i * m, net.potential + n, m)
    for j in range(m):
        total += b[j] * net.potential[n + j]
    return total


cdef double masses(
    const double *a, Py_ssize_t n, const double *b, Py_ssize_t m, bint uniform, long long *whole_a, long long *whole_b
) noexcept nogil:
    """Masses as integers of one total, exact when all are equal, else to 2**-60 of the total; returns their unit."""
    cdef Py_ssize_t i, k = n, rest = m
    if uniform:
        while rest:
            k, rest = rest, k % rest
        for i in range(n):
            whole_a[i] = m // k
        for i in range(m):
            whole_b[i] = n // k
        return 1.0 / (<double>n * <double>(m // k))
    round_masses(a, n, whole_a)
    round_masses(b, m, whole_b)
    return 1.0 / TOTAL


cdef double TOTAL = 2.0**60


cdef void round_masses(const double *a, Py_ssize_t n, long long *whole) noexcept nogil:
    cdef Py_ssize_t i, largest = 0
    cdef long long missing = <long long>TOTAL
    for i in range(n):
        whole[i] = max(1, llround(a[i] * TOTAL))
        missing -= whole[i]
        if whole[i] > whole[largest]:
            largest = i
    whole[largest] += missing


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
            f[i] = least(self.net.cost + i * m, self.net.potential + n, m)
        for j in range(m):
            g[j] = self.net.potential[n + j]
        return np.asarray(f), np.asarray(g)
