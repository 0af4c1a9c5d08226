# Soft-DTW in the log domain on a given cost matrix, one cell at a time: any gamma, any cost, forbidden cells (+inf).
#
# Differences are taken before the division by gamma: a tiny gamma may overflow to exp(-inf) = 0, never to inf - inf.

from ._softdtw_loops cimport sdtw_problem

# Doubles of workspace: m; (n + 1)(m + 1); twice as many.
cdef double log_value(const sdtw_problem *p, double gamma, double *work) noexcept nogil
cdef double log_alignment(const sdtw_problem *p, double gamma, double *work, double *alignment) noexcept nogil
cdef double log_jvp(
    const sdtw_problem *p, double gamma, const double *along, double *work, double *alignment, double *moved
) noexcept nogil
