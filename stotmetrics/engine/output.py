"""Which destination a call asks for, and whether there is room for it."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import refuse_more_than_memory
from ..errors import InvalidParameterError
from ..series import Series
from ..spec.bound import BoundMetric
from .destination import Destination, Layout, float_type, in_words
from .identity import job_of
from .matrix_file import FileDestination
from .matrix_shards import open_shard
from .matrix_zarr import ZarrDestination
from .places import OutPath, is_zarr_path
from .shard_grid import Grid
from .tiles import entries_of_a_pair, tile_side

# In a Zarr store every tile is a file: larger tiles make fewer of them.
_ZARR_TIMES, _ZARR_LEAST = 4, 16


def side_for(out: Any, metric: BoundMetric, left: Sequence[Series], right: Sequence[Series] | None) -> int:
    """Series on one side of a tile; the numbers do not depend on it."""
    lanes = metric.spec.lanes
    by = "pair" if metric.spec.block is None else "lanes" if lanes > 1 else "block"
    side = tile_side(entries_of_a_pair(left, right or left, metric), by, lanes=lanes)
    return max(_ZARR_TIMES * side, _ZARR_LEAST) if is_zarr_path(out) else side


def open_destination(
    out: OutPath | None,
    metric: BoundMetric,
    left: Sequence[Series],
    right: Sequence[Series] | None,
    side: int,
    *,
    condensed: bool = False,
    dtype: Any = None,
    overwrite: bool = False,
    max_memory: Any = None,
    shard: Any = None,
) -> Destination:
    """A matrix of zeros in memory, or the file ``out``, new or left by an earlier run of the same job."""
    if shard is not None and out is None:
        raise InvalidParameterError("shard is for a matrix on disk; pass out='matrix.npy', the same for every shard")
    layout = _layout(metric, left, right, condensed)
    kind = float_type(dtype)
    need = 0 if out is not None else layout.size * kind.itemsize
    _refuse_more_than_allowed(need, left, right, max_memory)
    if out is None:
        what = f"a {layout.n} x {layout.m} matrix"
        refuse_more_than_memory(need, what, "pass out='matrix.npy' to write it to disk")
        return Destination(np.zeros(layout.shape, dtype=kind), layout)
    job = job_of(metric, [left] if right is None else [left, right])
    job |= {"shape": repr(layout.shape), "dtype": str(kind), "tiles": str(side)}
    if is_zarr_path(out) and condensed:
        raise InvalidParameterError("a Zarr store holds whole matrices; for condensed=True pass out='matrix.npy'")
    if shard is None:
        if is_zarr_path(out):
            return ZarrDestination(out, layout, side, kind, job, overwrite=overwrite)
        return FileDestination(out, layout, kind, job, overwrite=overwrite)
    traits = metric.traits
    grid = Grid(layout.n, layout.m, side, right is None, traits.symmetric, traits.zero_self, condensed)
    return open_shard(out, grid, shard, kind, job, overwrite=overwrite)


def bytes_of(size: Any) -> int:
    """A number of bytes, given as one or as text such as ``"4 GB"`` or ``"512 MiB"``."""
    units = {"": 1, "B": 1, **{f"{p}B": 1000**k for k, p in enumerate("KMGT", 1)}}
    units |= {f"{p}IB": 1024**k for k, p in enumerate("KMGT", 1)}
    if isinstance(size, (int, float, np.integer, np.floating)) and not isinstance(size, bool) and 0 < size < np.inf:
        return int(size)
    if isinstance(size, str):
        number = size.strip().upper().rstrip("KMGTIB ")
        unit = size.strip().upper()[len(number) :].strip()
        if number.replace(".", "", 1).isdecimal() and float(number) > 0 and unit in units:
            return int(float(number) * units[unit])
    raise InvalidParameterError(f"max_memory must be a positive number of bytes, or text such as '4 GB'; got {size!r}")


def _layout(metric: BoundMetric, left: Sequence[Series], right: Sequence[Series] | None, condensed: bool) -> Layout:
    n, m, traits = len(left), len(left if right is None else right), metric.traits
    if condensed:
        if right is not None:
            raise InvalidParameterError(
                "condensed=True is for distances within one set; leave Y out, or condensed=False"
            )
        if not (traits.symmetric and traits.zero_self):
            claim = "symmetric" if not traits.symmetric else "zero between a series and itself"
            raise InvalidParameterError(
                f"condensed=True keeps the upper triangle alone, and {metric!r} does not claim to be {claim}; "
                "pass condensed=False"
            )
    return Layout(n, m, condensed=condensed, mirror=right is None and traits.symmetric)


def _refuse_more_than_allowed(
    matrix: int, left: Sequence[Series], right: Sequence[Series] | None, max_memory: Any
) -> None:
    if max_memory is None:
        return
    allowed = bytes_of(max_memory)
    series = sum(x.values.nbytes for x in itertools.chain(left, right or ()))
    if matrix + series > allowed:
        smaller = "pass out='matrix.npy' to write it to disk, condensed=True or dtype='float32'"
        way_out = smaller if matrix else "pass fewer series at a time, or allow more"
        raise MemoryError(
            f"max_memory is {in_words(allowed)}, and this takes {in_words(matrix + series)}: "
            f"{in_words(matrix)} for the matrix and {in_words(series)} for the series; {way_out}"
        )
