"""Nearest neighbours that solve only the pairs that can matter, and give the same answer as solving all of them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, in_any_host, is_integer
from ..errors import ConvergenceWarning, InvalidParameterError, warn_user
from ..series import Series
from ..spec.admission import check_sets, read_set
from ..spec.bound import BoundMetric, Metric, get_metric, metric_comes_last
from ..spec.prepared import PreparedSet
from .blas import one_blas_thread
from .packing import PackedSeries, pack, unpack
from .tiles import Progress, progress_bar
from .workers import Workers, Workload

# Queries in one task of a worker; in blocks as many as these cost-matrix entries take, within limits. Once fewer are
# left, they look ahead, so that a round has as many pairs, but no farther than this share of what they have looked at:
# the distances to beat are not the last ones then, and change ever more rarely.
_QUERIES, _AHEAD = 16, 8
_CELLS, _QUERIES_IN_BLOCKS = 2**26, (4, 64)

# How much each further block of candidates grows, and its largest size: little is solved in vain where the bounds bite,
# and there is progress to show.
_GROWTH, _MOST = 3, 512

# The first queries of a search in blocks say whether bounds pay: the others do without them where more than this share
# of the pairs is left to solve, or where that takes longer than to solve all: in rounds a pair takes so many times as
# long as in a block.
_PROBED, _USELESS, _ROUNDS = 4, 0.9, 2.0


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


class NeighborIndex:
    """A training set that is read, checked and prepared once, for as many searches as there are.

    It pickles, and is kept in a file without pickle by :meth:`save`. Sent or kept are the series and the metric; what
    is prepared of them, such as self terms, is prepared again on the other side, when it is first asked for.

    Parameters
    ----------
    X_train : sequence of series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        See :func:`as_dataset`. The arrays are copied: what becomes of them later does not change the index.
    metric : str, MetricSpec, BoundMetric or function, default "softdtw"
        See :func:`get_metric`.
    n_jobs : int, optional
        Workers that prepare the series, as joblib counts them.
    **params
        Parameters of the metric.

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`pairwise`.

    Examples
    --------
    >>> import stotmetrics
    >>> index = stotmetrics.NeighborIndex([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]], "tiot")
    >>> index.kneighbors([[0.1, 1.2, 0.0, 0.0]]).indices
    array([[0]])
    >>> index
    NeighborIndex(2 series, tiot(p=2.0, standardize=True, root=True))
    """

    def __init__(self, X_train: Any, metric: Metric = "softdtw", *, n_jobs: int | None = None, **params: Any) -> None:
        metric_comes_last("NeighborIndex(X_train, metric={})", X_train)
        bound = get_metric(metric, **params)
        series = read_set(X_train, "X_train", bound.traits)
        check_sets(series, series, bound.traits, bound.name, ("X_train", "X_train"))
        self._set(bound, series)
        self._prepare(n_jobs)

    def _set(self, metric: BoundMetric, series: Sequence[Series]) -> None:
        self._metric = metric
        self._series = series
        self._prepared: PreparedSet | None = None

    def _prepare(self, n_jobs: int | None) -> PreparedSet:
        if self._prepared is None:
            load = Workload(self._metric, self._series)
            with one_blas_thread():
                Workers(load, n_jobs).prepare()
            self._prepared = load.prepared(0)
        return self._prepared

    @property
    def metric(self) -> BoundMetric:
        """The metric with its parameters."""
        return self._metric

    @property
    def series(self) -> Sequence[Series]:
        """The training series, in their order."""
        return tuple(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        return f"NeighborIndex({len(self)} series, {self._metric!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _index_of, (self._metric, pack(self._series))

    def kneighbors(
        self,
        X_query: Any,
        k: int = 1,
        *,
        n_jobs: int | None = None,
        progress: Progress = False,
    ) -> Neighbors:
        """The k nearest training series of each query, as :func:`kneighbors` finds them.

        Parameters
        ----------
        X_query : sequence of series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
            See :func:`as_dataset`.
        k : int, default 1
            Neighbours of each query.
        n_jobs : int, optional
            Workers, as joblib counts them.
        progress : bool or callable, default False
            True shows a bar; a callable is told ``(done, total)`` in pairs.

        Returns
        -------
        Neighbors

        Raises
        ------
        InvalidSeriesError, InvalidParameterError
            See :func:`kneighbors`.

        Warns
        -----
        ConvergenceWarning
            Once, if pairs did not converge.
        """
        queries = read_set(X_query, "X_query", self._metric.traits)
        _check_k(k, len(self))
        # The series of the index were checked, and doubts about them told, when it was made.
        traits, name = self._metric.traits, self._metric.name
        check_sets(queries, list(self._series[:1]), traits, name, ("X_query", "X_train"))
        load = Workload(self._metric, self._series, queries)
        load.keep(0, self._prepare(n_jobs))
        return _answer(load, int(k), n_jobs, progress)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to an ``.npz`` file that is read without pickle.

        Parameters
        ----------
        path : path
            Ending in ``.npz``. A file that is there is replaced, once the new one is whole.

        Raises
        ------
        InvalidParameterError
            If the path does not end in ``.npz``, or the metric is one of this session, which a file cannot name.
        OSError
            If it cannot be written.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import stotmetrics
        >>> index = stotmetrics.NeighborIndex([[0.0, 1.0], [3.0, 1.0]], "dtw", band=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "index.npz")
        ...     index.save(path)
        ...     stotmetrics.NeighborIndex.load(path)
        NeighborIndex(2 series, dtw(squared=True, band=1))
        """
        from .index_file import save

        save(path, self._metric, self._series)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "NeighborIndex":
        """Read an index that :meth:`save` wrote.

        Parameters
        ----------
        path : path

        Returns
        -------
        NeighborIndex

        Raises
        ------
        DataFileError
            If the file is not an index, or is damaged.
        UnknownMetricError, MetricLoadError
            If its metric is not installed.
        OSError
            If it cannot be read.
        """
        from .index_file import load

        return _index_of(*load(path))


def _index_of(metric: BoundMetric, packed: PackedSeries) -> NeighborIndex:
    index = NeighborIndex.__new__(NeighborIndex)
    index._set(metric, unpack(packed))
    return index


def kneighbors(
    X_train: Any,
    X_query: Any,
    metric: Metric = "softdtw",
    k: int = 1,
    *,
    n_jobs: int | None = None,
    progress: Progress = False,
    **params: Any,
) -> Neighbors:
    """The k nearest training series of each query under a metric.

    A metric with lower bounds is solved in the order of the bounds, until none lies below the k-th distance so far:
    pair by pair, or in growing blocks where the metric solves several pairs side by side (:func:`dtw`, and
    :func:`softdtw` and its family). A pair may be abandoned early, once it is known to be too far. The answer is that
    of solving every pair. :class:`NeighborIndex` keeps a training set for several searches.

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
    metric_comes_last("kneighbors(X_train, X_query, metric={})", X_train, X_query)
    bound = get_metric(metric, **params)
    train, queries = (read_set(X, name, bound.traits) for X, name in ((X_train, "X_train"), (X_query, "X_query")))
    _check_k(k, len(train))
    check_sets(queries, train, bound.traits, bound.name, ("X_query", "X_train"))
    return _answer(Workload(bound, train, queries), int(k), n_jobs, progress)


def _check_k(k: Any, most: int) -> None:
    if not (is_integer(k) and 1 <= k <= most):
        raise InvalidParameterError(
            f"k must be an integer from 1 to {most}, the number of series in X_train; got {k!r}"
        )


def _answer(load: Workload, k: int, n_jobs: int | None, progress: Progress) -> Neighbors:
    """The neighbours of the second set of series in the first, and one warning for all of them."""
    nearest = _nearest(load, k, n_jobs, progress)
    name = load.metric.name
    if nearest.failed:
        warn_user(
            f"{name} did not converge for {nearest.failed} of {nearest.solved} solved pairs; raise max_iter or tol",
            ConvergenceWarning,
        )
    pairs = len(load.series(0)) * len(load.series(1))
    return Neighbors(nearest.indices, nearest.distances, nearest.solved, nearest.abandoned, pairs)


def _nearest(load: Workload, k: int, n_jobs: int | None, progress: Progress) -> "_Nearest":
    metric, train, queries = load.metric, load.series(0), load.series(1)
    n, m = (float(np.mean([len(s) for s in side])) for side in (queries, train))
    effort = None if metric.spec.effort is None else metric.spec.effort(n, m, metric.params)
    nearest = _Nearest.empty(len(queries), k)
    workers = Workers(load, n_jobs)
    with one_blas_thread(), progress_bar(progress, len(train) * len(queries), metric.name) as advance:
        workers.prepare()

        def keep(start: int, part: _Nearest) -> None:
            nearest.put(start, part)
            advance(len(part.indices) * len(train))

        first, step, bounded = 0, _QUERIES, True
        if _in_bulk(metric):
            step = int(np.clip(_CELLS / (n * m * len(train)), *_QUERIES_IN_BLOCKS))
            bounded = effort is None or effort > 1.0
        if bounded and _in_bulk(metric):
            first = _PROBED
            keep(*_search(load, 0, first, k, bounded))
            left = nearest.solved / (len(queries[:first]) * len(train))
            bounded = left <= _USELESS and (effort is None or (1.0 - _ROUNDS * left) * effort > 1.0)
        spans = _spans(first, len(queries), step, workers.count if workers.several else 1)
        tasks = ((start, stop, k, bounded) for start, stop in spans)
        for start, part in workers.run(_search, tasks, len(queries) - first, lambda task: task[1] - task[0]):
            keep(start, part)
    return nearest


def _spans(start: int, stop: int, step: int, workers: int) -> Iterator[tuple[int, int]]:
    """The queries in tasks; of several workers the first task is short, since nobody helps, and so are the last."""
    size = 1 if workers > 1 else step
    while start < stop:
        yield start, min(start + size, stop)
        start += size
        size = min(step, max((stop - start) // (2 * workers), 1)) if workers > 1 else step


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


@in_any_host
def _search(load: Workload, start: int, stop: int, k: int, bounded: bool) -> tuple[int, _Nearest]:
    """Some queries side by side: in each round the next candidates of every query, in the order of their bounds."""
    metric, train, queries = load.metric, load.prepared(0), load.prepared(1)[start:stop]
    bounds = _bounds(metric, queries, train) if bounded else np.full((len(queries), len(train)), -np.inf)
    order = np.argsort(bounds, axis=1, kind="stable")
    bounds = np.take_along_axis(bounds, order, axis=1)
    # What is known so far, in this order: only the first done[i] candidates of query i were looked at.
    distances = np.full(bounds.shape, np.inf)
    nearest = np.full((len(queries), k), np.inf)
    done = np.zeros(len(queries), dtype=np.intp)
    abandoned = failed = 0
    bulk = _in_bulk(metric)
    size = max(k, metric.spec.lanes if bounded and metric.spec.lower_bounds is not None else _MOST if bulk else 1)
    while True:
        farthest = nearest[:, k - 1]
        # Values and bounds are right to rounding only, and a tie is solved.
        reach = np.where(np.isfinite(farthest), farthest + 1e-9 * np.abs(farthest), np.inf)
        ends = _ends(bounds, done, reach, size)
        counts = ends - done
        rows = np.repeat(np.arange(len(queries)), counts)
        if not len(rows):
            break
        places = np.arange(len(rows)) + np.repeat(done - np.cumsum(counts) + counts, counts)
        cols = order[rows, places]
        batch = metric.block(queries, train, rows, cols, reach[rows])
        given_up = np.zeros(len(rows), dtype=np.bool_) if batch.abandoned is None else batch.abandoned
        distances[rows, places] = np.where(given_up, np.inf, batch.values)
        if size == 1:
            known = np.column_stack([nearest[rows], distances[rows, places]])
            nearest[rows] = np.sort(known, axis=1)[:, :k]
        else:
            for i in np.flatnonzero(counts).tolist():
                known = np.concatenate([nearest[i], distances[i, done[i] : ends[i]]])
                nearest[i] = np.sort(known)[:k]
        abandoned += int(given_up.sum())
        if batch.converged is not None:
            failed += int((~batch.converged & ~given_up).sum())
        done = ends
        if bulk:
            size = min(_GROWTH * size, max(k, _MOST))
        else:
            active = int(np.count_nonzero(counts))
            size = max(1, min(_QUERIES // active, int(done[counts > 0].max()) // _AHEAD))
    indices, values = np.empty((len(queries), k), dtype=np.intp), np.empty((len(queries), k))
    for i, end in enumerate(done.tolist()):
        close = np.flatnonzero(distances[i, :end] <= nearest[i, k - 1])
        # Of two at the same distance, the one that comes first in the training set.
        best = close[np.lexsort((order[i, close], distances[i, close]))[:k]]
        indices[i], values[i] = order[i, best], distances[i, best]
    return start, _Nearest(indices, values, int(done.sum()) - abandoned, abandoned, failed)


def _ends(bounds: FloatArray, done: IntArray, reach: FloatArray, size: int) -> IntArray:
    """Up to where each query's candidates are looked at next: ``size`` of them, while bounds are within its reach."""
    if size == 1:
        ahead = bounds[np.arange(len(done)), np.minimum(done, bounds.shape[1] - 1)]
        return done + ((done < bounds.shape[1]) & (ahead <= reach))
    near = [np.searchsorted(row, most, side="right") for row, most in zip(bounds, reach, strict=True)]
    return np.maximum(done, np.minimum(near, done + size))


def _bounds(metric: BoundMetric, queries: Sequence[Any], train: Sequence[Any]) -> FloatArray:
    # The pairs of one training series next to each other.
    cols, rows = np.indices((len(train), len(queries)), dtype=np.intp).reshape(2, -1)
    return metric.lower_bounds(queries, train, rows, cols).reshape(len(train), len(queries)).T
