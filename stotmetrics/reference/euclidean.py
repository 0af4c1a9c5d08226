"""The Euclidean distance by its definition."""

import math
from typing import Any


def euclidean(x: Any, y: Any, params: object) -> float:
    """The root of the sum of all squared differences, added up without rounding."""
    pairs = zip(x.values.ravel().tolist(), y.values.ravel().tolist(), strict=True)
    return math.hypot(*(a - b for a, b in pairs))
