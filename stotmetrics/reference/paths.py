"""The law of quantised sample paths: what is known at each time, and the probabilities of what comes next.

Backhoff, Bartl, Beiglböck, Wiesel, Estimating processes in adapted Wasserstein distance (2022): the adapted empirical
measure. Cells are those of the grid over the range of the values, or of k-means.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .interface import FloatArray, TimeSeries

# What counts as equal: places on a grid in units of a cell; squared distances in Lloyd's method, where the first point
# is the origin and the largest coordinate one; sums of squares on a line, as a part of that of a single cell.
TIE = 1e-9
LINE_TIE = 1e-10
ROUNDS = 100

Point = tuple[float, ...]


@dataclass(frozen=True)
class Process:
    """For each time, the probabilities of the next node given the one before, and the value of every node."""

    steps: list[dict[Hashable, dict[Hashable, float]]]
    values: list[dict[Hashable, FloatArray]]


def process_of(series: TimeSeries, cells: int | str | None, quantizer: str, markovian: bool) -> Process:
    """The process that stands for sample paths; a node is the history of cells, or the last of them."""
    paths, weights = paths_of(series)
    if isinstance(cells, str):
        cells = least_count(len(paths), len(paths[0]), len(paths[0][0]), markovian)
    cuts = [quantise([path[t] for path in paths], weights, cells, quantizer) for t in range(len(paths[0]))]
    steps: list[dict[Hashable, dict[Hashable, float]]] = []
    values: list[dict[Hashable, FloatArray]] = []
    before: list[Hashable] = [()] * len(paths)
    for labels, means in cuts:
        here: list[Hashable] = [label if markovian else (past, label) for past, label in zip(before, labels)]
        masses: dict[Hashable, dict[Hashable, float]] = defaultdict(lambda: defaultdict(float))
        for past, node, weight in zip(before, here, weights):
            masses[past][node] += weight
        steps.append({past: _shares(following) for past, following in masses.items()})
        values.append({node: np.array(means[label]) for node, label in zip(here, labels)})
        before = here
    return Process(steps, values)


def paths_of(series: TimeSeries) -> tuple[list[list[Point]], list[float]]:
    """The paths with mass, each as its points, and their weights."""
    count, d = (series.values.shape[1], 1) if series.frame_shape is None else series.frame_shape
    weights = [1.0] * count if series.path_weights is None else series.path_weights.tolist()
    cube = series.values.reshape(len(series.values), count, d)
    most = max(weights)
    kept = [k for k in range(count) if weights[k] / most > 0]
    return [[tuple(row[k].tolist()) for row in cube] for k in kept], [weights[k] / most for k in kept]


def least_count(paths: int, times: int, d: int, markovian: bool) -> int:
    """The least number of cells with ``cells ** (T + 1) >= N``, or ``cells ** T`` for several values at each time."""
    power = (min(times, 2) if markovian else times) + (1 if d == 1 else 0)
    cells = 1
    while cells**power < paths:
        cells += 1
    return cells


def quantise(
    points: Sequence[Point], weights: Sequence[float], cells: int | None, quantizer: str
) -> tuple[list[int], list[Point]]:
    """The cell of each point, and the mean of each cell."""
    distinct = sorted({tuple(c + 0.0 for c in point) for point in points})
    total = {point: math.fsum(w for q, w in zip(points, weights) if q == point) for point in distinct}
    if cells is None or len(distinct) <= cells:
        groups = [[point] for point in distinct]
    elif quantizer == "grid":
        groups = grid_cells(distinct, cells)
    elif len(distinct[0]) == 1:
        groups = line_cells(distinct, [total[point] for point in distinct], cells)
    else:
        groups = lloyd_cells(distinct, [total[point] for point in distinct], cells)
    place = {point: k for k, group in enumerate(groups) for point in group}
    means = [mean_of(group, [total[point] for point in group]) for group in groups]
    return [place[point] for point in points], means


def mean_of(points: Sequence[Point], weights: Sequence[float]) -> Point:
    """The weighted mean."""
    origin, mass = points[0], math.fsum(weights)
    return tuple(
        c + math.fsum(w * (point[k] - c) for point, w in zip(points, weights)) / mass for k, c in enumerate(origin)
    )


def grid_cells(points: Sequence[Point], cells: int) -> list[list[Point]]:
    """The points in each cell of a grid over their range with as many cells on every axis."""
    sides = 1
    while (sides + 1) ** len(points[0]) <= cells:
        sides += 1
    low, high = (tuple(pick(axis) for axis in zip(*points)) for pick in (min, max))
    members: dict[tuple[int, ...], list[Point]] = defaultdict(list)
    for point in points:
        key = tuple(
            0 if a == b else min(math.floor((c - a) / (b - a) * sides + TIE), sides - 1)
            for c, a, b in zip(point, low, high)
        )
        members[key].append(point)
    return list(members.values())


def line_cells(points: Sequence[Point], weights: Sequence[float], cells: int) -> list[list[Point]]:
    """The cells of least sum of squares; of equally good ones, the last cell begins first, then the one before it."""
    n = len(points)

    def spread(start: int, end: int) -> float:
        middle = mean_of(points[start:end], weights[start:end])[0]
        return math.fsum(w * (c - middle) ** 2 for (c,), w in zip(points[start:end], weights[start:end]))

    tie = LINE_TIE * spread(0, n)
    costs = [spread(0, end) if end else 0.0 for end in range(n + 1)]
    begins: list[dict[int, int]] = []
    for k in range(1, cells):
        after, begin = [math.inf] * (n + 1), {}
        for end in range(k + 1, n + 1):
            totals = [costs[start] + spread(start, end) for start in range(k, end)]
            begin[end] = k + next(i for i, total in enumerate(totals) if total <= min(totals) + tie)
            after[end] = totals[begin[end] - k]
        costs = after
        begins.append(begin)
    groups, end = [], n
    for begin in reversed(begins):
        groups.append(list(points[begin[end] : end]))
        end = begin[end]
    return [list(points[:end]), *reversed(groups)]


def lloyd_cells(points: Sequence[Point], weights: Sequence[float], cells: int) -> list[list[Point]]:
    """The cells of Lloyd's method. The first seed is the point nearest to the mean, each other the farthest point."""
    unit = max(abs(c - o) for point in points for c, o in zip(point, points[0]))
    scaled = [tuple((c - o) / unit for c, o in zip(point, points[0])) for point in points]

    def first_least(numbers: Sequence[float]) -> int:
        return next(k for k, number in enumerate(numbers) if number <= min(numbers) + TIE)

    middle = mean_of(scaled, weights)
    centres = [scaled[first_least([math.dist(point, middle) ** 2 for point in scaled])]]
    while len(centres) < cells:
        centres.append(scaled[first_least([-min(math.dist(p, c) ** 2 for c in centres) for p in scaled])])
    labels = [first_least([math.dist(p, c) ** 2 for c in centres]) for p in scaled]
    for _ in range(ROUNDS):
        for k in range(cells):
            inside = [i for i, label in enumerate(labels) if label == k]
            if inside:
                centres[k] = mean_of([scaled[i] for i in inside], [weights[i] for i in inside])
        before, labels = labels, [first_least([math.dist(p, c) ** 2 for c in centres]) for p in scaled]
        if labels == before:
            break
    return [[p for p, label in zip(points, labels) if label == k] for k in sorted(set(labels))]


def _shares(masses: dict[Hashable, float]) -> dict[Hashable, float]:
    total = math.fsum(masses.values())
    return {node: mass / total for node, mass in masses.items()}
