"""TLp: transport between signals, in which mass moves in time and in value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.result import Batch, GradBatch, Result, rooted, rooted_all
from ..spec.traits import Traits
from ..transport.point_clouds import Cloud, prepare_cloud
from ..transport.wide_range import in_data_units
from . import taot, taot_mixture
from .taot_gradients import gradients_of_root


@dataclass(frozen=True)
class Parameters:
    """Parameters of tlp."""

    p: float = parameter(2.0, low=1.0)
    lam: float = parameter(1.0, low=1e-100, high=1e100)
    standardize: bool = parameter(False)


def _taot(params: Parameters) -> taot_mixture.Parameters:
    """Its p-th power is TAOT at this exchange rate."""
    return taot_mixture.Parameters(omega=1.0 / params.lam, p=params.p, standardize=params.standardize)


def prepare(series: Series, params: Parameters) -> Cloud:
    return prepare_cloud(series, params.standardize)


def _wide(x: Cloud, y: Cloud, params: Parameters) -> tuple[float, float]:
    solution = taot_mixture.solve_wide(x, y, _taot(params))
    return in_data_units(solution.value, solution.gap, solution.unit, params.p, root=True)


def pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    power = taot.SPEC.pair(x, y, _taot(params))
    assert isinstance(power, Result)
    if taot_mixture.is_wide(x, y, _taot(params)):
        value, gap = _wide(x, y, params)
    else:
        value, gap = rooted(max(0.0, power.value), power.gap or 0.0, params.p)
    return Result(
        value,
        converged=power.converged,
        n_iter=power.n_iter,
        gap=gap,
        extras={name: partial(getattr, power, name) for name in power.available},
    )


def block(
    left: Sequence[Cloud],
    right: Sequence[Cloud],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    powers = taot.block(left, right, rows, cols, _taot(params))
    assert powers.gap is not None
    values, gaps = rooted_all(powers.values, powers.gap, params.p)
    for k in np.flatnonzero(taot_mixture.which_are_wide(left, right, rows, cols, _taot(params))):
        values[k], gaps[k] = _wide(left[rows[k]], right[cols[k]], params)
    return replace(powers, values=values, gap=gaps)


def gradients(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    return gradients_of_root(left, right, rows, cols, _taot(params), side, params.p)


def lower_bounds(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    return taot.lower_bounds(left, right, rows, cols, _taot(params)) ** (1.0 / params.p)


def traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        separates=not params.standardize,
        nonnegative=True,
        triangle=True,
        # A z-score has no unit, and jumps where a feature becomes constant.
        continuous=not params.standardize,
        unit_free=params.standardize,
        value_invariant=True,
        degree=None if params.standardize else 1.0,
        unequal_length=True,
        multivariate=True,
        differentiable=True,
        uses_times=True,
        time_invariant=True,
        uses_weights=True,
        releases_gil=True,
    )


SPEC = MetricSpec(
    name="tlp",
    pair=pair,
    params=Parameters,
    traits=traits,
    prepare=prepare,
    block=block,
    lower_bounds=lower_bounds,
    gradients=gradients,
    reference="stotmetrics.reference.tlp:tlp",
    summary="Transport between signals that moves mass in time and in value, at a fixed exchange rate; a metric.",
    citation="Thorpe, Park, Kolouri, Rohde, Slepčev. A Transportation Lp Distance for Signal Analysis. JMIV 2017.",
)


def tlp(x: ArrayLike, y: ArrayLike, p: float = 2.0, lam: float = 1.0, standardize: bool = False) -> float:
    r"""Transportation Lp distance between two series.

    :math:`(\min_P \sum_{ij} (|x_i - y_j|^p + |t_i - s_j|^p / \lambda) P_{ij})^{1/p}` over the couplings P of the
    weights, which are divided by their sum. It is a metric: it compares signals as Lp does, and may move mass in time.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Two series, of any lengths, with the same number of features.
    p : float, default 2.0
        Exponent of the ground cost, and of the root; at least 1.
    lam : float, default 1.0
        The times count 1 / lam against the values: small, and mass stays where it is; large, and time is free.
    standardize : bool, default False
        Z-score the values of each series (per feature, population standard deviation) and its times.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Thorpe, Park, Kolouri, Rohde, Slepčev. *A Transportation Lp Distance for Signal Analysis*, Journal of Mathematical
    Imaging and Vision, 2017.

    Examples
    --------
    >>> from stotmetrics.metrics.tlp import tlp
    >>> tlp([0.0, 2.0], [0.0, 2.0])
    0.0
    >>> round(tlp([0.0, 0.0, 3.0], [0.0, 3.0, 0.0], p=1.0), 6)
    0.666667
    """
    return bind(SPEC, p=p, lam=lam, standardize=standardize)(x, y)
