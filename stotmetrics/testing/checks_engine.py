"""Checks of many pairs at once: blocks, tiles, workers, threads."""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event, Thread

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from joblib import parallel_config

from ..arrays import FloatArray, IntArray
from ..engine import tiles
from ..engine.destination import Destination
from ..errors import ConvergenceWarning
from ..series import Series
from ..spec.bound import BoundMetric
from .check import Undecided, check, evaluate, fresh, require, slack
from .checks_interface import nothing
from .inputs import alike


def _several(metric: BoundMetric, max_length: int) -> SearchStrategy[tuple[list[Series]]]:
    return st.integers(3, 5).flatmap(lambda n: alike(metric, n, max_length)).map(lambda drawn: (list(drawn),))


def _all_pairs(n: int) -> tuple[IntArray, IntArray]:
    rows, cols = np.indices((n, n), dtype=np.intp).reshape(2, -1)
    # Not in the order of the matrix: a block must not rely on it.
    order = np.argsort(np.cos(np.arange(n * n) * 7.0))
    return rows[order], cols[order]


def _prepared(metric: BoundMetric, series: Sequence[Series]) -> list[object]:
    try:
        return [metric.prepare(fresh(member)) for member in series]
    except Exception as error:
        raise Undecided(str(error)) from error


def _alone(metric: BoundMetric, x: Series, y: Series) -> float:
    """The value of one pair by itself, from the block."""
    first = np.zeros(1, dtype=np.intp)
    try:
        return float(metric.block(_prepared(metric, [x]), _prepared(metric, [y]), first, first).values[0])
    except Exception as error:
        raise Undecided(str(error)) from error


@check(_several, when=lambda metric: metric.spec.block is not None, share=0.5)
def block_is_the_loop(metric: BoundMetric, series: list[Series]) -> None:
    """``block`` gives the values of ``pair``, in any order of the pairs.

    Tolerance: 1e-9 of the scale, and the certified gaps of both.
    """
    prepared, (rows, cols) = _prepared(metric, series), _all_pairs(len(series))
    singles = [evaluate(metric, series[i], series[j]) for i, j in zip(rows, cols, strict=True)]
    batch = metric.block(prepared, prepared, rows, cols)
    require(batch.values.shape == rows.shape, f"{len(rows)} pairs, but values of shape {batch.values.shape}")
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        single = singles[k]
        if batch.converged is not None and not batch.converged[k]:
            continue
        gap = 0.0 if batch.gap is None or np.isnan(batch.gap[k]) else float(batch.gap[k])
        allowed = slack(series[i], series[j], single) + gap
        require(
            abs(batch.values[k] - single.value) <= allowed,
            f"pair ({i}, {j}): block gives {batch.values[k]!r}, pair gives {single.value!r}",
        )


@check(_several, when=lambda metric: metric.spec.block is not None, share=0.5)
def block_ignores_company(metric: BoundMetric, series: list[Series]) -> None:
    """The value of a pair does not depend on the other pairs of its block, nor on its place.

    Exact: equal in every bit.
    """
    prepared, (rows, cols) = _prepared(metric, series), _all_pairs(len(series))
    single = [_alone(metric, series[i], series[j]) for i, j in zip(rows, cols, strict=True)]
    together = metric.block(prepared, prepared, rows, cols).values
    backwards = metric.block(prepared, prepared, rows[::-1].copy(), cols[::-1].copy()).values[::-1]
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        alone = single[k]
        require(
            together[k] == alone == backwards[k],
            f"pair ({i}, {j}): {together[k]!r} in a block, {backwards[k]!r} backwards, {alone!r} alone",
        )


def matrix(
    metric: BoundMetric, left: list[Series], right: list[Series] | None, *, n_jobs: int, side: int
) -> FloatArray:
    """All distances, in tiles of the given side."""
    destination = Destination(np.zeros((len(left), len(left if right is None else right))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with parallel_config(backend="threading"):
            tiles.fill(metric, left, right, destination, side, n_jobs=n_jobs, eager=True)
    return destination.array


def _copies(series: list[Series]) -> list[Series]:
    return [fresh(member) for member in series]


@check(_several, share=0.3)
def pairwise_is_the_block(metric: BoundMetric, series: list[Series]) -> None:
    """Every entry of the matrix that is computed, and not known from a trait, is the value of its pair alone.

    Exact: equal in every bit.
    """
    alone = {(i, j): _alone(metric, x, y) for i, x in enumerate(series) for j, y in enumerate(series)}
    within = matrix(metric, _copies(series), None, n_jobs=1, side=64)
    across = matrix(metric, _copies(series), _copies(series[::-1]), n_jobs=1, side=64)[:, ::-1]
    for (i, j), wanted in alone.items():
        require(across[i, j] == wanted, f"entry ({i}, {j}) between two sets is {across[i, j]!r}, alone {wanted!r}")
        if i < j or (i == j and not metric.traits.zero_self) or (i > j and not metric.traits.symmetric):
            require(within[i, j] == wanted, f"entry ({i}, {j}) within a set is {within[i, j]!r}, alone {wanted!r}")


@check(_several, share=0.3)
def pairwise_ignores_workers_and_tiles(metric: BoundMetric, series: list[Series]) -> None:
    """The matrix depends neither on the number of workers nor on the size of the tiles.

    Exact: equal in every bit.
    """
    try:
        wanted = matrix(metric, _copies(series), None, n_jobs=1, side=64)
    except Exception as error:
        raise Undecided(str(error)) from error
    for n_jobs, side in ((2, 2), (1, 1)):
        got = matrix(metric, _copies(series), None, n_jobs=n_jobs, side=side)
        differs = np.argwhere(got != wanted)
        where = tuple(differs[0].tolist()) if len(differs) else ()
        require(not len(differs), f"entry {where} changes with n_jobs={n_jobs} and tiles of {side} by {side}")


@check(_several, share=0.1)
def threads_agree(metric: BoundMetric, series: list[Series]) -> None:
    """Two threads that use one metric at once get the values that one thread gets.

    Tolerance: 1e-9 of the scale, and the certified gaps.
    """
    pairs = [(x, y) for x in series[:3] for y in series[:3]]
    wanted = [evaluate(metric, x, y) for x, y in pairs]
    start = Barrier(2)

    def work(order: int) -> list[float]:
        # The two walk in opposite directions, so that they are in different pairs at the same time.
        start.wait(timeout=60)
        values = [metric.solve(fresh(x), fresh(y)).value for x, y in pairs[::order]]
        return values[::order]

    with ThreadPoolExecutor(2) as pool:
        both = [task.result() for task in [pool.submit(work, 1), pool.submit(work, -1)]]
    for values in both:
        for got, result, (x, y) in zip(values, wanted, pairs, strict=True):
            require(abs(got - result.value) <= slack(x, y, result), f"{got!r} in two threads, {result.value!r} in one")


@check(nothing, trait="releases_gil", share=0.05)
def gil_is_released(metric: BoundMetric) -> None:
    """While ``block`` works on long series another thread can run, for at least a tenth of the time.

    Measured, with the interpreter told never to take the lock away: of ten attempts one must show it, since a busy
    machine may keep the other thread waiting. A Python without the lock lets every metric pass.
    """
    series, free = _long(metric), 0.0
    for _ in range(10):
        free = max(free, _share_free(metric, series))
        if free >= 0.1:
            return
    require(False, f"while block works another thread can run for {free:.0%} of the time")


@check(
    nothing,
    when=lambda metric: metric.traits.symmetric and metric.traits.unequal_length,
    share=0.05,
    defaults=True,
)
def either_order_costs_the_same(metric: BoundMetric) -> None:
    """``block`` takes as long for (long, short) as for (short, long), within a factor of 4, at the default parameters.

    Measured on lengths 8 and 160, in time of the processor: the least of five runs of each, so that a busy machine does
    not matter.
    """
    long, short = (_random(metric, length) for length in (160, 8))
    pairs = np.zeros(1, dtype=np.intp)
    try:
        metric.block([long], [short], pairs, pairs)
        metric.block([short], [long], pairs, pairs)
    except Exception as error:
        raise Undecided(str(error)) from error
    # Enough work to be measured.
    while _processor_seconds(partial(metric.block, [long], [short], pairs, pairs)) < 2e-3:
        pairs = np.tile(pairs, 2)
    forth, back = (
        min(_processor_seconds(partial(metric.block, left, right, pairs, pairs)) for _ in range(5))
        for left, right in (([long], [short]), ([short], [long]))
    )
    ratio = back / forth
    require(0.25 <= ratio <= 4.0, f"(short, long) takes {ratio:.2g} times as long as (long, short)")


def thread_speedup(metric: BoundMetric) -> float:
    """How many times faster two threads are than one, on work of a tenth of a second or more; the best of three."""
    series = [_random(metric, 300) for _ in range(2)]
    rows, cols = np.array([0, 1], dtype=np.intp), np.array([1, 0], dtype=np.intp)
    while _seconds(partial(metric.block, series, series, rows, cols)) < 0.05:
        rows, cols = np.tile(rows, 2), np.tile(cols, 2)
    work = partial(metric.block, series, series, rows, cols)
    best = 0.0
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            alone = _seconds(lambda: (work(), work()))
            both = _seconds(lambda: [task.result() for task in [pool.submit(work), pool.submit(work)]])
            best = max(best, alone / both)
    return best


def _random(metric: BoundMetric, length: int) -> object:
    """A prepared series of many samples, and of many channels where the metric takes them."""
    ground = getattr(metric.params, "ground", None)
    channels = (12 if ground is None else ground.size) if metric.traits.multivariate else 1
    return metric.prepare(Series(np.random.default_rng(length).uniform(0.5, 1.5, size=(length, channels))))


def _long(metric: BoundMetric) -> list[object]:
    return [_random(metric, length) for length in (300, 300)]


def _share_free(metric: BoundMetric, prepared: list[object]) -> float:
    """The share of the time of one block during which another thread could run."""
    rows, cols = np.array([0, 1], dtype=np.intp), np.array([1, 0], dtype=np.intp)
    # At least 50 ms of work; what is loaded once is loaded by then.
    while _seconds(partial(metric.block, prepared, prepared, rows, cols)) < 0.05:
        rows, cols = np.tile(rows, 2), np.tile(cols, 2)
    beats: list[float] = []
    stop = Event()

    def beat() -> None:
        while not stop.is_set():
            beats.append(time.perf_counter())
            time.sleep(0.0)  # not less: a thread that takes the lock again at once would starve the block

    before = sys.getswitchinterval()
    other = Thread(target=beat, daemon=True)
    sys.setswitchinterval(100.0)
    try:
        other.start()
        start = time.perf_counter()
        metric.block(prepared, prepared, rows, cols)
        end = time.perf_counter()
        stop.set()
    finally:
        sys.setswitchinterval(before)
    other.join()
    moments = np.clip([start, *beats, end], start, end)
    gaps = np.diff(moments)
    # A thread that need not wait for the lock wakes up every tenth of a millisecond or sooner.
    return float(gaps[gaps < 3e-4].sum() / (end - start))


def _processor_seconds(work: Callable[[], object]) -> float:
    """What the calling thread alone takes."""
    start = time.thread_time()
    work()
    return max(time.thread_time() - start, 1e-9)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


CHECKS = (
    gil_is_released,
    either_order_costs_the_same,
    block_is_the_loop,
    block_ignores_company,
    pairwise_is_the_block,
    pairwise_ignores_workers_and_tiles,
    threads_agree,
)
