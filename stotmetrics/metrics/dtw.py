"""Hard DTW: dynamic time warping, the limit of soft-DTW at gamma = 0."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..kernels import _softdtw
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec
from ..spec.parameters import parameter
from ..spec.result import Batch, Result
from ..spec.traits import Traits
from . import value_costs as costs
from .dtw_bounds import LANES, effort_of, hard_bounds, radius_of
from .softdtw import values


@dataclass(frozen=True)
class Parameters:
    """Parameters of DTW."""

    squared: bool = parameter(True)
    band: int | None = parameter(None, kind=int, low=0, allow=(None,))


# A sum of squares outside loses digits, all of them at worst: there series are scaled before they are aligned.
_LOW, _HIGH = 1e-280, 1e300


def rooted(total: float, x: Series, y: Series, radius: int) -> float:
    """The root of the least sum of squares, however large or small the values are."""
    if _LOW < total < _HIGH:
        return math.sqrt(total)
    unit = costs.unit_of(x.values, y.values)
    if unit == 1.0:
        return math.sqrt(total)
    return unit * math.sqrt(_softdtw.pair_value(x.values / unit, y.values / unit, 0.0, radius))


def pair(x: Series, y: Series, params: Parameters) -> Result:
    radius = radius_of(params.band)

    def alignment() -> FloatArray:
        return _softdtw.value_and_alignment(costs.scale_free_costs(x.values, y.values), 0.0, radius)[1]

    total = _softdtw.pair_value(x.values, y.values, 0.0, radius)
    return Result(
        total if params.squared else rooted(total, x, y, radius),
        extras={
            "alignment": alignment,
            "path": lambda: costs.cheapest_path(costs.scale_free_costs(x.values, y.values), radius),
            "cost": lambda: costs.squared_euclidean(x.values, y.values),
            "objective": lambda: float(total),
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
    totals = values(left, right, rows, cols, 0.0, params.band)
    if params.squared:
        return Batch(totals)
    radius = radius_of(params.band)
    roots = np.sqrt(totals)
    for k in np.flatnonzero(~((totals > _LOW) & (totals < _HIGH))):
        roots[k] = rooted(float(totals[k]), left[rows[k]], right[cols[k]], radius)
    return Batch(roots)


def lower_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    totals = hard_bounds(left, right, rows, cols, params.band)
    return totals if params.squared else np.sqrt(np.maximum(totals, 0.0))


def effort(n: float, m: float, params: Parameters) -> float:
    return effort_of(n, m, True, params.band)


def traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        continuous=True,
        value_invariant=True,
        degree=2.0 if params.squared else 1.0,
        unequal_length=True,
        multivariate=True,
        releases_gil=True,
    )


SPEC = MetricSpec(
    name="dtw",
    params=Parameters,
    pair=pair,
    block=block,
    reference="stotmetrics.reference.dtw:dtw",
    lower_bounds=lower_bounds,
    lanes=LANES,
    effort=effort,
    traits=traits,
    summary="Least cost over all alignments of two series; no triangle inequality.",
    citation="Sakoe, Chiba, Dynamic Programming Algorithm Optimization for Spoken Word Recognition, IEEE TASSP 1978",
)


def dtw(x: npt.ArrayLike, y: npt.ArrayLike, squared: bool = True, band: int | None = None) -> float:
    """Dynamic time warping with the squared Euclidean cost.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d)
        The lengths may differ.
    squared : bool, default True
        The sum of squared differences along the best path, as in aeon and sktime; False takes its square root, as in
        tslearn and dtaidistance.
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
    Sakoe, Chiba, *Dynamic Programming Algorithm Optimization for Spoken Word Recognition*, IEEE TASSP 1978.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.distance([0.0, 1.0, 5.0], [0.0, 2.0, 2.0, 5.0], metric="dtw")
    2.0
    """
    return bind(SPEC, squared=squared, band=band)(x, y)
