"""Hypothesis strategies for series, clouds, histograms, frames, cost matrices and the parameters of a metric.

Values are well scaled (about one) and adversarial in structure: ties, constants, duplicates, ramps, single samples.
They are made of small integers, so that a counter-example shrinks to something a person can read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..arrays import FloatArray
from ..spec.bound import bind
from ..spec.parameters import Parameter

if TYPE_CHECKING:
    from ..spec.metric import MetricSpec

# They steer a solver and say nothing about the metric, so a check keeps their defaults.
SOLVER_PARAMETERS = ("tol", "max_iter")

# Hypothesis draws, stores and shrinks one string of bytes far faster than a list of numbers. Bytes shrink to zero, so
# each reader below maps zero to the simplest number.


def _coarse(raw: FloatArray) -> FloatArray:
    """Quarters from -2 to 2, with many ties: 0, -1/4, 1/4, -1/2, ..."""
    return _signed(raw % 17) / 4


def _fine(raw: FloatArray) -> FloatArray:
    """Thousandths from -4 to 4, with few ties, not exact in binary."""
    return _signed(raw % 8001) / 1000


def _mass(raw: FloatArray) -> FloatArray:
    """Tenths from 0.1 to 4."""
    return (raw % 40 + 1) / 10


def _gap(raw: FloatArray) -> FloatArray:
    """Quarters from 1/4 to 3."""
    return (raw % 12 + 1) / 4


def _signed(raw: FloatArray) -> FloatArray:
    return np.where(raw % 2 == 1, -(raw + 1) / 2, raw / 2)


def _draw(draw: DrawFn, read: Callable[[FloatArray], FloatArray], count: int) -> FloatArray:
    raw = draw(st.binary(min_size=2 * count, max_size=2 * count))
    return read(np.frombuffer(raw, dtype=">u2").astype(np.float64))


def _picks(draw: DrawFn, count: int) -> npt.NDArray[np.bool_]:
    return np.asarray(np.frombuffer(draw(st.binary(min_size=count, max_size=count)), dtype=np.uint8) % 2 == 1)


def _order(draw: DrawFn, count: int) -> npt.NDArray[np.intp]:
    """A permutation; the simplest is the identity."""
    return np.argsort(np.frombuffer(draw(st.binary(min_size=count, max_size=count)), dtype=np.uint8), kind="stable")


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


def _rows(draw: DrawFn, read: Callable[[FloatArray], FloatArray], length: int, dims: int) -> FloatArray:
    return _draw(draw, read, length * dims).reshape(length, dims)


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
        return _rows(draw, _coarse, length, dims)
    if kind == "fine":
        return _rows(draw, _fine, length, dims)
    first = _rows(draw, _coarse, 1, dims)
    if kind == "constant":
        return np.repeat(first, length, axis=0)
    if kind == "ramp":
        return np.asarray(first + np.arange(length)[:, None] * _rows(draw, _coarse, 1, dims) / 4)
    if kind == "pulse":
        values = np.repeat(first, length, axis=0)
        values[draw(st.integers(0, length - 1))] += _draw(draw, _coarse, 1)
        return values
    return np.where(_picks(draw, length)[:, None], _rows(draw, _fine, 1, dims), first)


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
        return np.asarray(x + draw(st.sampled_from([1e-3, 1e-6, 1e-9])) * _rows(draw, _coarse, length, dims))
    if kind == "permuted":
        return x[_order(draw, length)]
    if kind == "moved":
        return x + _draw(draw, _coarse, 1)
    if kind == "warped":
        return np.repeat(x, 1 + _picks(draw, length), axis=0)[: max(max_length, length)]
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
        bend = draw(st.sampled_from([0.0, 1e-9, 1e-3])) * _rows(draw, _coarse, len(x), width)
        return x, np.asarray((1 - share) * x + share * z + bend), z
    step = draw(st.sampled_from([1e-1, 1e-3, 1e-6]))
    return x, x + step * _rows(draw, _coarse, len(x), width), x + step * _rows(draw, _coarse, len(x), width)


@st.composite
def permutations(draw: DrawFn, length: int) -> npt.NDArray[np.intp]:
    """A permutation of the given length; the simplest is the identity."""
    return _order(draw, length)


@st.composite
def times(draw: DrawFn, length: int) -> FloatArray:
    """Strictly increasing times of the given length, on a regular or an uneven grid."""
    start = _draw(draw, _coarse, 1)
    gaps = _draw(draw, _gap, length - 1 if draw(st.booleans()) else 1)
    return np.asarray(start + np.concatenate([[0.0], np.cumsum(np.broadcast_to(gaps, length - 1))]))


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
        weights = np.repeat(_draw(draw, _mass, 1), count)
    elif kind == "dirac":
        weights = np.zeros(count)
        weights[draw(st.integers(0, count - 1))] = _draw(draw, _mass, 1)[0]
    else:
        weights = _draw(draw, _mass, count)
        if kind == "sparse":
            kept = _picks(draw, count)
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
    middle = _draw(draw, _coarse, draw(st.integers(0, max_middle)))
    first, step = _draw(draw, _coarse, 2)
    if len(middle) and first == middle[0]:
        first += 0.125
    last = middle[-1] if len(middle) else first
    last += step if step != 0 else 1.0
    x, moved = (
        np.concatenate([np.full(before, first), middle, np.full(after, last)])[:, None]
        for before, after in ((m, m_end), (m + k, m_end - k))
    )
    return Shifted(x, moved, k, m, m_end)


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
        cost = np.broadcast_to(_draw(draw, _coarse, 1), (n, m)).copy()
    elif kind == "rows":
        cost = np.repeat(_rows(draw, _coarse, n, 1), m, axis=1)
    else:
        cost = _rows(draw, _coarse if kind == "coarse" else _fine, n, m)
    return cost if signed else np.abs(cost)


@st.composite
def ground_costs(draw: DrawFn, size: int | SearchStrategy[int] = 4) -> FloatArray:
    """A symmetric ground cost (P, P): squared distances of distinct points of a line or a plane.

    Its kernel ``exp(-M/epsilon)`` is positive definite at every epsilon.
    """
    count = draw(_either(size))
    dims = draw(st.integers(1, 2))
    points = _rows(draw, _coarse, count, dims)
    # Along the first axis the points keep apart.
    points[:, 0] = np.sort(points[:, 0]) + 0.5 * np.arange(count)
    return np.asarray(((points[:, None] - points[None]) ** 2).sum(axis=2))


def params_of(spec: MetricSpec, **fixed: Any) -> SearchStrategy[dict[str, Any]]:
    """Keyword arguments for :func:`get_metric`, drawn from the ranges that the spec declares.

    A parameter keeps its default in half of the draws, and shrinks to it; otherwise it is one of the values it allows,
    an end of its range, or a number near the default or near one. Parameters of a solver (``tol``, ``max_iter``) and
    those with a converter keep their defaults.

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
    bound = bind(spec).params
    defaults = {name: getattr(bound, name) for name in known}
    drawn = {
        name: st.just(defaults[name]) | st.sampled_from(choices_of(name, parameter, defaults[name]))
        for name, parameter in known.items()
        if name not in fixed
    }
    given = {name: v if isinstance(v, SearchStrategy) else st.just(v) for name, v in fixed.items()}
    return st.fixed_dictionaries({**drawn, **given})


def choices_of(name: str, parameter: Parameter, default: Any) -> list[Any]:
    """The values that ``params_of`` draws for a parameter, its default first."""
    if name in SOLVER_PARAMETERS or parameter.convert is not None:
        return [default]
    # An infinite literal is a limit, which may ask more of the series: balanced transport wants equal masses.
    choices = [default, *(value for value in parameter.allow if value not in (math.inf, -math.inf))]
    if parameter.kind is bool:
        choices += [False, True]
    elif parameter.kind is str:
        choices += parameter.choices
    else:
        choices += _numbers(parameter, default)
    return _distinct(choices)


def _numbers(parameter: Parameter, default: Any) -> list[Any]:
    scale = abs(default) if isinstance(default, (int, float)) and math.isfinite(default) and default else 1.0
    to_kind: Callable[[float], Any] = parameter.kind
    candidates = [scale * s for s in (0.5, 2.0, 0.1, 3.0)] + [0.0, 0.5, 1.0, 2.0]
    # An end that only guards against overflow would drown the values of the metric in rounding.
    candidates += [end for end in (parameter.low, parameter.high) if abs(end) <= 1e6 * scale]
    legal = []
    for number in candidates:
        value = to_kind(number)
        above = value > parameter.low if parameter.low_open else value >= parameter.low
        if above and value <= parameter.high:
            legal.append(value)
    return legal


def _distinct(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(type(value) is type(other) and value == other for other in kept):
            kept.append(value)
    return kept
