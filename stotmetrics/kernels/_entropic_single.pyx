"""A start for the steps of entropic transport, found in single precision.

Newton's steps down to epsilon as those of _entropic.pyx, with the plan, Newton's equations and their factor in single
precision, and the potentials and sums over the plan in double. Half of the bytes, half of the time; and whatever they
end in is a point that the steps in double precision go on from.
"""

from libc.math cimport INFINITY, isfinite, log, sqrt
from libc.string cimport memcpy, memset

from ._cpu cimport chosen
from ._entropic_problem cimport Entropic
from ._entropic_slope cimport Slope, eliminate_row, step_along_w
from ._interrupt cimport interrupted
from ._simd cimport SIMD_WIDEST, aligned, simd_flush, simd_follow, simd_restore, simd_running


cdef extern from "_entropic_single.h" nogil:
    enum: SINGLE_LANES
    double single_plan(
        const float *A, const float *B, const float *alpha, const float *beta, float wa, float wb, Py_ssize_t n,
        Py_ssize_t m, Py_ssize_t stride, float *P, double *rows, double *row_products, float *columns,
        float *column_products)
    void single_scale(float *P, float scale, float x, float y, Py_ssize_t stride, float *of_x, float *of_y)
    double single_dot(const float *P, const float *v, Py_ssize_t stride)
    void single_add(const float *P, float factor, Py_ssize_t stride, float *columns)
    void single_products(const float *P, const float *v, Py_ssize_t n, Py_ssize_t stride, float *S)
    void single_rows(const double *A, Py_ssize_t n, Py_ssize_t m, Py_ssize_t stride, float *out)
    bint single_cholesky(float *S, Py_ssize_t stride, float *inverse)
    void single_solve(const float *S, Py_ssize_t stride, const float *inverse, float *x, float *y)


# Beside an Entropic, which has its potentials and sums: matrices whose rows are `stride` apart, and vectors of so many.
cdef struct Single:
    Py_ssize_t stride
    float *A
    float *B
    float *P
    float *S
    float *inverse
    float *beta
    float *columns
    float *column_products
    float *right
    float *q
    float *alpha            # (n,)


cdef enum:
    HALVINGS = 8
    VECTORS = 6  # of columns, in a Single

simd_follow(&chosen)


cdef inline Py_ssize_t in_lanes(Py_ssize_t count) noexcept nogil:
    return (count + SINGLE_LANES - 1) // SINGLE_LANES * SINGLE_LANES


cdef Py_ssize_t single_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """The workspace of `approach`."""
    cdef Py_ssize_t stride = in_lanes(m)
    return ((3 * n + stride + VECTORS) * stride + in_lanes(n)) // 2 + SIMD_WIDEST


cdef void place_single(Single *s, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil:
    """``work`` is aligned."""
    cdef Py_ssize_t stride = in_lanes(m)
    s.stride = stride
    s.A = <float *>work
    s.B = s.A + n * stride
    s.P = s.B + n * stride
    s.S = s.P + n * stride
    s.inverse = s.S + stride * stride
    s.beta = s.inverse + stride
    s.columns = s.beta + stride
    s.column_products = s.columns + stride
    s.right = s.column_products + stride
    s.q = s.right + stride
    s.alpha = s.q + stride


cdef void evaluate_single(Entropic *e, Single *s, double epsilon) noexcept nogil:
    """The plan at (f, g, w), its sums, and the dual value."""
    cdef Py_ssize_t n = e.n, m = e.m, i, j
    cdef double inverse = 1.0 / epsilon, total = 0.0, value = 0.0
    for i in range(n):
        s.alpha[i] = <float>(e.f[i] * inverse + e.log_a[i])
        value += e.a[i] * e.f[i]
    for j in range(m):
        s.beta[j] = <float>(e.g[j] * inverse + e.log_b[j])
        value += e.b[j] * e.g[j]
    for j in range(m, s.stride):
        s.beta[j] = -1e30
    e.curvature = single_plan(
        s.A, s.B, s.alpha, s.beta, <float>(e.w * inverse), <float>((1.0 - e.w) * inverse), n, m, s.stride, s.P, e.rows,
        e.row_products, s.columns, s.column_products
    )
    e.slope = 0.0
    for i in range(n):
        total += e.rows[i]
        e.slope += e.row_products[i]
    for j in range(m):
        e.columns[j] = s.columns[j]
        e.column_products[j] = s.column_products[j]
    e.dual = value - epsilon * (total - 1.0)


cdef void sweep_single(Entropic *e, Single *s, double epsilon, int count) noexcept nogil:
    """Maximise over f, then over g, so many times, by scaling the plan that is there."""
    cdef Py_ssize_t n = e.n, m = e.m, stride = s.stride, i, j
    cdef double *u = e.three
    cdef float *v = s.q
    cdef int time
    memset(v, 0, stride * sizeof(float))
    for time in range(count):
        memset(s.columns, 0, stride * sizeof(float))
        for i in range(n):
            u[i] = e.a[i] / (e.rows[i] if time == 0 else single_dot(s.P + i * stride, v, stride))
            single_add(s.P + i * stride, <float>u[i], stride, s.columns)
        for j in range(m):
            v[j] = <float>(e.b[j] / s.columns[j])
    for i in range(n):
        e.f[i] += epsilon * log(u[i])
    for j in range(m):
        e.g[j] += epsilon * log(v[j])


cdef Slope eliminate_single(Entropic *e, Single *s) noexcept nogil:
    """Eliminate f by its diagonal block: see `eliminate`."""
    cdef Py_ssize_t i, j
    cdef double root
    cdef Slope w = Slope(e.slope, e.curvature)
    memset(s.right, 0, s.stride * sizeof(float))
    memset(s.q, 0, s.stride * sizeof(float))
    for j in range(e.m):
        s.right[j] = <float>(e.b[j] - e.columns[j])
        s.q[j] = <float>-e.column_products[j]
    for i in range(e.n):
        root = eliminate_row(e, i, &w)
        single_scale(
            s.P + i * s.stride, <float>root, <float>e.step_f[i], <float>e.three[i], s.stride, s.right, s.q
        )
    return w


cdef bint factorise_single(const Entropic *e, Single *s) noexcept nogil:
    """See `factorise`; False if there is no factor."""
    cdef Py_ssize_t m = e.m, stride = s.stride, j
    cdef float largest = 0.0, ridge = 0.0
    cdef int _attempt
    for j in range(m):
        largest = max(largest, s.columns[j])
    for _attempt in range(3):
        # Constants can move from g to f and change nothing; the product of the columns makes that direction regular.
        single_products(s.P, s.columns, e.n, stride, s.S)
        for j in range(stride):
            s.S[j * stride + j] += s.columns[j] + ridge if j < m else 1.0
        if single_cholesky(s.S, stride, s.inverse):
            return True
        ridge = 1e-6 * largest if ridge == 0.0 else 10.0 * ridge
    return False


cdef double direction_single(Entropic *e, Single *s, double epsilon) noexcept nogil:
    """The Newton step with w kept in [0, 1]; returns the slope of the dual along it, negative if there is none."""
    cdef Py_ssize_t m = e.m, i, j
    cdef double gain
    cdef float *step = s.beta
    cdef Slope w = eliminate_single(e, s)
    for j in range(m):
        e.one[j] = s.q[j]
    if not factorise_single(e, s):
        return -1.0
    single_solve(s.S, s.stride, s.inverse, s.right, s.q)
    for j in range(m):
        e.step_g[j] = s.right[j]
        e.beta[j] = s.q[j]
    # In units of 1 / epsilon up to here.
    e.step_w = step_along_w(e, epsilon, w, e.one)
    gain = e.slope * e.step_w
    memset(step, 0, s.stride * sizeof(float))
    for j in range(m):
        e.step_g[j] = epsilon * e.step_g[j] - e.beta[j] * e.step_w
        step[j] = <float>e.step_g[j]
        gain += (e.b[j] - e.columns[j]) * e.step_g[j]
    for i in range(e.n):
        e.step_f[i] = epsilon * e.step_f[i] - single_dot(s.P + i * s.stride, step, s.stride)
        e.step_f[i] = (e.step_f[i] + e.three[i] * e.step_w) / sqrt(e.rows[i])
        gain += (e.a[i] - e.rows[i]) * e.step_f[i]
    return gain


cdef bint move_single(Entropic *e, Single *s, double epsilon, double gain) noexcept nogil:
    """Go along the step, halving it until the dual rises enough; else stay."""
    cdef Py_ssize_t n = e.n, m = e.m, i, j, _halving
    cdef double size = 1.0, start = e.dual, old_w = e.w
    memcpy(e.old_f, e.f, n * sizeof(double))
    memcpy(e.old_g, e.g, m * sizeof(double))
    for _halving in range(HALVINGS):
        for i in range(n):
            e.f[i] = e.old_f[i] + size * e.step_f[i]
        for j in range(m):
            e.g[j] = e.old_g[j] + size * e.step_g[j]
        e.w = min(max(old_w + size * e.step_w, 0.0), 1.0)
        evaluate_single(e, s, epsilon)
        if isfinite(e.dual) and e.dual >= start + 1e-4 * size * gain:
            return True
        size *= 0.5
    memcpy(e.f, e.old_f, n * sizeof(double))
    memcpy(e.g, e.old_g, m * sizeof(double))
    e.w = old_w
    return False


cdef bint heard_of_stop(unsigned *state) noexcept nogil:
    """Whether to stop; Python answers in its own arithmetic."""
    simd_restore(state[0])
    cdef bint stop = interrupted()
    state[0] = simd_flush(True)
    return stop


cdef Py_ssize_t approach(Entropic *e, const Descent *way, double *work) noexcept nogil:
    """The steps from potentials of zero to where one at `epsilon` promises no more than its share, or cannot be taken.

    Negative where they do not lead to `epsilon`: then the potentials are nothing to go on from.
    """
    cdef Single single
    cdef Single *s = &single
    cdef unsigned state
    cdef Py_ssize_t steps = 0
    cdef double gain, share, stage = way.start
    cdef bint arrived = False
    place_single(s, e.n, e.m, aligned(work))
    single_rows(e.A, e.n, e.m, s.stride, s.A)
    single_rows(e.B, e.n, e.m, s.stride, s.B)
    memset(e.f, 0, e.n * sizeof(double))
    memset(e.g, 0, e.m * sizeof(double))
    state = simd_flush(True)
    while not arrived:
        arrived = stage == way.epsilon
        share = way.last if arrived else way.near
        evaluate_single(e, s, stage)
        sweep_single(e, s, stage, way.sweeps)
        evaluate_single(e, s, stage)
        gain = INFINITY
        while not gain <= share * stage:
            gain = direction_single(e, s, stage) if steps < way.steps else -1.0
            if not 0.0 <= gain or heard_of_stop(&state) or not move_single(e, s, stage, gain):
                simd_restore(state)
                return steps if arrived else -1
            steps += 1
        stage = max(way.epsilon, stage / way.factor)
    simd_restore(state)
    return steps


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
