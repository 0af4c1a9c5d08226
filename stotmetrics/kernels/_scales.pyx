"""Coarse scales of a transport problem: their optimal basis, refined, is a good first basis of the next finer one.

A cloud is halved across its widest side again and again, which puts its atoms in an order in which neighbours lie side
by side; the nodes of any scale stand for ranges of that order, each at its centre of mass.
"""

from libc.math cimport INFINITY, sqrt
from libc.string cimport memcpy, memset

from ._costs cimport powers
from ._network cimport (
    Network, attach, dual_value, following, network_doubles, place, price, pricing_costs, root_of, staircase,
)


# The coarsest scale has two to this power nodes a side.
cdef Py_ssize_t COARSEST = 3


cdef void select(int *order, const double *key, Py_ssize_t low, Py_ssize_t high, Py_ssize_t middle) noexcept nogil:
    """Reorder [low, high) so that no key before `middle` is above one behind it (Hoare's quickselect)."""
    cdef Py_ssize_t i, j
    cdef double pivot
    high -= 1
    while low < high:
        pivot = key[order[(low + high) // 2]]
        i = low
        j = high
        while i <= j:
            while key[order[i]] < pivot:
                i += 1
            while key[order[j]] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


cdef inline double extent(
    const double *x, Py_ssize_t stride, const int *order, Py_ssize_t low, Py_ssize_t high
) noexcept nogil:
    """How far apart the atoms of a range are along one axis."""
    cdef double least = x[order[low] * stride], most = least
    cdef Py_ssize_t k
    for k in range(low + 1, high):
        least = min(least, x[order[k] * stride])
        most = max(most, x[order[k] * stride])
    return most - least


cdef void halve(const double *x, const double *t, Py_ssize_t n, Py_ssize_t d, double *key, int *order) noexcept nogil:
    """The order of repeated halving across the widest side, where times are as far apart as values."""
    cdef Py_ssize_t k, i
    cdef double width, values = 0.0, unit
    for i in range(n):
        order[i] = <int>i
    for k in range(d):
        width = extent(x + k, d, order, 0, n)
        values += width * width
    width = extent(t, 1, order, 0, n)
    unit = sqrt(values) / width if width > 0.0 else 0.0
    halve_range(x, t, d, unit, key, order, 0, n)


cdef void halve_range(
    const double *x, const double *t, Py_ssize_t d, double unit, double *key, int *order, Py_ssize_t low,
    Py_ssize_t high
) noexcept nogil:
    """Order one range; a halved one recurs to its left half alone, so that the depth is that of the halving."""
    cdef Py_ssize_t middle, k, best, i
    cdef double widest, width
    while high - low > 1:
        best = d
        widest = unit * extent(t, 1, order, low, high)
        for k in range(d):
            width = extent(x + k, d, order, low, high)
            if width > widest:
                widest = width
                best = k
        middle = (low + high) // 2
        for i in range(low, high):
            key[order[i]] = t[order[i]] if best == d else x[order[i] * d + best]
        select(order, key, low, high, middle)
        halve_range(x, t, d, unit, key, order, low, middle)
        low = middle


cdef Py_ssize_t depth_of(Py_ssize_t n) noexcept nogil:
    """How often a side can be halved; one halving less leaves no more than three quarters as many nodes as atoms."""
    cdef Py_ssize_t depth = 0
    while 3 * n >= <Py_ssize_t>4 << depth:
        depth += 1
    return depth


cdef Py_ssize_t scales_of(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """The atoms themselves, then half as many nodes, and so on down to a few."""
    return max(1, depth_of(max(n, m)) - COARSEST + 1)


cdef inline Py_ssize_t depth_at(Py_ssize_t n, Py_ssize_t level) noexcept nogil:
    """How often a side is halved at a level; the shorter side stays at its coarsest scale."""
    return max(min(depth_of(n), COARSEST), depth_of(n) - level)


cdef inline Py_ssize_t size_at(Py_ssize_t n, Py_ssize_t level) noexcept nogil:
    return min(n, <Py_ssize_t>1 << depth_at(n, level)) if level > 0 else n


cdef Room room_for(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d, double p) noexcept nogil:
    """The memory of all scales, and of `refine`."""
    cdef Room room
    cdef Py_ssize_t level, rows, columns
    room.doubles = room.wholes = room.integers = 0
    for level in range(scales_of(n, m)):
        rows = size_at(n, level)
        columns = size_at(m, level)
        room.doubles += network_doubles(rows, columns) + (rows + columns) * (d + 1)
        room.doubles += columns * d if p == 2.0 else 2 * rows * columns
        room.wholes += rows + columns
        room.integers += 2 * (rows + columns + 2)
    room.spare_wholes = 4 * (n + m)
    room.spare_integers = 7 * (n + m) + 8
    return room


cdef void halvings(Py_ssize_t n, Py_ssize_t depth, int *starts, int *spare) noexcept nogil:
    """Where the ranges begin into which [0, n) falls when it is halved so many times; then n."""
    cdef Py_ssize_t count = 1, _round, k, more
    starts[0] = 0
    starts[1] = <int>n
    for _round in range(depth):
        memcpy(spare, starts, (count + 1) * sizeof(int))
        more = 0
        for k in range(count):
            starts[more] = spare[k]
            more += 1
            if spare[k + 1] - spare[k] > 1:
                starts[more] = (spare[k] + spare[k + 1]) // 2
                more += 1
        starts[more] = <int>n
        count = more


cdef double *lay_out_side(
    Side *side, Py_ssize_t n, Py_ssize_t d, Py_ssize_t level, const Side *finer, double *doubles, long long *wholes,
    int *integers, int *spare
) noexcept nogil:
    """Place one side, and say what its nodes stand for; returns the memory behind it."""
    cdef Py_ssize_t k, at = 0
    side.size = size_at(n, level)
    side.x = doubles
    side.t = doubles + side.size * d
    side.whole = wholes
    side.starts = integers
    side.first = integers + side.size + 1
    if level == 0:
        for k in range(n + 1):
            side.starts[k] = <int>k
        return side.t + side.size
    halvings(n, depth_at(n, level), side.starts, spare)
    for k in range(side.size + 1):
        while finer.starts[at] < side.starts[k]:
            at += 1
        side.first[k] = <int>at
    return side.t + side.size


cdef void lay_out(
    Scale *scales, Py_ssize_t n, Py_ssize_t m, Py_ssize_t d, double p, double *doubles, long long *wholes,
    int *integers, int *spare
) noexcept nogil:
    """Give each scale its place in the memory; `spare` holds n + m + 2 integers."""
    cdef Py_ssize_t level, rows, columns
    cdef Scale *here
    cdef Scale *finer = scales      # the first has none, and does not look
    for level in range(scales_of(n, m)):
        here = &scales[level]
        doubles = lay_out_side(&here.rows, n, d, level, &finer.rows, doubles, wholes, integers, spare)
        rows = here.rows.size
        wholes += rows
        integers += 2 * (rows + 1)
        doubles = lay_out_side(&here.columns, m, d, level, &finer.columns, doubles, wholes, integers, spare)
        columns = here.columns.size
        wholes += columns
        integers += 2 * (columns + 1)
        place(&here.net, rows, columns, doubles)
        doubles += network_doubles(rows, columns)
        if p == 2.0:
            here.net.costs.x = here.rows.x
            here.net.costs.t = here.rows.t
            here.net.costs.s = here.columns.t
            here.net.costs.d = d
            here.net.costs.y = doubles
            doubles += columns * d
        else:
            here.net.costs.A = doubles
            here.net.costs.B = doubles + rows * columns
            doubles += 2 * rows * columns
        finer = here


cdef void merge(const Side *fine, Side *coarse, Py_ssize_t d) noexcept nogil:
    """The coarse nodes, each at the centre of mass of its finer ones."""
    cdef Py_ssize_t node, i, k
    cdef double mass
    for node in range(coarse.size):
        coarse.whole[node] = 0
        coarse.t[node] = 0.0
        for k in range(d):
            coarse.x[node * d + k] = 0.0
        for i in range(coarse.first[node], coarse.first[node + 1]):
            coarse.whole[node] += fine.whole[i]
        for i in range(coarse.first[node], coarse.first[node + 1]):
            mass = <double>fine.whole[i] / <double>coarse.whole[node]
            coarse.t[node] += mass * fine.t[i]
            for k in range(d):
                coarse.x[node * d + k] += mass * fine.x[i * d + k]


cdef void set_costs(Scale *scale, Py_ssize_t d, double p) noexcept nogil:
    """What the network reads its costs from: the values of the columns by features, or the costs themselves."""
    cdef Py_ssize_t n = scale.rows.size, m = scale.columns.size, j, k
    if p == 2.0:
        for j in range(m):
            for k in range(d):
                (<double *>scale.net.costs.y)[k * m + j] = scale.columns.x[j * d + k]
        return
    powers(scale.rows.x, n, scale.columns.x, m, d, p, <double *>scale.net.costs.A)
    powers(scale.rows.t, n, scale.columns.t, m, 1, p, <double *>scale.net.costs.B)


cdef void coarsen(Scale *scales, Py_ssize_t count, Py_ssize_t d, double p) noexcept nogil:
    """Fill all scales from the atoms of the first."""
    cdef Py_ssize_t level
    set_costs(&scales[0], d, p)
    for level in range(1, count):
        merge(&scales[level - 1].rows, &scales[level].rows, d)
        merge(&scales[level - 1].columns, &scales[level].columns, d)
        set_costs(&scales[level], d, p)


cdef double largest(const double *costs, Py_ssize_t cells) noexcept nogil:
    cdef double top = 0.0
    cdef Py_ssize_t cell
    for cell in range(cells):
        top = max(top, costs[cell])
    return top


cdef double farthest(const double *x, Py_ssize_t n, const double *y, Py_ssize_t m, Py_ssize_t d) noexcept nogil:
    """No squared distance between the rows of x and of y is larger."""
    cdef double low_x, high_x, low_y, high_y, gap, total = 0.0
    cdef Py_ssize_t i, k
    for k in range(d):
        low_x = high_x = x[k]
        low_y = high_y = y[k]
        for i in range(n):
            low_x = min(low_x, x[i * d + k])
            high_x = max(high_x, x[i * d + k])
        for i in range(m):
            low_y = min(low_y, y[i * d + k])
            high_y = max(high_y, y[i * d + k])
        gap = max(high_x - low_y, high_y - low_x)
        total += gap * gap
    return total


cdef double highest(const Scale *scale, Py_ssize_t d) noexcept nogil:
    """No cost at a scale is larger."""
    cdef Py_ssize_t n = scale.rows.size, m = scale.columns.size
    if scale.net.costs.A != NULL:
        return max(largest(scale.net.costs.A, n * m), largest(scale.net.costs.B, n * m))
    return max(
        farthest(scale.rows.x, n, scale.columns.x, m, d), farthest(scale.rows.t, n, scale.columns.t, m, 1)
    )


cdef inline void in_time(const Side *side, int *order) noexcept nogil:
    """The few nodes of a side in the order of their times."""
    cdef Py_ssize_t i, j
    for i in range(side.size):
        j = i
        while j > 0 and side.t[order[j - 1]] > side.t[i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = <int>i


cdef void begin(Scale *scale, int *spare) noexcept nogil:
    """The coupling in the order of the times."""
    in_time(&scale.rows, spare)
    in_time(&scale.columns, spare + scale.rows.size)
    staircase(&scale.net, scale.rows.whole, scale.columns.whole, spare, spare + scale.rows.size)


cdef double bound_from(const Scale *coarse, Scale *fine) noexcept nogil:
    """A lower bound on the transport cost of the first scale, at the w of a coarser one, from the potentials of that.

    The columns take the largest that the coarse rows allow, and the rows then the largest that the columns allow.
    """
    cdef Py_ssize_t j, row, m = fine.columns.size
    cdef pricing_costs costs = fine.net.costs
    cdef double *g = fine.net.potential + fine.rows.size
    cdef double *zeros = fine.net.list_a
    if costs.A != NULL:
        return -INFINITY
    costs.x = coarse.rows.x
    costs.t = coarse.rows.t
    costs.w = fine.net.costs.w = coarse.net.costs.w
    costs.v = fine.net.costs.v = coarse.net.costs.v
    for j in range(m):
        g[j] = INFINITY
        zeros[j] = 0.0
    for row in range(coarse.rows.size):
        price(&costs, row, zeros, fine.net.reduced)
        for j in range(m):
            g[j] = min(g[j], fine.net.reduced[j] - coarse.net.potential[row])
    return dual_value(&fine.net, fine.rows.whole, fine.columns.whole)


# A mass, and what a perturbation that is smaller than any mass adds to it.
cdef struct Mass:
    long long whole
    long long tiny


cdef inline bint less(Mass a, Mass b) noexcept nogil:
    return a.whole < b.whole or (a.whole == b.whole and a.tiny < b.tiny)


cdef inline void take(Mass *mass, Mass part) noexcept nogil:
    mass.whole -= part.whole
    mass.tiny -= part.tiny


cdef inline bint is_nothing(Mass mass) noexcept nogil:
    return mass.whole == 0 and mass.tiny == 0


cdef bint refine(const Scale *coarse, Scale *fine, long long *wholes, int *integers) noexcept nogil:
    """A strongly feasible basis of the finer scale: every flow of the coarse basis, split among finer nodes in order.

    Each source has a little more than its mass, and the root takes it all: then every arc of a strongly feasible basis
    carries something, and the staircases of its arcs make up a spanning tree. False if some of those little masses
    happened to cancel: then the basis is not there.
    """
    cdef Py_ssize_t n = fine.rows.size, nodes = n + fine.columns.size, k, i, j, count = 0
    cdef Py_ssize_t sources = coarse.rows.size, all_coarse = sources + coarse.columns.size
    cdef long long *tiny = wholes                   # of the subtree of each coarse node
    cdef Mass *left = <Mass *>(wholes + nodes)      # of each finer node
    cdef long long *flows = wholes + 3 * nodes
    cdef int *order = integers                      # coarse nodes, parents first
    cdef int *at = integers + nodes                 # the finer node that each coarse node has come to
    cdef int *source = integers + 2 * nodes
    cdef int *sink = integers + 3 * nodes
    cdef int root = root_of(&coarse.net), node = root, parent, start, end
    cdef int top = share_out(coarse, fine, root, left, tiny, at)
    cdef Mass flow, part
    for k in range(all_coarse):
        order[k] = node
        node = following(&coarse.net, node, root)
    for k in range(all_coarse - 1, 0, -1):
        tiny[coarse.net.parent[order[k]]] += tiny[order[k]]
    for k in range(1, all_coarse):
        node = order[k]
        parent = coarse.net.parent[node]
        start = node if node < sources else parent
        end = parent if node < sources else node
        flow = Mass(coarse.net.flow[node], tiny[node] if node < sources else -tiny[node])
        while not is_nothing(flow):
            if count == nodes - 1:
                return False
            i = at[start]
            j = at[end]
            part = left[i] if less(left[i], left[j]) else left[j]
            if less(flow, part):
                part = flow
            source[count] = <int>i
            sink[count] = <int>j
            flows[count] = part.whole
            count += 1
            take(&left[i], part)
            take(&left[j], part)
            take(&flow, part)
            if is_nothing(left[i]):
                at[start] += 1
            if is_nothing(left[j]):
                at[end] += 1
    if count < nodes - 1:
        return False
    hang(&fine.net, source, sink, flows, top, integers + 4 * nodes, order)
    fine.net.near = True
    return True


cdef int share_out(
    const Scale *coarse, const Scale *fine, int root, Mass *left, long long *tiny, int *at
) noexcept nogil:
    """The masses of the finer nodes and the little ones of the coarse ones; returns the finer node that is the root."""
    cdef Py_ssize_t n = fine.rows.size, sources = coarse.rows.size, k, i
    cdef unsigned int random = 12345
    cdef long long total = 0
    cdef int top
    memset(tiny, 0, (sources + coarse.columns.size) * sizeof(long long))
    for k in range(sources):
        at[k] = coarse.rows.first[k]
        for i in range(coarse.rows.first[k], coarse.rows.first[k + 1]):
            # The generator of Numerical Recipes.
            random = random * 1664525u + 1013904223u
            left[i] = Mass(fine.rows.whole[i], 1 + (random >> 8))
            tiny[k] += left[i].tiny
            total += left[i].tiny
    for k in range(coarse.columns.size):
        at[sources + k] = <int>(n + coarse.columns.first[k])
    for i in range(fine.columns.size):
        left[n + i] = Mass(fine.columns.whole[i], 0)
    if root < sources:
        top = coarse.rows.first[root + 1] - 1
        left[top].tiny -= total
    else:
        top = <int>(n + coarse.columns.first[root - sources + 1] - 1)
        left[top].tiny += total
    return top


cdef void hang(
    Network *net, const int *source, const int *sink, const long long *flows, int root, int *start, int *queue
) noexcept nogil:
    """The tree of n + m - 1 arcs, from its root down."""
    cdef Py_ssize_t nodes = net.n + net.m, k, arc, done = 0, waiting = 1
    cdef int *arcs = start + nodes + 1
    cdef int node, other
    memset(start, 0, (nodes + 1) * sizeof(int))
    for arc in range(nodes - 1):
        start[source[arc]] += 1
        start[sink[arc]] += 1
    for k in range(1, nodes + 1):
        start[k] += start[k - 1]
    for arc in range(nodes - 1):
        start[source[arc]] -= 1
        arcs[start[source[arc]]] = <int>arc
        start[sink[arc]] -= 1
        arcs[start[sink[arc]]] = <int>arc
    for k in range(nodes):
        net.child[k] = -1
    net.parent[root] = -1
    net.after[root] = -1
    net.before[root] = -1
    net.flow[root] = 0
    queue[0] = root
    while done < waiting:
        node = queue[done]
        done += 1
        for k in range(start[node], start[node + 1]):
            arc = arcs[k]
            other = sink[arc] if source[arc] == node else source[arc]
            if other != net.parent[node]:
                attach(net, other, node)
                net.flow[other] = flows[arc]
                queue[waiting] = other
                waiting += 1
    net.row = 0
