"""Entropic TiOT between long series, without storing a matrix.

The potentials of a thinned pair of series extend to all atoms by the condition of optimality, as long as epsilon is not
finer than the thinned series are; below, those of exact transport are near. From there Newton's method works on the
entries of the plan that matter, at a small epsilon few, or on products with the whole plan, made row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels import _transport as transport
from ..kernels._entropic import Workspace, certificate
from ..kernels._matrixfree import Plan
from .near_plan import NearPlan, ShortIndices, iterate
from .point_clouds import Cloud, powers, stack_clouds
from .semi_dual import Effort, Point, ascend, conjugate_gradients, sweep

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# The thinned series have about this many atoms. They serve from so many times what the atoms left out cost to move to
# them.
COARSE, GRAIN = 400, 2.0

# Entries of a plan may be kept down to exp(-depth) of their row, and then potentials move so many epsilon, if there are
# no more than so many: about 90 bytes each. Steps over the whole plan need the larger entries alone, 12 bytes each.
KEPT = ((300.0, 120.0, 2**20), (100.0, 30.0, 2**20), (36.0, 10.0, 2**21))
LARGER = 16.0, 2**23
# Products with the whole plan, one evaluation each, that a step may take; and how exactly they solve it.
PRODUCTS, RTOL = 100, 1e-3

# Steps go on until one gains so little, in units of epsilon.
LAST = 1e-20
# So many are taken on the entries that matter before the whole plan is looked at, where Ctrl-C is heard.
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Solution:
    """The saddle point; as the kernel for shorter series returns it."""

    status: int
    value: float
    objective: float
    gap: float
    w: float
    steps: int
    f: FloatArray
    g: FloatArray


class WholePlan:
    """The semi-dual over all cells; ``rows`` of its points are what the kernel adds up in its exponent."""

    def __init__(self, x: Cloud, y: Cloud, p: float, epsilon: float) -> None:
        self.x, self.y, self.epsilon = x, y, epsilon
        self.p, self.b, self.log_b = p, y.weights, np.log(y.weights)
        self.plan = Plan(x.values, x.times, y.values, y.times, p)

    def exponents(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """The terms of rows and of columns in the exponents of the plan."""
        return point.rows, point.g / self.epsilon + self.log_b

    def evaluate(self, g: FloatArray, w: float) -> Point:
        """One pass over all cells."""
        alpha, columns, products, slope, curvature = self.plan.sums(
            self.x.weights, g / self.epsilon + self.log_b, w, self.epsilon
        )
        dual = float(self.x.weights @ self.f(alpha) + self.b @ g)
        return Point(g, w, dual, columns, products, slope, curvature, alpha)

    def f(self, alpha: FloatArray) -> FloatArray:
        """The potentials of the rows."""
        return self.epsilon * (alpha - np.log(self.x.weights))

    def solve(self, point: Point, diagonal: FloatArray, right: FloatArray, rtol: float) -> FloatArray:
        """Solve the equations of a step by conjugate gradients: on the larger entries, or with a pass a product."""
        plan = self.entries(point, *LARGER)
        if plan is not None:
            roots = np.repeat(np.sqrt(self.x.weights), np.diff(plan.indptr))
            plan.data /= roots
            return iterate(plan, diagonal, right, rtol)
        alpha, beta = self.exponents(point)

        def apply(v: FloatArray) -> FloatArray:
            return diagonal * v - self.plan.products(alpha, beta, point.w, self.epsilon, self.x.weights, v)

        return conjugate_gradients(apply, diagonal, right, rtol, PRODUCTS)

    def entries(self, point: Point, depth: float, most: int) -> csr_matrix | None:
        """The entries down to a depth below their row or column, if there are no more than ``most``."""
        from scipy.sparse import csr_matrix  # longer to import than a distance may take

        share, a = np.exp(-depth), self.x.weights
        alpha, beta = self.exponents(point)
        entries = self.plan.sparse(alpha, beta, point.w, self.epsilon, share * a, share * point.columns, most)
        return None if entries is None else csr_matrix(entries, shape=(self.x.size, self.y.size))

    def near(self, point: Point, depth: float, most: int) -> NearPlan | None:
        """The problem of the entries that matter, if there are no more than ``most``."""
        plan = self.entries(point, depth, most)
        if plan is None:
            return None
        rows = np.repeat(np.arange(self.x.size, dtype=np.intc), np.diff(plan.indptr))
        D = self.differences(rows, plan.indices)
        return NearPlan(plan, D, rows, self.x.weights, self.b, point, self.epsilon)

    def differences(self, rows: ShortIndices, columns: ShortIndices) -> FloatArray:
        """A - B at some cells."""
        x, y, p = self.x, self.y, self.p
        values = np.sqrt(((x.values[rows] - y.values[columns]) ** 2).sum(axis=1))
        return values**p - np.abs(x.times[rows] - y.times[columns]) ** p

    def certify(self, point: Point) -> tuple[float, float]:
        """(value at a true coupling next to the plan, what that costs, regularised, less the dual value)."""
        epsilon, a, b = self.epsilon, self.x.weights, self.b
        alpha, beta = self.exponents(point)
        v = np.minimum(1.0, b / point.columns)
        rest_b = np.maximum(b - v * point.columns, 0.0)
        mass, of_a, of_b, rest_times_a, rest_times_b = self.plan.costs(a, beta, point.w, epsilon, v, rest_b)
        rest_a, rest = np.maximum(a - mass, 0.0), float(rest_b.sum())
        entropy = float(mass @ self.f(alpha) + (v * point.columns) @ (point.g + epsilon * np.log(v)))
        for left, whole in ((rest_a, a), (rest_b, b)) if rest > 0 else ():
            lacking = left > 0
            entropy += epsilon * float((left[lacking] * np.log(left[lacking] / whole[lacking])).sum())
        return certificate(
            kept=float(mass.sum()),
            rest=rest,
            of_a=float(of_a.sum()),
            of_b=float(of_b.sum()),
            rest_a=float(rest_a @ rest_times_a),
            rest_b=float(rest_a @ rest_times_b),
            entropy=entropy,
            w=point.w,
            epsilon=epsilon,
            dual=point.dual,
        )


class LongProblem:
    """max over w of min over couplings P of <w A + (1 - w) B, P> + epsilon KL(P | a b')."""

    def __init__(self, x: Cloud, y: Cloud, p: float, epsilon: float) -> None:
        self.x, self.y, self.p, self.epsilon = x, y, p, epsilon

    def solve(self, tol: float, max_iter: int) -> Solution:
        """Newton steps from near the saddle point until the certified gap is reached."""
        whole = WholePlan(self.x, self.y, self.p, self.epsilon)
        g, w = self.start(max_iter)
        point, left, value, gap = finish(whole, sweep(whole, whole.evaluate(g, w)), max_iter, tol)
        status = int(gap > allowed(tol, point.dual, self.epsilon))
        return Solution(status, value, point.dual, gap, point.w, max_iter - left, whole.f(point.rows), point.g)

    def start(self, max_iter: int) -> tuple[FloatArray, float]:
        """(g, w) of the thinned problem, or without epsilon where the thinned series cannot tell it."""
        coarse = Coarse(self.x, self.y, self.p)
        if self.epsilon >= GRAIN * coarse.grain:
            return coarse.potentials(self.epsilon, max_iter)
        return exact(self.x, self.y, self.p)

    def dense_plan(self, solution: Solution) -> FloatArray:
        """The plan as a matrix, for those who have the memory; its marginals are right to the gap."""
        C = solution.w * powers(self.x.values, self.y.values, self.p)
        C += (1.0 - solution.w) * powers(self.x.times[:, None], self.y.times[:, None], self.p)
        C /= -self.epsilon
        C += (solution.f / self.epsilon + np.log(self.x.weights))[:, None]
        C += solution.g / self.epsilon + np.log(self.y.weights)
        return np.exp(C, out=C)


def allowed(tol: float, dual: float, epsilon: float) -> float:
    """The gap to reach; see the kernel for shorter series."""
    return tol * max(1.0, abs(dual)) + 4e-13 * epsilon


def finish(whole: WholePlan, point: Point, left: int, tol: float) -> tuple[Point, int, float, float]:
    """Until the gap is reached, or nothing raises the dual: (point, how many steps are left, value, gap)."""
    value, gap = whole.certify(point)
    while left > 0 and gap > allowed(tol, point.dual, whole.epsilon):
        to, count = advance(whole, point, left)
        left -= count
        if to.dual <= point.dual:
            # Rounding has the last word on the step: sweeps never lose.
            to = sweep(whole, to)
        at_value, at_gap = whole.certify(to)
        if to.dual <= point.dual and at_gap >= gap:
            break
        point, value, gap = to, at_value, at_gap
    return point, left, value, gap


def advance(whole: WholePlan, point: Point, left: int) -> tuple[Point, int]:
    """Steps on the entries that matter, or one with the whole plan: (point, how many)."""
    for depth, reach, most in KEPT:
        near = whole.near(point, depth, most)
        if near is not None:
            to, count = ascend(near, near.evaluate(point.g, point.w), Effort(LAST, min(left, AT_ONCE), reach))
            return back(whole, point, to), count
    return ascend(whole, point, Effort(LAST, left, once=True, rtol=RTOL))


def back(whole: WholePlan, point: Point, to: Point) -> Point:
    """The dual of all cells where that of some has led, or nearer where it is no higher: both rise at first."""
    share = 1.0
    while share > 1e-3:
        there = whole.evaluate(point.g + share * (to.g - point.g), point.w + share * (to.w - point.w))
        if there.dual >= point.dual - 1e-12 * (1.0 + abs(point.dual)):
            return there
        share /= 4.0
    return point


def exact(x: Cloud, y: Cloud, p: float) -> tuple[FloatArray, float]:
    """(g, w) of the problem without epsilon: no more than epsilon times an entropy below the maximum of the dual."""
    work, zero = transport.Workspace(), np.zeros(1, dtype=np.intp)
    w = work.tiots(stack_clouds([x]), stack_clouds([y]), zero, zero, p, np.array([np.inf]))[3]
    return work.potentials()[1], float(w[0])


class Coarse:
    """The thinned pair of series."""

    def __init__(self, x: Cloud, y: Cloud, p: float) -> None:
        self.y, self.p = y, p
        (i, self.a), (j, self.b) = thin(x), thin(y)
        self.x_values, self.x_times = x.values[i], x.times[i]
        self.y_values, self.y_times = y.values[j], y.times[j]
        self.grain = max(self.nearest(x, self.x_values, self.x_times), self.nearest(y, self.y_values, self.y_times))

    def costs(self, cloud: Cloud, values: FloatArray, times: FloatArray, w: float) -> Iterator[FloatArray]:
        """The costs from all atoms to thinned ones, some rows at a time."""
        for k in range(0, cloud.size, 1000):
            C = w * powers(cloud.values[k : k + 1000], values, self.p)
            C += (1.0 - w) * powers(cloud.times[k : k + 1000, None], times[:, None], self.p)
            yield C

    def nearest(self, cloud: Cloud, values: FloatArray, times: FloatArray) -> float:
        """What it costs to move every atom of a series to the nearest that is left."""
        each = np.concatenate([C.min(axis=1) for C in self.costs(cloud, values, times, 0.5)])
        return float(cloud.weights @ each)

    def potentials(self, epsilon: float, max_iter: int) -> tuple[FloatArray, float]:
        """(g, w) of the thinned problem, g extended to all atoms by the soft minimum."""
        from scipy.special import logsumexp  # longer to import than a distance may take

        work = Workspace()
        work.etiot(
            *(self.x_values, self.x_times, self.a, self.y_values, self.y_times, self.b),
            *(self.p, epsilon, 1e-6, max_iter),
        )
        f, w = work.potentials()[0], work.w()
        parts = [
            -epsilon * logsumexp((f - C) / epsilon, b=self.a, axis=1)
            for C in self.costs(self.y, self.x_values, self.x_times, w)
        ]
        return np.concatenate(parts), w


def thin(cloud: Cloud) -> tuple[IntArray, FloatArray]:
    """About ``COARSE`` atoms, evenly spread over the order of times, each with the mass of its neighbourhood."""
    edges = np.unique(np.linspace(0, cloud.size, COARSE + 1).astype(np.intp))
    return (edges[:-1] + edges[1:]) // 2, np.add.reduceat(cloud.weights, edges[:-1])
