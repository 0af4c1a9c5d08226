"""Entropic transport of clouds whose costs spread over more than the range of a double; see wide_range.py."""

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray
from ..kernels._entropic import Workspace
from .entropic import Coupled, product_plan, solve_entropic
from .reduced_entropic import reduce_costs, solve_reduced, solve_reduced_saddle
from .wide_range import FINEST, Distances, Optimum, dense, first_cut, solved_at, sum_of_costs, worst_mixture

# Below this, in units of the optimum, the rounding of potentials shows in the plan.
_SHARP = 1e-2
# In the same units: what no mass can afford, but for a share that no double holds.
_FORBIDDEN = 1e200


@dataclass(frozen=True, slots=True)
class Saddle:
    """A regularised optimum in units of ``unit ** p``, the w of its saddle point, and what was solved.

    ``costs`` and ``epsilon`` are None at a limit of epsilon, where the plan does not change with the costs. Costs may
    be less potentials of the exact optimum; then those that go with them are ``beside``.
    """

    solution: Coupled
    w: float
    unit: float
    costs: tuple[FloatArray, FloatArray] | None = None
    epsilon: float | None = None
    beside: tuple[FloatArray, FloatArray] | None = None

    def slope_potentials(self) -> tuple[FloatArray, FloatArray]:
        """The potentials that go with the costs."""
        return self.solution.potentials() if self.beside is None else self.beside


def entropic_unit(exact: Optimum, d: Distances, epsilon: float) -> float:
    """The unit in which the dearer of the exact optimum and epsilon costs 1, as long as no distance is beyond range."""
    optimum = exact.unit * exact.value ** (1.0 / d.p)
    return min(d.largest, max(optimum, epsilon ** (1.0 / d.p))) or 1.0


def in_units(epsilon: float, unit: float, p: float) -> float:
    """Epsilon in units of ``unit ** p``."""
    return float(np.exp(np.clip(np.log(epsilon) - p * np.log(unit), -700.0, 700.0)))


def entropic_saddle(d: Distances, epsilon: float, tol: float, max_iter: int) -> Saddle:
    """The largest over w of the least ``<w A + (1 - w) B, P> + epsilon KL(P | a b')``."""
    exact = worst_mixture(d)
    unit = entropic_unit(exact, d, epsilon)
    cut = first_cut(d) * 10.0
    A, B = d.costs(unit, cut)
    small = in_units(epsilon, unit, d.p)
    if small < FINEST:
        return Saddle(_limit(exact, d, in_units(epsilon, exact.unit, d.p)), exact.w, exact.unit)
    ab = d.a[:, None] * d.b
    if max(A.max(), B.max()) <= FINEST * small:
        w = float((A * ab).sum() >= (B * ab).sum())
        return Saddle(product_plan(A if w else B, d.a, d.b, small), w, unit)
    if small > _SHARP and max(A.max(), B.max()) < cut:
        work = Workspace()
        status, value, objective, gap, w, steps = work.saddle(A, B, d.a, d.b, small, tol, max_iter)
        solution = Coupled(status == 0, max(value, 0.0), objective, max(gap, 0.0), steps, work.plan, work.potentials)
        if solution.converged:
            return Saddle(_with_rounding(solution, d), w, unit, (A, B), small)
    A, B = d.costs(unit, _FORBIDDEN)
    exact = solved_at(d, A, B, cut)
    reduced = reduce_costs(exact.w * A + exact.v * B, exact.potentials, d.a, d.b, small, A + B)
    saddle = solve_reduced_saddle(A, B, exact.w, exact.v, reduced, tol, max_iter)
    return Saddle(_with_rounding(saddle.coupled, d), saddle.w, unit, saddle.costs, small, saddle.potentials)


def entropic_sum(d: Distances, epsilon: float, tol: float, max_iter: int) -> Saddle:
    """The least ``<A + B, P> + epsilon KL(P | a b')``."""
    unit = entropic_unit(worst_mixture(d), d, epsilon)
    cut = first_cut(d) * 10.0
    A, B = d.costs(unit, cut)
    small = in_units(epsilon, unit, d.p)
    if small < FINEST:
        exact = sum_of_costs(d)
        return Saddle(_limit(exact, d, in_units(epsilon, exact.unit, d.p)), 0.5, exact.unit)
    cost = A + B
    if small > _SHARP and max(A.max(), B.max()) < cut:
        solution = solve_entropic(cost, d.a, d.b, small, tol, max_iter)
        if float(cost.max()) <= FINEST * small:
            return Saddle(solution, 0.5, unit)
        if solution.converged:
            return Saddle(_with_rounding(solution, d), 0.5, unit, (A, B), small)
    A, B = d.costs(unit, _FORBIDDEN)
    cost = A + B
    reduced = reduce_costs(cost, solved_at(d, cost, cost, cut).potentials, d.a, d.b, small, cost)
    solution, beside = solve_reduced(cost, reduced, tol, max_iter)
    return Saddle(_with_rounding(solution, d), 0.5, unit, (reduced.left, np.zeros_like(cost)), small, beside)


def _with_rounding(solution: Coupled, d: Distances) -> Coupled:
    """With what rounding does to an objective in its gap: of potentials, and of a distance before it is raised to p."""
    f, g = solution.potentials()
    size = 8.0 * float(d.a @ abs(f) + d.b @ abs(g)) + (8.0 + 2.0 * d.p) * max(
        abs(solution.value), abs(solution.objective)
    )
    return replace(solution, gap=solution.gap + float(np.finfo(np.float64).eps) * size)


def _limit(exact: Optimum, d: Distances, epsilon: float) -> Coupled:
    most = epsilon * float(min(-np.log(d.a.min()), -np.log(d.b.min())))
    return Coupled(
        exact.converged,
        exact.value,
        exact.value,
        exact.gap + most,
        exact.solves,
        lambda: dense(exact.cells, d),
        lambda: exact.potentials,
    )
