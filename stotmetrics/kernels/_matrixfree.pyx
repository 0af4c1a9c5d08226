"""Products with the Gibbs plan of an entropic problem that is too large to be stored: every row is made when needed."""

from scipy.linalg.cython_blas cimport daxpy, ddot

from ._costs cimport powers
from ._cpu cimport chosen
from ._gibbs cimport gibbs_row, gibbs_sums
from ._interrupt cimport SLICE, heard, turn
from ._simd cimport simd_follow

import numpy as np


simd_follow(&chosen)

# What an entry of a row costs, in elementary steps.
cdef Py_ssize_t ROW = 8


cdef class Plan:
    """``P_ij = exp(alpha_i + beta_j - C_ij / epsilon)`` between two clouds, C = w A + (1 - w) B."""

    cdef const double[:, ::1] x, y
    cdef const double[::1] t, s
    cdef double p
    cdef double[:, ::1] rows    # A, B, P of one row, and two sums over columns that nobody asked for

    def __init__(
        self, const double[:, ::1] x, const double[::1] t, const double[:, ::1] y, const double[::1] s, double p
    ):
        self.x, self.t, self.y, self.s, self.p = x, t, y, s, p
        self.rows = np.zeros((5, y.shape[0]))

    cdef void row(
        self, Py_ssize_t i, double alpha, const double *beta, double wa, double wb, double *columns, double *products,
        gibbs_sums *sums
    ) noexcept nogil:
        cdef Py_ssize_t m = self.y.shape[0], d = self.x.shape[1]
        powers(&self.x[i, 0], 1, &self.y[0, 0], m, d, self.p, &self.rows[0, 0])
        powers(&self.t[i], 1, &self.s[0], m, 1, self.p, &self.rows[1, 0])
        gibbs_row(
            &self.rows[0, 0], &self.rows[1, 0], beta, alpha, wa, wb, m, &self.rows[2, 0], columns, products, sums
        )

    def sums(self, const double[::1] alpha, const double[::1] beta, double w, double epsilon):
        """(row sums of P, of P D, column sums of P, of P D, <D^2, P>) with D = A - B."""
        cdef Py_ssize_t n = self.x.shape[0], m = self.y.shape[0], i, left = SLICE
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon, curvature = 0.0
        cdef double[::1] rows = np.empty(n)
        cdef double[::1] row_products = np.empty(n)
        cdef double[::1] columns = np.zeros(m)
        cdef double[::1] products = np.zeros(m)
        cdef gibbs_sums sums
        with nogil:
            for i in range(n):
                if turn(&left, ROW * self.y.shape[0]):
                    break
                self.row(i, alpha[i], &beta[0], wa, wb, &columns[0], &products[0], &sums)
                rows[i] = sums.mass
                row_products[i] = sums.product
                curvature += sums.square
        heard()
        return np.asarray(rows), np.asarray(row_products), np.asarray(columns), np.asarray(products), curvature

    def products(
        self, const double[::1] alpha, const double[::1] beta, double w, double epsilon, const double[::1] rows,
        const double[:, ::1] vectors
    ):
        """(P v, P' diag(1 / rows) P v) for each of the vectors v."""
        cdef Py_ssize_t n = self.x.shape[0], i, left = SLICE, k, count = vectors.shape[0]
        cdef int m = <int>self.y.shape[0], one = 1
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon, factor
        cdef double[:, ::1] forward = np.empty((count, n))
        cdef double[:, ::1] back = np.zeros((count, m))
        cdef gibbs_sums sums
        with nogil:
            for i in range(n):
                if turn(&left, ROW * self.y.shape[0]):
                    break
                self.row(i, alpha[i], &beta[0], wa, wb, &self.rows[3, 0], &self.rows[4, 0], &sums)
                for k in range(count):
                    forward[k, i] = ddot(&m, &self.rows[2, 0], &one, <double *>&vectors[k, 0], &one)
                    factor = forward[k, i] / rows[i]
                    daxpy(&m, &factor, &self.rows[2, 0], &one, &back[k, 0], &one)
            self.rows[3, :] = 0.0
            self.rows[4, :] = 0.0
        heard()
        return np.asarray(forward), np.asarray(back)

    def costs(
        self, const double[::1] alpha, const double[::1] beta, double w, double epsilon, const double[::1] rest
    ):
        """Row by row: sum of P, <A, P>, <B, P>, and the sums of rest_j A_ij and of rest_j B_ij; shape (5, n)."""
        cdef Py_ssize_t n = self.x.shape[0], i, left = SLICE
        cdef int m = <int>self.y.shape[0], one = 1
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon
        cdef double[:, ::1] out = np.empty((5, n))
        cdef gibbs_sums sums
        cdef double *A = &self.rows[0, 0]
        cdef double *B = &self.rows[1, 0]
        cdef double *P = &self.rows[2, 0]
        with nogil:
            for i in range(n):
                if turn(&left, ROW * self.y.shape[0]):
                    break
                self.row(i, alpha[i], &beta[0], wa, wb, &self.rows[3, 0], &self.rows[4, 0], &sums)
                out[0, i] = sums.mass
                out[1, i] = ddot(&m, A, &one, P, &one)
                out[2, i] = ddot(&m, B, &one, P, &one)
                out[3, i] = ddot(&m, A, &one, <double *>&rest[0], &one)
                out[4, i] = ddot(&m, B, &one, <double *>&rest[0], &one)
            self.rows[3, :] = 0.0
            self.rows[4, :] = 0.0
        heard()
        return np.asarray(out)
