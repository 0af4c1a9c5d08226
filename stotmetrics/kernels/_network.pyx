"""The network simplex on the dense bipartite graph.

All arcs are priced when nothing else is left to do, and at the end. In between, those that once had a negative reduced
cost stay on a short list, where most pivots come from.

Masses are integers, so flows are exact: a basis stays a strongly feasible spanning tree (Cunningham 1976) in which
every arc without flow points towards the root, and the method cannot cycle. A basis stays feasible when the costs
change, and the next search starts from it.
"""

from libc.math cimport llround
from libc.stdint cimport INT64_MAX

from ._core cimport NOT_CONVERGED, OK
from ._cpu cimport chosen
from ._interrupt cimport SLICE, interrupted, turn
from ._simd cimport simd_follow, simd_running


cdef extern from "_pricing.h" nogil:
    double pricing_row(const pricing_costs *c, Py_ssize_t i, const double *potential, double *reduced)
    void pricing_cell(const pricing_costs *c, Py_ssize_t i, Py_ssize_t j, double *a, double *b)


simd_follow(&chosen)

# What masses that are not all equal are rounded to add up to.
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


# Arcs of the short list for each node; the share of it that is priced at once, and of the rows that add an arc to it at
# once. Rows that are priced at once from a start that is far off.
cdef Py_ssize_t LISTED = 16, BLOCKS = 64, REFILLS = 4, ROWS = 24


cdef Py_ssize_t network_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Size of the workspace that `place` cuts up."""
    return (5 + 3 * LISTED) * (n + m) + m + 200


cdef void place(Network *net, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil:
    cdef Py_ssize_t nodes = n + m
    cdef int *integers
    net.n = net.costs.n = n
    net.m = net.costs.m = m
    net.costs.w = 1.0
    net.costs.v = 0.0
    net.costs.A = NULL
    net.costs.B = NULL
    net.capacity = LISTED * nodes + 60
    net.potential = work
    net.reduced = work + nodes
    net.list_a = net.reduced + m
    net.list_b = net.list_a + net.capacity
    net.flow = <long long *>(net.list_b + net.capacity)
    integers = <int *>(net.flow + nodes)
    net.parent = integers
    net.depth = integers + nodes
    net.child = integers + 2 * nodes
    net.after = integers + 3 * nodes
    net.before = integers + 4 * nodes
    net.source = integers + 5 * nodes
    net.sink = net.source + net.capacity
    net.row = 0
    net.count = 0
    net.at = 0
    net.pivots = 0
    net.near = False


cdef inline void detach(Network *net, int node) noexcept nogil:
    cdef int before = net.before[node], after = net.after[node]
    if before >= 0:
        net.after[before] = after
    else:
        net.child[net.parent[node]] = after
    if after >= 0:
        net.before[after] = before


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


cdef void arc_costs(const Network *net, Py_ssize_t node, double *a, double *b) noexcept nogil:
    """Both costs of the arc between a node and its parent."""
    cdef Py_ssize_t n = net.n, parent = net.parent[node]
    if node < n:
        pricing_cell(&net.costs, node, parent - n, a, b)
    else:
        pricing_cell(&net.costs, parent, node - n, a, b)


cdef void set_potentials(Network *net) noexcept nogil:
    """Potentials and depths from the root down: u_i + v_j = C_ij on every arc of the tree."""
    cdef int root = root_of(net), node = root, parent
    cdef double a = 0.0, b = 0.0
    net.potential[root] = 0.0
    net.depth[root] = 0
    node = following(net, root, root)
    while node >= 0:
        parent = net.parent[node]
        net.depth[node] = net.depth[parent] + 1
        arc_costs(net, node, &a, &b)
        net.potential[node] = net.costs.w * a + net.costs.v * b - net.potential[parent]
        node = following(net, node, root)


cdef inline double reduced_cost(const Network *net, Py_ssize_t arc) noexcept nogil:
    """Of an arc of the short list."""
    return (
        net.costs.w * net.list_a[arc] + net.costs.v * net.list_b[arc]
        - net.potential[net.source[arc]] - net.potential[net.sink[arc]]
    )


cdef void shorten(Network *net) noexcept nogil:
    """Make room in the short list: drop the arcs of more than the mean reduced cost."""
    cdef Py_ssize_t arc, kept
    cdef double mean
    while net.count > net.capacity // 2:
        mean = 0.0
        for arc in range(net.count):
            mean += reduced_cost(net, arc)
        mean /= net.count
        kept = 0
        for arc in range(net.count):
            if reduced_cost(net, arc) < mean:
                net.source[kept] = net.source[arc]
                net.sink[kept] = net.sink[arc]
                net.list_a[kept] = net.list_a[arc]
                net.list_b[kept] = net.list_b[arc]
                kept += 1
        net.count = kept if kept < net.count else 0


cdef inline void enlist(Network *net, Py_ssize_t i, double low, double tolerance) noexcept nogil:
    """Add the arc of a row whose entry in net.reduced is `low`, if the list too finds its reduced cost negative."""
    cdef Py_ssize_t arc = net.count, j = 0
    while j < net.m - 1 and net.reduced[j] != low:
        j += 1
    net.source[arc] = <int>i
    net.sink[arc] = <int>(net.n + j)
    pricing_cell(&net.costs, i, j, &net.list_a[arc], &net.list_b[arc])
    if reduced_cost(net, arc) < -tolerance:
        net.count += 1


cdef bint refill(Network *net, double tolerance, Py_ssize_t *left) noexcept nogil:
    """Price all arcs row by row, and put the best of each row on the short list; False at an optimum or a stop."""
    cdef Py_ssize_t _priced, most = 8 + net.n // REFILLS, before
    cdef double low
    if net.count + most > net.capacity:
        shorten(net)
    before = net.count
    for _priced in range(net.n):
        low = pricing_row(&net.costs, net.row, net.potential + net.n, net.reduced)
        if low - net.potential[net.row] < -tolerance:
            enlist(net, net.row, low, tolerance)
        net.row = net.row + 1 if net.row + 1 < net.n else 0
        if turn(left, net.m):
            return False
        if net.count == before + most:
            break
    net.at = net.count
    return net.count > before


cdef bint replace(Network *net, double tolerance, Py_ssize_t *left) noexcept nogil:
    """Put the best arc of the next block of rows that has one on the short list, alone; False at an optimum or a stop.

    Far from the optimum the next pivot changes the potentials so much that no other arc is of use for long.
    """
    cdef Py_ssize_t _priced, block = 1 + net.n // ROWS, unpriced = block, best_row = -1
    cdef double low, best = -tolerance
    for _priced in range(net.n):
        low = pricing_row(&net.costs, net.row, net.potential + net.n, net.reduced) - net.potential[net.row]
        if low < best:
            best = low
            best_row = net.row
        net.row = net.row + 1 if net.row + 1 < net.n else 0
        unpriced -= 1
        if unpriced == 0:
            if best_row >= 0:
                break
            unpriced = block
        if turn(left, net.m):
            return False
    net.count = 0
    net.at = 1
    if best_row < 0:
        return False
    enlist(net, best_row, pricing_row(&net.costs, best_row, net.potential + net.n, net.reduced), tolerance)
    return net.count > 0


cdef Py_ssize_t enter(Network *net, double tolerance) noexcept nogil:
    """The arc of least reduced cost in the next block of the short list that has a negative one; -1 at its end."""
    cdef Py_ssize_t _priced, arc = net.at, best = -1, block = 32 + net.count // BLOCKS, unpriced = block
    cdef double low = -tolerance, reduced
    for _priced in range(net.count):
        if arc == 0:
            arc = net.count
        arc -= 1
        reduced = reduced_cost(net, arc)
        if reduced < low:
            low = reduced
            best = arc
        unpriced -= 1
        if unpriced == 0:
            if best >= 0:
                break
            unpriced = block
    net.at = arc
    return best


# The arc that leaves the tree in a pivot: between `node` and its parent, on the source's side of the cycle or not.
cdef struct Leaving:
    int node
    bint source_side
    long long flow          # what the cycle carries until this arc is empty


cdef inline int join_of(const Network *net, int u, int v) noexcept nogil:
    """Where the paths from two nodes to the root meet."""
    while u != v:
        if net.depth[u] >= net.depth[v]:
            u = net.parent[u]
        else:
            v = net.parent[v]
    return u


cdef inline Leaving blocking(const Network *net, int source, int sink, int join) noexcept nogil:
    """The arc that leaves.

    Flow round the cycle shrinks on the arcs of sources on the source's side, of sinks on the sink's. The last blocking
    arc, seen from the join along the cycle, leaves: that keeps the tree strongly feasible.
    """
    cdef Leaving leaving
    cdef int n = <int>net.n, node = source
    leaving.node = -1
    leaving.source_side = True
    leaving.flow = INT64_MAX
    while node != join:
        if node < n and net.flow[node] < leaving.flow:
            leaving.flow = net.flow[node]
            leaving.node = node
        node = net.parent[node]
    node = sink
    while node != join:
        if node >= n and net.flow[node] <= leaving.flow:
            leaving.flow = net.flow[node]
            leaving.node = node
            leaving.source_side = False
        node = net.parent[node]
    return leaving


cdef inline void push(Network *net, int source, int sink, int join, long long flow) noexcept nogil:
    """Send flow round the cycle that the arc source -> sink closes."""
    cdef int n = <int>net.n, node = source
    while node != join:
        net.flow[node] += -flow if node < n else flow
        node = net.parent[node]
    node = sink
    while node != join:
        net.flow[node] += flow if node < n else -flow
        node = net.parent[node]


cdef inline void rehang(Network *net, int node, int parent, int last, long long carried) noexcept nogil:
    """Hang the cut-off subtree from the other end of the new arc: turn the path from there to the leaving arc round."""
    cdef int above
    cdef long long kept
    while True:
        above = net.parent[node]
        kept = net.flow[node]
        detach(net, node)
        attach(net, node, parent)
        net.flow[node] = carried
        if node == last:
            return
        parent = node
        carried = kept
        node = above


cdef inline void shift_potentials(Network *net, int top, double shift) noexcept nogil:
    """Depths and potentials of a subtree that hangs elsewhere now."""
    cdef int n = <int>net.n, node = top
    while node >= 0:
        net.depth[node] = net.depth[net.parent[node]] + 1
        net.potential[node] += shift if node < n else -shift
        node = following(net, node, top)


cdef void pivot(Network *net, Py_ssize_t arc) noexcept nogil:
    """Bring an arc of the short list into the tree, and its potentials up to date."""
    cdef int source = net.source[arc], sink = net.sink[arc]
    cdef double reduced = reduced_cost(net, arc)
    cdef int join = join_of(net, source, sink)
    cdef Leaving leaving = blocking(net, source, sink, join)
    if leaving.flow > 0:
        push(net, source, sink, join, leaving.flow)
    if leaving.source_side:
        rehang(net, source, sink, leaving.node, leaving.flow)
        shift_potentials(net, source, reduced)
    else:
        rehang(net, sink, source, leaving.node, leaving.flow)
        shift_potentials(net, sink, -reduced)
    net.pivots += 1


cdef int optimise(Network *net, double tolerance, Py_ssize_t max_pivots) noexcept nogil:
    """Pivot until no reduced cost lies below -tolerance."""
    cdef Py_ssize_t last = net.pivots + max_pivots, left = SLICE, arc
    while True:
        arc = enter(net, tolerance)
        if arc < 0:
            if refill(net, tolerance, &left) if net.near else replace(net, tolerance, &left):
                continue
            return NOT_CONVERGED if interrupted() else OK
        if net.pivots >= last or turn(&left, net.n + net.m):
            return NOT_CONVERGED
        pivot(net, arc)


cdef Py_ssize_t pivot_limit(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Far above what any instance was seen to need."""
    return 10000 + 200 * (n + m)


cdef double price(const pricing_costs *c, Py_ssize_t i, const double *potential, double *reduced) noexcept nogil:
    """One row, by the build that this module was told to run."""
    return pricing_row(c, i, potential, reduced)


cdef double row_potential(Network *net, Py_ssize_t i) noexcept nogil:
    """The largest potential of row i that is feasible with the potentials of the columns."""
    return pricing_row(&net.costs, i, net.potential + net.n, net.reduced)


cdef double dual_value(Network *net, const long long *a, const long long *b) noexcept nogil:
    """A lower bound on the transport cost: the dual value with the potentials of the rows made feasible exactly."""
    cdef Py_ssize_t n = net.n, m = net.m, i, j
    cdef double total = 0.0
    for i in range(n):
        total += a[i] * row_potential(net, i)
    for j in range(m):
        total += b[j] * net.potential[n + j]
    return total


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
