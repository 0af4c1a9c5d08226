# The network simplex between n sources and m sinks.

cdef extern from "_pricing.h" nogil:
    ctypedef struct pricing_costs:
        Py_ssize_t n, m
        double w, v
        const double *A
        const double *B
        const double *x
        const double *y
        const double *t
        const double *s
        Py_ssize_t d


cdef struct Network:
    Py_ssize_t n, m
    pricing_costs costs
    long long *flow         # on the arc between a node and its parent, in units of mass
    double *potential       # of the n sources, then of the m sinks
    int *parent             # -1 for the root
    int *depth
    int *child              # first child, then along `after`; -1 ends a list
    int *after
    int *before
    double *reduced         # (m,): of the row looked at
    int *source             # the short list of arcs, and their costs
    int *sink
    double *list_a
    double *list_b
    Py_ssize_t count, capacity
    Py_ssize_t at           # where pricing of the short list goes on
    Py_ssize_t row          # and that of all arcs
    bint near               # whether the basis is near the optimum
    Py_ssize_t pivots


# Masses that add up to the same on both sides, as integers; returns their unit.
cdef double masses(
    const double *a, Py_ssize_t n, const double *b, Py_ssize_t m, bint uniform, long long *whole_a, long long *whole_b
) noexcept nogil

# A network in `work` of so many doubles, a first basis, and for each choice of net.costs: potentials, then pivots.
cdef Py_ssize_t network_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef void place(Network *net, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil
cdef void staircase(
    Network *net, const long long *a, const long long *b, const int *rows, const int *columns
) noexcept nogil
# Both costs of the arc between a node and its parent.
cdef void arc_costs(const Network *net, Py_ssize_t node, double *a, double *b) noexcept nogil
cdef void set_potentials(Network *net) noexcept nogil
cdef int optimise(Network *net, double tolerance, Py_ssize_t max_pivots) noexcept nogil
cdef Py_ssize_t pivot_limit(Py_ssize_t n, Py_ssize_t m) noexcept nogil

# reduced[j] = cost[i, j] - potential[j]; returns the least.
cdef double price(const pricing_costs *c, Py_ssize_t i, const double *potential, double *reduced) noexcept nogil

# What bounds the transport cost from below, whatever rounding did to the potentials; the masses are whole.
cdef double row_potential(Network *net, Py_ssize_t i) noexcept nogil
cdef double dual_value(Network *net, const long long *a, const long long *b) noexcept nogil


# The tree.
cdef inline void attach(Network *net, int node, int parent) noexcept nogil:
    cdef int first = net.child[parent]
    net.parent[node] = parent
    net.before[node] = -1
    net.after[node] = first
    if first >= 0:
        net.before[first] = node
    net.child[parent] = node


cdef inline int following(const Network *net, int node, int top) noexcept nogil:
    """The next node of the subtree of `top` in depth-first order, -1 after the last."""
    if net.child[node] >= 0:
        return net.child[node]
    while node != top:
        if net.after[node] >= 0:
            return net.after[node]
        node = net.parent[node]
    return -1


cdef inline int root_of(const Network *net) noexcept nogil:
    cdef int node = 0
    while net.parent[node] >= 0:
        node = net.parent[node]
    return node
