"""Algorithm 1 of the TiOT paper (HBCD) with its authors' rules: Sinkhorn sweeps, and projected gradient steps in w.

Those steps, at most 50 after every 20 sweeps, each ask for the slope <A - B, P_w> of the plan at another w. Near the w
where the plan is known the slope is a power series in w, so its coefficients serve all of them.
"""

from libc.math cimport INFINITY, fabs, fmax, log

from ._clouds cimport Atoms, points
from ._core cimport NOT_CONVERGED, OK
from ._cpu cimport chosen
from ._entropic cimport Saddle, Workspace, certify, evaluate
from ._entropic_problem cimport Entropic
from ._interrupt cimport SLICE, heard, interrupted, turn
from ._simd cimport SIMD_WIDEST, simd_follow, simd_running

import numpy as np


cdef extern from "_hbcd.h" nogil:
    const double HBCD_REACH
    ctypedef struct hbcd_series:
        double radius
    void hbcd_sweep(
        const double *P, Py_ssize_t n, Py_ssize_t m, const double *a, const double *b, double *u, double *v,
        double *columns
    )
    void hbcd_expand(
        const double *P, const double *A, const double *B, Py_ssize_t n, Py_ssize_t m, const double *u, const double *v,
        double *kept, hbcd_series *series
    )
    double hbcd_slope(const hbcd_series *at, double shift)
    double hbcd_curvature(const hbcd_series *at)


simd_follow(&chosen)

# The authors' rules.
cdef Py_ssize_t BETWEEN = 20, GRADIENT_STEPS = 50


cdef void absorb(Entropic *e, double epsilon) noexcept nogil:
    """Put the scalings of the plan, in step_f and step_g, into the potentials."""
    cdef Py_ssize_t i
    for i in range(e.n):
        e.f[i] += epsilon * log(e.step_f[i])
        e.step_f[i] = 1.0
    for i in range(e.m):
        e.g[i] += epsilon * log(e.step_g[i])
        e.step_g[i] = 1.0


cdef void ascend(Entropic *e, double epsilon, double *kept) noexcept nogil:
    """The gradient steps in w at fixed potentials; leaves the plan of the last w.

    On entry the scalings of the plan since it was evaluated are in step_f and step_g.
    """
    cdef hbcd_series series
    cdef double eta, before, anchor = e.w, shift
    cdef Py_ssize_t _step
    hbcd_expand(e.P, e.A, e.B, e.n, e.m, e.step_f, e.step_g, kept, &series)
    absorb(e, epsilon)
    eta = epsilon / fmax(hbcd_curvature(&series), 1e-300)
    eta = eta / 20.0 if eta >= 10.0 else eta / 10.0
    for _step in range(GRADIENT_STEPS):
        shift = (e.w - anchor) / epsilon
        if fabs(shift) * series.radius > HBCD_REACH:
            evaluate(e, epsilon)
            hbcd_expand(e.P, e.A, e.B, e.n, e.m, e.step_f, e.step_g, kept, &series)
            anchor = e.w
            shift = 0.0
        before = e.w
        e.w = min(max(e.w + eta * hbcd_slope(&series, shift), 0.0), 1.0)
        if fabs(e.w - before) < 1e-7 or interrupted():
            break
    evaluate(e, epsilon)


cdef int hybrid(
    Entropic *e, double epsilon, double tol, Py_ssize_t max_sweeps, double *kept, Saddle *saddle
) noexcept nogil:
    """Sweeps from scalings of equal entries; w moves at every 20th, and the L1 error of the first marginal is looked at
    then. The value is of the plan as it is.
    """
    cdef Py_ssize_t n = e.n, m = e.m, i, j, done = 0, left = SLICE
    cdef double *u = e.step_f
    cdef double *v = e.step_g
    cdef double low, error
    cdef int status = NOT_CONVERGED
    for j in range(m):
        e.g[j] = -epsilon * (log(<double>m) + e.log_b[j])
        v[j] = 1.0
    for i in range(n):
        # Any f will do before the first sweep; this one keeps every row in range at a small epsilon.
        low = INFINITY
        for j in range(m):
            low = min(low, e.w * e.A[i * m + j] + (1.0 - e.w) * e.B[i * m + j] - e.g[j])
        e.f[i] = low
    evaluate(e, epsilon)
    for done in range(max_sweeps):
        if turn(&left, n * m):
            break
        hbcd_sweep(e.P, n, m, e.a, e.b, u, v, e.one)
        if done % BETWEEN == 0:
            ascend(e, epsilon, kept)
            error = 0.0
            for i in range(n):
                error += fabs(e.rows[i] - e.a[i])
            if error < tol:
                status = OK
                break
    if status != OK:
        absorb(e, epsilon)
        evaluate(e, epsilon)
    certify(e, epsilon, saddle)
    saddle.steps = done + 1
    saddle.value = 0.0
    for i in range(n * m):
        saddle.value += e.P[i] * (e.w * e.A[i] + (1.0 - e.w) * e.B[i])
    return status


cdef class Descent(Workspace):
    """Memory for one run of the paper's algorithm, kept from pair to pair, and where the last one stopped."""

    cdef double[::1] kept           # 2 (n m + SIMD_WIDEST): the entries of the plan that count, and A - B at them

    def __cinit__(self):
        self.kept = np.empty(0)

    def run(
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
        Py_ssize_t max_sweeps,
    ):
        """(status, value, objective, gap, w, sweeps) of where the paper's rule stops."""
        cdef Py_ssize_t wanted = 2 * (x.shape[0] * y.shape[0] + SIMD_WIDEST)
        cdef Saddle saddle
        cdef int status
        cdef Atoms of_x = points(x, t, a), of_y = points(y, s, b)
        self.fit(of_x.size, of_y.size, a, b)
        if self.kept.shape[0] < wanted:
            self.kept = np.empty(wanted)
        with nogil:
            self.pose(&of_x, &of_y, x.shape[1], p)
            status = hybrid(&self.e, epsilon, tol, max_sweeps, &self.kept[0], &saddle)
        heard()
        return status, saddle.value, saddle.objective, saddle.gap, self.e.w, saddle.steps

    def plan(self):
        """The plan where the sweeps stopped, as it is: the value is of it, and its marginals may be off."""
        return np.array(<double[:self.e.n, :self.e.m]>self.e.P)


def running():
    """Name of the build that the loops of this module run."""
    return simd_running().decode()
