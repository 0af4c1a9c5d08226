"""How a matrix is divided into shards: which tiles each has, what it is called, and whether all are there."""

import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..arrays import FloatArray, is_integer
from ..errors import DataFileError, InvalidParameterError
from .destination import Layout, Region, Span, block_of
from .identity import Job, differences
from .tiles import Tiles

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


def shard_name(out: Path, index: int, count: int) -> Path:
    """Where a shard of the matrix ``out`` lies: beside it, under a name of its own."""
    return out.with_name(f"{out.stem}.shard-{index:0{len(str(count))}}-of-{count}{out.suffix}")


def job_of_shard(job: Job, layout: ShardLayout) -> Job:
    """The job of one shard of a matrix: that of the matrix, and which shard it is."""
    return {**job, "grid": json.dumps(asdict(layout.grid)), "shard": f"{layout.index} of {layout.count}"}


def job_of_matrix(job: Job) -> Job:
    """The job of the matrix that a shard is of."""
    return {name: value for name, value in job.items() if name not in _OWN}


def layout_in(job: Job | None, journal: Path, index: int, count: int) -> ShardLayout:
    """How the tiles of a shard lie, as its journal says."""
    if job is None or job.get("shard") != f"{index} of {count}":
        raise DataFileError(f"{os.fspath(journal)!r} does not say that it is shard {index} of {count}")
    return ShardLayout(Grid(**json.loads(job["grid"])), index, count)


def shards_beside(out: Path, ending: str) -> dict[int, Path]:
    """The files with this ending that shards of a matrix left beside it, by their numbers; all of one division."""
    name = re.compile(re.escape(out.stem) + r"\.shard-(\d+)-of-(\d+)" + re.escape(ending))
    paths = {
        (int(match[1]), int(match[2])): path
        for path in (sorted(out.parent.iterdir()) if out.parent.is_dir() else [])
        if (match := name.fullmatch(path.name))
    }
    if not paths:
        raise FileNotFoundError(
            f"there are no shards of {os.fspath(out)!r}, such as {shard_name(out, 1, 2).with_suffix(ending).name!r}"
        )
    counts = sorted({count for _, count in paths})
    if len(counts) > 1:
        raise DataFileError(
            f"the shards of {os.fspath(out)!r} are of several divisions, into {' and '.join(map(str, counts))}; "
            "move away those of all but one"
        )
    return {index: path for (index, _), path in sorted(paths.items())}


def count_in(path: Path) -> int:
    """How many shards there are, as the name of a file of one of them says."""
    return int(path.name.rpartition("-of-")[2].partition(".")[0])


def refuse_incomplete(out: Path, shards: Mapping[int, Path], count: int, unfinished: Sequence[int]) -> None:
    """Raise an error that names the shards that are missing or unfinished."""
    missing = [k for k in range(1, count + 1) if k not in shards]
    problems = [
        f"{len(numbers)} {word}: {', '.join(map(str, numbers))}"
        for word, numbers in (("missing", missing), ("unfinished", unfinished))
        if numbers
    ]
    if problems:
        raise DataFileError(
            f"of {count} shards of {os.fspath(out)!r} there are {' and '.join(problems)}; "
            "run those again, which does what is left"
        )


def refuse_mixed(jobs: Mapping[Path, Job]) -> None:
    """Raise an error that says in what two shards differ, if they are not of one matrix."""
    (first, wanted), *others = (
        (path, {name: value for name, value in job.items() if name != "shard"}) for path, job in jobs.items()
    )
    for path, job in others:
        if job != wanted:
            raise DataFileError(
                f"{os.fspath(path)!r} and {os.fspath(first)!r} differ in {differences(wanted, job)}; "
                "they are not of one matrix"
            )
