"""The Euclidean distance of two series of one length: the baseline of every comparison."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..kernels import _differences
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import NoParameters
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch
from ..spec.traits import Traits


def matrix(series: Sequence[Series]) -> FloatArray:
    return np.stack([member.values.ravel() for member in series])


def pair(x: Series, y: Series, params: NoParameters) -> float:
    alone = np.zeros(1, dtype=np.intp)
    return float(block([x], [y], alone, alone, params).values[0])


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: NoParameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    return Batch(_differences.euclidean(packed(left, matrix), packed(right, matrix), rows, cols))


def gradients(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: NoParameters, side: Side
) -> GradBatch:
    a, b = packed(left, matrix), packed(right, matrix)
    values, differences = _differences.euclidean(a, b, rows, cols), a[rows] - b[cols]
    # Between equal series zero is a subgradient.
    slopes = differences / np.where(values > 0, values, 1.0)[:, None]
    shaped = [slope.reshape(left[i].values.shape) for slope, i in zip(slopes, rows, strict=True)]
    return GradBatch(
        values,
        shaped if side in ("left", "both") else None,
        [-slope for slope in shaped] if side in ("right", "both") else None,
    )


def effort(n: float, m: float, params: object) -> float:
    """A pair takes a step for each value, a few percent of what bounds of the others take."""
    return 0.05


SPEC = MetricSpec(
    name="euclidean",
    pair=pair,
    block=block,
    gradients=gradients,
    effort=effort,
    reference="stotmetrics.reference.euclidean:euclidean",
    traits=Traits(
        symmetric=True,
        zero_self=True,
        separates=True,
        nonnegative=True,
        triangle=True,
        continuous=True,
        value_invariant=True,
        degree=1.0,
        multivariate=True,
        differentiable=True,
        releases_gil=True,
    ),
    lanes=64,
    summary="Root of the sum of squared differences at equal times; equal lengths only.",
    citation="Faloutsos, Ranganathan, Manolopoulos, Fast Subsequence Matching in Time-Series Databases, SIGMOD 1994",
)


def euclidean(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The Euclidean distance of two series of one length.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Of equal length.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Faloutsos, Ranganathan, Manolopoulos, *Fast Subsequence Matching in Time-Series Databases*, SIGMOD 1994.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.euclidean([0.0, 3.0, 1.0], [0.0, 0.0, 5.0])
    5.0
    """
    return bind(SPEC)(x, y)
