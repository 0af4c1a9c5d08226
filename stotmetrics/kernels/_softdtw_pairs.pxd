# Many pairs of series in one buffer, four of a length side by side.

from ._softdtw_variants cimport sdtw_lanes, sdtw_variant


cdef extern from "_softdtw_pairs.h" nogil:
    ctypedef struct sdtw_pairs:
        const double *left
        const double *right
        const Py_ssize_t *left_at
        const Py_ssize_t *right_at
        const double *left_low
        const double *left_high
        const double *right_low
        const double *right_high
        const Py_ssize_t *rows
        const Py_ssize_t *cols
        const double *gammas
        Py_ssize_t d
    Py_ssize_t sdtw_rows_of(const sdtw_pairs *, Py_ssize_t)
    Py_ssize_t sdtw_cols_of(const sdtw_pairs *, Py_ssize_t)
    const double *sdtw_x_of(const sdtw_pairs *, Py_ssize_t)
    const double *sdtw_y_of(const sdtw_pairs *, Py_ssize_t)
    bint sdtw_in_range(const sdtw_pairs *, Py_ssize_t)
    bint sdtw_lanes_pay(const sdtw_pairs *, const Py_ssize_t *, sdtw_lanes *)
    void sdtw_run_lanes(const sdtw_variant *, const sdtw_pairs *, const Py_ssize_t *, const sdtw_lanes *, double *)
    Py_ssize_t sdtw_lanes_work(Py_ssize_t n, Py_ssize_t m, Py_ssize_t d)
    double *sdtw_aligned(double *)
