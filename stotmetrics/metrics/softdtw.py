"""Soft-DTW: dynamic time warping with a smooth minimum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray, contiguous, real_array
from ..errors import InvalidParameterError
from ..kernels import _softdtw, _softdtw_many
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.result import Batch, GradBatch, Result
from ..spec.traits import Traits
from . import value_costs as costs
from .dtw_bounds import LANES, effort_of, radius_of, soft_bounds, stacks


@dataclass(frozen=True)
class Parameters:
    """Parameters of soft-DTW."""

    gamma: float | str = parameter(
        1.0,
        kind=float,
        low=0.0,
        high=1e300,
        allow=("median",),
    )
    band: int | None = parameter(None, kind=int, low=0, allow=(None,))


def gamma_of(x: Series, y: Series, gamma: float | str) -> float:
    """The number that ``gamma`` stands for on one pair."""
    if isinstance(gamma, str):
        return costs.median(costs.squared_euclidean(x.values, y.values))
    return gamma


def gammas_of(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, gamma: float | str
) -> FloatArray:
    """The numbers that ``gamma`` stands for on many pairs."""
    if isinstance(gamma, str):
        return np.array([gamma_of(left[i], right[j], gamma) for i, j in zip(rows, cols, strict=True)])
    return np.full(len(rows), gamma)


def values(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    gamma: float | str,
    band: int | None,
) -> FloatArray:
    """Soft-DTW of the pairs ``(left[rows[k]], right[cols[k]])``."""
    gammas = gammas_of(left, right, rows, cols, gamma)
    return _softdtw_many.values(*stacks(left, right, rows, cols), gammas, radius_of(band))


def pair(x: Series, y: Series, params: Parameters) -> Result:
    gamma, radius = gamma_of(x, y, params.gamma), radius_of(params.band)

    def alignment() -> FloatArray:
        return _softdtw.value_and_alignment(costs.squared_euclidean(x.values, y.values), gamma, radius)[1]

    return Result(
        _softdtw.pair_value(x.values, y.values, gamma, radius),
        extras={
            "alignment": alignment,
            "path": lambda: costs.cheapest_path(costs.scale_free_costs(x.values, y.values), radius),
            "cost": lambda: costs.squared_euclidean(x.values, y.values),
        },
    )


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    return Batch(values(left, right, rows, cols, params.gamma, params.band))


def lower_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    if isinstance(params.gamma, str):  # the median of the costs takes as long as the value
        return np.full(len(rows), -np.inf)
    return soft_bounds(left, right, rows, cols, params.gamma, params.band)


def gradients(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    gammas = gammas_of(left, right, rows, cols, params.gamma)
    if len(rows) == 1:  # what a batch sets up takes longer than one pair
        x, y, radius = left[rows[0]].values, right[cols[0]].values, radius_of(params.band)
        value, of_x, of_y = _softdtw.pair_gradient(x, y, gammas[0], radius)
        return GradBatch(np.array([value]), None if side == "right" else [of_x], None if side == "left" else [of_y])
    x, x_at, y, y_at, i, j = stacks(left, right, rows, cols)
    values, grad_x, grad_y = _softdtw_many.gradients(x, x_at, y, y_at, i, j, gammas, radius_of(params.band))
    return GradBatch(
        values,
        None if side == "right" else split(grad_x, x_at, i),
        None if side == "left" else split(grad_y, y_at, j),
    )


def split(gradients: FloatArray, at: IntArray, wanted: IntArray) -> list[FloatArray]:
    """The gradients of the series ``wanted``, which stand one behind the other."""
    ends = np.cumsum(np.diff(at)[wanted]).tolist()
    return [gradients[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def effort(n: float, m: float, params: Parameters) -> float:
    return effort_of(n, m, params.gamma == 0, params.band)


def traits(params: Parameters) -> Traits:
    hard = params.gamma == 0
    return Traits(
        symmetric=True,
        zero_self=hard,
        nonnegative=hard,
        unequal_length=True,
        releases_gil=True,
        continuous=True,
        value_invariant=True,
        # At any other gamma the unit of the values matters: gamma has the unit of their squares.
        degree=2.0 if hard or params.gamma == "median" else None,
        multivariate=True,
        differentiable=not hard and params.gamma != "median",
    )


SPEC = MetricSpec(
    name="softdtw",
    params=Parameters,
    pair=pair,
    block=block,
    gradients=gradients,
    reference="stotmetrics.reference.softdtw:softdtw",
    lower_bounds=lower_bounds,
    lanes=LANES,
    effort=effort,
    traits=traits,
    summary="Cost of the soft minimum over all alignments of two series, smooth in both.",
    citation="Cuturi, Blondel, Soft-DTW: a Differentiable Loss Function for Time-Series, ICML 2017",
)


def softdtw_from_cost(C: npt.ArrayLike, gamma: float = 1.0, band: int | None = None) -> Result:
    """Soft-DTW of a cost matrix of your own.

    Parameters
    ----------
    C : array_like of shape (n, m)
        The cost of matching time i of one series with time j of the other; +inf forbids a match.
    gamma : float, default 1.0
        Smoothing of the minimum, in the unit of the costs; 0 is hard DTW.
    band : int, optional
        Sakoe-Chiba radius around the rescaled diagonal, in steps of the shorter side.

    Returns
    -------
    Result
        ``value``, ``alignment``: its gradient in C, and ``path``: one cheapest alignment.

    Raises
    ------
    InvalidParameterError
        If C is not a matrix of numbers, or its forbidden matches leave no alignment.

    References
    ----------
    Cuturi, Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017, equation (1).

    Examples
    --------
    >>> import stotmetrics
    >>> result = stotmetrics.softdtw_from_cost([[0.0, float("inf")], [1.0, 2.0]], gamma=0.0)
    >>> result.value
    2.0
    >>> result.alignment
    array([[1., 0.],
           [0., 1.]])
    """
    params = bind(SPEC, gamma=gamma, band=band).params
    if isinstance(params.gamma, str):
        raise InvalidParameterError(f"gamma must be a number >= 0 for a given cost matrix; got {gamma!r}")
    smoothing, radius = params.gamma, radius_of(params.band)
    cost = contiguous(real_array(C, "C"))
    if cost.ndim != 2 or cost.size == 0:
        raise InvalidParameterError(f"C must be a matrix of real numbers, (n, m); got an array of shape {cost.shape}")
    if np.isnan(cost).any() or np.isneginf(cost).any():
        raise InvalidParameterError("C must not hold NaN or -inf; forbid a match with +inf")
    value = _softdtw.value(cost, smoothing, radius)
    if value == np.inf:
        raise InvalidParameterError("C must leave at least one alignment; its +inf entries (and the band) forbid all")
    return Result(
        value,
        extras={
            "alignment": lambda: _softdtw.value_and_alignment(cost, smoothing, radius)[1],
            "path": lambda: costs.cheapest_path(cost, radius),
            "cost": cost,
        },
    )


def softdtw(x: npt.ArrayLike, y: npt.ArrayLike, gamma: float | str = 1.0, band: int | None = None) -> float:
    r"""Soft-DTW with the squared Euclidean cost.

    The value is :math:`-\gamma \log \sum_A \exp(-\langle A, C \rangle / \gamma)` over all alignments A. It can be
    negative and is not zero at ``x = y``; :func:`softdtw_divergence` corrects both.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d)
        The lengths may differ.
    gamma : float or "median", default 1.0
        Smoothing of the minimum, in the unit of the squared values; 0 is hard DTW (without a square root). "median"
        takes the median of the cost matrix of the two series.
    band : int, optional
        Sakoe-Chiba radius around the rescaled diagonal, in steps of the shorter series.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Cuturi, Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017, equation (1).

    Examples
    --------
    >>> import stotmetrics
    >>> round(stotmetrics.softdtw([0.0, 1.0, 2.0], [0.0, 2.0], gamma=1.0), 6)
    0.122654
    >>> stotmetrics.softdtw([0.0, 1.0, 2.0], [0.0, 2.0], gamma=0.0)
    1.0
    """
    return bind(SPEC, gamma=gamma, band=band)(x, y)
