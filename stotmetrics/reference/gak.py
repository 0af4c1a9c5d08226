"""The global alignment kernel by its recursion, without logarithms: Cuturi (2011). Short series only."""

import math
from typing import Any

import numpy as np

from .interface import FloatArray, TimeSeries


def gak(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``sqrt(2 - 2 k(x, y))``, or ``-log k(x, y)``, with the kernel normalised to ``k(x, x) = 1``."""
    cross, own_x, own_y = (kernel(a.values, b.values, params.sigma) for a, b in ((x, y), (x, x), (y, y)))
    similarity = min(1.0, cross / math.sqrt(own_x * own_y))
    return -math.log(similarity) if params.form == "log" else math.sqrt(2.0 - 2.0 * similarity)


def kernel(x: FloatArray, y: FloatArray, sigma: float) -> float:
    """``k(x, y) = sum over alignments of the product of local kernels``, not normalised.

    ``K[i, j] = kappa[i, j] (K[i-1, j-1] + K[i-1, j] + K[i, j-1])`` with ``kappa = g / (2 - g)`` and
    ``g = exp(-|x_i - y_j|^2 / (2 sigma^2))``.
    """
    table = np.zeros((len(x) + 1, len(y) + 1))
    table[0, 0] = 1.0
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            g = np.exp(-((a - b) @ (a - b)) / (2 * sigma**2))
            table[i + 1, j + 1] = g / (2 - g) * (table[i, j] + table[i, j + 1] + table[i + 1, j])
    return float(table[-1, -1])
