# The loops that Cython cannot say, and the potential of a point without mass.

cdef extern from "_sinkhorn_loops.h" nogil:
    const double SINK_NONE
    ctypedef struct sink_residuals:
        double gap, mass, dual, miss, high, low, widest, noise
    double sink_max(const double *v, Py_ssize_t n)
    void sink_exp(const double *v, double shift, double *out, Py_ssize_t n)
    double sink_log(const double *sums, double shift, const double *logmass, double *out, Py_ssize_t n)
    double sink_update(const double *mass, const double *logmass, const double *logsum, double omega, double ratio,
                       double *u, Py_ssize_t n)
    double sink_image(const double *logmass, const double *logsum, const double *v, const double *target,
                      double omega, double ratio, double *g, Py_ssize_t n)
    void sink_residual(const double *mass, const double *logmass, const double *logsum, const double *v,
                       double omega, double ratio, double *weight, sink_residuals *found, Py_ssize_t n)
    void sink_remember(const double *v, double *g, double shift, double *lastg, double *lastr, double *dg,
                       double *dr, Py_ssize_t n)
    double sink_dot(const double *w, const double *a, const double *b, Py_ssize_t n)
    void sink_axpy(double c, const double *a, double *out, Py_ssize_t n)
    double sink_logsumexp(const double *v, const double *cost, double *top, Py_ssize_t n)
    void sink_raise(const double *cost, double sign, double v, double *top, Py_ssize_t n)
    void sink_gather(const double *cost, double sign, double v, const double *top, double *sum, Py_ssize_t n)
    void sink_product(const double *matrix, Py_ssize_t height, Py_ssize_t length, const double *vectors,
                      Py_ssize_t count, double *out)
    void sink_finish(double *top, const double *sum, Py_ssize_t n)


cdef inline void fill(double *out, double value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = value
