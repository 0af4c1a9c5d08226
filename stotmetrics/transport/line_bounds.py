"""Lower bounds on the transport between clouds, from transport on lines: cheap, and of many pairs at once.

Any coupling of two clouds couples their projections on a line too, where the optimal one matches the masses in order.
Clouds of equally many atoms of equal mass meet atom by atom: their sorted projections are stacked once per set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels._differences import euclidean, warping
from ..spec.prepared import packed
from .point_clouds import Cloud

# The plane of values and times is looked at at these mixtures w, in frames turned by 30 and by 60 degrees.
_MIXTURES = np.array([0.15, 0.3, 0.45, 0.6, 0.75, 0.9])
_TURNS = np.array([[[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]] for t in (np.pi / 6, np.pi / 3)])
# Numbers of a batch of pairs that stay in the cache between two operations on them.
_BATCH = 2**16
# Rounding may lift a bound that is attained above the value.
_BELOW = 1.0 - 1e-12
# A turned point is off by some last digits of its coordinates, however near the point is that it is compared with.
_BLUR = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class _Stack:
    """The clouds of one set that have equally many atoms of equal mass.

    ``place[i]`` is the row of cloud i in the arrays, -1 where it has none; ``values`` has the shape (d, N, n) with
    every feature sorted, ``times`` the shape (N, n), and ``first_feature`` too, in the order of time.
    """

    place: IntArray
    values: FloatArray
    times: FloatArray
    first_feature: FloatArray

    @cached_property
    def planes(self) -> list[FloatArray]:
        """Projections of the plane of scaled values and times, shape (N, 2 n): sorted on each axis of a frame."""
        planes = []
        for w in _MIXTURES.tolist():
            value, time = np.sqrt(w) * self.first_feature, np.sqrt(1.0 - w) * self.times
            for frame in _TURNS.tolist():
                axes = [np.sort(of_value * value + of_time * time, axis=-1) for of_value, of_time in frame]
                planes.append(np.concatenate(axes, axis=-1))
        return planes

    @cached_property
    def blur(self) -> FloatArray:
        """What rounding may have done to a point of the planes, shape (N,)."""
        return np.asarray(_BLUR * np.maximum(abs(self.first_feature).max(axis=1), abs(self.times).max(axis=1)))


def line_costs(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, p: float
) -> tuple[FloatArray, FloatArray]:
    """What any coupling of each pair costs at least under A and under B: transport on a line, of values and times."""
    of_values, of_times = np.empty(len(rows)), np.empty(len(rows))
    rest = np.ones(len(rows), dtype=np.bool_)
    for pairs, x, y, i, j in _alike(left, right, rows, cols):
        features = [_mean_power(of_x, of_y, i, j, p) for of_x, of_y in zip(x.values, y.values, strict=True)]
        of_values[pairs] = _over_features(_certain(np.stack(features, axis=-1), 2), p)
        of_times[pairs] = _certain(_mean_power(x.times, y.times, i, j, p), 2)
        rest[pairs] = False
    for k in np.flatnonzero(rest):
        a, b = left[int(rows[k])], right[int(cols[k])]
        (u, mass_u), (v, mass_v) = a.sorted_values, b.sorted_values
        each = [_line_cost(u[f], mass_u[f], v[f], mass_v[f], p) for f in range(len(u))]
        of_values[k] = _over_features(np.array(each), p)
        of_times[k] = _line_cost(a.times, a.weights, b.times, b.weights, p)
    return of_values, of_times


def transport_bounds(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray, p: float
) -> FloatArray:
    """Lower bounds on the exact TiOT of each pair, without the root: what transport on lines costs at some w."""
    bounds = np.maximum(*line_costs(left, right, rows, cols, p))
    if p == 2.0:
        # The squared distance of a plane is the sum over the two axes of any frame, and so is at least its transport.
        for pairs, x, y, i, j in _alike(left, right, rows, cols):
            if len(x.values) == 1:
                farthest = np.zeros(len(pairs))
                for of_x, of_y in zip(x.planes, y.planes, strict=True):
                    np.maximum(farthest, euclidean(of_x, of_y, i, j), out=farthest)
                certain = np.maximum(farthest / np.sqrt(x.times.shape[1]) - (x.blur[i] + y.blur[j]), 0.0)
                with np.errstate(over="ignore"):
                    bounds[pairs] = np.maximum(bounds[pairs], _certain(certain**2, 2))
    # Beyond the range of a double nothing is known.
    return np.where(bounds < np.inf, np.maximum(bounds * _BELOW, 0.0), 0.0)


def _mean_power(x: FloatArray, y: FloatArray, i: IntArray, j: IntArray, p: float) -> FloatArray:
    """The mean of ``|x[i] - y[j]| ** p`` for each pair of rows; inf beyond the range of a double."""
    n = x.shape[1]
    with np.errstate(over="ignore"):
        if p == 2.0:
            return (euclidean(x, y, i, j) / np.sqrt(n)) ** 2
        if p == 1.0:
            return warping(x, y, i, j, n, 0.0) / n
        means, step = np.empty(len(i)), max(1, _BATCH // n)
        for k in range(0, len(i), step):
            means[k : k + step] = (np.abs(x[i[k : k + step]] - y[j[k : k + step]]) ** p).mean(axis=-1)
        return means


def _certain(sums: FloatArray, terms: int) -> FloatArray:
    """Powers of tiny distances are rounded to multiples of the least number, and so are their parts."""
    return np.maximum(sums - terms * np.finfo(np.float64).smallest_subnormal, 0.0)


def _over_features(costs: FloatArray, p: float) -> FloatArray:
    # |x - y|**p is at least the sum of the features' own powers where p >= 2, and at least each of them anyway.
    return costs.sum(axis=-1) if p >= 2.0 else costs.max(axis=-1)


def _alike(
    left: Sequence[Cloud], right: Sequence[Cloud], rows: IntArray, cols: IntArray
) -> Iterator[tuple[IntArray, _Stack, _Stack, IntArray, IntArray]]:
    """(pairs, stacks, rows in them) of the pairs whose clouds meet atom by atom."""
    of_left, of_right = packed(left, _stacks), packed(right, _stacks)
    for atoms in of_left.keys() & of_right.keys():
        x, y = of_left[atoms], of_right[atoms]
        pairs = np.flatnonzero((x.place[rows] >= 0) & (y.place[cols] >= 0))
        yield pairs, x, y, x.place[rows[pairs]], y.place[cols[pairs]]


def _stacks(clouds: Sequence[Cloud]) -> dict[int, _Stack]:
    """One stack for each number of atoms that has clouds of equal mass."""
    sizes = np.array([cloud.size if cloud.uniform else 0 for cloud in clouds], dtype=np.intp)
    stacks = {}
    for atoms in np.unique(sizes[sizes > 0]).tolist():
        members = np.flatnonzero(sizes == atoms)
        place = np.full(len(clouds), -1, dtype=np.intp)
        place[members] = np.arange(len(members))
        values = np.ascontiguousarray(np.stack([clouds[i].values for i in members.tolist()]).transpose(2, 0, 1))
        times = np.stack([clouds[i].times for i in members.tolist()])
        stacks[atoms] = _Stack(place, np.sort(values, axis=-1), times, values[0])
    return stacks


def _line_cost(x: FloatArray, a: FloatArray, y: FloatArray, b: FloatArray, p: float) -> float:
    """Optimal transport on a line between sorted atoms: masses matched in order."""
    ends_a, ends_b = np.cumsum(a), np.cumsum(b)
    ends_a[-1] = ends_b[-1] = 1.0
    ends = np.union1d(ends_a, ends_b)
    i = np.minimum(np.searchsorted(ends_a, ends), len(x) - 1)
    j = np.minimum(np.searchsorted(ends_b, ends), len(y) - 1)
    powers = np.abs(x[i] - y[j]) ** p
    # A share of the mass is off by some last digits of 1: between near clouds all of it may lie in such slivers.
    shares = np.maximum(np.diff(ends, prepend=0.0) - len(ends) * np.finfo(np.float64).eps, 0.0)
    return float(_certain((shares * powers).sum(), 2 * len(ends)))
