"""Gradients of TAOT in the values of both series: slopes of the value in the costs, times those of the costs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels import _entropic as entropic
from ..kernels import _transport as transport
from ..spec.metric import Side
from ..spec.result import GradBatch, PairGradient, grad_batch_of, rooted
from ..transport import wide_range
from ..transport.cloud_gradients import Cells, median_slopes, value_gradients
from ..transport.entropic_slopes import solved_with_slopes, tight
from ..transport.point_clouds import Cloud
from ..transport.wide_range import distances, in_data_units
from . import value_costs as costs
from .taot_mixture import MAX_ITER, TOL, Parameters, factors, is_wide, mixture, solve_wide


def gradients(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    return gradients_of_root(left, right, rows, cols, params, side, 1.0)


def gradients_of_root(
    left: Sequence[Cloud],
    right: Sequence[Cloud],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    side: Side,
    power: float,
) -> GradBatch:
    """Values and gradients of the root of TAOT: without one at ``power`` 1, else the p-th."""
    exact, soft = transport.Workspace(), entropic.Workspace()
    work = exact if params.epsilon == 0 else soft
    return grad_batch_of(
        [_gradient(work, left[i], right[j], params, power) for i, j in zip(rows, cols, strict=True)], side
    )


def _gradient(
    work: transport.Workspace | entropic.Workspace, x: Cloud, y: Cloud, params: Parameters, power: float
) -> PairGradient:
    # At a limit of epsilon the plan does not change with the costs, and no linear system is solved.
    at_limit = params.scale is None and wide_range.is_wide(x, y, params.p, params.epsilon)
    if at_limit or is_wide(x, y, params):
        return _wide_gradient(x, y, params, power)
    C, of_values, _ = mixture(x, y, params)
    slopes: Cells | FloatArray
    if isinstance(work, transport.Workspace):
        status, total, below, _ = work.transport(C, x.weights, x.order, y.weights, y.order, x.uniform and y.uniform)
        converged, gap, slopes = status == 0, total - below, Cells(*work.coupling())
    else:
        solved, converged, slopes = solved_with_slopes(C, x, y, params.epsilon, TOL, MAX_ITER, work)
        total, gap = solved.value, solved.gap
    if params.scale == "median" and costs.median(C) > 0:
        slopes = _with_median(slopes, C)
    value, gap = rooted(max(total, 0.0), max(gap, 0.0), power)
    grad_x, grad_y = value_gradients(x, y, params.p, _times(slopes, of_values), value if power != 1.0 else None)
    return PairGradient(value, grad_x, grad_y, converged, gap)


def _wide_gradient(x: Cloud, y: Cloud, params: Parameters, power: float) -> PairGradient:
    for tol in (tight(TOL), TOL):
        solution = solve_wide(x, y, params, tol)
        converged = solution.converged or solution.gap <= TOL * max(1.0, abs(solution.objective))
        if converged:
            break
    value, gap = in_data_units(solution.value, solution.gap, solution.unit, params.p, root=power != 1.0)
    of_values, p = factors(params)[0], params.p
    slopes = solution.slopes(x, y)
    if params.scale == "median":
        most = max(factors(params))
        problem = distances(x, y, p, of_values / most, factors(params)[1] / most)
        if wide_range.median_root(problem) > 0.0:
            return PairGradient(value, *_in_medians(x, y, params, slopes, problem, solution.median), converged, gap)
    grad_x, grad_y = value_gradients(x, y, p, of_values * slopes, value if power != 1.0 else None)
    return PairGradient(value, grad_x, grad_y, converged, gap)


def _in_medians(
    x: Cloud, y: Cloud, params: Parameters, slopes: FloatArray, problem: wide_range.Distances, median: float
) -> tuple[FloatArray, FloatArray]:
    """Gradients of a value in units of the median of the costs, from its slopes in costs in these units.

    The unit is the p-th power of ``median``, a distance.
    """
    of_values, p = factors(params)[0], params.p
    if of_values == 0.0:
        return np.zeros_like(x.all_values), np.zeros_like(y.all_values)
    roots = wide_range.cost_roots(problem)
    with np.errstate(over="ignore"):  # where no mass goes
        cost = (roots / wide_range.median_root(problem)) ** p
    moved = float(np.vdot(slopes, np.where(slopes == 0.0, 0.0, cost)))
    middle = median_slopes(roots)  # at the same cells as the median of the costs
    slopes = slopes.copy()
    np.add.at(slopes, (middle.rows, middle.columns), -moved * middle.slopes)
    # As distances in the unit of the median, which stay in range at any p.
    unit = median / of_values ** (1.0 / p)
    grad_x, grad_y = value_gradients(x, y, p, slopes, unit)
    return p / unit * grad_x, p / unit * grad_y


def _times(slopes: Cells | FloatArray, factor: float) -> Cells | FloatArray:
    if isinstance(slopes, Cells):
        return replace(slopes, slopes=factor * slopes.slopes)
    return factor * slopes


def _with_median(slopes: Cells | FloatArray, C: FloatArray) -> Cells | FloatArray:
    """Slopes in the costs before they were divided by their median, in units of it; C is what came out."""
    middle = median_slopes(C)
    if isinstance(slopes, Cells):
        moved = -float(slopes.slopes @ C[slopes.rows, slopes.columns])
        return Cells(
            np.concatenate([slopes.rows, middle.rows]),
            np.concatenate([slopes.columns, middle.columns]),
            np.concatenate([slopes.slopes, moved * middle.slopes]),
        )
    moved = -float(np.vdot(slopes, C))
    np.add.at(slopes, (middle.rows, middle.columns), moved * middle.slopes)
    return slopes
