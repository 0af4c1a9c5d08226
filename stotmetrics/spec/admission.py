"""Which series a metric takes: checks of what came in against the traits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import AxisWarning, InvalidSeriesError, warn_user
from ..paths import same_values
from ..series import Series, same_channels
from ..series_sets import read_dataset
from .traits import Traits


def as_sets(X: Any, Y: Any, traits: Traits, metric: str) -> tuple[list[Series], list[Series] | None]:
    """Read two sets of series whose every pair a metric with these traits can compare; by default one with itself."""
    left = read_set(X, "X", traits, share=True)
    right = None if Y is None else read_set(Y, "Y", traits, share=True)
    check_sets(left, right or left, traits, metric, ("X", "Y" if right else "X"))
    return left, right


def read_set(X: Any, name: str, traits: Traits, *, share: bool = False) -> list[Series]:
    """Read a set of series as a metric with these traits sees them; for ``share`` see :func:`read_series`."""
    return read_dataset(X, name, share=share, alike=not traits.compares_paths)


def check_series(series: Series, traits: Traits, metric: str, name: str) -> None:
    """Refuse a series that a metric with these traits cannot take."""
    if series.dim > 1 and not traits.multivariate:
        way = "; pass x.ravel() if these are the times of one channel" if len(series) == 1 else ""
        raise InvalidSeriesError(
            f"{name} must be univariate for {metric}, shape (T,) or (T, 1); got {series.dim} channels{way}"
        )
    if len(series) < traits.min_length:
        raise InvalidSeriesError(f"{name} must have at least {traits.min_length} times for {metric}; got {len(series)}")
    if series.has_times and not traits.uses_times and not series.doubts.times_of_index:
        raise InvalidSeriesError(f"{metric} does not use times, but {name} has them; make {name} without times")
    if series.has_weights and not traits.uses_weights:
        way = "; as_paths(x, weights=...) gives each path one" if traits.compares_paths else ""
        raise InvalidSeriesError(
            f"{metric} does not use weights, but {name} has them; make {name} without weights{way}"
        )
    if series.path_weights is not None and not traits.compares_paths:
        raise InvalidSeriesError(
            f"{metric} does not compare sample paths, but {name} has weights of its paths; read {name} by as_series"
        )
    if traits.needs_mass and float(series.values.min()) < 0:
        t, p = np.unravel_index(int(series.values.argmin()), series.values.shape)
        raise InvalidSeriesError(
            f"{name} must be non-negative for {metric}: every frame is a histogram; "
            f"got {series.values[t, p]:g} at time index {t}, point {p}"
        )


def warn_of_doubts(series: Sequence[Series], traits: Traits, metric: str) -> None:
    """Say once for all these series what was assumed of them that matters to a metric with these traits."""
    doubts = {member.doubts for member in series}
    # A series of another number of rows beside it shows that rows are times.
    turned = any(doubt.axes_assumed for doubt in doubts) and len({len(member) for member in series}) == 1
    rows, columns = series[0].values.shape
    if turned and not traits.compares_frames and (rows == 1 or not traits.compares_paths):
        told = "one time with T values" if rows == 1 else f"{rows} times with {columns} values each"
        warn_user(
            f"{metric} reads an array of shape ({rows}, {'T' if rows == 1 else columns}) as {told}, as every array is "
            "(times, values); hosts such as aeon hand over (channels, time): pass x.T or x.ravel() then, as in "
            "lambda x, y: metric(x.T, y.T). If it is right, say so by as_series(x)",
            AxisWarning,
        )
    if traits.compares_paths and any(doubt.tall for doubt in doubts):
        warn_user(
            f"{metric} reads an array of shape (T, N) or (T, N, d) as N sample paths at T times, and got more times "
            "than paths; pass x.swapaxes(0, 1) where the paths are rows. If it is right, say so by as_paths(x)",
            AxisWarning,
        )
    if not traits.uses_times and any(doubt.times_of_index and not doubt.even_numbers for doubt in doubts):
        warn_user(
            f"{metric} does not use times and leaves out the index of the data, as if the rows were evenly spaced; "
            "pass x.to_numpy() to say so, or take a metric that uses times, such as tiot",
            AxisWarning,
        )
    counts = traits.uses_times and not traits.unit_free and not all(member.has_times for member in series)
    if counts and any(doubt.dated for doubt in doubts):
        warn_user(
            f"{metric} compares times that come from dates, in seconds, with those of a series without any, which are "
            "0, 1, 2, ...; give all of them times, as in as_series(x, times=...), or none, as in x.to_numpy()",
            AxisWarning,
        )


def check_pair(x: Series, y: Series, traits: Traits, metric: str, x_name: str = "x", y_name: str = "y") -> None:
    """Refuse two series that a metric with these traits cannot compare."""
    if traits.compares_paths:
        same_values(x, y, x_name, y_name)
    else:
        same_channels(x, y, x_name, y_name)
    if len(x) != len(y) and not traits.unequal_length:
        raise InvalidSeriesError(
            f"{metric} compares series of equal length; got {x_name} of length {len(x)} and {y_name} of length {len(y)}"
        )


def check_sets(left: list[Series], right: list[Series], traits: Traits, metric: str, names: tuple[str, str]) -> None:
    """Refuse two sets of series whose every pair a metric with these traits could not compare."""
    sets = (left,) if right is left else (left, right)
    for name, series in zip(names, sets):
        for i, member in enumerate(series):
            check_series(member, traits, metric, f"{name}[{i}]")
            check_pair(left[0], member, traits, metric, f"{names[0]}[0]", f"{name}[{i}]")
    warn_of_doubts(left if right is left else [*left, *right], traits, metric)
