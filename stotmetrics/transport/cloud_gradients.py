"""Gradients of transport between two clouds in the values of their series.

By Danskin's theorem an optimal cost changes with the ground costs as if its plan stood still.
"""

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from .point_clouds import Cloud, powers


@dataclass(frozen=True, slots=True)
class Cells:
    """Slopes of a value in the costs of some cells: rows, columns and slopes, each of shape (k,)."""

    rows: IntArray
    columns: IntArray
    slopes: FloatArray


def value_gradients(
    x: Cloud, y: Cloud, p: float, slopes: Cells | FloatArray, value: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Gradients in the values of both series, of slopes in the costs ``A``, as cells or shaped (n, m).

    With ``value`` they are those of the p-th root, which is that value. Where the root is zero, so is the gradient.
    """
    unit = 1.0 if value is None else value
    if unit == 0.0:
        return np.zeros_like(x.all_values), np.zeros_like(y.all_values)
    # Differences in units of the root stay in range at any p.
    of_cells = _of_cells if isinstance(slopes, Cells) else _of_matrix
    left, right = of_cells(x.values / unit, y.values / unit, p, slopes)  # type: ignore[arg-type]
    factor = p if value is None else 1.0
    return _of_series(x, factor * left), _of_series(y, factor * right)


def _of_cells(x: FloatArray, y: FloatArray, p: float, cells: Cells) -> tuple[FloatArray, FloatArray]:
    apart = x[cells.rows] - y[cells.columns]
    pull = apart * (cells.slopes * _stiffness(np.sqrt((apart * apart).sum(axis=1)), p))[:, None]
    left, right = np.zeros_like(x), np.zeros_like(y)
    np.add.at(left, cells.rows, pull)
    np.subtract.at(right, cells.columns, pull)
    return left, right


def _of_matrix(x: FloatArray, y: FloatArray, p: float, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Where no mass goes, distances may be beyond range.
    pull = slopes if p == 2.0 else np.where(slopes == 0.0, 0.0, slopes * _stiffness(powers(x, y, 1.0), p))
    # Near the data, large offsets do not cancel.
    origin = x.mean(axis=0)
    x, y = x - origin, y - origin
    return pull.sum(axis=1)[:, None] * x - pull @ y, pull.sum(axis=0)[:, None] * y - pull.T @ x


def _stiffness(distance: FloatArray, p: float) -> FloatArray:
    """``distance**(p - 2)``; zero between equal values, where zero is a subgradient of ``|.|**p``."""
    if p == 2.0:
        return np.ones_like(distance)
    return np.where(distance > 0, np.where(distance > 0, distance, 1.0) ** (p - 2.0), 0.0)


def _of_series(cloud: Cloud, slopes: FloatArray) -> FloatArray:
    """Gradients in the values of a series, from those in the atoms of its cloud."""
    full = np.zeros_like(cloud.all_values)
    full[cloud.support] = slopes
    if cloud.deviations is None:
        return full
    # Of z = (v - mean) / deviation; a constant feature has an infinite deviation, and no slope.
    z = cloud.all_values
    return np.asarray((full - full.mean(axis=0) - z * (z * full).mean(axis=0)) / cloud.deviations)


def median_slopes(cost: FloatArray) -> Cells:
    """Slopes of the median of a cost matrix in its cells; cells that tie share them."""
    middle = cost.size // 2
    places = [middle] if cost.size % 2 else [middle - 1, middle]
    at = [np.nonzero(cost == value) for value in np.partition(cost, places, axis=None)[places]]
    shares = [np.full(len(rows), 1.0 / (len(places) * len(rows))) for rows, _ in at]
    rows, columns = (np.concatenate([cells[axis] for cells in at]) for axis in (0, 1))
    return Cells(rows, columns, np.concatenate(shares))
