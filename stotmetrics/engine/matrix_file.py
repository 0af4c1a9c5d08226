"""A matrix in a ``.npy`` file that a second run completes.

A matrix on disk is two files: ``D.npy`` and, beside it, ``D.npy.journal`` (see :mod:`stotmetrics.engine.journal`),
which stays: it says of which call the matrix is. The space is allocated before the work, under another name, so that a
full disk is an error at the start and leaves what was there. Until all tiles are written ``D.npy`` begins with a mark
where a ``.npy`` file has its header: nobody can load half a matrix. Tiles are written by ordinary writes, never through
a memory map, whose errors are signals.
"""

import errno
import io
import os
import re
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from ..arrays import FloatArray
from .destination import Arrangement, Destination, Region, in_words, narrowed
from .identity import differences, digest_of
from .journal import Journal, named, sync, write_all
from .places import OutPath, made_aside, npy_path, refuse_special

# Bringing a file to the disk may take this share of the time at most: cheap tiles are synced by the dozen.
_SYNC_SHARE = 0.05

_MARK = b"stotmetrics: unfinished matrix "
_WHOLE_MARK = re.compile(re.escape(_MARK) + rb"[0-9a-f]{64}\n")
_WAY_OUT = "pass overwrite=True to start anew, or another out"


class FileDestination(Destination):
    """A ``.npy`` file with its journal: a run that finds both of the same job does the tiles that are left.

    Parameters
    ----------
    path : path
        Where the matrix goes.
    layout : Layout or ShardLayout
        How its entries lie.
    dtype : dtype
        float64 or float32.
    job : dict of str to str
        Everything that decides the numbers; see :func:`stotmetrics.engine.identity.job_of`.
    overwrite : bool
        Whether a file that is not of this job gives way.
    """

    shared = False

    def __init__(
        self, path: OutPath, layout: Arrangement, dtype: np.dtype[Any], job: dict[str, str], *, overwrite: bool = False
    ) -> None:
        self.path = npy_path(path)
        self.journal_path = self.path.with_name(self.path.name + ".journal")
        self._grid, self._dtype, self._job = layout, dtype, job
        self._header = _npy_header(layout.shape, dtype)
        self._total = len(self._header) + layout.size * dtype.itemsize
        digest = digest_of(job)
        self._mark = _mark(digest, len(self._header))
        self._fd: int | None = None
        self._fresh = self._finished = self._wrote = False
        self._sync_cost, self._synced = 0.0, time.perf_counter()
        refuse_special(self.path)
        self.journal = Journal(self.journal_path, self.path, job, digest)
        try:
            self._known = self._open(overwrite)
        except BaseException:
            self._fresh = self._fresh or self.journal.is_new
            self.close()
            raise

    def share(self, tiles: Sequence[Region]) -> range:
        """The tiles that belong into this file."""
        return self._grid.share(tiles)

    def todo(self, tiles: Sequence[Region]) -> Sequence[int]:
        """The tiles that no earlier run wrote, or whose numbers the file does not hold."""
        mine = self.share(tiles)
        written, changed = self._verified(tiles, mine) if self._known else (set(), 0)
        if self._finished and changed:
            raise FileExistsError(
                f"{os.fspath(self.path)!r} was changed after it was finished: {changed} of {len(mine)} tiles are not "
                f"what was written; move it away, or {_WAY_OUT}"
            )
        left = [k for k in mine if k not in written] if written else mine
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
        new = made_aside(self.path, "new")
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

    def _verified(self, tiles: Sequence[Region], mine: range) -> tuple[set[int], int]:
        """The tiles whose numbers the file holds, and how many it does not hold though they were written."""
        written: set[int] = set()
        changed = 0
        array = _mapped(self.path, len(self._header), self._grid.shape, self._dtype)
        for number, checksum in self._known.items():
            if number not in mine:
                continue
            if self._grid.checksum(array, tiles[number]) == checksum:
                written.add(number)
            else:
                changed += 1
        return written, changed


def _npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    header = io.BytesIO()
    about = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, about)  # type: ignore[no-untyped-call]
    return header.getvalue()


def is_whole(path: Path) -> bool:
    """Whether a file is an array, and not the mark of a run that has not finished."""
    return _head(path, len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX


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
        way_out = f"; it takes {in_words(total)}: make room, choose another out, dtype='float32' or condensed=True"
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


def _load(path: Path) -> npt.NDArray[Any]:
    # Copy on write: what is done to the array stays out of the file, which remains the matrix.
    loaded: npt.NDArray[Any] = np.load(path, mmap_mode="c")
    return loaded
