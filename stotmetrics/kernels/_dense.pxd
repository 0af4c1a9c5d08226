# Transport on one cost matrix, by the network simplex.

from ._network cimport (
    Network, arc_costs, dual_value, masses, optimise, pivot_limit, set_potentials, staircase,
)
from ._scales cimport largest


# What was found: the cost of the plan, and a lower bound that holds whatever rounding did.
cdef struct Optimum:
    double unit             # of the flows
    double value
    double lower


cdef inline double cost_of(const Network *net, double unit) noexcept nogil:
    """What the plan of the basis costs."""
    cdef Py_ssize_t node
    cdef double total = 0.0, a = 0.0, b = 0.0
    for node in range(net.n + net.m):
        if net.flow[node] > 0 and net.parent[node] >= 0:
            arc_costs(net, node, &a, &b)
            total += net.flow[node] * a
    return total * unit


cdef inline int transport(
    Network *net, const double *cost, const double *a, const int *x_order, const double *b, const int *y_order,
    bint uniform, long long *whole, Optimum *best
) noexcept nogil:
    """``min_P <cost, P>`` from the staircase in these orders, in a network of this size; `whole` holds the masses."""
    cdef Py_ssize_t n = net.n, m = net.m
    cdef int status
    net.costs.A = cost
    best.unit = masses(a, n, b, m, uniform, whole, whole + n)
    staircase(net, whole, whole + n, x_order, y_order)
    set_potentials(net)
    status = optimise(net, 1e-15 * largest(cost, n * m), pivot_limit(n, m))
    # Potentials drift by rounding from pivot to pivot: once more from the root.
    set_potentials(net)
    best.value = cost_of(net, best.unit)
    best.lower = dual_value(net, whole, whole + n) * best.unit
    return status
