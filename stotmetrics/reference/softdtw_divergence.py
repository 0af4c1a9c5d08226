"""The soft-DTW divergence: Blondel, Mensch and Vert (2021)."""

from typing import Any

from .interface import TimeSeries
from .softdtw import banded, gamma_of, squared_euclidean, value


def softdtw_divergence(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``dtw(x, y) - (dtw(x, x) + dtw(y, y)) / 2``, all three at the gamma of the pair."""
    gamma = gamma_of(x.values, y.values, params.gamma)
    xy, xx, yy = (
        value(banded(squared_euclidean(a.values, b.values), params.band), gamma) for a, b in ((x, y), (x, x), (y, y))
    )
    return xy - (xx + yy) / 2
