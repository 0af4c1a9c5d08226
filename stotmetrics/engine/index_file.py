"""A neighbour index in an ``.npz`` file, without pickle: the series as a few arrays, the metric as text."""

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataFileError, InvalidParameterError, InvalidSeriesError
from ..series import Series, as_series
from ..spec import registry
from ..spec.bound import BoundMetric
from .journal import named
from .packing import PackedSeries, pack, unpack
from .places import OutPath, made_aside, npz_path

_FORMAT = "stotmetrics neighbour index 1"


def save(path: OutPath, metric: BoundMetric, series: Sequence[Series]) -> None:
    """Write an index; a file that is there is replaced once the new one is whole."""
    target = npz_path(path)
    if not registry.is_declared(metric.spec):
        raise InvalidParameterError(
            f"an index is saved with the name of its metric, and {metric.name!r} is one of this session, which another "
            "does not know; pickle the index, or declare the metric in a package"
        )
    about = json.dumps({"format": _FORMAT, **metric.config()})
    new = made_aside(target, "new")
    try:
        with new.open("wb") as file:
            np.savez(file, about=np.frombuffer(about.encode(), dtype=np.uint8), **pack(series).arrays())  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except OSError as error:
        raise named(error, target) from error
    finally:
        new.unlink(missing_ok=True)


def load(path: OutPath) -> tuple[BoundMetric, PackedSeries]:
    """Read an index, and refuse what is not one."""
    source = Path(os.fspath(path))
    try:
        with source.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        about = json.loads(bytes(arrays.pop("about")))
        if about.pop("format") != _FORMAT:
            raise DataFileError(f"{source}: an index of another version of stotmetrics; make it anew")
        packed = PackedSeries(**{"times": None, "weights": None, **arrays})
        _check(packed)
    except (OSError, DataFileError):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise DataFileError(f"{source}: not a neighbour index, or a damaged one ({error})") from error
    return BoundMetric.from_config(about), packed


def _check(packed: PackedSeries) -> None:
    _require(packed.shapes, "shapes", np.intp, (None, 2))
    n, times = len(packed.shapes), int(packed.shapes[:, 0].sum())
    if n == 0 or (packed.shapes < 1).any():
        raise ValueError("the shapes of the series are not positive")
    _require(packed.values, "values", np.float64, (int(packed.shapes.prod(axis=1).sum()),))
    _require(packed.frames, "frames", np.intp, (n, None))
    if not np.isfinite(packed.values).all():
        raise ValueError("the values are not finite")
    for name in ("times", "weights"):
        column = getattr(packed, name)
        if column is not None:
            _require(column, name, np.float64, (times,))
    _check_paths(packed)
    if packed.times is None and packed.weights is None:
        return
    try:
        for member in unpack(packed):
            as_series(
                member.values,
                times=member.times if member.has_times else None,
                weights=member.weights if member.has_weights else None,
                name="a series",
            )
    except InvalidSeriesError as error:
        raise ValueError(str(error)) from error


def _check_paths(packed: PackedSeries) -> None:
    counts, weights = packed.paths, packed.path_weights
    if counts is None or weights is None:
        if counts is not None or weights is not None:
            raise ValueError("the weights of paths and their counts belong together")
        return
    _require(counts, "paths", np.intp, (len(packed.shapes),))
    if (counts < 0).any():
        raise ValueError("the counts of paths are negative")
    _require(weights, "path_weights", np.float64, (int(counts.sum()),))
    for member in unpack(packed):
        mine = member.path_weights
        if mine is not None and (
            not np.isfinite(mine).all() or (mine < 0).any() or not mine.any() or member.dim % len(mine)
        ):
            raise ValueError("the weights of paths do not fit them")


def _require(array: npt.NDArray[Any], name: str, dtype: Any, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(want in (None, size) for want, size in zip(shape, array.shape, strict=True))
    if array.dtype != np.dtype(dtype) or not fits:
        raise ValueError(f"{name} is an array of {array.dtype} and shape {array.shape}")
