"""A matrix in a Zarr store that array jobs fill together.

A tile is a chunk, or two that mirror each other, so no chunk is of two shards: each run writes its chunks into the one
store. Beside the store each shard has a journal of its own, such as ``D.shard-03-of-16.zarr.journal``, which is its
lock as well; that of the store is held by all shards at work, so that nobody replaces or finishes it meanwhile.
:func:`merge_store` makes sure that all shards are there and whole, and calls the store finished.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataFileError
from .destination import Region
from .identity import Job, digest_of
from .journal import Journal, job_in, tiles_in
from .matrix_zarr import JournalledTiles, journal_of, refuse_another
from .places import zarr_path
from .shard_grid import (
    ShardLayout,
    count_in,
    job_of_matrix,
    job_of_shard,
    layout_in,
    refuse_incomplete,
    refuse_mixed,
    shard_name,
    shards_beside,
)
from .tiles import Advance, Progress, progress_bar
from .zarr_store import WAY_OUT, StoreState, TileStore

_JOURNAL = ".journal"
_ENDING = f".zarr{_JOURNAL}"

# Seconds that a shard waits while another makes the store.
_PATIENCE = 20.0


class ZarrShard(JournalledTiles):
    """The chunks of one shard, in a store that all shards share.

    Parameters
    ----------
    path : path
        The folder of the store, ending in ``.zarr``.
    layout : ShardLayout
        The grid of tiles, and which shard of how many.
    dtype : dtype
        float64 or float32.
    job : dict of str to str
        That of the matrix; see :func:`stotmetrics.engine.identity.job_of`.
    overwrite : bool
        Whether a store that is not of this job gives way; in one that is, this shard alone is done anew.
    """

    def __init__(
        self, path: Any, layout: ShardLayout, dtype: np.dtype[Any], job: Job, *, overwrite: bool = False
    ) -> None:
        self._division, self._dtype, self._job, self._digest = layout, dtype, job, digest_of(job)
        store = TileStore(path, mirror=layout.grid.layout().mirror)
        own = job_of_shard(job, layout)
        name = shard_name(store.path, layout.index, layout.count)
        super().__init__(store, Journal(name.with_name(name.name + _JOURNAL), name, own, digest_of(own)))
        self._store_journal: Journal | None = None
        self._made_store = False
        try:
            self._open(overwrite, own)
        except BaseException:
            self.close()
            raise

    def share(self, tiles: Sequence[Region]) -> range:
        """The tiles of this shard."""
        return self._division.share(tiles)

    def finish(self) -> None:
        """Bring the chunks of this shard to the disk."""
        if self._wrote:
            self._to_disk()
        self.array = self._store.open(to_write=False)

    def close(self) -> None:
        """Give the locks back; a shard that wrote nothing leaves nothing of its own."""
        if self.journal.is_new and not self._wrote and self._division.size:
            self.journal.remove()
        if self._store_journal is not None:
            self._store_journal.close()
        if self._made_store and not self._wrote:
            self._remove_unused()
        self.journal.close()

    def _open(self, overwrite: bool, own: Job) -> None:
        self.journal.require_writable()
        self._make_store(overwrite)
        self._store_journal = Journal(
            journal_of(self._store), self.path, self._job, self._digest, beside_others=True, patience=_PATIENCE
        )
        state = self._store.state()
        if state is None:
            raise FileNotFoundError(f"{os.fspath(self.path)!r} was removed while a shard was about to fill it")
        self._refuse(state)
        job, known = self.journal.read()
        if overwrite or job != own:
            self.journal.begin()
        else:
            self._known = known
        self._finished = state.finished
        self._store.open(to_write=not self._finished)
        if overwrite and self._finished:
            self._go_on()

    def _make_store(self, overwrite: bool) -> None:
        """Make the store, if no other shard did."""
        journal = Journal(journal_of(self._store), self.path, self._job, self._digest, patience=_PATIENCE)
        try:
            state = self._store.state()
            wanted = StoreState(self._digest, shards=self._division.count)
            if state is not None and (state.job, state.shards) == (wanted.job, wanted.shards):
                return
            if state is not None and not overwrite:
                self._refuse(state, journal.read()[0])
            journal.require_writable()
            self._store.create(self._division.grid.layout(), self._division.grid.side, self._dtype, wanted)
            self._made_store = True
            journal.begin()
        except BaseException:
            if journal.is_new:
                journal.remove()
            raise
        finally:
            journal.close()

    def _refuse(self, state: StoreState, job: Job | None = None) -> None:
        refuse_another(self._store, state, self._digest, job, self._job)
        if state.shards != self._division.count:
            division = f"divided into {state.shards} shards" if state.shards else "filled as a whole"
            raise FileExistsError(
                f"{os.fspath(self.path)!r} is {division}, and this is one of {self._division.count}; {WAY_OUT}"
            )

    def _go_on(self) -> None:
        self._store.open(to_write=True)
        self._store.set_state(StoreState(self._digest, shards=self._division.count))
        self._finished = False

    def _remove_unused(self) -> None:
        """Take away a store that this shard made, unless another one has come to use it."""
        try:
            shards_beside(self.path, _ENDING)
            return
        except FileNotFoundError:
            pass
        try:
            journal = Journal(journal_of(self._store), self.path, self._job, self._digest)
        except OSError:
            return
        if not journal.is_shared:
            self._store.remove()
            journal.remove()
        journal.close()


def merge_store(out: Any, progress: Progress = False) -> Any:
    """Call a store finished whose shards are all there and whole; its array, read-only."""
    path = zarr_path(out)
    journals = shards_beside(path, _ENDING)
    count = count_in(next(iter(journals.values())))
    refuse_incomplete(path, journals, count, [])
    said = {journal: job_in(journal) for journal in journals.values()}
    layouts = [layout_in(said[journal], journal, index, count) for index, journal in journals.items()]
    jobs = {journal: job for journal, job in said.items() if job is not None}
    refuse_mixed(jobs)
    job, grid = job_of_matrix(next(iter(jobs.values()))), layouts[0].grid
    digest = digest_of(job)
    store = TileStore(path, mirror=grid.layout().mirror)
    # No shard is at work while this one is held.
    journal = Journal(journal_of(store), path, job, digest)
    try:
        journal.require_writable()
        state = store.state()
        wanted = StoreState(digest, finished=True, shards=count)
        if state not in (wanted, StoreState(digest, shards=count)):
            raise DataFileError(f"{os.fspath(path)!r} is not the store that the {count} shards beside it filled")
        store.open(to_write=True)
        checksums = dict[int, int]()
        unfinished = []
        with progress_bar(progress, grid.tiles().pairs_in_all(), "merge") as advance:
            for layout, (own, own_job) in zip(layouts, jobs.items(), strict=True):
                whole = _whole_tiles(store, layout, tiles_in(own, digest_of(own_job)), advance)
                checksums |= whole
                if len(whole) < len(layout.share(grid.tiles())):
                    unfinished.append(layout.index)
        refuse_incomplete(path, journals, count, unfinished)
        journal.begin()
        for number, checksum in checksums.items():
            journal.add(number, checksum)
        journal.sync()
        store.set_state(wanted)
    finally:
        journal.close()
    return store.open(to_write=False)


def _whole_tiles(store: TileStore, layout: ShardLayout, known: dict[int, int], advance: Advance) -> dict[int, int]:
    """The checksums of the tiles of a shard that the store holds as the journal of the shard says."""
    tiles, whole = layout.grid.tiles(), {}
    for k in layout.share(tiles):
        if k in known and store.checksum(tiles[k]) == known[k]:
            whole[k] = known[k]
        advance(tiles[k].n_pairs())
    return whole
