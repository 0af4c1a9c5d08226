# Entropic transport between non-negative vectors, many problems that share one ground cost.
#
# All potentials are in units of epsilon: u = f / epsilon, v = g / epsilon; the scalings of MATH are exp(u), exp(v).

from ._operator cimport Operator


# What one marginal pays for being off.
cdef struct Penalty:
    double rho          # unused if balanced
    double omega        # rho / (rho + epsilon); 1 if balanced
    double ratio        # epsilon / rho; 0 if balanced

cdef struct Settings:
    double epsilon
    Penalty x
    Penalty y           # balanced only if that of x is
    double spread       # largest minus smallest ground cost, for the certificate of the balanced problem
    double tol          # on half the gap, as a part of the larger mass
    double stop         # on what a sweep leaves over: see `left_over`
    Py_ssize_t max_iter
    int depth           # of the Anderson acceleration

# The histograms of one side: `count` rows of `size` masses and their logarithms.
cdef struct Histograms:
    const double *mass
    const double *logmass
    Py_ssize_t size

# What is known of problem k: potentials, logarithms of the kernel applied to their exponentials, certificate.
cdef struct State:
    double *u           # (count, n)
    double *v           # (count, m)
    double *logku       # (count, m): log(K^T e^u)
    double *logkv       # (count, n): log(K e^v)
    double *dual
    double *gap
    Py_ssize_t *sweeps
    unsigned char *converged

# Bytes are counted in doubles and in Py_ssize_t.
cdef Py_ssize_t doubles_needed(const Operator *op, Py_ssize_t count, int depth) noexcept nogil
cdef Py_ssize_t integers_needed(Py_ssize_t count) noexcept nogil

# Problem k is (x[rows[k]], y[cols[k]]); v holds where it starts.
cdef int sinkhorn_solve(
    const Operator *op, const Settings *settings, const Histograms *x, const Histograms *y, Py_ssize_t count,
    const Py_ssize_t *rows, const Py_ssize_t *cols, State *state, double *work, Py_ssize_t *iwork
) noexcept nogil

# Problem k is (x[k], x[k]): u holds where it starts, v and logkv are not used.
cdef int sinkhorn_solve_symmetric(
    const Operator *op, const Settings *settings, const Histograms *x, Py_ssize_t count, State *state,
    double *work, Py_ssize_t *iwork
) noexcept nogil
