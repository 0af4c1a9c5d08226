"""Products with the Gibbs plan of an entropic problem that is too large to be stored: every row is made when needed.

Rows are scaled to their masses as they are made, so no potential of theirs is too far off to start from.
"""

from scipy.linalg.cython_blas cimport daxpy, ddot

from ._costs cimport powers
from ._cpu cimport chosen
from ._gibbs cimport gibbs_row, gibbs_sums, soft_row, soft_sums
from ._interrupt cimport SLICE, heard, turn
from ._linalg cimport whole
from ._simd cimport simd_follow

import numpy as np


simd_follow(&chosen)
assert whole  # before any of its parts

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

    cdef void costs_of(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t m = self.y.shape[0], d = self.x.shape[1]
        powers(&self.x[i, 0], 1, &self.y[0, 0], m, d, self.p, &self.rows[0, 0])
        powers(&self.t[i], 1, &self.s[0], m, 1, self.p, &self.rows[1, 0])

    cdef double row(self, Py_ssize_t i, double alpha, const double *beta, double wa, double wb) noexcept nogil:
        """Make one row of a plan; returns its sum."""
        cdef gibbs_sums sums
        self.costs_of(i)
        gibbs_row(
            &self.rows[0, 0], &self.rows[1, 0], beta, alpha, wa, wb, self.y.shape[0], &self.rows[2, 0],
            &self.rows[3, 0], &self.rows[4, 0], &sums
        )
        return sums.mass

    def sums(self, const double[::1] a, const double[::1] beta, double w, double epsilon):
        """The plan whose rows have the masses a: (alpha, column sums, products, slope, curvature).

        With D = A - B and D_i its mean over row i: products are the column sums of P (D_i - D), the slope is <D, P>,
        and the curvature <(D - D_i)^2, P>.
        """
        cdef Py_ssize_t n = self.x.shape[0], m = self.y.shape[0], i, left = SLICE
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon, slope = 0.0, curvature = 0.0
        cdef double[::1] alpha = np.empty(n)
        cdef double[::1] columns = np.zeros(m)
        cdef double[::1] products = np.zeros(m)
        cdef soft_sums sums
        with nogil:
            for i in range(n):
                if turn(&left, ROW * m):
                    break
                self.costs_of(i)
                soft_row(
                    &self.rows[0, 0], &self.rows[1, 0], &beta[0], a[i], wa, wb, m, &self.rows[2, 0],
                    &columns[0], &products[0], &sums
                )
                alpha[i] = sums.scale
                slope += a[i] * sums.mean
                curvature += sums.spread
        heard()
        return np.asarray(alpha), np.asarray(columns), np.asarray(products), slope, curvature

    def sparse(
        self, const double[::1] alpha, const double[::1] beta, double w, double epsilon, const double[::1] rows,
        const double[::1] columns, Py_ssize_t most
    ):
        """The entries above either of two bounds, of their row and of their column, as (values, columns, row starts).

        None if there are more than ``most``.
        """
        cdef Py_ssize_t n = self.x.shape[0], m = self.y.shape[0], i, j, left = SLICE, count = 0
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon, entry
        cdef const double *P = &self.rows[2, 0]
        cdef double[::1] values = np.empty(most + m)
        cdef int[::1] where = np.empty(most + m, dtype=np.intc)
        cdef int[::1] starts = np.zeros(n + 1, dtype=np.intc)
        with nogil:
            for i in range(n):
                if turn(&left, ROW * m) or count > most:
                    break
                self.row(i, alpha[i], &beta[0], wa, wb)
                for j in range(m):
                    entry = P[j]
                    if entry > rows[i] or entry > columns[j]:
                        values[count] = entry
                        where[count] = <int>j
                        count += 1
                starts[i + 1] = <int>count
            self.rows[3:, :] = 0.0
        heard()
        if count > most:
            return None
        return np.array(values[:count]), np.array(where[:count]), np.asarray(starts)

    def products(
        self, const double[::1] alpha, const double[::1] beta, double w, double epsilon, const double[::1] rows,
        const double[:, ::1] vectors
    ):
        """P' diag(1 / rows) P v for each of the vectors v."""
        cdef Py_ssize_t n = self.x.shape[0], i, left = SLICE, k, count = vectors.shape[0]
        cdef int m = <int>self.y.shape[0], one = 1
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon, factor
        cdef double[:, ::1] back = np.zeros((count, m))
        with nogil:
            for i in range(n):
                if turn(&left, ROW * self.y.shape[0]):
                    break
                self.row(i, alpha[i], &beta[0], wa, wb)
                for k in range(count):
                    factor = ddot(&m, &self.rows[2, 0], &one, <double *>&vectors[k, 0], &one) / rows[i]
                    daxpy(&m, &factor, &self.rows[2, 0], &one, &back[k, 0], &one)
            self.rows[3:, :] = 0.0
        heard()
        return np.asarray(back)

    def costs(
        self, const double[::1] a, const double[::1] beta, double w, double epsilon, const double[::1] share,
        const double[::1] rest
    ):
        """Row by row, of the plan whose rows have the masses a, so much of each column: its sum, <A, P>, <B, P>.

        Then the sums of rest_j A_ij and of rest_j B_ij; shape (5, n).
        """
        cdef Py_ssize_t n = self.x.shape[0], i, j, left = SLICE
        cdef int m = <int>self.y.shape[0], one = 1
        cdef double wa = w / epsilon, wb = (1.0 - w) / epsilon, mass
        cdef double[:, ::1] out = np.empty((5, n))
        cdef double *A = &self.rows[0, 0]
        cdef double *B = &self.rows[1, 0]
        cdef double *P = &self.rows[2, 0]
        cdef soft_sums sums
        with nogil:
            for i in range(n):
                if turn(&left, ROW * self.y.shape[0]):
                    break
                self.costs_of(i)
                soft_row(A, B, &beta[0], a[i], wa, wb, m, P, &self.rows[3, 0], &self.rows[4, 0], &sums)
                mass = 0.0
                for j in range(m):
                    P[j] *= share[j]
                    mass += P[j]
                out[0, i] = mass
                out[1, i] = ddot(&m, A, &one, P, &one)
                out[2, i] = ddot(&m, B, &one, P, &one)
                out[3, i] = ddot(&m, A, &one, <double *>&rest[0], &one)
                out[4, i] = ddot(&m, B, &one, <double *>&rest[0], &one)
            self.rows[3:, :] = 0.0
        heard()
        return np.asarray(out)
