# Soft-DTW in the log domain.

from ._softdtw_variants cimport sdtw_problem


cdef extern from "_softdtw_log.h" nogil:
    double sdtw_log_value(const sdtw_problem *, double gamma, double *work)
    double sdtw_log_alignment(const sdtw_problem *, double gamma, double *work, double *alignment)
    double sdtw_log_jvp(
        const sdtw_problem *, double gamma, const double *along, double *work, double *alignment, double *moved
    )
