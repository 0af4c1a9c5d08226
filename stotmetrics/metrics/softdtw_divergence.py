"""The soft-DTW divergence: soft-DTW less its self terms."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..kernels import _softdtw
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch, Result
from ..spec.traits import Traits
from . import softdtw as soft
from .dtw_bounds import LANES, radius_of
from .softdtw import Parameters, gamma_of


def own_term(x: Series, gamma: float, band: int | None) -> float:
    return _softdtw.pair_value(x.values, x.values, gamma, radius_of(band))


def own_terms(series: Sequence[Series], gamma: float, band: int | None) -> FloatArray:
    """The self terms of a set, side by side."""
    each = np.arange(len(series), dtype=np.intp)
    return soft.values(series, series, each, each, gamma, band)


def pair(x: Series, y: Series, params: Parameters) -> Result:
    joint = soft.pair(x, y, params)
    gamma = gamma_of(x, y, params.gamma)
    own_x, own_y = (own_term(series, gamma, params.band) for series in (x, y))
    # Alignment, path and cost are those of the joint term.
    extras = {
        "alignment": lambda: joint.alignment,
        "path": lambda: joint.path,
        "cost": lambda: joint.cost,
        "objective": lambda: joint.value,
    }
    return Result(joint.value - 0.5 * (own_x + own_y), extras=extras)


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    if isinstance(params.gamma, str):
        return Batch(np.array([pair(left[i], right[j], params).value for i, j in zip(rows, cols, strict=True)]))
    joint = soft.values(left, right, rows, cols, params.gamma, params.band)
    own_left, own_right = (packed(side, own_terms, params.gamma, params.band) for side in (left, right))
    return Batch(joint - 0.5 * (own_left[rows] + own_right[cols]))


def lower_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    if isinstance(params.gamma, str):
        return np.full(len(rows), -np.inf)
    joint = soft.lower_bounds(left, right, rows, cols, params)
    own_left, own_right = (packed(side, own_terms, params.gamma, params.band) for side in (left, right))
    return joint - 0.5 * (own_left[rows] + own_right[cols])


def gradients(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    # The self term moves with both of its arguments, which are one series: twice one gradient, halved.
    joint = soft.gradients(left, right, rows, cols, params, side)
    values, slopes = joint.values.copy(), {"left": joint.left, "right": joint.right}
    for name, sets, wanted in (("left", left, rows), ("right", right, cols)):
        used, at = np.unique(wanted, return_inverse=True)
        own = soft.gradients(sets, sets, used, used, params, "left")
        assert own.left is not None
        values -= 0.5 * own.values[at]
        if side in (name, "both"):
            slopes[name] = [slope - own.left[k] for slope, k in zip(slopes[name] or (), at, strict=True)]
    return GradBatch(values, slopes["left"], slopes["right"])


def traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        # Blondel et al. prove the sign for another cost; for the squared Euclidean one there are counterexamples.
        nonnegative=params.gamma == 0,
        unequal_length=True,
        releases_gil=True,
        continuous=True,
        value_invariant=True,
        degree=2.0 if params.gamma in (0.0, "median") else None,
        multivariate=True,
        differentiable=params.gamma != 0 and params.gamma != "median",
    )


SPEC = MetricSpec(
    name="softdtw_divergence",
    params=Parameters,
    pair=pair,
    block=block,
    gradients=gradients,
    reference="stotmetrics.reference.softdtw_divergence:softdtw_divergence",
    lower_bounds=lower_bounds,
    lanes=LANES,
    effort=soft.effort,
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
    >>> stotmetrics.distance([0.0, 1.0, 3.0], [0.0, 1.0, 3.0], metric="softdtw_divergence")
    0.0
    """
    return bind(SPEC, gamma=gamma, band=band)(x, y)
