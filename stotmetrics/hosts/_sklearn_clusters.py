"""Clusters of series for scikit-learn: around series of the set, and around barycenters."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..arrays import FloatArray, IntArray
from ..engine.barycenters import barycenter
from ..errors import InvalidParameterError
from ..series import Series
from ..series_sets import as_dataset
from ..spec.admission import check_sets
from ..spec.bound import BoundMetric
from ._sklearn_base import SeriesEstimator, check_int, is_number, values_of


class _Clusters(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, SeriesEstimator):
    """What both kinds of clusters share: labels and distances of new series."""

    n_clusters: int
    n_init: int
    max_iter: int
    centers_: list[Series]
    metric_: BoundMetric

    @property
    def _n_features_out(self) -> int:
        """One distance for each center."""
        return len(self.centers_)

    @property
    def cluster_centers_(self) -> list[FloatArray]:
        """The centers, each shaped as a series of ``X``."""
        return [values_of(center) for center in self.centers_]

    def transform(self, X: Any) -> FloatArray:
        """The distance of each series to each center.

        Parameters
        ----------
        X : set of series
            See the class.

        Returns
        -------
        array of shape (n, n_clusters)
        """
        check_is_fitted(self, "centers_")
        return self._matrix(self._read(X, self.metric_, reset=False), self.centers_, self.metric_)

    def predict(self, X: Any) -> IntArray:
        """The nearest center of each series.

        Parameters
        ----------
        X : set of series
            See the class.

        Returns
        -------
        array of shape (n,)
        """
        return self.transform(X).argmin(axis=1)

    def _start(self, X: Any) -> list[Series]:
        self.metric_ = self._bind()
        series = self._read(X, self.metric_, reset=True)
        check_int(self.n_clusters, "n_clusters", 1, len(series), ", the number of series")
        for name in ("n_init", "max_iter"):
            check_int(getattr(self, name), name, 1)
        return series


class TimeSeriesKMedoids(_Clusters):
    """Clusters around series of the set, under any metric: its matrix, once, and swaps until none helps.

    Parameters
    ----------
    n_clusters : int, default 3
        Clusters.
    metric : str, MetricSpec, BoundMetric or function, default "dtw"
        See :func:`stotmetrics.get_metric`.
    metric_params : mapping, optional
        Parameters of the metric.
    init : {"k-medoids++", "random"} or array of int, default "k-medoids++"
        Where to start: series far from each other, by chance; series by chance; or the indices of series.
    n_init : int, default 3
        Starts, of which the best is kept.
    max_iter : int, default 300
        Swaps at most in each.
    random_state : int, RandomState or None
        For the starts.
    n_jobs : int, optional
        Workers, as joblib counts them.
    memory : str or joblib.Memory, optional
        Where to keep the distances that were solved: the points of a grid and later runs share them.

    Attributes
    ----------
    medoid_indices_ : array of shape (n_clusters,)
        The series in the middle of each cluster.
    cluster_centers_ : list of arrays
        These series.
    labels_ : array of shape (n,)
        The cluster of each series.
    inertia_ : float
        Sum of the (weighted) distances of the series to their medoids.
    n_iter_ : int
        Swaps.

    References
    ----------
    Schubert, Rousseeuw, *Fast and eager k-medoids clustering*, Information Systems 101, 2021.

    Examples
    --------
    >>> from stotmetrics.hosts.sklearn import TimeSeriesKMedoids
    >>> X = [[0.0, 1.0], [0.0, 1.1], [0.0, 0.9], [5.0, 5.0, 5.0], [5.0, 5.1], [5.0, 4.9]]
    >>> TimeSeriesKMedoids(2, random_state=0).fit(X).medoid_indices_.tolist()
    [0, 3]
    """

    def __init__(
        self,
        n_clusters: int = 3,
        *,
        metric: Any = "dtw",
        metric_params: Mapping[str, Any] | None = None,
        init: str | npt.ArrayLike = "k-medoids++",
        n_init: int = 3,
        max_iter: int = 300,
        random_state: Any = None,
        n_jobs: int | None = None,
        memory: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.metric_params = metric_params
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.memory = memory

    def fit(self, X: Any, y: Any = None, sample_weight: npt.ArrayLike | None = None) -> "TimeSeriesKMedoids":
        """Find the medoids.

        Parameters
        ----------
        X : set of series
            See the class.
        y : None
            Not used.
        sample_weight : array of shape (n,), optional
            How much each series counts.

        Returns
        -------
        TimeSeriesKMedoids
        """
        series = self._start(X)
        weights = _check_sample_weight(sample_weight, series, ensure_non_negative=True)
        matrix = self._matrix(series, None, self.metric_)
        random = check_random_state(self.random_state)
        runs = 1 if not isinstance(self.init, str) else self.n_init
        starts = (self._first(matrix, weights, random) for _ in range(runs))
        swapped = [_swap(matrix, weights, start, self.max_iter) for start in starts]
        self.inertia_, medoids, self.n_iter_ = min(swapped, key=lambda run: run[0])
        if self.n_iter_ == self.max_iter:
            warnings.warn(f"a swap still helps after max_iter={self.max_iter}; raise it", ConvergenceWarning, 2)
        self.medoid_indices_ = np.sort(medoids)
        self.labels_ = matrix[:, self.medoid_indices_].argmin(axis=1)
        self.centers_ = [series[k] for k in self.medoid_indices_]
        return self

    def _first(self, matrix: FloatArray, weights: FloatArray, random: Any) -> IntArray:
        n, k = len(matrix), int(self.n_clusters)
        if isinstance(self.init, str):
            if self.init == "k-medoids++":
                return spread(lambda i: matrix[:, i], weights, k, random)
            if self.init == "random":
                return np.asarray(random.permutation(n)[:k], dtype=np.intp)
            raise InvalidParameterError(f"init must be 'k-medoids++', 'random' or indices; got {self.init!r}")
        first = np.asarray(self.init)
        inside = first.shape == (k,) and first.dtype.kind in "iu" and bool(((first >= 0) & (first < n)).all())
        if not inside or len(np.unique(first)) < k:
            raise InvalidParameterError(
                f"init must be {k} different indices of series, 0 to {n - 1}; got {self.init!r}"
            )
        return first.astype(np.intp)


class TimeSeriesKMeans(_Clusters):
    """Clusters around barycenters, under any metric that has a gradient.

    Each series counts with its distance to its center, not with the square of it: squared already in soft-DTW and its
    family, and in STA. Starts are drawn in proportion to the same distances.

    Parameters
    ----------
    n_clusters : int, default 3
        Clusters.
    metric : str, MetricSpec or BoundMetric, default "softdtw"
        A metric with a gradient.
    metric_params : mapping, optional
        Parameters of the metric.
    init : {"k-means++", "random"} or set of series, default "k-means++"
        Where to start: series far from each other, by chance; series by chance; or centers, which fix the lengths.
    n_init : int, default 1
        Starts, of which the best is kept.
    max_iter : int, default 50
        Rounds at most in each.
    tol : float, default 1e-4
        The share of the inertia that a round must win for another to follow.
    max_iter_barycenter : int, default 50
        Steps of the optimiser for one barycenter in one round.
    random_state : int, RandomState or None
        For the starts.
    n_jobs : int, optional
        Workers, as joblib counts them.
    memory : str or joblib.Memory, optional
        Where to keep the distances that were solved: the points of a grid and later runs share them.

    Attributes
    ----------
    cluster_centers_ : list of arrays
        The barycenters.
    labels_ : array of shape (n,)
        The cluster of each series.
    inertia_ : float
        Sum of the (weighted) distances of the series to their centers.
    n_iter_ : int
        Rounds.

    Examples
    --------
    >>> from stotmetrics.hosts.sklearn import TimeSeriesKMeans
    >>> X = [[0.0, 1.0], [0.0, 1.1], [0.0, 0.9], [5.0, 5.0], [5.0, 5.1]]
    >>> labels = TimeSeriesKMeans(2, metric="euclidean", random_state=0).fit(X).labels_
    >>> bool((labels == labels[[0, 0, 0, 3, 3]]).all() and labels[0] != labels[3])
    True
    """

    def __init__(
        self,
        n_clusters: int = 3,
        *,
        metric: Any = "softdtw",
        metric_params: Mapping[str, Any] | None = None,
        init: Any = "k-means++",
        n_init: int = 1,
        max_iter: int = 50,
        tol: float = 1e-4,
        max_iter_barycenter: int = 50,
        random_state: Any = None,
        n_jobs: int | None = None,
        memory: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.metric_params = metric_params
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.max_iter_barycenter = max_iter_barycenter
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.memory = memory

    def fit(self, X: Any, y: Any = None, sample_weight: npt.ArrayLike | None = None) -> "TimeSeriesKMeans":
        """Find the barycenters.

        Parameters
        ----------
        X : set of series
            See the class.
        y : None
            Not used.
        sample_weight : array of shape (n,), optional
            How much each series counts.

        Returns
        -------
        TimeSeriesKMeans

        Raises
        ------
        NotImplementedError
            If the metric has no gradient at these parameters.
        """
        series = self._start(X)
        self.metric_.require_gradient()
        check_int(self.max_iter_barycenter, "max_iter_barycenter", 0)
        if not is_number(self.tol, positive=False):
            raise InvalidParameterError(f"tol must be a number >= 0; got {self.tol!r}")
        weights = _check_sample_weight(sample_weight, series, ensure_non_negative=True)
        random = check_random_state(self.random_state)
        runs = self.n_init if isinstance(self.init, str) else 1
        clusterings = [self._rounds(series, weights, self._first(series, weights, random)) for _ in range(runs)]
        self.inertia_, self.centers_, self.labels_, self.n_iter_ = min(clusterings, key=lambda run: run[0])
        return self

    def _first(self, series: list[Series], weights: FloatArray, random: Any) -> list[Series]:
        k = int(self.n_clusters)
        if not isinstance(self.init, str):
            centers = as_dataset(self.init, name="init")
            if len(centers) != k:
                raise InvalidParameterError(f"init must hold {k} series, n_clusters; got {len(centers)}")
            check_sets(series, centers, self.metric_.traits, self.metric_.name, ("X", "init"))
            return centers
        if self.init == "k-means++":
            chosen = spread(lambda i: self._matrix(series, [series[i]], self.metric_)[:, 0], weights, k, random)
        elif self.init == "random":
            chosen = random.permutation(len(series))[:k]
        else:
            raise InvalidParameterError(f"init must be 'k-means++', 'random' or series; got {self.init!r}")
        return [series[i] for i in chosen]

    def _rounds(
        self, series: list[Series], weights: FloatArray, centers: list[Series]
    ) -> tuple[float, list[Series], IntArray, int]:
        matrix, step = self._matrix(series, centers, self.metric_), 0
        while step < self.max_iter:
            step += 1
            labels = _no_empty(matrix, matrix.argmin(axis=1), weights)
            before = _inertia(matrix, labels, weights)
            moved = [self._center(series, weights, labels == k, center) for k, center in enumerate(centers)]
            new = self._matrix(series, moved, self.metric_)
            if not _inertia(new, new.argmin(axis=1), weights) < before:
                break  # nothing won: keep the centers that the labels belong to
            matrix, centers = new, moved
            after = _inertia(matrix, matrix.argmin(axis=1), weights)
            if before - after <= self.tol * abs(before):
                break
        labels = matrix.argmin(axis=1)
        return _inertia(matrix, labels, weights), centers, labels, step

    def _center(self, series: list[Series], weights: FloatArray, mine: npt.NDArray[np.bool_], center: Series) -> Series:
        if not weights[mine].any():
            return center
        own = [member for member, is_mine in zip(series, mine, strict=True) if is_mine]
        # A start among the series may have come from far: the barycenter begins where the center is.
        mean = barycenter(
            own,
            self.metric_,
            weights=weights[mine],
            init=center,
            max_iter=self.max_iter_barycenter,
            n_jobs=self.n_jobs,
        )
        own_weights = center.weights if center.has_weights else None
        return Series(np.ascontiguousarray(mean.values), mean.times, own_weights, center.frame_shape)


def spread(distances_to: Any, weights: FloatArray, k: int, random: Any) -> IntArray:
    """k-means++: k series far from each other, each the best of a few drawn in proportion to its distance."""
    trials = 2 + int(np.log(k))
    chosen = [int(random.choice(len(weights), p=weights / weights.sum()))]
    nearest = np.asarray(distances_to(chosen[0]), dtype=np.float64)
    while len(chosen) < k:
        # A metric may be negative: what counts is how much farther a series is than the nearest.
        mass = weights * (nearest - nearest.min())
        mass[chosen] = 0.0
        if not mass.any():
            mass = weights.copy()
            mass[chosen] = 0.0
        if not mass.any():
            mass = np.ones(len(weights))
            mass[chosen] = 0.0
        drawn = np.unique(random.choice(len(mass), size=trials, p=mass / mass.sum()))
        reached = [np.minimum(nearest, distances_to(int(i))) for i in drawn]
        best = int(np.argmin([weights @ distances for distances in reached]))
        chosen.append(int(drawn[best]))
        nearest = reached[best]
    return np.array(chosen, dtype=np.intp)


def _swap(matrix: FloatArray, weights: FloatArray, medoids: IntArray, max_iter: int) -> tuple[float, IntArray, int]:
    """PAM: exchange a medoid for the series that lowers the sum of distances most, until none does."""
    medoids, n = medoids.copy(), len(matrix)
    for step in range(max_iter + 1):
        own = matrix[:, medoids]
        order = np.argsort(own, axis=1, kind="stable")
        first = own[np.arange(n), order[:, 0]]
        second = own[np.arange(n), order[:, 1]] if len(medoids) > 1 else np.full(n, np.inf)
        # What a series gains as a further medoid, and what the others lose of it where their medoid goes.
        gain = np.minimum(matrix - first[:, None], 0.0)
        loss = np.minimum(matrix, second[:, None]) - first[:, None] - gain
        cluster = np.zeros((n, len(medoids)))
        cluster[np.arange(n), order[:, 0]] = weights
        change = (weights @ gain)[:, None] + loss.T @ cluster
        change[medoids] = np.inf
        best, medoid = np.unravel_index(int(change.argmin()), change.shape)
        total = float(weights @ first)
        if step == max_iter or not change[best, medoid] < -1e-12 * float(weights @ np.abs(first)):
            return total, medoids, step
        medoids[medoid] = best
    raise AssertionError("the loop returns")


def _inertia(matrix: FloatArray, labels: IntArray, weights: FloatArray) -> float:
    return float(weights @ matrix[np.arange(len(labels)), labels])


def _no_empty(matrix: FloatArray, labels: IntArray, weights: FloatArray) -> IntArray:
    """Give each empty cluster the series that is farthest from its own center."""
    labels = labels.copy()
    for k in range(matrix.shape[1]):
        if not (labels == k).any():
            counts: Sequence[int] = np.bincount(labels, minlength=matrix.shape[1])  # type: ignore[assignment]
            far = weights * matrix[np.arange(len(labels)), labels]
            far[np.asarray(counts)[labels] < 2] = -np.inf
            labels[int(far.argmax())] = k
    return labels
