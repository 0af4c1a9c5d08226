"""Sets of series: a sequence of them, or an array whose first axis counts them."""

import math
import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import containers
from .arrays import FloatArray, any_array, contiguous, real_array, refuse_more_than_memory
from .errors import InvalidSeriesError
from .series import Series, cut_padding, doubts_of, is_masked, make_series, own_copy, read_series, same_channels

# Bytes that a series takes beside its values.
_OVERHEAD = 300


def as_dataset(X: Any, *, missing: str = "refuse", name: str = "X") -> list[Series]:
    """Read a set of series: a sequence of them, or an array whose first axis counts them.

    Parameters
    ----------
    X : sequence of array_like or Series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        Lengths may differ in a sequence; an array may be padded with trailing NaN rows. A generator will do. A pandas
        frame with an index (instance, time) is a set of series, and so is an xarray array with a dimension ``time`` and
        one that is called ``instance``. Any other table is refused: its series may be its rows or its columns.
    missing : {"refuse", "drop"}, default "refuse"
        What becomes of a row with a NaN, as in :func:`as_series`.
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
    return read_dataset(X, name, missing=missing, share=False)


def read_dataset(X: Any, name: str, *, missing: str = "refuse", share: bool = True, alike: bool = True) -> list[Series]:
    """:func:`as_dataset` for the functions of this package; for ``share`` see :func:`read_series`.

    ``alike`` says that all must have the same channels, which the columns of sample paths are not.
    """
    X = containers.sequence_of(X, name)
    if isinstance(X, memoryview) or (hasattr(X, "__array__") and not isinstance(X, np.ndarray)):
        X = any_array(X, name, InvalidSeriesError)
    single = isinstance(X, (Series, str, bytes, bytearray)) or (isinstance(X, np.ndarray) and X.ndim == 0)
    if single or not hasattr(X, "__iter__"):
        raise InvalidSeriesError(
            f"{name} must be a sequence of series or an array of shape (n, T), (n, T, d) or (n, T, H, W); "
            f"got {_kind_of(X)}; wrap a single series in a list: [{name}]"
        )
    if isinstance(X, np.ndarray):
        # Strides of zero can claim any size; a row that kernels can read is not copied.
        shared = share and X.dtype == np.float64 and X[:1].flags.c_contiguous
        need = len(X) * _OVERHEAD + (0 if shared else 8 * X.size)
        refuse_more_than_memory(need, f"{name}, of shape {X.shape},", "pass fewer series at a time")
        if missing == "refuse" and X.ndim in (2, 3, 4) and X.size and X.dtype.kind in "fiub" and not is_masked(X):
            return list(_rows(real_array(X, name, InvalidSeriesError), name, share))
    items = list(X)
    if not items:
        raise InvalidSeriesError(f"{name} must hold at least one series; got none")
    if isinstance(items[0], numbers.Number) or (isinstance(items[0], np.ndarray) and items[0].ndim == 0):
        raise InvalidSeriesError(
            f"{name} must hold series, but its first item is a number; wrap a single series in a list: [{name}]"
        )
    members = [read_series(item, f"{name}[{i}]", missing=missing, share=share) for i, item in enumerate(items)]
    for i, series in enumerate(members if alike else ()):
        same_channels(members[0], series, f"{name}[0]", f"{name}[{i}]")
    return members


def _rows(X: FloatArray, name: str, share: bool) -> Iterator[Series]:
    """The series of one array: it is copied and made read-only as a whole, and each is a view of it."""
    if not share:
        X = own_copy(X)
    elif not (X[:1].flags.c_contiguous and X.flags.aligned):
        X = contiguous(X)
    X = X.view()
    X.flags.writeable = False
    frame_shape = X.shape[2:] if X.ndim == 4 else None
    values = X.reshape(*X.shape[:2], -1)
    doubts = doubts_of(X.shape[1:])
    for i, rows in enumerate(values):
        if not math.isfinite(np.vdot(rows, rows)):
            rows = cut_padding(rows, f"{name}[{i}]")
        yield make_series(rows, None, None, frame_shape, doubts)


def _kind_of(x: Any) -> str:
    return f"an array of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
