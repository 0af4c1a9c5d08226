# Soft-DTW in the exponential domain, once for each set of instructions.

cdef extern from "_softdtw_variants.h" nogil:
    enum: SDTW_W, SDTW_LINE, SDTW_SPACE, SDTW_MATRIX, SDTW_PAD
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
    ctypedef struct sdtw_gradient:
        double *x
        double *y
        double *alignment
    ctypedef struct sdtw_lanes:
        Py_ssize_t n, m, d
        Py_ssize_t rows[4]
        Py_ssize_t cols[4]
        double scale[4]
        double *work
    ctypedef struct sdtw_variant:
        const char *name
        void soft(const sdtw_problem *, int, double *, double *, double *, sdtw_total *) noexcept nogil
        void gradient(
            const sdtw_problem *, int, double *, const double *, const double *, const sdtw_total *,
            const sdtw_gradient *
        ) noexcept nogil
        double hard(const sdtw_problem *, int, double *) noexcept nogil
        void lanes(const sdtw_lanes *, sdtw_total *) noexcept nogil
        double exponentials(const sdtw_lanes *) noexcept nogil
    double sdtw_value_of(const sdtw_total *, double)
    void sdtw_pack(const double *, Py_ssize_t, Py_ssize_t, int, double *)
    void sdtw_unpack(const double *, Py_ssize_t, Py_ssize_t, int, double *)
    const sdtw_variant *sdtw_get_variant(int)
    int sdtw_variant_count
    bint sdtw_runs(int)
