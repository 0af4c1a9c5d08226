"""Series that a metric accepts, drawn from its traits, and the code that writes them down."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..arrays import FloatArray
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.traits import Traits
from . import strategies as our

_STEP = st.sampled_from([1e-1, 1e-3, 1e-6])


def alike(
    metric: BoundMetric,
    count: int,
    max_length: int,
    *,
    unequal: bool | None = None,
    min_dims: int = 1,
    max_dims: int = 3,
    generic: bool = False,
    times: bool | None = None,
    weights: bool | None = None,
) -> SearchStrategy[tuple[Series, ...]]:
    """Series that the metric can compare with each other: hard cases in the values, and in how they are related.

    Parameters
    ----------
    metric : BoundMetric
        Its traits say what a series may be.
    count : int
        How many series.
    max_length : int
        The longest, or a little more where the metric asks for more.
    unequal : bool, optional
        True: all lengths differ; False: all are equal; None: as the traits allow.
    min_dims, max_dims : int
        The range of the number of value dimensions, where the metric takes several.
    generic : bool
        Whether all samples are distinct and well apart: where a metric has no excuse for a jump or a kink.
    times, weights : bool, optional
        Whether they are given; None: as the traits allow.
    """
    if metric.traits.compares_paths:
        return _processes(metric.traits, count, max_length, min_dims, max_dims, generic, weights)
    return _alike(metric.traits, count, max_length, unequal, min_dims, max_dims, generic, times, weights)


@st.composite
def _processes(
    draw: DrawFn,
    traits: Traits,
    count: int,
    max_length: int,
    min_dims: int,
    max_dims: int,
    generic: bool,
    weights: bool | None,
) -> tuple[Series, ...]:
    """Sample paths, of which many share a past unless they are generic; at least as many as times, or a single one."""
    low = max(traits.min_length, 2 if generic else 1)
    length = draw(st.integers(low, max(low, min(max_length, 4))))
    d = draw(st.sampled_from([1, 1, 2])) if max_dims > 1 else 1
    counts = ([1] if min_dims == 1 and d == 1 else []) + ([max(length, 2), length + 2] if max_dims > 1 else [])
    processes: list[Series] = []
    for _ in range(count):
        n = draw(st.sampled_from(counts))
        base = [process.values for process in processes if process.values.shape == (length, n * d)]
        values = _generic_paths(draw, length, n * d) if generic else _paths(draw, traits, base, length, n * d)
        weighted = draw(st.booleans()) if weights is None else weights
        masses = draw(our.histograms(n, zeros=not generic, normalised=True)) if weighted else None
        processes.append(Series(values, frame_shape=(n, d) if d > 1 else None, path_weights=masses))
    return tuple(processes)


def _paths(draw: DrawFn, traits: Traits, others: list[FloatArray], length: int, columns: int) -> FloatArray:
    if others:
        return _related(draw, traits, others, length, columns, generic=False)
    return _values(draw, traits, length, columns, generic=False)


def _generic_paths(draw: DrawFn, length: int, columns: int) -> FloatArray:
    """Values that are distinct at each time and unevenly spaced: no two lie in one cell by a tie."""
    order = np.array([draw(our.permutations(columns)) for _ in range(length)], dtype=np.float64)
    jitter = draw(our.series(min_length=length, max_length=length, dims=columns))
    return np.asarray(0.3 * order**1.4 + 0.01 * jitter - 0.84)


@st.composite
def _alike(
    draw: DrawFn,
    traits: Traits,
    count: int,
    max_length: int,
    unequal: bool | None,
    min_dims: int,
    max_dims: int,
    generic: bool,
    times: bool | None,
    weights: bool | None,
) -> tuple[Series, ...]:
    low = max(traits.min_length, 3 if generic else 1)
    high = max(max_length, low)
    dims = draw(st.integers(min_dims, max_dims)) if traits.multivariate else 1
    varied = traits.unequal_length if unequal is None else unequal
    lengths = _lengths(draw, count, low, high, varied, distinct=bool(unequal))
    arrays = [_values(draw, traits, lengths[0], dims, generic)]
    for length in lengths[1:]:
        # Generic series must differ from each other too, where they would shrink to the same.
        apart = 0.17 * len(arrays) if generic else 0.0
        arrays.append(_related(draw, traits, arrays, length, dims, generic) + apart)
    frames = _frame_shape(draw, traits, dims)
    timed = traits.uses_times and (draw(st.booleans()) if times is None else times)
    weighted = traits.uses_weights and (draw(st.booleans()) if weights is None else weights)
    return tuple(
        Series(
            array,
            draw(our.times(len(array))) if timed else None,
            draw(our.histograms(len(array), zeros=not generic, normalised=True)) if weighted else None,
            frames,
        )
        for array in arrays
    )


def _lengths(draw: DrawFn, count: int, low: int, high: int, varied: bool, *, distinct: bool) -> list[int]:
    if not varied:
        return [draw(st.integers(low, high))] * count
    if distinct:
        high = max(high, low + count - 1)
    return draw(st.lists(st.integers(low, high), min_size=count, max_size=count, unique=distinct))


def _values(draw: DrawFn, traits: Traits, length: int, dims: int, generic: bool) -> FloatArray:
    if generic:
        order = [draw(our.permutations(length)) for _ in range(dims)]
        jitter = draw(our.series(min_length=length, max_length=length, dims=dims))
        # Off zero, where |x| has a kink, and so are those 0.17 above them.
        values = 0.5 * np.array(order, dtype=np.float64).T + 0.01 * jitter - 0.84
        return np.asarray(np.abs(values) + 0.2) if traits.needs_mass else values
    if traits.needs_mass:
        return draw(our.frames(min_length=length, max_length=length, shape=dims))
    return draw(our.series(min_length=length, max_length=length, dims=dims))


def _related(
    draw: DrawFn, traits: Traits, others: list[FloatArray], length: int, dims: int, generic: bool
) -> FloatArray:
    """Values that are unrelated to the others, or near one of them, or between two."""
    base = draw(st.sampled_from(others))
    kinds = ["other"]
    if not generic and len(base) == length:
        kinds += ["equal", "close", "permuted", "between"] + (["heavier"] if traits.needs_mass else ["moved"])
    kind = draw(st.sampled_from(kinds))
    if kind == "equal":
        return base.copy()
    if kind == "close":
        bend = draw(_STEP) * draw(our.series(min_length=length, max_length=length, dims=dims))
        return np.asarray(base * (1 + np.abs(bend))) if traits.needs_mass else base + bend
    if kind == "permuted":
        return np.asarray(base[draw(our.permutations(length))])
    if kind == "heavier":
        return 4 * base
    if kind == "moved":
        return base + draw(st.integers(-8, 8)) / 4
    if kind == "between":
        share = draw(st.integers(1, 7)) / 8
        return np.asarray(share * base + (1 - share) * _values(draw, traits, length, dims, generic))
    return _values(draw, traits, length, dims, generic)


def _frame_shape(draw: DrawFn, traits: Traits, dims: int) -> tuple[int, int] | None:
    if not (traits.needs_mass and traits.multivariate):
        return None
    return draw(st.sampled_from([None, (1, dims)]))


def series_code(series: Series) -> str:
    """Python code that makes the series."""
    values = series.values.tolist() if series.dim > 1 else series.values[:, 0].tolist()
    if series.frame_shape is not None:
        values = series.values.reshape(len(series), *series.frame_shape).tolist()
    if series.path_weights is not None:
        return f"stotmetrics.as_paths({values}, weights={series.path_weights.tolist()})"
    times = f", times={series.times.tolist()}" if series.has_times else ""
    weights = f", weights={series.weights.tolist()}" if series.has_weights else ""
    return f"stotmetrics.as_series({values}{times}{weights})"


def code(drawn: Any) -> str:
    """Python code that makes a drawn value."""
    if isinstance(drawn, Series):
        return series_code(drawn)
    if isinstance(drawn, (tuple, list)):
        inside = ", ".join(code(item) for item in drawn)
        return f"[{inside}]"
    return repr(drawn)
