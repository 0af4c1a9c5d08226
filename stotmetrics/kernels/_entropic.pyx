"""Entropic TiOT: max over w in [0, 1] of min over couplings P of <w A + (1 - w) B, P> + epsilon KL(P | a b').

Its dual ``<a, f> + <b, g> - epsilon sum P + epsilon`` with ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`` is
smooth and jointly concave in (f, g, w). Newton's method follows its maximiser while epsilon falls from the scale of the
costs.
"""

from libc.math cimport INFINITY, fabs, isfinite, log
from libc.string cimport memcpy, memset

from ._clouds cimport CELL, Atoms, Stack, points
from ._core cimport ABOVE as IS_ABOVE
from ._core cimport NOT_CONVERGED, OK
from ._costs cimport powers
from ._cpu cimport chosen
from ._entropic_above cimport value_at_least
from ._entropic_certificate cimport Rounded, add_rows, certified, round_to, scale_down
from ._entropic_newton cimport direction
from ._entropic_problem cimport Entropic
from ._entropic_single cimport FEWEST, Descent, approach, single_doubles
from ._factor_small cimport MOST_ROWS, SMALL
from ._gibbs cimport add_row, gibbs_row, gibbs_sums, largest_entry, row_product
from ._interrupt cimport SLICE, heard, interrupted, turn
from ._linalg cimport whole
from ._simd cimport SIMD_WIDEST, aligned, padded, simd_follow, simd_running

import numpy as np


simd_follow(&chosen)
assert whole  # before any of its parts

# The status of a problem whose value is above the cutoff.
ABOVE = IS_ABOVE

# The continuation: epsilon starts at a share of the largest cost and falls by FACTOR, after as many sweeps, once the
# Newton step promises a gain of no more than a share of it. Chosen by the time it takes on series of 70 to 431. The
# quick way is given up where its first step promises more than `far` epsilon, or rounding stops its steps.
cdef double FACTOR = 4.0
cdef int SWEEPS = 4

cdef struct Continuation:
    double start
    double near
    double far

cdef Continuation QUICK = Continuation(0.004, 0.5, 3.0)
cdef Continuation CAREFUL = Continuation(0.0625, 0.1, INFINITY)
# Steps in single precision lead down first, unless exponents are so large that it has few digits left for them, and end
# where one promises no more than this share of epsilon. Then go on from there.
cdef Continuation READY = Continuation(0.0, 0.5, 3.0)
cdef double LAST = 0.03, LARGEST_EXPONENT = 16384.0
cdef Py_ssize_t MOST_SINGLE_STEPS = 40

# A gap is small beside its value, or what a Newton step gains is rounding.
cdef double SHARE = 1e-3, LEAST_GAIN = 1e-20
# What rounding does to a sum, in units of what is added up.
cdef double ROUNDING = 8 * 2.220446049250313e-16


cdef inline bint is_small(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    return m <= SMALL and n <= MOST_ROWS


cdef Py_ssize_t entropic_doubles(Py_ssize_t n, Py_ssize_t m) noexcept nogil:
    """Size of the workspace that `place` cuts up."""
    cdef Py_ssize_t stride = padded(m), around = 3 * n * m + 7 * n + 10 * m
    return around + (
        (stride + n + 3) * stride + SIMD_WIDEST + single_doubles(n, m) if is_small(n, m) else m * m
    )


cdef void place(Entropic *e, Py_ssize_t n, Py_ssize_t m, double *work) noexcept nogil:
    e.n = n
    e.m = m
    e.A = work
    e.B = e.A + n * m
    e.P = e.B + n * m
    e.log_a = e.P + n * m
    e.f = e.log_a + n
    e.rows = e.f + n
    e.row_products = e.rows + n
    e.step_f = e.row_products + n
    e.old_f = e.step_f + n
    e.three = e.old_f + n
    e.log_b = e.three + n
    e.g = e.log_b + m
    e.columns = e.g + m
    e.column_products = e.columns + m
    e.step_g = e.column_products + m
    e.old_g = e.step_g + m
    e.one = e.old_g + m
    e.two = e.one + m
    e.beta = e.two + m
    e.S = e.beta + m
    e.stride = m
    e.Q = NULL
    if is_small(n, m):
        e.S = aligned(e.S)
        e.stride = padded(m)
        e.Q = e.S + e.stride * e.stride


cdef void set_masses(Entropic *e, const double *a, const double *b) noexcept nogil:
    cdef Py_ssize_t i
    e.a = <double *>a
    e.b = <double *>b
    for i in range(e.n):
        e.log_a[i] = log(a[i])
    for i in range(e.m):
        e.log_b[i] = log(b[i])


cdef void evaluate(Entropic *e, double epsilon) noexcept nogil:
    """The plan at (f, g, w), its sums, and the dual value."""
    cdef Py_ssize_t n = e.n, m = e.m, i, j
    cdef double wa = e.w / epsilon, wb = (1.0 - e.w) / epsilon, inverse = 1.0 / epsilon, total = 0.0, value = 0.0
    cdef gibbs_sums sums
    memset(e.columns, 0, m * sizeof(double))
    memset(e.column_products, 0, m * sizeof(double))
    e.slope = e.curvature = 0.0
    for j in range(m):
        e.beta[j] = e.g[j] * inverse + e.log_b[j]
        value += e.b[j] * e.g[j]
    for i in range(n):
        gibbs_row(
            e.A + i * m, e.B + i * m, e.beta, e.f[i] * inverse + e.log_a[i], wa, wb, m, e.P + i * m,
            e.columns, e.column_products, &sums
        )
        e.rows[i] = sums.mass
        e.row_products[i] = sums.product
        total += sums.mass
        e.slope += sums.product
        e.curvature += sums.square
        value += e.a[i] * e.f[i]
    e.dual = value - epsilon * (total - 1.0)


cdef void sweep(Entropic *e, double epsilon, int count) noexcept nogil:
    """Maximise over f, then over g, so many times. The last evaluation must be of these potentials at this epsilon.

    Every further time scales the plan that is there, which costs a fraction of its exponentials.
    """
    cdef Py_ssize_t n = e.n, m = e.m, i, j
    cdef double *u = e.three
    cdef double *v = e.one
    cdef int time
    for time in range(count):
        memset(e.columns, 0, m * sizeof(double))
        for i in range(n):
            u[i] = e.a[i] / (e.rows[i] if time == 0 else row_product(e.P + i * m, v, m))
            add_row(e.P + i * m, u[i], m, e.columns)
        for j in range(m):
            v[j] = e.b[j] / e.columns[j]
    for i in range(n):
        e.f[i] += epsilon * log(u[i])
    for j in range(m):
        e.g[j] += epsilon * log(v[j])


cdef bint move(Entropic *e, double epsilon, double gain) noexcept nogil:
    """Go along the step, halving it until the dual rises enough."""
    cdef Py_ssize_t n = e.n, m = e.m, i, j, _halving
    cdef double size = 1.0, start = e.dual, old_w = e.w
    memcpy(e.old_f, e.f, n * sizeof(double))
    memcpy(e.old_g, e.g, m * sizeof(double))
    for _halving in range(40):
        if interrupted():
            return False
        for i in range(n):
            e.f[i] = e.old_f[i] + size * e.step_f[i]
        for j in range(m):
            e.g[j] = e.old_g[j] + size * e.step_g[j]
        e.w = min(max(old_w + size * e.step_w, 0.0), 1.0)
        evaluate(e, epsilon)
        if isfinite(e.dual):
            # So close to the maximum the dual changes by less than its rounding.
            if e.dual >= start + 1e-4 * size * gain or (
                gain < 1e-7 * epsilon and e.dual >= start - 1e-14 * (e.scale + epsilon + fabs(start))
            ):
                return True
        size *= 0.5
    memcpy(e.f, e.old_f, n * sizeof(double))
    memcpy(e.g, e.old_g, m * sizeof(double))
    e.w = old_w
    evaluate(e, epsilon)
    return False


cdef void certify(Entropic *e, double epsilon, Saddle *saddle) noexcept nogil:
    """Round the plan to a true coupling, and bound what that costs, regularised, from above."""
    cdef Rounded plan
    memset(&plan, 0, sizeof(Rounded))
    scale_down(e, epsilon, &plan)
    add_rows(e, epsilon, &plan)
    saddle.objective = e.dual
    saddle.gap = certified(&plan, e.w, epsilon, e.dual, e.fixed, &saddle.value)
    saddle.beside = plan.q_b + (plan.r_b / plan.rest if plan.rest > 0.0 else 0.0)


cdef inline double allowed(double tol, double epsilon, double objective) noexcept nogil:
    """The gap to reach; marginals are never right to more than rounding, which costs that much at a huge epsilon."""
    return tol * max(1.0, fabs(objective)) + 4e-13 * epsilon


cdef int solve(
    Entropic *e, double epsilon, double tol, Py_ssize_t max_steps, double cutoff, Saddle *saddle
) noexcept nogil:
    """Follow the maximiser down to `epsilon`. The potentials start from zero, w from where it is.

    A value that is certainly above the cutoff is not computed.
    """
    cdef double scale = max(largest_entry(e.A, e.n * e.m), largest_entry(e.B, e.n * e.m)), w = e.w
    cdef int status
    e.scale = scale
    saddle.steps = saddle.single = 0
    if epsilon < CAREFUL.start * scale:
        if approached(e, epsilon, max_steps, saddle):
            status = descend(e, &READY, epsilon, tol, max_steps, cutoff, saddle)
            if is_final(status, saddle, max_steps):
                return status
        e.w = w
        status = descend(e, &QUICK, epsilon, tol, max_steps, cutoff, saddle)
        if is_final(status, saddle, max_steps):
            return status
        e.w = w
    return descend(e, &CAREFUL, epsilon, tol, max_steps, cutoff, saddle)


cdef inline bint is_final(int status, const Saddle *saddle, Py_ssize_t max_steps) noexcept nogil:
    """Whether no other way is to be tried."""
    return status != NOT_CONVERGED or saddle.steps >= max_steps or interrupted()


cdef bint approached(Entropic *e, double epsilon, Py_ssize_t max_steps, Saddle *saddle) noexcept nogil:
    """Whether steps in single precision have led near the maximiser."""
    cdef double start = max(epsilon, QUICK.start * e.scale)
    cdef Py_ssize_t most = min(max_steps, MOST_SINGLE_STEPS)
    cdef Descent way = Descent(epsilon, start, FACTOR, SWEEPS, QUICK.near, LAST, most)
    cdef Py_ssize_t steps
    if e.Q == NULL or e.m < FEWEST or epsilon * LARGEST_EXPONENT < e.scale:
        return False
    steps = approach(e, &way, e.Q + (e.n + 3) * e.stride)
    saddle.steps = saddle.single = max(steps, 0)
    return steps >= 0


cdef int descend(
    Entropic *e, const Continuation *way, double epsilon, double tol, Py_ssize_t max_steps, double cutoff,
    Saddle *saddle
) noexcept nogil:
    """Down to `epsilon` by one of the ways: from potentials of zero or, where one starts there, from what there is."""
    cdef Py_ssize_t stuck = 0
    cdef double stage = max(epsilon, way.start * e.scale), far = way.far, gain
    if way.start > 0.0:
        memset(e.f, 0, e.n * sizeof(double))
        memset(e.g, 0, e.m * sizeof(double))
    while True:
        evaluate(e, stage)
        if way.start > 0.0:
            sweep(e, stage, SWEEPS)
            evaluate(e, stage)
        gain = INFINITY
        while True:
            if stage == epsilon and gain < 1e3 * tol:
                certify(e, epsilon, saddle)
                # A root magnifies what is left next to zero: there go on while it gains anything.
                if saddle.gap <= allowed(tol, epsilon, e.dual) and (
                    saddle.gap <= SHARE * saddle.value or gain < LEAST_GAIN * epsilon
                ):
                    return OK
            if saddle.steps >= max_steps:
                break
            gain = direction(e, stage)
            if interrupted() or not (0.0 <= gain <= far * stage or far == INFINITY):
                return NOT_CONVERGED
            far = INFINITY
            if stage == epsilon and gain >= 0.0 and cutoff < INFINITY:
                saddle.value = value_at_least(e, epsilon, gain, allowed(tol, epsilon, e.dual))
                if saddle.value > cutoff:
                    saddle.objective = e.dual
                    saddle.gap = INFINITY
                    return IS_ABOVE
            if stage > epsilon and 0.0 <= gain < way.near * stage:
                # Near enough to go on from, but the step is paid for: take it.
                move(e, stage, gain)
                saddle.steps += 1
                break
            saddle.steps += 1
            if gain < 0.0 or not move(e, stage, gain):
                # Rounding has the last word on the step: sweeps never lose.
                if stage > epsilon or stuck == 10:
                    break
                stuck += 1
                evaluate(e, stage)
                sweep(e, stage, 1)
                evaluate(e, stage)
        if stage == epsilon or saddle.steps >= max_steps:
            finish(e, epsilon, stage, saddle)
            return OK if saddle.gap <= allowed(tol, epsilon, e.dual) else NOT_CONVERGED
        stage = max(epsilon, stage / FACTOR)


cdef void finish(Entropic *e, double epsilon, double stage, Saddle *saddle) noexcept nogil:
    """A last value at the target, wherever the steps ran out."""
    while stage != epsilon:
        # By steps here too: at a far smaller epsilon these potentials overflow. From infinite costs no steps lead down.
        stage = max(epsilon, stage / FACTOR) if stage < INFINITY else epsilon
        evaluate(e, stage)
        sweep(e, stage, 1)
    evaluate(e, epsilon)
    certify(e, epsilon, saddle)


cdef double certified_gap(const Entropic *e, double epsilon, const Saddle *saddle) noexcept nogil:
    """The gap with what rounding does to both of its sides: to sums over potentials, and over masses."""
    cdef Py_ssize_t i
    cdef double size = fabs(saddle.value) + fabs(saddle.objective) + epsilon
    for i in range(e.n):
        size += e.a[i] * fabs(e.f[i])
    for i in range(e.m):
        size += e.b[i] * fabs(e.g[i])
    return max(saddle.gap, 0.0) + ROUNDING * size


cdef void copy(const double[:, ::1] cost, bint turned, double *out) noexcept nogil:
    """A cost matrix, or its transpose."""
    cdef Py_ssize_t n = cost.shape[0], m = cost.shape[1], i, j
    if not turned:
        memcpy(out, &cost[0, 0], n * m * sizeof(double))
        return
    for i in range(n):
        for j in range(m):
            out[j * n + i] = cost[i, j]


cdef class _Many:
    """What is known of many problems."""

    cdef int[::1] status
    cdef double[::1] value, gap
    cdef Py_ssize_t[::1] steps

    def __cinit__(self, Py_ssize_t count):
        self.status = np.ones(count, dtype=np.intc)
        self.value, self.gap = np.zeros(count), np.zeros(count)
        self.steps = np.zeros(count, dtype=np.intp)

    cdef void take(self, Py_ssize_t k, const Saddle *saddle, double gap) noexcept nogil:
        self.value[k], self.gap[k], self.steps[k] = saddle.value, gap, saddle.steps

    cdef told(self):
        return np.asarray(self.status), np.asarray(self.value), np.asarray(self.gap), np.asarray(self.steps)


cdef class Workspace:
    """Memory for one entropic problem, kept from pair to pair, and the saddle point of the last one.

    A step solves a system of the size of the columns: the longer side takes the rows.
    """

    def __cinit__(self):
        self.doubles = np.empty(0)

    cdef void fit(self, Py_ssize_t n, Py_ssize_t m, const double[::1] a, const double[::1] b):
        """Room for a problem of so many rows and columns."""
        cdef Py_ssize_t wanted = entropic_doubles(n, m)
        if self.doubles.shape[0] < wanted:
            self.doubles = np.empty(wanted)
        self.a = a
        self.b = b

    cdef void fit_all(self, Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols):
        """Room for each of some pairs of clouds."""
        cdef Py_ssize_t k, n, m
        for k in range(rows.shape[0]):
            n, m = left.atoms(rows[k]).size, right.atoms(cols[k]).size
            self.fit(max(n, m), min(n, m), left.weights, right.weights)

    cdef void start(self, Py_ssize_t n, Py_ssize_t m, const double *a, const double *b, bint turned) noexcept nogil:
        place(&self.e, n, m, &self.doubles[0])
        set_masses(&self.e, a, b)
        self.turned = turned

    cdef void fit_to(self, const double[:, ::1] A, const double[::1] a, const double[::1] b):
        """A problem of costs, and the first of them, the longer side turned to the rows."""
        cdef Py_ssize_t n = A.shape[0], m = A.shape[1]
        self.fit(max(n, m), min(n, m), a, b)
        with nogil:
            if m > n:
                self.start(m, n, &b[0], &a[0], True)
            else:
                self.start(n, m, &a[0], &b[0], False)
            copy(A, self.turned, self.e.A)

    cdef void pose(self, const Atoms *x, const Atoms *y, Py_ssize_t d, double p) noexcept nogil:
        """Between two clouds that there is room for, from w = 1/2."""
        self.start(x.size, y.size, x.weights, y.weights, False)
        powers(x.values, x.size, y.values, y.size, d, p, self.e.A)
        powers(x.times, x.size, y.times, y.size, 1, p, self.e.B)
        self.e.w = 0.5
        self.e.fixed = False

    cdef void pose_to(self, const Atoms *x, const Atoms *y, Py_ssize_t d, double p) noexcept nogil:
        """The same, the longer side turned to the rows."""
        if y.size > x.size:
            self.pose(y, x, d, p)
            self.turned = True
        else:
            self.pose(x, y, d, p)

    def etiot(
        self,
        const double[:, ::1] x,
        const double[::1] t,
        const double[::1] a,
        const double[:, ::1] y,
        const double[::1] s,
        const double[::1] b,
        double p,
        double epsilon,
        double tol,
        Py_ssize_t max_iter,
        double cutoff=INFINITY,
    ):
        """(status, value, objective, gap, w, steps) of the saddle point; value is a lower bound if above the cutoff."""
        cdef Saddle saddle
        cdef int status
        cdef double gap
        cdef Atoms of_x = points(x, t, a), of_y = points(y, s, b)
        self.fit(max(of_x.size, of_y.size), min(of_x.size, of_y.size), a, b)
        with nogil:
            self.pose_to(&of_x, &of_y, x.shape[1], p)
            status = solve(&self.e, epsilon, tol, max_iter, cutoff, &saddle)
            gap = certified_gap(&self.e, epsilon, &saddle)
        heard()
        return status, saddle.value, saddle.objective, gap, self.e.w, saddle.steps

    def etiots(
        self, Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double p,
        double epsilon, double tol, Py_ssize_t max_iter, const double[::1] cutoffs
    ):
        """(statuses, values, gaps, steps) of `etiot` for the pairs of clouds (rows[k], cols[k]) in two stacks."""
        cdef Py_ssize_t k, until = SLICE
        cdef _Many many = _Many(rows.shape[0])
        cdef Saddle saddle
        cdef Atoms x, y
        self.fit_all(left, right, rows, cols)
        with nogil:
            for k in range(rows.shape[0]):
                x, y = left.atoms(rows[k]), right.atoms(cols[k])
                self.pose_to(&x, &y, left.features, p)
                many.status[k] = solve(&self.e, epsilon, tol, max_iter, cutoffs[k], &saddle)
                many.take(k, &saddle, certified_gap(&self.e, epsilon, &saddle))
                if turn(&until, CELL * x.size * y.size):
                    break
        heard()
        return many.told()

    def sinkhorn(
        self,
        const double[:, ::1] cost,
        const double[::1] a,
        const double[::1] b,
        double epsilon,
        double tol,
        Py_ssize_t max_iter,
        double cutoff=INFINITY,
    ):
        """(status, value, objective, gap, steps) of min_P <cost, P> + epsilon KL(P | a b'), or above the cutoff."""
        cdef Saddle saddle
        cdef int status
        cdef double gap
        self.fit_to(cost, a, b)
        with nogil:
            memset(self.e.B, 0, self.e.n * self.e.m * sizeof(double))
            self.e.w = 1.0
            self.e.fixed = True
            status = solve(&self.e, epsilon, tol, max_iter, cutoff, &saddle)
            gap = certified_gap(&self.e, epsilon, &saddle)
        heard()
        self.single = saddle.single
        return status, saddle.value, saddle.objective, gap, saddle.steps

    def mixtures(
        self, Stack left, Stack right, const Py_ssize_t[::1] rows, const Py_ssize_t[::1] cols, double p,
        double of_values, double of_times, double epsilon, double tol, Py_ssize_t max_iter, double vanishing,
        const double[::1] cutoffs
    ):
        """(statuses, values, gaps, steps) of `sinkhorn` at the costs of_values A + of_times B between the clouds
        (rows[k], cols[k]) in two stacks.

        A status is negative where epsilon is below this share of the largest cost, or that below this of epsilon.
        """
        cdef Py_ssize_t k, cell, until = SLICE
        cdef _Many many = _Many(rows.shape[0])
        cdef Saddle saddle
        cdef Atoms x, y
        cdef double largest
        self.fit_all(left, right, rows, cols)
        with nogil:
            for k in range(rows.shape[0]):
                x, y = left.atoms(rows[k]), right.atoms(cols[k])
                self.pose_to(&x, &y, left.features, p)
                largest = 0.0
                for cell in range(self.e.n * self.e.m):
                    self.e.A[cell] = of_values * self.e.A[cell] + of_times * self.e.B[cell]
                    self.e.B[cell] = 0.0
                    largest = max(largest, self.e.A[cell])
                if not (vanishing * largest <= epsilon and vanishing * epsilon < largest):
                    many.status[k] = -1
                    continue
                self.e.w = 1.0
                self.e.fixed = True
                many.status[k] = solve(&self.e, epsilon, tol, max_iter, cutoffs[k], &saddle)
                many.take(k, &saddle, certified_gap(&self.e, epsilon, &saddle))
                if turn(&until, CELL * x.size * y.size):
                    break
        heard()
        return many.told()

    def saddle(
        self,
        const double[:, ::1] A,
        const double[:, ::1] B,
        const double[::1] a,
        const double[::1] b,
        double epsilon,
        double tol,
        Py_ssize_t max_iter,
    ):
        """(status, value, objective, gap, w, steps) of max_w min_P <w A + (1 - w) B, P> + epsilon KL(P | a b')."""
        cdef Saddle saddle
        cdef int status
        cdef double gap
        self.fit_to(A, a, b)
        with nogil:
            copy(B, self.turned, self.e.B)
            self.e.w = 0.5
            self.e.fixed = False
            status = solve(&self.e, epsilon, tol, max_iter, INFINITY, &saddle)
            gap = certified_gap(&self.e, epsilon, &saddle)
        heard()
        self.single = saddle.single
        return status, saddle.value, saddle.objective, gap, self.e.w, saddle.steps

    def potentials(self):
        """(f, g) of the last problem."""
        f, g = np.array(<double[:self.e.n]>self.e.f), np.array(<double[:self.e.m]>self.e.g)
        return (g, f) if self.turned else (f, g)

    def w(self):
        """The w of the last problem."""
        return self.e.w

    def plan(self):
        """The coupling that the value of the last problem is of."""
        cdef double[:, ::1] P = np.empty((self.e.n, self.e.m))
        round_to(&self.e, &P[0, 0])
        return np.ascontiguousarray(np.asarray(P).T) if self.turned else np.asarray(P)


def certificate(
    double kept, double rest, double of_a, double of_b, double rest_a, double rest_b, double entropy, double w,
    double epsilon, double dual
):
    """(value, gap) of a plan rounded elsewhere, from its sums: see `Rounded` in _entropic_certificate.pxd."""
    cdef Rounded plan = Rounded(kept, rest, of_a, of_b, rest_a, rest_b, entropy)
    cdef double value = 0.0
    gap = certified(&plan, w, epsilon, dual, False, &value)
    return value, gap


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
