"""Ground costs between the values of two series, and their vector-Jacobian products.

The gradient of every metric is the vjp of its cost applied to the gradient of its functional of the cost matrix.
"""

import math

import numpy as np

from ..arrays import FloatArray, IntArray, contiguous
from ..kernels import _path, _value_costs


def squared_euclidean(x: FloatArray, y: FloatArray) -> FloatArray:
    """``C[i, j] = ||x_i - y_j||^2`` for values shaped (n, d) and (m, d)."""
    return _value_costs.squared_euclidean(contiguous(x), contiguous(y))


# Between these no sum of squares of values loses a digit that counts.
_SMALL, _LARGE = 2.0**-450, 2.0**500


def unit_of(x: FloatArray, y: FloatArray) -> float:
    """A power of two in which squares of these values stay in the range of a double; 1 where they do as they are."""
    largest = max(float(x.max()), float(y.max()), -float(x.min()), -float(y.min()))
    return 1.0 if largest == 0.0 or _SMALL < largest < _LARGE else 2.0 ** (math.frexp(largest)[1] - 1)


def scale_free_costs(x: FloatArray, y: FloatArray) -> FloatArray:
    """The squared Euclidean costs in a unit in which they do not overflow, nor all vanish: for what has no unit."""
    unit = unit_of(x, y)
    return squared_euclidean(x, y) if unit == 1.0 else squared_euclidean(x / unit, y / unit)


def cheapest_path(C: FloatArray, radius: int = -1) -> IntArray:
    """The cells (k, 2) of one cheapest alignment under the costs C, within a band."""
    return _path.path(contiguous(C), radius)


def median(C: FloatArray) -> float:
    """The median of finite costs: of NumPy's without its search for NaN, which takes longer than the rest."""
    middle = C.size // 2
    costs = np.partition(C, middle, axis=None)
    return float(costs[middle] if C.size % 2 else 0.5 * (costs[:middle].max() + costs[middle]))


def squared_euclidean_vjp(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradients in x and in y of ``sum(weights * C)`` for weights shaped (n, m)."""
    # The gradients do not change with the origin; near the data, large offsets do not cancel.
    origin = x.mean(axis=0)
    x, y = x - origin, y - origin
    grad_x = 2.0 * (weights.sum(axis=1)[:, None] * x - weights @ y)
    grad_y = 2.0 * (weights.sum(axis=0)[:, None] * y - weights.T @ x)
    return grad_x, grad_y
