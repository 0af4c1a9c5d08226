"""The law of a process from its sample paths: quantised at each time, and a graph of what is known when.

A node of full history is all cells that a path went through so far, and the graph is a tree; a Markovian node is the
cell of its time alone, and the law is that of the chain with the observed transitions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels._kmeans import cut_line
from ..paths import shape_of_paths
from ..series import Series

# Layers, first children, children, masses and values, as the kernel takes them: see PathLaw.
Graph = tuple[IntArray, IntArray, IntArray, IntArray, FloatArray]

# Those of many processes one after another, behind the places where each begins in them, and the end.
Stack = tuple[IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray]

# Conditional masses are integers of this total.
TOTAL = 2**60

# Distances no further apart count as equal, as a part of the largest: the cell that comes first is taken.
TIE = 1e-9

# Rounds of Lloyd's method at most; it ends when no value changes its cell.
ROUNDS = 100


@dataclass(frozen=True, eq=False)
class PathLaw:
    """A process as a graph: one layer of nodes for each time, and the root before them.

    Parameters
    ----------
    layer : int array of shape (T + 2,)
        Where the nodes of each layer begin, the root first, and their number.
    first : int array
        Where the children of each node with children begin in ``child``, and the end.
    child : int array
        The number of each child within its layer, those of a node increasing.
    share : array
        The conditional probability of each child.
    whole : long long array
        The same in units of ``1 / TOTAL``; those of one node add up to TOTAL.
    value : array of shape (nodes, d)
        What each node stands for; 0 for the root.
    path : int array of shape (T, n)
        The number, within its layer, of the node that each path with mass passes.
    support : int array of shape (n,)
        The paths with mass among all N.
    mass : array of shape (n,)
        Their masses, which sum to one.
    count : int
        The number N of paths.
    low, high : array of shape (T, d)
        The least and the largest value at each time.
    """

    layer: IntArray
    first: IntArray
    child: IntArray
    share: FloatArray
    whole: IntArray
    value: FloatArray
    path: IntArray
    support: IntArray
    mass: FloatArray
    count: int
    low: FloatArray
    high: FloatArray

    @property
    def arrays(self) -> Graph:
        """What the kernel takes."""
        return self.layer, self.first, self.child, self.whole, self.value

    @cached_property
    def widest(self) -> int:
        """The most nodes at one time."""
        return int(np.diff(self.layer).max())

    @cached_property
    def marginals(self) -> list[Graph]:
        """The law of the values at each time alone, as a process of one step; of one value at each time."""
        return [self._marginal(t) for t in range(len(self.path))]

    def _marginal(self, t: int) -> Graph:
        values, at = np.unique(self.value[self.nodes(t), 0], return_inverse=True)
        n, ends = len(values), np.array([0, len(values)], dtype=np.intp)
        masses = np.asarray(np.bincount(at[self.path[t]], weights=self.mass), dtype=np.float64)
        layer = np.array([0, 1, n + 1], dtype=np.intp)
        return layer, ends, np.arange(n, dtype=np.intp), _whole(masses, ends), np.append(0.0, values)[:, None]

    def nodes(self, t: int) -> slice:
        """The nodes at time t."""
        return slice(int(self.layer[t + 1]), int(self.layer[t + 2]))


def stacked_laws(laws: Sequence[PathLaw]) -> Stack:
    """The laws as the kernel takes many."""
    return _stacked([law.arrays for law in laws])


def stacked_marginals(laws: Sequence[PathLaw]) -> list[Stack] | None:
    """The laws of the values at each time, if all processes have the same times."""
    if len({len(law.path) for law in laws}) > 1:
        return None
    return [_stacked(at_one_time) for at_one_time in zip(*(law.marginals for law in laws), strict=True)]


def _stacked(graphs: Sequence[Graph]) -> Stack:
    layer, first, child, whole, value = zip(*graphs, strict=True)
    at = np.zeros((len(graphs) + 1, 4), dtype=np.intp)
    for column, arrays in enumerate((layer, first, child, value)):
        at[1:, column] = np.cumsum([array.size for array in arrays])
    parts = layer, first, child, whole
    return at, *(np.concatenate(arrays) for arrays in parts), np.concatenate([array.ravel() for array in value])  # type: ignore[return-value]


def law_of_paths(series: Series, cells: int | str | None, quantizer: str, markovian: bool) -> PathLaw:
    """The law that stands for a process; it depends on the process alone."""
    count, d = shape_of_paths(series)
    weights = np.full(count, 1.0 / count) if series.path_weights is None else series.path_weights
    # In the unit of the largest, sums of weights neither overflow nor vanish; what vanishes then has no mass.
    shares = weights / weights.max()
    shares /= shares.sum()
    support = np.flatnonzero(shares)
    mass = shares[support]
    # -0 is 0.
    values = series.values.reshape(len(series), count, d)[:, support] + 0.0
    most = cells_at_rate(len(series), len(support), d, markovian) if isinstance(cells, str) else cells
    labels, centres = zip(*(quantised(layer, mass, most, quantizer) for layer in values), strict=True)
    return _graph(labels, centres, support, mass, count, markovian)


def cells_at_rate(steps: int, paths: int, d: int, markovian: bool) -> int:
    """Cells at each time at the rate of Backhoff et al. (2022): the least with ``cells ** (T + 1) >= N``.

    ``cells ** T`` for several values at each time; a transition of a Markov chain has two times.
    """
    power = (min(steps, 2) if markovian else steps) + (1 if d == 1 else 0)
    return math.ceil(paths ** (1.0 / power) - TIE)


def quantised(values: FloatArray, mass: FloatArray, cells: int | None, quantizer: str) -> tuple[IntArray, FloatArray]:
    """The cell of each value of shape (n, d), and the mean of each cell, in increasing order of the first feature."""
    points, at = _distinct(values)
    if cells is None or len(points) <= cells:
        return at, points
    weights = np.asarray(np.bincount(at, weights=mass), dtype=np.float64)
    # Centred, and in units of the largest: squares keep their digits and their range.
    centred = points - points[0]
    labels = _labels(centred / np.abs(centred).max(), weights, cells, quantizer)
    # A cell that Lloyd's method left empty is no cell.
    labels = np.unique(labels, return_inverse=True)[1].reshape(-1)
    total = np.bincount(labels, weights=weights)
    means = np.stack([np.bincount(labels, weights=weights * column) for column in centred.T], axis=1) / total[:, None]
    order = np.lexsort(means.T[::-1])
    return np.argsort(order)[labels][at], points[0] + means[order]


def _distinct(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct rows in increasing order of the first feature, and which of them each row is."""
    if values.shape[1] == 1:  # much faster than rows
        numbers, at = np.unique(values[:, 0], return_inverse=True)
        return numbers[:, None], at
    points, at = np.unique(values, axis=0, return_inverse=True)
    return points, at.reshape(-1)


def _labels(points: FloatArray, weights: FloatArray, cells: int, quantizer: str) -> IntArray:
    if quantizer == "grid":
        return _on_grid(points, cells)
    if points.shape[1] > 1:
        return _lloyd(points, weights, cells)
    begins = np.zeros(len(points), dtype=np.intp)
    begins[cut_line(np.ascontiguousarray(points[:, 0]), weights, cells)[1:]] = 1
    return np.cumsum(begins)


def _on_grid(points: FloatArray, cells: int) -> IntArray:
    """The cell of each point on a grid over the range of the points, with as many cells on every axis."""
    d = points.shape[1]
    sides = math.floor(cells ** (1.0 / d) + TIE)
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    places = (points - low) / np.where(extent > 0, extent, 1.0) * sides
    steps = np.minimum(np.floor(places + TIE).astype(np.intp), sides - 1)
    return np.asarray(np.ravel_multi_index(tuple(steps.T), (sides,) * d))


def _lloyd(points: FloatArray, weights: FloatArray, cells: int) -> IntArray:
    """The cells of Lloyd's method, from seeds each of which is the point farthest from those before it.

    The first seed is the point nearest to the mean.
    """
    mean = weights @ points / weights.sum()
    seeds = [_first_least(_squares(points, mean))]
    nearest = _squares(points, points[seeds[0]])
    while len(seeds) < cells:
        seeds.append(_first_least(-nearest))
        nearest = np.minimum(nearest, _squares(points, points[seeds[-1]]))
    centres = points[seeds]
    labels = _nearest(points, centres)
    for _ in range(ROUNDS):
        mass = np.bincount(labels, weights=weights, minlength=cells)
        sums = np.stack([np.bincount(labels, weights=weights * column, minlength=cells) for column in points.T], axis=1)
        centres = np.where(mass[:, None] > 0, sums / np.where(mass > 0, mass, 1.0)[:, None], centres)
        before, labels = labels, _nearest(points, centres)
        if np.array_equal(labels, before):
            break
    return labels


def _squares(points: FloatArray, centre: FloatArray) -> FloatArray:
    return np.asarray(((points - centre) ** 2).sum(axis=1))


def _first_least(numbers: FloatArray) -> int:
    return int(np.argmax(numbers <= numbers.min() + TIE))


def _nearest(points: FloatArray, centres: FloatArray) -> IntArray:
    """The first of the nearest centres of each point."""
    labels = np.empty(len(points), dtype=np.intp)
    step = max(1, 2**20 // len(centres))
    for start in range(0, len(points), step):
        part = points[start : start + step]
        squares = np.stack([_squares(part, centre) for centre in centres], axis=1)
        labels[start : start + step] = np.argmax(squares <= squares.min(axis=1, keepdims=True) + TIE, axis=1)
    return labels


def _graph(
    labels: Sequence[IntArray],
    centres: Sequence[FloatArray],
    support: IntArray,
    mass: FloatArray,
    count: int,
    markovian: bool,
) -> PathLaw:
    """The graph of paths whose cells and whose values in them are known at each time."""
    at, nodes = np.zeros(len(support), dtype=np.intp), 1
    layer, firsts, childs, shares, values, path = [0, 1], [np.zeros(1, dtype=np.intp)], [], [], [], []
    for cell, centre in zip(labels, centres, strict=True):
        before, parents = at, nodes
        if markovian:
            at, value = cell, centre
        else:
            seen, at = np.unique(before * len(centre) + cell, return_inverse=True)
            value = centre[seen % len(centre)]
        nodes = len(value)
        arcs, arc = np.unique(before * nodes + at, return_inverse=True)
        parent = arcs // nodes
        firsts.append(firsts[-1][-1] + np.cumsum(np.bincount(parent, minlength=parents)))
        childs.append(arcs % nodes)
        shares.append(np.bincount(arc, weights=mass) / np.bincount(before, weights=mass)[parent])
        values.append(value)
        path.append(at)
        layer.append(layer[-1] + nodes)
    first, share = np.concatenate(firsts), np.concatenate(shares)
    return PathLaw(
        layer=np.array(layer, dtype=np.intp),
        first=first,
        child=np.concatenate(childs),
        share=share,
        whole=_whole(share, first),
        value=np.concatenate([np.zeros((1, values[0].shape[1])), *values]),
        path=np.array(path, dtype=np.intp),
        support=support,
        mass=mass,
        count=count,
        low=np.array([value.min(axis=0) for value in values]),
        high=np.array([value.max(axis=0) for value in values]),
    )


def _whole(share: FloatArray, first: IntArray) -> IntArray:
    """Probabilities as integers; the largest child of each node takes what rounding left."""
    whole = np.maximum(np.rint(share * TOTAL), 1.0).astype(np.longlong)
    node = np.repeat(np.arange(len(first) - 1), np.diff(first))
    largest = np.lexsort((share, node))[first[1:] - 1]
    whole[largest] += TOTAL - np.add.reduceat(whole, first[:-1])
    return whole
