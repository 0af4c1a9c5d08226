"""The entries of a Gibbs plan that matter near a pair of potentials, as a problem of its own.

At a small epsilon nearly all mass is in few cells. While the potentials move by less than the cells left out are below
the others, in units of epsilon, the plan of these cells is the whole plan; and its entries follow the potentials by a
factor, without their costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray, IntArray
from .semi_dual import Point

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Entries below this share of their row take no part in products.
SHARE = 1e-16


class NearPlan:
    """The semi-dual over some cells; potentials count from those the entries were made at."""

    def __init__(
        self, plan: csr_matrix, D: FloatArray, rows: IntArray, a: FloatArray, b: FloatArray, at: Point, epsilon: float
    ) -> None:
        self.a, self.b, self.at, self.epsilon = a, b, at, epsilon
        self.entries, self.D, self.rows = plan.data, D, rows
        self.columns, self.starts, self.shape = plan.indices, plan.indptr, plan.shape

    def row_sums(self, entries: FloatArray) -> FloatArray:
        """The sum of each row; none is empty, as its largest entry is in it."""
        return np.add.reduceat(entries, self.starts[:-1])

    def column_sums(self, entries: FloatArray) -> FloatArray:
        """The sum of each column."""
        return np.bincount(self.columns, entries, self.shape[1])

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
        return Point(
            g, w, dual, columns, self.column_sums(moved), float(self.a @ mean), float(moved @ off), entries
        )

    def normal(self, point: Point) -> tuple[Callable[[FloatArray], FloatArray], FloatArray]:
        """``V -> P' diag(1 / a) P V`` for the rows of V, and the diagonal of that matrix."""
        from scipy.sparse import csr_matrix  # longer to import than a distance may take

        kept = point.rows > SHARE * self.a[self.rows]
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        # Rows are divided by the roots of their masses: then it is a matrix times its transpose.
        values = point.rows[kept] / np.sqrt(self.a)[self.rows[kept]]
        plan = csr_matrix((values, self.columns[kept], starts), shape=self.shape)
        turned = plan.T.tocsr()
        diagonal = np.bincount(plan.indices, values**2, self.shape[1])
        return lambda v: np.stack([turned @ (plan @ row) for row in v]), diagonal
