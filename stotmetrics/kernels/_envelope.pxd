# Lower bounds on hard DTW from the ranges that alignments leave. Series are C-ordered, of d features, and finite.

# Row i may meet the columns first[i]..last[i], column j likewise rows; 2**level is the largest power of two that fits
# into a window. Without a band every window is everything.
cdef struct windows:
    Py_ssize_t count, levels
    Py_ssize_t *first
    Py_ssize_t *last
    Py_ssize_t *level


# One shape of problem, n by m, and its workspace.
cdef struct shape:
    Py_ssize_t n, m
    bint banded
    windows rows, cols
    double *tables   # the extremes of all runs of 2**level points: 2 (levels + 1) max(n, m)
    double *low      # the range of y in each row, one feature after the other: d n
    double *high
    double *nearest  # h, likewise
    double *spare    # the range of h in each column: 2 m


# Sizes and doubles of workspace for problems up to n by m.
cdef Py_ssize_t sizes_of(Py_ssize_t n, Py_ssize_t m) noexcept nogil
cdef Py_ssize_t doubles_of(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d) noexcept nogil

# In this order: once for a shape (radius -1: no band), once for a y, once for each x.
cdef void set_shape(
    shape *s, Py_ssize_t n, Py_ssize_t m, Py_ssize_t d, Py_ssize_t radius, Py_ssize_t *sizes, double *doubles
) noexcept nogil
cdef void set_ranges(const double *y, Py_ssize_t d, shape *s) noexcept nogil
cdef double bound_of(const double *x, const double *y, Py_ssize_t d, shape *s) noexcept nogil
