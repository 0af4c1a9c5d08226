"""Entropic transport at an epsilon far below the costs, solved in what exact potentials leave of them.

A potential of size c is right to 1e-16 c, and so a plan to 1e-16 c / epsilon: its marginals, and what it costs to mend
them, would be worse than any tolerance. Costs less the exact potentials are zero or so wherever mass moves, and what is
left to find is of the size of epsilon.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray
from ..kernels import _transport
from ..kernels._entropic import Workspace
from .entropic import Coupled

_EPS = float(np.finfo(np.float64).eps)
# A plan is nothing where costs exceed potentials by so many epsilon. Where it is not, less is cut off.
_CUTS = (1e3, 1e5, np.inf)
# The gap of the solver inside, in epsilon, and its most steps: the last word has the certificate outside.
_INNER, _STEPS = (1e-10, 1e-6), 60
# Where the rest of a plan has nowhere else to go, it may as well cost this or far more.
_DEAREST = 1e12
# Values of w that are tried at most.
_TRIALS = 60


@dataclass(frozen=True, slots=True)
class Reduced:
    """Costs between masses less the potentials (f, g) of an exact optimum, in an epsilon.

    ``left`` is what is left of them, ``size`` how large the numbers were that it is the difference of, and ``price``
    what it costs at whatever w.
    """

    left: FloatArray
    f: FloatArray
    g: FloatArray
    a: FloatArray
    b: FloatArray
    epsilon: float
    size: float
    price: FloatArray


@dataclass(frozen=True, slots=True)
class Polished:
    """A coupling at one cost, its potentials in addition to the exact ones, and a bound on its regularised error."""

    plan: FloatArray
    potentials: tuple[FloatArray, FloatArray]
    dual: float
    gap: float
    steps: int


def reduce_costs(
    cost: FloatArray,
    potentials: tuple[FloatArray, FloatArray],
    a: FloatArray,
    b: FloatArray,
    epsilon: float,
    price: FloatArray,
) -> Reduced:
    """The costs less potentials of an exact optimum."""
    f, g = potentials
    left = cost - f[:, None] - g
    # Only where mass may move does rounding matter.
    near = left <= _CUTS[0] * epsilon
    size = float(np.where(near, abs(cost) + abs(f)[:, None] + abs(g), 0.0).max())
    return Reduced(left, f, g, a, b, epsilon, size, price)


def solve_reduced(
    cost: FloatArray, reduced: Reduced, tol: float, max_iter: int
) -> tuple[Coupled, tuple[FloatArray, FloatArray]]:
    """``min_P <C, P> + epsilon KL(P | a b')`` for the costs that were reduced, and the potentials of what is left."""
    best = _polish(reduced, tol, max_iter)
    objective = _exact_part(reduced) + best.dual
    value = float(np.vdot(cost, best.plan))
    return _coupled(reduced, best, value, objective, best.gap, tol), best.potentials


# A w, less the exact one, with the slope and the height of the objective there.
_End = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ReducedSaddle:
    """The saddle point, its w and 1 - w, the costs ``A`` and ``B`` and the potentials without the exact ones."""

    coupled: Coupled
    w: float
    costs: tuple[FloatArray, FloatArray]
    potentials: tuple[FloatArray, FloatArray]


def solve_reduced_saddle(
    A: FloatArray, B: FloatArray, w: float, v: float, reduced: Reduced, tol: float, max_iter: int
) -> ReducedSaddle:
    """``max_w min_P <w A + (1 - w) B, P> + epsilon KL(P | a b')``, reduced at the exact w, v being 1 - w.

    The objective is concave in w, and its slope is ``<A - B, P>``, of which the root is bracketed first. What w gains
    is counted from the exact one, where the digits of w itself would not tell.
    """
    across = A - B
    low, high = -w, v
    move = max(reduced.epsilon / max(float(abs(across[reduced.left <= reduced.epsilon]).max(initial=0.0)), 1.0), 1e-300)
    at, factor = 0.0, 8.0
    below: _End | None = None
    above: _End | None = None
    best, steps = None, 0
    for trial in range(_TRIALS):
        here = _polish(replace(reduced, left=reduced.left + at * across), tol, max_iter)
        of_a, of_b = float(np.vdot(A, here.plan)), float(np.vdot(B, here.plan))
        slope = of_a - of_b
        # What a worse w would cost this plan.
        missed = max(slope * (v - at), -slope * (w + at), 0.0)
        steps += here.steps
        if best is None or here.gap + missed < best[0]:
            best = here.gap + missed, at, here, max(of_a - missed if slope > 0 else of_b - missed, 0.0)
        if missed <= 0.25 * tol or (slope > 0 and at == high) or (slope < 0 and at == low):
            break
        if slope > 0:
            below = at, slope, here.dual
        else:
            above = at, slope, here.dual
        if below and above:
            at = _between(below, above, trial, w, v)
        else:
            at = min(at + move, high) if slope > 0 else max(at - move, low)
            move, factor = move * factor, min(factor * 2.0, 1e6)
        if (below and at == below[0]) or (above and at == above[0]):
            break
    assert best is not None
    gap, at, polished, value = best
    objective = _exact_part(reduced) + polished.dual
    coupled = _coupled(reduced, replace(polished, steps=steps), value, objective, gap, tol)
    left = reduced.left + at * across
    return ReducedSaddle(coupled, w + at, (left + (v - at) * across, left - (w + at) * across), polished.potentials)


def _between(below: _End, above: _End, trial: int, w: float, v: float) -> float:
    """The next place between two where the slopes have other signs: in turn where the tangents meet, which is the place
    if it is a kink, where the slopes suggest the root, which is near it if there is none, and the middle."""
    (x, rise, low), (y, fall, high) = below, above
    if trial % 3 == 2:
        # By their logarithms where one is far nearer to an end of [0, 1].
        for end, sign in ((w, 1.0), (v, -1.0)):
            near, far = sorted((end + sign * x, end + sign * y))
            if 0.0 < near < 1e-2 * far < 1e-2:
                return sign * (math.sqrt(near) * math.sqrt(far) - end)
        return 0.5 * (x + y)
    share = (high - low - fall * (y - x)) / ((rise - fall) * (y - x)) if trial % 3 == 0 else rise / (rise - fall)
    return x + min(max(share, 1e-6), 1.0 - 1e-6) * (y - x)


def _exact_part(reduced: Reduced) -> float:
    return float(reduced.a @ reduced.f + reduced.b @ reduced.g)


def _coupled(reduced: Reduced, polished: Polished, value: float, objective: float, gap: float, tol: float) -> Coupled:
    f, g = polished.potentials

    def plan() -> FloatArray:
        return polished.plan

    def potentials() -> tuple[FloatArray, FloatArray]:
        return reduced.f + f, reduced.g + g

    return Coupled(gap <= tol * max(1.0, abs(objective)), value, objective, gap, polished.steps, plan, potentials)


def _polish(reduced: Reduced, tol: float, max_iter: int) -> Polished:
    """Solve at the reduced costs, with as much cut off as may be."""
    best = None
    for cut in _CUTS:
        polished = _at_cut(reduced, cut, tol, max_iter)
        if best is None or polished.gap < best.gap:
            best = polished
        if best.gap <= tol or float(reduced.left.max() - reduced.left.min()) <= cut * reduced.epsilon:
            break
    assert best is not None
    return best


def _at_cut(reduced: Reduced, cut: float, tol: float, max_iter: int) -> Polished:
    """In units of epsilon, less the exact potentials of what is left: next to zero wherever mass moves."""
    a, b, epsilon = reduced.a, reduced.b, reduced.epsilon
    least = float(reduced.left.min())
    cost = np.ascontiguousarray((reduced.left - least) / epsilon)
    f, g = _solved(np.minimum(cost, cut), a, b).potentials()
    left = cost - f[:, None] - g
    work = Workspace()
    # From 1 up: the solver goes on for ever smaller shares of a value next to zero.
    lift = 1.0 - float(left.min())
    inner = min(max(0.1 * tol / epsilon, _INNER[0]), _INNER[1])
    *_, steps = work.sinkhorn(np.minimum(left + lift, cut), a, b, 1.0, inner, min(max_iter, _STEPS))
    u, v = work.potentials()
    v = v - lift
    with np.errstate(all="ignore"):
        plan = a[:, None] * b * np.exp(u[:, None] + v - left)
    potentials = epsilon * (f + u), epsilon * (g + v) + least
    if not np.isfinite(plan).all():
        return Polished(a[:, None] * b, potentials, 0.0, np.inf, steps)
    coupling = _rounded(plan, reduced.price, a, b)
    some = coupling > 0.0
    entropy = float((coupling * np.log(np.where(some, coupling, 1.0) / np.where(some, a[:, None] * b, 1.0))).sum())
    over = float(np.vdot(left, coupling)) + entropy - (float(a @ u + b @ v) - float(plan.sum()) + 1.0)
    noise = (
        float(np.vdot(abs(left) + abs(f)[:, None] + abs(g), coupling)) + float(a @ abs(u) + b @ abs(v)) + abs(entropy)
    )
    gap = epsilon * (max(over, 0.0) + 8.0 * _EPS * (1.0 + noise)) + 4.0 * _EPS * reduced.size
    dual = epsilon * (float(a @ (f + u) + b @ (g + v)) - float(plan.sum()) + 1.0) + least
    return Polished(coupling, potentials, dual, gap, steps)


def _rounded(plan: FloatArray, price: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """A true coupling next to a plan: scaled down to the marginals, and the rest moved where it costs least.

    However little the rest is, spread over all cells it would cost more than any tolerance. A little more than the rest
    is moved, in the proportions of the masses, so that none of it is bound to go from where it is to where it lacks.
    """
    plan = plan * np.minimum(1.0, a / plan.sum(axis=1))[:, None]
    sums = plan.sum(axis=0)
    plan = plan * np.minimum(1.0, b / np.where(sums > 0, sums, 1.0))
    lacking = float(np.maximum(a - plan.sum(axis=1), 0.0).sum() + np.maximum(b - plan.sum(axis=0), 0.0).sum())
    if lacking == 0.0:
        return plan
    plan = plan * (1.0 - min(1.0, 4.0 * lacking / float(min(a.min(), b.min()))))
    rows, columns = np.maximum(a - plan.sum(axis=1), 0.0), np.maximum(b - plan.sum(axis=0), 0.0)
    work = _solved(np.minimum(price, _DEAREST), rows / rows.sum(), columns / columns.sum())
    i, j, masses = work.coupling()
    np.add.at(plan, (i, j), 0.5 * (rows.sum() + columns.sum()) * masses)
    return plan


def _solved(cost: FloatArray, a: FloatArray, b: FloatArray) -> _transport.Workspace:
    """Exact transport at one cost matrix."""
    work = _transport.Workspace()
    orders = (np.arange(len(mass), dtype=np.intc) for mass in (a, b))
    uniform = bool((a == a[0]).all() and (b == b[0]).all())
    work.transport(np.ascontiguousarray(cost), a, next(orders), b, next(orders), uniform)
    return work
