"""The global alignment kernel by its recursion, without logarithms: Cuturi (2011). Short series only."""

import numpy as np

from ..arrays import FloatArray


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
