"""The network simplex on the dense bipartite graph.

Masses are integers, so flows are exact: a basis stays a strongly feasible spanning tree (Cunningham 1976) in which
every arc without flow points towards the root, and the method cannot cycle. A basis stays feasible when the costs
change, and the next search starts from it.
"""

from libc.math cimport INFINITY, llround
from libc.stdint cimport INT64_MAX

from ._core cimport NOT_CONVERGED, OK
from ._cpu cimport chosen
from ._interrupt cimport SLICE, turn
from ._simd cimport simd_follow, simd_running


cdef extern from "_pricing.h" nogil:
    double least(const double *cost, const double *potential, Py_ssize_t m)


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


cdef void pivot(Network *net, int source, int sink) noexcept nogil:
    """Bring the arc source -> sink into the tree, and its potentials up to date."""
    cdef double reduced = net.cost[source * net.m + sink - net.n] - net.potential[source] - net.potential[sink]
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
    cdef int source = 0, sink = 0
    cdef Py_ssize_t last = net.pivots + max_pivots, left = SLICE
    cdef Py_ssize_t work = net.n * net.m // 24 + net.n + net.m
    while enter(net, tolerance, &source, &sink):
        if net.pivots >= last or turn(&left, work):
            return NOT_CONVERGED
        pivot(net, source, sink)
    return OK


cdef Py_ssize_t pivot_limit(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Far above what any instance was seen to need."""
    return 10000 + 200 * (n + m)


cdef double row_potential(Network *net, Py_ssize_t i) noexcept nogil:
    """The largest potential of row i that is feasible with the potentials of the columns."""
    return least(net.cost + i * net.m, net.potential + net.n, net.m)


cdef double dual_value(Network *net, const double *a, const double *b) noexcept nogil:
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
