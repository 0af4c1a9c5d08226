"""Slopes of entropic transport in its costs.

The value of an entropic metric is the cost of its plan without the entropy, and with the costs the plan moves too:
``<C, P> = O - epsilon dO/d epsilon`` of the regularised objective O, so that Danskin's theorem, applied twice, leaves
one linear system to solve.
"""

from typing import Protocol

import numpy as np

from ..arrays import FloatArray
from ..kernels._entropic import Workspace
from .entropic import Coupled, plan_moves, solve_entropic
from .point_clouds import Cloud

# What keeps the linear system definite where a plan falls apart into blocks that share no mass; for each of its rows.
_RIDGE = 1e-15
# No gap is asked to be closer than rounding allows.
_TIGHTEST = 1e-14
# Below this part of its square, what is left of a difference of costs is rounding.
_NOTHING_LEFT = 1e-14


class Weighted(Protocol):
    """Anything whose atoms have weights."""

    @property
    def weights(self) -> FloatArray:
        """The masses, of sum 1."""


def tight(tol: float) -> float:
    """The tolerance at which the potentials are as good as the value was: a gap is quadratic in their error."""
    return min(tol, max(tol * tol, _TIGHTEST))


def solved_with_slopes(
    cost: FloatArray,
    x: Weighted,
    y: Weighted,
    epsilon: float,
    tol: float,
    max_iter: int,
    work: Workspace | None = None,
    fixed: FloatArray | None = None,
) -> tuple[Coupled, bool, FloatArray]:
    """The entropic plan under a cost, whether it keeps its promise, and :func:`entropic_slopes` at any epsilon."""
    # Rounding may keep the potentials from the tight tolerance; they must at least keep the promise of the value.
    for closer in (tight(tol), tol):
        solved = solve_entropic(cost, x.weights, y.weights, epsilon, closer, max_iter, work)
        converged = solved.converged or solved.gap <= tol * max(1.0, abs(solved.objective))
        if converged:
            break
    # At a limit of epsilon the plan does not change with the costs.
    if not plan_moves(cost, epsilon):
        return solved, converged, solved.plan()
    return solved, converged, entropic_slopes(cost, *solved.potentials(), x, y, epsilon, fixed)


def entropic_slopes(
    cost: FloatArray,
    f: FloatArray,
    g: FloatArray,
    x: Weighted,
    y: Weighted,
    epsilon: float,
    fixed: FloatArray | None = None,
) -> FloatArray:
    """Slopes of ``<C, P>`` in C, P the entropic plan of the potentials f and g.

    With ``fixed``, a part of C that does not count in the value: those of ``<C - fixed, P>``.
    """
    plan, surplus = _plan_and_surplus(cost, f, g, x, y, epsilon)
    if fixed is not None:
        surplus += fixed / epsilon
    (left,) = _residuals(plan, [surplus])
    return plan * (1.0 + left)


def saddle_slopes(
    A: FloatArray, B: FloatArray, w: float, f: FloatArray, g: FloatArray, x: Cloud, y: Cloud, epsilon: float
) -> FloatArray:
    """Slopes of ``<w A + (1 - w) B, P>`` in A at the entropic saddle point of the potentials f and g, and w.

    At w = 0 and w = 1 it is held there, as it is next to the saddle point unless the slope in w is zero as well.
    """
    plan, surplus = _plan_and_surplus(w * A + (1.0 - w) * B, f, g, x, y, epsilon)
    if not 0.0 < w < 1.0:
        (left,) = _residuals(plan, [surplus])
        return np.asarray(w * plan * (1.0 + left))
    difference = A - B
    left, across = _residuals(plan, [surplus, difference])
    square = float(np.vdot(plan, across * across))
    if square <= _NOTHING_LEFT * float(np.vdot(plan, difference * difference)):
        w_slope = 0.0  # no plan near this one has another cost at another w
    else:
        w_slope = -float(np.vdot(plan, across * left)) / square  # of w in epsilon
    return np.asarray(plan * (w * (1.0 + left + w_slope * across) - epsilon * w_slope))


def _plan_and_surplus(
    cost: FloatArray, f: FloatArray, g: FloatArray, x: Weighted, y: Weighted, epsilon: float
) -> tuple[FloatArray, FloatArray]:
    """The plan, and the logarithm of its density against the product of the masses."""
    surplus = (f[:, None] + g - cost) / epsilon
    return x.weights[:, None] * y.weights * np.exp(surplus), surplus


def _residuals(plan: FloatArray, fields: list[FloatArray]) -> list[FloatArray]:
    """Each field of cells less the sum of a function of rows and one of columns that is next to it, under the plan.

    That is what the potentials do when costs or epsilon change: they keep the marginals.
    """
    from scipy.linalg import cho_factor, cho_solve  # longer to import than a distance may take

    if plan.shape[1] > plan.shape[0]:
        return [left.T for left in _residuals(plan.T, [field.T for field in fields])]
    rows, columns = np.sqrt(plan.sum(axis=1)), np.sqrt(plan.sum(axis=0))
    scaled = plan / rows[:, None] / columns
    # Without functions of rows; the last term stands for the constant, which rows and columns share.
    normal = (1.0 + _RIDGE * len(rows)) * np.eye(len(columns)) - scaled.T @ scaled
    normal += np.outer(columns, columns) / (columns @ columns)
    if not np.isfinite(normal).all():  # the potentials are out of range, and the caller says so
        return [np.full_like(field, np.nan) for field in fields]
    of_rows = np.stack([np.einsum("ij,ij->i", plan, field) for field in fields], axis=1) / rows[:, None]
    of_columns = np.stack([np.einsum("ij,ij->j", plan, field) for field in fields], axis=1) / columns[:, None]
    u = cho_solve(cho_factor(normal, lower=True, check_finite=False), of_columns - scaled.T @ of_rows)
    v = of_rows - scaled @ u
    return [field - (v[:, k] / rows)[:, None] - u[:, k] / columns for k, field in enumerate(fields)]
