"""Series, and the checking of input data: elsewhere a metric refuses only what its own mathematics cannot take."""

import math
import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, any_array, contiguous, real_array, refuse_more_than_memory
from .errors import InvalidSeriesError

# Bytes that a series takes beside its values.
_OVERHEAD = 300


class Series:
    """One time series: values, times, weights. Immutable; made by :func:`as_series`.

    Parameters
    ----------
    values : array of shape (T, d)
        Contiguous float64. An image series is flattened to ``(T, H * W)``.
    times : array of shape (T,), optional
        Strictly increasing; ``0, 1, ..., T-1`` if None.
    weights : array of shape (T,), optional
        Non-negative, not all zero; ``1/T`` each if None.
    frame_shape : tuple of int, optional
        The shape of one frame where the values came as images.

    Examples
    --------
    >>> import stotmetrics
    >>> series = stotmetrics.as_series([1.0, 2.0, 4.0])
    >>> len(series), series.dim, series.times.tolist()
    (3, 1, [0.0, 1.0, 2.0])
    """

    __slots__ = ("_times", "_weights", "frame_shape", "values")

    def __init__(
        self,
        values: FloatArray,
        times: FloatArray | None = None,
        weights: FloatArray | None = None,
        frame_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.values = values
        self.frame_shape = frame_shape
        self._times = times
        self._weights = weights

    @property
    def times(self) -> FloatArray:
        """The times, shape (T,)."""
        return np.arange(len(self), dtype=np.float64) if self._times is None else self._times

    @property
    def weights(self) -> FloatArray:
        """The weights, shape (T,)."""
        return np.full(len(self), 1.0 / len(self)) if self._weights is None else self._weights

    @property
    def has_times(self) -> bool:
        """Whether the times were given."""
        return self._times is not None

    @property
    def has_weights(self) -> bool:
        """Whether the weights were given."""
        return self._weights is not None

    @property
    def dim(self) -> int:
        """The number of values at one time."""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __repr__(self) -> str:
        shape = (len(self), self.dim) if self.frame_shape is None else (len(self), *self.frame_shape)
        given = [name for name in ("times", "weights") if getattr(self, f"has_{name}")]
        return f"Series(shape={shape}{''.join(f', {name} given' for name in given)})"


def as_series(
    x: Any,
    *,
    times: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    name: str = "x",
) -> Series:
    """Read one time series, and refuse what is not one.

    Parameters
    ----------
    x : array_like of shape (T,), (T, d) or (T, H, W), or Series
        Real numbers of any dtype, order and strides; float64 C-contiguous arrays are not copied. Trailing rows that are
        NaN throughout are padding and are cut off; NaN anywhere else is refused.
    times : array_like of shape (T,), optional
        Strictly increasing. By default ``0, 1, ..., T-1``.
    weights : array_like of shape (T,), optional
        Non-negative, not all zero. By default ``1/T`` each.
    name : str, default "x"
        What an error message calls this argument.

    Returns
    -------
    Series

    Raises
    ------
    InvalidSeriesError
        The message names the argument, what is wanted, what came, and the way out.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.as_series([1, 2, 4], times=[0.0, 0.5, 2.0])
    Series(shape=(3, 1), times given)
    >>> stotmetrics.as_series([[1.0], [2.0], [float("nan")]])  # padded as tslearn pads
    Series(shape=(2, 1))
    """
    if isinstance(x, Series):
        if times is None and weights is None:
            return x
        raise InvalidSeriesError(
            f"{name} is a Series already; give its times and weights when it is made: as_series(values, times=...)"
        )
    array = real_array(x, name, InvalidSeriesError)
    if array.ndim not in (1, 2, 3):
        hint = "wrap a single number in a list" if array.ndim == 0 else "pass one series at a time"
        raise InvalidSeriesError(f"{name} must have shape (T,), (T, d) or (T, H, W); got shape {array.shape}; {hint}")
    _refuse_empty(array, name)
    frame_shape = array.shape[1:] if array.ndim == 3 else None
    values = contiguous(array.reshape(array.shape[0], -1))
    length = values.shape[0]
    values = _cut_padding(values, name)
    return Series(
        values,
        None if times is None else _read_times(times, len(values), length, f"times of {name}"),
        None if weights is None else _read_weights(weights, len(values), length, f"weights of {name}"),
        frame_shape,
    )


def as_dataset(X: Any, *, name: str = "X") -> list[Series]:
    """Read a set of series: a sequence of them, or an array whose first axis counts them.

    Parameters
    ----------
    X : sequence of array_like or Series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        Lengths may differ in a sequence; an array may be padded with trailing NaN rows.
    name : str, default "X"
        What an error message calls this argument.

    Returns
    -------
    list of Series

    Raises
    ------
    InvalidSeriesError
        Naming the first series that cannot be used.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.as_dataset([[1.0, 2.0], [1.0, 2.0, 3.0]])
    [Series(shape=(2, 1)), Series(shape=(3, 1))]
    """
    if isinstance(X, memoryview) or (hasattr(X, "__array__") and not isinstance(X, np.ndarray)):
        X = any_array(X, name, InvalidSeriesError)
    single = isinstance(X, (Series, str, bytes, dict)) or (isinstance(X, np.ndarray) and X.ndim == 0)
    if single or not hasattr(X, "__iter__"):
        raise InvalidSeriesError(
            f"{name} must be a sequence of series or an array of shape (n, T), (n, T, d) or (n, T, H, W); "
            f"got {_kind_of(X)}; wrap a single series in a list: [{name}]"
        )
    if isinstance(X, np.ndarray):
        # Strides of zero can claim any size; a row that kernels can read is not copied.
        shared = X.dtype == np.float64 and X[:1].flags.c_contiguous
        need = len(X) * _OVERHEAD + (0 if shared else 8 * X.size)
        refuse_more_than_memory(need, f"{name}, of shape {X.shape},", "pass fewer series at a time")
    items = list(X)
    if not items:
        raise InvalidSeriesError(f"{name} must hold at least one series; got none")
    if isinstance(items[0], numbers.Number) or (isinstance(items[0], np.ndarray) and items[0].ndim == 0):
        raise InvalidSeriesError(
            f"{name} must hold series, but its first item is a number; wrap a single series in a list: [{name}]"
        )
    found = [as_series(item, name=f"{name}[{i}]") for i, item in enumerate(items)]
    for i, series in enumerate(found):
        same_channels(found[0], series, f"{name}[0]", f"{name}[{i}]")
    return found


def same_channels(x: Series, y: Series, x_name: str, y_name: str) -> None:
    """Refuse two series with different numbers of channels, or frames of different shapes."""
    if x.dim != y.dim or (x.frame_shape and y.frame_shape and x.frame_shape != y.frame_shape):
        raise InvalidSeriesError(
            f"{x_name} and {y_name} must have the same number of channels; "
            f"got {x.frame_shape or x.dim} and {y.frame_shape or y.dim}"
        )


def _kind_of(x: Any) -> str:
    return f"an array of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__


def _refuse_empty(array: FloatArray, name: str) -> None:
    if array.size == 0:
        raise InvalidSeriesError(f"{name} must hold at least one value; got shape {array.shape}")


def _cut_padding(values: FloatArray, name: str) -> FloatArray:
    """Cut trailing rows that are NaN throughout; refuse any other NaN or infinity."""
    # The sum of squares is finite if every entry is, unless it overflows: then look closer.
    if math.isfinite(np.vdot(values, values)):
        return values
    padding = np.asarray(np.isnan(values).all(axis=1))
    length = len(values) - int(np.argmin(padding[::-1])) if not padding.all() else 0
    if length == 0:
        raise InvalidSeriesError(f"{name} must hold at least one value; got only NaN")
    values = values[:length]
    bad = ~np.isfinite(values)
    if bad.any():
        t, j = (int(k) for k in np.argwhere(bad)[0])
        raise InvalidSeriesError(
            f"{name} must be finite, with NaN only as trailing padding; "
            f"got {values[t, j]} at time index {t}, value {j}; drop or interpolate the missing values"
        )
    return values


def _read_column(x: npt.ArrayLike, kept: int, length: int, name: str) -> FloatArray:
    array = contiguous(real_array(x, name, InvalidSeriesError))
    if array.shape not in ((kept,), (length,)):
        raise InvalidSeriesError(f"{name} must have shape ({kept},), one for each time; got shape {array.shape}")
    array = array[:kept]
    if not np.isfinite(array).all():
        i = int(np.argmin(np.isfinite(array)))
        raise InvalidSeriesError(f"{name} must be finite; got {array[i]} at index {i}")
    return array


def _read_times(x: npt.ArrayLike, kept: int, length: int, name: str) -> FloatArray:
    array = _read_column(x, kept, length, name)
    steps = np.diff(array)
    if np.any(steps <= 0):
        i = int(np.argmin(steps > 0))
        raise InvalidSeriesError(
            f"{name} must increase strictly; got {array[i]:g} at index {i} and {array[i + 1]:g} at index {i + 1}; "
            "sort the series by time and merge equal times"
        )
    return array


def _read_weights(x: npt.ArrayLike, kept: int, length: int, name: str) -> FloatArray:
    array = _read_column(x, kept, length, name)
    if (array < 0).any():
        i = int(np.argmax(array < 0))
        raise InvalidSeriesError(f"{name} must be non-negative; got {array[i]:g} at index {i}")
    if not array.any():
        raise InvalidSeriesError(f"{name} must not all be zero")
    return array
