"""Soft-DTW, equation by equation: Cuturi and Blondel (2017), Blondel, Mensch and Vert (2021)."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from .interface import FloatArray, TimeSeries


def softdtw(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``dtw_gamma(C)`` with the squared Euclidean cost, over the paths in the band."""
    cost = banded(squared_euclidean(x.values, y.values), params.band)
    return value(cost, gamma_of(x.values, y.values, params.gamma))


def gamma_of(x: FloatArray, y: FloatArray, gamma: float | str) -> float:
    """A number stands for itself, "median" for the median cost of the pair, the band aside."""
    return float(np.median(squared_euclidean(x, y))) if isinstance(gamma, str) else gamma


def squared_euclidean(x: FloatArray, y: FloatArray) -> FloatArray:
    """``C[i, j] = ||x_i - y_j||^2`` for values shaped (n, d) and (m, d)."""
    return np.asarray(((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2))


def softmin(values: FloatArray, gamma: float) -> float:
    """``-gamma log sum exp(-a / gamma)``; the minimum at ``gamma = 0``."""
    low = values.min()
    if gamma == 0 or np.isinf(low):
        return float(low)
    with np.errstate(over="ignore"):
        return float(low - gamma * np.log(np.exp((low - values) / gamma).sum()))


def recursion(cost: FloatArray, gamma: float) -> FloatArray:
    """The bordered matrix R (n+1, m+1): ``R[i,j] = C[i,j] + softmin(R[i-1,j-1], R[i-1,j], R[i,j-1])``."""
    n, m = cost.shape
    table = np.full((n + 1, m + 1), np.inf)
    table[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            before = np.array([table[i - 1, j - 1], table[i - 1, j], table[i, j - 1]])
            table[i, j] = cost[i - 1, j - 1] + softmin(before, gamma)
    return table


def value(cost: FloatArray, gamma: float) -> float:
    """``dtw_gamma(C)``."""
    return float(recursion(cost, gamma)[-1, -1])


def alignment(cost: FloatArray, gamma: float) -> FloatArray:
    """Expected alignment ``E[i,j] = Pr(path visits (i,j))``: the gradient of the value in C.

    A path drawn backwards from the last cell steps to a predecessor with probability proportional to
    ``exp(-R / gamma)``; at ``gamma = 0`` the predecessors that attain the minimum are equally likely.
    """
    table = recursion(cost, gamma)
    expected = np.zeros(table.shape)
    expected[-1, -1] = 1.0
    for i in range(cost.shape[0], 0, -1):
        for j in range(cost.shape[1], 0, -1):
            if expected[i, j] == 0 or (i, j) == (1, 1):
                continue
            before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
            values = np.array([table[cell] for cell in before])
            with np.errstate(over="ignore", divide="ignore"):
                gaps = values - values.min()
                weights = np.where(gaps == 0, 1.0, 0.0) if gamma == 0 else np.exp(-gaps / gamma)
            for cell, weight in zip(before, weights / weights.sum(), strict=True):
                expected[cell] += weight * expected[i, j]
    return expected[1:, 1:]


def alignments(n: int, m: int) -> Iterator[list[tuple[int, int]]]:
    """Every path from (0, 0) to (n-1, m-1) with steps right, down and diagonal: the set A(n, m)."""

    def extend(path: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        i, j = path[-1]
        if (i, j) == (n - 1, m - 1):
            yield path
        for cell in ((i + 1, j + 1), (i + 1, j), (i, j + 1)):
            if cell[0] < n and cell[1] < m:
                yield from extend([*path, cell])

    return extend([(0, 0)])


def enumerate_paths(cost: FloatArray, gamma: float) -> tuple[float, FloatArray]:
    """Value and expected alignment straight from the definition, over all alignments: small n and m only."""
    paths = list(alignments(*cost.shape))
    totals = np.array([sum(cost[cell] for cell in path) for path in paths])
    best = softmin(totals, gamma)
    with np.errstate(over="ignore"):
        weights = (totals == best).astype(float) if gamma == 0 else np.exp((best - totals) / gamma)
    expected = np.zeros(cost.shape)
    for path, weight in zip(paths, weights / weights.sum(), strict=True):
        for cell in path:
            expected[cell] += weight
    return best, expected


@cache
def log_delannoy(n: int, m: int) -> float:
    """``log D(n, m)``, the number of alignments; the count itself overflows a double near n = m = 400."""
    row = np.zeros(m)
    for _ in range(n - 1):
        new = np.zeros(m)
        for j in range(1, m):
            new[j] = np.logaddexp(np.logaddexp(row[j - 1], row[j]), new[j - 1])
        row = new
    return float(row[m - 1])


def divergence(x: FloatArray, y: FloatArray, gamma: float) -> float:
    """``dtw(x, y) - (dtw(x, x) + dtw(y, y)) / 2`` with the squared Euclidean cost."""
    xy, xx, yy = (value(squared_euclidean(a, b), gamma) for a, b in ((x, y), (x, x), (y, y)))
    return xy - (xx + yy) / 2


def sharp(cost: FloatArray, gamma: float) -> float:
    """``<E, C>``: the expected cost of an alignment drawn from the Gibbs distribution."""
    weights = alignment(cost, gamma)
    used = weights > 0
    return float((weights[used] * cost[used]).sum())


def banded(cost: FloatArray, radius: int | None) -> FloatArray:
    """The cost with +inf outside the Sakoe-Chiba band around the rescaled diagonal; None: no band.

    Step k of the longer series stands opposite the point ``c = k (short - 1) / (long - 1)`` of the shorter one; the
    band holds the steps from ``floor(c) - radius`` to ``ceil(c) + radius``, so that a path always exists.
    """
    if radius is None:
        return cost
    if cost.shape[0] < cost.shape[1]:
        return banded(cost.T, radius).T
    n, m = cost.shape
    allowed = np.full(cost.shape, np.inf)
    for i in range(n):
        low = i * (m - 1) // max(n - 1, 1)
        high = -(-i * (m - 1) // max(n - 1, 1))
        inside = slice(max(low - radius, 0), high + radius + 1)
        allowed[i, inside] = cost[i, inside]
    return allowed


def hard_bound(x: FloatArray, y: FloatArray, radius: int | None) -> float:
    """What hard DTW costs at least: the corners, and each point between them as far as it is from all it may meet.

    ``h[i]`` is the point next to ``x[i]`` in the range of what row i may meet, and lies between the two:
    ``(x[i] - y[j])**2 >= (x[i] - h[i])**2 + (h[i] - y[j])**2`` in every feature.
    """
    inside = np.isfinite(banded(np.zeros((len(x), len(y))), radius))[:, :, None]
    if 1 in (len(x), len(y)):
        return float(squared_euclidean(x, y).sum())
    h = np.clip(x, np.where(inside, y, np.inf).min(1), np.where(inside, y, -np.inf).max(1))
    g = np.clip(y, np.where(inside, h[:, None], np.inf).min(0), np.where(inside, h[:, None], -np.inf).max(0))
    ends = ((x[[0, -1]] - y[[0, -1]]) ** 2).sum()
    return float(ends + ((x - h)[1:-1] ** 2).sum() + ((y - g)[1:-1] ** 2).sum())
