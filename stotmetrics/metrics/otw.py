"""OTW: optimal transport warping, a distance in linear time between series of equal length."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec
from ..spec.parameters import parameter
from ..spec.traits import Traits


@dataclass(frozen=True)
class Parameters:
    """Parameters of otw."""

    waste: float = parameter(1.0, doc="price of a unit of mass that one series has more than the other", low=0.0)
    window: int | None = parameter(
        None, kind=int, doc="mass moves within this many times; None: over the whole series", low=1, allow=(None,)
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """Windowed sums (T, 2d) of the positive and the negative parts of a series, and their totals (2d,)."""

    windowed: FloatArray
    total: FloatArray


def prepare(series: Series, params: Parameters) -> Sums:
    parts = np.hstack([np.maximum(series.values, 0.0), np.maximum(-series.values, 0.0)])
    sums = np.cumsum(parts, axis=0)
    windowed = sums.copy()
    if params.window is not None and params.window < len(sums):
        windowed[params.window :] -= sums[: -params.window]
    return Sums(windowed, sums[-1])


def pair(x: Sums, y: Sums, params: Parameters) -> float:
    moved = np.abs(x.windowed[:-1] - y.windowed[:-1]).sum()
    wasted = np.abs(x.total - y.total).sum()
    return float(moved + params.waste * wasted)


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
    )


SPEC = MetricSpec(
    name="otw",
    pair=pair,
    params=Parameters,
    traits=traits,
    prepare=prepare,
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
