# One row of a Gibbs plan and its sums.

cdef extern from "_gibbs.h" nogil:
    ctypedef void (*gibbs_fn)(
        const double *A, const double *B, const double *beta, double alpha, double wa, double wb, Py_ssize_t m,
        double *P, double *columns, double *products, double *sums
    )
    gibbs_fn choose_gibbs()
