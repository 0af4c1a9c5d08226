"""Checks of what a result carries beside its value: plans, alignments, costs, potentials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.result import Result
from .check import check, evaluate, require, slack
from .checks_values import pair

_MATRICES = ("alignment", "plan", "cost")


@check(pair, share=0.5)
def extras_are_finite(metric: BoundMetric, x: Series, y: Series) -> None:
    """Every extra that a result offers can be had: matrices of shape (n, m), a pair of potentials of lengths n and m,
    w in [0, 1], an objective; all finite, but for the potential of a time without mass, which may be -inf. ``gap`` is
    a number >= 0.

    No tolerance.
    """
    result = evaluate(metric, x, y)
    require(result.gap is None or result.gap >= 0, f"the gap is {result.gap!r}")
    for name in result.available:
        try:
            extra = getattr(result, name, None) if hasattr(type(result), name) else result._extra(name)
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        _well_formed(name, extra, (len(x), len(y)))


def _well_formed(name: str, extra: Any, shape: tuple[int, int]) -> None:
    if name in _MATRICES:
        require(np.shape(extra) == shape, f"{name} has shape {np.shape(extra)}, the series have lengths {shape}")
        require(np.isfinite(extra).all(), f"{name} is not finite")
    elif name == "potentials":
        lengths = tuple(len(side) for side in extra)
        require(lengths == shape, f"potentials have lengths {lengths}, the series {shape}")
        for side in extra:
            require(not np.isnan(side).any() and (np.asarray(side) < np.inf).all(), "a potential is NaN or inf")
    elif name == "w":
        require(0 <= float(extra) <= 1, f"w is {extra!r}")
    elif name == "objective":
        require(math.isfinite(extra), f"the objective is {extra!r}")


@check(pair, share=0.5)
def alignments_visit_every_time(metric: BoundMetric, x: Series, y: Series) -> None:
    """An alignment that is offered lies in [0, 1], is 1 at both ends, and visits each time of x and of y once at least.

    Tolerance: 1e-8.
    """
    result = evaluate(metric, x, y)
    if "alignment" not in result.available:
        return
    alignment = result.alignment
    inside = alignment.min() >= -1e-8 and alignment.max() <= 1 + 1e-8
    require(inside, f"the alignment has entries from {alignment.min()!r} to {alignment.max()!r}")
    ends = alignment[0, 0], alignment[-1, -1]
    require(min(ends) >= 1 - 1e-8, f"the alignment has {ends[0]!r} and {ends[1]!r} at its ends")
    visits = min(alignment.sum(0).min(), alignment.sum(1).min())
    require(visits >= 1 - 1e-8, f"a time is visited {visits!r} times")


@check(pair, when=lambda metric: metric.traits.uses_weights, share=0.5)
def plans_move_the_weights(metric: BoundMetric, x: Series, y: Series) -> None:
    """A plan that is offered is not negative, and moves the weights of x, divided by their sum, to those of y.

    Tolerance: 1e-6 of each weight, or the parameter ``tol`` of the metric where it has a larger one.
    """
    result = evaluate(metric, x, y)
    if "plan" not in result.available:
        return
    plan = result.plan
    require(plan.min() >= -1e-12, f"the plan moves {plan.min()!r}")
    for name, sums, series in (("x", plan.sum(1), x), ("y", plan.sum(0), y)):
        off = np.abs(sums - series.weights / series.weights.sum()).max()
        require(off <= max(1e-6, _own_tolerance(metric)), f"the plan misses a weight of {name} by {off:.1e}")


@check(pair, share=0.5)
def extras_agree_with_the_value(metric: BoundMetric, x: Series, y: Series) -> None:
    """The plan pays the value: its cost under the matrix that is offered. So does an alignment that is one path. Where
    the value is a root or a difference, they pay the objective. Potentials of transport add up to the objective.

    Tolerance: 1e-8 of the scale of the costs, and the certified gap; of the potentials, the parameter ``tol`` of the
    metric where it has a larger one.
    """
    result = evaluate(metric, x, y)
    offers = set(result.available)
    if {"plan", "cost"} <= offers:
        _pays(result, result.plan, "plan", (x, y))
    if {"alignment", "cost"} <= offers and np.isin(np.round(result.alignment, 12), (0.0, 1.0)).all():
        _pays(result, result.alignment, "path", (x, y))
    if {"potentials", "objective"} <= offers and metric.traits.uses_weights and math.isfinite(result.objective):
        _duals_add_up(result, x, y, max(1e-8, _own_tolerance(metric)))


def _pays(result: Result, moved: FloatArray, name: str, series: tuple[Series, Series]) -> None:
    if np.shape(moved) != np.shape(result.cost):
        return
    price = float((moved * result.cost).sum())
    targets = [result.value, *([result.objective] if "objective" in result.available else [])]
    allowed = slack(*series, result, price, float(np.abs(result.cost).max()), rtol=1e-8)
    require(
        min(abs(price - target) for target in targets) <= allowed,
        f"the {name} costs {price!r}, the value is {result.value!r}",
    )


def _own_tolerance(metric: BoundMetric) -> float:
    """What the metric leaves undone by its own rule: the plan of an early stop misses the weights by as much."""
    return float(getattr(metric.params, "tol", 0.0))


def _duals_add_up(result: Result, x: Series, y: Series, rtol: float) -> None:
    total = 0.0
    for side, series in zip(result.potentials, (x, y), strict=True):
        heavy = series.weights > 0
        total += float((series.weights[heavy] / series.weights.sum()) @ np.asarray(side)[heavy])
    # What is lost is relative to the potentials, which may be far above the objective.
    scale = max(float(np.abs(np.asarray(side)[np.isfinite(side)]).max(initial=0.0)) for side in result.potentials)
    allowed = slack(x, y, result, scale, result.objective, rtol=rtol)
    require(
        abs(total - result.objective) <= allowed,
        f"the potentials add up to {total!r}, the objective is {result.objective!r}",
    )


CHECKS = (extras_are_finite, alignments_visit_every_time, plans_move_the_weights, extras_agree_with_the_value)
