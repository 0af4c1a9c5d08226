"""TiOT: transport between series in which the worst case settles how values count against times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import BoolArray, FloatArray, IntArray
from ..kernels._transport import Workspace
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch, PairGradient, Result, grad_batch_of, rooted, rooted_all, unrooted
from ..spec.traits import Traits
from ..transport.cloud_gradients import Cells, value_gradients
from ..transport.line_bounds import transport_bounds
from ..transport.point_clouds import (
    Cloud,
    dense_plan,
    prepare_cloud,
    spread_pairs,
    spread_plan,
    spread_potentials,
    stack_clouds,
)
from ..transport.wide_range import (
    dense,
    distances,
    in_data_units,
    is_wide,
    powered,
    which_are_wide,
    worst_mixture,
)


@dataclass(frozen=True)
class Parameters:
    """Parameters of tiot."""

    p: float = parameter(2.0, low=1.0)
    standardize: bool = parameter(True)
    root: bool = parameter(True)


def _solve_all(
    work: Workspace,
    left: Sequence[Cloud],
    right: Sequence[Cloud],
    rows: IntArray,
    cols: IntArray,
    p: float,
    cutoff: FloatArray,
) -> tuple[BoolArray, FloatArray, FloatArray, FloatArray, IntArray]:
    """(converged, values, certified gaps, w, solves) without the root, of pairs that are not wide."""
    stacks = packed(left, stack_clouds), packed(right, stack_clouds)
    status, upper, lower, w, solves = work.tiots(*stacks, rows, cols, p, cutoff)
    return status == 0, np.maximum(upper, 0.0), np.maximum(upper - lower, 0.0), w, solves


def _solve(work: Workspace, x: Cloud, y: Cloud, p: float) -> tuple[bool, float, float, float, int]:
    """The same of one pair."""
    first = np.zeros(1, dtype=np.intp)
    converged, value, gap, w, solves = _solve_all(work, [x], [y], first, first, p, np.array([np.inf]))
    return bool(converged[0]), float(value[0]), float(gap[0]), float(w[0]), int(solves[0])


def _wide_pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    """Where the powers leave the range of a double."""
    problem, p = distances(x, y, params.p), params.p
    optimum = worst_mixture(problem)
    value, gap = in_data_units(optimum.value, optimum.gap, optimum.unit, p, params.root)
    f, g = (powered(side, optimum.unit, p) for side in optimum.potentials)
    return Result(
        value,
        converged=optimum.converged,
        n_iter=optimum.solves,
        gap=gap,
        extras={
            "plan": lambda: spread_plan(dense(optimum.cells, problem), x, y),
            "path": lambda: spread_pairs(optimum.cells, x, y),
            "masses": lambda: optimum.cells[2],
            "w": lambda: optimum.w,
            "objective": lambda: powered(optimum.value, optimum.unit, p),
            "potentials": lambda: spread_potentials(f, g, x, y, lambda A, B: optimum.w * A + (1.0 - optimum.w) * B, p),
        },
    )


def _pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    if is_wide(x, y, params.p):
        return _wide_pair(x, y, params)
    work = Workspace()
    converged, objective, gap, w, solves = _solve(work, x, y, params.p)
    value, gap = rooted(objective, gap, params.p if params.root else 1.0)
    coupling, (f, g) = work.coupling(), work.potentials()
    return Result(
        value,
        converged=converged,
        n_iter=solves,
        gap=gap,
        extras={
            "plan": lambda: spread_plan(dense_plan(coupling, x, y), x, y),
            "path": lambda: spread_pairs(coupling, x, y),
            "masses": lambda: coupling[2],
            "w": lambda: w,
            "objective": lambda: objective,
            "potentials": lambda: spread_potentials(f, g, x, y, lambda A, B: w * A + (1.0 - w) * B, params.p),
        },
    )


def _block(
    left: Sequence[Cloud],
    right: Sequence[Cloud],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    power = params.p if params.root else 1.0
    above = unrooted(cutoff, power, len(rows))
    values, gaps = np.zeros(len(rows)), np.zeros(len(rows))
    converged, abandoned = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.bool_)
    counts = np.zeros(len(rows), dtype=np.intp)
    wide = which_are_wide(left, right, rows, cols, params.p)
    plain = np.flatnonzero(~wide)
    solved = _solve_all(Workspace(), left, right, rows[plain], cols[plain], params.p, above[plain])
    converged[plain], values[plain], gaps[plain], _, counts[plain] = solved
    abandoned[plain] = ~converged[plain] & (values[plain] - gaps[plain] > above[plain])
    values, gaps = rooted_all(values, gaps, power)
    for k in np.flatnonzero(wide).tolist():
        optimum = worst_mixture(distances(left[rows[k]], right[cols[k]], params.p))
        converged[k], counts[k] = optimum.converged, optimum.solves
        values[k], gaps[k] = in_data_units(optimum.value, optimum.gap, optimum.unit, params.p, params.root)
    return Batch(values, converged=converged, gap=gaps, n_iter=counts, abandoned=abandoned)


def _gradients(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    work = Workspace()
    return grad_batch_of([_gradient(work, left[i], right[j], params) for i, j in zip(rows, cols, strict=True)], side)


def _wide_gradient(x: Cloud, y: Cloud, params: Parameters) -> PairGradient:
    optimum = worst_mixture(distances(x, y, params.p))
    value, gap = in_data_units(optimum.value, optimum.gap, optimum.unit, params.p, params.root)
    i, j, masses = optimum.cells
    slopes = Cells(i, j, optimum.w * masses)
    grad_x, grad_y = value_gradients(x, y, params.p, slopes, value if params.root else None)
    return PairGradient(value, grad_x, grad_y, optimum.converged, gap)


def _gradient(work: Workspace, x: Cloud, y: Cloud, params: Parameters) -> PairGradient:
    if is_wide(x, y, params.p):
        return _wide_gradient(x, y, params)
    converged, objective, gap, w, _ = _solve(work, x, y, params.p)
    value, gap = rooted(objective, gap, params.p if params.root else 1.0)
    i, j, masses = work.coupling()
    grad_x, grad_y = value_gradients(x, y, params.p, Cells(i, j, w * masses), value if params.root else None)
    return PairGradient(value, grad_x, grad_y, converged, gap)


def which_exceed(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, p: float, above: FloatArray
) -> BoolArray:
    """Whether TiOT of pairs that are not wide, without the root, is above a number: often known before the value."""
    _, values, gaps, _, _ = _solve_all(Workspace(), left, right, rows, cols, p, above)
    return np.asarray(values - gaps > above)


def _lower_bounds(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    return transport_bounds(left, right, rows, cols, params.p) ** (1.0 / params.p if params.root else 1.0)


def _prepare(series: Series, params: Parameters) -> Cloud:
    return prepare_cloud(series, params.standardize)


def _traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        # A z-score forgets the unit: then x and 10 x + 5 are at distance 0.
        separates=not params.standardize,
        nonnegative=True,
        triangle=params.root or params.p == 1.0,
        # A z-score has no unit, and jumps where a feature becomes constant.
        continuous=not params.standardize,
        unit_free=params.standardize,
        value_invariant=True,
        degree=None if params.standardize else (1.0 if params.root else params.p),
        unequal_length=True,
        releases_gil=True,
        multivariate=True,
        differentiable=True,
        uses_times=True,
        time_invariant=True,
        uses_weights=True,
    )


SPEC = MetricSpec(
    name="tiot",
    pair=_pair,
    block=_block,
    params=Parameters,
    traits=_traits,
    prepare=_prepare,
    reference="stotmetrics.reference.tiot:tiot",
    lower_bounds=_lower_bounds,
    gradients=_gradients,
    summary="Exact optimal transport of values and times, at the balance between them that costs most.",
    citation="Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025.",
)


def tiot(x: ArrayLike, y: ArrayLike, p: float = 2.0, standardize: bool = True, root: bool = True) -> float:
    """Time-integrated optimal transport between two series.

    ``(max over w in [0, 1] of min over couplings P of <w A + (1 - w) B, P>) ** (1 / p)`` with
    ``A[i, j] = |x_i - y_j| ** p`` between the values and ``B[i, j] = |t_i - s_j| ** p`` between the times. It needs no
    balance to be tuned and is a metric. The weights of each series are divided by their sum.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Two series, of any lengths, with the same number of features.
    p : float, default 2.0
        Exponent of the ground costs, at least 1. At any of them the value keeps its digits.
    standardize : bool, default True
        Z-score the values of each series (per feature, population standard deviation) and its times; a constant
        feature becomes 0. Every time counts the same there, whatever its weight.
    root : bool, default True
        Take the p-th root, which makes it a metric.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    Notes
    -----
    The plan and the gradient are those of the saddle point: the cost of its plan is the same at every w, unless the
    maximum is at w = 0 or w = 1. Where several plans are optimal the value has a kink, and :func:`value_and_grad` gives
    the slope of one of them; between equal series it gives zero.

    References
    ----------
    Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025. Definition in Section 2,
    metric axioms in Theorem 2.3.

    Examples
    --------
    >>> import stotmetrics
    >>> round(stotmetrics.tiot([0.0, 0.0, 1.0], [0.0, 1.0, 0.0], standardize=False), 6)
    0.57735
    """
    return bind(SPEC, p=p, standardize=standardize, root=root)(x, y)
