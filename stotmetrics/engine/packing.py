"""A set of series as a few arrays: what travels to another process, and what is kept in a file without pickle."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..series import Series


@dataclass(frozen=True, slots=True)
class PackedSeries:
    """Series one behind the other.

    Parameters
    ----------
    values : array of shape (sum of T * d,)
        All values, those of one time together.
    shapes : array of shape (n, 2)
        Times and values at one time of each series.
    times, weights : array of shape (sum of T,), optional
        Those of the series that have them, NaN elsewhere; None if no series has them.
    frames : array of shape (n, ndim)
        The shape of a frame of each series, zero where there is none.
    paths : array of shape (n,), optional
        How many weights of sample paths each series has; None if no series has any.
    path_weights : array of shape (sum of paths,), optional
        Those weights.
    """

    values: FloatArray
    shapes: IntArray
    times: FloatArray | None
    weights: FloatArray | None
    frames: IntArray
    paths: IntArray | None = None
    path_weights: FloatArray | None = None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that are there, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: array for name, array in named.items() if array is not None}


def pack(series: Sequence[Series]) -> PackedSeries:
    """The arrays of some series, whose doubts are left behind: they were told when the series were read."""
    columns: dict[str, FloatArray | None] = {}
    for name in ("times", "weights"):
        given = [getattr(member, f"has_{name}") for member in series]
        parts = [getattr(member, name) if has else np.full(len(member), np.nan) for member, has in zip(series, given)]
        columns[name] = np.concatenate(parts) if any(given) else None
    depth = max(len(member.frame_shape or ()) for member in series)
    frames = np.zeros((len(series), depth), dtype=np.intp)
    for k, member in enumerate(series):
        shape = member.frame_shape or ()
        frames[k, : len(shape)] = shape
    return PackedSeries(
        np.concatenate([member.values.ravel() for member in series]),
        np.array([member.values.shape for member in series], dtype=np.intp),
        columns["times"],
        columns["weights"],
        frames,
        *_path_weights(series),
    )


def _path_weights(series: Sequence[Series]) -> tuple[IntArray, FloatArray] | tuple[None, None]:
    given = [member.path_weights for member in series if member.path_weights is not None]
    if not given:
        return None, None
    counts = [0 if member.path_weights is None else len(member.path_weights) for member in series]
    return np.array(counts, dtype=np.intp), np.concatenate(given)


def unpack(packed: PackedSeries) -> list[Series]:
    """The series again, as views of the arrays."""
    for array in packed.arrays().values():
        array.flags.writeable = False  # what nobody can write to is not copied
    counts = [0] * len(packed.shapes) if packed.paths is None else packed.paths.tolist()
    series, at, time, path = [], 0, 0, 0
    for (length, dim), frame, count in zip(packed.shapes.tolist(), packed.frames.tolist(), counts, strict=True):
        values = packed.values[at : at + length * dim].reshape(length, dim)
        here = slice(time, time + length)
        shape = tuple(size for size in frame if size) or None
        masses = packed.path_weights[path : path + count] if packed.path_weights is not None and count else None
        series.append(Series(values, _part(packed.times, here), _part(packed.weights, here), shape, masses))
        at, time, path = at + length * dim, time + length, path + count
    return series


def _part(column: FloatArray | None, here: slice) -> FloatArray | None:
    return None if column is None or np.isnan(column[here.start]) else column[here]
