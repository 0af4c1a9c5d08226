"""A matrix in shards: each run of an array job does a share of the tiles.

For a ``.npy`` file every shard writes a file of its own, with a journal, as that of a matrix is, so that it is resumed,
locked and known in the same way. It holds the blocks of its tiles one behind the other. :func:`merge_shards` puts the
blocks where they belong, once all shards are there, finished and of one job; the matrix is then that of the same call
without shards. In a Zarr store the shards write the chunks themselves.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..errors import DataFileError
from .destination import Destination
from .identity import Job
from .journal import job_in
from .matrix_file import FileDestination, is_whole
from .matrix_zarr_shards import ZarrShard, merge_store
from .places import OutPath, is_zarr_path, npy_path
from .shard_grid import (
    Grid,
    ShardLayout,
    count_in,
    job_of_matrix,
    job_of_shard,
    layout_in,
    read_shard,
    refuse_incomplete,
    refuse_mixed,
    shard_name,
    shards_beside,
)
from .tiles import Progress, Tiles, progress_bar


def shard_path(out: OutPath, index: int, count: int) -> Path:
    """Where a shard of the matrix ``out`` is written: beside it, or into the one Zarr store."""
    return Path(out) if is_zarr_path(out) else shard_name(npy_path(out), index, count)


def open_shard(out: OutPath, grid: Grid, shard: Any, dtype: np.dtype[Any], job: Job, *, overwrite: bool) -> Destination:
    """The file of one shard, or its share of a Zarr store, new or left by an earlier run."""
    layout = ShardLayout(grid, *read_shard(shard))
    if is_zarr_path(out):
        return ZarrShard(out, layout, dtype, job, overwrite=overwrite)
    path = shard_path(out, layout.index, layout.count)
    return FileDestination(path, layout, dtype, job_of_shard(job, layout), overwrite=overwrite)


def merge_shards(out: OutPath, *, overwrite: bool = False, progress: Progress = False) -> FloatArray:
    """Put the shards of a matrix together.

    Parameters
    ----------
    out : path
        The ``.npy`` file that was ``out`` for every shard; the shards lie beside it. Stopped, the same call goes on.
        Or the ``.zarr`` folder that they filled: it is checked and called finished.
    overwrite : bool, default False
        Whether a ``.npy`` file ``out`` that is of another call gives way.
    progress : bool or callable, default False
        True shows a bar; a callable is told ``(done, total)`` in pairs.

    Returns
    -------
    array of shape (n, m), or (n (n - 1) / 2,) if condensed
        What the call without ``shard`` returns, and would write to ``out``. The files of the shards stay.

    Raises
    ------
    FileNotFoundError
        If there are no shards beside ``out``.
    DataFileError
        If shards are missing or unfinished, or were changed after they were finished, or are not all of one job; the
        message names them.
    OSError
        As :func:`pairwise`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import stotmetrics
    >>> X = [[0.0, 1.0], [0.0, 2.0], [4.0, 4.0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = pathlib.Path(folder, "D.npy")
    ...     for k in (1, 2):
    ...         _ = stotmetrics.pairwise(X, metric="dtw", out=out, shard=(k, 2))
    ...     stotmetrics.merge_shards(out)
    memmap([[ 0.,  1., 25.],
            [ 1.,  0., 20.],
            [25., 20.,  0.]])
    """
    if is_zarr_path(out):
        return merge_store(out, progress)
    shards = _shards_of(npy_path(out))
    first = shards[0]
    job = job_of_matrix(first.job)
    dtype, tiles = np.dtype(job["dtype"]), first.layout.grid.tiles()
    with FileDestination(out, first.layout.grid.layout(), dtype, job, overwrite=overwrite) as destination:
        left = set(destination.todo(tiles))
        total = tiles.pairs_in_all()
        done = total - sum(tiles[k].n_pairs() for k in left) if len(left) < len(tiles) else 0
        with progress_bar(progress, total, "merge", done) as advance:
            for shard in shards:
                mine = [k for k in shard.layout.share(tiles) if k in left]
                array = _blocks(shard, tiles, dtype) if mine else np.empty(0)
                for k in mine:
                    i, j = tiles[k].pairs()
                    values = shard.layout.read(array, tiles[k])[i, j]
                    destination.write(k, tiles[k], values, mirror=False)
                    advance(len(values))
    return destination.array


@dataclass(frozen=True, slots=True)
class _Shard:
    """A finished file of a shard, and the job that it is of."""

    path: Path
    job: Job
    layout: ShardLayout


def _shards_of(matrix: Path) -> list[_Shard]:
    """All shards of a matrix, in their order."""
    paths = shards_beside(matrix, ".npy")
    count = count_in(next(iter(paths.values())))
    refuse_incomplete(matrix, paths, count, [k for k, path in paths.items() if not is_whole(path)])
    shards = [_shard(path, index, count) for index, path in paths.items()]
    refuse_mixed({shard.path: shard.job for shard in shards})
    return shards


def _shard(path: Path, index: int, count: int) -> _Shard:
    journal = path.with_name(path.name + ".journal")
    job = job_in(journal) or {}
    return _Shard(path, job, layout_in(job, journal, index, count))


def _blocks(shard: _Shard, tiles: Tiles, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The array of a shard, once every tile in it is known to be what was written."""
    try:
        with FileDestination(shard.path, shard.layout, dtype, shard.job) as file:
            left = file.todo(tiles)
    except FileExistsError as error:
        raise DataFileError(str(error)) from error
    if left:
        raise DataFileError(f"{os.fspath(shard.path)!r} lacks {len(left)} tiles; run this shard again")
    return file.array
