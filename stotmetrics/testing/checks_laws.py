"""Checks of the laws that a metric claims by its traits."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..paths import shape_of_paths
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.parameters import describe, raising
from .check import Undecided, check, evaluate, fresh, require, slack
from .checks_values import pair
from .inputs import alike

_FIRST = np.zeros(1, dtype=np.intp)


def _single(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 1, max_length)


def _three(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 3, max_length)


def _raised(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    """Two series, and how much larger a parameter becomes."""
    drawn = st.tuples(pair(metric, max_length), st.sampled_from([1.5, 10.0, 1000.0]))
    return drawn.map(lambda d: (*d[0], d[1]))


def _changed(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    """A series, and what another change made of it."""
    changes = [name for name, needs in _CHANGES.items() if needs(metric)]
    drawn = st.tuples(alike(metric, 1, max_length, generic=True), st.sampled_from(changes))
    return drawn.map(lambda d: (d[0][0], _change(d[0][0], d[1])))


# Ways to change a series, and the metrics that can take them.
_CHANGES: dict[str, Callable[[BoundMetric], bool]] = {
    "rescaled": lambda metric: True,
    "offset": lambda metric: True,
    "one sample": lambda metric: True,
    "reversed": lambda metric: metric.traits.min_length > 0,
    "repeated sample": lambda metric: metric.traits.unequal_length,
    "one sample more": lambda metric: metric.traits.unequal_length,
    "other times": lambda metric: metric.traits.uses_times,
    "other weights": lambda metric: metric.traits.uses_weights,
}


def _change(series: Series, how: str) -> Series:
    values, times, weights = series.values.copy(), series.times, series.weights
    if how == "rescaled" or (how in ("reversed", "other weights") and len(values) == 1):
        values = 10.0 * values + 5.0
    elif how == "offset":
        values += 1.0
    elif how == "one sample":
        values[len(values) // 2] += 1.0
    elif how == "reversed":
        values = values[::-1].copy()
    elif how == "repeated sample":
        return Series(np.concatenate([values[:1], values]))
    elif how == "one sample more":
        return Series(np.concatenate([values, values[-1:] + 1.0]))
    elif how == "other times":
        times = 2.0 * times + 1.0
    else:
        weights = weights * np.arange(1.0, len(values) + 1.0)
    return Series(
        values,
        times if series.has_times or how == "other times" else None,
        weights if series.has_weights or how == "other weights" else None,
        series.frame_shape,
        series.path_weights,
    )


def _cut(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    # The multiple of the value at which to give up.
    return st.tuples(alike(metric, 2, max_length), st.sampled_from([0.0, 0.5, 0.99, 1.0, 1.01, 2.0])).map(
        lambda drawn: (*drawn[0], drawn[1])
    )


def _shuffled(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    return st.tuples(alike(metric, 2, max_length), st.integers(0, 2**16)).map(lambda drawn: (*drawn[0], drawn[1]))


def _several_cut(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    shares = st.lists(st.sampled_from([0.0, 0.5, 0.99, 1.01, 2.0, np.inf]), min_size=4, max_size=7)
    return st.tuples(alike(metric, 3, max_length).map(list), shares)


@check(pair, trait="symmetric")
def symmetry(metric: BoundMetric, x: Series, y: Series) -> None:
    """d(x, y) = d(y, x).

    Tolerance: 1e-9 of the scale, and the certified gaps.
    """
    forth, back = evaluate(metric, x, y), evaluate(metric, y, x)
    allowed = slack(x, y, forth, back)
    require(abs(forth.value - back.value) <= allowed, f"d(x, y) = {forth.value!r}, d(y, x) = {back.value!r}")


@check(_single, trait="zero_self")
def zero_on_the_diagonal(metric: BoundMetric, x: Series) -> None:
    """d(x, x) = 0, for the same object and for a copy.

    Tolerance: 1e-7 of the scale (a root of a rounding error is larger than the error), and the certified gap.
    """
    result = evaluate(metric, x, x)
    require(abs(result.value) <= slack(x, result, rtol=1e-7), f"d(x, copy of x) = {result.value!r}")
    copy = fresh(x)
    same = metric.solve(copy, copy)
    require(abs(same.value) <= slack(x, same, rtol=1e-7), f"d(x, x) = {same.value!r}")


@check(pair, trait="nonnegative")
def nonnegativity(metric: BoundMetric, x: Series, y: Series) -> None:
    """d(x, y) >= 0.

    Tolerance: 1e-9 of the scale, and the certified gap.
    """
    result = evaluate(metric, x, y)
    require(result.value >= -slack(x, y, result), f"d(x, y) = {result.value!r}")


@check(_three, trait="triangle", share=2.0)
def triangle_inequality(metric: BoundMetric, x: Series, y: Series, z: Series) -> None:
    """d(x, z) <= d(x, y) + d(y, z): over triples that are unrelated, almost collinear, clustered, permuted, and of
    unequal lengths.

    Tolerance: 1e-9 of the scale, and the certified gaps.
    """
    direct, first, second = (evaluate(metric, a, b) for a, b in ((x, z), (x, y), (y, z)))
    allowed = slack(x, y, z, direct, first, second)
    require(
        direct.value <= first.value + second.value + allowed,
        f"d(x, z) = {direct.value!r} > d(x, y) + d(y, z) = {first.value!r} + {second.value!r}",
    )


@check(_changed, trait="separates")
def separation(metric: BoundMetric, x: Series, y: Series) -> None:
    """d(x, y) > 0 where x and y differ: one rescaled, offset, reversed, with a sample changed, repeated or more, at
    other times or with other weights where the metric uses them.

    Tolerance: 1e-12 of the scale (squares of the largest value), and the certified gap.
    """
    result = evaluate(metric, x, y)
    require(result.value > slack(x, y, result, rtol=1e-12), f"d(x, y) = {result.value!r} between different series")


@check(_shuffled, trait="compares_paths")
def paths_have_no_order(metric: BoundMetric, x: Series, y: Series, seed: int) -> None:
    """A metric that claims ``compares_paths`` gives the same value for the paths of x in another order.

    Tolerance: 1e-9 of the scale, and the certified gaps.
    """
    paths, _ = shape_of_paths(x)
    if paths == 1:
        raise Undecided("a single path has one order")
    before = evaluate(metric, x, y)
    order = np.random.default_rng(seed).permutation(paths)
    values = x.values.reshape(len(x), paths, -1)[:, order].reshape(len(x), -1)
    weights = None if x.path_weights is None else x.path_weights[order]
    after = evaluate(metric, Series(values, frame_shape=x.frame_shape, path_weights=weights), y)
    allowed = slack(x, y, before, after)
    require(abs(before.value - after.value) <= allowed, f"{before.value!r}, and {after.value!r} with paths shuffled")


@check(pair, when=lambda metric: metric.spec.lower_bounds is not None)
def lower_bound_is_below(metric: BoundMetric, x: Series, y: Series) -> None:
    """The lower bound is never above the value.

    Tolerance: 1e-9 of the scale, and the certified gap.
    """
    result = evaluate(metric, x, y)
    low = _bound_alone(metric, metric.prepare(fresh(x)), metric.prepare(fresh(y)))
    require(low <= result.value + slack(x, y, result, low), f"the bound is {low!r}, the value {result.value!r}")


@check(pair, when=lambda metric: metric.spec.lower_bounds is not None)
def bounds_ignore_company(metric: BoundMetric, x: Series, y: Series) -> None:
    """``lower_bounds`` says of each pair, in any company, what it says of it alone.

    Tolerance: 1e-9 of the scale.
    """
    a, b = metric.prepare(fresh(x)), metric.prepare(fresh(y))
    rows, cols = np.array([0, 1, 0, 1, 0]), np.array([1, 0, 0, 1, 1])
    many = metric.lower_bounds([a, b], [a, b], rows, cols)
    for i, j, low in zip(rows, cols, many, strict=True):
        alone = _bound_alone(metric, (a, b)[i], (a, b)[j])
        # Where the costs overflow, both may say nothing: minus infinity.
        same = low == alone or abs(low - alone) <= slack(x, y, alone)
        require(same, f"{float(low)!r} among others, {alone!r} alone")


@check(_cut, when=lambda metric: metric.spec.block is not None)
def abandons_only_what_is_too_far(metric: BoundMetric, x: Series, y: Series, share: float) -> None:
    """``block`` abandons only a pair whose value is above its cutoff, and else gives the value of ``pair``.

    Tolerance: 1e-9 of the scale, and the certified gaps.
    """
    result = evaluate(metric, x, y)
    cutoff = share * result.value
    batch = metric.block([metric.prepare(fresh(x))], [metric.prepare(fresh(y))], _FIRST, _FIRST, np.array([cutoff]))
    if batch.abandoned is not None and batch.abandoned[0]:
        require(result.value >= cutoff - slack(x, y, result), f"abandoned at {cutoff!r}, the value is {result.value!r}")
    elif batch.converged is None or batch.converged[0]:
        gap = 0.0 if batch.gap is None or np.isnan(batch.gap[0]) else float(batch.gap[0])
        require(
            abs(batch.values[0] - result.value) <= slack(x, y, result) + gap,
            f"{batch.values[0]!r} under the cutoff {cutoff!r}, the value is {result.value!r}",
        )


@check(_several_cut, when=lambda metric: metric.spec.block is not None, share=0.5)
def cutoffs_keep_to_their_pair(metric: BoundMetric, series: list[Series], shares: list[float]) -> None:
    """Among pairs with other cutoffs, low, high and infinite, ``block`` still abandons a pair by its own alone.

    Tolerance: 1e-9 of the scale, and the certified gaps.
    """
    pairs = [(i, (i + step) % len(series)) for step in (0, 1, 2) for i in range(len(series))]
    results = [evaluate(metric, series[i], series[j]) for i, j in pairs]
    cutoffs = np.array(
        [
            np.inf if share == np.inf else share * result.value
            for result, share in zip(results, (shares * len(pairs))[: len(pairs)], strict=True)
        ]
    )
    prepared = [metric.prepare(fresh(member)) for member in series]
    rows, cols = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    batch = metric.block(prepared, prepared, rows, cols, cutoffs)
    for k, ((i, j), result) in enumerate(zip(pairs, results, strict=True)):
        allowed = slack(series[i], series[j], result)
        if batch.abandoned is not None and batch.abandoned[k]:
            require(
                result.value >= cutoffs[k] - allowed,
                f"pair ({i}, {j}) abandoned at {cutoffs[k]!r}, it is {result.value!r}",
            )
        elif batch.converged is None or batch.converged[k]:
            gap = 0.0 if batch.gap is None or np.isnan(batch.gap[k]) else float(batch.gap[k])
            require(
                abs(batch.values[k] - result.value) <= allowed + gap,
                f"pair ({i}, {j}): {batch.values[k]!r} under the cutoff {cutoffs[k]!r}, the value is {result.value!r}",
            )


@check(_raised, when=lambda metric: raising(metric.params) is not None)
def a_parameter_raises(metric: BoundMetric, x: Series, y: Series, factor: float) -> None:
    """Where a parameter is said to raise the value, the value at a larger one is no smaller.

    Tolerance: 1e-6 of the larger value, and the certified gaps.
    """
    name = raising(metric.params)
    assert name is not None
    number = getattr(metric.params, name)
    larger = type(number)(min(factor * (number or 1), describe(metric.spec.params)[name].high))
    higher = BoundMetric(metric.spec, replace(metric.params, **{name: larger}))
    low, high = evaluate(metric, x, y), evaluate(higher, x, y)
    allowed = 1e-6 * abs(high.value) + (low.gap or 0.0) + (high.gap or 0.0)
    require(
        high.value >= low.value - allowed,
        f"d(x, y) = {low.value!r} at {name}={number:g}, and less, {high.value!r}, at {name}={larger:g}",
    )


def _bound_alone(metric: BoundMetric, x: Any, y: Any) -> float:
    return float(metric.lower_bounds([x], [y], _FIRST, _FIRST)[0])


CHECKS = (
    symmetry,
    zero_on_the_diagonal,
    nonnegativity,
    triangle_inequality,
    separation,
    paths_have_no_order,
    lower_bound_is_below,
    bounds_ignore_company,
    abandons_only_what_is_too_far,
    cutoffs_keep_to_their_pair,
    a_parameter_raises,
)
