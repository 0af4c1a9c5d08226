"""Transport of clouds whose costs spread over more than the range of a double: large exponents, huge or tiny distances.

``d ** p`` is taken of distances in the unit of the optimum itself: ``(d / unit) ** p``. What costs far more than the
optimum carries no mass, and may be cut down to a cost that is merely too high.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..kernels._transport import Workspace
from ..spec.prepared import packed
from ..spec.result import rooted
from .point_clouds import Cloud, powers

# Powers of two within which the largest power keeps all its digits, and its neighbours theirs.
_COMFORT = 400.0
# From this exponent on the optimum may be lost among far larger costs at any distance.
_STEEP = 8.0
# Below this share of the largest cost, or above its inverse, a regularisation is at one of its limits.
FINEST = 1e-13
# The gap that ends the search for a unit, as a part of the value, and its most rounds.
_CLOSE, _ROUNDS = 1e-10, 100
# What potentials are off by, as a part of the largest cost.
_ROUNDING = 8 * float(np.finfo(np.float64).eps)
# Below this, in units of the largest cost that counts, digits are lost.
_VANISHED = 1e-200
# Costs are cut between these multiples of the optimum.
_LEAST_CUT, _LARGEST_CUT = 1e3, 1e13

# The power of two of the largest distance where factors may make others small.
_HIGH = 500

Cells = tuple[IntArray, IntArray, FloatArray]


def is_wide(x: Cloud, y: Cloud, p: float, epsilon: float = 0.0, of_values: bool = True, of_times: bool = True) -> bool:
    """Whether the p-th powers of distances between two clouds, or epsilon beside them, need a unit of their own.

    Only values count where ``of_times`` is false, and only times where ``of_values`` is.
    """
    if p > _STEEP:
        return True
    reach = np.maximum(x.high, y.high) - np.minimum(x.low, y.low)
    counted = reach[(0 if of_values else -1) : (len(reach) if of_times else -1)]
    farthest = float(counted.max(initial=0.0))
    if farthest == 0.0:
        return False
    nearest = float(np.where(counted > 0.0, counted, farthest).min())
    if not 2.0 ** (-_COMFORT / p) < nearest <= farthest < 2.0 ** (_COMFORT / p):
        return True
    return epsilon > 0.0 and not FINEST < epsilon / farthest**p < 1.0 / FINEST


def which_are_wide(
    left: Sequence[Cloud],
    right: Sequence[Cloud],
    rows: IntArray,
    cols: IntArray,
    p: float,
    epsilon: float = 0.0,
    of_values: bool = True,
    of_times: bool = True,
) -> BoolArray:
    """:func:`is_wide` of the pairs ``(left[rows[k]], right[cols[k]])``."""
    if p > _STEEP:
        return np.ones(len(rows), dtype=np.bool_)
    x_low, x_high, y_low, y_high = *packed(left, _boxes), *packed(right, _boxes)
    counted = slice(0 if of_values else -1, x_low.shape[1] - (0 if of_times else 1))
    with np.errstate(over="ignore"):  # inf is wide
        reach = np.maximum(x_high[rows], y_high[cols])[:, counted] - np.minimum(x_low[rows], y_low[cols])[:, counted]
    farthest = reach.max(axis=1, initial=0.0)
    nearest = np.where(reach > 0.0, reach, farthest[:, None]).min(axis=1, initial=np.inf)
    inside = (2.0 ** (-_COMFORT / p) < nearest) & (farthest < 2.0 ** (_COMFORT / p))
    if epsilon > 0.0:
        with np.errstate(over="ignore", divide="ignore"):  # what has no such power lies outside already
            share = epsilon / farthest**p
        inside &= (share > FINEST) & (share < 1.0 / FINEST)
    return np.asarray((farthest != 0.0) & ~inside, dtype=np.bool_)


def _boxes(clouds: Sequence[Cloud]) -> tuple[FloatArray, FloatArray]:
    return np.array([cloud.low for cloud in clouds]), np.array([cloud.high for cloud in clouds])


@dataclass(frozen=True)
class Distances:
    """Distances whose p-th powers are the two costs, shaped (n, m), with the masses of both sides."""

    of_values: FloatArray
    of_times: FloatArray
    p: float
    a: FloatArray
    b: FloatArray
    uniform: bool

    @property
    def largest(self) -> float:
        """The largest of both."""
        return float(max(self.of_values.max(), self.of_times.max()))

    def costs(self, unit: float, cut: float = np.inf) -> tuple[FloatArray, FloatArray]:
        """Both costs in units of ``unit ** p``, no higher than the cut."""
        return _power(self.of_values, unit, self.p, cut), _power(self.of_times, unit, self.p, cut)


def _power(distance: FloatArray, unit: float, p: float, cut: float) -> FloatArray:
    return np.minimum((distance / unit) ** p, cut)


def distances(x: Cloud, y: Cloud, p: float, of_values: float = 1.0, of_times: float = 1.0, lift: int = 0) -> Distances:
    """The distances between two clouds in units of ``2 ** -lift``; costs count ``of_values`` and ``of_times`` fold."""
    A = np.ldexp(powers(x.values, y.values, 1.0), lift) * of_values ** (1.0 / p)
    B = np.ldexp(powers(x.times[:, None], y.times[:, None], 1.0), lift) * of_times ** (1.0 / p)
    return Distances(A, B, p, x.weights, y.weights, x.uniform and y.uniform)


def lift_of(x: Cloud, y: Cloud) -> int:
    """The power of two that takes the largest distance to where one that counts far less is still a number."""
    farthest = float((np.maximum(x.high, y.high) - np.minimum(x.low, y.low)).max())
    return _HIGH - math.frexp(farthest)[1] if 0.0 < farthest < math.inf else 0


def lifted(distance: float, share: float, lift: int) -> float:
    """``distance * share * 2 ** -lift``, back in units of the data, by whatever parts leave the range of a double."""
    (of_distance, high), (of_share, low) = math.frexp(distance), math.frexp(share)
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(of_distance * of_share, high + low - lift))


@dataclass(frozen=True, slots=True)
class Optimum:
    """An optimum in units of ``unit ** p``, its certified gap, and the plan and the basis that it is of.

    ``v`` is 1 - w for itself: next to w = 1 it has digits of its own.
    """

    value: float
    gap: float
    unit: float
    w: float
    v: float
    converged: bool
    solves: int
    cells: Cells
    potentials: tuple[FloatArray, FloatArray]


def in_data_units(value: float, gap: float, unit: float, p: float, root: bool) -> tuple[float, float]:
    """A value and its gap in units of ``unit ** p`` in those of the data, behind the p-th root if there is one."""
    if root:
        value, gap = rooted(value, gap, p)
        return powered(value, unit, 1.0), powered(gap, unit, 1.0)
    return powered(value, unit, p), powered(gap, unit, p)


def powered(numbers: Any, unit: float, p: float) -> Any:
    """``numbers * unit ** p``, and 0 of nothing; inf or 0 where a double cannot hold it."""
    with np.errstate(all="ignore"):
        power, half = np.power(unit, p), np.power(unit, p / 2.0)
        # A power that leaves the range of a double may meet a number that brings it back.
        product = np.multiply(numbers, power) if 0.0 < power < np.inf else np.multiply(numbers, half) * half
        product = np.where(numbers == 0.0, 0.0, product)
    return product if product.ndim else float(product)


# ---- exact --------------------------------------------------------------------------------------------------------

Solver = Callable[[Workspace, Distances, FloatArray, FloatArray], Optimum]


def sum_of_costs(d: Distances) -> Optimum:
    """The least ``<A + B, P>``."""
    return _in_its_unit(d, _solve_sum)


def worst_mixture(d: Distances) -> Optimum:
    """The largest, over w in [0, 1], of the least ``<w A + (1 - w) B, P>``, at its saddle point."""
    return _in_its_unit(d, _solve_worst)


def solved_at(d: Distances, A: FloatArray, B: FloatArray, cut: float) -> Optimum:
    """The largest over w of the least ``<w A + (1 - w) B, P>``, where no mixture above the cut is any part of it."""
    return _solve_worst(Workspace(), d, A, B, cut)


def _in_its_unit(d: Distances, solve: Solver) -> Optimum:
    """Solve in the unit of the largest distance, then in that of the optimum so far, until that is the optimum."""
    work, unit, cut = Workspace(), d.largest, first_cut(d)
    if unit == 0.0:
        return solve(work, d, d.of_values, d.of_times)
    for _ in range(_ROUNDS):
        optimum = replace(solve(work, d, *d.costs(unit, cut)), unit=unit)
        i, j, _ = optimum.cells
        if cut < _LARGEST_CUT and max(d.of_values[i, j].max(), d.of_times[i, j].max()) > unit * cut ** (1.0 / d.p):
            cut *= 1e4
            continue
        # A value of nothing may be one that vanished in this unit, and one far below the costs lies in their rounding.
        if optimum.value > _VANISHED and optimum.gap + _ROUNDING * cut <= _CLOSE * optimum.value:
            break
        nearer = _root_cost(d, optimum)
        if nearer == 0.0:
            return replace(optimum, gap=0.0)  # no plan costs less than nothing
        if not nearer < 0.999 * unit:
            break
        unit = nearer
    return optimum


def first_cut(d: Distances) -> float:
    """An entry of the plan holds a share of the mass: a cost above its inverse is no part of the optimum."""
    share = 1.0 / d.of_values.size if d.uniform else min(d.a.min(), d.b.min())
    return float(min(max(_LEAST_CUT, 4.0 / share), _LARGEST_CUT))


def _root_cost(d: Distances, optimum: Optimum) -> float:
    """The p-th root of what the plan costs under the dearer of both costs: a distance."""
    i, j, masses = optimum.cells
    roots = []
    for distance in (d.of_values[i, j], d.of_times[i, j]):
        top = float(distance.max())
        roots.append(top * float(masses @ (distance / top) ** d.p) ** (1.0 / d.p) if top > 0 else 0.0)
    return max(roots)


def _solve_sum(work: Workspace, d: Distances, A: FloatArray, B: FloatArray) -> Optimum:
    value, below, status, cells = _transport(work, d, A + B)
    return Optimum(value, max(value - below, 0.0), 1.0, 0.5, 0.5, status == 0, 1, cells, work.potentials())


def _transport(work: Workspace, d: Distances, C: FloatArray) -> tuple[float, float, int, Cells]:
    orders = np.arange(len(d.a), dtype=np.intc), np.arange(len(d.b), dtype=np.intc)
    status, value, below, _ = work.transport(C, d.a, orders[0], d.b, orders[1], d.uniform)
    return max(value, 0.0), below, status, work.coupling()


def _solve_worst(work: Workspace, d: Distances, A: FloatArray, B: FloatArray, cut: float = np.inf) -> Optimum:
    """Every plan costs a line in w; where a rising and a falling one meet is the next w, until no plan is below."""
    rising = falling = None
    # 1 - w for itself: where times cost far more than values it is too small to be told from w = 1.
    w, v, solves, upper = 0.0, 1.0, 0, np.inf
    while True:
        value, below, status, cells = _transport(work, d, np.minimum(w * A + v * B, cut))
        solves += 1
        line = _line(A, B, cells)
        if (w == 0.0 and line[0] <= line[1]) or (v == 0.0 and line[0] >= line[1]):
            upper, mixed = value, cells
            break
        if rising and falling and value >= upper * (1.0 - 1e-15):
            mixed = _mixture(rising, falling)
            break
        before = w, v, upper
        if line[0] > line[1]:
            rising = line, cells
        else:
            falling = line, cells
        if rising and falling:
            w, v, upper = _meeting(rising[0], falling[0])
        else:
            w, v = 1.0, 0.0
        if (w, v, upper) == before or status or solves > 200:
            mixed = cells if not (rising and falling) else _mixture(rising, falling)
            break
    # Without a second line there is no height yet: the value of the plan is above the optimum.
    height = upper if math.isfinite(upper) else max(line)
    return Optimum(height, max(height - below, 0.0), 1.0, w, v, status == 0, solves, mixed, work.potentials())


Line = tuple[float, float]


def _line(A: FloatArray, B: FloatArray, cells: Cells) -> Line:
    i, j, masses = cells
    return float(masses @ A[i, j]), float(masses @ B[i, j])


def _meeting(rising: Line, falling: Line) -> tuple[float, float, float]:
    """The w where two lines meet, 1 - w without cancellation, and the height of the lines there."""
    up, down = rising[0] - rising[1], falling[1] - falling[0]
    w = min(max((falling[1] - rising[1]) / (up + down), 0.0), 1.0) if up + down > 0 else 0.0
    v = min(max((rising[0] - falling[0]) / (up + down), 0.0), 1.0) if up + down > 0 else 1.0
    return w, v, min(w * line[0] + v * line[1] for line in (rising, falling))


def _mixture(rising: tuple[Line, Cells], falling: tuple[Line, Cells]) -> Cells:
    """The mixture of two plans whose cost no w changes: the plan of the saddle point."""
    (line, cells), (other, rest) = rising, falling
    up, down = line[0] - line[1], other[1] - other[0]
    share = down / (up + down) if up + down > 0 else 1.0
    i, j, masses = (np.concatenate(parts) for parts in zip(cells, rest, strict=True))
    return i, j, masses * np.repeat([share, 1.0 - share], [len(cells[0]), len(rest[0])])


def cost_roots(d: Distances) -> FloatArray:
    """The p-th roots of ``A + B``: distances."""
    top = np.maximum(d.of_values, d.of_times)
    safe = np.where(top > 0, top, 1.0)
    return top * ((d.of_values / safe) ** d.p + (d.of_times / safe) ** d.p) ** (1.0 / d.p)


def median_root(d: Distances) -> float:
    """The p-th root of the median of ``A + B``: a distance."""
    roots = cost_roots(d)
    middle = roots.size // 2
    kept = np.partition(roots, [middle - 1, middle] if roots.size > 1 else [0], axis=None)
    high = float(kept[middle])
    if roots.size % 2 or high == 0.0:
        return high
    return high * float(0.5 * ((kept[middle - 1] / high) ** d.p + 1.0)) ** (1.0 / d.p)


def dense(cells: Cells, d: Distances) -> FloatArray:
    """A plan as a matrix."""
    plan = np.zeros(d.of_values.shape)
    np.add.at(plan, cells[:2], cells[2])
    return plan
