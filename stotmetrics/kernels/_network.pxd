# The network simplex between n sources and m sinks.

cdef struct Network:
    Py_ssize_t n, m
    double *cost            # (n, m), row-major
    long long *flow         # on the arc between a node and its parent, in units of mass
    double *potential       # of the n sources, then of the m sinks
    int *parent             # -1 for the root
    int *depth
    int *child              # first child, then along `after`; -1 ends a list
    int *after
    int *before
    Py_ssize_t row          # where pricing goes on
    Py_ssize_t pivots


# Masses that add up to the same on both sides, as integers; returns their unit.
cdef double masses(
    const double *a, Py_ssize_t n, const double *b, Py_ssize_t m, bint uniform, long long *whole_a, long long *whole_b
) noexcept nogil

# A network in `work` of so many doubles, a first basis, and for each choice of net.cost: potentials, then pivots.
cdef Py_ssize_t network_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef void place(Network *net, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil
cdef void staircase(
    Network *net, const long long *a, const long long *b, const int *rows, const int *columns
) noexcept nogil
cdef void set_potentials(Network *net) noexcept nogil
cdef int optimise(Network *net, double tolerance, Py_ssize_t max_pivots) noexcept nogil
cdef Py_ssize_t pivot_limit(Py_ssize_t n, Py_ssize_t m) noexcept nogil

# What bounds the transport cost from below, whatever rounding did to the potentials.
cdef double row_potential(Network *net, Py_ssize_t i) noexcept nogil
cdef double dual_value(Network *net, const double *a, const double *b) noexcept nogil
