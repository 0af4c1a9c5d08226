"""Entropic transport on one cost matrix, at any epsilon: below the last digits of the costs it is exact transport."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..kernels import _entropic, _transport

# Below this share of the largest cost, epsilon times any entropy is lost in the rounding of the costs.
VANISHING = 1e-14


@dataclass(frozen=True, slots=True)
class Coupled:
    """What a solver knows: ``<C, P>``, the regularised objective, a bound on its error, and P when it is asked for."""

    converged: bool
    value: float
    objective: float
    gap: float
    steps: int
    plan: Callable[[], FloatArray]
    potentials: Callable[[], tuple[FloatArray, FloatArray]]
    above: bool = False  # only the steps are told: the value is above the cutoff


def solve_entropic(
    cost: FloatArray,
    a: FloatArray,
    b: FloatArray,
    epsilon: float,
    tol: float,
    max_iter: int,
    work: _entropic.Workspace | None = None,
    cutoff: float = np.inf,
) -> Coupled:
    """``min_P <C, P> + epsilon KL(P | a b')`` over the couplings of a and b, for costs from zero up.

    Where ``<C, P>`` is certainly above the cutoff, it may say so and no more.
    """
    largest = float(cost.max())
    if epsilon < VANISHING * largest:
        return _exact(cost, a, b, epsilon)
    if largest <= VANISHING * epsilon:
        return product_plan(cost, a, b, epsilon)
    work = work or _entropic.Workspace()
    status, value, objective, gap, steps = work.sinkhorn(cost, a, b, epsilon, tol, max_iter, cutoff)
    value, gap = max(value, 0.0), max(gap, 0.0)
    return Coupled(status == 0, value, objective, gap, steps, work.plan, work.potentials, status == _entropic.ABOVE)


def plan_moves(cost: FloatArray, epsilon: float) -> bool:
    """Whether the plan changes with the costs: at both limits it stands still."""
    largest = float(cost.max())
    return VANISHING * largest <= epsilon and VANISHING * epsilon < largest


def _exact(cost: FloatArray, a: FloatArray, b: FloatArray, epsilon: float) -> Coupled:
    """The limit: it costs no more than the regularised plan, which costs at most epsilon times an entropy more."""
    work = _transport.Workspace()
    orders = (np.arange(len(mass), dtype=np.intc) for mass in (a, b))
    uniform = bool((a == a[0]).all() and (b == b[0]).all())
    status, value, below, _ = work.transport(cost, a, next(orders), b, next(orders), uniform)
    rows, columns, masses = work.coupling()

    def plan() -> FloatArray:
        dense = np.zeros(cost.shape)
        dense[rows, columns] = masses
        return dense

    value = max(value, 0.0)
    most = epsilon * float(min(-np.log(a.min()), -np.log(b.min())))
    potentials = work.potentials()
    return Coupled(status == 0, value, value, max(value - below, 0.0) + most, 1, plan, lambda: potentials)


def product_plan(cost: FloatArray, a: FloatArray, b: FloatArray, epsilon: float) -> Coupled:
    """The other limit, a b': by Hoeffding's lemma the optimum is below its cost by at most max(C)^2 / (8 epsilon)."""
    of_rows, of_columns = cost @ b, a @ cost
    value = float(a @ of_rows)
    gap = float(cost.max()) * (float(cost.max()) / epsilon / 8.0) + 4 * float(np.finfo(np.float64).eps) * value

    def plan() -> FloatArray:
        return np.asarray(a[:, None] * b, dtype=np.float64)

    return Coupled(True, value, value, gap, 1, plan, lambda: (of_rows, of_columns - value))
