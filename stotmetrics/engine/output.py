"""Where a distance matrix goes: memory, or a ``.npy`` file that a second run completes.

A matrix on disk is two files: ``D.npy`` and, beside it, ``D.npy.journal`` (see :mod:`stotmetrics.engine.journal`),
which stays: it says of which call the matrix is. The space is allocated before the work, under another name, so that a
full disk is an error at the start and leaves what was there. Until all tiles are written ``D.npy`` begins with a mark
where a ``.npy`` file has its header: nobody can load half a matrix. Tiles are written with ordinary writes, never through
a memory map, whose errors are signals.
"""

import errno
import functools
import io
import itertools
import os
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from ..arrays import FloatArray, IntArray, refuse_more_than_memory
from ..errors import InvalidParameterError
from ..series import Series
from ..spec.bound import BoundMetric
from .identity import differences, digest_of, job_of
from .journal import Journal, named, sync, write_all

OutPath = str | os.PathLike[str]

# Bringing a file to the disk may take this share of the time at most: cheap tiles are synced by the dozen.
_SYNC_SHARE = 0.05

_MARK = b"stotmetrics: unfinished matrix "
_WHOLE_MARK = re.compile(re.escape(_MARK) + rb"[0-9a-f]{64}\n")
_WAY_OUT = "pass overwrite=True to start anew, or another out"


class Region(Protocol):
    """A rectangle of the matrix; see :class:`stotmetrics.engine.tiles.Tile`."""

    @property
    def rows(self) -> slice:
        """Its rows."""

    @property
    def cols(self) -> slice:
        """Its columns."""

    def pairs(self) -> tuple[IntArray, IntArray]:
        """Row and column indices, counted within it, of the pairs that are computed."""


class Span(NamedTuple):
    """A run of entries in the order of the array, and the entries of a tile's block that belong there."""

    start: int
    block: tuple[slice | int, slice | int]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the entries of an n x m matrix lie in an array: as they are, or the upper triangle row by row."""

    n: int
    m: int
    condensed: bool = False
    mirror: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return (self.n * (self.n - 1) // 2,) if self.condensed else (self.n, self.m)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape, dtype=object))

    def index(self, rows: IntArray, cols: IntArray) -> tuple[IntArray, ...]:
        """Where in the array the pairs lie."""
        if self.condensed:
            return (self.n * rows - rows * (rows + 1) // 2 + cols - rows - 1,)
        return rows, cols

    def spans(self, tile: Region) -> Iterator[Span]:
        """The runs of entries that a tile determines."""
        rows, cols = tile.rows, tile.cols
        width = cols.stop - cols.start
        for i in range(rows.start, rows.stop):
            first = max(cols.start, i + 1) if self.condensed else cols.start
            if first < cols.stop:
                start = self.n * i - i * (i + 1) // 2 + first - i - 1 if self.condensed else i * self.m + first
                yield Span(start, (i - rows.start, slice(first - cols.start, width)))
        if self.mirror and not self.condensed and rows != cols:
            for j in range(cols.start, cols.stop):
                yield Span(j * self.m + rows.start, (slice(None), j - cols.start))

    def checksum(self, array: npt.NDArray[Any], tile: Region) -> int:
        """The checksum of what the array holds where a tile belongs, in the order of :meth:`spans`."""
        if self.condensed:
            runs = (array[span.start : span.start + _length(span, tile)] for span in self.spans(tile))
            return functools.reduce(lambda found, run: zlib.crc32(run.tobytes(), found), runs, 0)
        found = zlib.crc32(array[tile.rows, tile.cols].tobytes())
        if self.mirror and tile.rows != tile.cols:
            found = zlib.crc32(array[tile.cols, tile.rows].tobytes(), found)
        return found

    def block(self, tile: Region, values: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
        """The values of a tile as a rectangle, with what the symmetry and the diagonal say."""
        i, j = tile.pairs()
        block = np.zeros((tile.rows.stop - tile.rows.start, tile.cols.stop - tile.cols.start), dtype=dtype)
        block[i, j] = values
        if self.mirror and tile.rows == tile.cols:
            block[j, i] = values
        return block


class Destination:
    """A matrix in memory, filled tile by tile; closed by leaving its ``with`` block."""

    def __init__(self, array: npt.NDArray[Any], layout: Layout | None = None) -> None:
        self.array = array
        self._layout = layout

    def todo(self, tiles: Sequence[Region]) -> Sequence[int]:
        """The numbers of the tiles still to compute."""
        return range(len(tiles))

    def write(self, number: int, tile: Region, values: FloatArray, *, mirror: bool) -> None:
        """Store the values of one tile, and their mirror image for a symmetric matrix."""
        i, j = tile.pairs()
        i, j = i + tile.rows.start, j + tile.cols.start
        values = narrowed(values, self.array.dtype)
        if self._layout is not None and self._layout.condensed:
            self.array[self._layout.index(i, j)] = values
            return
        self.array[i, j] = values
        if mirror:
            self.array[j, i] = values

    def finish(self) -> None:
        """All tiles are written."""

    def close(self) -> None:
        """Nothing is written any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()


class FileDestination(Destination):
    """A ``.npy`` file with its journal: a run that finds both of the same job does the tiles that are left.

    Parameters
    ----------
    path : path
        Where the matrix goes.
    layout : Layout
        How its entries lie.
    dtype : dtype
        float64 or float32.
    job : dict of str to str
        Everything that decides the numbers; see :func:`stotmetrics.engine.identity.job_of`.
    overwrite : bool
        Whether a file that is not of this job gives way.
    """

    def __init__(
        self, path: OutPath, layout: Layout, dtype: np.dtype[Any], job: dict[str, str], *, overwrite: bool = False
    ) -> None:
        self.path = Path(os.path.realpath(_npy_path(path)))
        self.journal_path = self.path.with_name(self.path.name + ".journal")
        self._grid, self._dtype, self._job = layout, dtype, job
        self._header = _npy_header(layout.shape, dtype)
        self._total = len(self._header) + layout.size * dtype.itemsize
        digest = digest_of(job)
        self._mark = _mark(digest, len(self._header))
        self._fd: int | None = None
        self._fresh = self._finished = self._wrote = False
        self._sync_cost, self._synced = 0.0, time.perf_counter()
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "out must be a file, and this is a folder", os.fspath(self.path))
        self.journal = Journal(self.journal_path, self.path, job, digest)
        try:
            self._known = self._open(overwrite)
        except BaseException:
            self._fresh = self._fresh or self.journal.is_new
            self.close()
            raise

    def todo(self, tiles: Sequence[Region]) -> Sequence[int]:
        """The tiles that no earlier run wrote, or whose numbers the file does not hold."""
        written, changed = self._verified(tiles) if self._known else (set(), 0)
        if self._finished and changed:
            raise FileExistsError(
                f"{os.fspath(self.path)!r} was changed after it was finished: {changed} of {len(tiles)} tiles are not "
                f"what was written; move it away, or {_WAY_OUT}"
            )
        left = [k for k in range(len(tiles)) if k not in written] if written else range(len(tiles))
        if left and self._finished:
            self.journal.claim()
            self._open_to_write()
        return left

    def write(self, number: int, tile: Region, values: FloatArray, *, mirror: bool) -> None:
        """Write the values of one tile, then say so in the journal."""
        assert self._fd is not None
        block = self._grid.block(tile, narrowed(values, self._dtype), self._dtype)
        checksum, size = 0, self._dtype.itemsize
        for span in self._grid.spans(tile):
            data = block[span.block].tobytes()
            checksum = zlib.crc32(data, checksum)
            write_all(self._fd, data, len(self._header) + span.start * size, self.path)
        # A record may reach the disk before its tile: its checksum finds that out. The syncs bound what is lost.
        due = self._is_due()
        if due:
            start = time.perf_counter()
            sync(self._fd, self.path)
        self.journal.add(number, checksum)
        self._wrote = True
        if due:
            self.journal.sync()
            self._synced = time.perf_counter()
            self._sync_cost = self._synced - start

    def finish(self) -> None:
        """Bring everything to the disk, and make the file one that can be loaded."""
        if self._fd is not None:
            sync(self._fd, self.path)
            self.journal.sync()
            write_all(self._fd, self._header, 0, self.path)
            sync(self._fd, self.path)
            self._finished = True
        self.array = _load(self.path)

    def close(self) -> None:
        """Give file and lock back; a file without a single tile is taken away."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._fresh and not (self._wrote or self._finished):
            self._discard()
        self.journal.close()

    def _discard(self) -> None:
        # Only what this run made: a mark of this job without a tile.
        if _head(self.path, len(self._mark)) == self._mark:
            self.path.unlink(missing_ok=True)
        if not self.path.exists() or self.journal.is_new:
            self.journal.remove()

    def _is_due(self) -> bool:
        return self._sync_cost <= _SYNC_SHARE * (time.perf_counter() - self._synced)

    def _open(self, overwrite: bool) -> dict[int, int]:
        """Start the file, or take up the one that is there; what its journal says of tiles."""
        head = _head(self.path, len(self._mark))
        # A mark without a tile is of a run that was killed at once: there is nothing to lose.
        if overwrite or not head or (head.startswith(_MARK) and not self.journal.has_tiles()):
            self.journal.require_writable()
            self._start()
            return {}
        job, known = self.journal.read()
        self._refuse_another(head, job, known)
        self._finished = head == self._header
        if self._finished:
            self.journal.share()
            return known
        self._open_to_write()
        assert self._fd is not None
        _allocate(self._fd, self._total, self.path)
        os.ftruncate(self._fd, self._total)
        write_all(self._fd, self._mark, 0, self.path)
        if job != self._job:
            self.journal.name_job()
        return known

    def _refuse_another(self, head: bytes, job: dict[str, str] | None, known: dict[int, int]) -> None:
        name = os.fspath(self.path)
        mark = _WHOLE_MARK.match(head)
        if mark and self._mark.startswith(mark[0]):
            return
        ours = job == self._job or (job is None and bool(known))
        if mark or (job is not None and not ours):
            differs = f" with another {differences(job, self._job)}" if job is not None and not ours else ""
            raise FileExistsError(f"{name!r} belongs to a run{differs}; finish that run, {_WAY_OUT}")
        if not ours:
            raise FileExistsError(
                f"{name!r} exists, and no journal beside it says that it is the matrix of this call; "
                f"move it away first, or {_WAY_OUT}"
            )
        size = self.path.stat().st_size
        if head.startswith(npy.MAGIC_PREFIX) and (head != self._header or size != self._total):
            raise FileExistsError(
                f"{name!r} was changed after it was finished: it is not an array of shape {self._grid.shape} and dtype "
                f"{self._dtype} any more; move it away, or {_WAY_OUT}"
            )

    def _start(self) -> None:
        """Allocate the file under another name, mark it, and put it in its place."""
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)
        try:
            self._fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            _allocate(self._fd, self._total, self.path)
            write_all(self._fd, self._mark, 0, self.path)
            sync(self._fd, self.path)
            # From here on the file is of this job, and records of another one cannot pass for its own.
            new.replace(self.path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        self._fresh = True
        self.journal.begin()
        _sync_folder(self.path.parent)

    def _open_to_write(self) -> None:
        self.journal.require_writable()
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise named(error, self.path, "; this process may not write it") from error

    def _verified(self, tiles: Sequence[Region]) -> tuple[set[int], int]:
        """The tiles whose numbers the file holds, and how many it does not hold though they were written."""
        written: set[int] = set()
        changed = 0
        array = _mapped(self.path, len(self._header), self._grid.shape, self._dtype)
        for number, checksum in self._known.items():
            if not 0 <= number < len(tiles):
                continue
            if self._grid.checksum(array, tiles[number]) == checksum:
                written.add(number)
            else:
                changed += 1
        return written, changed


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
) -> Destination:
    """A matrix of zeros in memory, or the file ``out``, new or left by an earlier run of the same job."""
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
    return FileDestination(out, layout, kind, job, overwrite=overwrite)


def float_type(dtype: Any) -> np.dtype[Any]:
    """The type of the entries, float64 by default."""
    try:
        found = np.dtype(np.float64 if dtype is None else dtype)
    except TypeError as error:
        raise InvalidParameterError(f"dtype must be 'float64' or 'float32'; got {dtype!r}") from error
    if found not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise InvalidParameterError(f"dtype must be 'float64' or 'float32'; got {dtype!r}")
    return found.newbyteorder("=")


def narrowed(values: FloatArray, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The values in another type, or an error where they do not fit."""
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype, copy=False)
    if narrow is not values and not np.isfinite(narrow).all():
        worst = values[~np.isfinite(narrow)][0]
        raise FloatingPointError(f"a distance of {worst:g} does not fit into {dtype}; pass dtype='float64'")
    return narrow


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
    series = sum(one.values.nbytes for one in itertools.chain(left, right or ()))
    if matrix + series > allowed:
        smaller = "pass out='matrix.npy' to write it to disk, condensed=True or dtype='float32'"
        way_out = smaller if matrix else "pass fewer series at a time, or allow more"
        raise MemoryError(
            f"max_memory is {_in_words(allowed)}, and this takes {_in_words(matrix + series)}: "
            f"{_in_words(matrix)} for the matrix and {_in_words(series)} for the series; {way_out}"
        )


def _in_words(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _npy_path(out: Any) -> str:
    try:
        path = os.fsdecode(out)
    except TypeError:
        path = ""
    if Path(path).suffix != ".npy":
        raise InvalidParameterError(f"out must be the path of a .npy file; got {path or out!r}")
    return path


def _npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    header = io.BytesIO()
    about = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, about)  # type: ignore[no-untyped-call]
    return header.getvalue()


def _mark(digest: str, length: int) -> bytes:
    return (_MARK + digest[:64].encode() + b"\n").ljust(length - 1)[: length - 1] + b"\n"


def _head(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise named(error, path) from error


def _allocate(fd: int, total: int, path: Path) -> None:
    """Take all space of a file, whose content is kept, so that no later write can find the disk full."""
    before = os.fstat(fd).st_size
    try:
        if not _reserve(fd, total):
            _write_zeros(fd, before, total)
    except OSError as error:
        os.ftruncate(fd, before)
        way_out = f"; it takes {_in_words(total)}: make room, choose another out, dtype='float32' or condensed=True"
        raise named(error, path, way_out) from error


def _reserve(fd: int, total: int) -> bool:
    try:
        os.posix_fallocate(fd, 0, total)
    except AttributeError:  # macOS
        return False
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # not on this file system
            return False
        raise
    return True


def _write_zeros(fd: int, start: int, stop: int) -> None:
    zeros = memoryview(bytes(2**20))
    while start < stop:
        start += os.pwrite(fd, zeros[: stop - start], start)


def _sync_folder(folder: Path) -> None:
    """Bring the names of new files to the disk, where folders can be synced."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError:
        pass
    finally:
        os.close(fd)


def _mapped(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if 0 in shape:
        return np.empty(shape, dtype=dtype)
    return np.memmap(path, mode="r", dtype=dtype, offset=offset, shape=shape)


def _length(span: Span, tile: Region) -> int:
    _, cols = span.block
    if isinstance(cols, slice):
        return int(cols.stop - cols.start)
    return tile.rows.stop - tile.rows.start


def _load(path: Path) -> npt.NDArray[Any]:
    # Copy on write: what is done to the array stays out of the file, which remains the matrix.
    loaded: npt.NDArray[Any] = np.load(path, mmap_mode="c")
    return loaded
