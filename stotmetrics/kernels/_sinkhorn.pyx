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
from ._interrupt cimport SLICE, heard, turn
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
# Sweeps without a new least error after which rounding is all that moves.
cdef Py_ssize_t PATIENCE = 100

# Plain sweeps divide the error by this or more: then a translation, which keeps the sum of the potentials, is no help.
cdef double MOVABLE = 0.25

# The first reach of an acceleration, in plain steps, and what it is multiplied by when one is kept or taken back. A
# plan that moves mass bit by bit makes many equal steps, of which the last few tell no end.
cdef double REACH = 8.0, FARTHER = 4.0, NEARER = 0.25

# What the last step of a problem was.
cdef enum:
    PLAIN
    TRANSLATED
    ACCELERATED


# All potentials are in units of epsilon: u = f / epsilon, v = g / epsilon; the scalings of MATH are exp(u), exp(v).

# What one marginal pays for being off.
cdef struct Penalty:
    double rho          # unused if balanced
    double omega        # rho / (rho + epsilon); 1 if balanced
    double ratio        # epsilon / rho; 0 if balanced

cdef struct Settings:
    double epsilon
    Penalty x
    Penalty y           # balanced only if that of x is
    double spread       # largest minus smallest ground cost, for the certificate of the balanced problem
    double tol          # on half the gap, as a part of the larger mass
    double stop         # on what a sweep leaves over: see `left_over`
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
    double *dual, double *gap, double *noise
) noexcept nogil:
    """The dual value at (u, v), less epsilon * sum K, a bound on its distance to the optimum, and on its rounding.

    Unbalanced, the plan e^u K e^v is itself feasible, and primal minus dual collapses to
    rho KL(P 1 | x e^{-f/rho}) + rho KL(P^T 1 | y e^{-g/rho}). Balanced, the dual is concave and its gradient is the
    error of the marginals, so it misses at most that error times how far optimal potentials can be. Balanced on the
    side of x alone, the plan is feasible once u has been made optimal.
    """
    cdef sink_residuals left, right
    cdef double mass
    sink_residual(x, logx, logkv, u, s.x.omega, s.x.ratio, weight, &left, n)
    sink_residual(y, logy, logku, v, s.y.omega, s.y.ratio, weight, &right, m)
    mass = left.mass
    # The rates at which potentials pay: rho of what is left over, or epsilon of themselves.
    dual[0] = rate(s, &s.x) * left.dual + rate(s, &s.y) * right.dual - s.epsilon * mass
    noise[0] = rate(s, &s.x) * left.noise + rate(s, &s.y) * right.noise + s.epsilon * mass
    gap[0] = 2e-15 * noise[0]
    if s.y.ratio == 0.0:
        gap[0] += 0.5 * (left.miss * (s.spread + s.epsilon * (left.high - left.low))
                         + right.miss * (s.spread + s.epsilon * (right.high - right.low)))
    else:
        gap[0] += s.y.rho * right.gap
        if s.x.ratio > 0.0:
            gap[0] += s.x.rho * left.gap
    if left.gap >= FORBIDDEN or right.gap >= FORBIDDEN or not isfinite(gap[0]):
        gap[0] = INFINITY
    elif s.x.ratio == 0.0 and fabs(mass - total_of(x, n)) > 1e-9 * mass:
        gap[0] = INFINITY
    if not isfinite(dual[0]):
        dual[0], gap[0] = 0.0, INFINITY


cdef inline bint is_solved(const Settings *s, double goal, double gap, double noise, double error) noexcept nogil:
    """Where the plan is far heavier than both masses, rounding may cost more than the goal: then that is the goal."""
    if s.tol > 0.0:
        goal = max(goal, 2e-15 * noise)
    return 0.5 * gap <= goal and error <= s.stop


cdef inline double rate(const Settings *s, const Penalty *side) noexcept nogil:
    return side.rho if side.ratio > 0.0 else s.epsilon


cdef inline double left_over(const Settings *s, const sink_residuals *off, double mass) noexcept nogil:
    """What the next plain sweep has to mend on the side of y: the error of its marginal as a part of the mass, or,
    unbalanced, the largest change of a logarithm."""
    return off.widest if s.y.ratio > 0.0 else off.miss / mass


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
    double *goal
    double *least
    double *high
    double *reach
    Py_ssize_t *active
    Py_ssize_t *steps
    Py_ssize_t *strikes
    Py_ssize_t *last
    Py_ssize_t *wait
    Py_ssize_t *backoff
    Py_ssize_t *idle
    Py_ssize_t *still


# Bytes are counted in doubles and in Py_ssize_t.
cdef Py_ssize_t doubles_needed(const Operator *op, Py_ssize_t count, int depth) noexcept nogil:
    cdef Py_ssize_t large = op.n if op.n > op.m else op.m
    return 3 * large + count * (3 * large + (2 * depth + 3) * op.m + 6)


cdef Py_ssize_t integers_needed(Py_ssize_t count) noexcept nogil:
    return 8 * count


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
    at.goal = at.sent + count
    at.least = at.goal + count
    at.high = at.least + count
    at.reach = at.high + count
    at.bestg = at.reach + count
    at.active = iwork
    at.steps = iwork + count
    at.strikes = iwork + 2 * count
    at.last = iwork + 3 * count
    at.wait = iwork + 4 * count
    at.backoff = iwork + 5 * count
    at.idle = iwork + 6 * count
    at.still = iwork + 7 * count
    return at


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


cdef inline void hold(
    double reach, const double *plain, const double *image, double *v, Py_ssize_t n
) noexcept nogil:
    """Keep v within so many plain steps of the plain image."""
    cdef double step = 0.0, farthest = 0.0, share
    cdef Py_ssize_t i
    for i in range(n):
        step = max(step, fabs(plain[i]))
        farthest = max(farthest, fabs(v[i] - image[i]))
    if farthest > reach * step:
        share = reach * step / farthest
        for i in range(n):
            v[i] = image[i] + share * (v[i] - image[i])


cdef void advance(
    const Settings *s, Memory *at, Py_ssize_t c, Py_ssize_t n, double shift, double dual, double noise, double *v
) noexcept nogil:
    """From v and its image at.next to the next v.

    A plain step never lowers the dual. So a translated or accelerated one that does is taken back, and the iteration
    goes on by one plain step from the best v so far: it cannot fail where plain sweeps converge. A translation that
    lowered the dual is not tried again, and each failed acceleration doubles the plain steps before the next. One goes
    no farther than a number of plain steps, which grows as long as they are kept.
    """
    cdef Py_ssize_t slot, kept, block = s.depth * n
    cdef double *best = at.bestg + c * n
    if at.last[c] != PLAIN and dual < at.best[c] - NOISE * noise:
        if at.last[c] == TRANSLATED:
            at.still[c] = 1
        else:
            at.reach[c] = max(1.0, NEARER * at.reach[c])
        at.backoff[c] *= 2
        at.wait[c] = at.backoff[c]
        at.steps[c] = 0
        at.last[c] = PLAIN
        memcpy(v, best, n * sizeof(double))
        return
    if at.last[c] == ACCELERATED:
        at.reach[c] *= FARTHER
    at.best[c] = dual
    at.last[c] = PLAIN
    memcpy(best, at.next, n * sizeof(double))
    if at.still[c]:
        shift = 0.0
    if shift != 0.0:
        at.last[c] = TRANSLATED
    slot = (at.steps[c] - 1) % s.depth if at.steps[c] > 0 and s.depth > 0 else 0
    if s.depth > 0:
        sink_remember(v, at.next, shift, at.lastg + c * n, at.lastr + c * n, at.dg + c * block + slot * n,
                      at.dr + c * block + slot * n, n)
    elif shift != 0.0:
        for slot in range(n):
            at.next[slot] += shift
    memcpy(v, at.next, n * sizeof(double))
    kept = at.steps[c] if at.steps[c] < s.depth else s.depth
    if at.wait[c] > 0:
        at.wait[c] -= 1
    elif kept > 0:
        anderson(at.weight, at.lastr + c * n, at.dg + c * block, at.dr + c * block, kept, n, n, v)
        hold(at.reach[c], at.lastr + c * n, at.next, v, n)
        at.last[c] = ACCELERATED
    at.steps[c] += 1


cdef inline bint is_stuck(
    const Settings *s, Memory *at, Py_ssize_t c, double error, double dual, double noise
) noexcept nogil:
    """Whether the last progress, of the error or of the dual, is so long ago that rounding is all that moves."""
    if error < at.least[c] or dual > at.high[c] + NOISE * noise:
        at.least[c] = min(error, at.least[c])
        at.high[c] = max(dual, at.high[c])
        at.idle[c] = 0
        return False
    at.idle[c] += 1
    # Without a goal the sweeps are counted out.
    return at.idle[c] >= PATIENCE and s.tol > 0.0 and s.stop > 0.0


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
        at.reach[k] = REACH
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
    cdef sink_residuals off
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
                certify_one(settings, mx, lx, state.logkv + c * n, state.u + c * n, n, my, ly, state.logku + c * m,
                            state.v + c * m, m, at.weight, state.dual + c, state.gap + c, &noise)
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
            certify_one(settings, mass, logmass, state.logku + c * n, u, n, mass, logmass, state.logku + c * n, u, n,
                        at.weight, state.dual + c, state.gap + c, &noise)
            state.sweeps[c] = sweep
            sink_residual(mass, logmass, state.logku + c * n, u, settings.x.omega, settings.x.ratio, at.weight,
                          &off, n)
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
            certify_one(&s, &x[rows[k], 0], &logx[rows[k], 0], &logkv[vs[k], 0], &u[us[k], 0], n,
                        &y[cols[k], 0], &logy[cols[k], 0], &logku[us[k], 0], &v[vs[k], 0], m, &weight[0],
                        &dual_[k], &gap_[k], &noise)
    return dual, gap


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
