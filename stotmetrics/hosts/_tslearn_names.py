"""Metrics of this package in the estimators of tslearn: methods that stand in for those of tslearn's classes.

A method here takes the one it stands in for and gives way to it for everything that is tslearn's own. The subclasses of
``stotmetrics.hosts.tslearn`` and ``patch_tslearn`` share them.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_X_y
from tslearn.utils import check_array, check_dims

from ..api import pairwise
from ..arrays import FloatArray, IntArray
from ..engine.barycenters import barycenter
from ..engine.neighbors import kneighbors
from ..errors import InvalidParameterError
from ..series import Series
from ..series_sets import as_dataset
from ..spec import registry
from ..spec.bound import BoundMetric, get_metric
from ..spec.metric import MetricSpec
from ._sklearn_base import check_int, is_number
from ._sklearn_clusters import spread
from ._sklearn_neighbors import _without_self, check_votes
from ._tslearn_inputs import NotServedError, band_of, by_time, smoothing, to_time_series_dataset

Method = Callable[..., Any]

# What tslearn and the estimators of scikit-learn under it mean by these names stays what it is.
OF_TSLEARN = frozenset(
    {
        *("ctw", "dtw", "gak", "sax", "softdtw", "softdtw_normalized", "lcss", "frechet", "precomputed"),
        *("euclidean", "sqeuclidean", "cityblock", "linear", "poly", "polynomial", "rbf", "sigmoid", "cosine"),
    }
)


def is_ours(metric: Any) -> bool:
    """Whether a metric is one of this package: bound, or by a name that is not tslearn's own."""
    if isinstance(metric, (BoundMetric, MetricSpec)):
        return True
    return isinstance(metric, str) and metric not in OF_TSLEARN and metric in registry.names()


def bound_of(metric: Any, params: Mapping[str, Any] | None) -> BoundMetric:
    """The metric with its parameters; what tslearn passes on to functions of its own is left out."""
    return get_metric(metric, **{k: v for k, v in (params or {}).items() if k not in ("n_jobs", "verbose")})


def standing_in(method: Method) -> Method:
    """The method, with one of tslearn's own metrics in the place of ours, so that it takes the path for series."""

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_ours(self.metric):
            return method(self, *args, **kwargs)
        own = self.metric, self.metric_params
        self._standing_for = bound_of(*own)
        self.metric, self.metric_params = "dtw", None
        try:
            return method(self, *args, **kwargs)
        finally:
            self.metric, self.metric_params = own
            del self._standing_for

    return call


def matrix(X: Any, Y: Any, metric: BoundMetric, n_jobs: int | None) -> FloatArray:
    """All distances between two data sets of tslearn."""
    return pairwise(by_time(X), None if Y is None else by_time(Y), metric, n_jobs=n_jobs)


def served(model: Any, train: list[Series], queries: list[Series]) -> BoundMetric | None:
    """tslearn's own metric of a model for neighbours, as it is called here; None where it is not served."""
    params = {name: value for name, value in (model.metric_params or {}).items() if name not in ("n_jobs", "verbose")}
    constraint, radius, slope = (
        params.pop(name, None) for name in ("global_constraint", "sakoe_chiba_radius", "itakura_max_slope")
    )
    lengths = {len(series) for series in (*train, *queries)}
    if model.metric == "dtw" and not params:
        return get_metric("dtw", squared=False, band=band_of(constraint, radius, slope, lengths))
    if model.metric == "softdtw" and (params.keys() <= {"gamma"} or params.keys() == {"gamma_sdtw"}):
        gamma = smoothing(next(iter(params.values()), 1.0))
        return get_metric("softdtw", gamma=gamma, band=band_of(constraint, radius, slope, lengths))
    return None


def neighbours_matrix(method: Method) -> Method:
    """``KNeighborsTimeSeriesMixin._precompute_cross_dist``: solves only the pairs that can matter to a vote.

    The others stand as infinite.
    """

    @wraps(method)
    def _precompute_cross_dist(self: Any, X: Any, other_X: Any = None) -> Any:
        if other_X is not None:  # for a search, of who knows how many neighbours
            return method(self, X, other_X)
        ours = getattr(self, "_standing_for", None)
        try:
            train, queries = by_time(self._ts_fit), by_time(to_time_series_dataset(X))
            metric = served(self, train, queries) if ours is None else ours
            if metric is None:
                return method(self, X)
            nearest = kneighbors(train, queries, metric, min(self.n_neighbors, len(train)), n_jobs=self.n_jobs)
            if ours is not None and self.weights == "distance":
                check_votes(nearest.distances)
        except (ValueError, FloatingPointError):
            if ours is not None:
                raise
            return method(self, X)
        distances = np.full((len(queries), len(train)), np.inf)
        np.put_along_axis(distances, nearest.indices, nearest.distances, axis=1)
        self._ts_metric, self.metric = self.metric, "precomputed"
        return distances

    return _precompute_cross_dist


def neighbours_search(method: Method) -> Method:
    """``kneighbors``: solves only the pairs that can matter."""

    @wraps(method)
    def search(self: Any, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        ours = bound_of(self.metric, self.metric_params) if is_ours(self.metric) else None
        if ours is None and (X is None or self.metric not in ("dtw", "softdtw") or not hasattr(self, "_ts_fit")):
            return method(self, X=X, n_neighbors=n_neighbors, return_distance=return_distance)
        try:
            distances, indices = _nearest(self, X, self.n_neighbors if n_neighbors is None else n_neighbors, ours)
        except (ValueError, FloatingPointError):
            if ours is not None:
                raise
            return method(self, X=X, n_neighbors=n_neighbors, return_distance=return_distance)
        return (distances, indices) if return_distance else indices

    return search


def _nearest(model: Any, X: Any, k: int, metric: BoundMetric | None) -> tuple[FloatArray, IntArray]:
    train = by_time(model._ts_fit)
    if X is None and metric is not None:
        nearest = kneighbors(train, train, metric, min(k + 1, len(train)), n_jobs=model.n_jobs)
        return _without_self(nearest.distances, nearest.indices)
    X = check_array(X, allow_nd=True, force_all_finite=False)
    X = check_dims(to_time_series_dataset(X), X_fit_dims=model._ts_fit.shape, extend=True, check_n_features_only=True)
    queries = by_time(X)
    metric = served(model, train, queries) if metric is None else metric
    if metric is None:
        raise NotServedError
    nearest = kneighbors(train, queries, metric, min(k, len(train)), n_jobs=model.n_jobs)
    return nearest.distances, nearest.indices


def means_first(method: Method) -> Method:
    """``TimeSeriesKMeans._fit_one_init``: k-means++ by the metric."""

    @wraps(method)
    def _fit_one_init(self: Any, X: Any, x_squared_norms: Any, rs: Any) -> Any:
        metric = getattr(self, "_standing_for", None)
        if metric is not None:
            # The square of a negative distance would count as far.
            self._squared_inertia = metric.traits.nonnegative
        if metric is None or not isinstance(self.init, str) or self.init != "k-means++":
            return method(self, X, x_squared_norms, rs)
        metric.require_gradient()
        check_int(self.n_clusters, "n_clusters", 1, len(X), ", the number of series")
        random = check_random_state(rs)
        chosen: IntArray = spread(
            lambda i: matrix(X, X[i : i + 1], metric, self.n_jobs)[:, 0], np.ones(len(X)), self.n_clusters, random
        )
        own, self.init = self.init, X[chosen]
        try:
            return method(self, X, x_squared_norms, rs)
        finally:
            self.init = own

    return _fit_one_init


def means_distances(method: Method) -> Method:
    """``TimeSeriesKMeans._transform``."""

    @wraps(method)
    def _transform(self: Any, X: Any) -> Any:
        metric = getattr(self, "_standing_for", None)
        return method(self, X) if metric is None else matrix(X, self.cluster_centers_, metric, self.n_jobs)

    return _transform


def means_centers(method: Method) -> Method:
    """``TimeSeriesKMeans._update_centroids``."""

    @wraps(method)
    def _update_centroids(self: Any, X: Any) -> None:
        metric = getattr(self, "_standing_for", None)
        if metric is None:
            method(self, X)
            return
        for k in range(self.n_clusters):
            mine = by_time(X[self.labels_ == k])
            start = as_dataset(self.cluster_centers_[k : k + 1])[0].values
            mean = barycenter(mine, metric, init=start, max_iter=self.max_iter_barycenter, n_jobs=self.n_jobs)
            self.cluster_centers_[k, : len(start)] = mean.values

    return _update_centroids


def density_fit(method: Method) -> Method:
    """``TimeSeriesDBSCAN.fit``: the matrix of the metric, and tslearn's clustering of it."""

    @wraps(method)
    def fit(self: Any, X: Any, y: Any = None) -> Any:
        if not is_ours(self.metric):
            return method(self, X, y)
        X = to_time_series_dataset(check_array(X, allow_nd=True, force_all_finite="allow-nan"))
        metric = bound_of(self.metric, self.metric_params)
        own = self.metric, self.metric_params
        self.metric, self.metric_params = "precomputed", None
        try:
            method(self, matrix(X, None, metric, self.n_jobs))
        finally:
            self.metric, self.metric_params = own
        self.components_ = X[self.core_ts_indices_].copy()
        self.n_features_in_ = X.shape[-1]
        return self

    return fit


def _exponential(distances: FloatArray, gamma: float) -> FloatArray:
    return np.asarray(np.exp(-gamma * distances))


def _rate(distances: FloatArray) -> float:
    """One over the median distance between different series."""
    between = distances[~np.eye(len(distances), dtype=bool)]
    median = float(np.median(between)) if between.size else 1.0
    return 1.0 / median if median > 0 else 1.0


def _check_rate(gamma: Any, name: str) -> None:
    if not is_number(gamma, positive=True) and not (isinstance(gamma, str) and gamma == "auto"):
        raise InvalidParameterError(f"{name} must be a number > 0 or 'auto'; got {gamma!r}")


def kernel_means(method: Method) -> Method:
    """``KernelKMeans._get_kernel``: ``exp(-gamma d)``; gamma is one over the median distance unless it is given."""

    @wraps(method)
    def _get_kernel(self: Any, X: Any, Y: Any = None) -> Any:
        if not is_ours(self.kernel):
            return method(self, X, Y)
        params = dict(self.kernel_params or {})
        gamma = params.pop("kernel_gamma", "auto")
        distances = matrix(X, Y, bound_of(self.kernel, params), self.n_jobs)
        _check_rate(gamma, "kernel_gamma")
        if Y is None:
            self.kernel_gamma_ = _rate(distances) if gamma == "auto" else float(gamma)
        return _exponential(distances, self.kernel_gamma_)

    return _get_kernel


def machine_input(method: Method) -> Method:
    """``TimeSeriesSVMMixin._preprocess_sklearn``: ``exp(-gamma d)``, by default with gamma one over the median."""

    @wraps(method)
    def _preprocess_sklearn(self: Any, X: Any, y: Any = None, fit_time: bool = False) -> Any:
        if not is_ours(self.kernel):
            return method(self, X, y, fit_time)
        metric = bound_of(self.kernel, None)
        X = to_time_series_dataset(check_array(X, allow_nd=True, force_all_finite=False))
        if y is not None:
            _, y = check_X_y(np.zeros((len(X), 1)), y)
        if fit_time:
            _check_rate(self.gamma, "gamma")
            distances = matrix(X, None, metric, self.n_jobs)
            self._X_fit, self.classes_ = X, np.unique(y)
            self.gamma_ = _rate(distances) if self.gamma == "auto" else self.gamma
        else:
            X = check_dims(X, X_fit_dims=self._X_fit.shape, extend=True, check_n_features_only=True)
            distances = matrix(X, self._X_fit, metric, self.n_jobs)
        self.estimator_kernel_ = "precomputed"
        return _exponential(distances, self.gamma_), y, X.shape[-1]

    return _preprocess_sklearn


def silhouette(method: Method) -> Method:
    """``silhouette_score`` of any metric; the distance of a series from itself counts as zero."""

    @wraps(method)
    def silhouette_score(X: Any, labels: Any, metric: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not is_ours(metric):
            return method(X, labels, metric, *args, **kwargs)
        params = kwargs.pop("metric_params", None)
        distances = matrix(to_time_series_dataset(X), None, bound_of(metric, params), kwargs.get("n_jobs"))
        np.fill_diagonal(distances, 0.0)
        if (distances < 0).any():
            raise InvalidParameterError(
                f"a silhouette needs distances >= 0, and {metric!r} gives {distances.min():.3g}; take a metric that is "
                "non-negative, such as 'tiot', or one of tslearn's, such as 'dtw'"
            )
        return method(distances, labels, "precomputed", *args, **kwargs)

    return silhouette_score
