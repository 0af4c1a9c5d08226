"""A matrix in a Zarr store that a second run completes.

Beside the store ``D.zarr`` lies ``D.zarr.journal``, as for a ``.npy`` file: it says which tiles are written, and is the
lock of the store.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray
from .destination import Destination, Layout, Region
from .identity import Job, differences, digest_of
from .journal import Journal
from .zarr_store import WAY_OUT, StoreState, TileStore

# Seconds between two syncs of the journal.
_SYNC = 5.0


class JournalledTiles(Destination):
    """Tiles of a Zarr store, and the journal that says which of them are written.

    Parameters
    ----------
    store : TileStore
        The store.
    journal : Journal
        The journal of these tiles.
    """

    shared = False

    def __init__(self, store: TileStore, journal: Journal) -> None:
        self._store, self.journal = store, journal
        self.path = store.path
        self._known: dict[int, int] = {}
        self._finished = self._wrote = False
        self._synced = time.monotonic()

    def todo(self, tiles: Sequence[Region]) -> Sequence[int]:
        """The tiles that no earlier run wrote, or whose numbers the store does not hold."""
        mine = self.share(tiles)
        known = [k for k in self._known if k in mine]
        written = {k for k in known if self._store.checksum(tiles[k]) == self._known[k]}
        if self._finished and len(written) < len(known):
            raise FileExistsError(
                f"{os.fspath(self.path)!r} was changed after it was finished: {len(known) - len(written)} of "
                f"{len(mine)} tiles are not what was written; move it away, or {WAY_OUT}"
            )
        left = [k for k in mine if k not in written] if written else mine
        if left and self._finished:
            self._go_on()
        return left

    def write(self, number: int, tile: Region, values: FloatArray, *, mirror: bool) -> None:
        """Write the chunk of one tile, and its mirror image, then say so in the journal."""
        self.journal.add(number, self._store.write(tile, values))
        self._wrote = True
        if time.monotonic() - self._synced > _SYNC:
            self.journal.sync()
            self._synced = time.monotonic()

    def _to_disk(self) -> None:
        os.sync()  # chunks are files by the thousand
        self.journal.sync()

    def _go_on(self) -> None:
        """Take up a finished store that lacks tiles."""
        raise NotImplementedError


class ZarrDestination(JournalledTiles):
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
        store, self._digest, self._job = TileStore(path, mirror=layout.mirror), digest_of(job), job
        super().__init__(store, Journal(journal_of(store), store.path, job, self._digest))
        self._fresh = False
        try:
            self._open(overwrite, layout, side, dtype)
        except BaseException:
            if self.journal.is_new:
                self.journal.remove()
            self.journal.close()
            raise

    def finish(self) -> None:
        """Bring everything to the disk, and say that it is there."""
        if not self._finished:
            self._to_disk()
            self._store.set_state(StoreState(self._digest, finished=True))
            self._finished = True
        self.array = self._store.open(to_write=False)

    def close(self) -> None:
        """Give the lock back; a store without a single tile is taken away."""
        if self._fresh and not (self._wrote or self._finished):
            self._store.remove()
            self.journal.remove()
        self.journal.close()

    def _open(self, overwrite: bool, layout: Layout, side: int, dtype: np.dtype[Any]) -> None:
        state = self._store.state()
        # An unfinished store without a tile is of a run that was killed at once: there is nothing to lose.
        empty = state is not None and not (state.finished or state.shards or self.journal.has_tiles())
        if overwrite or state is None or empty:
            self.journal.require_writable()
            self._store.create(layout, side, dtype, StoreState(self._digest))
            self._fresh = True
            self.journal.begin()
            self._store.open(to_write=True)
            return
        job, known = self.journal.read()
        refuse_another(self._store, state, self._digest, job, self._job)
        if state.shards and not state.finished:
            raise FileExistsError(
                f"{os.fspath(self.path)!r} is filled in {state.shards} shards; merge them once all are done "
                f"(merge_shards, or matrix --merge), or {WAY_OUT}"
            )
        self._known, self._finished = known, state.finished
        if self._finished:
            self._store.open(to_write=False)
            self.journal.share()
            return
        self._go_on()
        if job != self._job:
            self.journal.name_job()

    def _go_on(self) -> None:
        self.journal.claim()
        self.journal.require_writable()
        self._store.open(to_write=True)
        self._store.set_state(StoreState(self._digest))
        self._finished = False


def journal_of(store: TileStore) -> Path:
    """Where the journal of a whole store lies: beside it."""
    return store.path.with_name(store.path.name + ".journal")


def refuse_another(store: TileStore, state: StoreState, digest: str, job: Job | None, wanted: Job) -> None:
    """Raise an error that says what differs, if a store is not of the job with this digest."""
    if state.job != digest:
        differs = f" with another {differences(job, wanted)}" if job is not None and job != wanted else ""
        raise FileExistsError(f"{os.fspath(store.path)!r} belongs to a run{differs}; finish that run, {WAY_OUT}")
