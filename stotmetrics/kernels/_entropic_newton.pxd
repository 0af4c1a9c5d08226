# Newton's step of the dual of entropic transport, in (f, g, w).

from libc.math cimport sqrt
from libc.string cimport memcpy

from ._entropic cimport Entropic
from ._entropic_factor cimport factorise, solve_both
from ._gibbs cimport row_product, scale_row


# What eliminating f leaves of Newton's equations for w: their right side and their diagonal entry, in units of
# 1 / epsilon.
cdef struct Slope:
    double right
    double diagonal


cdef inline Slope eliminate(Entropic *e, double *right, double *q) noexcept nogil:
    """Eliminate f by its diagonal block.

    Scales the rows of P by the roots of their sums, and leaves the right side for g in `right`, its entries with w in
    `q`, and what f needs later in step_f and three.
    """
    cdef Py_ssize_t i, j
    cdef double root, gap_f
    cdef Slope w
    w.right = e.slope
    w.diagonal = e.curvature
    for j in range(e.m):
        right[j] = e.b[j] - e.columns[j]
        q[j] = -e.column_products[j]
    for i in range(e.n):
        root = 1.0 / sqrt(e.rows[i])
        gap_f = e.a[i] - e.rows[i]
        w.right += e.row_products[i] * gap_f / e.rows[i]
        w.diagonal -= e.row_products[i] * e.row_products[i] / e.rows[i]
        e.step_f[i] = gap_f * root
        e.three[i] = e.row_products[i] * root
        scale_row(e.P + i * e.m, root, e.step_f[i], e.three[i], e.m, right, q)
    return w


cdef inline double step_along_w(const Entropic *e, double epsilon, Slope w, const double *q) noexcept nogil:
    """The step in w, kept in [0, 1], when the solutions for `right` and `q` are in step_g and beta."""
    cdef Py_ssize_t j
    cdef double q_q = 0.0, q_r = 0.0, diagonal
    for j in range(e.m):
        q_q += q[j] * e.beta[j]
        q_r += q[j] * e.step_g[j]
    if e.fixed or w.right == q_r:
        return 0.0
    # With a single column, say, the dual is linear in w: then go all the way.
    diagonal = max(w.diagonal - q_q, 1e-14 * e.curvature + 1e-300)
    return min(max(epsilon * (w.right - q_r) / diagonal, -e.w), 1.0 - e.w)


cdef inline double direction(Entropic *e, double epsilon) noexcept nogil:
    """The Newton step with w kept in [0, 1]; returns the slope of the dual along it, negative if there is none."""
    cdef Py_ssize_t m = e.m, i, j
    cdef double gain
    cdef double *q = e.one
    cdef double *right = e.two
    cdef Slope w = eliminate(e, right, q)
    if not factorise(e):
        return -1.0
    memcpy(e.step_g, right, m * sizeof(double))
    memcpy(e.beta, q, m * sizeof(double))
    solve_both(e)
    # In units of 1 / epsilon up to here.
    e.step_w = step_along_w(e, epsilon, w, q)
    gain = e.slope * e.step_w
    for j in range(m):
        e.step_g[j] = epsilon * e.step_g[j] - e.beta[j] * e.step_w
        gain += (e.b[j] - e.columns[j]) * e.step_g[j]
    for i in range(e.n):
        e.step_f[i] = epsilon * e.step_f[i] - row_product(e.P + i * m, e.step_g, m)
        e.step_f[i] = (e.step_f[i] + e.three[i] * e.step_w) / sqrt(e.rows[i])
        gain += (e.a[i] - e.rows[i]) * e.step_f[i]
    return gain
