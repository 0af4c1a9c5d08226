"""OTW by its definition: Latorre et al. (2023)."""

from typing import Any

import numpy as np

from .interface import FloatArray, TimeSeries


def otw(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """The sum over the channels, and over the positive and the negative parts of each."""
    return sum(
        _one_sign(np.maximum(sign * a, 0.0), np.maximum(sign * b, 0.0), params.waste, params.window)
        for a, b in zip(x.values.T, y.values.T, strict=True)
        for sign in (1.0, -1.0)
    )


def _one_sign(a: FloatArray, b: FloatArray, waste: float, window: int | None) -> float:
    """``waste |A(n) - B(n)| + sum_{i<n} |A_s(i) - B_s(i)|`` with ``A_s(i) = a_{i-s+1} + ... + a_i``."""
    n = len(a)
    s = n if window is None else window
    moved = 0.0
    for i in range(n - 1):
        first = max(0, i - s + 1)
        moved += abs(a[first : i + 1].sum() - b[first : i + 1].sum())
    return float(waste * abs(a.sum() - b.sum()) + moved)
