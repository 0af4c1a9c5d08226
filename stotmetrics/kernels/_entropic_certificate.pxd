# How an entropic plan is rounded to a true coupling, and what that costs at most.
#
# P scaled down to Q = diag(u) P diag(v) plus the rank-one rest of the marginals is a coupling. Since KL is convex it is
# at most that of Q plus the rest's own, and by minimax no saddle value lies above max_w <C_w, .> + epsilon KL.

from libc.math cimport log
from libc.string cimport memset

from ._entropic cimport Entropic


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
    cdef double *row
    cdef double mass
    memset(v, 0, m * sizeof(double))
    for i in range(n):
        u[i] = min(1.0, e.a[i] / e.rows[i])
        row = e.P + i * m
        for j in range(m):
            v[j] += u[i] * row[j]
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
    cdef Py_ssize_t j
    cdef double row_a = 0.0, row_b = 0.0
    cdef const double *A = e.A + i * e.m
    cdef const double *B = e.B + i * e.m
    plan.entropy += epsilon * left * log(left / e.a[i])
    for j in range(e.m):
        row_a += e.one[j] * A[j]
        row_b += e.one[j] * B[j]
    plan.r_a += left * row_a
    plan.r_b += left * row_b


cdef inline void add_rows(const Entropic *e, double epsilon, Rounded *plan) noexcept nogil:
    """Add up Q and the rest, row by row."""
    cdef Py_ssize_t m = e.m, i, j
    cdef const double *u = e.three
    cdef const double *v = e.two
    cdef const double *row
    cdef const double *A
    cdef const double *B
    cdef double mass, row_a, row_b, value, left
    for i in range(e.n):
        row = e.P + i * m
        A = e.A + i * m
        B = e.B + i * m
        mass = row_a = row_b = 0.0
        for j in range(m):
            value = row[j] * v[j]
            mass += value
            row_a += value * A[j]
            row_b += value * B[j]
        mass *= u[i]
        plan.kept += mass
        plan.q_a += u[i] * row_a
        plan.q_b += u[i] * row_b
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
