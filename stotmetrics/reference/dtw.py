"""Hard DTW: the least cost of an alignment."""

import math
from typing import Any

from .interface import TimeSeries
from .softdtw import banded, squared_euclidean, value


def dtw(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """The least sum of squared Euclidean costs along a path in the band, or its square root."""
    total = value(banded(squared_euclidean(x.values, y.values), params.band), 0.0)
    return total if params.squared else math.sqrt(total)
