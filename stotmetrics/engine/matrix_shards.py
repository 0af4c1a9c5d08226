"""A matrix in shards: each run of an array job does a share of the tiles and writes it to a file of its own.

The file of a shard is a ``.npy`` file with a journal, as that of a matrix is, so that it is resumed, locked and known
in the same way. It holds the blocks of its tiles one behind the other. :func:`merge_shards` puts the blocks where they
belong, once all shards are there, finished and of one job; the matrix is then that of the same call without shards.
"""

import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, is_integer
from ..errors import DataFileError, InvalidParameterError
from .destination import Layout, Region, Span, block_of
from .identity import Job, differences
from .journal import job_in
from .matrix_file import FileDestination, OutPath, is_whole, npy_path
from .tiles import Progress, Tiles, progress_bar

# What the job of a shard says beside that of its matrix.
_OWN = ("grid", "shard")


@dataclass(frozen=True, slots=True)
class Grid:
    """The tiles of a matrix, as the journal of a shard tells of them."""

    n: int
    m: int
    side: int
    within: bool
    symmetric: bool
    zero_self: bool
    condensed: bool

    def tiles(self) -> Tiles:
        """The tiles."""
        return _tiles_of(self)

    def layout(self) -> Layout:
        """How the entries of the whole matrix lie."""
        return Layout(self.n, self.m, condensed=self.condensed, mirror=self.within and self.symmetric)

    @property
    def _triangle(self) -> bool:
        return self.within and self.symmetric

    def entries_before(self, tile: Region) -> int:
        """How many entries the blocks of all tiles have that come before this one."""
        band = tile.rows.start // self.side
        height = tile.rows.stop - tile.rows.start
        above = band * self.side * self.m - (self.side**2 * band * (band - 1) // 2 if self._triangle else 0)
        return int(above + height * (tile.cols.start - (band * self.side if self._triangle else 0)))


@lru_cache(maxsize=4)
def _tiles_of(grid: Grid) -> Tiles:
    return Tiles(grid.n, grid.m, grid.side, within=grid.within, symmetric=grid.symmetric, zero_self=grid.zero_self)


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """How the blocks of one shard lie in its array: one behind the other, in the order of their tiles."""

    grid: Grid
    index: int
    count: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return (self.size,)

    @property
    def size(self) -> int:
        """The number of entries."""
        tiles = self.grid.tiles()
        mine = self.share(tiles)
        return self._ends(tiles[mine.stop - 1]) - self.grid.entries_before(tiles[mine.start]) if mine else 0

    def share(self, tiles: Sequence[Region]) -> range:
        """The numbers of the tiles of this shard: neighbours, which share their series."""
        return range(len(tiles) * (self.index - 1) // self.count, len(tiles) * self.index // self.count)

    def spans(self, tile: Region) -> Iterator[Span]:
        """The one run of entries of a tile."""
        yield Span(self._start(tile), (slice(None), slice(None)))

    def checksum(self, array: npt.NDArray[Any], tile: Region) -> int:
        """The checksum of what the array holds where a tile belongs."""
        return zlib.crc32(self.read(array, tile).tobytes())

    def block(self, tile: Region, values: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
        """The values of a tile as a rectangle."""
        return block_of(tile, values, dtype, mirror=self.grid.within and self.grid.symmetric)

    def read(self, array: npt.NDArray[Any], tile: Region) -> npt.NDArray[Any]:
        """The block of a tile."""
        start, shape = self._start(tile), _shape(tile)
        return array[start : start + shape[0] * shape[1]].reshape(shape)

    def _start(self, tile: Region) -> int:
        tiles = self.grid.tiles()
        return self.grid.entries_before(tile) - self.grid.entries_before(tiles[self.share(tiles).start])

    def _ends(self, tile: Region) -> int:
        height, width = _shape(tile)
        return self.grid.entries_before(tile) + height * width


def _shape(tile: Region) -> tuple[int, int]:
    return tile.rows.stop - tile.rows.start, tile.cols.stop - tile.cols.start


def read_shard(shard: Any) -> tuple[int, int]:
    """``(3, 16)``, the third of sixteen shards, counted from one."""
    try:
        index, count = shard
    except (TypeError, ValueError):
        index = count = None
    if not (is_integer(index) and is_integer(count) and 1 <= index <= count):
        raise InvalidParameterError(
            f"shard must be (index, count), as in (3, 16) for the third of sixteen; got {shard!r}"
        )
    return int(index), int(count)


def shard_path(out: OutPath, index: int, count: int) -> Path:
    """Where a shard of the matrix ``out`` is written: beside it, under a name of its own."""
    path = Path(npy_path(out))
    return path.with_name(f"{path.stem}.shard-{index:0{len(str(count))}}-of-{count}.npy")


def open_shard(
    out: OutPath, grid: Grid, shard: Any, dtype: np.dtype[Any], job: Job, *, overwrite: bool
) -> FileDestination:
    """The file of one shard, new or left by an earlier run."""
    index, count = read_shard(shard)
    layout = ShardLayout(grid, index, count)
    own = {"grid": json.dumps(asdict(grid)), "shard": f"{index} of {count}"}
    return FileDestination(shard_path(out, index, count), layout, dtype, {**job, **own}, overwrite=overwrite)


def merge_shards(out: OutPath, *, overwrite: bool = False, progress: Progress = False) -> FloatArray:
    """Put the shards of a matrix together.

    Parameters
    ----------
    out : path
        The ``.npy`` file that was ``out`` for every shard; the shards lie beside it. Stopped, the same call goes on.
    overwrite : bool, default False
        Whether a file ``out`` that is of another call gives way.
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
    shards = _shards_of(out)
    first = shards[0]
    job = {name: value for name, value in first.job.items() if name not in _OWN}
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


def _shards_of(out: OutPath) -> list[_Shard]:
    """All shards of a matrix, in their order."""
    matrix = Path(npy_path(out))
    name = re.compile(re.escape(matrix.stem) + r"\.shard-(\d+)-of-(\d+)\.npy")
    folder = matrix.parent
    found = {
        (int(match[1]), int(match[2])): path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if (match := name.fullmatch(path.name))
    }
    if not found:
        raise FileNotFoundError(f"there are no shards of {os.fspath(matrix)!r}, such as {shard_path(out, 1, 2).name!r}")
    counts = sorted({count for _, count in found})
    if len(counts) > 1:
        raise DataFileError(
            f"the shards of {os.fspath(matrix)!r} are of several divisions, into {' and '.join(map(str, counts))}; "
            "move away those of all but one"
        )
    missing = [k for k in range(1, counts[0] + 1) if (k, counts[0]) not in found]
    unfinished = [k for (k, _), path in sorted(found.items()) if not is_whole(path)]
    problems = [
        f"{len(numbers)} {word}: {', '.join(map(str, numbers))}"
        for word, numbers in (("missing", missing), ("unfinished", unfinished))
        if numbers
    ]
    if problems:
        raise DataFileError(
            f"of {counts[0]} shards of {os.fspath(matrix)!r} there are {' and '.join(problems)}; "
            "run those again, which does what is left"
        )
    shards = [_shard(path, index, count) for (index, count), path in sorted(found.items())]
    for other in shards[1:]:
        ours, theirs = (
            {name: value for name, value in one.job.items() if name != "shard"} for one in (shards[0], other)
        )
        if ours != theirs:
            raise DataFileError(
                f"{os.fspath(other.path)!r} and {os.fspath(shards[0].path)!r} differ in {differences(ours, theirs)}; "
                "they are not of one matrix"
            )
    return shards


def _shard(path: Path, index: int, count: int) -> _Shard:
    job = job_in(path.with_name(path.name + ".journal"))
    if job is None or job.get("shard") != f"{index} of {count}":
        raise DataFileError(f"the journal beside {os.fspath(path)!r} does not say that it is shard {index} of {count}")
    return _Shard(path, job, ShardLayout(Grid(**json.loads(job["grid"])), index, count))


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
