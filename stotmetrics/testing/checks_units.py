"""Checks of what a metric does under other units and other origins of values and times."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..series import Series
from ..spec.bound import BoundMetric
from .check import changed, check, evaluate, require, slack
from .inputs import alike

_EPS = float(np.finfo(np.float64).eps)
_FACTORS = st.sampled_from([0.5, 2.0, 0.1, 10.0, 1e-3, 1e3])
_QUARTERS = st.integers(-40, 40).map(lambda k: k / 4)
# Seconds of some years, and microseconds since 1970 or so: what a difference of squares does not survive.
_VALUE_SHIFTS = _QUARTERS | st.sampled_from([2.0**20, -(2.0**24), 2.0**30])
_TIME_SHIFTS = _QUARTERS | st.sampled_from([2.0**20, -(2.0**30), 2.0**40])


def _scaled(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    return st.tuples(alike(metric, 2, max_length), _FACTORS).map(lambda drawn: (*drawn[0], drawn[1]))


def _own_units(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    return st.tuples(alike(metric, 2, max_length), _FACTORS, _QUARTERS).map(lambda d: (*d[0], d[1], d[2]))


def _values_shifted(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    drawn = st.tuples(alike(metric, 2, max_length, generic=True), _VALUE_SHIFTS)
    return drawn.map(lambda d: (*d[0], d[1]))


def _times_shifted(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    drawn = st.tuples(alike(metric, 2, max_length, times=True), _TIME_SHIFTS)
    return drawn.map(lambda d: (*d[0], d[1]))


@check(_scaled, when=lambda metric: metric.traits.degree is not None)
def homogeneity(metric: BoundMetric, x: Series, y: Series, factor: float) -> None:
    """d(c x, c y) = c ** degree d(x, y), where values are multiplied by c, and times too where the metric uses them.

    Tolerance: 1e-9 of the scale, in the unit of the value, and the certified gaps.
    """
    degree = metric.traits.degree
    assert degree is not None
    before = evaluate(metric, x, y)
    scaled = [changed(s, factor * s.values, factor * s.times if metric.traits.uses_times else None) for s in (x, y)]
    after = evaluate(metric, *scaled)
    wanted = factor**degree * before.value
    allowed = factor**degree * slack(x, y, before) + (after.gap or 0.0)
    require(abs(after.value - wanted) <= allowed, f"{before.value!r} became {after.value!r}, not {wanted!r}")


@check(_own_units, trait="unit_free")
def freedom_of_units(metric: BoundMetric, x: Series, y: Series, factor: float, shift: float) -> None:
    """d(a x + b, y) = d(x, y) for a > 0, in the values and then in the times, where y is left as it is.

    Tolerance: 1e-8 of the scale, and the certified gaps.
    """
    before = evaluate(metric, x, y)
    others = {"values": changed(x, factor * x.values + shift)}
    if metric.traits.uses_times:
        others["times"] = changed(x, x.values, factor * x.times + shift)
    for part, other in others.items():
        after = evaluate(metric, other, y)
        allowed = slack(x, y, before, after, rtol=1e-8)
        require(
            abs(after.value - before.value) <= allowed,
            f"{before.value!r}, and {after.value!r} with the {part} of x in another unit",
        )


@check(_values_shifted, trait="value_invariant")
def invariance_to_a_shift_of_values(metric: BoundMetric, x: Series, y: Series, shift: float) -> None:
    """Adding one number, however large, to all values of both series leaves the value.

    What the sum itself rounds is left out: the number is taken off again from what it became. Tolerance: 1e-8 of the
    scale, a thousand roundings of the number, and the certified gaps: its square may not enter.
    """
    moved = [changed(s, s.values + shift) for s in (x, y)]
    _same(metric, moved, [changed(s, s.values - shift) for s in moved], shift)


@check(_times_shifted, trait="time_invariant")
def invariance_to_a_shift_of_times(metric: BoundMetric, x: Series, y: Series, shift: float) -> None:
    """Adding one number, however large, to all times of both series leaves the value.

    What the sum itself rounds is left out: the number is taken off again from what it became. Tolerance: 1e-8 of the
    scale, a thousand roundings of the number, and the certified gaps: its square may not enter.
    """
    moved = [changed(s, s.values, s.times + shift) for s in (x, y)]
    _same(metric, moved, [changed(s, s.values, s.times - shift) for s in moved], shift)


def _same(metric: BoundMetric, moved: list[Series], still: list[Series], shift: float) -> None:
    after, before = evaluate(metric, *moved), evaluate(metric, *still)
    times = float(max(np.abs(s.times).max() for s in still)) if metric.traits.uses_times else 1.0
    allowed = slack(*still, before, times, rtol=1e-8) + 1e3 * _EPS * abs(shift) + (after.gap or 0.0)
    require(
        abs(after.value - before.value) <= allowed,
        f"{before.value!r}, and {after.value!r} where {shift!r} is added to all",
    )


CHECKS = (homogeneity, freedom_of_units, invariance_to_a_shift_of_values, invariance_to_a_shift_of_times)
