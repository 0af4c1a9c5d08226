"""Sample paths: a series whose rows hold the values of N paths of one process."""

from typing import Any

import numpy.typing as npt

from .errors import InvalidSeriesError
from .series import Series, read_series, read_weights, with_path_weights


def as_paths(x: Any, *, weights: npt.ArrayLike | None = None, name: str = "x") -> Series:
    """Read N sample paths of one process, for a metric of processes such as ``aot``.

    Parameters
    ----------
    x : array_like of shape (T,), (T, N) or (T, N, d), or Series
        Row t holds the values of all paths at time t: N paths of one value, or of d values, at each time. A single
        path may be of shape (T,).
    weights : array_like of shape (N,), optional
        One for each path: non-negative, not all zero; only their proportions matter. By default all paths count the
        same.
    name : str, default "x"
        What an error message calls this argument.

    Returns
    -------
    Series

    Raises
    ------
    InvalidSeriesError
        The message names the argument, what is wanted, what came, and the way out.

    See Also
    --------
    as_series : one series, with weights for its times.

    Examples
    --------
    >>> import stotmetrics
    >>> fair = stotmetrics.as_paths([[0.0, 0.0], [-1.0, 1.0]])  # up or down after one step
    >>> loaded = stotmetrics.as_paths([[0.0, 0.0], [-1.0, 1.0]], weights=[1.0, 3.0])
    >>> stotmetrics.aot(fair, loaded, p=1, cells=None)
    0.5
    """
    series = read_series(x, name, share=False, stated=True)
    if weights is None:
        return series
    if series.path_weights is not None:
        raise InvalidSeriesError(f"{name} has weights of its paths already; give them once, with the array")
    count = shape_of_paths(series)[0]
    return with_path_weights(series, read_weights(weights, count, count, f"weights of the paths of {name}", "path"))


def shape_of_paths(series: Series) -> tuple[int, int]:
    """(N, d): how many paths, and how many values each has at one time."""
    return (series.dim, 1) if series.frame_shape is None else (series.frame_shape[0], series.frame_shape[1])


def same_values(x: Series, y: Series, x_name: str, y_name: str) -> None:
    """Refuse two processes whose paths have different numbers of values at one time."""
    dims = [shape_of_paths(series)[1] for series in (x, y)]
    if dims[0] != dims[1]:
        raise InvalidSeriesError(
            f"the paths of {x_name} and of {y_name} must have the same number of values at one time, the last axis of "
            f"(T, N, d); got {dims[0]} and {dims[1]}"
        )
