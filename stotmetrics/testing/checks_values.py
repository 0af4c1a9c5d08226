"""Checks of the value itself, which every metric must pass."""

import math
import warnings

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..arrays import FloatArray
from ..errors import ConvergenceWarning
from ..series import Series
from ..spec.bound import BoundMetric
from .check import Undecided, check, evaluate, fresh, require, slack, value
from .inputs import alike


def pair(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    """Two series that the metric can compare."""
    return alike(metric, 2, max_length)


def _plain(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max_length, unequal=False, max_dims=1, times=False, weights=False)


def _unequal(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max_length, unequal=True, max_dims=1)


def _wide(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max_length, unequal=False, min_dims=2)


def _timed(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max_length, max_dims=1, times=True, weights=False)


def _weighted(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max_length, max_dims=1, times=False, weights=True)


def _generic(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max_length, generic=True)


def _finite(metric: BoundMetric, x: Series, y: Series) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            got = metric(fresh(x), fresh(y))
        except Exception as error:
            raise AssertionError(f"no value for legal series: {type(error).__name__}: {error}") from error
    require(type(got) is float and math.isfinite(got), f"the value must be a finite float; got {got!r}")


@check(_plain)
def finite_value(metric: BoundMetric, x: Series, y: Series) -> None:
    """Two legal series of equal length and one dimension have a value, and it is a finite float; nothing is raised or
    warned.

    A ConvergenceWarning is honest and allowed here. No tolerance.
    """
    _finite(metric, x, y)


@check(_unequal, when=lambda metric: metric.traits.unequal_length)
def unequal_lengths(metric: BoundMetric, x: Series, y: Series) -> None:
    """A metric that claims ``unequal_length`` has a finite value for every two lengths.

    No tolerance.
    """
    _finite(metric, x, y)


@check(_wide, when=lambda metric: metric.traits.multivariate)
def several_dimensions(metric: BoundMetric, x: Series, y: Series) -> None:
    """A metric that claims ``multivariate`` has a finite value for series of several dimensions.

    No tolerance.
    """
    _finite(metric, x, y)


@check(
    lambda m, n: st.tuples(st.integers(0, 2**16)),
    when=lambda metric: metric.traits.multivariate,
    share=0.1,
    defaults=True,
)
def every_dimension_matters(metric: BoundMetric, seed: int) -> None:
    """A metric that claims ``multivariate`` looks at the last dimension: at its default parameters, on some of 20
    pairs, its change shows.

    Exact: the value must differ in any bit on one pair at least.
    """

    def change(values: FloatArray, rng: np.random.Generator) -> Series:
        values = values.copy()
        values[:, -1] *= rng.uniform(0.5, 2.0, size=len(values))
        return Series(values)

    require(_matters(metric, seed, change), "changing the last dimension of y never changed the value")


@check(_timed, when=lambda metric: metric.traits.uses_times)
def given_times(metric: BoundMetric, x: Series, y: Series) -> None:
    """A metric that claims ``uses_times`` has a finite value for every strictly increasing times, and times
    0, 1, ..., T-1 are the default.

    Tolerance: 1e-12 of the scale.
    """
    _finite(metric, x, y)
    bare = value(metric, Series(x.values), Series(y.values))
    given = value(metric, *(Series(s.values, np.arange(len(s), dtype=np.float64)) for s in (x, y)))
    require(abs(bare - given) <= slack(bare, rtol=1e-12), f"{bare!r} without times, {given!r} with times 0..T-1")


@check(
    lambda m, n: st.tuples(st.integers(0, 2**16)),
    when=lambda metric: metric.traits.uses_times,
    share=0.1,
    defaults=True,
)
def times_matter(metric: BoundMetric, seed: int) -> None:
    """A metric that claims ``uses_times`` looks at them: at its default parameters, on some of 20 pairs,
    other times of y show.

    Exact: the value must differ in any bit on one pair at least.
    """

    def change(values: FloatArray, rng: np.random.Generator) -> Series:
        return Series(values, np.asarray(np.cumsum(rng.uniform(0.3, 3.0, size=len(values))), dtype=np.float64))

    require(_matters(metric, seed, change), "other times of y never changed the value")


@check(_weighted, when=lambda metric: metric.traits.uses_weights)
def given_weights(metric: BoundMetric, x: Series, y: Series) -> None:
    """A metric that claims ``uses_weights`` has a finite value for all weights of mass one, zeros among them, and
    1/T each is the default.

    Tolerance: 1e-12 of the scale.
    """
    _finite(metric, x, y)
    bare = value(metric, Series(x.values), Series(y.values))
    given = value(metric, *(Series(s.values, None, np.full(len(s), 1.0 / len(s))) for s in (x, y)))
    require(abs(bare - given) <= slack(bare, rtol=1e-12), f"{bare!r} without weights, {given!r} with weights 1/T")


@check(
    lambda m, n: st.tuples(st.integers(0, 2**16)),
    when=lambda metric: metric.traits.uses_weights,
    share=0.1,
    defaults=True,
)
def weights_matter(metric: BoundMetric, seed: int) -> None:
    """A metric that claims ``uses_weights`` looks at them: at its default parameters, on some of 20
    pairs, other weights of y show.

    Exact: the value must differ in any bit on one pair at least.
    """

    def change(values: FloatArray, rng: np.random.Generator) -> Series:
        weights = rng.uniform(0.2, 1.0, size=len(values))
        return Series(values, None, weights / weights.sum())

    require(_matters(metric, seed, change), "other weights of y never changed the value")


def _matters(metric: BoundMetric, seed: int, change: object) -> bool:
    """Whether ``change(values of y, rng)`` shows in the value for one of 20 random pairs."""
    assert callable(change)
    rng = np.random.default_rng(seed)
    length = max(4, metric.traits.min_length)
    dims = 2 if metric.traits.multivariate else 1
    undecided = 0
    for _ in range(20):
        x, y = rng.uniform(0.1, 2.0, size=(2, length, dims))
        try:
            if value(metric, Series(x), Series(y)) != value(metric, Series(x), change(y, rng)):
                return True
        except Undecided:
            undecided += 1
    if undecided == 20:
        raise Undecided(f"{metric!r} gave no value for any of 20 random pairs")
    return False


@check(pair, share=0.5)
def deterministic(metric: BoundMetric, x: Series, y: Series) -> None:
    """Asked again, the metric gives the same value, and so does an equal metric made anew.

    Exact: equal in every bit.
    """
    first, second = value(metric, x, y), value(metric, x, y)
    require(first == second, f"first {first!r}, then {second!r}")
    anew = BoundMetric(metric.spec, metric.params) if type(metric) is BoundMetric else metric
    require(value(anew, x, y) == first, "an equal metric gave another value")


@check(pair, share=0.5)
def inputs_untouched(metric: BoundMetric, x: Series, y: Series) -> None:
    """The metric leaves values, times and weights as they were, and takes read-only arrays.

    Exact: equal in every bit.
    """
    before = [fresh(x), fresh(y)]
    given = [fresh(x), fresh(y)]
    try:
        metric.solve(*given)
    except Exception as error:
        raise Undecided(str(error)) from error
    for name, old, new in zip("xy", before, given, strict=True):
        for part in ("values", "times", "weights"):
            require(np.array_equal(getattr(old, part), getattr(new, part)), f"the {part} of {name} were changed")
    frozen = [fresh(x), fresh(y)]
    for series in frozen:
        for array in (series.values, series.times, series.weights):
            array.flags.writeable = False
    try:
        metric.solve(*frozen)
    except ValueError as error:
        raise AssertionError(f"read-only arrays were refused: {error}") from error


@check(_generic, share=0.3)
def double_precision(metric: BoundMetric, x: Series, y: Series) -> None:
    """The value is computed in double precision: along a line, second differences of width 2**-22 are at the level
    of double rounding, not of float32.

    Tolerance: the second largest of seven (one may straddle a kink) within 2e-9 of the scale, and the certified gaps.
    """
    step, direction = 2.0**-22, np.cos(1.0 + np.arange(y.values.size)).reshape(y.values.shape)

    def at(t: float) -> Series:
        return Series(y.values + t * direction, *_given(y))

    errors = []
    for k in range(7):
        middle = 0.013 * (k + 0.37)
        three = [evaluate(metric, x, at(middle + shift)) for shift in (-step, 0.0, step)]
        second = abs(three[0].value - 2 * three[1].value + three[2].value)
        errors.append(second - 4 * slack(x, y, *three, rtol=5e-10))
    worst = sorted(errors)[-2]
    require(worst <= 0, f"the value is rough at the scale of {step:.1e}, by {worst:.1e} beyond double rounding")


def _given(
    series: Series,
) -> tuple[FloatArray | None, FloatArray | None, tuple[int, ...] | None, FloatArray | None]:
    return (
        series.times if series.has_times else None,
        series.weights if series.has_weights else None,
        series.frame_shape,
        series.path_weights,
    )


@check(pair, when=lambda metric: metric.spec.reference is not None)
def agrees_with_reference(metric: BoundMetric, x: Series, y: Series) -> None:
    """The metric agrees with its reference implementation.

    Tolerance: 1e-8 of the scale, and the certified gaps of both.
    """
    result = evaluate(metric, x, y)
    wanted = metric.reference(fresh(x), fresh(y))
    if not wanted.converged:
        raise Undecided(f"the reference of {metric!r} did not converge")
    allowed = slack(x, y, result, wanted, rtol=1e-8)
    require(abs(result.value - wanted.value) <= allowed, f"{result.value!r}, but the reference says {wanted.value!r}")


CHECKS = (
    finite_value,
    deterministic,
    inputs_untouched,
    double_precision,
    agrees_with_reference,
    unequal_lengths,
    several_dimensions,
    every_dimension_matters,
    given_times,
    times_matter,
    given_weights,
    weights_matter,
)
