# Clouds one behind the other: those of a set are stacked once, and pairs of them are named by two numbers.

# The atoms of one cloud.
cdef struct Atoms:
    Py_ssize_t size
    const double *values        # (size, features)
    const double *times
    const double *weights
    const int *order            # of the first feature
    const int *tree             # of repeated halving: the nodes of every scale are ranges of it
    bint uniform                # whether all have the same mass


cdef class Stack:
    cdef readonly Py_ssize_t features
    cdef const double[:, ::1] values
    cdef const double[::1] times, weights
    cdef const int[::1] order
    cdef int[::1] halved
    cdef const Py_ssize_t[::1] at       # where each cloud starts, and the end
    cdef const unsigned char[::1] uniform

    cdef Atoms atoms(self, Py_ssize_t k) noexcept nogil
    cdef Py_ssize_t most_atoms(self, const Py_ssize_t[::1] chosen) noexcept nogil


cdef inline Atoms points(
    const double[:, ::1] values, const double[::1] times, const double[::1] weights
) noexcept:
    """A cloud without orders."""
    return Atoms(values.shape[0], &values[0, 0], &times[0], &weights[0], NULL, NULL, False)


# What a cell takes in all, in elementary steps.
cdef enum:
    CELL = 64
