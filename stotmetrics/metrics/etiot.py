"""eTiOT: TiOT with entropic regularisation, solved to a certified gap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import BoolArray, FloatArray, IntArray
from ..kernels._entropic import ABOVE, Workspace
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch, PairGradient, Result, grad_batch_of, rooted, rooted_all, unrooted
from ..spec.traits import Traits
from ..transport.cloud_gradients import value_gradients
from ..transport.entropic_slopes import saddle_slopes, tight
from ..transport.line_bounds import transport_bounds
from ..transport.matrix_free import LongProblem, Solution
from ..transport.point_clouds import Cloud, cost_matrices, prepare_cloud, spread_plan, spread_potentials, stack_clouds
from ..transport.wide_entropic import entropic_saddle
from ..transport.wide_range import distances, in_data_units, is_wide, powered, which_are_wide
from . import tiot


@dataclass(frozen=True)
class Parameters:
    """Parameters of etiot."""

    epsilon: float = parameter(0.01, low=0.0, low_open=True, raises=True)
    p: float = parameter(2.0, low=1.0)
    standardize: bool = parameter(True)
    root: bool = parameter(True)
    tol: float = parameter(1e-9, low=0.0)
    max_iter: int = parameter(200, low=1)


# From this many cells on, no matrix is stored but for the entries of the plan that matter, if they are few.
LONG = 1_500_000

# What rounding may hide from the certified gap, in units of epsilon.
ROUNDING = 4e-13

# Exact TiOT is asked first whether a pair can be near enough, where the distance to beat is above this times epsilon.
SHARP = 1.4


def _is_long(x: Cloud, y: Cloud) -> bool:
    return x.size * y.size > LONG


def _which_are_long(left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray) -> BoolArray:
    n, m = packed(left, stack_clouds).sizes[rows], packed(right, stack_clouds).sizes[cols]
    return np.asarray(n * m > LONG)


def _solve(work: Workspace, x: Cloud, y: Cloud, params: Parameters) -> tuple[int, float, float, float, float, int]:
    """(status, value, objective, gap, w, steps) without the root."""
    if _is_long(x, y):
        solution = _solve_long(x, y, params)
        return (
            solution.status,
            max(solution.value, 0.0),
            solution.objective,
            max(solution.gap, 0.0),
            solution.w,
            solution.steps,
        )
    series = x.values, x.times, x.weights, y.values, y.times, y.weights
    status, value, objective, gap, w, steps = work.etiot(*series, params.p, params.epsilon, params.tol, params.max_iter)
    return status, max(value, 0.0), objective, max(gap, 0.0), w, steps


def _solve_long(x: Cloud, y: Cloud, params: Parameters) -> Solution:
    return LongProblem(x, y, params.p, params.epsilon).solve(params.tol, params.max_iter)


def _long_pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    problem = LongProblem(x, y, params.p, params.epsilon)
    solution = problem.solve(params.tol, params.max_iter)
    value, gap = rooted(max(solution.value, 0.0), max(solution.gap, 0.0), params.p if params.root else 1.0)
    return Result(
        value,
        converged=solution.status == 0,
        n_iter=solution.steps,
        gap=gap,
        extras={
            "plan": lambda: spread_plan(problem.dense_plan(solution), x, y),
            "w": lambda: solution.w,
            "objective": lambda: solution.objective,
            "potentials": lambda: spread_potentials(
                solution.f,
                solution.g,
                x,
                y,
                lambda A, B: solution.w * A + (1.0 - solution.w) * B,
                params.p,
                params.epsilon,
            ),
        },
    )


def _wide_pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    """Where the powers leave the range of a double."""
    p, saddle = params.p, entropic_saddle(distances(x, y, params.p), params.epsilon, params.tol, params.max_iter)
    solved, w, unit = saddle.solution, saddle.w, saddle.unit
    value, gap = in_data_units(solved.value, solved.gap, unit, p, params.root)
    f, g = (powered(side, unit, p) for side in solved.potentials())
    return Result(
        value,
        converged=solved.converged,
        n_iter=solved.steps,
        gap=gap,
        extras={
            "plan": lambda: spread_plan(solved.plan(), x, y),
            "w": lambda: w,
            "objective": lambda: powered(solved.objective, unit, p),
            "potentials": lambda: spread_potentials(f, g, x, y, lambda A, B: w * A + (1.0 - w) * B, p, params.epsilon),
        },
    )


def _pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    if is_wide(x, y, params.p, params.epsilon):
        return _wide_pair(x, y, params)
    if _is_long(x, y):
        return _long_pair(x, y, params)
    work = Workspace()
    status, value, objective, gap, w, steps = _solve(work, x, y, params)
    value, gap = rooted(value, gap, params.p if params.root else 1.0)
    f, g = work.potentials()
    return Result(
        value,
        converged=status == 0,
        n_iter=steps,
        gap=gap,
        extras={
            "plan": lambda: spread_plan(work.plan(), x, y),
            "w": lambda: w,
            "objective": lambda: objective,
            "potentials": lambda: spread_potentials(
                f, g, x, y, lambda A, B: w * A + (1.0 - w) * B, params.p, params.epsilon
            ),
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
    steps = np.zeros(len(rows), dtype=np.intp)
    wide = which_are_wide(left, right, rows, cols, params.p, params.epsilon)
    long = ~wide & _which_are_long(left, right, rows, cols)
    for k in np.flatnonzero(long).tolist():
        status, values[k], _, gaps[k], _, steps[k] = _solve(Workspace(), left[rows[k]], right[cols[k]], params)
        converged[k] = status == 0
    rest = np.flatnonzero(~wide & ~long)
    abandoned[rest] = _which_are_above(left, right, rows[rest], cols[rest], params, above[rest])
    rest = rest[~abandoned[rest]]
    stacks, limits = (packed(left, stack_clouds), packed(right, stack_clouds)), (params.tol, params.max_iter)
    cuts = above[rest] + _slack(above[rest], params)
    statuses, value, gap, steps[rest] = Workspace().etiots(
        *stacks, rows[rest], cols[rest], params.p, params.epsilon, *limits, cuts
    )
    converged[rest], abandoned[rest] = statuses == 0, statuses == ABOVE
    values[rest], gaps[rest] = np.maximum(value, 0.0), np.maximum(gap, 0.0)
    # Nobody looks at what is known of a pair that was given up.
    values[abandoned] = gaps[abandoned] = 0.0
    values, gaps = rooted_all(values, gaps, power)
    for k in np.flatnonzero(wide).tolist():
        pair = _wide_pair(left[rows[k]], right[cols[k]], params)
        values[k], gaps[k], converged[k], steps[k] = pair.value, pair.gap, pair.converged, pair.n_iter
    return Batch(values, converged=converged, gap=gaps, n_iter=steps, abandoned=abandoned)


def _gradients(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    work = Workspace()
    return grad_batch_of([_gradient(work, left[i], right[j], params) for i, j in zip(rows, cols, strict=True)], side)


def _wide_gradient(x: Cloud, y: Cloud, params: Parameters) -> PairGradient:
    apart = distances(x, y, params.p)
    for tol in (tight(params.tol), params.tol):
        saddle = entropic_saddle(apart, params.epsilon, tol, params.max_iter)
        solved = saddle.solution
        converged = solved.converged or solved.gap <= params.tol * max(1.0, abs(solved.objective))
        if converged:
            break
    value, gap = in_data_units(solved.value, solved.gap, saddle.unit, params.p, params.root)
    if saddle.costs is None or saddle.epsilon is None:
        slopes = saddle.w * solved.plan()
    else:
        slopes = saddle_slopes(*saddle.costs, saddle.w, *saddle.slope_potentials(), x, y, saddle.epsilon)
    grad_x, grad_y = value_gradients(x, y, params.p, slopes, value if params.root else None)
    return PairGradient(value, grad_x, grad_y, converged, gap)


def _gradient(work: Workspace, x: Cloud, y: Cloud, params: Parameters) -> PairGradient:
    if is_wide(x, y, params.p, params.epsilon):
        return _wide_gradient(x, y, params)
    # Rounding may keep the potentials from the tight tolerance; they must at least keep the promise of the value.
    for tol in (tight(params.tol), params.tol):
        closer = replace(params, tol=tol)
        if _is_long(x, y):
            long = _solve_long(x, y, closer)
            status, power, objective, gap, w = long.status, long.value, long.objective, long.gap, long.w
            f, g = long.f, long.g
        else:
            status, power, objective, gap, w, _ = _solve(work, x, y, closer)
            f, g = work.potentials()
        converged = status == 0 or gap <= _slack(abs(objective), params)
        if converged:
            break
    value, gap = rooted(max(power, 0.0), max(gap, 0.0), params.p if params.root else 1.0)
    A, B = cost_matrices(x, y, params.p)
    slopes = saddle_slopes(A, B, w, f, g, x, y, params.epsilon)
    grad_x, grad_y = value_gradients(x, y, params.p, slopes, value if params.root else None)
    return PairGradient(value, grad_x, grad_y, converged, gap)


def _which_are_above(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters, above: FloatArray
) -> BoolArray:
    """Whether exact TiOT, a lower bound, shows the values without the root to be above a cutoff."""
    # The value exceeds TiOT by about epsilon / 2 a dimension: where that is most of the cutoff, TiOT tells little.
    asked = np.flatnonzero((above > SHARP * params.epsilon) & (above < np.inf))
    exceed = np.zeros(len(rows), dtype=np.bool_)
    cuts = above[asked] + _slack(above[asked], params)
    exceed[asked] = tiot.which_exceed(left, right, rows[asked], cols[asked], params.p, cuts)
    return exceed


def _lower_bounds(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    # At the saddle point no w costs the plan more than w*: the value is max_w <C_w, P>, so at least TiOT without root.
    bounds = transport_bounds(left, right, rows, cols, params.p)
    return np.maximum(bounds - _slack(bounds, params), 0.0) ** (1.0 / params.p if params.root else 1.0)


def _slack(value: Any, params: Parameters) -> Any:
    """How far below max_w <C_w, P> a certified gap lets a value be."""
    return params.tol * np.maximum(1.0, value) + ROUNDING * params.epsilon


def _prepare(series: Series, params: Parameters) -> Cloud:
    return prepare_cloud(series, params.standardize)


def claims(standardize: bool) -> Traits:
    """The traits of every solver of this problem."""
    return Traits(
        symmetric=True,
        nonnegative=True,
        # A z-score has no unit, and jumps where a feature becomes constant.
        continuous=not standardize,
        unit_free=standardize,
        value_invariant=True,
        unequal_length=True,
        multivariate=True,
        differentiable=True,
        uses_times=True,
        time_invariant=True,
        uses_weights=True,
        releases_gil=True,
    )


def _traits(params: Parameters) -> Traits:
    return claims(params.standardize)


SPEC = MetricSpec(
    name="etiot",
    pair=_pair,
    block=_block,
    params=Parameters,
    traits=_traits,
    prepare=_prepare,
    reference="stotmetrics.reference.etiot:etiot",
    lower_bounds=_lower_bounds,
    gradients=_gradients,
    summary="TiOT with entropic regularisation: smooth in the series, solved to a certified gap at any epsilon.",
    citation="Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025.",
)


def etiot(
    x: ArrayLike,
    y: ArrayLike,
    epsilon: float = 0.01,
    p: float = 2.0,
    standardize: bool = True,
    root: bool = True,
    tol: float = 1e-9,
    max_iter: int = 200,
) -> float:
    """Entropic time-integrated optimal transport between two series.

    ``<w A + (1 - w) B, P> ** (1 / p)`` at the saddle point of
    ``max over w in [0, 1] of min over couplings P of <w A + (1 - w) B, P> + epsilon KL(P | a b')``, with ``A`` and
    ``B`` as in :func:`tiot`. The weights of each series are divided by their sum. The distance of a series to itself
    is not zero.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Two series, of any lengths, with the same number of features.
    epsilon : float, default 0.01
        Entropic regularisation, in units of the costs. The value tends to that of TiOT as it shrinks.
    p : float, default 2.0
        Exponent of the ground costs, at least 1.
    standardize : bool, default True
        Z-score the values of each series (per feature, population standard deviation) and its times.
    root : bool, default True
        Take the p-th root; the authors print the value without it.
    tol : float, default 1e-9
        Stop when the certified gap of the regularised objective, dual against primal, is below this (times the
        objective where that exceeds 1). It allows 4e-13 times epsilon more, for rounding. With ``root`` the gap of the
        result says how far that moves the root of the value: much farther next to zero.
    max_iter : int, default 200
        Most Newton steps.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` is reached before ``tol``.

    Notes
    -----
    :func:`value_and_grad` gives the slopes of this value, not of the regularised objective: the plan moves with the
    series. It stores a few matrices of the size of the costs.

    References
    ----------
    Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025. Section 3; convergence to
    TiOT in Theorem 2.9.

    Examples
    --------
    >>> import stotmetrics
    >>> round(stotmetrics.etiot([0.0, 0.0, 1.0], [0.0, 1.0, 0.0], epsilon=0.001, standardize=False), 6)
    0.57735
    """
    bound = bind(SPEC, epsilon=epsilon, p=p, standardize=standardize, root=root, tol=tol, max_iter=max_iter)
    return bound(x, y)
