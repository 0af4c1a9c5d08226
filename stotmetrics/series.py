"""Series, and the checking of input data: elsewhere a metric refuses only what its own mathematics cannot take."""

import math
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from . import containers
from .arrays import FloatArray, contiguous, real_array
from .errors import InvalidParameterError, InvalidSeriesError

_set = object.__setattr__


class Series:
    """One time series: values, times, weights. Immutable; made by :func:`as_series`.

    Its arrays are read-only, and no array of someone else can change them: what is not known to be constant is copied.

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
    path_weights : array of shape (N,), optional
        Where a row holds the values of N sample paths (:func:`as_paths`): non-negative, not all zero.

    Examples
    --------
    >>> import stotmetrics
    >>> series = stotmetrics.as_series([1.0, 2.0, 4.0])
    >>> len(series), series.dim, series.times.tolist()
    (3, 1, [0.0, 1.0, 2.0])
    """

    __slots__ = ("_doubts", "_times", "_weights", "frame_shape", "path_weights", "values")

    values: FloatArray
    frame_shape: tuple[int, ...] | None
    path_weights: FloatArray | None
    _times: FloatArray | None
    _weights: FloatArray | None
    _doubts: "Doubts"

    def __init__(
        self,
        values: FloatArray,
        times: FloatArray | None = None,
        weights: FloatArray | None = None,
        frame_shape: tuple[int, ...] | None = None,
        path_weights: FloatArray | None = None,
    ) -> None:
        _set(self, "values", _constant(values))
        _set(self, "frame_shape", frame_shape)
        _set(self, "path_weights", None if path_weights is None else _constant(path_weights))
        _set(self, "_times", None if times is None else _constant(times))
        _set(self, "_weights", None if weights is None else _constant(weights))
        _set(self, "_doubts", NO_DOUBTS)

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
        """Whether the times were given, or told by an index."""
        return self._times is not None

    @property
    def has_weights(self) -> bool:
        """Whether the weights were given."""
        return self._weights is not None

    @property
    def doubts(self) -> "Doubts":
        """What was assumed when the series was read."""
        return self._doubts

    @property
    def dim(self) -> int:
        """The number of values at one time."""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Series cannot be changed; make another one instead of setting {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Series cannot be changed; got the request to delete {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return make_series, (self.values, self._times, self._weights, self.frame_shape, self._doubts, self.path_weights)

    def __repr__(self) -> str:
        shape = (len(self), self.dim) if self.frame_shape is None else (len(self), *self.frame_shape)
        given = [name for name in ("times", "weights") if getattr(self, f"has_{name}")]
        given += ["path_weights"] if self.path_weights is not None else []
        return f"Series(shape={shape}{''.join(f', {name} given' for name in given)})"


@dataclass(frozen=True, slots=True)
class Doubts:
    """What was assumed when a series was read, for the metric to say whether it matters.

    Parameters
    ----------
    axes_assumed : bool
        It came as an array of shape (1, T), read as one time of T values, or of at least ten times as many columns
        as rows.
    times_of_index : bool
        Its times were told by an index and not given: a metric that does not use times says so and goes on.
    even_numbers : bool
        That index was one of evenly spaced numbers: leaving it out loses nothing.
    tall : bool
        It came as an array with more rows than columns, and more than one: a metric of sample paths asks whether its
        rows are times.
    dated : bool
        Its times were dates or durations, which are seconds now: beside a series without times, which count rows, a
        metric of times says so.
    channels : tuple
        What its table called its channels: beside those of another they stand at the same places.
    """

    axes_assumed: bool = False
    times_of_index: bool = False
    even_numbers: bool = False
    tall: bool = False
    dated: bool = False
    channels: tuple[Any, ...] = ()


NO_DOUBTS = Doubts()
_AXES = Doubts(axes_assumed=True)
_TALL = Doubts(tall=True)
# So many columns for each row are more likely times than channels.
_WIDE = 10


def as_series(
    x: Any,
    *,
    times: Any = None,
    weights: npt.ArrayLike | None = None,
    missing: str = "refuse",
    name: str = "x",
) -> Series:
    """Read one time series, and refuse what is not one.

    Parameters
    ----------
    x : array_like of shape (T,), (T, d) or (T, H, W), or Series
        Real numbers of any dtype, order and strides, copied. Trailing rows that are NaN throughout are padding and are
        cut off; NaN anywhere else is refused. The rows of a table (pandas, polars, pyarrow) are times and its columns
        are channels; nullable columns read like plain ones. An xarray dimension ``time`` is found by its name.
    times : array_like of shape (T,), optional
        Strictly increasing numbers, dates or durations. By default what the index of x tells: a DatetimeIndex or a
        TimedeltaIndex, or the coordinate of ``time``, in seconds from the first; an index of numbers as it is, unless
        it counts 0, 1, 2, ... Without any, ``0, 1, ..., T-1``. A metric that does not use times refuses given ones, and
        warns that it leaves out those of an index.
    weights : array_like of shape (T,), optional
        Non-negative, not all zero. By default ``1/T`` each.
    missing : {"refuse", "drop"}, default "refuse"
        What becomes of a row with a NaN or a masked value. "drop" leaves it out and keeps the times of the others, by
        default their positions: metrics that use times need no imputation.
    name : str, default "x"
        What an error message calls this argument.

    Returns
    -------
    Series

    Raises
    ------
    InvalidSeriesError
        The message names the argument, what is wanted, what came, and the way out.
    InvalidParameterError
        If ``missing`` is neither of the two.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.as_series([1, 2, 4], times=[0.0, 0.5, 2.0])
    Series(shape=(3, 1), times given)
    >>> stotmetrics.as_series([[1.0], [2.0], [float("nan")]])  # padded as tslearn pads
    Series(shape=(2, 1))
    >>> stotmetrics.as_series([1.0, float("nan"), 3.0, 4.0], missing="drop").times.tolist()
    [0.0, 2.0, 3.0]
    """
    return read_series(x, name, times=times, weights=weights, missing=missing, share=False, stated=True)


def read_series(
    x: Any,
    name: str,
    *,
    times: Any = None,
    weights: npt.ArrayLike | None = None,
    missing: str = "refuse",
    share: bool = True,
    stated: bool = False,
) -> Series:
    """:func:`as_series` for the functions of this package.

    ``share`` leaves float64 arrays where they are, for a series that lives no longer than the call; ``stated`` says
    that the caller was told how axes are read, so that (1, T) is no assumption.
    """
    if isinstance(x, Series):
        if times is None and weights is None:
            return x
        raise InvalidSeriesError(
            f"{name} is a Series already; give its times and weights when it is made: as_series(values, times=...)"
        )
    content = containers.content_of(x, name)
    _check_missing(missing)
    array = _masked_to_nan(content.values) if missing == "drop" else content.values
    array = real_array(array, name, InvalidSeriesError)
    if array.ndim not in (1, 2, 3):
        hint = "wrap a single number in a list" if array.ndim == 0 else "pass one series at a time"
        raise InvalidSeriesError(f"{name} must have shape (T,), (T, d) or (T, H, W); got shape {array.shape}; {hint}")
    _refuse_empty(array, name)
    frame_shape = array.shape[1:] if array.ndim == 3 else None
    values = contiguous(array.reshape(array.shape[0], -1))
    length = values.shape[0]
    doubts = NO_DOUBTS if stated or content.axes_named else doubts_of(array.shape)
    if len(content.channels) > 1:
        doubts = replace(doubts, channels=content.channels)
    indexed, dated = times is None and content.times is not None, content.dated
    if times is not None:
        times, dated = containers.times_of(times, f"times of {name}")
    elif indexed:
        times = content.times
    if dated:
        doubts = replace(doubts, dated=True)
    kept = _complete_rows(values, name) if missing == "drop" else None
    if kept is not None and kept[: kept.sum()].all():
        values, kept = values[: kept.sum()], None  # what is missing at the end leaves no hole
    if kept is not None:
        known = np.arange(length, dtype=np.float64) if times is None else times
        values, times, weights = _drop(values, kept, known, weights, name)
        length = len(values)
    values = cut_padding(values, name)
    if indexed:
        assert content.times is not None
        even = not content.dated and _is_even(content.times)
        doubts = replace(doubts, times_of_index=kept is None, even_numbers=even)
    return make_series(
        values if share else own_copy(values),
        None if times is None else own_copy(_read_times(times, len(values), length, f"times of {name}")),
        None if weights is None else own_copy(read_weights(weights, len(values), length, f"weights of {name}")),
        frame_shape,
        doubts,
    )


def doubts_of(shape: tuple[int, ...]) -> Doubts:
    """What may be doubted of an array of this shape whose rows are read as times."""
    if len(shape) == 1 or shape[1] == 1:
        return NO_DOUBTS
    if shape[0] > shape[1]:
        return _TALL
    return _AXES if len(shape) == 2 and (shape[0] == 1 or shape[1] >= _WIDE * shape[0]) else NO_DOUBTS


def same_channels(x: Series, y: Series, x_name: str, y_name: str) -> None:
    """Refuse two series with different numbers of channels, in another order, or frames of different shapes."""
    if x.dim != y.dim or (x.frame_shape and y.frame_shape and x.frame_shape != y.frame_shape):
        raise InvalidSeriesError(
            f"{x_name} and {y_name} must have the same number of channels; "
            f"got {x.frame_shape or x.dim} and {y.frame_shape or y.dim}"
            + ("; pass x.T where arrays are (channels, time)" if len(x) == len(y) == 1 else "")
        )
    _same_order(x.doubts.channels, y.doubts.channels, x_name, y_name)


def _same_order(ours: tuple[Any, ...], theirs: tuple[Any, ...], x_name: str, y_name: str) -> None:
    """Refuse two series whose tables name their channels, if a name that both know stands at different places."""
    if ours == theirs or not ours or not theirs or len({*ours}) < len(ours) or len({*theirs}) < len(theirs):
        return
    moved = [name for k, name in enumerate(theirs) if name in ours and ours.index(name) != k]
    if moved:
        raise InvalidSeriesError(
            f"{x_name} and {y_name} must have their channels in the same order; got {_listed(ours)} and "
            f"{_listed(theirs)}; reorder them by name, or pass to_numpy() of both if {moved[0]!r} is not one thing"
        )


def _listed(channels: tuple[Any, ...]) -> str:
    shown = ", ".join(map(repr, channels[:6]))
    return f"({shown}, ...)" if len(channels) > 6 else f"({shown})"


def make_series(
    values: FloatArray,
    times: FloatArray | None,
    weights: FloatArray | None,
    frame_shape: tuple[int, ...] | None,
    doubts: Doubts,
    path_weights: FloatArray | None = None,
) -> Series:
    """A series of arrays that are checked, and constant while it lives."""
    made = Series.__new__(Series)
    _set(made, "path_weights", None if path_weights is None else _read_only(path_weights))
    _set(made, "values", _read_only(values))
    _set(made, "frame_shape", frame_shape)
    _set(made, "_times", None if times is None else _read_only(times))
    _set(made, "_weights", None if weights is None else _read_only(weights))
    _set(made, "_doubts", doubts)
    return made


def with_path_weights(series: Series, weights: FloatArray) -> Series:
    """The same sample paths with weights that are checked."""
    path_weights = own_copy(weights)
    return make_series(series.values, series._times, series._weights, series.frame_shape, series._doubts, path_weights)


def _read_only(array: FloatArray) -> FloatArray:
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def own_copy(array: FloatArray) -> FloatArray:
    """A copy that nothing can write to: the owner of the memory is read-only too."""
    array = np.array(array, order="C")
    array.flags.writeable = False
    return array.view()


def _constant(array: FloatArray) -> FloatArray:
    """The array itself where nothing can write to its memory any more, else a read-only copy."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return own_copy(array)
        owner = owner.base
    return array if owner is None or isinstance(owner, bytes) else own_copy(array)


def _check_missing(missing: Any) -> None:
    if not (isinstance(missing, str) and missing in ("refuse", "drop")):
        raise InvalidParameterError(f"missing must be 'refuse' or 'drop'; got {missing!r}")


def is_masked(x: npt.NDArray[Any]) -> bool:
    return isinstance(x, np.ma.MaskedArray) and bool(np.any(x.mask))


def _masked_to_nan(x: Any) -> Any:
    if isinstance(x, np.ma.MaskedArray) and x.dtype.kind in "fiub":
        return np.ma.filled(x.astype(np.float64), np.nan)  # type: ignore[no-untyped-call]
    return x


def _complete_rows(values: FloatArray, name: str) -> npt.NDArray[np.bool_] | None:
    """Which rows hold no NaN; None if all of them."""
    kept = np.asarray(~np.isnan(values).any(axis=1))
    if not kept.any():
        raise InvalidSeriesError(f"{name} must have at least one row without a missing value; got none")
    return None if kept.all() else kept


def _drop(
    values: FloatArray, kept: npt.NDArray[np.bool_], times: Any, weights: Any, name: str
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """The complete rows with their times and weights."""
    columns: list[FloatArray | None] = []
    for column, what in ((times, "times"), (weights, "weights")):
        if column is None:
            columns.append(None)
            continue
        array = real_array(column, f"{what} of {name}", InvalidSeriesError)
        if array.shape != kept.shape:
            raise InvalidSeriesError(
                f"{what} of {name} must have shape {kept.shape}, one for each row, missing values or not; "
                f"got shape {array.shape}"
            )
        columns.append(array[kept])
    assert columns[0] is not None
    return np.ascontiguousarray(values[kept]), columns[0], columns[1]


def _is_even(times: FloatArray) -> bool:
    steps = np.diff(times)
    return bool(len(steps) == 0 or np.ptp(steps) <= 1e-9 * np.abs(steps).max())


def _refuse_empty(array: FloatArray, name: str) -> None:
    if array.size == 0:
        raise InvalidSeriesError(f"{name} must hold at least one value; got shape {array.shape}")


def cut_padding(values: FloatArray, name: str) -> FloatArray:
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
            f"got {values[t, j]} at time index {t}, channel {j}; drop or interpolate the missing values: "
            "as_series(x, missing='drop') leaves such rows out and keeps the times of the others"
        )
    return values


def _read_column(x: npt.ArrayLike, kept: int, length: int, name: str, what: str = "time") -> FloatArray:
    array = contiguous(real_array(x, name, InvalidSeriesError))
    if array.shape not in ((kept,), (length,)):
        raise InvalidSeriesError(f"{name} must have shape ({kept},), one for each {what}; got shape {array.shape}")
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


def read_weights(x: npt.ArrayLike, kept: int, length: int, name: str, what: str = "time") -> FloatArray:
    """Weights of the ``kept`` first of ``length`` times, or whatever ``what`` calls them."""
    array = _read_column(x, kept, length, name, what)
    if (array < 0).any():
        i = int(np.argmax(array < 0))
        raise InvalidSeriesError(f"{name} must be non-negative; got {array[i]:g} at index {i}")
    if not array.any():
        raise InvalidSeriesError(f"{name} must not all be zero")
    return array
