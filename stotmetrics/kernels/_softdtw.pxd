# Soft-DTW of a given cost matrix. Costs are finite or +inf (a forbidden cell); gamma >= 0, and 0 is hard DTW.

# *value = dtw_gamma(cost); work holds m doubles.
cdef int softdtw_value(const double[:, ::1] cost, double gamma, double[::1] work, double *value) noexcept nogil

# The same, with the expected alignment in E (n, m); work holds (n + 1) * (m + 1) doubles.
cdef int softdtw_value_and_alignment(
    const double[:, ::1] cost, double gamma, double[:, ::1] alignment, double[::1] work, double *value
) noexcept nogil
