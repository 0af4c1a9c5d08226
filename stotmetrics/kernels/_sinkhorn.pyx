"""Sinkhorn sweeps for many problems that share one ground cost, each with a certificate of its own.

A sweep is one product with the kernel and one with its transpose for all problems that are not done yet. Every
problem keeps its own translation, its own acceleration and its own certificate; when the certificate holds, it leaves.
A product that under- or overflows is noticed by its smallest entry and repeated in the log domain.
"""

from libc.math cimport INFINITY, isfinite, log
from libc.string cimport memset

from ._core cimport NOT_CONVERGED, OK
from ._cpu cimport chosen
from ._interrupt cimport SLICE, heard, turn
from ._operator cimport Operator, apply_kernel, describe, log_kernel
from ._simd cimport simd_follow, simd_running
from ._sinkhorn_certificate cimport Penalty, Settings, certificate, certificate_of, is_solved, left_over, total_of
from ._sinkhorn_loops cimport (
    SINK_NONE, fill, sink_exp, sink_image, sink_log, sink_max, sink_residual, sink_residuals, sink_update,
)
from ._sinkhorn_steps cimport (
    PLAIN, SINK_REACH, Memory, advance, doubles_needed, integers_needed, is_stuck, lay_out,
)

import numpy as np


simd_follow(&chosen)

# A sum of products of numbers <= 1 is right to the last digits if it is above this: what underflowed is far below.
cdef double TINY = 1e-280
# Products in the log domain after which a problem stays there.
cdef int STRIKES = 3
# Plain sweeps divide the error by this or more: then a translation, which keeps the sum of the potentials, is no help.
cdef double MOVABLE = 0.25

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


cdef Py_ssize_t effort(const Operator *op) noexcept nogil:
    """About how many elementary steps a product with one vector takes."""
    cdef Py_ssize_t total = 0
    cdef int axis
    if op.axes == 1:
        return op.n * op.m + 16 * (op.n + op.m)
    for axis in range(op.axes):
        total += op.size[axis]
    return op.n * (total + 32)


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
        at.least[k] = INFINITY
        at.high[k] = -INFINITY
        at.goal[k] = s.tol * max(left, right) if s.tol < INFINITY else INFINITY
        at.last[k] = PLAIN
        at.wait[k] = at.idle[k] = at.still[k] = 0
        at.backoff[k] = 1
        at.reach[k] = SINK_REACH
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
        state.dual[k] = 0.0
        if s.x.ratio > 0.0:
            state.dual[k] += s.x.rho * left
        if s.y.ratio > 0.0:
            state.dual[k] += s.y.rho * right
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
    cdef Py_ssize_t n = op.n, m = op.m, sweep, k, c, left, until = SLICE
    cdef const double *mx
    cdef const double *my
    cdef const double *lx
    cdef const double *ly
    cdef double kept, shift, mass, total, noise, error
    cdef sink_residuals off, other
    cdef bint stuck, certified, unbalanced = settings.x.ratio > 0.0
    cdef bint translate = settings.y.ratio > 0.0 and settings.x.omega * settings.y.omega > MOVABLE
    for sweep in range(1, settings.max_iter + 1):
        if running == 0 or turn(&until, running * effort(op)):
            break
        multiply(op, False, &at, running, state.v, state.logkv, x, rows)
        for k in range(running):
            c = at.active[k]
            at.sent[c] = sink_update(x.mass + rows[c] * n, x.logmass + rows[c] * n, state.logkv + c * n,
                                     settings.x.omega, settings.x.ratio, state.u + c * n, n)
        multiply(op, True, &at, running, state.u, state.logku, y, cols)
        left = 0
        for k in range(running):
            c = at.active[k]
            mx, lx = x.mass + rows[c] * n, x.logmass + rows[c] * n
            my, ly = y.mass + cols[c] * m, y.logmass + cols[c] * m
            state.sweeps[c] = sweep
            # The side of x was just made optimal: the other side is what is left of the gap.
            sink_residual(my, ly, state.logku + c * m, state.v + c * m, settings.y.omega, settings.y.ratio,
                          at.weight, &off, m)
            total, mass = total_of(mx, n), total_of(my, m)
            error = left_over(settings, &off, mass)
            stuck = False
            certified = not unbalanced or sweep == settings.max_iter
            if not certified:
                state.dual[c] = settings.x.rho * (total - at.sent[c]) + settings.y.rho * off.dual
                state.dual[c] -= settings.epsilon * at.sent[c]
                noise = settings.x.rho * (total + at.sent[c]) + settings.y.rho * off.noise
                noise += settings.epsilon * at.sent[c]
                stuck = is_stuck(settings, &at, c, error, state.dual[c], noise)
                certified = stuck or is_solved(settings, at.goal[c], settings.y.rho * off.gap, noise, error)
            if certified:
                sink_residual(mx, lx, state.logkv + c * n, state.u + c * n, settings.x.omega, settings.x.ratio, at.next,
                              &other, n)
                certificate_of(settings, &other, &off, mx, n, state.dual + c, state.gap + c, &noise)
                if is_solved(settings, at.goal[c], state.gap[c], noise, error):
                    state.converged[c] = 1
                    continue
                if stuck or is_stuck(settings, &at, c, error, state.dual[c], noise):
                    continue
            if sweep < settings.max_iter:
                kept = sink_image(ly, state.logku + c * m, state.v + c * m, at.weight, settings.y.omega,
                                  settings.y.ratio, at.next, m)
                shift = 0.0
                if translate:
                    shift = -log(at.sent[c] / kept) / (settings.x.ratio + settings.y.ratio)
                advance(settings, &at, c, m, shift if isfinite(shift) else 0.0, state.dual[c], noise, state.v + c * m)
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
    cdef Py_ssize_t n = op.n, sweep, k, c, i, left, until = SLICE
    cdef const double *mass
    cdef const double *logmass
    cdef double *u
    cdef double shift, noise, error, share = 1.0 / (1.0 + settings.x.omega)
    cdef sink_residuals off
    for sweep in range(1, settings.max_iter + 1):
        if running == 0 or turn(&until, running * effort(op)):
            break
        multiply(op, False, &at, running, state.u, state.logku, x, NULL)
        left = 0
        for k in range(running):
            c = at.active[k]
            mass, logmass, u = x.mass + c * n, x.logmass + c * n, state.u + c * n
            if settings.x.ratio == 0.0:
                # Scale the plan to the right total; the certificate of the balanced problem asks for it.
                shift = 0.0
                for i in range(n):
                    at.next[i] = u[i] + state.logku[c * n + i]
                sink_exp(at.next, 0.0, at.next, n)
                shift = 0.5 * log(total_of(mass, n) / total_of(at.next, n))
                for i in range(n):
                    u[i] += shift
                    state.logku[c * n + i] += shift
            sink_residual(mass, logmass, state.logku + c * n, u, settings.x.omega, settings.x.ratio, at.weight,
                          &off, n)
            certificate_of(settings, &off, &off, mass, n, state.dual + c, state.gap + c, &noise)
            state.sweeps[c] = sweep
            error = left_over(settings, &off, total_of(mass, n))
            if is_solved(settings, at.goal[c], state.gap[c], noise, error):
                state.converged[c] = 1
                continue
            if is_stuck(settings, &at, c, error, state.dual[c], noise):
                continue
            if sweep < settings.max_iter:
                # Plain steps overshoot to the other side; this share of them finds the total mass at once.
                sink_update(mass, logmass, state.logku + c * n, settings.x.omega, settings.x.ratio, at.next, n)
                for i in range(n):
                    at.next[i] = u[i] + share * (at.next[i] - u[i])
                advance(settings, &at, c, n, 0.0, state.dual[c], noise, u)
            at.active[left] = c
            left += 1
        running = left
    return OK if running == 0 else NOT_CONVERGED


# ---- for Python callers -----------------------------------------------------------------------------------------

cdef Penalty penalty(double epsilon, double rho) noexcept:
    cdef Penalty p
    p.rho = rho
    p.ratio = epsilon / rho if isfinite(rho) else 0.0
    p.omega = 1.0 / (1.0 + p.ratio)
    return p


cdef Settings settle(
    double epsilon, double rho, rho_y, double spread, double tol, double stop, Py_ssize_t max_iter, int depth
):
    cdef Settings s
    s.epsilon = epsilon
    s.x = penalty(epsilon, rho)
    s.y = penalty(epsilon, rho if rho_y is None else rho_y)
    s.spread = spread
    s.tol = tol
    s.stop = stop
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
    double rho, double spread, double tol, Py_ssize_t max_iter, int depth=5, bint symmetric=False, rho_y=None,
    double stop=INFINITY
):
    """Problems (x[rows[k]], y[cols[k]]) from the potentials v[k], which are overwritten.

    ``rho_y``: the penalty of y where it is not that of x; then that of x may be infinite, and not that of y.
    """
    cdef Operator op
    describe(&op, kernels, costs, symmetric)
    cdef Settings s = settle(epsilon, rho, rho_y, spread, tol, stop, max_iter, depth)
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
    heard()
    return u, v, logku, logkv, dual, gap, sweeps, converged.view(np.bool_)


def solve_symmetric(
    tuple kernels, tuple costs, const double[:, ::1] x, const double[:, ::1] logx, u, *, double epsilon, double rho,
    double spread, double tol, Py_ssize_t max_iter, int depth=5, bint symmetric=True, double stop=INFINITY
):
    """Problems (x[k], x[k]) from the potentials u[k], which are overwritten."""
    cdef Operator op
    describe(&op, kernels, costs, symmetric)
    cdef Settings s = settle(epsilon, rho, None, spread, tol, stop, max_iter, depth)
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
    heard()
    return u, logku, dual, gap, sweeps, converged.view(np.bool_)


def certify(
    const double[:, ::1] x, const double[:, ::1] logx, const double[:, ::1] y, const double[:, ::1] logy,
    const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, const double[:, ::1] u, const double[:, ::1] logku,
    const Py_ssize_t[::1] us, const double[:, ::1] v, const double[:, ::1] logkv, const Py_ssize_t[::1] vs, *,
    double epsilon, double rho, double spread
):
    """(dual, gap) of problems (x[rows[k]], y[cols[k]]) at the potentials (u[us[k]], v[vs[k]]): costs no product."""
    cdef Settings s = settle(epsilon, rho, None, spread, 0.0, 0.0, 0, 0)
    cdef double noise
    cdef Py_ssize_t count = rows.shape[0], n = x.shape[1], m = y.shape[1], k
    dual, gap = np.empty(count), np.empty(count)
    cdef double[::1] dual_ = dual, gap_ = gap, weight = np.empty(max(n, m))
    with nogil:
        for k in range(count):
            certificate(&s, &x[rows[k], 0], &logx[rows[k], 0], &logkv[vs[k], 0], &u[us[k], 0], n,
                        &y[cols[k], 0], &logy[cols[k], 0], &logku[us[k], 0], &v[vs[k], 0], m, &weight[0],
                        &dual_[k], &gap_[k], &noise)
    return dual, gap


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
