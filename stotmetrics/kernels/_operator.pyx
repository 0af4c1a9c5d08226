"""A Gibbs kernel exp(-cost) applied to vectors: one matrix, or axis by axis of a grid; plainly, or on logarithms."""

from libc.math cimport log
from libc.string cimport memset
from scipy.linalg.cython_blas cimport dgemm

from ._cpu cimport chosen
from ._linalg cimport whole
from ._simd cimport simd_follow
from ._sinkhorn_loops cimport (
    SINK_NONE, fill, sink_finish, sink_gather, sink_logsumexp, sink_product, sink_raise,
)


simd_follow(&chosen)
assert whole  # before any of its parts

# Vectors for which a product of our own, which does not pack the kernel first, is faster than BLAS.
cdef Py_ssize_t FEW = 16


cdef void apply_axis(
    const Operator *op, int axis, Py_ssize_t outer, Py_ssize_t inner, const double *source, double *target
) noexcept nogil:
    """Multiply one axis of arrays (outer, size, inner) by its symmetric kernel."""
    cdef int size = <int>op.size[axis], rows = <int>outer, cols = <int>inner
    cdef double one = 1.0, zero = 0.0
    cdef Py_ssize_t step = op.size[axis] * inner, o
    cdef double *kernel = <double *>op.kernel[axis]
    if inner == 1:
        dgemm(b"N", b"N", &size, &rows, &size, &one, kernel, &size, <double *>source, &size, &zero, target, &size)
        return
    for o in range(outer):
        dgemm(b"N", b"N", &cols, &size, &size, &one, <double *>source + o * step, &cols, kernel, &size, &zero,
              target + o * step, &cols)


cdef void apply_kernel(
    const Operator *op, bint transpose, Py_ssize_t count, const double *source, double *target, double *spare
) noexcept nogil:
    """target[k] = K source[k] (or K^T) for `count` vectors."""
    cdef int n = <int>op.n, m = <int>op.m, columns = <int>count, axis
    cdef double one = 1.0, zero = 0.0
    cdef double *kernel = <double *>op.kernel[0]
    cdef const double *now = source
    cdef double *into
    cdef Py_ssize_t inner = 1, total = count * op.n
    if op.axes == 1 and op.symmetric and count <= FEW:
        sink_product(kernel, op.n, op.n, source, count, target)
        return
    if op.axes == 1:
        # Row-major (n, m) is column-major (m, n).
        if transpose:
            dgemm(b"N", b"N", &m, &columns, &n, &one, kernel, &m, <double *>source, &n, &zero, target, &m)
        else:
            dgemm(b"T", b"N", &n, &columns, &m, &one, kernel, &m, <double *>source, &m, &zero, target, &n)
        return
    for axis in range(op.axes - 1, -1, -1):
        into = target if axis % 2 == 0 else spare
        apply_axis(op, axis, total // (op.size[axis] * inner), inner, now, into)
        inner *= op.size[axis]
        now = into


cdef void log_axis(
    const Operator *op, int axis, Py_ssize_t outer, Py_ssize_t inner, const double *source, double *target,
    double *sums
) noexcept nogil:
    cdef Py_ssize_t size = op.size[axis], o, i, j
    cdef const double *cost = op.cost[axis]
    cdef const double *block
    cdef double *row
    cdef double top
    for o in range(outer):
        block = source + o * size * inner
        for i in range(size):
            row = target + (o * size + i) * inner
            if inner == 1:
                row[0] = log(sink_logsumexp(block, cost + i * size, &top, size))
                row[0] += top
                continue
            fill(row, 2 * SINK_NONE, inner)
            memset(sums, 0, inner * sizeof(double))
            for j in range(size):
                sink_raise(block + j * inner, 1.0, -cost[i * size + j], row, inner)
            for j in range(size):
                sink_gather(block + j * inner, 1.0, -cost[i * size + j], row, sums, inner)
            sink_finish(row, sums, inner)


cdef void log_kernel(
    const Operator *op, bint transpose, const double *source, double *target, double *spare, double *sums
) noexcept nogil:
    """target = log(K e^source) (or K^T) for one vector, without leaving the log domain."""
    cdef Py_ssize_t i, inner = 1
    cdef int axis
    cdef double top
    cdef const double *now = source
    cdef double *into
    if op.axes == 1 and transpose:
        fill(target, 2 * SINK_NONE, op.m)
        memset(sums, 0, op.m * sizeof(double))
        for i in range(op.n):
            sink_raise(op.cost[0] + i * op.m, -1.0, source[i], target, op.m)
        for i in range(op.n):
            sink_gather(op.cost[0] + i * op.m, -1.0, source[i], target, sums, op.m)
        sink_finish(target, sums, op.m)
    elif op.axes == 1:
        for i in range(op.n):
            target[i] = log(sink_logsumexp(source, op.cost[0] + i * op.m, &top, op.m))
            target[i] += top
    else:
        for axis in range(op.axes - 1, -1, -1):
            into = target if axis % 2 == 0 else spare
            log_axis(op, axis, op.n // (op.size[axis] * inner), inner, now, into, sums)
            inner *= op.size[axis]
            now = into


cdef int describe(Operator *op, tuple kernels, tuple costs, bint symmetric) except -1:
    cdef const double[:, ::1] kernel, cost
    cdef int axis
    op.axes = len(kernels)
    op.symmetric = symmetric
    op.n = op.m = 1
    for axis in range(op.axes):
        kernel, cost = kernels[axis], costs[axis]
        op.size[axis] = kernel.shape[0]
        op.kernel[axis] = &kernel[0, 0]
        op.cost[axis] = &cost[0, 0]
        op.n *= kernel.shape[0]
        op.m *= kernel.shape[1]
    return 0
