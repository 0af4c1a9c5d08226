# How far the value of an entropic problem lies above at least, long before it is known.
#
# Q = P (1 + u), what the step makes of the plan P to first order, has the marginals and, unless w meets an end, the
# slope of a saddle point, and epsilon KL(Q | P) <= epsilon sum P u^2. Where u >= -1 it is a plan, so that the dual
# value is below the optimum by no more than what the step promises, its slope along it. Then the optimal plan is no
# farther from P, and (Donsker, Varadhan) for any t > 0
#
#     <C, optimal plan>  >=  -(KL + log E exp(-t C)) / t,    E over P divided by its mass,
#
# with exp(-x) <= 1 - x + x^2 / 2. The best t gives about the mean of C less its standard deviation times sqrt(2 KL).

from libc.math cimport log, sqrt

from ._entropic_problem cimport Entropic
from ._gibbs cimport step_row, step_sums


cdef inline double value_at_least(const Entropic *e, double epsilon, double promised, double allowed) noexcept nogil:
    """A lower bound on the value of any coupling whose certified gap is `allowed`; -1 where nothing is known.

    Straight after `direction`, which has scaled the rows of P by the roots of their sums and promised that gain.
    """
    cdef Py_ssize_t i
    cdef double root, inverse = 1.0 / epsilon, mass = 0.0, mean = 0.0, square = 0.0, lost = 0.0, kl, t, spread
    cdef step_sums sums
    for i in range(e.n):
        root = sqrt(e.rows[i])
        step_row(
            e.A + i * e.m, e.B + i * e.m, e.P + i * e.m, e.step_g, root, e.step_f[i] * inverse, inverse,
            e.step_w * inverse, e.w, e.m, &sums
        )
        mass += e.rows[i]
        mean += sums.mean
        square += sums.square
        lost += sums.lost
    # So little mass below zero is rounding of the marginals.
    if not lost <= 1e-16:
        return -1.0
    mean /= mass
    square /= mass
    kl = (promised + allowed) * inverse
    spread = square - mean * mean
    if not (kl > 0.0 and spread > 0.0):
        return -1.0
    t = sqrt(2.0 * kl / spread)
    return -(kl + log(1.0 - t * mean + 0.5 * t * t * square)) / t - allowed
