# Newton's step of the dual of entropic transport, in (f, g, w).

from libc.math cimport sqrt
from libc.string cimport memcpy

from ._entropic_factor cimport factorise, solve_both
from ._entropic_problem cimport Entropic
from ._entropic_slope cimport Slope, eliminate_row, step_along_w
from ._gibbs cimport row_product, scale_row


cdef inline Slope eliminate(Entropic *e, double *right, double *q) noexcept nogil:
    """Eliminate f by its diagonal block.

    Scales the rows of P by the roots of their sums, and leaves the right side for g in `right`, its entries with w in
    `q`, and what f needs later in step_f and three.
    """
    cdef Py_ssize_t i, j
    cdef double root
    cdef Slope w = Slope(e.slope, e.curvature)
    for j in range(e.m):
        right[j] = e.b[j] - e.columns[j]
        q[j] = -e.column_products[j]
    for i in range(e.n):
        root = eliminate_row(e, i, &w)
        scale_row(e.P + i * e.m, root, e.step_f[i], e.three[i], e.m, right, q)
    return w


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
