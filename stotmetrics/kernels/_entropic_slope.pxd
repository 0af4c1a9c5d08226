# Newton's equation for w, as those for f and then for g are solved.

from libc.math cimport sqrt

from ._entropic_problem cimport Entropic


# What eliminating f leaves of Newton's equations for w: their right side and their diagonal entry, in units of
# 1 / epsilon.
cdef struct Slope:
    double right
    double diagonal


cdef inline double eliminate_row(Entropic *e, Py_ssize_t i, Slope *w) noexcept nogil:
    """Eliminate f_i from the equation for w, and leave what f_i needs later in step_f and three.

    Returns the inverse root of the sum of row i, by which it is scaled.
    """
    cdef double root = 1.0 / sqrt(e.rows[i]), gap_f = e.a[i] - e.rows[i]
    w.right += e.row_products[i] * gap_f / e.rows[i]
    w.diagonal -= e.row_products[i] * e.row_products[i] / e.rows[i]
    e.step_f[i] = gap_f * root
    e.three[i] = e.row_products[i] * root
    return root


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
