# Soft-DTW in the exponential domain, along diagonals or side by side.

cdef extern from "_softdtw_loops.h" nogil:
    enum: SDTW_LANES, SDTW_BEYOND, SDTW_NARROW, SDTW_TILE, SDTW_LINE, SDTW_SPACE, SDTW_MATRIX, SDTW_GAK, SDTW_PAD
    enum: SDTW_SOFT, SDTW_COSTS
    const double SDTW_LIMIT, SDTW_LEAST
    ctypedef struct sdtw_problem:
        Py_ssize_t n, m, d
        const double *x
        const double *y
        const double *cost
        const Py_ssize_t *first
        const Py_ssize_t *last
        double scale
    ctypedef struct sdtw_total:
        double mantissa, exponent
    ctypedef struct sdtw_sums:
        double *sum
        double *top
        Py_ssize_t cells
    ctypedef struct sdtw_gradient:
        double *x
        double *y
        double *alignment
    ctypedef struct sdtw_lanes:
        Py_ssize_t n, m, d
        int *wanted
        Py_ssize_t *rows
        Py_ssize_t *cols
        double *scale
        double *unit
        const double *x
        const double *y
        double *work
    ctypedef struct sdtw_banded:
        Py_ssize_t n, m, d
        const Py_ssize_t *first
        const Py_ssize_t *last
        double *scale
        const double *x
        const double *y
        double *work
    ctypedef struct sdtw_slopes_out:
        double *kept
        double *x
        double *y
        sdtw_total *total
        double *cost
    Py_ssize_t SDTW_PLANE(Py_ssize_t cells)
    void sdtw_forward(const sdtw_problem *, int kind, double *work, const sdtw_sums *, sdtw_total *)
    void sdtw_backward(const sdtw_problem *, int kind, double *work, const sdtw_sums *, const sdtw_gradient *)
    double sdtw_hard(const sdtw_problem *, int kind, double *work)
    void sdtw_side_by_side(const sdtw_lanes *, sdtw_total *)
    void sdtw_kernels(const sdtw_lanes *, sdtw_total *)
    void sdtw_hard_lanes(const sdtw_lanes *, double *out)
    void sdtw_gradients(const sdtw_lanes *, const sdtw_slopes_out *)
    void sdtw_slopes(const sdtw_lanes *, const sdtw_slopes_out *)
    void sdtw_banded_hard(const sdtw_banded *, double *out)
    void sdtw_banded_soft(const sdtw_banded *, sdtw_total *)
    void sdtw_narrow(
        const double *x, Py_ssize_t n, const double *y, const double *z, int radius, double *out)
    double gak_costs(double *cost, Py_ssize_t count, double factor, double most)
    double sdtw_exponentials(const sdtw_lanes *)
