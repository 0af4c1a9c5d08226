# Entropic transport under w A + (1 - w) B and its maximum over w: Newton's method on the concave dual in (f, g, w).

from ._clouds cimport Atoms, Stack
from ._entropic_problem cimport Entropic


cdef struct Saddle:
    double value            # <C_w, P> at a true coupling next to the plan
    double objective        # the dual value: a lower bound on the regularised optimum
    double beside           # <B, P> at the same coupling
    double gap              # certified: what that coupling costs, regularised, less the dual value
    Py_ssize_t steps
    Py_ssize_t single       # of these, the first ones in single precision


cdef Py_ssize_t entropic_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef void place(Entropic *e, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil
cdef void set_masses(Entropic *e, const double *a, const double *b) noexcept nogil
cdef void evaluate(Entropic *e, double epsilon) noexcept nogil
cdef void certify(Entropic *e, double epsilon, Saddle *saddle) noexcept nogil
cdef int solve(
    Entropic *e, double epsilon, double tol, Py_ssize_t max_steps, double cutoff, Saddle *saddle
) noexcept nogil
cdef double certified_gap(const Entropic *e, double epsilon, const Saddle *saddle) noexcept nogil


cdef class Workspace:
    cdef double[::1] doubles
    cdef const double[::1] a, b     # what the masses are part of
    cdef Entropic e
    cdef readonly Py_ssize_t single  # steps of the last problem in single precision
    cdef bint turned                # whether rows and columns have been exchanged

    cdef void fit(self, Py_ssize_t n, Py_ssize_t m, const double[::1] a, const double[::1] b)
    cdef void fit_all(self, Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols)
    cdef void start(self, Py_ssize_t n, Py_ssize_t m, const double *a, const double *b, bint turned) noexcept nogil
    cdef void fit_to(self, const double[:, ::1] A, const double[::1] a, const double[::1] b)
    cdef void pose(self, const Atoms *x, const Atoms *y, Py_ssize_t d, double p) noexcept nogil
    cdef void pose_to(self, const Atoms *x, const Atoms *y, Py_ssize_t d, double p) noexcept nogil
