"""tslearn with the metrics and the kernels of this package.

The estimators here are tslearn's and take any metric. :func:`patch_tslearn` gives tslearn's own the same, and runs its
functions on the kernels of this package.
"""

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

with warnings.catch_warnings():
    # tslearn tells at import that h5py is missing; nothing here reads or writes HDF5.
    warnings.filterwarnings("ignore", message="h5py not installed")
    import tslearn
    import tslearn.backend.backend as _backend
    import tslearn.barycenters.softdtw as _barycenters
    import tslearn.clustering as _clustering
    import tslearn.clustering.utils as _clustering_utils
    import tslearn.neighbors as _neighbors
    import tslearn.svm as _svm
    import tslearn.utils.utils as _utils
    from tslearn.metrics import METRIC_TO_FUNCTION, SoftDTW, SquaredEuclidean
    from tslearn.neighbors.neighbors import KNeighborsTimeSeriesMixin
    from tslearn.svm.svm import TimeSeriesSVMMixin

try:
    import tslearn.metrics._dtw as _dtw
    import tslearn.metrics._soft_dtw as _soft_dtw
except ImportError as error:
    raise ImportError(
        f"stotmetrics.hosts.tslearn needs tslearn >= 0.10; this is {tslearn.__version__}; pip install -U tslearn"
    ) from error

from . import _tslearn_inputs as inputs
from . import _tslearn_kernels as kernels
from . import _tslearn_names as names

__all__ = [
    "KNeighborsTimeSeries",
    "KNeighborsTimeSeriesClassifier",
    "KNeighborsTimeSeriesRegressor",
    "KernelKMeans",
    "TimeSeriesDBSCAN",
    "TimeSeriesKMeans",
    "TimeSeriesSVC",
    "TimeSeriesSVR",
    "patch_tslearn",
    "patched_tslearn",
    "silhouette_score",
    "unpatch_tslearn",
]

silhouette_score = names.silhouette(_clustering.silhouette_score)


class KNeighborsTimeSeries(_neighbors.KNeighborsTimeSeries):
    """``tslearn.neighbors.KNeighborsTimeSeries`` whose ``metric`` is also any of this package, bound or by name.

    Names that tslearn has itself ("dtw", "softdtw", "gak", "euclidean") stay tslearn's.

    Examples
    --------
    >>> from stotmetrics.hosts.tslearn import KNeighborsTimeSeries
    >>> model = KNeighborsTimeSeries(n_neighbors=1, metric="tiot").fit([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> model.kneighbors([[0.1, 0.0, 2.0]], return_distance=False)
    array([[1]])
    """

    fit = names.standing_in(_neighbors.KNeighborsTimeSeries.fit)
    kneighbors = names.neighbours_search(_neighbors.KNeighborsTimeSeries.kneighbors)


class KNeighborsTimeSeriesClassifier(_neighbors.KNeighborsTimeSeriesClassifier):
    """``tslearn.neighbors.KNeighborsTimeSeriesClassifier`` whose ``metric`` is also any of this package.

    Names that tslearn has itself ("dtw", "softdtw", "gak", "euclidean") stay tslearn's.

    Examples
    --------
    >>> from stotmetrics.hosts.tslearn import KNeighborsTimeSeriesClassifier
    >>> model = KNeighborsTimeSeriesClassifier(n_neighbors=1, metric="tiot", metric_params={"p": 1})
    >>> model.fit([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [7, 8]).predict([[0.1, 0.0, 2.0]])
    array([8])
    """

    _precompute_cross_dist = names.neighbours_matrix(KNeighborsTimeSeriesMixin._precompute_cross_dist)
    kneighbors = names.neighbours_search(KNeighborsTimeSeriesMixin.kneighbors)
    fit = names.standing_in(_neighbors.KNeighborsTimeSeriesClassifier.fit)
    predict = names.standing_in(_neighbors.KNeighborsTimeSeriesClassifier.predict)
    predict_proba = names.standing_in(_neighbors.KNeighborsTimeSeriesClassifier.predict_proba)


class KNeighborsTimeSeriesRegressor(_neighbors.KNeighborsTimeSeriesRegressor):
    """``tslearn.neighbors.KNeighborsTimeSeriesRegressor`` whose ``metric`` is also any of this package.

    Names that tslearn has itself ("dtw", "softdtw", "gak", "euclidean") stay tslearn's.
    """

    _precompute_cross_dist = names.neighbours_matrix(KNeighborsTimeSeriesMixin._precompute_cross_dist)
    kneighbors = names.neighbours_search(KNeighborsTimeSeriesMixin.kneighbors)
    fit = names.standing_in(_neighbors.KNeighborsTimeSeriesRegressor.fit)
    predict = names.standing_in(_neighbors.KNeighborsTimeSeriesRegressor.predict)


class TimeSeriesKMeans(_clustering.TimeSeriesKMeans):
    """``tslearn.clustering.TimeSeriesKMeans`` whose ``metric`` is also any of this package that has a gradient.

    Names that tslearn has itself ("dtw", "softdtw", "euclidean") stay tslearn's. As there, the inertia is the mean of
    the squares of the distances; of a metric that may be negative it is the mean of the distances.

    Examples
    --------
    >>> from stotmetrics.hosts.tslearn import TimeSeriesKMeans
    >>> X = [[0.0, 1.0, 1.0], [0.0, 1.1, 1.0], [5.0, 5.0, 5.0], [5.0, 5.1, 5.0]]
    >>> labels = TimeSeriesKMeans(2, metric="softdtw_divergence", random_state=0).fit(X).labels_
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """

    _fit_one_init = names.means_first(_clustering.TimeSeriesKMeans._fit_one_init)
    _transform = names.means_distances(_clustering.TimeSeriesKMeans._transform)
    _update_centroids = names.means_centers(_clustering.TimeSeriesKMeans._update_centroids)
    fit = names.standing_in(_clustering.TimeSeriesKMeans.fit)
    predict = names.standing_in(_clustering.TimeSeriesKMeans.predict)
    transform = names.standing_in(_clustering.TimeSeriesKMeans.transform)


class TimeSeriesDBSCAN(_clustering.TimeSeriesDBSCAN):
    """``tslearn.clustering.TimeSeriesDBSCAN`` whose ``metric`` is also any of this package that is not negative.

    Names that tslearn has itself ("dtw", "softdtw", "gak", "euclidean") stay tslearn's.
    """

    fit = names.density_fit(_clustering.TimeSeriesDBSCAN.fit)


class KernelKMeans(_clustering.KernelKMeans):
    """``tslearn.clustering.KernelKMeans`` whose ``kernel`` is also a metric d of this package: ``exp(-gamma d)``.

    ``kernel_params`` holds the parameters of the metric, and gamma as ``kernel_gamma``; by default it is one over the
    median distance between different training series.
    """

    _get_kernel = names.kernel_means(_clustering.KernelKMeans._get_kernel)


class TimeSeriesSVC(_svm.TimeSeriesSVC):
    """``tslearn.svm.TimeSeriesSVC`` whose ``kernel`` is also a metric d of this package: ``exp(-gamma d)``.

    By default gamma is one over the median distance between different training series.
    """

    _preprocess_sklearn = names.machine_input(TimeSeriesSVMMixin._preprocess_sklearn)


class TimeSeriesSVR(_svm.TimeSeriesSVR):
    """``tslearn.svm.TimeSeriesSVR`` whose ``kernel`` is also a metric d of this package: ``exp(-gamma d)``.

    By default gamma is one over the median distance between different training series.
    """

    _preprocess_sklearn = names.machine_input(TimeSeriesSVMMixin._preprocess_sklearn)


# Functions of tslearn, by the module that defines them, and what stands in for each.
_FUNCTIONS: list[tuple[Any, str, Callable[[Any], Any]]] = [
    (_dtw, "dtw", kernels.dtw),
    (_dtw, "_cdist_dtw", kernels.cdist_dtw),
    (_soft_dtw, "soft_dtw", kernels.soft_dtw),
    (_soft_dtw, "soft_dtw_normalized", kernels.soft_dtw_normalized),
    (_soft_dtw, "soft_dtw_alignment", kernels.soft_dtw_alignment),
    (_soft_dtw, "_cdist_soft_dtw", kernels.cdist_soft_dtw),
    (_soft_dtw, "_cdist_soft_dtw_normalized", kernels.cdist_soft_dtw_normalized),
    (_barycenters, "_acc_softdtw_func", kernels.barycenter_objective),
    (_barycenters, "softdtw_barycenter", kernels.barycenter),
    (_backend, "instantiate_backend", inputs.quick_backend),
    (_utils, "to_time_series_dataset", inputs.quick_dataset),
    (_clustering_utils, "silhouette_score", names.silhouette),
]

# Methods of tslearn's classes, and what stands in for each.
_METHODS: list[tuple[type, str, Callable[[Any], Any]]] = [
    (SoftDTW, "compute", kernels.cost_value),
    (SoftDTW, "grad", kernels.cost_gradient),
    (SquaredEuclidean, "compute", kernels.squared_costs),
    (SquaredEuclidean, "jacobian_product", kernels.squared_product),
    (KNeighborsTimeSeriesMixin, "_precompute_cross_dist", names.neighbours_matrix),
    (KNeighborsTimeSeriesMixin, "kneighbors", names.neighbours_search),
    (_neighbors.KNeighborsTimeSeries, "fit", names.standing_in),
    (_neighbors.KNeighborsTimeSeries, "kneighbors", names.neighbours_search),
    (_neighbors.KNeighborsTimeSeriesClassifier, "fit", names.standing_in),
    (_neighbors.KNeighborsTimeSeriesClassifier, "predict", names.standing_in),
    (_neighbors.KNeighborsTimeSeriesClassifier, "predict_proba", names.standing_in),
    (_neighbors.KNeighborsTimeSeriesRegressor, "fit", names.standing_in),
    (_neighbors.KNeighborsTimeSeriesRegressor, "predict", names.standing_in),
    (_clustering.TimeSeriesKMeans, "_fit_one_init", names.means_first),
    (_clustering.TimeSeriesKMeans, "_transform", names.means_distances),
    (_clustering.TimeSeriesKMeans, "_update_centroids", names.means_centers),
    (_clustering.TimeSeriesKMeans, "fit", names.standing_in),
    (_clustering.TimeSeriesKMeans, "predict", names.standing_in),
    (_clustering.TimeSeriesKMeans, "transform", names.standing_in),
    (_clustering.TimeSeriesDBSCAN, "fit", names.density_fit),
    (_clustering.KernelKMeans, "_get_kernel", names.kernel_means),
    (TimeSeriesSVMMixin, "_preprocess_sklearn", names.machine_input),
]

# While tslearn is patched: what was there, and what stands in for it.
_replaced: list[tuple[Any, Any]] = []
_methods: list[tuple[type, str, Any]] = []
_turn = threading.Lock()


def patch_tslearn() -> None:
    """Run tslearn on the kernels of this package, and let its estimators take the metrics of this package.

    From then on ``dtw``, ``soft_dtw``, ``soft_dtw_alignment``, ``cdist_dtw``, ``cdist_soft_dtw`` and the normalised
    variants, ``SoftDTW``, ``softdtw_barycenter`` and every estimator built on them compute here, in tslearn's units.
    What is not served here runs as before: other backends, the Itakura parallelogram, bands between series of different
    lengths. Names that modules of yours imported from tslearn before, as in ``from tslearn.metrics import dtw``, are
    replaced too where these modules are called ``tslearn.something``; elsewhere import them after the patch.

    It holds in this process: workers of ``n_jobs`` that are processes of their own know tslearn as it is. For those
    take the estimators of this module, which need no patch.

    Calling it again changes nothing. :func:`unpatch_tslearn` takes it back.

    Examples
    --------
    >>> from stotmetrics.hosts.tslearn import patch_tslearn, unpatch_tslearn
    >>> patch_tslearn()
    >>> from tslearn.neighbors import KNeighborsTimeSeriesClassifier
    >>> model = KNeighborsTimeSeriesClassifier(n_neighbors=1, metric="tiot")
    >>> model.fit([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [7, 8]).predict([[0.1, 0.0, 2.0]])
    array([8])
    >>> unpatch_tslearn()
    """
    with _turn:
        if _replaced:
            return
        for module, name, stand_in in _FUNCTIONS:
            original = getattr(module, name)
            _replaced.append((original, stand_in(original)))
        for original, stand_in in _replaced:
            _exchange(original, stand_in)
        for owner, name, stand_in in _METHODS:
            original = vars(owner)[name]
            _methods.append((owner, name, original))
            setattr(owner, name, stand_in(original))


def unpatch_tslearn() -> None:
    """Give tslearn its own functions and methods back.

    Examples
    --------
    >>> from stotmetrics.hosts.tslearn import unpatch_tslearn
    >>> unpatch_tslearn()  # nothing to take back
    """
    with _turn:
        for original, stand_in in _replaced:
            _exchange(stand_in, original)
        _replaced.clear()
        while _methods:
            owner, name, original = _methods.pop()
            setattr(owner, name, original)


@contextmanager
def patched_tslearn() -> Iterator[None]:
    """:func:`patch_tslearn` for one block; what was patched before stays patched after it.

    Examples
    --------
    >>> import tslearn.metrics
    >>> from stotmetrics.hosts.tslearn import patched_tslearn
    >>> with patched_tslearn():
    ...     float(tslearn.metrics.dtw([0.0, 1.0, 5.0], [0.0, 5.0]))
    1.0
    """
    before = bool(_replaced)
    patch_tslearn()
    try:
        yield
    finally:
        if not before:
            unpatch_tslearn()


def _exchange(old: Any, new: Any) -> None:
    """Put ``new`` wherever a module of tslearn holds ``old``."""
    for name, module in list(sys.modules.items()):
        if name == "tslearn" or name.startswith("tslearn."):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
    for name, value in METRIC_TO_FUNCTION.items():
        if value is old:
            METRIC_TO_FUNCTION[name] = new
