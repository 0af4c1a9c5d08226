# The kernel of entropic transport as a linear operator.

cdef enum:
    MAX_AXES = 3

# The kernel exp(-cost): one matrix (n, m), or one symmetric matrix per axis of a grid, whose Kronecker product it is.
cdef struct Operator:
    int axes
    int symmetric                     # whether the one matrix is its own transpose
    Py_ssize_t n
    Py_ssize_t m
    Py_ssize_t size[MAX_AXES]
    const double *kernel[MAX_AXES]
    const double *cost[MAX_AXES]      # ground cost / epsilon

# Vectors follow one another in memory; `spare` holds as much as target, `sums` one vector.
cdef void apply_kernel(
    const Operator *op, bint transpose, Py_ssize_t count, const double *source, double *target, double *spare
) noexcept nogil
cdef void log_kernel(
    const Operator *op, bint transpose, const double *source, double *target, double *spare, double *sums
) noexcept nogil

cdef int describe(Operator *op, tuple kernels, tuple costs, bint symmetric) except -1
