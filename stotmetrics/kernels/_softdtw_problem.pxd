# What holds of a problem before it is solved: the scale, whether its numbers fit, its band.

from ._softdtw_variants cimport sdtw_problem


cdef extern from "_softdtw_problem.h" nogil:
    double sdtw_scale(double gamma)
    bint sdtw_costs_in_range(const sdtw_problem *)
    bint sdtw_series_in_range(const double *x, const double *y, const sdtw_problem *)
    void sdtw_set_band(sdtw_problem *, Py_ssize_t radius, Py_ssize_t *room)
