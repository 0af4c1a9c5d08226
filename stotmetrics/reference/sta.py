"""STA, equation by equation: Janati, Cuturi and Gramfort (2020), definition 3 and equation 13."""

from typing import Any

import numpy as np

from . import sinkhorn, softdtw
from .interface import FloatArray, TimeSeries


def sta(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``dtw_gamma(C)``; of signed series the mean over their parts."""
    M = ground_cost(x, params.ground)
    epsilon = 10.0 / len(M) * unit_of(M) if isinstance(params.epsilon, str) else params.epsilon
    parts = zip(histograms(x.values, params.signed), histograms(y.values, params.signed), strict=True)
    values = [softdtw.value(frame_costs(a, b, M, epsilon, params.rho), params.gamma) for a, b in parts]
    return sum(values) / len(values)


def frame_costs(x: FloatArray, y: FloatArray, M: FloatArray, epsilon: float, rho: float) -> FloatArray:
    """``C[i, j] = S(x_i, y_j)`` for frames shaped (T, P)."""
    self_x = np.array([sinkhorn.value(frame, frame, M, epsilon, rho) for frame in x])
    self_y = np.array([sinkhorn.value(frame, frame, M, epsilon, rho) for frame in y])
    cross = np.array([[sinkhorn.value(a, b, M, epsilon, rho) for b in y] for a in x])
    return np.asarray(cross - (self_x[:, None] + self_y[None, :]) / 2)


def histograms(values: FloatArray, signed: str) -> list[FloatArray]:
    """The non-negative parts that stand for signed values."""
    if signed == "split":
        return [np.where(values > 0, values, 0.0), np.where(values < 0, -values, 0.0)]
    return [np.abs(values)] if signed == "abs" else [values]


def ground_cost(series: TimeSeries, ground: Any) -> FloatArray:
    """The (P, P) cost of a ground, from the data it was made of; None: of the points of a line or of a frame."""
    if ground is None:
        shape = series.frame_shape or (series.values.shape[1],)
        M = grid_cost(shape, [1.0] * len(shape), 2.0)
        return M / unit_of(M)
    made = ground.to_config()
    if made["kind"] == "cost":
        return np.array(made["cost"])
    if made["kind"] == "points":
        points = np.array(made["points"])
        M = np.linalg.norm(points[:, None] - points[None, :], axis=2) ** made["p"]
    else:
        M = grid_cost(tuple(made["shape"]), made["spacing"], made["p"])
    return np.asarray(M / made["scale"])


def grid_cost(shape: tuple[int, ...], spacing: list[float], p: float) -> FloatArray:
    """Sum over the axes of ``|step * spacing| ** p`` between the points of a grid, in the order of a frame's values."""
    points = [np.array(index) * spacing for index in np.ndindex(*shape)]
    return np.array([[(np.abs(a - b) ** p).sum() for b in points] for a in points])


def unit_of(M: FloatArray) -> float:
    """The median of the costs, where most of them are 0 their mean, and 1 where all are."""
    return float(np.median(M)) or float(M.mean()) or 1.0
