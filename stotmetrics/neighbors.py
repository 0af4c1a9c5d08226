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

# Queries in one task of a worker.
_QUERIES = 8


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

    A metric with a lower bound is solved in the order of the bounds, until no bound lies below the k-th distance found.
    The answer is that of solving every pair.

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
        tasks = (
            delayed(_search)(bound, start, prepared_queries[start : start + _QUERIES], prepared_train, k)
            for start in range(0, len(queries), _QUERIES)
        )
        indices, distances = np.empty((len(queries), k), dtype=np.intp), np.empty((len(queries), k))
        solved = abandoned = failed = 0
        for start, found in engine.run(tasks, n_jobs):
            for row, one in enumerate(found, start):
                indices[row], distances[row] = one.indices, one.distances
                solved, abandoned, failed = solved + one.solved, abandoned + one.abandoned, failed + one.failed
            advance(len(found) * len(train))
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


def _search_one(metric: BoundMetric, query: Any, train: Sequence[Any], k: int) -> _Found:
    lower_bound, abandon, params = metric.spec.lower_bound, metric.spec.abandon, metric.params
    assert lower_bound is not None
    bounds = np.array([lower_bound(query, one, params) for one in train])
    nearest: list[tuple[float, int]] = []
    solved = abandoned = failed = 0
    for index in np.argsort(bounds, kind="stable"):
        farthest = nearest[k - 1][0] if len(nearest) >= k else np.inf
        # Values are right to rounding only, and so are bounds: a tie is solved.
        if bounds[index] > farthest + 1e-9 * abs(farthest):
            break
        if abandon is not None and np.isfinite(farthest):
            value = abandon(query, train[index], params, farthest)
        else:
            result = metric.pair(query, train[index])
            value = result.value
            failed += not result.converged
        if value is None:
            abandoned += 1
            continue
        solved += 1
        nearest = sorted([*nearest, (value, int(index))])[:k]
    return _Found([i for _, i in nearest], [v for v, _ in nearest], solved, abandoned, failed)
