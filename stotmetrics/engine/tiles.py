"""The pair loop: which pairs, in which tiles. It knows nothing of any metric."""

import itertools
import time
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import overload

import numpy as np

from ..arrays import IntArray
from ..errors import ConvergenceWarning
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.result import Batch, joined
from .blas import one_blas_thread
from .destination import Destination
from .workers import Pace, Workers, Workload

Progress = bool | Callable[[int, int], None]
Advance = Callable[[int], object]

# Cost-matrix entries in one tile (for each of the lanes), and series on its side at most: enough to make writing a tile
# cheap, little enough for progress and what is lost with one. An entry costs least where a metric solves many pairs
# side by side, and most where it solves pair after pair: up to a transport problem, and a larger tile gains nothing.
_CELLS = {"lanes": 2**22, "block": 2**21, "pair": 2**20}
_SIDES = {"lanes": 256, "block": 32, "pair": 24}

# What the lower bound of a pair takes at a time, in such entries: a band may leave fewer than a row has.
_ENTRIES_OF_A_BOUND = 32

# Entries and pairs of the first task for several workers at most.
_FIRST, _FIRST_PAIRS = 2**16, 64


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the matrix; on the diagonal of a symmetric matrix its upper triangle."""

    rows: slice
    cols: slice
    triangle: bool
    skip_diagonal: bool

    def n_pairs(self) -> int:
        """The number of pairs to compute."""
        height, width = self.rows.stop - self.rows.start, self.cols.stop - self.cols.start
        if self.rows != self.cols:
            return height * width
        return (height * (height + 1) // 2 if self.triangle else height * width) - (height if self.skip_diagonal else 0)

    def pairs(self, start: int = 0, stop: int | None = None) -> tuple[IntArray, IntArray]:
        """Row and column indices, counted within the tile, of the pairs to compute, or of some of them, row by row."""
        if self.rows != self.cols:
            i, j = _rectangle(self.rows.stop - self.rows.start, self.cols.stop - self.cols.start)
            return i[start:stop], j[start:stop]
        rows = np.arange(self.rows.stop - self.rows.start, dtype=np.intp)
        first = rows + self.skip_diagonal if self.triangle else np.zeros_like(rows)
        gap = self.skip_diagonal and not self.triangle
        counts = self.cols.stop - self.cols.start - first - gap
        ends = np.cumsum(counts)
        stop = int(ends[-1]) if stop is None else stop
        begins = ends - counts
        i = np.repeat(rows, np.clip(ends, start, stop) - np.clip(begins, start, stop))
        j = np.arange(start, stop, dtype=np.intp) + (first - begins)[i]
        if gap:
            j += j >= i
        return i, j


@lru_cache(maxsize=4)
def _rectangle(height: int, width: int) -> tuple[IntArray, IntArray]:
    """Rows and columns of all pairs of a tile off the diagonal: nearly all tiles have the same."""
    cells = np.arange(height * width, dtype=np.intp)
    i, j = np.divmod(cells, width)
    i.flags.writeable = j.flags.writeable = False
    return i, j


def tile_side(entries: float, by: str = "block", *, lanes: int = 1) -> int:
    """Series on one side of a tile of a metric that solves pairs side by side, as a block, or pair after pair.

    It depends on the data alone, by the entries of a pair: a matrix on disk may be taken up by other workers. The
    rows of a tile fill its lanes: half of a last vector would be computed for nobody.
    """
    side = int(np.clip(np.sqrt(lanes * _CELLS[by] / entries), 1, _SIDES[by]))
    return round(side / lanes) * lanes if side > lanes else side


def entries_of_a_pair(left: Sequence[Series], right: Sequence[Series], metric: BoundMetric) -> float:
    """Cost-matrix entries a pair looks at in the mean; of rows that are frames, those of their transport problems."""
    dim, effort = left[0].dim, metric.spec.effort
    n, m = float(np.mean([len(s) for s in left])), float(np.mean([len(s) for s in right]))
    entries = n * m * (dim * dim if metric.traits.compares_frames else dim)
    # In a band a pair may look at few entries of its cost matrix.
    return (
        entries if effort is None else min(entries, effort(n, m, metric.params) * _ENTRIES_OF_A_BOUND * max(n, m) * dim)
    )


class Tiles(Sequence[Tile]):
    """The tiles that cover an n x m matrix, numbered row by row; each is made when it is asked for.

    There may be millions of them: a list would take longer to write than the first tile to compute.
    """

    def __init__(self, n: int, m: int, side: int, *, within: bool, symmetric: bool, zero_self: bool) -> None:
        self._shape, self._side = (n, m), side
        self._triangle, self._skip = within and symmetric, within and zero_self
        self._across = -(-m // side)
        bands = -(-n // side)
        widths = [self._across - (band if self._triangle else 0) for band in range(bands)]
        self._starts = [0, *itertools.accumulate(widths)]

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, number: int) -> Tile: ...
    @overload
    def __getitem__(self, number: slice) -> list[Tile]: ...
    def __getitem__(self, number: int | slice) -> Tile | list[Tile]:
        if isinstance(number, slice):
            return [self[k] for k in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        band = bisect_right(self._starts, number) - 1
        i = band * self._side
        j = (number - self._starts[band] + (band if self._triangle else 0)) * self._side
        rows = slice(i, min(i + self._side, self._shape[0]))
        cols = slice(j, min(j + self._side, self._shape[1]))
        return Tile(rows, cols, triangle=self._triangle, skip_diagonal=self._skip)

    def pairs_in_all(self) -> int:
        """The pairs to compute in all tiles."""
        n, m = self._shape
        return (n * (n + 1) // 2 if self._triangle else n * m) - (n if self._skip else 0)


def tiles_of(n: int, m: int, side: int, *, within: bool, symmetric: bool, zero_self: bool) -> Tiles:
    """The tiles that cover an n x m matrix; ``within`` says that rows and columns are the same series."""
    return Tiles(n, m, side, within=within, symmetric=symmetric, zero_self=zero_self)


def fill(
    metric: BoundMetric,
    left: Sequence[Series],
    right: Sequence[Series] | None,
    destination: Destination,
    side: int,
    *,
    n_jobs: int | None = None,
    progress: Progress = False,
    eager: bool = False,
) -> None:
    """Fill the destination with all distances between ``left`` and ``right``; within ``left`` if ``right`` is None.

    ``eager`` starts workers however little there is to do.
    """
    within, others = right is None, left if right is None else right
    symmetric = within and metric.traits.symmetric
    tiles = tiles_of(
        len(left), len(others), side, within=within, symmetric=symmetric, zero_self=metric.traits.zero_self
    )
    todo = destination.todo(tiles)
    mine = destination.share(tiles)
    total = tiles.pairs_in_all() if len(mine) == len(tiles) else sum(tiles[k].n_pairs() for k in mine)
    done = total - sum(tiles[k].n_pairs() for k in todo) if len(todo) < len(mine) else 0
    report = Report()
    with one_blas_thread(), progress_bar(progress, total, metric.name, done) as advance:
        if not todo:
            return
        workers = Workers(Workload(metric, left) if within else Workload(metric, left, others), n_jobs, eager=eager)
        workers.prepare()
        pace = Pace(pairs_at_first(left, others, metric) if workers.several else 0, workers.count)
        whole, apart = Gathered(tiles), workers.in_threads and destination.shared
        solve = partial(_solve_into, destination, symmetric) if apart else _solve
        for pieces, seconds in workers.run(
            solve, tasks_of(tiles, todo, pace, total - done), total - done, _pairs_of_task
        ):
            pace.learn(sum(len(batch.values) for _, _, batch in pieces), seconds)
            for k, start, batch in pieces:
                solved = whole.add(k, start, batch)
                if solved is not None:
                    tile = tiles[k]
                    if not apart or solved is not batch:
                        destination.write(k, tile, solved.values, mirror=symmetric)
                    report.add(solved, tile)
                    advance(len(solved.values))
    report.warn(metric)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pairs of a tile: those from ``start`` up to ``stop`` in the order of its pairs."""

    number: int
    tile: Tile
    start: int
    stop: int


def pairs_at_first(left: Sequence[Series], right: Sequence[Series], metric: BoundMetric) -> int:
    """The pairs of the first task, which nobody helps with: few, however long a metric takes for an entry."""
    entries = entries_of_a_pair(left, right, metric)
    return int(np.clip(_FIRST / entries, 1, _FIRST_PAIRS))


def tasks_of(tiles: Tiles, numbers: Sequence[int], pace: Pace, left: int) -> Iterator[tuple[tuple[Piece, ...]]]:
    """The tiles in pieces, ``left`` pairs in all, as many of them to a task as the pace says when it is made."""
    task, room = list[Piece](), pace.share(left)
    for k in numbers:
        tile, start = tiles[k], 0
        count = tile.n_pairs()
        while True:
            stop = min(count, start + room) if pace.size else count
            task.append(Piece(k, tile, start, stop))
            start, room, left = stop, room - (stop - start), left - (stop - start)
            if room <= 0:
                yield (tuple(task),)
                task, room = [], pace.share(left)
            if start == count:
                break
    if task:
        yield (tuple(task),)


def _pairs_of_task(task: tuple[tuple[Piece, ...]]) -> int:
    return sum(piece.stop - piece.start for piece in task[0])


def _solve(load: Workload, pieces: tuple[Piece, ...]) -> tuple[list[tuple[int, int, Batch]], float]:
    """The pairs of each piece, and the seconds for all."""
    began, solved = time.perf_counter(), []
    for piece in pieces:
        rows, cols = piece.tile.pairs(piece.start, piece.stop)
        batch = load.metric.block(
            load.prepared(0), load.prepared(-1), rows + piece.tile.rows.start, cols + piece.tile.cols.start
        )
        solved.append((piece.number, piece.start, batch))
    return solved, time.perf_counter() - began


def _solve_into(
    destination: Destination, mirror: bool, load: Workload, pieces: tuple[Piece, ...]
) -> tuple[list[tuple[int, int, Batch]], float]:
    """The same, and tiles that are one piece are written: filling a large matrix takes as long as cheap distances."""
    solved, seconds = _solve(load, pieces)
    for piece, (number, _, batch) in zip(pieces, solved, strict=True):
        if len(batch.values) == piece.tile.n_pairs():
            destination.write(number, piece.tile, batch.values, mirror=mirror)
    return solved, seconds


class Gathered:
    """The pieces of tiles until they are whole."""

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self._pieces = dict[int, dict[int, Batch]]()

    def add(self, number: int, start: int, batch: Batch) -> Batch | None:
        """A piece of a tile; the tile if that was the last one, and the piece itself if it was the only one."""
        if len(batch.values) == self._tiles[number].n_pairs():
            return batch
        pieces = self._pieces.setdefault(number, {})
        pieces[start] = batch
        if sum(len(piece.values) for piece in pieces.values()) < self._tiles[number].n_pairs():
            return None
        del self._pieces[number]
        return joined([pieces[at] for at in sorted(pieces)])


@contextmanager
def progress_bar(progress: Progress, total: int, name: str, done: int = 0) -> Iterator[Advance]:
    """Show pairs done, their rate and the time that is left, or tell ``progress(done, total)``.

    What was done before is not a part of the rate.
    """
    if callable(progress):

        def tell(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        tell(0)
        yield tell
    elif progress:
        from tqdm.auto import tqdm  # it looks for a notebook, which takes longer than a small matrix

        with tqdm(total=total, initial=done, desc=name, unit="pair", unit_scale=True) as bar:
            yield bar.update
    else:
        yield lambda count: None


@dataclass
class Report:
    """One convergence report for all pairs of a call."""

    failed: int = 0
    total: int = 0
    worst: float = -1.0
    where: tuple[int, int] = field(default=(0, 0))

    def add(self, batch: Batch, tile: Tile) -> None:
        """Count the pairs of one tile."""
        self.total += len(batch.values)
        if batch.converged is None:
            return
        failed = np.flatnonzero(~batch.converged)
        self.failed += len(failed)
        if len(failed):
            rows, cols = tile.pairs()
            gaps = np.zeros(len(failed)) if batch.gap is None else np.nan_to_num(batch.gap[failed])
            k = int(np.argmax(gaps))
            # Ties go to the first pair in the matrix, so that the message does not depend on the workers.
            where = (int(rows[failed[k]]) + tile.rows.start, int(cols[failed[k]]) + tile.cols.start)
            if (gaps[k], where) > (self.worst, where) or (gaps[k] == self.worst and where < self.where):
                self.worst, self.where = float(gaps[k]), where

    def warn(self, metric: BoundMetric) -> None:
        """Raise the one warning of the call, if there is cause."""
        if self.failed:
            gap = f", error at most {self.worst:.3g}" if self.worst > 0 else ""
            warnings.warn(
                f"{metric.name} did not converge for {self.failed} of {self.total} pairs; "
                f"the worst is {self.where}{gap}; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=4,
            )
