# How an entropic plan is rounded to a true coupling, and what that costs at most.
#
# P scaled down to Q = diag(u) P diag(v) plus the rank-one rest of the marginals is a coupling. Since KL is convex it is
# at most that of Q plus the rest's own, and by minimax no saddle value lies above max_w <C_w, .> + epsilon KL.

from libc.math cimport log
from libc.string cimport memset

from ._entropic_problem cimport Entropic
from ._gibbs cimport add_row, cost_row, row_costs, row_product


# What is known of a plan Q = diag(u) P diag(v) below the marginals and of the rank-one rest that makes it a coupling.
cdef struct Rounded:
    double kept             # the mass of Q
    double rest             # the mass of the rest
    double q_a              # <A, Q>
    double q_b              # <B, Q>
    double r_a              # <A, rest> and <B, rest>, times the mass of the rest
    double r_b
    double entropy          # epsilon KL, a bound, but for the terms in <C, Q> and in the masses


cdef inline void scale_down(Entropic *e, double epsilon, Rounded *plan) noexcept nogil:
    """Scale the rows of P, then its columns, down to their masses: u in three, v in two, what columns lack in one."""
    cdef Py_ssize_t n = e.n, m = e.m, i, j
    cdef double *u = e.three
    cdef double *v = e.two
    cdef double *lacking = e.one
    cdef double mass
    memset(v, 0, m * sizeof(double))
    for i in range(n):
        u[i] = min(1.0, e.a[i] / e.rows[i])
        add_row(e.P + i * m, u[i], m, v)
    for j in range(m):
        mass = v[j]
        v[j] = min(1.0, e.b[j] / mass)
        lacking[j] = max(e.b[j] - v[j] * mass, 0.0)
        plan.rest += lacking[j]
        plan.entropy += v[j] * mass * (e.g[j] + epsilon * log(v[j]))
        if lacking[j] > 0.0:
            plan.entropy += epsilon * lacking[j] * log(lacking[j] / e.b[j])


cdef inline void add_rest(const Entropic *e, Py_ssize_t i, double left, double epsilon, Rounded *plan) noexcept nogil:
    """Hand what row i lacks to the columns, in proportion to what they lack."""
    plan.entropy += epsilon * left * log(left / e.a[i])
    plan.r_a += left * row_product(e.A + i * e.m, e.one, e.m)
    plan.r_b += left * row_product(e.B + i * e.m, e.one, e.m)


cdef inline void add_rows(const Entropic *e, double epsilon, Rounded *plan) noexcept nogil:
    """Add up Q and the rest, row by row."""
    cdef Py_ssize_t m = e.m, i
    cdef const double *u = e.three
    cdef double mass, left
    cdef row_costs sums
    for i in range(e.n):
        cost_row(e.P + i * m, e.two, e.A + i * m, e.B + i * m, m, &sums)
        mass = u[i] * sums.mass
        plan.kept += mass
        plan.q_a += u[i] * sums.of_a
        plan.q_b += u[i] * sums.of_b
        plan.entropy += mass * (e.f[i] + epsilon * log(u[i]))
        left = max(e.a[i] - mass, 0.0)
        if left > 0.0 and plan.rest > 0.0:
            add_rest(e, i, left, epsilon, plan)


cdef inline double certified(
    const Rounded *plan, double w, double epsilon, double dual, bint fixed, double *value
) noexcept nogil:
    """What the coupling costs at w, and the certified gap: what it costs, regularised, less the dual value."""
    cdef double of_a = plan.q_a, of_b = plan.q_b, kl = plan.entropy - (w * plan.q_a + (1.0 - w) * plan.q_b)
    if plan.rest > 0.0:
        # Each share of a convex combination counts as a plan of mass one: Q / kept, and the product of the rests, each
        # divided by its mass.
        kl -= epsilon * (plan.kept * log(min(plan.kept, 1.0)) + 2.0 * plan.rest * log(plan.rest))
        of_a += plan.r_a / plan.rest
        of_b += plan.r_b / plan.rest
    value[0] = w * of_a + (1.0 - w) * of_b
    return (value[0] if fixed else max(of_a, of_b)) + kl - dual


cdef inline void round_to(Entropic *e, double *out) noexcept nogil:
    """The coupling itself, (n, m)."""
    cdef Py_ssize_t m = e.m, i, j
    cdef double mass, left
    cdef Rounded plan
    memset(&plan, 0, sizeof(Rounded))
    scale_down(e, 0.0, &plan)
    for i in range(e.n):
        mass = 0.0
        for j in range(m):
            out[i * m + j] = e.three[i] * e.P[i * m + j] * e.two[j]
            mass += out[i * m + j]
        left = max(e.a[i] - mass, 0.0)
        if left > 0.0 and plan.rest > 0.0:
            for j in range(m):
                out[i * m + j] += left * e.one[j] / plan.rest
