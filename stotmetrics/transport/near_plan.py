"""The entries of a Gibbs plan that matter near a pair of potentials, as a problem of its own.

At a small epsilon nearly all mass is in few cells. While the potentials move by less than the cells left out are below
the others, in units of epsilon, the plan of these cells is the whole plan; and its entries follow the potentials by a
factor, without their costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from .semi_dual import Point, conjugate_gradients

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

ShortIndices = npt.NDArray[np.intc]

# Entries below this share of their row take no part in products.
SHARE = 1e-10
# Equations are factorised where the plan has few entries, and so near the maximum that few products no longer solve
# them, unless it has many a row.
CHEAP, CLOSE, MANY, PRODUCTS = 2**17, 1e-6, 150, 150
# A share of a row, or of 1200 entries, above which factors are full.
FILLED = 0.3
# What is added to the diagonal for rounding, as a share.
ROUNDING = 1e-14


class NearPlan:
    """The semi-dual over some cells; potentials count from those the entries were made at."""

    def __init__(
        self,
        plan: csr_matrix,
        D: FloatArray,
        rows: ShortIndices,
        a: FloatArray,
        b: FloatArray,
        at: Point,
        epsilon: float,
    ) -> None:
        self.a, self.b, self.at, self.epsilon = a, b, at, epsilon
        self.entries, self.D, self.rows = plan.data, D, rows
        self.columns, self.starts, self.shape = plan.indices, plan.indptr, plan.shape

    def row_sums(self, entries: FloatArray) -> FloatArray:
        """The sum of each row; none is empty, as its largest entry is in it."""
        return np.add.reduceat(entries, self.starts[:-1])

    def column_sums(self, entries: FloatArray) -> FloatArray:
        """The sum of each column."""
        return np.bincount(self.columns, entries, self.shape[1]).astype(np.float64, copy=False)

    def evaluate(self, g: FloatArray, w: float) -> Point:
        """The dual, and the plan whose rows have their masses."""
        exponents = (g - self.at.g)[self.columns]
        exponents -= (w - self.at.w) * self.D
        exponents /= self.epsilon
        entries = self.entries * np.exp(np.clip(exponents, -300.0, 300.0, out=exponents), out=exponents)
        factor = self.a / self.row_sums(entries)
        entries *= factor[self.rows]
        moved = entries * self.D
        mean = self.row_sums(moved) / self.a
        off = mean[self.rows] - self.D
        np.multiply(entries, off, out=moved)
        dual = self.at.dual + float(self.b @ (g - self.at.g)) + self.epsilon * float(self.a @ np.log(factor))
        columns = np.maximum(self.column_sums(entries), 1e-300)
        return Point(g, w, dual, columns, self.column_sums(moved), float(self.a @ mean), float(moved @ off), entries)

    def solve(self, point: Point, diagonal: FloatArray, right: FloatArray, rtol: float) -> FloatArray:
        """Solve the equations of a step: by factors that are cheap or worth it, else by conjugate gradients."""
        half = self.half(point)
        close = half.nnz <= CHEAP or point.violation(self.b) < CLOSE
        z = factorise(half, diagonal, right) if close and half.nnz <= MANY * half.shape[0] else None
        return iterate(half, diagonal, right, rtol) if z is None else z

    def half(self, point: Point) -> csr_matrix:
        """The plan with its rows divided by the roots of their masses."""
        from scipy.sparse import csr_matrix  # longer to import than a distance may take

        kept = point.rows > SHARE * self.a[self.rows]
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        values = point.rows[kept] / np.sqrt(self.a)[self.rows[kept]]
        return csr_matrix((values, self.columns[kept], starts), shape=self.shape)


def iterate(half: csr_matrix, diagonal: FloatArray, right: FloatArray, rtol: float) -> FloatArray:
    """What a bounded number of products with ``diag(diagonal) - half' half`` reaches."""
    own = np.bincount(half.indices, half.data**2, half.shape[1])
    return conjugate_gradients(
        lambda v: diagonal * v - np.stack([half.T @ (half @ row) for row in v]),
        np.maximum(diagonal - own, 1e-16 * diagonal),
        right,
        rtol,
        PRODUCTS,
    )


def factorise(half: csr_matrix, diagonal: FloatArray, right: FloatArray) -> FloatArray | None:
    """Solve with ``diag(diagonal) - half' half``; None if it is rather full, or rounding leaves it singular.

    The order of elimination keeps the factors sparse.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    normal = half.T @ half
    if normal.nnz > FILLED * half.shape[1] * min(1200, half.shape[1]):
        return None
    matrix = (diags_array(diagonal * (1.0 + ROUNDING), format="csc") - normal).tocsc()
    try:
        factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError:
        return None
    z = np.ascontiguousarray(factors.solve(np.ascontiguousarray(right.T)).T)
    return z if np.isfinite(z).all() else None
