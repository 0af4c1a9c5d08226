"""STA, equation by equation: Janati, Cuturi and Gramfort (2020), definition 3 and equation 13."""

import numpy as np

from ..arrays import FloatArray
from . import sinkhorn, softdtw


def cost(x: FloatArray, y: FloatArray, M: FloatArray, epsilon: float, rho: float) -> FloatArray:
    """``C[i, j] = S(x_i, y_j)`` for frames shaped (T, P)."""
    self_x = np.array([sinkhorn.value(frame, frame, M, epsilon, rho) for frame in x])
    self_y = np.array([sinkhorn.value(frame, frame, M, epsilon, rho) for frame in y])
    cross = np.array([[sinkhorn.value(a, b, M, epsilon, rho) for b in y] for a in x])
    return np.asarray(cross - (self_x[:, None] + self_y[None, :]) / 2)


def sta(x: FloatArray, y: FloatArray, M: FloatArray, gamma: float, epsilon: float, rho: float) -> float:
    """``dtw_gamma(C)``."""
    return softdtw.value(cost(x, y, M, epsilon, rho), gamma)
