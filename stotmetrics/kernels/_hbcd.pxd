# The hybrid descent of the TiOT paper, on the problem and the memory of the entropic solver.

from ._entropic cimport Entropic, Saddle, Workspace


cdef int hybrid(
    Entropic *e, double epsilon, double tol, Py_ssize_t max_sweeps, double *kept, Saddle *found
) noexcept nogil


cdef class Descent(Workspace):
    cdef double[::1] kept           # 2 (n m + 4): the entries of the plan that count, and A - B at them
