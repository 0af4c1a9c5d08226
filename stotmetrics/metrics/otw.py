"""OTW: optimal transport warping, a distance in linear time between series of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..kernels import _differences
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec
from ..spec.parameters import parameter
from ..spec.prepared import packed
from ..spec.result import Batch
from ..spec.traits import Traits
from .euclidean import effort

# Pairs that a search hands over at once: each takes less time than the handing over.
_TOGETHER = 64


@dataclass(frozen=True)
class Parameters:
    """Parameters of otw."""

    waste: float = parameter(1.0, low=0.0)
    window: int | None = parameter(None, kind=int, low=1, allow=(None,))


def sums(series: Sequence[Series], window: int | None) -> FloatArray:
    """Windowed sums of the 2d positive and negative parts at all times but the last, then their totals: a row each."""
    values = np.stack([member.values for member in series])
    count, n, d = values.shape
    parts = np.empty((count, n, 2 * d))
    np.maximum(values, 0.0, out=parts[..., :d])
    np.maximum(-values, 0.0, out=parts[..., d:])
    np.cumsum(parts, axis=1, out=parts)
    if window is None or window >= n - 1:
        return parts.reshape(count, -1)
    windowed = parts.copy()
    windowed[:, window:-1] -= parts[:, : -window - 1]
    return windowed.reshape(count, -1)


def pair(x: Series, y: Series, params: Parameters) -> float:
    alone = np.zeros(1, dtype=np.intp)
    return float(block([x], [y], alone, alone, params).values[0])


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    x, y = packed(left, sums, params.window), packed(right, sums, params.window)
    moved = x.shape[1] - 2 * left[0].dim
    return Batch(_differences.warping(x, y, rows, cols, moved, params.waste))


def traits(params: Parameters) -> Traits:
    # The last sums are compared in the waste alone.
    return Traits(
        symmetric=True,
        zero_self=True,
        separates=params.waste > 0,
        nonnegative=True,
        triangle=True,
        continuous=True,
        degree=1.0,
        multivariate=True,
        releases_gil=True,
    )


SPEC = MetricSpec(
    name="otw",
    pair=pair,
    block=block,
    lanes=_TOGETHER,
    effort=effort,
    params=Parameters,
    traits=traits,
    reference="stotmetrics.reference.otw:otw",
    summary="Unbalanced transport along time of the positive and the negative parts of two series, in linear time.",
    citation="Latorre, Liu, Sahoo, Hoi. OTW: Optimal Transport Warping for Time Series. ICASSP 2023.",
)


def otw(x: ArrayLike, y: ArrayLike, waste: float = 1.0, window: int | None = None) -> float:
    """Optimal transport warping between two series of equal length.

    ``waste |A(n) - B(n)| + sum over i < n of |A_s(i) - B_s(i)|``, where ``A_s(i)`` is the sum of the last s values of x
    up to time i and ``A(n)`` the sum of all. It is taken for the positive and for the negative parts of the values and,
    for several value dimensions, of each; all are added up. It satisfies the triangle inequality. With a window it can
    be zero between different series.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Two series of the same length.
    waste : float, default 1.0
        Price of a unit of mass that one series has more than the other.
    window : int, optional
        Mass moves within this many times; by default over the whole series.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Latorre, Liu, Sahoo, Hoi. *OTW: Optimal Transport Warping for Time Series*, ICASSP 2023.

    Examples
    --------
    >>> from stotmetrics.metrics.otw import otw
    >>> otw([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    2.0
    >>> otw([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], window=1)
    1.0
    """
    return bind(SPEC, waste=waste, window=window)(x, y)
