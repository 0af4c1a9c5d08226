"""A matrix in a Zarr store that a second run completes: every tile is a chunk, and so a file of its own.

Beside the store ``D.zarr`` lies ``D.zarr.journal``, as for a ``.npy`` file; the attributes of the array say of which
job it is and whether it is finished. What is not computed yet reads as NaN. Chunks are not compressed: distances hardly
shrink, and so it is known beforehand how much space they take.
"""

import errno
import os
import shutil
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InvalidParameterError
from .destination import Destination, Layout, Region, block_of, in_words, narrowed
from .identity import Job, differences, digest_of
from .journal import Journal, named

# Seconds between two syncs of the journal.
_SYNC = 5.0

_WAY_OUT = "pass overwrite=True to start anew, or another out"
_OURS = "stotmetrics"


class ZarrDestination(Destination):
    """A Zarr array with its journal: a run that finds both of the same job does the tiles that are left.

    Parameters
    ----------
    path : path
        The folder of the store, ending in ``.zarr``.
    layout : Layout
        How the entries lie; not condensed.
    side : int
        The side of tiles and chunks.
    dtype : dtype
        float64 or float32.
    job : dict of str to str
        Everything that decides the numbers; see :func:`stotmetrics.engine.identity.job_of`.
    overwrite : bool
        Whether a store that is not of this job gives way.
    """

    def __init__(
        self, path: Any, layout: Layout, side: int, dtype: np.dtype[Any], job: Job, *, overwrite: bool = False
    ) -> None:
        self._zarr = _zarr()
        self.path = Path(os.path.realpath(path))
        self._grid, self._side, self._dtype, self._job = layout, side, dtype, job
        self._digest = digest_of(job)
        self._synced = time.monotonic()
        self._store: Any = None
        self._known: dict[int, int] = {}
        self._fresh = self._wrote = self._finished = False
        self.journal = Journal(self.path.with_name(self.path.name + ".journal"), self.path, job, self._digest)
        try:
            self._open(overwrite)
        except BaseException:
            if self.journal.is_new:
                self.journal.remove()
            self.journal.close()
            raise

    def todo(self, tiles: Sequence[Region]) -> Sequence[int]:
        """The tiles that no earlier run wrote, or whose numbers the store does not hold."""
        known = [k for k in self._known if 0 <= k < len(tiles)]
        written = {k for k in known if self._checksum(tiles[k]) == self._known[k]}
        if self._finished and len(written) < len(known):
            raise FileExistsError(
                f"{os.fspath(self.path)!r} was changed after it was finished: {len(known) - len(written)} of "
                f"{len(tiles)} tiles are not what was written; move it away, or {_WAY_OUT}"
            )
        left = [k for k in range(len(tiles)) if k not in written] if written else range(len(tiles))
        if left and self._finished:
            self.journal.claim()
            self._open_to_write()
        return left

    def write(self, number: int, tile: Region, values: FloatArray, *, mirror: bool) -> None:
        """Write the chunk of one tile, and its mirror image, then say so in the journal."""
        block = block_of(tile, narrowed(values, self._dtype), self._dtype, mirror=self._grid.mirror)
        try:
            self._store[tile.rows, tile.cols] = block
            if self._is_mirrored(tile):
                self._store[tile.cols, tile.rows] = block.T
        except OSError as error:
            raise named(error, self.path) from error
        self.journal.add(number, zlib.crc32(block.tobytes()))
        self._wrote = True
        if time.monotonic() - self._synced > _SYNC:
            self.journal.sync()
            self._synced = time.monotonic()

    def finish(self) -> None:
        """Bring everything to the disk, and say that it is there."""
        if not self._finished:
            os.sync()  # chunks are files by the thousand
            self.journal.sync()
            self._store.attrs[_OURS] = {"job": self._digest, "finished": True}
            self._finished = True
        self.array = self._zarr.open_array(self.path, mode="r")

    def close(self) -> None:
        """Give the lock back; a store without a single tile is taken away."""
        if self._fresh and not (self._wrote or self._finished):
            shutil.rmtree(self.path, ignore_errors=True)
            self.journal.remove()
        self.journal.close()

    def _open(self, overwrite: bool) -> None:
        found = _attributes(self._zarr, self.path)
        # An unfinished store without a tile is of a run that was killed at once: there is nothing to lose.
        empty = found is not None and not found.get("finished") and not self.journal.has_tiles()
        if overwrite or found is None or empty:
            self.journal.require_writable()
            self._start()
            return
        job, known = self.journal.read()
        if found.get("job") != self._digest:
            differs = f" with another {differences(job, self._job)}" if job is not None and job != self._job else ""
            raise FileExistsError(f"{os.fspath(self.path)!r} belongs to a run{differs}; finish that run, {_WAY_OUT}")
        self._known, self._finished = known, bool(found.get("finished"))
        if self._finished:
            self._store = self._zarr.open_array(self.path, mode="r")
            self.journal.share()
            return
        self._open_to_write()
        if job != self._job:
            self.journal.name_job()

    def _start(self) -> None:
        """Make the store under another name, and put it in its place."""
        _refuse_full_disk(self.path, self._grid.size * self._dtype.itemsize)
        new, old = (self.path.with_name(self.path.name + suffix) for suffix in (".new", ".old"))
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)
        side = [max(1, min(self._side, size)) for size in self._grid.shape]
        try:
            self._zarr.create_array(
                new,
                shape=self._grid.shape,
                chunks=tuple(side),
                dtype=self._dtype,
                compressors=None,
                fill_value=float("nan"),
                attributes={_OURS: {"job": self._digest, "finished": False}},
            )
            if self.path.exists():
                self.path.rename(old)
            new.rename(self.path)
        except OSError as error:
            raise named(error, self.path) from error
        finally:
            for folder in (new, old):
                shutil.rmtree(folder, ignore_errors=True)
        self._fresh = True
        self.journal.begin()
        self._store = self._zarr.open_array(self.path, mode="r+")

    def _open_to_write(self) -> None:
        self.journal.require_writable()
        self._store = self._zarr.open_array(self.path, mode="r+")
        self._store.attrs[_OURS] = {"job": self._digest, "finished": False}
        self._finished = False

    def _is_mirrored(self, tile: Region) -> bool:
        return self._grid.mirror and tile.rows != tile.cols

    def _checksum(self, tile: Region) -> int | None:
        """The checksum of what the store holds, None if the two halves of it differ."""
        block = np.ascontiguousarray(self._store[tile.rows, tile.cols])
        if self._is_mirrored(tile) and not np.array_equal(block, self._store[tile.cols, tile.rows].T):
            return None
        return zlib.crc32(block.tobytes())


def is_zarr_path(out: Any) -> bool:
    """Whether ``out`` names a Zarr store."""
    return isinstance(out, (str, os.PathLike)) and Path(os.fspath(out)).suffix == ".zarr"  # type: ignore[arg-type]


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise InvalidParameterError("out='matrix.zarr' needs zarr: pip install 'stotmetrics[zarr]'") from error
    return zarr


def _attributes(zarr: Any, path: Path) -> dict[str, Any] | None:
    """What an array of this package says of itself; None where there is nothing."""
    if not path.exists():
        return None
    try:
        found = zarr.open_array(path, mode="r").attrs.get(_OURS)
    except Exception as error:
        raise FileExistsError(f"{os.fspath(path)!r} exists and is no Zarr array ({error}); move it away") from error
    if not isinstance(found, dict):
        raise FileExistsError(f"{os.fspath(path)!r} is a Zarr array of someone else; move it away, or pass another out")
    return found


def _refuse_full_disk(path: Path, need: int) -> None:
    if shutil.disk_usage(path.parent).free < need:
        way_out = f"{os.strerror(errno.ENOSPC)}; it takes {in_words(need)}: make room, or pass dtype='float32'"
        raise OSError(errno.ENOSPC, way_out, os.fspath(path))
