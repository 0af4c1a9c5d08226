"""Hypothesis strategies for series, clouds, histograms, frames, cost matrices and the parameters of a metric.

Values are well scaled (about one) and adversarial in structure: ties, constants, duplicates, ramps, single samples.
They are made of small integers, so that a counter-example shrinks to something a person can read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..parameters import Parameter
from ..result import FloatArray

if TYPE_CHECKING:
    from ..spec import MetricSpec

# They steer a solver and say nothing about the metric, so a check keeps their defaults.
SOLVER_PARAMETERS = ("tol", "max_iter")

_COARSE = st.integers(-8, 8).map(lambda k: k / 4)  # many ties
_FINE = st.integers(-4000, 4000).map(lambda k: k / 1000)  # few ties, not exact in binary
_MASS = st.integers(1, 40).map(lambda k: k / 10)
_GAP = st.integers(1, 12).map(lambda k: k / 4)


class Cloud(NamedTuple):
    """Values (T, d), strictly increasing times (T,) and weights (T,) that sum to one."""

    values: FloatArray
    times: FloatArray
    weights: FloatArray


class Shifted(NamedTuple):
    """A series, its copy moved right by ``k`` samples, and the lengths of its constant ends.

    ``x`` is constant on its first ``m`` samples and on its last ``m_end``, and no longer: ``m = on(x)`` and
    ``m_end = T - off(x)``.
    """

    x: FloatArray
    shifted: FloatArray
    k: int
    m: int
    m_end: int


def _rows(draw: DrawFn, element: SearchStrategy[float], length: int, dims: int) -> FloatArray:
    drawn = draw(st.lists(element, min_size=length * dims, max_size=length * dims))
    return np.array(drawn, dtype=np.float64).reshape(length, dims)


def _either(value: int | SearchStrategy[int]) -> SearchStrategy[int]:
    return st.just(value) if isinstance(value, int) else value


@st.composite
def series(
    draw: DrawFn, *, min_length: int = 1, max_length: int = 8, dims: int | SearchStrategy[int] = 1
) -> FloatArray:
    """The values of one series, shape (T, d).

    Parameters
    ----------
    min_length, max_length : int
        The range of T.
    dims : int or strategy of int
        The number d of value dimensions.
    """
    length = draw(st.integers(min_length, max_length))
    return _values(draw, length, draw(_either(dims)))


def _values(draw: DrawFn, length: int, dims: int) -> FloatArray:
    kind = draw(st.sampled_from(["coarse", "fine", "constant", "ramp", "pulse", "repeated"]))
    if kind == "coarse":
        return _rows(draw, _COARSE, length, dims)
    if kind == "fine":
        return _rows(draw, _FINE, length, dims)
    first = _rows(draw, _COARSE, 1, dims)
    if kind == "constant":
        return np.repeat(first, length, axis=0)
    if kind == "ramp":
        return np.asarray(first + np.arange(length)[:, None] * _rows(draw, _COARSE, 1, dims) / 4)
    if kind == "pulse":
        values = np.repeat(first, length, axis=0)
        values[draw(st.integers(0, length - 1))] += draw(_COARSE)
        return values
    picks = draw(st.lists(st.integers(0, 1), min_size=length, max_size=length))
    return np.concatenate([first, _rows(draw, _FINE, 1, dims)])[picks]


@st.composite
def series_pair(
    draw: DrawFn,
    *,
    min_length: int = 1,
    max_length: int = 8,
    dims: int | SearchStrategy[int] = 1,
    unequal_length: bool = True,
) -> tuple[FloatArray, FloatArray]:
    """The values of two series with the same d: unrelated, equal, almost equal, permuted, warped or moved.

    Parameters
    ----------
    min_length, max_length : int
        The range of both lengths.
    dims : int or strategy of int
        The number d of value dimensions.
    unequal_length : bool, default True
        Whether the lengths may differ.
    """
    width = draw(_either(dims))
    x = draw(series(min_length=min_length, max_length=max_length, dims=width))
    return x, _partner(draw, x, min_length, max_length, unequal_length)


def _partner(draw: DrawFn, x: FloatArray, min_length: int, max_length: int, unequal_length: bool) -> FloatArray:
    length, dims = x.shape
    kinds = ["other", "equal", "close", "permuted", "moved"] + ["warped"] * unequal_length
    kind = draw(st.sampled_from(kinds))
    if kind == "equal":
        return x.copy()
    if kind == "close":
        return np.asarray(x + draw(st.sampled_from([1e-3, 1e-6, 1e-9])) * _rows(draw, _COARSE, length, dims))
    if kind == "permuted":
        return x[draw(st.permutations(range(length)))]
    if kind == "moved":
        return np.asarray(x + draw(_COARSE))
    if kind == "warped":
        counts = draw(st.lists(st.integers(1, 2), min_size=length, max_size=length))
        return np.repeat(x, counts, axis=0)[: max(max_length, length)]
    other = draw(st.integers(min_length, max_length)) if unequal_length else length
    return _values(draw, other, dims)


@st.composite
def series_triple(
    draw: DrawFn,
    *,
    min_length: int = 1,
    max_length: int = 6,
    dims: int | SearchStrategy[int] = 1,
    unequal_length: bool = True,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Three series that try to break a triangle inequality: almost collinear, clustered, permuted, of other lengths."""
    width = draw(_either(dims))
    x = draw(series(min_length=min_length, max_length=max_length, dims=width))
    kind = draw(st.sampled_from(["other", "collinear", "clustered"]))
    if kind == "other":
        y, z = (_partner(draw, x, min_length, max_length, unequal_length) for _ in range(2))
        return x, y, z
    if kind == "collinear":
        z = _values(draw, len(x), width)
        share = draw(st.integers(0, 8)) / 8
        bend = draw(st.sampled_from([0.0, 1e-9, 1e-3])) * _rows(draw, _COARSE, len(x), width)
        return x, np.asarray((1 - share) * x + share * z + bend), z
    step = draw(st.sampled_from([1e-1, 1e-3, 1e-6]))
    return x, x + step * _rows(draw, _COARSE, len(x), width), x + step * _rows(draw, _COARSE, len(x), width)


@st.composite
def times(draw: DrawFn, length: int) -> FloatArray:
    """Strictly increasing times of the given length, on a regular or an uneven grid."""
    start = draw(_COARSE)
    if draw(st.booleans()):
        gaps = draw(st.lists(_GAP, min_size=length - 1, max_size=length - 1))
    else:
        gaps = [draw(_GAP)] * (length - 1)
    return start + np.concatenate([[0.0], np.cumsum(gaps)])


@st.composite
def histograms(
    draw: DrawFn, size: int | SearchStrategy[int] = 4, *, zeros: bool = True, normalised: bool = False
) -> FloatArray:
    """One non-negative histogram (P,) of positive mass.

    Parameters
    ----------
    size : int or strategy of int
        The number P of support points.
    zeros : bool, default True
        Whether an entry may be zero; one stays positive.
    normalised : bool, default False
        Whether the mass is one.
    """
    count = draw(_either(size))
    kind = draw(st.sampled_from(["uniform", "positive"] + ["sparse", "dirac"] * zeros))
    if kind == "uniform":
        weights = np.full(count, draw(_MASS))
    elif kind == "dirac":
        weights = np.zeros(count)
        weights[draw(st.integers(0, count - 1))] = draw(_MASS)
    else:
        weights = _rows(draw, _MASS, count, 1)[:, 0]
        if kind == "sparse":
            kept = draw(st.lists(st.booleans(), min_size=count, max_size=count))
            kept[draw(st.integers(0, count - 1))] = True
            weights = np.where(kept, weights, 0.0)
    return weights / weights.sum() if normalised else weights


@st.composite
def clouds(
    draw: DrawFn,
    *,
    min_length: int = 1,
    max_length: int = 8,
    dims: int | SearchStrategy[int] = 1,
    zeros: bool = True,
) -> Cloud:
    """A weighted cloud of values in time; with ``zeros``, weights may be zero."""
    values = draw(series(min_length=min_length, max_length=max_length, dims=dims))
    weights = draw(histograms(len(values), zeros=zeros, normalised=True))
    return Cloud(values, draw(times(len(values))), weights)


@st.composite
def frames(
    draw: DrawFn,
    *,
    min_length: int = 1,
    max_length: int = 4,
    shape: int | tuple[int, int] = 4,
    zeros: bool = True,
) -> FloatArray:
    """A series of non-negative frames, each of positive mass: (T, P), or (T, H, W) when ``shape`` is a pair."""
    size = shape if isinstance(shape, int) else shape[0] * shape[1]
    length = draw(st.integers(min_length, max_length))
    rows = [draw(histograms(size, zeros=zeros)) for _ in range(length)]
    stacked = np.array(rows)
    return stacked if isinstance(shape, int) else stacked.reshape(length, *shape)


@st.composite
def shifted_series(draw: DrawFn, *, max_end: int = 5, max_middle: int = 5) -> Shifted:
    """A one-dimensional series with constant ends, and the same moved right by k < m_end samples."""
    m = draw(st.integers(1, max_end))
    m_end = draw(st.integers(2, max(2, max_end)))
    k = draw(st.integers(1, m_end - 1))
    middle = draw(st.lists(_COARSE, max_size=max_middle))
    first = draw(_COARSE.filter(lambda v: not middle or v != middle[0]))
    last = draw(_COARSE.filter(lambda v: v != (middle[-1] if middle else first)))
    x = np.array([first] * m + middle + [last] * m_end)
    moved = np.array([first] * (m + k) + middle + [last] * (m_end - k))
    return Shifted(x[:, None], moved[:, None], k, m, m_end)


@st.composite
def cost_matrices(
    draw: DrawFn,
    *,
    rows: int | SearchStrategy[int] = st.integers(1, 6),  # noqa: B008 -- a strategy is immutable
    cols: int | SearchStrategy[int] = st.integers(1, 6),  # noqa: B008
    signed: bool = False,
) -> FloatArray:
    """A cost matrix (n, m), with ties, zeros and constant rows; non-negative unless ``signed``."""
    n, m = draw(_either(rows)), draw(_either(cols))
    kind = draw(st.sampled_from(["coarse", "fine", "constant", "zero", "rows"]))
    if kind == "zero":
        return np.zeros((n, m))
    if kind == "constant":
        cost = np.full((n, m), draw(_COARSE))
    elif kind == "rows":
        cost = np.repeat(_rows(draw, _COARSE, n, 1), m, axis=1)
    else:
        cost = _rows(draw, _COARSE if kind == "coarse" else _FINE, n, m)
    return cost if signed else np.abs(cost)


@st.composite
def ground_costs(draw: DrawFn, size: int | SearchStrategy[int] = 4) -> FloatArray:
    """A symmetric ground cost (P, P): squared distances of distinct points of a line or a plane.

    Its kernel ``exp(-M/epsilon)`` is positive definite at every epsilon.
    """
    count = draw(_either(size))
    dims = draw(st.integers(1, 2))
    points = draw(st.lists(st.tuples(*[_COARSE] * dims), min_size=count, max_size=count, unique=True))
    array = np.array(points, dtype=np.float64).reshape(count, dims)
    return np.asarray(((array[:, None] - array[None]) ** 2).sum(axis=2))


def params_of(spec: MetricSpec, **fixed: Any) -> SearchStrategy[dict[str, Any]]:
    """Keyword arguments for ``spec.bind``, drawn from the ranges that the spec declares.

    The default of a parameter is what it shrinks to. Numbers stay within three decades of one, or of the default when
    that is elsewhere. Parameters of a solver (``tol``, ``max_iter``) and those with a converter keep their defaults.

    Parameters
    ----------
    spec : MetricSpec
        The metric.
    **fixed : object
        Values, or strategies, that take the place of the drawn ones.
    """
    known = spec.parameters
    unknown = set(fixed) - set(known)
    if unknown:
        raise TypeError(f"{spec.name} has no parameter {min(unknown)!r}; it has {', '.join(known) or 'none'}")
    defaults = vars(spec.bind().params) if known else {}
    drawn = {
        name: _parameter(parameter, defaults[name], name) for name, parameter in known.items() if name not in fixed
    }
    given = {name: v if isinstance(v, SearchStrategy) else st.just(v) for name, v in fixed.items()}
    return st.fixed_dictionaries({**drawn, **given})


def _parameter(parameter: Parameter, default: Any, name: str) -> SearchStrategy[Any]:
    if name in SOLVER_PARAMETERS or parameter.convert is not None:
        return st.just(default)
    choices = [default, *parameter.allow]
    if parameter.kind is bool:
        choices += [False, True]
    elif parameter.kind is str:
        choices += parameter.choices
    else:
        choices += _numbers(parameter, default)
    return st.sampled_from(_distinct(choices))


def _numbers(parameter: Parameter, default: Any) -> list[Any]:
    scale = abs(default) if isinstance(default, (int, float)) and math.isfinite(default) and default else 1.0
    to_kind: Callable[[float], Any] = parameter.kind
    candidates = [scale * s for s in (1.0, 0.5, 2.0, 0.1, 3.0, 10.0, 0.01)] + [0.0, 0.5, 1.0, 2.0, 0.01]
    candidates += [end for end in (parameter.low, parameter.high) if math.isfinite(end)]
    found = []
    for number in candidates:
        value = to_kind(number)
        above = value > parameter.low if parameter.low_open else value >= parameter.low
        if above and value <= parameter.high:
            found.append(value)
    return found


def _distinct(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(type(value) is type(other) and value == other for other in kept):
            kept.append(value)
    return kept
