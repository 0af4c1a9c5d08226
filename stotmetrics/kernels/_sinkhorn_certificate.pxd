# One unbalanced Sinkhorn problem: what its marginals pay, and the certificate of its potentials.
#
# All potentials are in units of epsilon: u = f / epsilon, v = g / epsilon; the scalings of MATH are exp(u), exp(v).

from libc.math cimport INFINITY, fabs, isfinite

from ._sinkhorn_loops cimport sink_residual, sink_residuals

cdef extern from *:
    """
    /* What the residual of a potential without mass adds up to. */
    #define SINK_FORBIDDEN 1e299
    """
    const double SINK_FORBIDDEN


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


cdef inline double total_of(const double *mass, Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += mass[i]
    return total


cdef inline void certificate(
    const Settings *s, const double *x, const double *logx, const double *logkv, const double *u, Py_ssize_t n,
    const double *y, const double *logy, const double *logku, const double *v, Py_ssize_t m, double *weight,
    double *dual, double *gap, double *noise
) noexcept nogil:
    """The dual value at (u, v), less epsilon * sum K, a bound on its distance to the optimum, and on its rounding."""
    cdef sink_residuals left, right
    sink_residual(x, logx, logkv, u, s.x.omega, s.x.ratio, weight, &left, n)
    sink_residual(y, logy, logku, v, s.y.omega, s.y.ratio, weight, &right, m)
    certificate_of(s, &left, &right, x, n, dual, gap, noise)


cdef inline void certificate_of(
    const Settings *s, const sink_residuals *left, const sink_residuals *right, const double *x, Py_ssize_t n,
    double *dual, double *gap, double *noise
) noexcept nogil:
    """The certificate, from what both sides are off.

    Unbalanced, the plan e^u K e^v is itself feasible, and primal minus dual collapses to
    rho KL(P 1 | x e^{-f/rho}) + rho KL(P^T 1 | y e^{-g/rho}). Balanced, the dual is concave and its gradient is the
    error of the marginals, so it misses at most that error times how far optimal potentials can be. Balanced on the
    side of x alone, the plan is feasible once u has been made optimal.
    """
    cdef double mass = left.mass
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
    if left.gap >= SINK_FORBIDDEN or right.gap >= SINK_FORBIDDEN or not isfinite(gap[0]):
        gap[0] = INFINITY
    elif s.x.ratio == 0.0 and fabs(mass - total_of(x, n)) > 1e-9 * mass:
        gap[0] = INFINITY
    if not isfinite(dual[0]):
        dual[0], gap[0] = 0.0, INFINITY


cdef inline bint is_solved(const Settings *s, double goal, double gap, double noise, double error) noexcept nogil:
    """Where the plan is far heavier than both masses, rounding may cost more than the goal: then that is the goal.

    At potentials far from any solution the terms of the dual overflow: nothing is known there.
    """
    if s.tol < INFINITY and not gap < INFINITY:
        return False
    if s.tol > 0.0:
        goal = max(goal, 2e-15 * noise)
    return 0.5 * gap <= goal and error <= s.stop


cdef inline double rate(const Settings *s, const Penalty *side) noexcept nogil:
    return side.rho if side.ratio > 0.0 else s.epsilon


cdef inline double left_over(const Settings *s, const sink_residuals *off, double mass) noexcept nogil:
    """What the next plain sweep has to mend on the side of y: the error of its marginal as a part of the mass, or,
    unbalanced, the largest change of a logarithm."""
    return off.widest if s.y.ratio > 0.0 else off.miss / mass
