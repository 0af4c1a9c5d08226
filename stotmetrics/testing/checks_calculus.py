"""Checks of continuity and of gradients."""

import warnings

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..arrays import FloatArray
from ..errors import ConvergenceWarning, InvalidSeriesError
from ..series import Series
from ..spec.bound import BoundMetric
from .check import Undecided, changed, check, evaluate, fresh, require, slack
from .checks_values import pair
from .inputs import alike

_STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def _near(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    return st.tuples(alike(metric, 1, max_length, generic=True), st.integers(0, 2**16)).map(lambda d: (*d[0], d[1]))


def _anywhere(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    return st.tuples(alike(metric, 2, max_length), st.integers(0, 2**16)).map(lambda d: (*d[0], d[1]))


def _directed(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[object, ...]]:
    return st.tuples(alike(metric, 2, max_length, generic=True), st.integers(0, 2**16)).map(
        lambda d: (_off_ties(d[0][0], d[1]), _off_ties(d[0][1], d[1] + 1), d[1])
    )


def _off_ties(series: Series, seed: int) -> Series:
    """A series next to this one whose values lie on no grid: no two plans or alignments cost the same."""
    return _moved(series, 0.02, _direction(seed, series))


def _moved(series: Series, step: float, direction: FloatArray) -> Series:
    return changed(series, series.values + step * direction)


def _jogged(metric: BoundMetric, series: Series, seed: int) -> Series:
    """The series with all that counts moved by 1e-8 or so; masses by parts of themselves, so that none is negative."""
    rng, step = np.random.default_rng(seed), 1e-8
    values, noise = series.values, rng.uniform(-1.0, 1.0, size=series.values.shape)
    moved = values + step * noise * (values if metric.traits.needs_mass else 1.0)
    times = series.times + step * rng.uniform(-1.0, 1.0, len(series)) if series.has_times else None
    if not series.has_weights:
        return changed(series, moved, times)
    weights = series.weights + step * rng.uniform(0.0, 1.0, len(series))
    return Series(moved, times, weights / weights.sum(), series.frame_shape, series.path_weights)


def _direction(seed: int, series: Series) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, size=series.values.shape)


@check(_near, share=0.5)
def continuity(metric: BoundMetric, x: Series, seed: int) -> None:
    """d(x, y) -> d(x, x) and d(y, x) -> d(x, x) as y -> x, where the samples of x are distinct: no special case for
    equal series, no zeroed diagonal.

    Tolerance: at a distance of 1e-8 the value is within 1e-2 of the scale (a root is allowed its slope).
    """
    y = _moved(x, 1e-8, _direction(seed, x))
    at, right, left = evaluate(metric, x, x), evaluate(metric, x, y), evaluate(metric, y, x)
    allowed = slack(at, right, left, rtol=1e-2)
    for result, words in ((right, "d(x, y)"), (left, "d(y, x)")):
        require(
            abs(result.value - at.value) <= allowed,
            f"d(x, x) = {at.value!r}, but {words} = {result.value!r} for a y within 1e-8 of x",
        )


@check(_anywhere, trait="continuous", share=0.5)
def continuity_everywhere(metric: BoundMetric, x: Series, y: Series, seed: int) -> None:
    """d(x', y') -> d(x, y) as x' -> x and y' -> y, in values, times and weights: also where series are equal, constant
    or zero, where samples are tied, and where a weight is zero.

    Tolerance: at a distance of 1e-8 the value is within 1e-2 of the scale (a root is allowed its slope).
    """
    at, near = evaluate(metric, x, y), evaluate(metric, _jogged(metric, x, seed), _jogged(metric, y, seed + 1))
    require(
        abs(near.value - at.value) <= slack(x, y, at, near, rtol=1e-2),
        f"d(x, y) = {at.value!r}, but {near.value!r} within 1e-8 of it",
    )


@check(pair, when=lambda metric: metric.has_gradient, share=0.5)
def gradient_is_finite(metric: BoundMetric, x: Series, y: Series) -> None:
    """Every two legal series have finite gradients, with the value of the metric and converged where that is: also
    where they are equal, constant or tied. Or the metric refuses a series by name, as one without mass.

    Tolerance: 1e-8 of the scale for the value, and the certified gap.
    """
    result = evaluate(metric, x, y)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            value, *slopes = metric.value_and_grad(fresh(x), fresh(y))
    except InvalidSeriesError as error:
        require(str(error).split(" ")[0] in ("x", "y"), f"the refusal names no series: {error}")
        return
    except Exception as error:
        raise AssertionError(f"no gradient: {type(error).__name__}: {error}") from error
    allowed = slack(x, y, result, value, rtol=1e-8)
    require(abs(value - result.value) <= allowed, f"the gradient comes with {value!r}, the value is {result.value!r}")
    for name, slope, series in zip("xy", slopes, (x, y), strict=True):
        require(slope.shape == series.values.shape, f"grad_{name} has shape {slope.shape}")
        require(np.isfinite(slope).all(), f"grad_{name} is not finite")


@check(_directed, when=lambda metric: metric.has_gradient, share=0.5)
def gradient(metric: BoundMetric, x: Series, y: Series, seed: int) -> None:
    """The gradient in x and in y is the slope of the value along any direction, and comes with the value itself.

    Values lie on no grid: where a metric has kinks, as where two transport plans cost the same, none is likely there.
    Tolerance: central differences at the best of the steps 1e-2 to 1e-6 within 1e-5 of the scale of the gradient; what
    the last digits of the value leave of a difference; and the root of the certified gap: values that are off by it may
    differ in slope by its root.
    """
    result = evaluate(metric, x, y)
    try:
        value, *gradients = metric.value_and_grad(fresh(x), fresh(y))
    except Exception as error:
        raise AssertionError(f"no gradient: {type(error).__name__}: {error}") from error
    allowed = slack(x, y, result, value)
    require(abs(value - result.value) <= allowed, f"the gradient comes with {value!r}, the value is {result.value!r}")
    for name, series, grad in zip("xy", (x, y), gradients, strict=True):
        require(grad.shape == series.values.shape, f"grad_{name} has shape {grad.shape}, not {series.values.shape}")
        direction = _direction(seed, series)
        slope = float((grad * direction).sum())
        errors = [abs(slope - _slope(metric, x, y, name, step, direction)) for step in _STEPS]
        allowed = 1e-5 * (1.0 + float(np.abs(grad).max())) + float(np.sqrt(result.gap or 0.0))
        allowed += 8 * float(np.finfo(np.float64).eps) * abs(value) / max(_STEPS)
        require(
            min(errors) <= allowed,
            f"along a direction in {name} the gradient says {slope!r}; central differences are {min(errors):.1e} off",
        )


def _slope(metric: BoundMetric, x: Series, y: Series, name: str, step: float, direction: FloatArray) -> float:
    ends = []
    for side in (-step, step):
        moved = (_moved(x, side, direction), y) if name == "x" else (x, _moved(y, side, direction))
        try:
            ends.append(evaluate(metric, *moved).value)
        except Undecided:
            return np.inf
    return (ends[1] - ends[0]) / (2 * step)


@check(_directed, when=lambda metric: metric.has_gradient, share=0.3)
def gradients_of_many_pairs(metric: BoundMetric, x: Series, y: Series, seed: int) -> None:
    """``gradients`` says of each pair, in any company and for either side, what it says of it alone.

    Tolerance: 1e-9 of the scale of the gradient, and the root of the certified gap.
    """
    series = [x, y, _moved(y, 0.5, np.abs(_direction(seed, y)))]
    try:
        prepared = [metric.prepare(fresh(s)) for s in series]
        rows, cols = np.array([0, 2, 1, 0], dtype=np.intp), np.array([1, 0, 2, 2], dtype=np.intp)
        alone = [metric.gradients(prepared, prepared, rows[k : k + 1], cols[k : k + 1]) for k in range(len(rows))]
    except Exception as error:
        raise Undecided(str(error)) from error
    for side in ("left", "right", "both"):
        batch = metric.gradients(prepared, prepared, rows, cols, side)  # type: ignore[arg-type]
        for k, single in enumerate(alone):
            unsettled = 0.0 if batch.gap is None else float(np.sqrt(max(batch.gap[k], 0.0)))
            for name in ("left", "right"):
                if side in (name, "both"):
                    got, wanted = getattr(batch, name)[k], getattr(single, name)[0]
                    allowed = 1e-9 * (1.0 + float(np.abs(wanted).max())) + unsettled
                    off = float(np.abs(got - wanted).max())
                    require(off <= allowed, f"side={side!r}: the {name} gradient of pair {k} is {off:.1e} off")


CHECKS = (continuity, continuity_everywhere, gradient, gradient_is_finite, gradients_of_many_pairs)
