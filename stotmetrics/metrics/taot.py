"""TAOT: transport between series on one fixed mixture of value and time costs."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..kernels import _clouds as clouds
from ..kernels import _entropic as entropic
from ..kernels import _transport as transport
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec
from ..spec.prepared import packed
from ..spec.result import Batch, Result
from ..spec.traits import Traits
from ..transport.entropic import VANISHING, solve_entropic
from ..transport.line_bounds import line_costs
from ..transport.point_clouds import (
    Cloud,
    dense_plan,
    powers,
    prepare_cloud,
    spread_cost,
    spread_pairs,
    spread_plan,
    spread_potentials,
    stack_clouds,
)
from ..transport.wide_range import in_data_units, powered
from . import value_costs as costs
from .taot_gradients import gradients
from .taot_mixture import MAX_ITER, TOL, Parameters, factors, is_wide, mixed, mixture, solve_wide, which_are_wide

# Exact transport is asked first whether a pair can be near enough, where the distance to beat is above this times
# epsilon: the value exceeds it by about epsilon / 2 a dimension, and where that is most of it, it tells little.
SHARP = 0.7

# Exponents of costs that pairs side by side take without a logarithm; NumPy is quicker at others.
_QUICK = (1.0, 2.0)

Mixture = Callable[[FloatArray, FloatArray], FloatArray]


def _wide_pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    solution, p = solve_wide(x, y, params), params.p
    of_values, of_times = (powered(factor, 1.0 / solution.median, p) for factor in factors(params))
    f, g = (powered(potential, solution.unit, p) for potential in solution.potentials())
    value, gap = in_data_units(solution.value, solution.gap, solution.unit, p, root=False)

    def mix(A: FloatArray, B: FloatArray) -> FloatArray:
        return mixed(of_values, A, of_times, B)

    cells = solution.cells
    of_exact = {"path": lambda: spread_pairs(cells, x, y), "masses": lambda: cells[2]} if cells is not None else {}
    return Result(
        value,
        converged=solution.converged,
        n_iter=solution.steps,
        gap=gap,
        extras={
            "plan": lambda: spread_plan(solution.plan(), x, y),
            **of_exact,
            "objective": lambda: powered(solution.objective, solution.unit, p),
            "potentials": lambda: spread_potentials(f, g, x, y, mix, p, params.epsilon),
            "cost": lambda: spread_cost(x, y, mix, p),
        },
    )


def _pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    if is_wide(x, y, params):
        return _wide_pair(x, y, params)
    C, of_values, of_times = mixture(x, y, params)

    def mix(A: FloatArray, B: FloatArray) -> FloatArray:
        return mixed(of_values, A, of_times, B)

    solve = _exact if params.epsilon == 0 else _entropic
    return solve(x, y, C, mix, params)


def _exact(x: Cloud, y: Cloud, C: FloatArray, mix: Mixture, params: Parameters) -> Result:
    work = transport.Workspace()
    status, value, below, _ = work.transport(C, x.weights, x.order, y.weights, y.order, x.uniform and y.uniform)
    coupling, (f, g) = work.coupling(), work.potentials()
    return Result(
        value,
        converged=status == 0,
        n_iter=1,
        gap=max(0.0, value - below),
        extras={
            "plan": lambda: spread_plan(dense_plan(coupling, x, y), x, y),
            "path": lambda: spread_pairs(coupling, x, y),
            "masses": lambda: coupling[2],
            "objective": lambda: value,
            "potentials": lambda: spread_potentials(f, g, x, y, mix, params.p),
            "cost": lambda: spread_cost(x, y, mix, params.p),
        },
    )


def _entropic(x: Cloud, y: Cloud, C: FloatArray, mix: Mixture, params: Parameters) -> Result:
    solution = solve_entropic(C, x.weights, y.weights, params.epsilon, TOL, MAX_ITER)
    f, g = solution.potentials()
    return Result(
        solution.value,
        converged=solution.converged,
        n_iter=solution.steps,
        gap=solution.gap,
        extras={
            "plan": lambda: spread_plan(solution.plan(), x, y),
            "objective": lambda: solution.objective,
            "potentials": lambda: spread_potentials(f, g, x, y, mix, params.p, params.epsilon),
            "cost": lambda: spread_cost(x, y, mix, params.p),
        },
    )


Solved = tuple[npt.NDArray[np.intc], FloatArray, FloatArray, IntArray]


def _exactly(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> Solved:
    """(statuses, values, gaps, solves) of exact transport."""
    solves = np.ones(len(rows), dtype=np.intp)
    if params.scale is None and params.p in _QUICK:
        stacks = packed(left, stack_clouds), packed(right, stack_clouds)
        statuses, values, bounds = clouds.transports(*stacks, rows, cols, params.p, *factors(params))
        return statuses, values, values - bounds, solves
    work, each = transport.Workspace(), []
    for i, j in zip(rows.tolist(), cols.tolist(), strict=True):
        x, y = left[i], right[j]
        C, _, _ = mixture(x, y, params)
        status, value, below, _ = work.transport(C, x.weights, x.order, y.weights, y.order, x.uniform and y.uniform)
        each.append((status, value, value - below))
    failed, costs_of_plans, gaps = np.array(each, dtype=np.float64).reshape(-1, 3).T
    return failed.astype(np.intc), costs_of_plans, gaps, solves


def _softly(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters, cut: FloatArray
) -> Solved:
    """(statuses, values, gaps, steps) of entropic transport; the status ``ABOVE`` where the value is above its cut."""
    work, limits = entropic.Workspace(), (TOL, MAX_ITER)
    statuses, values, gaps = np.full(len(rows), -1, dtype=np.intc), np.zeros(len(rows)), np.zeros(len(rows))
    steps = np.zeros(len(rows), dtype=np.intp)
    if params.scale is None:
        stacks = packed(left, stack_clouds), packed(right, stack_clouds)
        statuses, values, gaps, steps = work.mixtures(
            *stacks, rows, cols, params.p, *factors(params), params.epsilon, *limits, VANISHING, cut
        )
    for k in np.flatnonzero(statuses < 0).tolist():
        x, y = left[rows[k]], right[cols[k]]
        C, _, _ = mixture(x, y, params)
        plan = solve_entropic(C, x.weights, y.weights, params.epsilon, *limits, work, float(cut[k]))
        statuses[k] = entropic.ABOVE if plan.above else not plan.converged
        values[k], gaps[k], steps[k] = plan.value, plan.gap, plan.steps
    return statuses, values, gaps, steps


def block(
    left: Sequence[Cloud],
    right: Sequence[Cloud],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    cutoff = np.full(len(rows), np.inf) if cutoff is None else cutoff
    values, gaps = np.zeros(len(rows)), np.zeros(len(rows))
    converged, abandoned = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.bool_)
    counts = np.zeros(len(rows), dtype=np.intp)
    apart = which_are_wide(left, right, rows, cols, params)
    for k in np.flatnonzero(apart).tolist():
        wide = _wide_pair(left[rows[k]], right[cols[k]], params)
        values[k], gaps[k], converged[k], counts[k] = wide.value, wide.gap, wide.converged, wide.n_iter
    rest, solve = ~apart, _exactly
    if params.epsilon > 0:
        asked = np.flatnonzero(rest & (SHARP * params.epsilon < cutoff) & (cutoff < np.inf))
        status, value, gap, _ = _exactly(left, right, rows[asked], cols[asked], params)
        # Entropic or not, the plan is a coupling.
        abandoned[asked] = (status == 0) & ((value - gap) * (1.0 - 1e-12) - TOL > cutoff[asked])
        rest &= ~abandoned
        solve = partial(_softly, cut=(cutoff * (1.0 + 1e-9) + TOL)[rest])
    status, values[rest], gaps[rest], counts[rest] = solve(left, right, rows[rest], cols[rest], params)
    converged[rest], abandoned[rest] = status == 0, status == entropic.ABOVE
    # Nobody looks at what is known of a pair that was given up.
    values[abandoned] = gaps[abandoned] = 0.0
    return Batch(
        np.maximum(values, 0.0), converged=converged, gap=np.maximum(gaps, 0.0), n_iter=counts, abandoned=abandoned
    )


def lower_bounds(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    # Entropic or not, the plan is a coupling.
    of_values, of_times = factors(params)
    A, B = line_costs(left, right, rows, cols, params.p)
    bounds = of_values * A + of_times * B
    if params.scale == "median":
        with np.errstate(invalid="ignore"):  # both may be beyond range
            bounds /= _medians(left, right, rows, cols, params)
    # Beyond the range of a double nothing is known.
    bounds = np.where(bounds < np.inf, bounds, 0.0)
    return np.maximum(bounds * (1.0 - 1e-12) - (TOL if params.epsilon > 0 else 0.0), 0.0)


def _medians(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    """The unit of each pair's costs: their median, and 1 where that is zero."""
    of_values, of_times = factors(params)
    medians, times, B = np.ones(len(rows)), (np.empty(0), np.empty(0)), np.empty((0, 0))
    for k, (i, j) in enumerate(zip(rows.tolist(), cols.tolist(), strict=True)):
        x, y = left[i], right[j]
        # Series sampled alike share their times.
        if not (np.array_equal(x.times, times[0]) and np.array_equal(y.times, times[1])):
            times, B = (x.times, y.times), powers(x.times[:, None], y.times[:, None], params.p)
        medians[k] = costs.median(mixed(of_values, powers(x.values, y.values, params.p), of_times, B)) or 1.0
    return medians


def _prepare(series: Series, params: Parameters) -> Cloud:
    return prepare_cloud(series, params.standardize)


def _sees_both(params: Parameters) -> bool:
    """Whether values and times both count, in a unit that does not depend on the pair."""
    if params.scale is not None:
        return False
    return params.omega > 0 if params.w is None else 0 < params.w < 1


def _traits(params: Parameters) -> Traits:
    exact = params.epsilon == 0
    return Traits(
        symmetric=True,
        zero_self=exact,
        separates=exact and not params.standardize and _sees_both(params),
        nonnegative=True,
        # A z-score has no unit, and jumps where a feature becomes constant; so does a median where it becomes zero.
        continuous=not params.standardize and params.scale is None,
        unit_free=params.standardize,
        value_invariant=True,
        degree=params.p if exact and not params.standardize and params.scale is None else None,
        triangle=exact and params.scale is None and params.p == 1.0,
        unequal_length=True,
        releases_gil=True,
        multivariate=True,
        differentiable=True,
        uses_times=True,
        time_invariant=True,
        uses_weights=True,
    )


SPEC = MetricSpec(
    name="taot",
    pair=_pair,
    block=block,
    params=Parameters,
    traits=_traits,
    prepare=_prepare,
    reference="stotmetrics.reference.taot:taot",
    lower_bounds=lower_bounds,
    gradients=gradients,
    summary="Optimal transport of values and times on one fixed mixture of their costs, exact or entropic.",
    citation="Zhang, Tang, Corpetti. Time Adaptive Optimal Transport. IEEE Access, 2020.",
)


def taot(
    x: ArrayLike,
    y: ArrayLike,
    omega: float = 1.0,
    epsilon: float = 0.0,
    scale: str | None = None,
    p: float = 2.0,
    standardize: bool = True,
    w: float | None = None,
) -> float:
    """Time adaptive optimal transport between two series.

    ``<C, P>`` for the optimal coupling P under the cost ``C = A + omega B``, with ``A[i, j] = |x_i - y_j| ** p``
    between the values and ``B[i, j] = |t_i - s_j| ** p`` between the times. The weights of each series are divided by
    their sum.

    Parameters
    ----------
    x, y : array_like or Series
        Two series, of any lengths, with the same number of features.
    omega : float, default 1.0
        Weight of the times in the cost ``A + omega B``.
    epsilon : float, default 0.0
        Entropic regularisation, in units of the (scaled) cost; 0 solves the transport problem exactly. Above 0, P is
        the entropic plan for ``exp(-C / epsilon)``.
    scale : None or "median", default None
        "median" divides the cost by its median, as the authors do; the unit then differs from pair to pair, so there is
        no triangle inequality.
    p : float, default 2.0
        Exponent of the ground costs, at least 1.
    standardize : bool, default True
        Z-score the values of each series (per feature, population standard deviation) and its times.
    w : None or float in [0, 1], default None
        If given, the cost is ``w A + (1 - w) B``, the other published convention, and ``omega`` is not used.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    Notes
    -----
    :func:`value_and_grad` gives the slopes of this value, which at ``epsilon > 0`` is without the entropy. At
    ``epsilon = 0`` it has a kink where plans tie, and the gradient is one of several.

    References
    ----------
    Zhang, Tang, Corpetti. Time Adaptive Optimal Transport. IEEE Access, 2020.

    Examples
    --------
    >>> import stotmetrics
    >>> round(stotmetrics.taot([0.0, 0.0, 1.0], [0.0, 1.0, 0.0], omega=0.3, standardize=False), 6)
    0.2
    """
    bound = bind(SPEC, omega=omega, epsilon=epsilon, scale=scale, p=p, standardize=standardize, w=w)
    return bound(x, y)
