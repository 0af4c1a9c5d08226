"""The pair loop: which pairs, in which tiles. It knows nothing of any metric."""

import itertools
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import overload

import numpy as np

from ..arrays import IntArray
from ..errors import ConvergenceWarning
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.result import Batch
from .blas import one_blas_thread
from .destination import Destination
from .workers import Workers, Workload

Progress = bool | Callable[[int, int], None]
Advance = Callable[[int], object]

# Cost-matrix entries in one tile, and series on its side at most: ten milliseconds of work and more, enough to make
# handing out a tile cheap, little enough for progress, balance and Ctrl-C. An entry costs least where a metric solves
# many pairs side by side, and most where it solves pair after pair: up to a transport problem, and a larger tile gains
# nothing.
_CELLS = {"lanes": 2**25, "block": 2**24, "pair": 2**20}
_SIDES = {"lanes": 256, "block": 64, "pair": 24}
# What the lower bound of a pair takes at a time, in such entries: a band may leave fewer than a row has.
_ENTRIES_OF_A_BOUND = 32


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

    def pairs(self) -> tuple[IntArray, IntArray]:
        """Row and column indices, counted within the tile, of the pairs to compute."""
        shape = (self.rows.stop - self.rows.start, self.cols.stop - self.cols.start)
        i, j = np.indices(shape, dtype=np.intp).reshape(2, -1)
        if self.rows == self.cols:
            wanted = (i <= j) if self.triangle else np.ones(i.shape, dtype=bool)
            if self.skip_diagonal:
                wanted &= i != j
            i, j = i[wanted], j[wanted]
        return i, j


def tile_side(
    left: Sequence[Series],
    right: Sequence[Series],
    by: str = "block",
    *,
    frames: bool = False,
    effort: Callable[[float, float], float] | None = None,
) -> int:
    """Series on one side of a tile of a metric that solves pairs side by side, as a block, or pair after pair.

    It depends on the data alone, so that the result cannot depend on the workers. Where rows are ``frames``, an entry
    of the cost matrix is a transport problem, and takes the square of their points. ``effort`` is that of the metric:
    a pair may look at few entries of its cost matrix.
    """
    dim = left[0].dim
    n, m = float(np.mean([len(s) for s in left])), float(np.mean([len(s) for s in right]))
    of_a_pair = n * m * (dim * dim if frames else dim)
    if effort is not None:
        of_a_pair = min(of_a_pair, effort(n, m) * _ENTRIES_OF_A_BOUND * max(n, m) * dim)
    return int(np.clip(np.sqrt(_CELLS[by] / of_a_pair), 1, _SIDES[by]))


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
        for k, batch in workers.run(_solve_tile, ((k, tiles[k]) for k in todo), len(todo)):
            tile = tiles[k]
            destination.write(k, tile, batch.values, mirror=symmetric)
            report.add(batch, tile)
            advance(len(batch.values))
    report.warn(metric)


def _solve_tile(load: Workload, number: int, tile: Tile) -> tuple[int, Batch]:
    rows, cols = tile.pairs()
    return number, load.metric.block(
        load.prepared(0), load.prepared(-1), rows + tile.rows.start, cols + tile.cols.start
    )


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
