"""What tslearn hands over, and what of it is served here."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import tslearn.utils
from tslearn.backend import Backend, instantiate_backend

from ..series import Series
from ..series_sets import as_dataset

Function = Callable[..., Any]


class NotServedError(ValueError):
    """These arguments are for tslearn."""


def band_of(constraint: Any, radius: Any, slope: Any, lengths: set[int]) -> int | None:
    """The band of this package that is tslearn's constraint; there is one for series of one length."""
    if constraint in (None, 0) and radius is None and slope is None:
        return None
    if constraint == "sakoe_chiba" and slope is None and len(lengths) == 1:
        return 1 if radius is None else int(radius)
    raise NotServedError


def smoothing(gamma: Any) -> float:
    """gamma where it smooths: tslearn has a branch of its own for zero."""
    gamma = float(gamma)
    if not gamma > 0 or math.isclose(gamma, 0.0):
        raise NotServedError
    return gamma


def is_numpy(be: Any, *data: Any) -> bool:
    """Whether tslearn would compute with NumPy. It prints the data to find out: it is asked only where it must be."""
    if be is None and all(part is None or type(part) is np.ndarray for part in data):
        return True
    return bool(getattr(be if hasattr(be, "is_numpy") else instantiate_backend(be, *data), "is_numpy", False))


def quick_backend(original: Function) -> Function:
    """``instantiate_backend``, which prints arrays as text to find out what they are: of NumPy's the type tells."""

    @wraps(original)
    def instantiate_backend(*args: Any) -> Any:
        for k, arg in enumerate(args):
            if type(arg) is np.ndarray:
                return Backend("numpy")
            if arg is not None:
                return original(*args[k:])
        return Backend("numpy")

    return instantiate_backend


def quick_dataset(original: Function) -> Function:
    """``to_time_series_dataset``, which looks at one series after another: an array with a full series is copied."""

    @wraps(original)
    def to_time_series_dataset(dataset: Any, dtype: Any = float, be: Any = None) -> Any:
        plain = type(dataset) is np.ndarray and dataset.ndim == 3 and dataset.dtype == np.float64 and dataset.size > 0
        if not (plain and dtype is float and is_numpy(be)) or np.isnan(dataset[:, -1]).all(axis=1).all():
            return original(dataset, dtype=dtype, be=be)
        return np.array(dataset, order="C")

    return to_time_series_dataset


def by_time(X: Any) -> list[Series]:
    """A data set of tslearn, (n, time, channels): its axes are in no doubt."""
    if type(X) is np.ndarray and X.ndim == 3 and X.dtype == np.float64 and X.size and np.isfinite(X).all():
        # Read at once, full series of numbers leave nothing to ask.
        values = np.array(X, order="C")
        values.flags.writeable = False
        return [Series(series) for series in values]
    return [Series(series.values) for series in as_dataset(X)]


to_time_series_dataset = quick_dataset(tslearn.utils.to_time_series_dataset)
