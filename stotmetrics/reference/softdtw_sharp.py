"""Sharp soft-DTW: Blondel, Mensch and Vert (2021)."""

from typing import Any

from .interface import TimeSeries
from .softdtw import banded, gamma_of, sharp, squared_euclidean


def softdtw_sharp(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``<E, C>``."""
    cost = banded(squared_euclidean(x.values, y.values), params.band)
    return sharp(cost, gamma_of(x.values, y.values, params.gamma))
