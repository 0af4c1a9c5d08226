"""Nearest neighbours that solve only the pairs that can matter, and give the same answer as solving all of them."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .api import Metric, get_metric, pairwise
from .errors import ConvergenceWarning, InvalidParameterError
from .result import FloatArray, IntArray
from .series import as_dataset, check_sets
from .spec import BoundMetric

# Queries in one task of a worker; in blocks as many as these cost-matrix entries take, within limits.
_QUERIES = 8
_CELLS, _QUERIES_IN_BLOCKS = 2**26, (4, 64)

# Candidates of each query in the first block of a search in blocks, how much each further block grows, and its largest
# size: little is solved in vain where the bounds bite, and there is progress to show.
_CANDIDATES, _GROWTH, _MOST = 4, 3, 512

# The first queries of a search in blocks say whether bounds pay: the others do without them where more than this share
# of the pairs is left to solve, or fewer than this many cost-matrix entries a pair are spared.
_PROBED, _USELESS, _WORTH = 4, 0.9, 1500.0


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The k nearest training series of each query.

    Parameters
    ----------
    indices : array of shape (n_queries, k)
        Nearest first; of two at the same distance, the one that comes first in the training set.
    distances : array of shape (n_queries, k)
        Their distances.
    solved : int
        Pairs that were solved to the end.
    abandoned : int
        Pairs whose solution was broken off, once it was known to be too far.
    pairs : int
        All pairs.
    """

    indices: IntArray
    distances: FloatArray
    solved: int
    abandoned: int
    pairs: int


def kneighbors(
    X_train: Any,
    X_query: Any,
    metric: Metric,
    k: int = 1,
    *,
    n_jobs: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    **params: Any,
) -> Neighbors:
    """The k nearest training series of each query under a metric.

    A metric with a lower bound is solved in the order of the bounds, until no bound lies below the k-th distance found:
    pair by pair, or in growing blocks where the metric is faster in blocks (:func:`dtw`, and :func:`softdtw` and its
    family). The answer is that of solving every pair.

    Parameters
    ----------
    X_train, X_query : sequence of series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        See :func:`as_dataset`.
    metric : str, MetricSpec or BoundMetric
        See :func:`get_metric`.
    k : int, default 1
        Neighbours of each query.
    n_jobs : int, optional
        Workers, as joblib counts them.
    progress : bool or callable, default False
        True shows a bar; a callable is told ``(done, total)`` in pairs.
    **params
        Parameters of the metric.

    Returns
    -------
    Neighbors
        ``indices``, ``distances``, and how many of the ``pairs`` were ``solved`` or ``abandoned``.

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        Also if ``k`` is not between 1 and the number of training series. Otherwise see :func:`pairwise`.

    Warns
    -----
    ConvergenceWarning
        Once, if pairs did not converge: how many, and what to raise.

    Examples
    --------
    >>> import stotmetrics
    >>> train = [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [1.0, 0.5, 0.2, 0.0]]
    >>> found = stotmetrics.kneighbors(train, [[0.1, 1.2, 0.0, 0.0]], "tiot")
    >>> found.indices
    array([[0]])
    """
    # joblib and tqdm take longer to import than all the rest.
    from joblib import delayed

    from . import engine

    bound = get_metric(metric, **params)
    train, queries = as_dataset(X_train, name="X_train"), as_dataset(X_query, name="X_query")
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(train):
        raise InvalidParameterError(
            f"k must be an integer from 1 to {len(train)}, the number of series in X_train; got {k!r}"
        )
    pairs = len(train) * len(queries)
    if bound.spec.lower_bound is None:
        D = pairwise(queries, train, metric=bound, n_jobs=n_jobs, progress=progress)
        order = np.argsort(D, axis=1, kind="stable")[:, :k]
        return Neighbors(order, np.take_along_axis(D, order, axis=1), pairs, 0, pairs)
    check_sets(queries, train, bound.traits, bound.name, ("X_query", "X_train"))
    side = engine.tile_side(queries, train)
    with engine.one_blas_thread(), engine.progress_bar(progress, pairs, bound.name) as advance:
        prepared_train = engine.prepare(bound, train, side, n_jobs)
        prepared_queries = engine.prepare(bound, queries, side, n_jobs)
        indices, distances = np.empty((len(queries), k), dtype=np.intp), np.empty((len(queries), k))
        solved = abandoned = failed = 0

        def keep(start: int, found: Sequence[_Found]) -> None:
            nonlocal solved, abandoned, failed
            for row, one in enumerate(found, start):
                indices[row], distances[row] = one.indices, one.distances
                solved, abandoned, failed = solved + one.solved, abandoned + one.abandoned, failed + one.failed
            advance(len(found) * len(train))

        search, first, step = _search, 0, _QUERIES
        if bound.spec.lower_bounds is not None and bound.spec.abandon is None:
            cells = np.mean([len(one) for one in queries]) * np.mean([len(one) for one in train])
            search, first = _search_blocks, _PROBED
            step = int(np.clip(_CELLS / (cells * len(train)), *_QUERIES_IN_BLOCKS))
            keep(*_search_blocks(bound, 0, prepared_queries[:first], prepared_train, k))
            left = solved / (len(queries[:first]) * len(train))
            if left > _USELESS or (1.0 - left) * cells < _WORTH:
                search = _search_blindly
        tasks = (
            delayed(search)(bound, start, prepared_queries[start : start + step], prepared_train, k)
            for start in range(first, len(queries), step)
        )
        for start, found in engine.run(tasks, n_jobs):
            keep(start, found)
    if failed:
        warnings.warn(
            f"{bound.name} did not converge for {failed} of {solved} solved pairs; raise max_iter or tol",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Neighbors(indices, distances, solved, abandoned, pairs)


@dataclass(frozen=True, slots=True)
class _Found:
    """The neighbours of one query, and the work they took."""

    indices: list[int]
    distances: list[float]
    solved: int
    abandoned: int
    failed: int


def _search(
    metric: BoundMetric, start: int, queries: Sequence[Any], train: Sequence[Any], k: int
) -> tuple[int, list[_Found]]:
    return start, [_search_one(metric, query, train, k) for query in queries]


def _reach(farthest: Any) -> Any:
    """Up to which bound a pair may still matter: values and bounds are right to rounding only, and a tie is solved."""
    return farthest + 1e-9 * abs(farthest)


def _search_one(metric: BoundMetric, query: Any, train: Sequence[Any], k: int) -> _Found:
    lower_bound, params = metric.spec.lower_bound, metric.params
    assert lower_bound is not None
    bounds = np.array([lower_bound(query, one, params) for one in train])
    nearest: list[tuple[float, int]] = []
    solved = abandoned = failed = 0
    for index in np.argsort(bounds, kind="stable"):
        farthest = nearest[k - 1][0] if len(nearest) >= k else np.inf
        if bounds[index] > _reach(farthest):
            break
        one = train[index]
        result = metric.pair_below(query, one, farthest) if np.isfinite(farthest) else metric.pair(query, one)
        if result is None:
            abandoned += 1
            continue
        solved += 1
        failed += not result.converged
        nearest = sorted([*nearest, (result.value, int(index))])[:k]
    return _Found([i for _, i in nearest], [v for v, _ in nearest], solved, abandoned, failed)


def _search_blocks(
    metric: BoundMetric, start: int, queries: Sequence[Any], train: Sequence[Any], k: int
) -> tuple[int, list[_Found]]:
    assert metric.spec.lower_bounds is not None
    # The pairs of one training series next to each other.
    cols, rows = np.indices((len(train), len(queries)), dtype=np.intp).reshape(2, -1)
    bounds = metric.spec.lower_bounds(queries, train, rows, cols, metric.params)
    return start, _in_rounds(metric, queries, train, k, bounds.reshape(len(train), len(queries)).T, _CANDIDATES)


def _search_blindly(
    metric: BoundMetric, start: int, queries: Sequence[Any], train: Sequence[Any], k: int
) -> tuple[int, list[_Found]]:
    return start, _in_rounds(metric, queries, train, k, np.full((len(queries), len(train)), -np.inf), _MOST)


def _in_rounds(
    metric: BoundMetric, queries: Sequence[Any], train: Sequence[Any], k: int, bounds: FloatArray, size: int
) -> list[_Found]:
    """All queries side by side: in each round one block of the next candidates of every query."""
    order = np.argsort(bounds, axis=1, kind="stable")
    distances = np.full(bounds.shape, np.inf)
    done, failed = (np.zeros(len(queries), dtype=np.intp) for _ in range(2))
    size = max(k, size)
    while True:
        farthest = np.partition(distances, k - 1, axis=1)[:, k - 1]
        wanted = (bounds <= _reach(farthest)[:, None]).sum(axis=1)
        ends = np.maximum(done, np.minimum(wanted, done + size))
        if (ends == done).all():
            break
        rows = np.repeat(np.arange(len(queries)), ends - done)
        cols = np.concatenate([order[i, done[i] : ends[i]] for i in range(len(queries))])
        used, at = np.unique(cols, return_inverse=True)
        batch = metric.block(queries, [train[j] for j in used], rows, at)
        distances[rows, cols] = batch.values
        if batch.converged is not None:
            failed += np.bincount(rows[~batch.converged], minlength=len(queries))
        done, size = ends, min(_GROWTH * size, max(k, _MOST))
    best = np.argsort(distances, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(distances, best, axis=1)
    return [_Found(best[i].tolist(), values[i].tolist(), int(done[i]), 0, int(failed[i])) for i in range(len(queries))]
