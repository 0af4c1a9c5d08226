"""The soft-DTW divergence: soft-DTW less its self terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..kernels import _softdtw
from ..reference import softdtw as reference
from ..result import Batch, FloatArray, IntArray, Result
from ..series import Series
from ..spec import GradBatch, MetricSpec, Traits
from ..warping import alone, radius_of
from . import softdtw as soft
from .softdtw import Parameters, gamma_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """A series and its self term, None where gamma depends on the pair."""

    series: Series
    own: float | None


def own_term(x: Series, gamma: float, band: int | None) -> float:
    return _softdtw.pair_value(x.values, x.values, gamma, radius_of(band))


def prepare(series: Series, params: Parameters) -> Prepared:
    own = None if isinstance(params.gamma, str) else own_term(series, params.gamma, params.band)
    return Prepared(series, own)


def pair(x: Prepared, y: Prepared, params: Parameters) -> Result:
    joint = soft.pair(x.series, y.series, params)
    gamma = gamma_of(x.series, y.series, params.gamma)
    own_x, own_y = (own_term(p.series, gamma, params.band) if p.own is None else p.own for p in (x, y))
    extras = {"alignment": lambda: joint.alignment, "cost": lambda: joint.cost}
    return Result(joint.value - 0.5 * (own_x + own_y), extras=extras)


def block(
    left: Sequence[Prepared], right: Sequence[Prepared], rows: IntArray, cols: IntArray, params: Parameters
) -> Batch:
    if isinstance(params.gamma, str):
        return Batch(np.array([pair(left[i], right[j], params).value for i, j in zip(rows, cols, strict=True)]))
    joint = soft.values([p.series for p in left], [p.series for p in right], rows, cols, params.gamma, params.band)
    own_left, own_right = (np.array([p.own for p in side], dtype=np.float64) for side in (left, right))
    return Batch(joint - 0.5 * (own_left[rows] + own_right[cols]))


def lower_bounds(
    left: Sequence[Prepared], right: Sequence[Prepared], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    if isinstance(params.gamma, str):
        return np.full(len(rows), -np.inf)
    joint = soft.lower_bounds([p.series for p in left], [p.series for p in right], rows, cols, params)
    own_left, own_right = (np.array([p.own for p in side], dtype=np.float64) for side in (left, right))
    return joint - 0.5 * (own_left[rows] + own_right[cols])


def grad(x: Prepared, y: Prepared, params: Parameters) -> tuple[float, FloatArray, FloatArray]:
    # The self term moves with both of its arguments, which are one series: twice one gradient, halved.
    value, grad_x, grad_y = soft.grad(x.series, y.series, params)
    own_x, pull_x, _ = soft.grad(x.series, x.series, params)
    own_y, pull_y, _ = soft.grad(y.series, y.series, params)
    return value - 0.5 * (own_x + own_y), grad_x - pull_x, grad_y - pull_y


def grad_block(
    left: Sequence[Prepared], right: Sequence[Prepared], rows: IntArray, cols: IntArray, params: Parameters
) -> GradBatch:
    series_x, series_y = [p.series for p in left], [p.series for p in right]
    found, grads_x, grads_y = soft.grad_block(series_x, series_y, rows, cols, params)
    (own_x, pull_x, _), (own_y, pull_y, _) = (
        soft.grad_block(side, side, np.arange(len(side)), np.arange(len(side)), params) for side in (series_x, series_y)
    )
    return (
        found - 0.5 * (own_x[rows] + own_y[cols]),
        [grad - pull_x[i] for grad, i in zip(grads_x, rows, strict=True)],
        [grad - pull_y[j] for grad, j in zip(grads_y, cols, strict=True)],
    )


def slow(x: Series, y: Series, params: Parameters) -> float:
    gamma = gamma_of(x, y, params.gamma)
    xy, xx, yy = (
        reference.value(reference.banded(reference.squared_euclidean(a.values, b.values), params.band), gamma)
        for a, b in ((x, y), (x, x), (y, y))
    )
    return xy - 0.5 * (xx + yy)


def traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        # Blondel et al. prove the sign for another cost; for the squared Euclidean one there are counterexamples.
        nonnegative=params.gamma == 0,
        unequal_length=True,
        multivariate=True,
        differentiable=params.gamma != 0 and params.gamma != "median",
    )


SPEC = MetricSpec(
    name="softdtw_divergence",
    params=Parameters,
    prepare=prepare,
    pair=pair,
    block=block,
    grad=grad,
    grad_block=grad_block,
    reference=slow,
    lower_bound=alone(lower_bounds),
    lower_bounds=lower_bounds,
    traits=traits,
    summary="Soft-DTW less half of its two self terms: zero at x = y, still smooth.",
    citation="Blondel, Mensch, Vert, Differentiable Divergences between Time Series, AISTATS 2021",
)


def softdtw_divergence(x: npt.ArrayLike, y: npt.ArrayLike, gamma: float | str = 1.0, band: int | None = None) -> float:
    r"""Soft-DTW divergence, :math:`dtw_\gamma(x, y) - (dtw_\gamma(x, x) + dtw_\gamma(y, y)) / 2`.

    Zero at ``x = y``, where it is also stationary: what to use where soft-DTW is wanted as a dissimilarity. With the
    squared Euclidean cost it is almost always positive, but it can fall slightly below zero.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        The lengths may differ.
    gamma : float or "median", default 1.0
        Smoothing of the minimum, in the unit of the squared values. "median" takes the median of the cost matrix of
        the two series for all three terms.
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
    Blondel, Mensch, Vert, *Differentiable Divergences between Time Series*, AISTATS 2021.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.distance("softdtw_divergence", [0.0, 1.0, 3.0], [0.0, 1.0, 3.0])
    0.0
    """
    return SPEC.bind(gamma=gamma, band=band)(x, y)
