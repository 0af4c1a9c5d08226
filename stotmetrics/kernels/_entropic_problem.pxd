# Entropic transport under w A + (1 - w) B: its potentials, its plan and sums over it, and room for Newton's steps.

cdef struct Entropic:
    Py_ssize_t n, m
    double *A               # (n, m), row-major
    double *B
    double *P               # the plan of the current potentials; scaled in place while a step is solved
    double *S               # (m, m), column-major, columns `stride` apart
    Py_ssize_t stride
    double *Q               # where S is small: the rows of P, `stride` apart, and three vectors of so many; else NULL
    double *log_a
    double *log_b
    double *a
    double *b
    double *f               # potentials
    double *g
    double w
    double *rows            # marginals of P, and of P (A - B)
    double *columns
    double *row_products
    double *column_products
    double slope            # dD/dw = <A - B, P>
    double curvature        # <(A - B)^2, P>
    double dual
    double *step_f
    double *step_g
    double step_w
    double *old_f
    double *old_g
    double *one             # (m,)
    double *two
    double *three           # (n,)
    double *beta
    double scale            # the largest cost
    bint fixed              # w stays where it is
