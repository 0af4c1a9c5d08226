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

# Pairs that a search hands over at once: each takes less time than the handing over.
_TOGETHER = 64


@dataclass(frozen=True)
class Parameters:
    """Parameters of otw."""

    waste: float = parameter(1.0, low=0.0)
    window: int | None = parameter(None, kind=int, low=1, allow=(None,))


def prepare(series: Series, params: Parameters) -> FloatArray:
    """Windowed sums of the 2d positive and negative parts of a series at all times but the last, then their totals."""
    values, d = series.values, series.dim
    sums = np.empty((len(series), 2 * d))
    np.maximum(values, 0.0, out=sums[:, :d])
    np.maximum(-values, 0.0, out=sums[:, d:])
    np.cumsum(sums, axis=0, out=sums)
    if params.window is None or params.window >= len(sums) - 1:
        return sums
    windowed = sums.copy()
    windowed[params.window : -1] -= sums[: -params.window - 1]
    return windowed


def pair(x: FloatArray, y: FloatArray, params: Parameters) -> float:
    alone = np.zeros(1, dtype=np.intp)
    return float(block([x], [y], alone, alone, params).values[0])


def block(
    left: Sequence[FloatArray],
    right: Sequence[FloatArray],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    moved = (len(left[0]) - 1) * left[0].shape[1] if len(rows) else 0
    return Batch(_differences.warping(packed(left, _stack), packed(right, _stack), rows, cols, moved, params.waste))


def _stack(sums: Sequence[FloatArray]) -> FloatArray:
    return np.stack([of_series.ravel() for of_series in sums])


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
