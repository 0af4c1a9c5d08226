"""Entropic transport of clouds whose costs spread over more than the range of a double; see wide_range.py."""

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..kernels._entropic import Workspace
from .entropic import Coupled, product_plan, solve_entropic
from .wide_range import FINEST, Distances, Optimum, dense, first_cut, sum_of_costs, worst_mixture


@dataclass(frozen=True, slots=True)
class Saddle:
    """A regularised optimum in units of ``unit ** p``, the w of its saddle point, and what was solved.

    ``costs`` and ``epsilon`` are None at a limit of epsilon, where the plan does not change with the costs.
    """

    found: Coupled
    w: float
    unit: float
    costs: tuple[FloatArray, FloatArray] | None = None
    epsilon: float | None = None


def entropic_unit(d: Distances, epsilon: float) -> float:
    """The unit in which the dearer of the exact optimum and epsilon costs 1, as long as no distance is beyond range."""
    exact = worst_mixture(d)
    optimum = exact.unit * exact.value ** (1.0 / d.p)
    return min(d.largest, max(optimum, epsilon ** (1.0 / d.p))) or 1.0


def in_units(epsilon: float, unit: float, p: float) -> float:
    """Epsilon in units of ``unit ** p``."""
    return float(np.exp(np.clip(np.log(epsilon) - p * np.log(unit), -700.0, 700.0)))


def entropic_saddle(d: Distances, epsilon: float, tol: float, max_iter: int) -> Saddle:
    """The largest over w of the least ``<w A + (1 - w) B, P> + epsilon KL(P | a b')``."""
    unit = entropic_unit(d, epsilon)
    A, B = d.costs(unit, first_cut(d) * 10.0)
    small = in_units(epsilon, unit, d.p)
    if small < FINEST:
        exact = worst_mixture(d)
        return Saddle(_limit(exact, d, in_units(epsilon, exact.unit, d.p)), exact.w, exact.unit)
    ab = d.a[:, None] * d.b
    if max(A.max(), B.max()) <= FINEST * small:
        w = float((A * ab).sum() >= (B * ab).sum())
        return Saddle(product_plan(A if w else B, d.a, d.b, small), w, unit)
    work = Workspace()
    status, value, objective, gap, w, steps = work.saddle(A, B, d.a, d.b, small, tol, max_iter)
    found = Coupled(status == 0, max(value, 0.0), objective, max(gap, 0.0), steps, work.plan, work.potentials)
    return Saddle(found, w, unit, (A, B), small)


def entropic_sum(d: Distances, epsilon: float, tol: float, max_iter: int) -> Saddle:
    """The least ``<A + B, P> + epsilon KL(P | a b')``."""
    unit = entropic_unit(d, epsilon)
    A, B = d.costs(unit, first_cut(d) * 10.0)
    small = in_units(epsilon, unit, d.p)
    if small < FINEST:
        exact = sum_of_costs(d)
        return Saddle(_limit(exact, d, in_units(epsilon, exact.unit, d.p)), 0.5, exact.unit)
    found = solve_entropic(A + B, d.a, d.b, small, tol, max_iter)
    if float((A + B).max()) <= FINEST * small:
        return Saddle(found, 0.5, unit)
    return Saddle(found, 0.5, unit, (A, B), small)


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
