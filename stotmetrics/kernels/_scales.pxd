# A transport problem between two clouds at coarser and coarser scales, and their bases.

from ._network cimport Network


# One side at one scale. The nodes of the next finer scale that one node stands for lie side by side.
cdef struct Side:
    Py_ssize_t size
    double *x               # values, (size, d)
    double *t               # times
    long long *whole        # masses
    int *starts             # (size + 1): where the atoms begin that each node stands for
    int *first              # (size + 1): and the nodes of the next finer scale


cdef struct Scale:
    Network net
    Side rows
    Side columns


# More than the lengths that fit into a memory ask for.
cdef enum:
    MOST_SCALES = 48


# Memory that scales and the steps between them take.
cdef struct Room:
    Py_ssize_t doubles
    Py_ssize_t wholes
    Py_ssize_t integers
    Py_ssize_t spare_wholes     # what `refine` works in
    Py_ssize_t spare_integers


# The order of atoms in which the nodes of every scale are ranges.
cdef void halve(const double *x, const double *t, Py_ssize_t n, Py_ssize_t d, double *key, int *order) noexcept nogil

# Memory, how many scales there are, their places in it; then, from the atoms of the finest, all others and their costs.
cdef Room room_for(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d, double p) noexcept nogil
cdef Py_ssize_t scales_of(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef void lay_out(
    Scale *scales, Py_ssize_t n, Py_ssize_t m, Py_ssize_t d, double p, double *doubles, long long *wholes,
    int *integers, int *spare
) noexcept nogil
cdef void coarsen(Scale *scales, Py_ssize_t count, Py_ssize_t d, double p) noexcept nogil

# No cost is larger: of costs that are stored, and at a scale.
cdef double largest(const double *costs, Py_ssize_t cells) noexcept nogil
cdef double highest(const Scale *scale, Py_ssize_t d) noexcept nogil

# A basis of the coarsest scale, and what the optimal one of a scale gives: a lower bound on the first, in its unit of
# mass, and a basis of the next finer scale.
cdef void begin(Scale *scale, int *spare) noexcept nogil
cdef double bound_from(const Scale *coarse, Scale *fine) noexcept nogil
cdef bint refine(const Scale *coarse, Scale *fine, long long *wholes, int *integers) noexcept nogil
