"""The costs of TAOT: values and times in one mixture, in a unit of their own where they are far apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..spec.parameters import parameter
from ..transport import wide_entropic, wide_range
from ..transport.entropic_slopes import entropic_slopes
from ..transport.point_clouds import Cloud, cost_matrices
from ..transport.wide_range import dense, distances, lift_of, lifted
from . import value_costs as costs

# The stopping rule of the entropic solver: certified gap, Newton steps.
TOL, MAX_ITER = 1e-9, 200


@dataclass(frozen=True)
class Parameters:
    """Parameters of taot."""

    omega: float = parameter(1.0, low=0.0, high=1e300)
    epsilon: float = parameter(0.0, low=0.0, raises=True)
    scale: str | None = parameter(None, kind=str, choices=("median",), allow=(None,))
    p: float = parameter(2.0, low=1.0)
    standardize: bool = parameter(True)
    w: float | None = parameter(None, kind=float, low=0.0, high=1.0, allow=(None,))


def factors(params: Parameters) -> tuple[float, float]:
    """How often A and B count in the cost."""
    return (1.0, params.omega) if params.w is None else (params.w, 1.0 - params.w)


def mixed(of_values: float, A: FloatArray, of_times: float, B: FloatArray) -> FloatArray:
    """``of_values A + of_times B``; what does not count may leave the range of a double."""
    if of_times == 0.0:
        return of_values * A
    return of_times * B if of_values == 0.0 else of_values * A + of_times * B


def is_wide(x: Cloud, y: Cloud, params: Parameters) -> bool:
    """Whether the costs of two clouds need a unit of their own."""
    of_values, of_times = factors(params)
    extreme = any(factor > 0.0 and not 1e-50 < factor < 1e50 for factor in (of_values, of_times))
    return extreme or wide_range.is_wide(x, y, params.p, 0.0, of_values > 0.0, of_times > 0.0)


def which_are_wide(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> BoolArray:
    """:func:`is_wide` of the pairs ``(left[rows[k]], right[cols[k]])``."""
    of_values, of_times = factors(params)
    if any(factor > 0.0 and not 1e-50 < factor < 1e50 for factor in (of_values, of_times)):
        return np.ones(len(rows), dtype=np.bool_)
    return wide_range.which_are_wide(left, right, rows, cols, params.p, 0.0, of_values > 0.0, of_times > 0.0)


@dataclass(frozen=True)
class Wide:
    """What was found for two clouds whose costs need a unit."""

    value: float
    gap: float
    unit: float
    objective: float
    converged: bool
    steps: int
    plan: Callable[[], FloatArray]
    potentials: Callable[[], tuple[FloatArray, FloatArray]]
    median: float
    soft: wide_entropic.Saddle | None = None
    cells: wide_range.Cells | None = None

    def slopes(self, x: Cloud, y: Cloud) -> FloatArray:
        """Slopes of the value in the costs."""
        if self.soft is None or self.soft.costs is None or self.soft.epsilon is None:
            return self.plan()
        A, B = self.soft.costs
        return entropic_slopes(A + B, *self.soft.slope_potentials(), x, y, self.soft.epsilon)


def solve_wide(x: Cloud, y: Cloud, params: Parameters, tol: float = TOL) -> Wide:
    """The optimum in units of ``unit ** p``, ``unit`` being a distance."""
    # The larger factor belongs to the unit, so that no distance leaves the range of a double by it. Epsilon ties the
    # unit to the data, but for units of the median.
    largest = max(factors(params))
    lift = lift_of(x, y) if params.epsilon == 0 or params.scale == "median" else 0
    of_values, of_times = (factor / largest for factor in factors(params))
    problem = distances(x, y, params.p, of_values, of_times, lift)
    share, median = largest ** (1.0 / params.p), 1.0
    if params.scale == "median" and (middle := wide_range.median_root(problem)) > 0.0:
        problem = replace(problem, of_values=problem.of_values / middle, of_times=problem.of_times / middle)
        largest, share, median, lift = 1.0, 1.0, lifted(middle, share, lift), 0
    if params.epsilon > 0:
        soft = wide_entropic.entropic_sum(problem, params.epsilon / largest, tol, MAX_ITER)
        solution, unit = soft.solution, lifted(soft.unit, share, lift)
        numbers = solution.value, solution.gap, unit, solution.objective, solution.converged, solution.steps
        return Wide(*numbers, solution.plan, solution.potentials, median, soft)
    hard = wide_range.sum_of_costs(problem)
    numbers = hard.value, hard.gap, lifted(hard.unit, share, lift), hard.value, hard.converged, hard.solves
    return Wide(*numbers, lambda: dense(hard.cells, problem), lambda: hard.potentials, median, cells=hard.cells)


def mixture(x: Cloud, y: Cloud, params: Parameters) -> tuple[FloatArray, float, float]:
    """The cost matrix between two clouds, and the factors of A and of B in it."""
    A, B = cost_matrices(x, y, params.p)
    of_values, of_times = factors(params)
    C = mixed(of_values, A, of_times, B)
    # A median of zero offers no unit: the cost stays as it is.
    median = costs.median(C) if params.scale == "median" else 1.0
    if median > 0 and median != 1.0:
        return C / median, of_values / median, of_times / median
    return C, of_values, of_times
