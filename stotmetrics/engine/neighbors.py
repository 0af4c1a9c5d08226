"""Nearest neighbours that solve only the pairs that can matter, and give the same answer as solving all of them."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, is_integer
from ..errors import ConvergenceWarning, InvalidParameterError
from ..series import read_dataset
from ..spec.admission import check_sets
from ..spec.bound import BoundMetric, Metric, get_metric, metric_comes_last

# Queries in one task of a worker; in blocks as many as these cost-matrix entries take, within limits.
_QUERIES = 8
_CELLS, _QUERIES_IN_BLOCKS = 2**26, (4, 64)

# How much each further block of candidates grows, and its largest size: little is solved in vain where the bounds bite,
# and there is progress to show.
_GROWTH, _MOST = 3, 512

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
        Pairs that were abandoned early, once they were known to be too far.
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
    metric: Metric = "softdtw",
    k: int = 1,
    *,
    n_jobs: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    **params: Any,
) -> Neighbors:
    """The k nearest training series of each query under a metric.

    A metric with lower bounds is solved in the order of the bounds, until none lies below the k-th distance so far:
    pair by pair, or in growing blocks where the metric solves several pairs side by side (:func:`dtw`, and
    :func:`softdtw` and its family). A pair may be abandoned early, once it is known to be too far. The answer is that
    of solving every pair.

    Parameters
    ----------
    X_train, X_query : sequence of series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        See :func:`as_dataset`.
    metric : str, MetricSpec, BoundMetric or function, default "softdtw"
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
    >>> stotmetrics.kneighbors(train, [[0.1, 1.2, 0.0, 0.0]], "tiot").indices
    array([[0]])
    """
    # joblib and tqdm take longer to import than all the rest.
    from joblib import delayed

    from . import tiles

    metric_comes_last("kneighbors(X_train, X_query, metric={})", X_train, X_query)
    bound = get_metric(metric, **params)
    alike = not bound.traits.compares_paths
    train, queries = (
        read_dataset(X, name, share=False, alike=alike) for X, name in ((X_train, "X_train"), (X_query, "X_query"))
    )
    if not (is_integer(k) and 1 <= k <= len(train)):
        raise InvalidParameterError(
            f"k must be an integer from 1 to {len(train)}, the number of series in X_train; got {k!r}"
        )
    check_sets(queries, train, bound.traits, bound.name, ("X_query", "X_train"))
    side = tiles.tile_side(queries, train)
    pairs = len(train) * len(queries)
    cells = float(np.mean([len(s) for s in queries]) * np.mean([len(s) for s in train]))
    nearest = _Nearest.empty(len(queries), int(k))
    with tiles.one_blas_thread(), tiles.progress_bar(progress, pairs, bound.name) as advance:
        prepared_train = tiles.prepare(bound, train, side, n_jobs)
        prepared_queries = tiles.prepare(bound, queries, side, n_jobs)

        def keep(start: int, part: _Nearest) -> None:
            nearest.put(start, part)
            advance(len(part.indices) * len(train))

        first, step, bounded = 0, _QUERIES, True
        if _in_bulk(bound):
            first, step = _PROBED, int(np.clip(_CELLS / (cells * len(train)), *_QUERIES_IN_BLOCKS))
            keep(*_search(bound, 0, prepared_queries[:first], prepared_train, int(k), bounded))
            left = nearest.solved / (len(queries[:first]) * len(train))
            bounded = left <= _USELESS and (1.0 - left) * cells >= _WORTH
        tasks = [
            delayed(_search)(bound, start, prepared_queries[start : start + step], prepared_train, int(k), bounded)
            for start in range(first, len(queries), step)
        ]
        for start, part in tiles.run(tasks, n_jobs, threads=bound.traits.releases_gil):
            keep(start, part)
    if nearest.failed:
        warnings.warn(
            f"{bound.name} did not converge for {nearest.failed} of {nearest.solved} solved pairs; "
            "raise max_iter or tol",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Neighbors(nearest.indices, nearest.distances, nearest.solved, nearest.abandoned, pairs)


@dataclass(slots=True)
class _Nearest:
    """The neighbours of some queries, and the work they took."""

    indices: IntArray
    distances: FloatArray
    solved: int = 0
    abandoned: int = 0
    failed: int = 0

    @staticmethod
    def empty(queries: int, k: int) -> "_Nearest":
        return _Nearest(np.empty((queries, k), dtype=np.intp), np.empty((queries, k)))

    def put(self, start: int, part: "_Nearest") -> None:
        """Take the queries from ``start`` on from one part of the search."""
        rows = slice(start, start + len(part.indices))
        self.indices[rows], self.distances[rows] = part.indices, part.distances
        self.solved += part.solved
        self.abandoned += part.abandoned
        self.failed += part.failed


def _in_bulk(metric: BoundMetric) -> bool:
    """Whether many candidates at a time are cheaper than one, or as cheap and nothing is known about any."""
    spec = metric.spec
    return spec.lanes > 1 or (spec.block is None and spec.lower_bounds is None)


def _search(
    metric: BoundMetric, start: int, queries: Sequence[Any], train: Sequence[Any], k: int, bounded: bool
) -> tuple[int, _Nearest]:
    """All queries side by side: in each round the next candidates of every query, in the order of their bounds."""
    bounds = _bounds(metric, queries, train) if bounded else np.full((len(queries), len(train)), -np.inf)
    order = np.argsort(bounds, axis=1, kind="stable")
    distances = np.full(bounds.shape, np.inf)
    done = np.zeros(len(queries), dtype=np.intp)
    abandoned = failed = 0
    bulk = _in_bulk(metric)
    size = max(k, metric.spec.lanes if bounded and metric.spec.lower_bounds is not None else _MOST if bulk else 1)
    while True:
        farthest = np.partition(distances, k - 1, axis=1)[:, k - 1]
        # Values and bounds are right to rounding only, and a tie is solved.
        reach = np.where(np.isfinite(farthest), farthest + 1e-9 * np.abs(farthest), np.inf)
        ends = np.maximum(done, np.minimum((bounds <= reach[:, None]).sum(axis=1), done + size))
        if (ends == done).all():
            break
        rows = np.repeat(np.arange(len(queries)), ends - done)
        cols = np.concatenate([order[i, done[i] : ends[i]] for i in range(len(queries))])
        batch = metric.block(queries, train, rows, cols, reach[rows])
        given_up = np.zeros(len(rows), dtype=np.bool_) if batch.abandoned is None else batch.abandoned
        distances[rows, cols] = np.where(given_up, np.inf, batch.values)
        abandoned += int(given_up.sum())
        if batch.converged is not None:
            failed += int((~batch.converged & ~given_up).sum())
        done = ends
        size = min(_GROWTH * size, max(k, _MOST)) if bulk else 1
    best = np.argsort(distances, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(distances, best, axis=1)
    return start, _Nearest(best, values, int(done.sum()) - abandoned, abandoned, failed)


def _bounds(metric: BoundMetric, queries: Sequence[Any], train: Sequence[Any]) -> FloatArray:
    # The pairs of one training series next to each other.
    cols, rows = np.indices((len(train), len(queries)), dtype=np.intp).reshape(2, -1)
    return metric.lower_bounds(queries, train, rows, cols).reshape(len(train), len(queries)).T
