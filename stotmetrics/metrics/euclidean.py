"""The Euclidean distance of two series of one length: the baseline of every comparison."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import NoParameters
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch
from ..spec.traits import Traits

# Differences held at once.
_CHUNK = 2**20

# A sum of squares outside loses digits, all of them at worst: there the differences are scaled first.
_LOW, _HIGH = 1e-280, 1e300


def matrix(series: Sequence[Series]) -> FloatArray:
    return np.stack([member.values.ravel() for member in series])


def norms(differences: FloatArray) -> FloatArray:
    """The Euclidean norm of every row, however large or small its entries."""
    squares = np.einsum("kt,kt->k", differences, differences)
    roots = np.sqrt(squares)
    odd = np.flatnonzero(~((squares > _LOW) & (squares < _HIGH)))
    if len(odd):
        largest = np.abs(differences[odd]).max(axis=1)
        scaled = differences[odd] / np.where(largest > 0, largest, 1.0)[:, None]
        roots[odd] = largest * np.sqrt(np.einsum("kt,kt->k", scaled, scaled))
    return roots


def pair(x: Series, y: Series, params: NoParameters) -> float:
    return float(norms((x.values - y.values).reshape(1, -1))[0])


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: NoParameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    a, b = packed(left, matrix), packed(right, matrix)
    step = max(1, _CHUNK // a.shape[1])
    values = np.empty(len(rows))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        values[part] = norms(a[rows[part]] - b[cols[part]])
    return Batch(values)


def gradients(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: NoParameters, side: Side
) -> GradBatch:
    differences = packed(left, matrix)[rows] - packed(right, matrix)[cols]
    values = norms(differences)
    # Between equal series zero is a subgradient.
    slopes = differences / np.where(values > 0, values, 1.0)[:, None]
    shaped = [slope.reshape(left[i].values.shape) for slope, i in zip(slopes, rows, strict=True)]
    return GradBatch(
        values,
        shaped if side in ("left", "both") else None,
        [-slope for slope in shaped] if side in ("right", "both") else None,
    )


SPEC = MetricSpec(
    name="euclidean",
    pair=pair,
    block=block,
    gradients=gradients,
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
