# Steps of entropic transport in single precision: see _entropic_single.pyx.

from ._entropic_problem cimport Entropic

cdef enum:
    # Below so many columns a start takes as long as it saves.
    FEWEST = 32


# How far down to go, and how fast: see Continuation.
cdef struct Descent:
    double epsilon
    double start            # the first stage
    double factor
    int sweeps
    double near             # at a stage before the last, the share of it that the last step may promise
    double last             # and at epsilon
    Py_ssize_t steps        # at most


cdef Py_ssize_t single_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef Py_ssize_t approach(Entropic *e, const Descent *way, double *work) noexcept nogil
