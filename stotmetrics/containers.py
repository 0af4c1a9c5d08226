"""Containers of other packages, known by what they offer: where their times are, and which axis is which.

No package is imported. pandas, xarray, polars and pyarrow are what is meant; what quacks like them is read like them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, is_sparse, real_array
from .errors import InvalidSeriesError

# A column of one of these names is more likely the time axis than a channel.
TIME_NAMES = frozenset({"time", "times", "timestamp", "timestamps", "date", "datetime"})
# Names that say of an axis whether it counts series or the values at one time.
_INSTANCE_NAMES = frozenset(
    {
        "instance",
        "instances",
        "case",
        "cases",
        "sample",
        "samples",
        "series",
        "id",
        "trial",
        "trials",
        "subject",
        "epoch",
    }
)
_CHANNEL_NAMES = frozenset(
    {"channel", "channels", "ch", "variable", "variables", "feature", "features", "dim", "sensor", "sensors", "space"}
)

_ONE_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True, slots=True)
class Content:
    """What a container holds: an array whose first axis is time, and the times its index tells, if it tells any."""

    values: Any
    times: FloatArray | None = None
    # Whether the index was made of dates or durations, which nobody takes for mere row numbers.
    dated: bool = False
    # Whether the container itself said which axis is time.
    axes_named: bool = False
    # What it calls its channels, if it does.
    channels: tuple[Any, ...] = ()


def content_of(x: Any, name: str) -> Content:
    """Read one series from any container; what is none of them passes through."""
    if isinstance(x, (np.ndarray, list, tuple)):
        return Content(np.asarray(x) if isinstance(x, np.matrix) else x)
    if is_sparse(x):
        return Content(x)  # refused where its numbers are read
    if is_labelled_array(x):
        return _from_labelled_array(x, name)
    if hasattr(x, "data_vars"):
        raise InvalidSeriesError(
            f"{name} must be one array; got a {_kind(x)} of several; pass one of them, as in x['name'], "
            "or x.to_dataarray('channel')"
        )
    if _is_groupby(x):
        raise InvalidSeriesError(f"{name} must be one series; got a {_kind(x)}; pass one group, or as_dataset of them")
    if is_frame(x):
        return _from_frame(x, name)
    if hasattr(x, "to_numpy"):
        return _from_column(x, name)
    if isinstance(x, Iterator) or _is_view(x):
        return Content(list(x))
    return Content(x)


def sequence_of(X: Any, name: str) -> Any:
    """Read a set of series as a sequence of single ones, or as an array whose first axis counts them."""
    if isinstance(X, Mapping) and not hasattr(X, "data_vars"):
        raise InvalidSeriesError(
            f"{name} must be a sequence of series, and the keys of a {_kind(X)} are not series; "
            "pass list(d.values()), and keep list(d) for the names"
        )
    if isinstance(X, (set, frozenset)):
        raise InvalidSeriesError(
            f"{name} must be a sequence of series; got a {_kind(X)}, which has no order; pass a list"
        )
    if isinstance(X, (np.ndarray, list, tuple)):
        return np.asarray(X) if isinstance(X, np.matrix) else X
    if is_sparse(X):
        raise InvalidSeriesError(f"{name} must be dense; got a sparse {_kind(X)}; pass {name}.toarray()")
    if is_labelled_array(X):
        return _instances_of_labelled_array(X, name)
    if _is_groupby(X):
        raise InvalidSeriesError(f"{name} must be a sequence of series; got a {_kind(X)}; pass [g for _, g in {name}]")
    if hasattr(X, "data_vars"):
        raise InvalidSeriesError(
            f"{name} must be a sequence of series; got a {_kind(X)} of several variables; "
            "pass to_dataarray('instance') if each is a series, or [x.to_dataarray('channel')] if each is a channel"
        )
    if is_frame(X):
        if getattr(getattr(X, "index", None), "nlevels", 1) > 1:
            return _instances_of_frame(X, name)
        raise _ambiguous_frame(X, name)
    if hasattr(X, "to_numpy"):
        if getattr(getattr(X, "index", None), "nlevels", 1) > 1:
            return _instances_of_frame(X, name)
        return X.to_pylist() if hasattr(X, "to_pylist") else list(X)
    return X


def is_labelled_array(x: Any) -> bool:
    """Whether x is like an xarray DataArray: an array whose axes have names."""
    return hasattr(x, "dims") and hasattr(x, "coords") and hasattr(x, "transpose") and not hasattr(x, "data_vars")


def is_frame(x: Any) -> bool:
    """Whether x is a table with named columns, like those of pandas, polars and pyarrow."""
    # A lazy table is asked for nothing: its columns may cost a query.
    return not _is_lazy(x) and hasattr(x, "columns") and (hasattr(x, "to_numpy") or hasattr(x, "column_names"))


def times_of(x: Any, name: str) -> tuple[FloatArray, bool]:
    """Times as float64, and whether they were dates or durations, which become seconds from the first."""
    if isinstance(x, Iterator) or _is_view(x):
        x = list(x)
    array = _stamps(x)
    return (real_array(x, name, InvalidSeriesError), False) if array is None else (_seconds(array, name), True)


def _from_frame(frame: Any, name: str) -> Content:
    """A table is one series: its rows are times and its columns are channels."""
    names = _names(frame)
    for column in names:
        if str(column).lower() in TIME_NAMES:
            way = (
                f"pass x.set_index({column!r})"
                if hasattr(frame, "set_index")
                else f"pass as_series(x without it, times=x[{column!r}])"
            )
            raise InvalidSeriesError(
                f"{name} has a column {column!r} beside its values; {way}, or rename it if it is a channel"
            )
    index = _index(frame, name)
    columns = [_plain_column(column) for column in _columns(frame)]
    if not columns:
        raise InvalidSeriesError(f"{name} must hold at least one value; got a {_kind(frame)} without columns")
    kinds = {column.dtype.kind for column in columns}
    if not kinds <= set("fiub"):
        k = next(k for k, column in enumerate(columns) if column.dtype.kind not in "fiub")
        raise InvalidSeriesError(
            f"{name} must hold real numbers; got dtype {columns[k].dtype} in column {names[k]!r}; "
            "convert it, set it as the index if it holds the times, or leave it out"
        )
    checked = [
        real_array(column, f"column {key!r} of {name}", InvalidSeriesError) for key, column in zip(names, columns)
    ]
    return Content(np.stack(checked, axis=1), *index, channels=tuple(names))


def _from_column(column: Any, name: str) -> Content:
    return Content(_plain_column(column), *_index(column, name))


def _plain_column(column: Any) -> npt.NDArray[Any]:
    """The values of one column as a plain array; what is missing becomes NaN where the column holds numbers."""
    kind = getattr(getattr(column, "dtype", None), "kind", None)
    if kind in tuple("fiub") and not isinstance(column.dtype, np.dtype):
        # A nullable column: integers stay integers unless one is missing, so that none is rounded unseen.
        if not column.isna().any():
            return np.asarray(column.to_numpy(dtype=getattr(column.dtype, "numpy_dtype", np.float64)))
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if hasattr(column, "to_pylist"):
        return np.asarray(column.to_numpy()) if hasattr(column, "num_chunks") else column.to_numpy(zero_copy_only=False)
    return np.asarray(column.to_numpy())


def _index(x: Any, name: str) -> tuple[FloatArray | None, bool]:
    """The times that the index of a pandas object tells, and whether they were dates or durations."""
    index = getattr(x, "index", None)
    if index is None or callable(index):
        return None, False
    if getattr(index, "nlevels", 1) > 1:
        raise InvalidSeriesError(
            f"{name} must be one series, and its index has {index.nlevels} levels; pass one instance, "
            "as in x.loc['a'], or the set of them to as_dataset, pairwise or kneighbors"
        )
    return index_times(index, f"index of {name}")


def index_times(index: Any, name: str) -> tuple[FloatArray | None, bool]:
    """The times an index tells, if it tells any, and whether they were dates or durations.

    Dates and durations are seconds from the first. Numbers are times unless they count 0, 1, 2, ... Text is no time,
    and text that looks like dates is refused.
    """
    stamps = _stamps(index.to_timestamp() if hasattr(index, "to_timestamp") else index)
    if stamps is not None:
        return _increasing(_seconds(stamps, name), name), True
    array = index.to_numpy() if hasattr(index, "to_numpy") else np.asarray(index)
    if array.dtype.kind in "fiu":
        times = real_array(array, name, InvalidSeriesError)
        if np.array_equal(times, np.arange(len(times))):
            return None, False
        return _increasing(times, name), False
    if array.dtype.kind in "OUT" and len(array) and _looks_like_a_date(array.flat[0]):
        raise InvalidSeriesError(
            f"{name} holds dates as text, such as {str(array.flat[0])!r}; convert it, as in pd.to_datetime(x.index), "
            "or pass x.to_numpy() if they are not the times"
        )
    return None, False


def _stamps(x: Any) -> npt.NDArray[Any] | None:
    """Dates as datetime64 and durations as timedelta64; None for anything else."""
    if isinstance(x, (list, tuple)) and not (x and _is_stamp(x[0])):
        return None
    dtype = getattr(x, "dtype", None)
    if getattr(dtype, "tz", None) is not None and hasattr(x, "to_numpy"):
        # A time zone names an instant; the differences are the same in UTC.
        return np.asarray(x.to_numpy(dtype="datetime64[us]"))
    try:
        array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
    except Exception:  # what is no array at all is refused where its numbers are read
        return None
    if array.dtype.kind == "O" and array.size:
        first = array.flat[0]
        wanted = "M8[us]" if hasattr(first, "year") else "m8[us]" if hasattr(first, "total_seconds") else None
        if wanted is None or isinstance(first, str):
            return None
        try:
            if getattr(first, "tzinfo", None) is not None:
                return np.array([stamp - first for stamp in array.flat]).astype("m8[us]")
            return array.astype(wanted)
        except (TypeError, ValueError):
            return None
    return array if array.dtype.kind in "mM" else None


def _is_stamp(item: Any) -> bool:
    return isinstance(item, (np.datetime64, np.timedelta64)) or hasattr(item, "year") or hasattr(item, "total_seconds")


def _seconds(stamps: npt.NDArray[Any], name: str) -> FloatArray:
    """Seconds from the first stamp; the subtraction is one of integers, so nothing is lost to a distant epoch."""
    if stamps.ndim != 1:
        raise InvalidSeriesError(f"{name} must have one axis; got shape {stamps.shape}")
    missing = np.isnat(stamps)
    if missing.any():
        raise InvalidSeriesError(f"{name} must be known for every row; got NaT at index {int(missing.argmax())}")
    return np.asarray((stamps - stamps[:1]) / _ONE_SECOND, dtype=np.float64)


def _increasing(times: FloatArray, name: str) -> FloatArray:
    steps = np.diff(times)
    if not (steps > 0).all():
        i = int(np.argmin(steps > 0))
        raise InvalidSeriesError(
            f"{name} must increase strictly; got {times[i]:g} at row {i} and {times[i + 1]:g} at row {i + 1}; "
            "sort it, as in x.sort_index(), and merge equal times, or drop it by x.reset_index(drop=True) "
            "if it does not hold the times"
        )
    return times


def _looks_like_a_date(text: Any) -> bool:
    if not isinstance(text, str) or len(text) < 8 or not text[:4].isdigit():
        return False
    try:
        np.datetime64(text.replace("/", "-").rstrip("Z"))
    except ValueError:
        return False
    return True


def _instances_of_frame(frame: Any, name: str) -> list[Any]:
    """The series of a frame or column whose index is (instance, time), in the order in which they first come."""
    index = frame.index
    if index.nlevels != 2:
        raise InvalidSeriesError(
            f"{name} must have an index of two levels, (instance, time); got {index.nlevels} levels; "
            "join the levels that name an instance"
        )
    _refuse_swapped(index, name)
    codes = np.asarray(index.codes[0])
    if (codes < 0).any():
        raise InvalidSeriesError(f"{name} must name an instance in every row; row {int((codes < 0).argmax())} has none")
    # One stable sort instead of one search for each instance.
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    groups = np.split(order, starts[1:])
    groups.sort(key=lambda rows: int(rows[0]))
    return [frame.iloc[rows].droplevel(0) for rows in groups]


def _refuse_swapped(index: Any, name: str) -> None:
    """Refuse an index (time, instance), where its names or its dates tell."""
    first, second = (str(level).lower() for level in index.names)
    dated = [level.dtype.kind in "mM" or getattr(level.dtype, "tz", None) is not None for level in index.levels]
    told = (first in TIME_NAMES) - (second in TIME_NAMES) or (second in _INSTANCE_NAMES) - (first in _INSTANCE_NAMES)
    if told > 0 or (told == 0 and dated == [True, False]):
        raise InvalidSeriesError(
            f"{name} must have an index (instance, time); got ({', '.join(map(str, index.names))}), with the times "
            f"first; pass {name}.swaplevel().sort_index()"
        )


def _ambiguous_frame(frame: Any, name: str) -> InvalidSeriesError:
    """A table of one level as a set of series has two readings, or three."""
    whole = "to_numpy()" if hasattr(frame, "to_numpy") else "to_pandas().to_numpy()"
    names = "column_names" if hasattr(frame, "column_names") else "columns"
    return InvalidSeriesError(
        f"{name} is a table, and its series may be its rows or its columns: pass {name}.{whole} if each row is a "
        f"series, [{name}[c] for c in {name}.{names}] if each column is one, or [{name}] if it is a single series "
        "with a channel in each column"
    )


def _from_labelled_array(x: Any, name: str) -> Content:
    dims = list(x.dims)
    time = _time_axis(x)
    if time is None and len(dims) > 1:
        likely = next((dim for dim in dims if str(dim).lower() not in _CHANNEL_NAMES | _INSTANCE_NAMES), dims[0])
        raise InvalidSeriesError(
            f"{name} must say which of its dimensions {tuple(dims)} is time; "
            f"rename it, as in x.rename({likely}='time'), or pass x.to_numpy() with the times first"
        )
    if time is None:
        time = dims[0] if dims else None
    for dim in dims:
        if dim != time and str(dim).lower() in _INSTANCE_NAMES:
            raise InvalidSeriesError(
                f"{name} must be one series, and its dimension {dim!r} counts several; pass one of them, as in "
                f"x.isel({dim}=0), or the set to as_dataset, pairwise or kneighbors"
            )
    ordered = x.transpose(time, ...) if len(dims) > 1 else x
    times, dated = None, False
    if time is not None and time in x.coords:
        times, dated = index_times(x.coords[time], f"coordinate {time!r} of {name}")
    others = [dim for dim in dims if dim != time]
    named = len(others) == 1 and others[0] in x.coords
    channels = tuple(np.asarray(x.coords[others[0]].to_numpy()).tolist()) if named else ()
    return Content(np.asarray(ordered.to_numpy()), times, dated, len(dims) > 1, channels)


def _instances_of_labelled_array(X: Any, name: str) -> list[Any]:
    dims = list(X.dims)
    time = _time_axis(X)
    others = [dim for dim in dims if dim != time]
    counting = [dim for dim in others if str(dim).lower() in _INSTANCE_NAMES]
    if len(counting) != 1:
        unnamed = [dim for dim in others if str(dim).lower() not in _CHANNEL_NAMES]
        counting = unnamed if len(others) == 2 and len(unnamed) == 1 else []
    if time is None or len(counting) != 1:
        first = others[0] if others else dims[0] if dims else "dim"
        raise InvalidSeriesError(
            f"{name} must have a dimension 'time' and one that counts the series; got {tuple(dims)}; name them, as in "
            f"{name}.rename({first}='instance'), or pass [{name}] if it is a single series"
        )
    along = counting[0]
    return [X.isel({along: k}) for k in range(X.sizes[along])]


def _time_axis(x: Any) -> Any:
    """The dimension called time, or the only one whose coordinate holds dates or durations."""
    named = [dim for dim in x.dims if str(dim).lower() == "time"]
    if named:
        return named[0]
    dated = [dim for dim in x.dims if dim in x.coords and x.coords[dim].dtype.kind in "mM"]
    return dated[0] if len(dated) == 1 else None


def _names(frame: Any) -> list[Any]:
    return list(frame.column_names if hasattr(frame, "column_names") else frame.columns)


def _columns(frame: Any) -> list[Any]:
    if hasattr(frame, "column_names"):
        return list(frame.columns)
    if hasattr(frame, "iloc"):  # by place: names may repeat
        return [frame.iloc[:, k] for k in range(len(frame.columns))]
    return [frame[column] for column in frame.columns]


def _is_groupby(x: Any) -> bool:
    return hasattr(x, "groups") and hasattr(x, "ngroups")


def _is_view(x: Any) -> bool:
    """Whether x is like the values of a dict or a deque: it can be walked through, but is neither array nor text."""
    walks = hasattr(x, "__iter__") and hasattr(x, "__len__") and not hasattr(x, "__array__")
    return walks and not hasattr(x, "__getitem__") and not isinstance(x, (set, frozenset))


def _is_lazy(x: Any) -> bool:
    return hasattr(x, "collect") and hasattr(x, "lazy") and not hasattr(x, "to_numpy")


def _kind(x: Any) -> str:
    return type(x).__name__
