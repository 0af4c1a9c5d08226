"""Optimal transport between two processes by plans that do not look ahead: backward induction over pairs of nodes.

A process is a graph of nodes, one layer for each time and the root before them: a node is what is known at its time.
The value of a pair of nodes is that of one transport problem between their children, whose cost is what the next values
cost and the value of the next pair.
"""

from libc.math cimport fabs, fmin, pow, sqrt

from ._core cimport NOT_CONVERGED, OK
from ._dense cimport cost_of
from ._interrupt cimport SLICE, heard, turn
from ._network cimport (
    Network, dual_value, network_doubles, optimise, pivot_limit, place, set_potentials, staircase,
)

import numpy as np

# Masses of the children of a node are integers that add up to 2**60.
cdef double UNIT = 2.0**-60
cdef double EPSILON = 2.0**-52

# What a pair costs at most, so that sums stay finite where the unit is far below the distances: no plan that is any
# good meets such a pair.
cdef double MOST = 1e250

# Two sources are served by sorting; beyond so many sinks the sort by insertion would be slow.
cdef enum:
    MOST_SORTED = 32

# Fresh starts of the simplex from its own basis at most; two or three are the rule.
cdef enum:
    ROUNDS = 50


# A process; nodes of all layers are numbered one after another, the root first.
cdef struct Process:
    Py_ssize_t parents          # the nodes that have children
    const Py_ssize_t *layer     # where each layer begins, and the end: T + 2
    const Py_ssize_t *first     # where the children of each node begin in `child`, and the end
    const Py_ssize_t *child     # the number of each child within its layer, those of a node increasing
    const long long *whole        # the conditional mass of each child, in units of 2**-60
    const double *value         # (nodes, d)

cdef struct Job:
    Process x, y
    Py_ssize_t steps, d
    double inverse              # one over the unit of the values
    double p
    Py_ssize_t n, m             # the most children of a node of each
    Py_ssize_t room             # the most pairs of nodes whose costs one layer keeps
    double *network             # memory of one transport problem: its costs, then the network
    int *natural                # 0, 1, 2, ...
    Py_ssize_t left             # work until the next look for Ctrl-C

cdef struct Outcome:
    double value
    double error
    Py_ssize_t problems
    bint converged


cdef inline double ground(const double *x, const double *y, Py_ssize_t d, double inverse, double p) noexcept nogil:
    """The distance of two values, in their unit, to the power p."""
    cdef Py_ssize_t k
    cdef double gap, total = 0.0
    if d == 1:
        gap = fabs(x[0] - y[0]) * inverse
        return fmin(gap * gap if p == 2.0 else gap if p == 1.0 else pow(gap, p), MOST)
    for k in range(d):
        gap = (x[k] - y[k]) * inverse
        total += gap * gap
    return fmin(total if p == 2.0 else sqrt(total) if p == 1.0 else pow(total, 0.5 * p), MOST)


cdef int add_ground(Job *job, Py_ssize_t layer, double *costs) noexcept nogil:
    """Add what the values of each pair of nodes of a layer cost."""
    cdef Py_ssize_t d = job.d, i, j
    cdef Py_ssize_t m = job.y.layer[layer + 1] - job.y.layer[layer]
    cdef const double *y = job.y.value + job.y.layer[layer] * d
    for i in range(job.x.layer[layer], job.x.layer[layer + 1]):
        if turn(&job.left, (8 + d) * m):
            return NOT_CONVERGED
        for j in range(m):
            costs[j] += ground(job.x.value + i * d, y + j * d, d, job.inverse, job.p)
        costs += m
    return OK


cdef double along_line(const Job *job, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    """The last step on a line, where nothing comes after: the coupling of the children in their order is optimal."""
    cdef const double *x = job.x.value + job.x.layer[job.steps]
    cdef const double *y = job.y.value + job.y.layer[job.steps]
    cdef Py_ssize_t row = job.x.first[i], column = job.y.first[j]
    cdef long long supply = job.x.whole[row], demand = job.y.whole[column], moved
    cdef double total = 0.0
    while True:
        moved = min(supply, demand)
        total += moved * ground(x + job.x.child[row], y + job.y.child[column], 1, job.inverse, job.p)
        supply -= moved
        demand -= moved
        if supply == 0:
            row += 1
            if row == job.x.first[i + 1]:
                return total * UNIT
            supply = job.x.whole[row]
        if demand == 0:
            column += 1
            if column == job.y.first[j + 1]:
                return total * UNIT
            demand = job.y.whole[column]


cdef double mean(
    const double *costs, Py_ssize_t stride, const Py_ssize_t *child, const long long *whole, Py_ssize_t count
) noexcept nogil:
    """The only coupling with a single node."""
    cdef Py_ssize_t k
    cdef double total = 0.0
    for k in range(count):
        total += whole[k] * costs[child[k] * stride]
    return total * UNIT


cdef void gather(
    const double *costs,
    Py_ssize_t across,
    Py_ssize_t along,
    const Py_ssize_t *rows,
    Py_ssize_t n,
    const Py_ssize_t *columns,
    Py_ssize_t m,
    double *block,
) noexcept nogil:
    """Copy the block of some rows and columns, whose neighbours lie `across` and `along` apart."""
    cdef Py_ssize_t row, column
    for row in range(n):
        for column in range(m):
            block[row * m + column] = costs[rows[row] * across + columns[column] * along]


cdef double two_sources(const double *block, Py_ssize_t m, long long supply, const long long *demands) noexcept nogil:
    """Two sources: the first serves the sinks where it saves most, until it has nothing left."""
    cdef int[MOST_SORTED] order
    cdef const double *other = block + m
    cdef Py_ssize_t k, at
    cdef int sink
    cdef long long moved
    cdef double total = 0.0, saved
    for k in range(m):
        saved = block[k] - other[k]
        at = k
        while at > 0 and block[order[at - 1]] - other[order[at - 1]] > saved:
            order[at] = order[at - 1]
            at -= 1
        order[at] = <int>k
    for k in range(m):
        sink = order[k]
        moved = min(supply, demands[sink])
        supply -= moved
        total += moved * block[sink] + (demands[sink] - moved) * other[sink]
    return total * UNIT


cdef double reach(const Network *net) noexcept nogil:
    """Twice the largest potential: no arc of the basis costs more."""
    cdef Py_ssize_t node
    cdef double largest = 0.0
    for node in range(net.n + net.m):
        largest = max(largest, fabs(net.potential[node]))
    return 2.0 * largest


cdef bint simplex(
    Network *net, const long long *a, const long long *b, const int *natural, double *value, double *error
) noexcept nogil:
    """The network simplex from the coupling in order, until no pivot is found with fresh potentials.

    The tolerance is of the potentials and not of the costs: where p is large, the arcs that are used may cost far less
    than others. False where rounding, or the limit, ends the search before it settles: the dual then bounds the error.
    """
    cdef Py_ssize_t before, _round, n = net.n, m = net.m
    cdef double scale
    cdef bint settled = False
    staircase(net, a, b, natural, natural)
    for _round in range(ROUNDS):
        set_potentials(net)
        before = net.pivots
        scale = reach(net)
        if optimise(net, 1e-15 * scale, pivot_limit(n, m)) != OK:
            break
        settled = net.pivots == before
        if settled:
            break
    value[0] = cost_of(net, UNIT)
    if settled:
        # No reduced cost lies below the tolerance, but for the rounding of the potentials.
        error[0] = (5.0 + n + m) * EPSILON * scale
        return True
    set_potentials(net)
    error[0] = max(value[0] - dual_value(net, a, b) * UNIT, 0.0) + (n + m) * EPSILON * reach(net)
    return error[0] <= 1e-12 * value[0]


cdef double between(
    Job *job, Py_ssize_t i, Py_ssize_t j, const double *ahead, Py_ssize_t columns, Outcome *found
) noexcept nogil:
    """The value of nodes i and j: transport between their children at the costs ahead, (., columns)."""
    cdef Py_ssize_t row = job.x.first[i], column = job.y.first[j], n, m
    cdef const Py_ssize_t *rows = job.x.child + row
    cdef const Py_ssize_t *sinks = job.y.child + column
    cdef const long long *a = job.x.whole + row
    cdef const long long *b = job.y.whole + column
    cdef double value = 0.0, error = 0.0
    cdef Network net
    n = job.x.first[i + 1] - row
    m = job.y.first[j + 1] - column
    if n == 1:
        value = mean(ahead + rows[0] * columns, 1, sinks, b, m)
    elif m == 1:
        value = mean(ahead + sinks[0], columns, rows, a, n)
    elif n == 2 and m <= MOST_SORTED:
        gather(ahead, columns, 1, rows, n, sinks, m, job.network)
        value = two_sources(job.network, m, a[0], b)
    elif m == 2 and n <= MOST_SORTED:
        gather(ahead, 1, columns, sinks, m, rows, n, job.network)
        value = two_sources(job.network, n, b[0], a)
    else:
        gather(ahead, columns, 1, rows, n, sinks, m, job.network)
        place(&net, n, m, job.network + n * m)
        net.costs.A = job.network
        if not simplex(&net, a, b, job.natural, &value, &error):
            found.converged = False
    found.error = max(found.error, (8.0 + n + m) * EPSILON * value + error)
    return value


cdef inline Py_ssize_t pairs(const Job *job, Py_ssize_t layer) noexcept nogil:
    """How many pairs of nodes a layer has."""
    return (job.x.layer[layer + 1] - job.x.layer[layer]) * (job.y.layer[layer + 1] - job.y.layer[layer])


cdef int step(Job *job, Py_ssize_t layer, const double *ahead, double *here, Outcome *found) noexcept nogil:
    """The values of all pairs of nodes of a layer; without costs ahead, along the line."""
    cdef Py_ssize_t columns = job.y.layer[layer + 2] - job.y.layer[layer + 1], i, j, n, m
    cdef double before = found.error
    found.error = 0.0
    for i in range(job.x.layer[layer], job.x.layer[layer + 1]):
        n = job.x.first[i + 1] - job.x.first[i]
        for j in range(job.y.layer[layer], job.y.layer[layer + 1]):
            m = job.y.first[j + 1] - job.y.first[j]
            if turn(&job.left, 16 + n * m):
                return NOT_CONVERGED
            if ahead == NULL:
                here[0] = along_line(job, i, j)
                found.error = max(found.error, (8.0 + n + m) * EPSILON * here[0])
            else:
                here[0] = between(job, i, j, ahead, columns, found)
            here += 1
    # What the next values are off by is passed on by a mean.
    found.error += before
    found.problems += pairs(job, layer)
    return OK


cdef int induct(Job *job, double *first, double *second, double *kept, Outcome *found) noexcept nogil:
    """From the last time back to the root. `first` and `second` take the costs of layers in turn, or `kept` all."""
    cdef Py_ssize_t layer, k
    cdef double *here = first
    cdef double *ahead = NULL
    cdef double root
    found.error = 0.0
    found.problems = 0
    found.converged = True
    for layer in range(job.steps, 0, -1):
        if kept != NULL:
            here = kept
            for k in range(1, layer):
                here += pairs(job, k)
        if layer < job.steps:
            if step(job, layer, ahead, here, found) != OK:
                return NOT_CONVERGED
        elif job.d == 1 and kept == NULL:
            continue
        else:
            for k in range(pairs(job, layer)):
                here[k] = 0.0
        if add_ground(job, layer, here) != OK:
            return NOT_CONVERGED
        ahead = here
        here = second if here == first else first
    if step(job, 0, ahead, &root, found) != OK:
        return NOT_CONVERGED
    found.value = root
    return OK


cdef Py_ssize_t most_children(const Process *process) noexcept nogil:
    cdef Py_ssize_t node, most = 1
    for node in range(process.parents):
        most = max(most, process.first[node + 1] - process.first[node])
    return most


cdef void measure(Job *job) noexcept nogil:
    """How much memory a pair of processes takes."""
    cdef Py_ssize_t layer
    job.n, job.m = most_children(&job.x), most_children(&job.y)
    job.room = 1
    # On a line the last layer has no costs of its own.
    for layer in range(1, job.steps + (1 if job.d > 1 else 0)):
        job.room = max(job.room, pairs(job, layer))


cdef inline Py_ssize_t network_room(const Job *job) noexcept nogil:
    return job.n * job.m + network_doubles(job.n, job.m)


# Processes one after another, each array of theirs as one.
cdef struct Stack:
    const Py_ssize_t *at        # where the layers, first children, children and values of each begin, and the end
    const Py_ssize_t *layer
    const Py_ssize_t *first
    const Py_ssize_t *child
    const long long *whole
    const double *value


cdef inline Process member(const Stack *stack, Py_ssize_t k) noexcept nogil:
    cdef const Py_ssize_t *at = stack.at + 4 * k
    return Process(
        at[5] - at[1] - 1, stack.layer + at[0], stack.first + at[1], stack.child + at[2], stack.whole + at[2],
        stack.value + at[3],
    )


cdef inline void put(Job *job, const Stack *left, Py_ssize_t i, const Stack *right, Py_ssize_t j) noexcept nogil:
    """The job of one pair of two stacks."""
    cdef const Py_ssize_t *at = left.at + 4 * i
    job.x, job.y = member(left, i), member(right, j)
    job.steps = at[4] - at[0] - 2
    job.d = (at[7] - at[3]) // job.x.layer[job.steps + 1]
    measure(job)


cdef Stack stack_of(tuple arrays):
    cdef const Py_ssize_t[:, ::1] at = arrays[0]
    cdef const Py_ssize_t[::1] layer = arrays[1], first = arrays[2], child = arrays[3]
    cdef const long long[::1] whole = arrays[4]
    cdef const double[::1] value = arrays[5]
    return Stack(&at[0, 0], &layer[0], &first[0], &child[0], &whole[0], &value[0])


cdef class Workspace:
    """Memory for the layers of one pair of processes, kept from pair to pair."""

    cdef double[::1] doubles
    cdef int[::1] natural

    def __cinit__(self):
        self.doubles = np.empty(0)
        self.natural = np.empty(0, dtype=np.intc)

    cdef int fit(self, Py_ssize_t doubles, Py_ssize_t children) except -1:
        if self.doubles.shape[0] < doubles:
            self.doubles = np.empty(doubles)
        if self.natural.shape[0] < children:
            self.natural = np.arange(children, dtype=np.intc)
        return 0

    cdef int solve(self, Job *job, double *kept, Outcome *found) noexcept nogil:
        """One pair; there is room for it."""
        cdef double *layers = &self.doubles[network_room(job)]
        job.network = &self.doubles[0]
        job.natural = &self.natural[0]
        return induct(job, layers, layers + job.room, kept, found)

    def induction(
        self,
        const Py_ssize_t[::1] x_layer,
        const Py_ssize_t[::1] x_first,
        const Py_ssize_t[::1] x_child,
        const long long[::1] x_whole,
        const double[:, ::1] x_value,
        const Py_ssize_t[::1] y_layer,
        const Py_ssize_t[::1] y_first,
        const Py_ssize_t[::1] y_child,
        const long long[::1] y_whole,
        const double[:, ::1] y_value,
        double unit,
        double p,
        double[::1] kept=None,
    ):
        """(converged, value, bound on its error, problems solved), the value in the p-th power of the unit.

        `kept` takes the costs of each pair of nodes: of the values at their time, and of all that follows.
        """
        cdef Job job
        cdef Outcome found
        cdef int status
        job.x = Process(
            x_first.shape[0] - 1, &x_layer[0], &x_first[0], &x_child[0], &x_whole[0], &x_value[0, 0]
        )
        job.y = Process(
            y_first.shape[0] - 1, &y_layer[0], &y_first[0], &y_child[0], &y_whole[0], &y_value[0, 0]
        )
        job.steps = x_layer.shape[0] - 2
        job.d = x_value.shape[1]
        job.inverse = 1.0 / unit
        job.p = p
        job.left = SLICE
        measure(&job)
        if kept is not None:
            job.room = 1
        self.fit(network_room(&job) + 2 * job.room, max(job.n, job.m))
        cdef double *all_layers = NULL if kept is None else &kept[0]
        with nogil:
            status = self.solve(&job, all_layers, &found)
        heard()
        return status == OK and found.converged, found.value, found.error, found.problems

    def inductions(
        self,
        tuple left,
        tuple right,
        const Py_ssize_t[::1] rows,
        const Py_ssize_t[::1] cols,
        const double[::1] units,
        double p,
    ):
        """The same of the pairs ``rows[k]``, ``cols[k]`` of two stacks, as four arrays.

        A stack is six arrays: where the layers, first children, children and values of each process begin, (count + 1,
        4), then these layers, first children, children, masses and values, those of all processes one after another.
        """
        cdef Stack x = stack_of(left), y = stack_of(right)
        cdef Job job
        cdef Outcome found
        cdef Py_ssize_t k, count = rows.shape[0], doubles = 1, children = 1
        numbers, solves = np.zeros((2, count)), np.zeros(count, dtype=np.intp)
        settled = np.zeros(count, dtype=np.bool_)
        cdef double[:, ::1] number = numbers
        cdef Py_ssize_t[::1] solved = solves
        cdef unsigned char[::1] converged = settled.view(np.uint8)
        with nogil:
            for k in range(count):
                put(&job, &x, rows[k], &y, cols[k])
                doubles = max(doubles, network_room(&job) + 2 * job.room)
                children = max(children, max(job.n, job.m))
        self.fit(doubles, children)
        job.p = p
        job.left = SLICE
        with nogil:
            for k in range(count):
                put(&job, &x, rows[k], &y, cols[k])
                job.inverse = 1.0 / units[k]
                if self.solve(&job, NULL, &found) != OK:
                    break
                number[0, k], number[1, k] = found.value, found.error
                solved[k], converged[k] = found.problems, found.converged
        heard()
        return settled, numbers[0], numbers[1], solves
