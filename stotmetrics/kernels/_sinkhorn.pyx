"""Sinkhorn sweeps for many problems that share one ground cost, each with a certificate of its own.

A sweep is one product with the kernel and one with its transpose for all problems that are not done yet. Every
problem keeps its own translation, its own acceleration and its own certificate; when the certificate holds, it leaves.
A product that under- or overflows is noticed by its smallest entry and repeated in the log domain.
"""

from libc.math cimport INFINITY, fabs, isfinite, log
from libc.string cimport memcpy, memset

from ._anderson cimport anderson
from ._core cimport NOT_CONVERGED, OK
from ._cpu cimport chosen
from ._operator cimport Operator, apply_kernel, describe, log_kernel
from ._simd cimport simd_follow, simd_running
from ._sinkhorn_loops cimport (
    SINK_NONE, fill, sink_exp, sink_image, sink_log, sink_max, sink_remember, sink_residual, sink_residuals,
    sink_update,
)

import numpy as np


simd_follow(&chosen)

# A sum of products of numbers <= 1 is right to the last digits if it is above this: what underflowed is far below.
cdef double TINY = 1e-280
# A loss of the dual below this share of its terms is rounding.
cdef double NOISE = 1e-14
# What the residual of a potential without mass adds up to.
cdef double FORBIDDEN = 1e299
# Products in the log domain after which a problem stays there.
cdef int STRIKES = 3


# All potentials are in units of epsilon: u = f / epsilon, v = g / epsilon; the scalings of MATH are exp(u), exp(v).

cdef struct Settings:
    double epsilon
    double omega        # rho / (rho + epsilon); 1 if balanced
    double ratio        # epsilon / rho; 0 if balanced
    double rho          # unused if balanced
    double spread       # largest minus smallest ground cost, for the certificate of the balanced problem
    double tol          # on half the gap
    Py_ssize_t max_iter
    int depth           # of the Anderson acceleration

# The histograms of one side: `count` rows of `size` masses and their logarithms.
cdef struct Histograms:
    const double *mass
    const double *logmass
    Py_ssize_t size

# What is known of problem k: potentials, logarithms of the kernel applied to their exponentials, certificate.
cdef struct State:
    double *u           # (count, n)
    double *v           # (count, m)
    double *logku       # (count, m): log(K^T e^u)
    double *logkv       # (count, n): log(K e^v)
    double *dual
    double *gap
    Py_ssize_t *sweeps
    unsigned char *converged


# ---- one problem ------------------------------------------------------------------------------------------------

cdef double total_of(const double *mass, Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += mass[i]
    return total


cdef void certify_one(
    const Settings *s, const double *x, const double *logx, const double *logkv, const double *u, Py_ssize_t n,
    const double *y, const double *logy, const double *logku, const double *v, Py_ssize_t m, double *weight,
    double *dual, double *gap
) noexcept nogil:
    """The dual value at (u, v), less epsilon * sum K, and a bound on its distance to the optimum.

    Unbalanced, the plan e^u K e^v is itself feasible, and primal minus dual collapses to
    rho KL(P 1 | x e^{-f/rho}) + rho KL(P^T 1 | y e^{-g/rho}). Balanced, the dual is concave and its gradient is the
    error of the marginals, so it misses at most that error times how far optimal potentials can be.
    """
    cdef sink_residuals left, right
    cdef double mass
    sink_residual(x, logx, logkv, u, s.omega, s.ratio, weight, &left, n)
    sink_residual(y, logy, logku, v, s.omega, s.ratio, weight, &right, m)
    mass = left.mass
    if s.ratio > 0.0:
        dual[0] = s.rho * (left.dual + right.dual) - s.epsilon * mass
        gap[0] = s.rho * (left.gap + right.gap)
        gap[0] += 2e-15 * (s.rho * (fabs(left.dual) + fabs(right.dual)) + s.epsilon * mass)
    else:
        dual[0] = s.epsilon * (left.dual + right.dual - mass)
        gap[0] = 0.5 * (left.miss * (s.spread + s.epsilon * (left.high - left.low))
                        + right.miss * (s.spread + s.epsilon * (right.high - right.low)))
        gap[0] += 2e-15 * s.epsilon * (fabs(left.dual) + fabs(right.dual) + mass)
        if fabs(mass - total_of(x, n)) > 1e-9 * mass:
            gap[0] = INFINITY
    if left.gap >= FORBIDDEN or right.gap >= FORBIDDEN or not isfinite(dual[0]) or not isfinite(gap[0]):
        dual[0], gap[0] = 0.0, INFINITY


cdef struct Memory:
    double *weight
    double *next
    double *spare
    double *sums
    double *packed
    double *product
    double *lastg
    double *lastr
    double *dg
    double *dr
    double *best
    double *sent
    double *bestg
    Py_ssize_t *active
    Py_ssize_t *steps
    Py_ssize_t *strikes


# Bytes are counted in doubles and in Py_ssize_t.
cdef Py_ssize_t doubles_needed(const Operator *op, Py_ssize_t count, int depth) noexcept nogil:
    cdef Py_ssize_t large = op.n if op.n > op.m else op.m
    return 3 * large + count * (3 * large + (2 * depth + 3) * op.m + 2)


cdef Py_ssize_t integers_needed(Py_ssize_t count) noexcept nogil:
    return 3 * count


cdef Memory lay_out(const Operator *op, Py_ssize_t count, int depth, double *work, Py_ssize_t *iwork) noexcept nogil:
    cdef Py_ssize_t large = op.n if op.n > op.m else op.m
    cdef Memory at
    at.weight = work
    at.next = work + large
    at.sums = work + 2 * large
    at.packed = work + 3 * large
    at.product = at.packed + count * large
    at.spare = at.product + count * large
    at.lastg = at.spare + count * large
    at.lastr = at.lastg + count * op.m
    at.dg = at.lastr + count * op.m
    at.dr = at.dg + count * depth * op.m
    at.best = at.dr + count * depth * op.m
    at.sent = at.best + count
    at.bestg = at.sent + count
    at.active = iwork
    at.steps = iwork + count
    at.strikes = iwork + 2 * count
    return at


cdef void multiply(
    const Operator *op, bint transpose, Memory *at, Py_ssize_t running, const double *potential, double *logsum,
    const Histograms *there, const Py_ssize_t *index
) noexcept nogil:
    """logsum = log(K e^potential) of every running problem; `there` says where its entries matter."""
    cdef Py_ssize_t source = op.n if transpose else op.m, target = op.m if transpose else op.n, k, c, row
    cdef double low
    for k in range(running):
        c = at.active[k]
        if at.strikes[c] < STRIKES:
            sink_exp(potential + c * source, sink_max(potential + c * source, source),
                        at.packed + k * source, source)
        else:
            memset(at.packed + k * source, 0, source * sizeof(double))
    apply_kernel(op, transpose, running, at.packed, at.product, at.spare)
    for k in range(running):
        c = at.active[k]
        row = index[c] if index != NULL else c
        low = 0.0
        if at.strikes[c] < STRIKES:
            low = sink_log(at.product + k * target, sink_max(potential + c * source, source),
                              there.logmass + row * there.size, logsum + c * target, target)
        if low < TINY:
            if at.strikes[c] < STRIKES:
                at.strikes[c] += 1
                at.steps[c] = 0
            log_kernel(op, transpose, potential + c * source, logsum + c * target, at.spare, at.sums)


cdef void advance(
    const Settings *s, Memory *at, Py_ssize_t c, Py_ssize_t n, double shift, double dual, double *v
) noexcept nogil:
    """From v and its image at.next to the next v.

    A plain step never lowers the dual. So an accelerated one that does is taken back, and the iteration goes on from
    the image of the best v so far: it cannot fail where plain sweeps converge.
    """
    cdef Py_ssize_t slot, kept, block = s.depth * n
    cdef double *best = at.bestg + c * n
    if dual < at.best[c] - NOISE * fabs(at.best[c]):
        at.steps[c] = 0
        memcpy(v, best, n * sizeof(double))
        return
    at.best[c] = dual
    slot = (at.steps[c] - 1) % s.depth if at.steps[c] > 0 and s.depth > 0 else 0
    if s.depth > 0:
        sink_remember(v, at.next, shift, at.lastg + c * n, at.lastr + c * n, at.dg + c * block + slot * n,
                         at.dr + c * block + slot * n, n)
    elif shift != 0.0:
        for slot in range(n):
            at.next[slot] += shift
    memcpy(best, at.next, n * sizeof(double))
    memcpy(v, at.next, n * sizeof(double))
    kept = at.steps[c] if at.steps[c] < s.depth else s.depth
    if kept > 0:
        anderson(at.weight, at.lastr + c * n, at.dg + c * block, at.dr + c * block, kept, n, n, v)
    at.steps[c] += 1


# ---- the batches ------------------------------------------------------------------------------------------------

cdef Py_ssize_t start(
    const Settings *s, const Histograms *x, const Histograms *y, Py_ssize_t count, const Py_ssize_t *rows,
    const Py_ssize_t *cols, State *state, Memory *at
) noexcept nogil:
    """Settle the problems in which one side has no mass; list the others."""
    cdef Py_ssize_t k, row, col, running = 0
    cdef double left, right
    for k in range(count):
        row = rows[k] if rows != NULL else k
        col = cols[k] if cols != NULL else k
        left = total_of(x.mass + row * x.size, x.size)
        right = total_of(y.mass + col * y.size, y.size)
        state.sweeps[k] = 0
        state.converged[k] = 0
        at.steps[k] = 0
        at.strikes[k] = 0
        at.best[k] = -INFINITY
        if left > 0.0 and right > 0.0:
            at.active[running] = k
            running += 1
            continue
        # Nothing can be moved: the plan is zero, and all mass that there is pays the penalty.
        fill(state.u + k * x.size, SINK_NONE, x.size)
        fill(state.logku + k * y.size, SINK_NONE, y.size)
        if state.v != NULL:
            fill(state.v + k * y.size, SINK_NONE, y.size)
            fill(state.logkv + k * x.size, SINK_NONE, x.size)
        state.dual[k] = s.rho * (left + right) if s.ratio > 0.0 else 0.0
        state.gap[k] = 0.0
        state.converged[k] = 1
    return running


cdef int sinkhorn_solve(
    const Operator *op, const Settings *settings, const Histograms *x, const Histograms *y, Py_ssize_t count,
    const Py_ssize_t *rows, const Py_ssize_t *cols, State *state, double *work, Py_ssize_t *iwork
) noexcept nogil:
    """Problem k is (x[rows[k]], y[cols[k]]); v holds where it starts."""
    cdef Memory at = lay_out(op, count, settings.depth, work, iwork)
    cdef Py_ssize_t running = start(settings, x, y, count, rows, cols, state, &at)
    cdef Py_ssize_t n = op.n, m = op.m, sweep, k, c, left
    cdef const double *mx
    cdef const double *my
    cdef const double *lx
    cdef const double *ly
    cdef double kept, shift, mass
    cdef sink_residuals off
    for sweep in range(1, settings.max_iter + 1):
        if running == 0:
            break
        multiply(op, False, &at, running, state.v, state.logkv, x, rows)
        for k in range(running):
            c = at.active[k]
            at.sent[c] = sink_update(x.mass + rows[c] * n, x.logmass + rows[c] * n, state.logkv + c * n,
                                        settings.omega, settings.ratio, state.u + c * n, n)
        multiply(op, True, &at, running, state.u, state.logku, y, cols)
        left = 0
        for k in range(running):
            c = at.active[k]
            mx, lx = x.mass + rows[c] * n, x.logmass + rows[c] * n
            my, ly = y.mass + cols[c] * m, y.logmass + cols[c] * m
            state.sweeps[c] = sweep
            # The side of x was just made optimal: the other side is what is left of the gap.
            sink_residual(my, ly, state.logku + c * m, state.v + c * m, settings.omega, settings.ratio, at.weight,
                             &off, m)
            if settings.ratio == 0.0 or 0.5 * settings.rho * off.gap <= settings.tol or sweep == settings.max_iter:
                certify_one(settings, mx, lx, state.logkv + c * n, state.u + c * n, n, my, ly, state.logku + c * m,
                            state.v + c * m, m, at.weight, state.dual + c, state.gap + c)
                if 0.5 * state.gap[c] <= settings.tol:
                    state.converged[c] = 1
                    continue
            else:
                mass = total_of(mx, n) - at.sent[c]
                state.dual[c] = settings.rho * (mass + off.dual) - settings.epsilon * at.sent[c]
            if sweep < settings.max_iter:
                kept = sink_image(ly, state.logku + c * m, state.v + c * m, at.weight, settings.omega,
                                     settings.ratio, at.next, m)
                shift = -0.5 * log(at.sent[c] / kept) / settings.ratio if settings.ratio > 0.0 else 0.0
                advance(settings, &at, c, m, shift if isfinite(shift) else 0.0, state.dual[c], state.v + c * m)
            at.active[left] = c
            left += 1
        running = left
    return OK if running == 0 else NOT_CONVERGED


cdef int sinkhorn_solve_symmetric(
    const Operator *op, const Settings *settings, const Histograms *x, Py_ssize_t count, State *state,
    double *work, Py_ssize_t *iwork
) noexcept nogil:
    """Problem k is (x[k], x[k]): u holds where it starts, v and logkv are not used."""
    cdef Memory at = lay_out(op, count, settings.depth, work, iwork)
    cdef Py_ssize_t running = start(settings, x, x, count, NULL, NULL, state, &at)
    cdef Py_ssize_t n = op.n, sweep, k, c, i, left
    cdef const double *mass
    cdef const double *logmass
    cdef double *u
    cdef double shift
    for sweep in range(1, settings.max_iter + 1):
        if running == 0:
            break
        multiply(op, False, &at, running, state.u, state.logku, x, NULL)
        left = 0
        for k in range(running):
            c = at.active[k]
            mass, logmass, u = x.mass + c * n, x.logmass + c * n, state.u + c * n
            if settings.ratio == 0.0:
                # Scale the plan to the right total; the certificate of the balanced problem asks for it.
                shift = 0.0
                for i in range(n):
                    at.next[i] = u[i] + state.logku[c * n + i]
                sink_exp(at.next, 0.0, at.next, n)
                shift = 0.5 * log(total_of(mass, n) / total_of(at.next, n))
                for i in range(n):
                    u[i] += shift
                    state.logku[c * n + i] += shift
            certify_one(settings, mass, logmass, state.logku + c * n, u, n, mass, logmass, state.logku + c * n, u, n,
                        at.weight, state.dual + c, state.gap + c)
            state.sweeps[c] = sweep
            if 0.5 * state.gap[c] <= settings.tol:
                state.converged[c] = 1
                continue
            if sweep < settings.max_iter:
                # Plain steps overshoot to the other side; the mean of both is where they meet.
                sink_update(mass, logmass, state.logku + c * n, settings.omega, settings.ratio, at.next, n)
                for i in range(n):
                    at.next[i] = 0.5 * (at.next[i] + u[i])
                advance(settings, &at, c, n, 0.0, state.dual[c], u)
            at.active[left] = c
            left += 1
        running = left
    return OK if running == 0 else NOT_CONVERGED


# ---- for Python callers -----------------------------------------------------------------------------------------

cdef Settings settle(double epsilon, double rho, double spread, double tol, Py_ssize_t max_iter, int depth) noexcept:
    cdef Settings s
    s.epsilon = epsilon
    s.rho = rho
    s.ratio = epsilon / rho if isfinite(rho) else 0.0
    s.omega = 1.0 / (1.0 + s.ratio)
    s.spread = spread
    s.tol = tol
    s.max_iter = max_iter
    s.depth = depth
    return s


def log_mass(mass):
    """Logarithms of masses, with the kernels' stand-in for log 0.

    One at a time: the last digit of NumPy's vectorised logarithm depends on where an entry is in its array.
    """
    flat = np.ascontiguousarray(mass, dtype=np.float64).ravel()
    out = np.empty(flat.shape)
    cdef const double[::1] source = flat
    cdef double[::1] target = out
    cdef Py_ssize_t i
    for i in range(source.shape[0]):
        target[i] = log(source[i]) if source[i] > 0.0 else SINK_NONE
    return out.reshape(np.shape(mass))


def solve(
    tuple kernels, tuple costs, const double[:, ::1] x, const double[:, ::1] logx, const double[:, ::1] y,
    const double[:, ::1] logy, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, v, *, double epsilon,
    double rho, double spread, double tol, Py_ssize_t max_iter, int depth=5, bint symmetric=False
):
    """Problems (x[rows[k]], y[cols[k]]) from the potentials v[k], which are overwritten."""
    cdef Operator op
    describe(&op, kernels, costs, symmetric)
    cdef Settings s = settle(epsilon, rho, spread, tol, max_iter, depth)
    cdef Py_ssize_t count = rows.shape[0]
    u, logku, logkv = np.empty((count, op.n)), np.empty((count, op.m)), np.empty((count, op.n))
    dual, gap = np.empty(count), np.full(count, np.inf)
    sweeps, converged = np.empty(count, dtype=np.intp), np.empty(count, dtype=np.uint8)
    if count == 0:
        return u, v, logku, logkv, dual, gap, sweeps, converged.view(np.bool_)
    cdef double[::1] work = np.empty(doubles_needed(&op, count, depth))
    cdef Py_ssize_t[::1] iwork = np.empty(integers_needed(count), dtype=np.intp)
    cdef double[:, ::1] u_, v_, logku_, logkv_
    cdef double[::1] dual_, gap_
    cdef Py_ssize_t[::1] sweeps_
    cdef unsigned char[::1] converged_
    u_, v_, logku_, logkv_, dual_, gap_, sweeps_, converged_ = u, v, logku, logkv, dual, gap, sweeps, converged
    cdef State state = State(&u_[0, 0], &v_[0, 0], &logku_[0, 0], &logkv_[0, 0], &dual_[0], &gap_[0], &sweeps_[0],
                             &converged_[0])
    cdef Histograms left = Histograms(&x[0, 0], &logx[0, 0], op.n), right = Histograms(&y[0, 0], &logy[0, 0], op.m)
    with nogil:
        sinkhorn_solve(&op, &s, &left, &right, count, &rows[0], &cols[0], &state, &work[0], &iwork[0])
    return u, v, logku, logkv, dual, gap, sweeps, converged.view(np.bool_)


def solve_symmetric(
    tuple kernels, tuple costs, const double[:, ::1] x, const double[:, ::1] logx, u, *, double epsilon, double rho,
    double spread, double tol, Py_ssize_t max_iter, int depth=5, bint symmetric=True
):
    """Problems (x[k], x[k]) from the potentials u[k], which are overwritten."""
    cdef Operator op
    describe(&op, kernels, costs, symmetric)
    cdef Settings s = settle(epsilon, rho, spread, tol, max_iter, depth)
    cdef Py_ssize_t count = x.shape[0]
    logku = np.empty((count, op.n))
    dual, gap = np.empty(count), np.full(count, np.inf)
    sweeps, converged = np.empty(count, dtype=np.intp), np.empty(count, dtype=np.uint8)
    cdef double[::1] work = np.empty(doubles_needed(&op, count, depth))
    cdef Py_ssize_t[::1] iwork = np.empty(integers_needed(count), dtype=np.intp)
    cdef double[:, ::1] u_, logku_
    cdef double[::1] dual_, gap_
    cdef Py_ssize_t[::1] sweeps_
    cdef unsigned char[::1] converged_
    u_, logku_, dual_, gap_, sweeps_, converged_ = u, logku, dual, gap, sweeps, converged
    cdef State state = State(&u_[0, 0], NULL, &logku_[0, 0], NULL, &dual_[0], &gap_[0], &sweeps_[0], &converged_[0])
    cdef Histograms left = Histograms(&x[0, 0], &logx[0, 0], op.n)
    with nogil:
        sinkhorn_solve_symmetric(&op, &s, &left, count, &state, &work[0], &iwork[0])
    return u, logku, dual, gap, sweeps, converged.view(np.bool_)


def certify(
    const double[:, ::1] x, const double[:, ::1] logx, const double[:, ::1] y, const double[:, ::1] logy,
    const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, const double[:, ::1] u, const double[:, ::1] logku,
    const Py_ssize_t[::1] us, const double[:, ::1] v, const double[:, ::1] logkv, const Py_ssize_t[::1] vs, *,
    double epsilon, double rho, double spread
):
    """(dual, gap) of problems (x[rows[k]], y[cols[k]]) at the potentials (u[us[k]], v[vs[k]]): costs no product."""
    cdef Settings s = settle(epsilon, rho, spread, 0.0, 0, 0)
    cdef Py_ssize_t count = rows.shape[0], n = x.shape[1], m = y.shape[1], k
    dual, gap = np.empty(count), np.empty(count)
    cdef double[::1] dual_ = dual, gap_ = gap, weight = np.empty(max(n, m))
    with nogil:
        for k in range(count):
            certify_one(&s, &x[rows[k], 0], &logx[rows[k], 0], &logkv[vs[k], 0], &u[us[k], 0], n,
                        &y[cols[k], 0], &logy[cols[k], 0], &logku[us[k], 0], &v[vs[k], 0], m, &weight[0],
                        &dual_[k], &gap_[k])
    return dual, gap


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
