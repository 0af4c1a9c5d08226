"""Checks of how a metric is called: arrays of any kind, refusals, parameters, configuration."""

import importlib
import importlib.util
import json
import math
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..arrays import FloatArray
from ..errors import AxisWarning, ConvergenceWarning, InvalidParameterError, InvalidSeriesError
from ..series import Series, as_series
from ..spec import registry
from ..spec.bound import BoundMetric, bind
from ..spec.parameters import Parameter
from .check import Undecided, changed, check, fresh, require, slack, value
from .checks_values import pair
from .inputs import alike


def nothing(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Any, ...]]:
    """No drawn values: the law is about the metric alone."""
    return st.just(())


def _plain(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Series, ...]]:
    return alike(metric, 2, max(2, max_length), unequal=False, times=False, weights=False)


def _extreme(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[Any, ...]]:
    return st.tuples(alike(metric, 2, max_length), st.sampled_from([1.0, 1e-160, 1e-300])).map(lambda d: (*d[0], d[1]))


def _spread(values: FloatArray, step: int) -> Any:
    wide = np.full((values.shape[0] * abs(step), values.shape[1] * 2), np.nan)
    wide[::step, ::2] = values
    return wide[::step, ::2]


_FORMS: dict[str, Callable[[FloatArray], Any]] = {
    "nested lists": lambda v: v.tolist(),
    "nested tuples": lambda v: tuple(tuple(row) for row in v.tolist()),
    "int64": lambda v: v.astype(np.int64),
    "int8": lambda v: v.astype(np.int8),
    "float32": lambda v: v.astype(np.float32),
    "big-endian": lambda v: v.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "strides": lambda v: _spread(v, 2),
    "negative strides": lambda v: _spread(v, -1),
}


@check(_plain, share=0.2)
def any_array_will_do(metric: BoundMetric, x: Series, y: Series) -> None:
    """Lists, tuples, integers, float32, big-endian, Fortran-ordered and strided arrays give the value of the float64
    array with the same numbers; one value dimension may be written (T,) or (T, 1).

    Tolerance: 1e-12 of the scale.
    """
    left, right = np.ceil(x.values), np.ceil(y.values)
    wanted = value(metric, Series(left), Series(right))
    forms = dict(_FORMS)
    if x.dim == y.dim == 1:  # processes may differ in the number of their paths
        forms["one dimension"] = lambda v: v[:, 0]
    for name, form in forms.items():
        try:
            got = metric(form(left), form(right))
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        require(abs(got - wanted) <= slack(wanted, rtol=1e-12), f"{name}: {got!r}, but float64 gives {wanted!r}")


@check(_plain, share=0.2)
def narrow_arrays_are_read_exactly(metric: BoundMetric, x: Series, y: Series) -> None:
    """Arrays of float32 and of float16 give the value of their numbers in float64: they are read, and then computed
    with, in double precision.

    Tolerance: 1e-12 of the scale.
    """
    for kind in (np.float32, np.float16):
        left, right = (s.values.astype(kind) for s in (x, y))
        wanted = value(metric, *(Series(v.astype(np.float64)) for v in (left, right)))
        got = metric(left, right)
        require(
            abs(got - wanted) <= slack(wanted, rtol=1e-12),
            f"{np.dtype(kind).name}: {got!r}, but the same numbers in float64 give {wanted!r}",
        )


def _masked(values: FloatArray, hole: bool) -> Any:
    mask = np.zeros(values.shape, dtype=bool)
    mask[0] = hole
    return np.ma.masked_where(mask, values)  # type: ignore[no-untyped-call]


def _table(dtype: str) -> Callable[[FloatArray, bool], Any]:
    def build(values: FloatArray, hole: bool) -> Any:
        pandas = importlib.import_module("pandas")
        table = pandas.DataFrame(values).astype(dtype)
        if hole:
            table.iloc[0] = None
        return table

    return build


# By the packages that they need, which need not be there.
_NULLABLE: tuple[tuple[str, tuple[str, ...], Callable[[FloatArray, bool], Any]], ...] = (
    ("masked array", (), _masked),
    *((f"pandas {dtype}", ("pandas",), _table(dtype)) for dtype in ("Float64", "Int64")),
    ("pandas double[pyarrow]", ("pandas", "pyarrow"), _table("double[pyarrow]")),
)


@check(_plain, share=0.1)
def nullable_arrays_are_read_like_plain_ones(metric: BoundMetric, x: Series, y: Series) -> None:
    """Arrays that may miss entries (masked ones, and where pandas is installed its nullable tables and those backed by
    Arrow) give the value of the plain array where none is missing; where one is, InvalidSeriesError names the argument.

    Tolerance: 1e-12 of the scale.
    """
    left, right = np.ceil(x.values), np.ceil(y.values)
    wanted = value(metric, Series(left), Series(right))
    for name, packages, form in _NULLABLE:
        if all(importlib.util.find_spec(package) for package in packages):
            whole, holed = form(left, False), form(left, True)
            try:
                got = metric(whole, form(right, False))
            except Exception as error:
                raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
            require(abs(got - wanted) <= slack(wanted, rtol=1e-12), f"{name}: {got!r}, but float64 gives {wanted!r}")
            _must_refuse(metric, "x", f"{name} with a missing entry", holed, right)


@check(_extreme, share=0.3)
def settings_of_the_host_do_not_matter(metric: BoundMetric, x: Series, y: Series, size: float) -> None:
    """Where a host asks NumPy to raise at every overflow, underflow, division and invalid number, and Python to raise
    at every warning, the metric gives the same value, or the same refusal: for values of one and for values so small
    that their squares vanish.

    A ConvergenceWarning is honest and allowed here. Tolerance: 1e-12 of the scale.
    """
    left, right = (changed(s, size * s.values) for s in (x, y))
    wanted = _outcome(metric, left, right)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", AxisWarning)
        outcome = _outcome(metric, left, right)
    same = outcome == wanted
    if isinstance(outcome, float) and isinstance(wanted, float):
        same = abs(outcome - wanted) <= slack(wanted, rtol=1e-12)
    require(same, f"{wanted!r}, but {outcome!r} under np.errstate(all='raise') and with warnings as errors")


def _outcome(metric: BoundMetric, x: Series, y: Series) -> float | str:
    try:
        return metric.solve(fresh(x), fresh(y)).value
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@check(
    lambda m, n: st.tuples(st.integers(2, 5)),
    when=lambda metric: (
        metric.traits.multivariate and not metric.traits.compares_frames and metric.traits.min_length <= 1
    ),
    share=0.1,
)
def one_row_is_questioned(metric: BoundMetric, count: int) -> None:
    """Two arrays of shape (1, T) draw one AxisWarning: a host may have handed over (channels, time). As series that say
    so they draw none.

    No tolerance.
    """
    x, y = np.ones((1, count)), np.full((1, count), 2.0)
    for given, wanted in (((x, y), 1), ((Series(x), Series(y)), 0)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                metric(*given)
            except Exception as error:
                raise Undecided(str(error)) from error
        told = [warning for warning in caught if issubclass(warning.category, AxisWarning)]
        kind = type(given[0]).__name__
        require(len(told) == wanted, f"{kind} of shape {x.shape}: {len(told)} warnings, not {wanted}")


def _bad_series(metric: BoundMetric, good: FloatArray) -> Iterator[tuple[str, Any]]:
    """What no metric, or not this one, may accept in the place of ``good``."""
    traits = metric.traits
    nan, inf = good.copy(), good.copy()
    nan[0, 0], inf[-1, -1] = np.nan, np.inf
    yield "NaN", nan
    yield "infinity", inf
    yield "only NaN", np.full_like(good, np.nan)
    yield "an empty list", []
    yield "a number", 1.0
    yield "four dimensions", np.ones((2, 2, 2, 2))
    yield "text", ["a"] * len(good)
    yield "complex numbers", good + 1j
    yield "None", None
    if traits.compares_paths:
        yield "another number of dimensions", np.ones((len(good), 3, 3))
    else:
        yield "another number of dimensions", np.concatenate([good, good, good], axis=1)
    if not traits.multivariate:
        yield "several dimensions", np.ones((len(good), 2))
    if not traits.uses_times:
        yield "times", as_series(good, times=np.arange(len(good)))
    if not traits.uses_weights:
        yield "weights", as_series(good, weights=np.ones(len(good)))
    if traits.needs_mass:
        yield "a negative value", good - good.max() - 1
    if traits.min_length > 1:
        yield "a single sample", good[:1]
    if not traits.unequal_length:
        yield "another length", np.concatenate([good, good[:1]])


@check(_plain, share=0.2)
def bad_series_are_refused(metric: BoundMetric, x: Series, y: Series) -> None:
    """NaN, infinity, empty, 0-d, text, complex, mismatched dimensions, and whatever the traits do not allow raise
    InvalidSeriesError, and the message names the argument.

    No tolerance.
    """
    for name, place in (("x", 0), ("y", 1)):
        for words, bad in _bad_series(metric, (x if name == "x" else y).values):
            given: list[Any] = [x.values.copy(), y.values.copy()]
            given[place] = bad
            _must_refuse(metric, name, words, *given)


def _must_refuse(metric: BoundMetric, name: str, words: str, x: Any, y: Any) -> None:
    """The argument of that name is no series for the metric, which says so."""
    try:
        value = metric(x, y)
    except InvalidSeriesError as error:
        require(name in str(error).split(" ") or f"of {name}" in str(error), f"{words}: {error}")
    except Exception as error:
        raise AssertionError(f"{words} as {name}: {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{words} as {name} was taken, and gave {value!r}")


def _bad_values(parameter: Parameter) -> Iterator[Any]:
    candidates: list[Any] = [object(), "no such choice", math.nan]
    if parameter.convert is None and parameter.kind in (int, float):
        candidates += [None, "1", 1j]
        if parameter.low > -math.inf:
            candidates.append(parameter.low if parameter.low_open else parameter.low - 1)
        if parameter.high < math.inf:
            candidates.append(parameter.high + max(1, abs(parameter.high)))
    if parameter.convert is None and parameter.kind is int:
        candidates.append(parameter.low + 0.5 if parameter.low > -math.inf else 0.5)
    if parameter.convert is None and parameter.kind is str and not parameter.choices:
        candidates.remove("no such choice")
    for candidate in candidates:
        if not any(candidate is legal or candidate == legal for legal in parameter.allow):
            yield candidate


@check(nothing, share=0.1)
def bad_parameters_are_refused(metric: BoundMetric) -> None:
    """An unknown parameter raises TypeError and a value out of range InvalidParameterError; the message names it.

    No tolerance.
    """
    _must_raise(metric, TypeError, "no_such_parameter", 1.0)
    for name, parameter in metric.spec.parameters.items():
        for bad in _bad_values(parameter):
            _must_raise(metric, InvalidParameterError, name, bad)


def _must_raise(metric: BoundMetric, wanted: type[Exception], name: str, bad: Any) -> None:
    try:
        bind(metric.spec, **{name: bad})
    except wanted as error:
        require(name in str(error), f"the message does not name {name}: {error}")
    except Exception as error:
        raise AssertionError(f"{name}={bad!r}: {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{name}={bad!r} was taken")


@check(pair, share=0.2)
def pickles(metric: BoundMetric, x: Series, y: Series) -> None:
    """A pickled metric comes back equal and gives the same value.

    Tolerance: 1e-12 of the scale. A metric of the session pickles if its functions are at the top level of a module.
    """
    wanted = value(metric, x, y)
    try:
        again = pickle.loads(pickle.dumps(metric))
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    require(_params(again) == _params(metric), f"{metric!r} came back as {again!r}")
    require(abs(value(again, x, y) - wanted) <= slack(wanted, rtol=1e-12), "the copy gives another value")


@check(pair, share=0.2)
def config_round_trips(metric: BoundMetric, x: Series, y: Series) -> None:
    """``config()`` is JSON, and ``from_config`` gives back an equal metric with the same value.

    Tolerance: 1e-12 of the scale.
    """
    wanted = value(metric, x, y)
    try:
        config = json.loads(json.dumps(metric.config()))
        known = metric.name in registry.names() and registry.find(metric.name) == metric.spec
        again = BoundMetric.from_config(config) if known else bind(metric.spec, **config["params"])
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    require(config["metric"] == metric.name, f"the name came back as {config['metric']!r}")
    require(_params(again) == _params(metric), f"{metric!r} came back as {again!r}")
    require(abs(value(again, x, y) - wanted) <= slack(wanted, rtol=1e-12), "the copy gives another value")


def _params(metric: BoundMetric) -> dict[str, Any]:
    return {name: getattr(metric.params, name) for name in metric.spec.parameters}


@check(nothing, share=0.2)
def equality_and_hash(metric: BoundMetric) -> None:
    """Two metrics are equal when name and parameters are, then their hashes are; other parameters make another one.

    Exact.
    """
    twin = bind(metric.spec, **_params(metric))
    require(metric == twin, f"{metric!r} is not equal to {twin!r}")
    require(hash(metric) == hash(twin), "equal metrics have different hashes")
    require(metric != metric.name, "a metric is equal to a string")
    for name, parameter in metric.spec.parameters.items():
        for other in (parameter.low + 1, parameter.high - 1, True, False, *parameter.choices, *parameter.allow):
            try:
                changed = bind(metric.spec, **{**_params(metric), name: other})
            except ValueError:
                continue
            same = getattr(changed.params, name) == getattr(metric.params, name)
            require((changed == metric) == same, f"{changed!r} and {metric!r}: equality is wrong")


CHECKS = (
    any_array_will_do,
    narrow_arrays_are_read_exactly,
    nullable_arrays_are_read_like_plain_ones,
    settings_of_the_host_do_not_matter,
    one_row_is_questioned,
    bad_series_are_refused,
    bad_parameters_are_refused,
    pickles,
    config_round_trips,
    equality_and_hash,
)
