"""Nearest neighbours for scikit-learn that solve only the pairs that can matter."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from ..arrays import FloatArray, IntArray, real_array
from ..engine.neighbors import NeighborIndex, kneighbors
from ..errors import InvalidParameterError
from ..series import Series
from ._sklearn_base import SeriesEstimator, check_int

Weights = str | Callable[[FloatArray], FloatArray]


class _Neighbors(SeriesEstimator):
    def __init__(
        self,
        n_neighbors: int = 1,
        *,
        weights: Weights = "uniform",
        metric: Any = "dtw",
        metric_params: Mapping[str, Any] | None = None,
        n_jobs: int | None = None,
        memory: Any = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs
        self.memory = memory

    def _keep(self, X: Any) -> list[Series]:
        """Read the training set."""
        _check_weights(self.weights)
        self.metric_ = self._bind()
        self.X_ = self._read(X, self.metric_, reset=True)
        # Prepared once for all searches; a folder keeps what was prepared itself.
        kept = self._folder() is not None
        self._index = None if kept else NeighborIndex(self.X_, self.metric_, n_jobs=self.n_jobs)
        return self.X_

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[FloatArray, IntArray] | IntArray:
        """The nearest training series.

        Parameters
        ----------
        X : set of series, optional
            By default the training series, none of which is its own neighbour.
        n_neighbors : int, optional
            By default that of the estimator.
        return_distance : bool, default True
            Whether to return the distances too.

        Returns
        -------
        distances : array of shape (n_queries, n_neighbors)
            Only if ``return_distance``.
        indices : array of shape (n_queries, n_neighbors)

        Raises
        ------
        InvalidSeriesError, InvalidParameterError
            See :func:`stotmetrics.kneighbors`.
        """
        check_is_fitted(self, "X_")
        most = len(self.X_) - (X is None)
        why = ", the training series" + (" but the one that asks" if X is None else "")
        k = check_int(self.n_neighbors if n_neighbors is None else n_neighbors, "n_neighbors", 1, most, why)
        if X is None:
            distances, indices = _without_self(*self._nearest(self.X_, k + 1))
        else:
            distances, indices = self._nearest(self._read(X, self.metric_, reset=False), k)
        return (distances, indices) if return_distance else indices

    def _nearest(self, queries: list[Series], k: int) -> tuple[FloatArray, IntArray]:
        if self._index is not None:
            nearest = self._index.kneighbors(queries, k, n_jobs=self.n_jobs)
        else:
            with self._remembering(self.metric_) as metric:
                nearest = kneighbors(self.X_, queries, metric, k, n_jobs=self.n_jobs)
        return nearest.distances, nearest.indices

    def _votes(self, X: Any) -> tuple[IntArray, FloatArray]:
        """The neighbours of each series and the share that each has in the answer."""
        distances, indices = self.kneighbors(X)
        shares = _shares(self.weights, distances)
        return indices, shares / shares.sum(axis=1, keepdims=True)


class KNeighborsTimeSeriesClassifier(ClassifierMixin, _Neighbors):
    """Classification by the nearest series under any metric; never a matrix of all pairs.

    Parameters
    ----------
    n_neighbors : int, default 1
        Neighbours that vote.
    weights : {"uniform", "distance"} or callable, default "uniform"
        Equal votes, votes by the inverse of the distance, or a function of the distances, (n_queries, n_neighbors).
    metric : str, MetricSpec, BoundMetric or function, default "dtw"
        See :func:`stotmetrics.get_metric`.
    metric_params : mapping, optional
        Parameters of the metric.
    n_jobs : int, optional
        Workers, as joblib counts them.
    memory : str or joblib.Memory, optional
        Where to keep the distances that were solved, and prepared series: the folds of a cross-validation, the points
        of a grid and later runs share them.

    Attributes
    ----------
    classes_ : array
        The labels.
    X_ : list of Series
        The training series.
    metric_ : BoundMetric
        The metric with its parameters.

    Examples
    --------
    >>> from stotmetrics.hosts.sklearn import KNeighborsTimeSeriesClassifier
    >>> model = KNeighborsTimeSeriesClassifier(metric="dtw").fit([[0.0, 1.0, 0.0], [2.0, 2.0]], ["bump", "flat"])
    >>> model.predict([[0.0, 0.0, 1.0, 0.0]]).tolist()
    ['bump']
    """

    def fit(self, X: Any, y: npt.ArrayLike) -> "KNeighborsTimeSeriesClassifier":
        """Keep the training series and their labels.

        Parameters
        ----------
        X : set of series
            See the class.
        y : array of shape (n,)
            Labels.

        Returns
        -------
        KNeighborsTimeSeriesClassifier
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        series = self._keep(X)
        labels = column_or_1d(y, warn=True)
        check_consistent_length(series, labels)
        check_classification_targets(labels)
        self.classes_, self.y_ = np.unique(labels, return_inverse=True)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """The share of each class in the votes.

        Parameters
        ----------
        X : set of series
            See the class.

        Returns
        -------
        array of shape (n, n_classes)
        """
        check_is_fitted(self, "X_")
        indices, shares = self._votes(X)
        votes = np.zeros((len(indices), len(self.classes_)))
        np.add.at(votes, (np.arange(len(indices))[:, None], self.y_[indices]), shares)
        return votes

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The class with the most votes; of equal ones the first.

        Parameters
        ----------
        X : set of series
            See the class.

        Returns
        -------
        array of shape (n,)
        """
        shares = self.predict_proba(X)
        return np.asarray(self.classes_[shares.argmax(axis=1)])


class KNeighborsTimeSeriesRegressor(RegressorMixin, _Neighbors):
    """Regression by the nearest series under any metric; never a matrix of all pairs.

    Parameters
    ----------
    n_neighbors, weights, metric, metric_params, n_jobs, memory
        See :class:`KNeighborsTimeSeriesClassifier`.

    Attributes
    ----------
    X_ : list of Series
        The training series.
    metric_ : BoundMetric
        The metric with its parameters.

    Examples
    --------
    >>> from stotmetrics.hosts.sklearn import KNeighborsTimeSeriesRegressor
    >>> model = KNeighborsTimeSeriesRegressor(n_neighbors=2, metric="dtw")
    >>> model.fit([[0.0, 1.0], [0.0, 2.0], [9.0, 9.0]], [1.0, 2.0, 9.0]).predict([[0.0, 1.5]]).tolist()
    [1.5]
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: npt.ArrayLike) -> "KNeighborsTimeSeriesRegressor":
        """Keep the training series and their targets.

        Parameters
        ----------
        X : set of series
            See the class.
        y : array of shape (n,) or (n, n_outputs)
            Targets.

        Returns
        -------
        KNeighborsTimeSeriesRegressor
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        series = self._keep(X)
        targets = real_array(y, "y", InvalidParameterError)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        check_consistent_length(series, targets)
        if not np.isfinite(targets).all():
            raise ValueError("y must be finite; it contains NaN or inf")
        self.y_ = targets
        return self

    def predict(self, X: Any) -> FloatArray:
        """The weighted mean of the targets of the neighbours.

        Parameters
        ----------
        X : set of series
            See the class.

        Returns
        -------
        array of shape (n,) or (n, n_outputs)
        """
        indices, shares = self._votes(X)
        return np.einsum("nk,nk...->n...", shares, self.y_[indices])


def _without_self(distances: FloatArray, indices: IntArray) -> tuple[FloatArray, IntArray]:
    """The neighbours of each training series but itself; where it is not among them the last one goes."""
    own = indices == np.arange(len(indices))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(indices), indices.shape[1] - 1)
    return distances[~own].reshape(shape), indices[~own].reshape(shape)


def _check_weights(weights: Weights) -> None:
    if not callable(weights) and weights not in ("uniform", "distance"):
        raise InvalidParameterError(f"weights must be 'uniform', 'distance' or a function; got {weights!r}")


def check_votes(distances: FloatArray) -> None:
    """Refuse votes by the inverse of negative distances."""
    if (distances < 0).any():
        raise InvalidParameterError(
            f"weights='distance' needs distances >= 0; got {distances.min():g}; take a metric that is non-negative, "
            "such as 'dtw' or 'tiot' in place of 'softdtw', or weights='uniform'"
        )


def _shares(weights: Weights, distances: FloatArray) -> FloatArray:
    if callable(weights):
        shares = real_array(weights(distances), "the result of weights", InvalidParameterError)
        if shares.shape != distances.shape or not np.isfinite(shares).all() or (shares < 0).any():
            raise InvalidParameterError(
                f"weights must turn distances of shape {distances.shape} into as many finite numbers >= 0; "
                f"got shape {shares.shape}" + (f" and values from {np.min(shares):g} on" if shares.size else "")
            )
        if not shares.any(axis=1).all():
            row = int(np.flatnonzero(~shares.any(axis=1))[0])
            raise InvalidParameterError(f"weights must leave each series a vote; all of series {row} are zero")
        return shares
    if weights == "uniform":
        return np.ones(distances.shape)
    check_votes(distances)
    # A neighbour at no distance answers alone.
    same = distances == 0
    with np.errstate(divide="ignore"):
        return np.where(same.any(axis=1, keepdims=True), same.astype(np.float64), 1.0 / distances)
