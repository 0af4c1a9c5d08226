# Optimal transport between two clouds by the network simplex, and its maximum over w.

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


cdef struct Maximum:
    double value            # the upper bound on max g where the lines met
    double lower            # the certified dual value at w
    double w
    double level_a          # <A, P> of the plan P that the basis holds
    double level_b          # <B, P>
    Py_ssize_t solves
    Py_ssize_t pivots


cdef Py_ssize_t network_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef void place(Network *net, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil
cdef void staircase(
    Network *net, const long long *a, const long long *b, const int *rows, const int *columns
) noexcept nogil
cdef void set_potentials(Network *net) noexcept nogil
cdef int optimise(Network *net, double tolerance, Py_ssize_t max_pivots) noexcept nogil
cdef double dual_value(Network *net, const double *a, const double *b) noexcept nogil
