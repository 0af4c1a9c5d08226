# One row of a Gibbs plan and its sums.

cdef extern from "_gibbs.h" nogil:
    ctypedef struct gibbs_sums:
        double mass
        double product
        double square
    void gibbs_row(
        const double *A, const double *B, const double *beta, double alpha, double wa, double wb, Py_ssize_t m,
        double *P, double *columns, double *products, gibbs_sums *sums
    )
    ctypedef struct soft_sums:
        double scale
        double mean
        double spread
    void soft_row(
        const double *A, const double *B, const double *beta, double a, double wa, double wb, Py_ssize_t m,
        double *P, double *columns, double *products, soft_sums *sums
    )
    ctypedef struct step_sums:
        double mean
        double square
        double lost
    void step_row(
        const double *A, const double *B, const double *P, const double *step_g, double scale, double step,
        double inverse, double step_w, double w, Py_ssize_t m, step_sums *sums
    )
    void scale_row(double *P, double scale, double x, double y, Py_ssize_t m, double *of_x, double *of_y)
    double largest_entry(const double *A, Py_ssize_t count)
    double row_product(const double *P, const double *v, Py_ssize_t m)
    void add_row(const double *P, double factor, Py_ssize_t m, double *columns)
    ctypedef struct row_costs:
        double mass
        double of_a
        double of_b
    void cost_row(
        const double *P, const double *v, const double *A, const double *B, Py_ssize_t m, row_costs *sums
    )
