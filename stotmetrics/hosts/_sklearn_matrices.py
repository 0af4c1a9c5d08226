"""Matrices of distances and kernels, for estimators of scikit-learn that take one."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..api import pairwise
from ..arrays import FloatArray, real_array
from ..errors import InvalidParameterError, InvalidSeriesError
from ..series import Series
from ..series_sets import as_dataset
from ..spec.bound import BoundMetric, FlatMetric, Metric, get_metric
from ._sklearn_base import SeriesEstimator, is_number


class PairwiseDistances(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SeriesEstimator):
    """Series to their distances from the training series: in front of any estimator with ``metric="precomputed"``.

    Parameters
    ----------
    metric : str, MetricSpec, BoundMetric or function, default "dtw"
        See :func:`stotmetrics.get_metric`.
    metric_params : mapping, optional
        Parameters of the metric.
    shift : bool, default False
        Add one number to all distances, so that those within the training set are not negative: what estimators ask of
        ``precomputed``, and soft-DTW does not give. The order of distances stays. A later distance that is negative
        still becomes zero, with a warning.
    zero_diagonal : bool, default False
        Write zeros for the distance of each training series from itself, after the shift: what
        ``silhouette_score`` and SciPy's ``squareform`` ask. The rest of the matrix stays.
    n_jobs : int, optional
        Workers, as joblib counts them.
    memory : str or joblib.Memory, optional
        Where to keep the distances that were solved: folds, the points of a grid and later runs share them.

    Attributes
    ----------
    shift_ : float
        What was added; 0 without ``shift`` or where nothing is negative.
    X_ : list of Series
        The training series.
    metric_ : BoundMetric
        The metric with its parameters.

    Examples
    --------
    >>> from sklearn.cluster import DBSCAN
    >>> from sklearn.pipeline import make_pipeline
    >>> from stotmetrics.hosts.sklearn import PairwiseDistances
    >>> model = make_pipeline(PairwiseDistances("dtw"), DBSCAN(eps=0.5, metric="precomputed", min_samples=2))
    >>> model.fit_predict([[0.0, 1.0], [0.0, 0.0, 1.0], [4.0, 4.0]]).tolist()
    [0, 0, -1]
    """

    def __init__(
        self,
        metric: Any = "dtw",
        metric_params: Mapping[str, Any] | None = None,
        *,
        shift: bool = False,
        zero_diagonal: bool = False,
        n_jobs: int | None = None,
        memory: Any = None,
    ) -> None:
        self.metric = metric
        self.metric_params = metric_params
        self.shift = shift
        self.zero_diagonal = zero_diagonal
        self.n_jobs = n_jobs
        self.memory = memory

    def fit(self, X: Any, y: Any = None) -> "PairwiseDistances":
        """Keep the training series; with ``shift``, find out how far.

        Parameters
        ----------
        X : set of series
            See the class.
        y : None
            Not used.

        Returns
        -------
        PairwiseDistances
        """
        self._keep(X)
        if self.shift and not self.metric_.traits.nonnegative:
            self._within()
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> FloatArray:
        """All distances within the training set, each pair of a symmetric metric once.

        Parameters
        ----------
        X : set of series
            See the class.
        y : None
            Not used.
        **fit_params
            None are known.

        Returns
        -------
        array of shape (n, n)
        """
        if fit_params:
            raise TypeError(f"fit takes no {', '.join(fit_params)}")
        self._keep(X)
        matrix = self._within() + self.shift_
        if self.zero_diagonal:
            np.fill_diagonal(matrix, 0.0)
        return matrix

    def transform(self, X: Any) -> FloatArray:
        """The distances of series from the training series.

        Parameters
        ----------
        X : set of series
            See the class. The training series again are new series: their diagonal is what the metric says.

        Returns
        -------
        array of shape (n, n_train)
        """
        check_is_fitted(self, "X_")
        matrix = self._matrix(self._read(X, self.metric_, reset=False), self.X_, self.metric_) + self.shift_
        low = self.shift and matrix < 0
        if np.any(low):
            warnings.warn(
                f"{int(np.sum(low))} distances lie below all of the training set, by {-matrix.min():.3g} at most, and "
                "become zero; take a metric that is non-negative, such as 'dtw', where these matter",
                stacklevel=2,
            )
            matrix[low] = 0.0
        return matrix

    def _keep(self, X: Any) -> None:
        self.metric_ = self._bind()
        self.X_ = self._read(X, self.metric_, reset=True)
        self.shift_ = 0.0
        self._n_features_out = len(self.X_)

    def _within(self) -> FloatArray:
        matrix = self._matrix(self.X_, None, self.metric_)
        if self.shift:
            self.shift_ = max(0.0, -float(matrix.min()))
        return matrix


class DistanceKernel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SeriesEstimator):
    r"""Series to their kernel with the training series, in front of ``SVC(kernel="precomputed")``.

    The kernel is :math:`\exp(-d / \sigma)`; of ``gak`` it is the global alignment kernel itself, normalised, which is
    positive definite. Of other metrics it need not be: it is for ``gak(form="feature")``-like distances that embed in a
    Hilbert space, not for DTW, where SVC may find a local optimum only.

    Parameters
    ----------
    metric : str, MetricSpec, BoundMetric or function, default "gak"
        See :func:`stotmetrics.get_metric`.
    metric_params : mapping, optional
        Parameters of the metric.
    sigma : float or "median", default "median"
        The width; "median" is that of the distances between different training series. Not used by ``gak``, whose width
        is its own parameter.
    n_jobs : int, optional
        Workers, as joblib counts them.
    memory : str or joblib.Memory, optional
        Where to keep the distances that were solved: folds, the points of a grid and later runs share them.

    Attributes
    ----------
    sigma_ : float
        The width.
    X_ : list of Series
        The training series.
    metric_ : BoundMetric
        The metric with its parameters.

    References
    ----------
    Cuturi. *Fast Global Alignment Kernels*, ICML 2011.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from stotmetrics.hosts.sklearn import DistanceKernel
    >>> model = make_pipeline(DistanceKernel("gak"), SVC(kernel="precomputed"))
    >>> model.fit([[0.0, 1.0], [0.0, 0.9], [4.0, 4.0], [4.0, 4.2]], [0, 0, 1, 1]).predict([[4.0, 4.1, 4.1]]).tolist()
    [1]
    """

    def __init__(
        self,
        metric: Any = "gak",
        metric_params: Mapping[str, Any] | None = None,
        *,
        sigma: float | str = "median",
        n_jobs: int | None = None,
        memory: Any = None,
    ) -> None:
        self.metric = metric
        self.metric_params = metric_params
        self.sigma = sigma
        self.n_jobs = n_jobs
        self.memory = memory

    def fit(self, X: Any, y: Any = None) -> "DistanceKernel":
        """Keep the training series, and find the width.

        Parameters
        ----------
        X : set of series
            See the class.
        y : None
            Not used.

        Returns
        -------
        DistanceKernel
        """
        self._keep(X)
        self._width(None)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> FloatArray:
        """The kernel within the training set.

        Parameters
        ----------
        X : set of series
            See the class.
        y : None
            Not used.
        **fit_params
            None are known.

        Returns
        -------
        array of shape (n, n)
        """
        if fit_params:
            raise TypeError(f"fit takes no {', '.join(fit_params)}")
        self._keep(X)
        matrix = self._matrix(self.X_, None, self.metric_)
        self._width(matrix)
        return self._kernel(matrix)

    def transform(self, X: Any) -> FloatArray:
        """The kernel of series with the training series.

        Parameters
        ----------
        X : set of series
            See the class.

        Returns
        -------
        array of shape (n, n_train)
        """
        check_is_fitted(self, "X_")
        return self._kernel(self._matrix(self._read(X, self.metric_, reset=False), self.X_, self.metric_))

    def _keep(self, X: Any) -> None:
        self.metric_ = self._bind()
        self.X_ = self._read(X, self.metric_, reset=True)
        self._n_features_out = len(self.X_)

    def _width(self, matrix: FloatArray | None) -> None:
        if self.metric_.name == "gak":
            self.sigma_ = 1.0
        elif self.sigma == "median":
            matrix = self._matrix(self.X_, None, self.metric_) if matrix is None else matrix
            between = matrix[~np.eye(len(matrix), dtype=bool)]
            median = float(np.median(between)) if between.size else 0.0
            self.sigma_ = median if median > 0 else 1.0
        elif not is_number(self.sigma, positive=True):
            raise InvalidParameterError(f"sigma must be a number > 0 or 'median'; got {self.sigma!r}")
        else:
            self.sigma_ = float(self.sigma)

    def _kernel(self, matrix: FloatArray) -> FloatArray:
        if self.metric_.name == "gak" and self.metric_.params.form == "feature":
            return np.asarray(1.0 - 0.5 * matrix**2)
        return np.asarray(np.exp(-matrix / self.sigma_))


@dataclass(frozen=True)
class MatrixFunction:
    """A metric as a function of whole matrices of flat rows; made by :func:`as_matrix`."""

    metric: BoundMetric
    d: int
    n_jobs: int | None

    def __call__(self, X: Any, Y: Any = None) -> FloatArray:
        right = None if Y is None else self._series(Y, "Y")
        return pairwise(self._series(X, "X"), right, self.metric, n_jobs=self.n_jobs)

    def _series(self, X: Any, name: str) -> list[Series]:
        rows = real_array(X, name, InvalidSeriesError)
        if rows.ndim != 2 or rows.shape[1] % self.d:
            raise InvalidSeriesError(f"{name} must have shape (n, T * {self.d}); got shape {rows.shape}")
        # Told what its axes are, a series of one time is in no doubt about them.
        return [Series(row.values) for row in as_dataset(rows.reshape(len(rows), -1, self.d), name=name)]


def as_matrix(metric: Metric, d: int = 1, *, n_jobs: int | None = None, **params: Any) -> MatrixFunction:
    """A metric for estimators that call a function of whole matrices: ``AgglomerativeClustering(metric=...)``.

    Parameters
    ----------
    metric : str, MetricSpec, BoundMetric or function
        See :func:`stotmetrics.get_metric`.
    d : int, default 1
        Values at one time: a row of ``T * d`` numbers holds those of the first time, then those of the second.
    n_jobs : int, optional
        Workers, as joblib counts them.
    **params
        Parameters of the metric.

    Returns
    -------
    MatrixFunction
        A picklable ``f(X, Y=None) -> array of shape (n, m)``.

    Raises
    ------
    InvalidParameterError
        If ``d`` is not an integer >= 1.

    Examples
    --------
    >>> from sklearn.cluster import AgglomerativeClustering
    >>> from stotmetrics.hosts.sklearn import as_matrix
    >>> model = AgglomerativeClustering(2, metric=as_matrix("dtw"), linkage="average")
    >>> labels = model.fit_predict([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [4.0, 4.0, 4.0]])
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """
    bound = get_metric(metric, **params)
    return MatrixFunction(bound, bound.flat(d).d, n_jobs)


def as_metric(metric: Metric, d: int = 1, **params: Any) -> FlatMetric:
    """A metric for the ``metric=`` of scikit-learn's own estimators, whose trees rely on the triangle inequality.

    ``KNeighborsClassifier(metric=function)`` builds a ball tree unless told otherwise, and its answers are wrong where
    the triangle inequality does not hold, without a word.

    Parameters
    ----------
    metric : str, MetricSpec, BoundMetric or function
        See :func:`stotmetrics.get_metric`.
    d : int, default 1
        Values at one time.
    **params
        Parameters of the metric.

    Returns
    -------
    FlatMetric
        A function of two flat rows, safe in a tree.

    Raises
    ------
    InvalidParameterError
        If the metric does not claim the triangle inequality; the message names the ways out.

    Examples
    --------
    >>> from sklearn.neighbors import NearestNeighbors
    >>> from stotmetrics.hosts.sklearn import as_metric
    >>> model = NearestNeighbors(n_neighbors=1, metric=as_metric("tiot", standardize=False))
    >>> model.fit([[0.0, 1.0], [3.0, 3.0]]).kneighbors([[3.0, 2.5]], return_distance=False)
    array([[1]])
    """
    bound = get_metric(metric, **params)
    if not bound.traits.triangle:
        raise InvalidParameterError(
            f"{bound!r} has no triangle inequality, which the trees of scikit-learn rely on; take "
            "stotmetrics.hosts.sklearn.KNeighborsTimeSeriesClassifier, PairwiseDistances before metric='precomputed', "
            "or algorithm='brute' with metric.flat(d)"
        )
    return bound.flat(d)
