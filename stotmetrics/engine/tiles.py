"""The pair loop: which pairs, in which tiles, on which workers. It knows nothing of any metric."""

import itertools
import sys
import threading
import time
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, overload

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import ThreadpoolController

from ..arrays import IntArray, is_integer
from ..errors import ConvergenceWarning, InvalidParameterError
from ..kernels._interrupt import Stop
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.prepared import PreparedSet
from ..spec.result import Batch
from .output import Destination

Progress = bool | Callable[[int, int], None]
Advance = Callable[[int], object]

# Cost-matrix entries in one tile, and series on its side: milliseconds to seconds of work, enough to make handing out a
# tile cheap, little enough for progress, balance and Ctrl-C.
_CELLS = 2**24
_SIDES = (4, 24)

# Seconds of work that are done at once, and that must be left, before workers are started: threads, processes.
_ALONE = {True: 0.005, False: 0.5}

# What joblib's delayed() makes: a function and its arguments.
Task = tuple[Callable[..., tuple[int, Any]], tuple[Any, ...], dict[str, Any]]


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


def tile_side(left: Sequence[Series], right: Sequence[Series]) -> int:
    """Series on one side of a tile. It depends on the data alone, so that the result cannot depend on the workers."""
    cells = np.mean([len(s) for s in left]) * np.mean([len(s) for s in right]) * left[0].dim
    return int(np.clip(np.sqrt(_CELLS / cells), *_SIDES))


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
    total = tiles.pairs_in_all()
    done = total - sum(tiles[k].n_pairs() for k in todo) if len(todo) < len(tiles) else 0
    report = Report()
    threads = metric.traits.releases_gil
    with one_blas_thread(), progress_bar(progress, total, metric.name, done) as advance:
        if not todo:
            return
        prepared_left = prepare(metric, left, side, n_jobs)
        prepared_right = prepared_left if within else prepare(metric, others, side, n_jobs)
        tasks = (delayed(_solve_tile)(metric, k, prepared_left, prepared_right, tiles[k]) for k in todo)
        for k, batch in run(tasks, n_jobs, threads=threads, count=len(todo), eager=eager):
            tile = tiles[k]
            destination.write(k, tile, batch.values, mirror=symmetric)
            i, j = tile.pairs()
            report.add(batch, i + tile.rows.start, j + tile.cols.start)
            advance(len(batch.values))
    report.warn(metric)


def prepare(metric: BoundMetric, series: Sequence[Series], side: int, n_jobs: int | None) -> PreparedSet:
    """Prepare each series once, in its order."""
    if metric.spec.prepare is None:
        return PreparedSet(series)  # starting workers would take longer than all there is to do
    tasks = [delayed(_prepare)(metric, k, list(series[k : k + side])) for k in range(0, len(series), side)]
    parts = dict(run(tasks, n_jobs))
    return PreparedSet(prepared for k in sorted(parts) for prepared in parts[k])


def run(
    tasks: Iterable[Task], n_jobs: int | None, *, threads: bool = True, count: int | None = None, eager: bool = False
) -> Iterator[tuple[int, Any]]:
    """Yield the results of joblib tasks as they come, in any order; ``count`` is their number if they have no length.

    Threads (or processes) are preferred, never imposed: a ``joblib.parallel_config`` around the call decides. The first
    tasks are done here: workers start once there is more left to do than starting them takes.
    """
    prefer = "threads" if threads else "processes"
    if effective_n_jobs(check_jobs(n_jobs)) > 1 and not eager:
        start = time.perf_counter()
        count = len(tasks) if count is None and isinstance(tasks, Sized) else count or 0
        tasks = iter(tasks)
        for done, (function, args, kwargs) in enumerate(tasks, 1):
            yield function(*args, **kwargs)
            spent = time.perf_counter() - start
            if spent > _ALONE[threads] and spent * (count - done) > _ALONE[threads] * done:
                break
    # As many as joblib's own "2 * n_jobs", which it has parsed as Python: the parser of 3.11 fails in several threads.
    ahead = 2 * effective_n_jobs(n_jobs)
    try:
        parallel = Parallel(n_jobs=n_jobs, prefer=prefer, pre_dispatch=ahead, return_as="generator_unordered")
    except ValueError:  # a backend that can only return everything at the end
        parallel = Parallel(n_jobs=n_jobs, prefer=prefer, pre_dispatch=ahead)
    stop = Stop()
    try:
        yield from parallel(delayed(_heeding)(stop, *task) for task in tasks)
    finally:
        # After Ctrl-C, an error or a caller that has had enough, no thread goes on for nobody.
        stop.ask()


def _heeding(stop: Stop, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do a task; in a worker thread, which hears no signal, until the call that it belongs to is given up."""
    if threading.current_thread() is threading.main_thread():
        return function(*args, **kwargs)
    return stop.run(function, args, kwargs)


def check_jobs(n_jobs: Any) -> int | None:
    """``n_jobs`` as joblib takes it, or an error for people."""
    if n_jobs is None:
        return None
    if not is_integer(n_jobs) or n_jobs == 0:
        raise InvalidParameterError(f"n_jobs must be None or a non-zero integer (-1: all cores); got {n_jobs!r}")
    return int(n_jobs)


def _solve_tile(metric: BoundMetric, k: int, left: PreparedSet, right: PreparedSet, tile: Tile) -> tuple[int, Batch]:
    rows, cols = tile.pairs()
    return k, metric.block(left, right, rows + tile.rows.start, cols + tile.cols.start)


def _prepare(metric: BoundMetric, k: int, series: list[Series]) -> tuple[int, list[Any]]:
    return k, [metric.prepare(one) for one in series]


@lru_cache(maxsize=1)
def _thread_pools(modules: int) -> ThreadpoolController:
    """The thread pools of the loaded libraries; looked for again when there are more modules, which bring more."""
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: the workers are the parallelism, and sums keep their order whatever their number."""
    with _thread_pools(len(sys.modules)).limit(limits=1, user_api="blas"):
        yield


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

    def add(self, batch: Batch, rows: IntArray, cols: IntArray) -> None:
        """Count the pairs of one tile."""
        self.total += len(batch.values)
        if batch.converged is None:
            return
        failed = np.flatnonzero(~batch.converged)
        self.failed += len(failed)
        if len(failed):
            gaps = np.zeros(len(failed)) if batch.gap is None else np.nan_to_num(batch.gap[failed])
            k = int(np.argmax(gaps))
            # Ties go to the first pair in the matrix, so that the message does not depend on the workers.
            where = (int(rows[failed[k]]), int(cols[failed[k]]))
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
