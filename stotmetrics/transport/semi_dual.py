"""The dual of entropic transport in (g, w) alone, and Newton's method for its maximum.

The best f for a g is a soft minimum: with it every row of the plan has its mass, and the dual
``<b, g> - epsilon sum_i a_i log sum_j b_j exp((g_j - C_ij) / epsilon)`` is finite whatever g is. Its second derivative
is ``-(diag(c) - P' diag(1 / a) P) / epsilon`` with c the sums of the columns. Steps are damped (Levenberg, Marquardt),
the more the farther the columns are from their masses: a bare step may be a million times too long where parts of a
nearly sparse plan hardly touch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..arrays import FloatArray

# A step that gains less than this share of what its slope promises is taken back, and the damping rises by a factor. Of
# what a quadratic promises half is gained: where it is less the damping rises too, where it is more it falls.
LEAST, HARDER = 1e-3, 10.0
POOR, HARD, GOOD, EASIER = 0.25, 3.0, 0.7, 0.2
# A step is made longer while so much of the slope at its start is left, up to so many times.
STEEP, LONGEST = 0.2, 64.0
# Damping at columns that are all wrong, and the most there may be.
FIRST, LIGHTEST, MOST = 0.1, 1e-4, 1e8
# Below this times epsilon a gain drowns in the rounding of the dual, and no step can gain more than below that.
DROWNED, NOTHING = 1e-7, 1e-22


@dataclass(frozen=True, slots=True)
class Point:
    """Where a dual has been evaluated: the plan's column sums and what a step in w needs."""

    g: FloatArray
    w: float
    dual: float
    columns: FloatArray
    products: FloatArray
    slope: float
    curvature: float
    rows: FloatArray
    """What tells the rows of the plan: their exponents, or their entries."""

    def along(self, b: FloatArray, g_step: FloatArray, w_step: float) -> float:
        """The slope of the dual along a step."""
        return float((b - self.columns) @ g_step) + self.slope * w_step

    def violation(self, b: FloatArray) -> float:
        """How far the column sums are from their masses: the root of chi-square."""
        return float(np.sqrt(((b - self.columns) ** 2 / np.maximum(b, self.columns)).sum()))


class Dual(Protocol):
    """A dual to be maximised, of all cells or of some."""

    b: FloatArray
    epsilon: float

    def evaluate(self, g: FloatArray, w: float) -> Point:
        """The dual with all that a step needs."""

    def solve(self, point: Point, diagonal: FloatArray, right: FloatArray, rtol: float) -> FloatArray:
        """Solve ``(diag(diagonal) - P' diag(1 / a) P) z = right`` for each row of ``right``, more or less."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How far an ascent goes: to a gain, so many steps or one, no farther than ``reach``; both in units of epsilon."""

    goal: float
    steps: int
    reach: float = np.inf
    rtol: float = 3e-2
    once: bool = False


def ascend(dual: Dual, point: Point, effort: Effort) -> tuple[Point, int]:
    """Newton steps from a point: (the last point, how many)."""
    start, damping, last = point, FIRST, np.inf
    for step in range(effort.steps):
        to, gain = newton(dual, point, damping * min(point.violation(dual.b), 1.0), effort)
        gained = to.dual - point.dual
        drowned = 0.0 <= gain < DROWNED * dual.epsilon and gained >= -1e-12 * (1.0 + abs(point.dual))
        if not ((gain >= 0.0 and gained >= LEAST * gain) or drowned):
            damping *= HARDER
            if damping > MOST:
                return point, step + 1
            continue
        to = lengthen(dual, point, to, gain, effort.reach)
        if drowned:
            damping = max(damping * EASIER, LIGHTEST)
        else:
            damping *= HARD if gained < POOR * gain else EASIER if gained > GOOD * gain else 1.0
        point = to
        if gain < effort.goal * dual.epsilon or (drowned and gain >= 0.5 * last):
            return point, step + 1
        last = gain if drowned else np.inf
        if effort.once or np.ptp(point.g - start.g) > effort.reach * dual.epsilon:
            return point, step + 1
    return point, effort.steps


def newton(dual: Dual, point: Point, damping: float, effort: Effort) -> tuple[Point, float]:
    """A damped step with w kept in [0, 1], and what its slope promises."""
    epsilon, q = dual.epsilon, point.products
    diagonal = point.columns + damping * np.maximum(point.columns, dual.b)
    z = dual.solve(point, diagonal, np.stack([dual.b - point.columns, q]), effort.rtol)
    top = point.slope - float(q @ z[0])
    bottom = (1.0 + damping) * point.curvature - float(q @ z[1])
    w_step = epsilon * top / max(bottom, 1e-14 * point.curvature + 1e-300)
    w_step = min(max(w_step, -point.w), 1.0 - point.w)
    g_step = epsilon * z[0] - w_step * z[1]
    gain = point.along(dual.b, g_step, w_step)
    # Farther out a plan of some cells is not to be trusted.
    longest = float(np.ptp(g_step)) / epsilon
    share = min(1.0, effort.reach / longest) if longest > 0.0 else 1.0
    return dual.evaluate(point.g + share * g_step, min(max(point.w + share * w_step, 0.0), 1.0)), share * gain


def lengthen(dual: Dual, point: Point, to: Point, gain: float, reach: float) -> Point:
    """Go on along a step, twice as far each time, while the dual still rises steeply.

    Where a potential is far too high the dual falls like an exponential, and all of Newton's steps are of one epsilon.
    """
    g_step, w_step = to.g - point.g, to.w - point.w
    size = 1.0
    while to.along(dual.b, g_step, w_step) > STEEP * gain:
        size *= 2.0
        w = point.w + size * w_step
        if size * np.ptp(g_step) > reach * dual.epsilon or not 0.0 <= w <= 1.0 or size > LONGEST:
            break
        further = dual.evaluate(point.g + size * g_step, w)
        if further.along(dual.b, g_step, w_step) < 0.0:
            break
        to = further
    return to


def sweep(dual: Dual, point: Point) -> Point:
    """Give the columns their masses: never a loss."""
    return dual.evaluate(point.g + dual.epsilon * np.log(dual.b / point.columns), point.w)


def conjugate_gradients(
    apply: Callable[[FloatArray], FloatArray], diagonal: FloatArray, right: FloatArray, rtol: float, most: int
) -> FloatArray:
    """Solve for each row of ``right``, whatever has been reached after so many products; scaled by the diagonal."""
    z, residual, along = np.zeros_like(right), right.copy(), right / diagonal
    weight = (residual * along).sum(axis=1)
    target = rtol**2 * weight
    for _ in range(most):
        active = weight > target
        if not active.any():
            break
        applied = apply(np.ascontiguousarray(along))
        curvature = (along * applied).sum(axis=1)
        active &= curvature > 0.0
        length = np.where(active, weight / np.where(active, curvature, 1.0), 0.0)[:, None]
        z += length * along
        residual -= length * applied
        turned = residual / diagonal
        fresh = (residual * turned).sum(axis=1)
        turn = np.where(active, fresh / np.where(active, weight, 1.0), 0.0)[:, None]
        along = np.where(active[:, None], turned + turn * along, 0.0)
        weight = np.where(active, fresh, 0.0)
    return z
