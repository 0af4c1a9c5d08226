"""tslearn's estimators take every metric, and under the patch its functions give its own results."""

import pickle
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

import stotmetrics
from stotmetrics import InvalidParameterError

pytest.importorskip("tslearn", minversion="0.10")
from stotmetrics.hosts import tslearn as host

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="h5py not installed")
    import tslearn.barycenters
    import tslearn.clustering
    import tslearn.metrics
    import tslearn.neighbors
    import tslearn.svm
    from tslearn.utils import to_time_series_dataset

# tslearn says so of the counters of libsvm, and scikit-learn of how tslearn calls it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:n_iter_ is always set to 1"),
    pytest.mark.filterwarnings("ignore:The `probability` parameter was deprecated:FutureWarning"),
]


def bumps(n, lengths, seed=0):
    """Two classes of series, with a bump early or late, of given lengths."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    series = []
    for k, label in enumerate(labels):
        time = np.linspace(0.0, 1.0, lengths[k % len(lengths)])
        series.append(np.exp(-(((time - 0.3 - 0.4 * label) / 0.1) ** 2)) + 0.1 * rng.normal(size=len(time)))
    return to_time_series_dataset(series), labels


EQUAL, LABELS = bumps(16, [20])
RAGGED, _ = bumps(16, [15, 18, 20])
CHANNELS = np.concatenate([EQUAL, -0.5 * EQUAL[:, ::-1]], axis=2)
BOUND = stotmetrics.get_metric("etiot", epsilon=0.05)


@pytest.fixture
def modules():
    """The estimators of tslearn under the patch."""
    with host.patched_tslearn():
        yield {
            "KNeighborsTimeSeries": tslearn.neighbors.KNeighborsTimeSeries,
            "KNeighborsTimeSeriesClassifier": tslearn.neighbors.KNeighborsTimeSeriesClassifier,
            "KNeighborsTimeSeriesRegressor": tslearn.neighbors.KNeighborsTimeSeriesRegressor,
            "TimeSeriesKMeans": tslearn.clustering.TimeSeriesKMeans,
            "TimeSeriesDBSCAN": tslearn.clustering.TimeSeriesDBSCAN,
            "KernelKMeans": tslearn.clustering.KernelKMeans,
            "TimeSeriesSVC": tslearn.svm.TimeSeriesSVC,
            "TimeSeriesSVR": tslearn.svm.TimeSeriesSVR,
            "silhouette_score": tslearn.clustering.silhouette_score,
        }


@pytest.fixture(params=["subclass", "patch"])
def get(request):
    """An estimator by name: the subclass of this package, or tslearn's own under the patch."""
    if request.param == "subclass":
        return lambda name: getattr(host, name)
    return request.getfixturevalue("modules").__getitem__


@pytest.mark.parametrize("metric", ["tiot", BOUND], ids=["name", "bound"])
def test_classifier_predicts_what_our_search_finds(get, metric):
    model = clone(get("KNeighborsTimeSeriesClassifier")(n_neighbors=1, metric=metric)).fit(RAGGED[:10], LABELS[:10])
    neighbors = stotmetrics.kneighbors(RAGGED[:10], RAGGED[10:], metric=metric)
    np.testing.assert_array_equal(model.predict(RAGGED[10:]), LABELS[:10][neighbors.indices[:, 0]])
    distances, indices = model.kneighbors(RAGGED[10:])
    np.testing.assert_array_equal(indices, neighbors.indices)
    np.testing.assert_array_equal(distances, neighbors.distances)
    assert model.metric == metric and model.get_params()["metric"] == metric
    assert model.score(RAGGED[10:], LABELS[10:]) == 1.0
    np.testing.assert_array_equal(model.predict_proba(RAGGED[10:]).argmax(axis=1), model.predict(RAGGED[10:]))


def test_parameters_of_the_metric_reach_it(get):
    model = get("KNeighborsTimeSeriesClassifier")(1, metric="tiot", metric_params={"p": 1, "n_jobs": 1})
    distances = model.fit(EQUAL[:10], LABELS[:10]).kneighbors(EQUAL[10:])[0]
    np.testing.assert_array_equal(distances, stotmetrics.kneighbors(EQUAL[:10], EQUAL[10:], "tiot", p=1).distances)


def test_negative_distances_are_no_trouble_to_neighbours(get):
    metric = stotmetrics.get_metric("softdtw", gamma=1.0)
    matrix = stotmetrics.pairwise(EQUAL[10:], EQUAL[:10], metric=metric)
    assert matrix.min() < 0
    model = get("KNeighborsTimeSeriesClassifier")(1, metric=metric).fit(EQUAL[:10], LABELS[:10])
    np.testing.assert_array_equal(model.predict(EQUAL[10:]), LABELS[:10][matrix.argmin(axis=1)])


def test_votes_by_the_inverse_of_a_negative_distance_are_refused(get):
    metric = stotmetrics.get_metric("softdtw", gamma=1.0)
    model = get("KNeighborsTimeSeriesClassifier")(2, metric=metric, weights="distance").fit(EQUAL, LABELS)
    with pytest.raises(InvalidParameterError, match="weights='distance' needs distances >= 0"):
        model.predict(EQUAL)
    votes = get("KNeighborsTimeSeriesClassifier")(2, metric="tiot", weights="distance").fit(EQUAL, LABELS)
    np.testing.assert_array_equal(votes.predict(EQUAL), LABELS)


def test_inertia_of_negative_distances_is_their_mean(get):
    metric = stotmetrics.get_metric("softdtw", gamma=1.0)
    model = get("TimeSeriesKMeans")(2, metric=metric, max_iter=3, random_state=0).fit(EQUAL)
    nearest = stotmetrics.pairwise(EQUAL, model.cluster_centers_, metric=metric).min(axis=1)
    assert nearest.min() < 0
    assert model.inertia_ == pytest.approx(nearest.mean())
    squared = get("TimeSeriesKMeans")(2, metric="tiot", max_iter=3, random_state=0).fit(EQUAL)
    nearest = stotmetrics.pairwise(EQUAL, squared.cluster_centers_, metric="tiot").min(axis=1)
    assert squared.inertia_ == pytest.approx((nearest**2).mean())


def test_arguments_that_cannot_be_used_are_refused_by_their_names(get):
    with pytest.raises(InvalidParameterError, match="n_clusters must be an integer from 1 to 16, the number of series"):
        get("TimeSeriesKMeans")(17, metric="tiot").fit(EQUAL)
    with pytest.raises(InvalidParameterError, match="gamma must be a number > 0 or 'auto'; got 'scale'"):
        get("TimeSeriesSVC")(kernel="tiot", gamma="scale").fit(EQUAL, LABELS)
    with pytest.raises(InvalidParameterError, match="kernel_gamma must be a number > 0 or 'auto'; got -1"):
        get("KernelKMeans")(2, kernel="tiot", kernel_params={"kernel_gamma": -1.0}).fit(EQUAL)


def test_regressor_and_search_leave_the_series_itself_out(get):
    targets = np.arange(16.0)
    matrix = stotmetrics.pairwise(EQUAL, metric="tiot")
    regressor = get("KNeighborsTimeSeriesRegressor")(2, metric="tiot").fit(EQUAL, targets)
    expected = targets[np.argsort(matrix, axis=1)[:, :2]].mean(axis=1)
    np.testing.assert_allclose(regressor.predict(EQUAL), expected)
    np.fill_diagonal(matrix, np.inf)
    search = get("KNeighborsTimeSeries")(3, metric="tiot").fit(EQUAL)
    np.testing.assert_array_equal(search.kneighbors(return_distance=False), np.argsort(matrix, axis=1)[:, :3])


@pytest.mark.parametrize("X", [EQUAL, RAGGED, CHANNELS], ids=["equal", "ragged", "channels"])
def test_means_find_the_classes_and_repeat(get, X):
    metric = stotmetrics.get_metric("softdtw_divergence", gamma=0.1)
    model = get("TimeSeriesKMeans")(2, metric=metric, max_iter=10, random_state=0).fit(X)
    assert len(set(zip(model.labels_, LABELS, strict=True))) == 2
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    expected = stotmetrics.pairwise(X, model.cluster_centers_, metric=metric)
    np.testing.assert_array_equal(model.transform(X), expected)
    assert model.metric is metric and model.init == "k-means++"
    np.testing.assert_array_equal(clone(model).fit(X).cluster_centers_, model.cluster_centers_)


def test_density_finds_the_classes(get):
    matrix = stotmetrics.pairwise(RAGGED, metric=BOUND)
    same = LABELS[:, None] == LABELS
    eps = float(matrix[same].max())
    assert eps < matrix[~same].min()
    model = get("TimeSeriesDBSCAN")(eps=eps, min_ts=3, metric=BOUND).fit(RAGGED)
    np.testing.assert_array_equal(model.labels_, LABELS)
    np.testing.assert_array_equal(model.components_, RAGGED[model.core_ts_indices_])
    assert model.metric is BOUND


def test_kernels_of_a_metric(get):
    matrix = stotmetrics.pairwise(RAGGED, metric="tiot")
    gamma = 1.0 / np.median(matrix[np.triu_indices(16, 1)])
    means = get("KernelKMeans")(2, kernel="tiot", random_state=0, n_init=5).fit(RAGGED)
    assert len(set(zip(means.labels_, LABELS, strict=True))) == 2
    np.testing.assert_allclose(means._get_kernel(RAGGED[:3], RAGGED), np.exp(-gamma * matrix[:3]), rtol=1e-10)
    np.testing.assert_array_equal(means.predict(RAGGED), means.labels_)
    wide = get("KernelKMeans")(2, kernel="tiot", kernel_params={"kernel_gamma": 0.5, "p": 1}, random_state=0)
    expected = np.exp(-0.5 * stotmetrics.pairwise(RAGGED, metric="tiot", p=1))
    np.testing.assert_allclose(wide.fit(RAGGED)._get_kernel(RAGGED), expected)
    machine = get("TimeSeriesSVC")(kernel=BOUND, gamma=5.0).fit(RAGGED[:10], LABELS[:10])
    np.testing.assert_array_equal(machine.predict(RAGGED[10:]), LABELS[10:])
    regression = get("TimeSeriesSVR")(kernel="tiot").fit(RAGGED, LABELS.astype(float))
    assert regression.gamma_ == pytest.approx(gamma)
    assert np.abs(regression.predict(RAGGED) - LABELS).max() < 0.5


def test_silhouette_of_any_metric(get):
    from sklearn.metrics import silhouette_score

    matrix = stotmetrics.pairwise(RAGGED, metric="tiot", p=1)
    score = get("silhouette_score")(RAGGED, LABELS, metric="tiot", metric_params={"p": 1})
    assert score == pytest.approx(silhouette_score(matrix, LABELS, metric="precomputed"))
    with pytest.raises(InvalidParameterError, match="a silhouette needs distances >= 0"):
        get("silhouette_score")(RAGGED, LABELS, metric=stotmetrics.get_metric("softdtw"))
    own = get("silhouette_score")(RAGGED, LABELS, metric="dtw")
    assert own == pytest.approx(tslearn.clustering.silhouette_score(RAGGED, LABELS, metric="dtw"))


def test_names_of_tslearn_keep_their_meaning(get):
    model = get("KNeighborsTimeSeries")(2, metric="dtw").fit(EQUAL)
    expected = np.sqrt(stotmetrics.kneighbors(EQUAL, EQUAL, "dtw", k=2).distances)
    np.testing.assert_allclose(np.sort(model.kneighbors(EQUAL)[0], axis=1), expected, atol=1e-9)
    flat = get("KNeighborsTimeSeriesClassifier")(1, metric="euclidean").fit(EQUAL, LABELS)
    np.testing.assert_array_equal(flat.predict(EQUAL), LABELS)


def test_an_unknown_name_is_refused_as_before(get):
    with pytest.raises(ValueError, match="metric"):
        get("KNeighborsTimeSeriesClassifier")(1, metric="no_such_metric").fit(EQUAL, LABELS).predict(EQUAL)


def test_a_fitted_subclass_pickles():
    model = host.KNeighborsTimeSeriesClassifier(1, metric="tiot").fit(EQUAL, LABELS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(RAGGED), model.predict(RAGGED))


CALLS = {
    "dtw": lambda m: tslearn.metrics.dtw(RAGGED[0], RAGGED[1]),
    "dtw of channels": lambda m: tslearn.metrics.dtw(CHANNELS[0], CHANNELS[1][:13]),
    "dtw in a band": lambda m: tslearn.metrics.dtw(
        EQUAL[0], EQUAL[1], global_constraint="sakoe_chiba", sakoe_chiba_radius=3
    ),
    "dtw in the narrowest band": lambda m: tslearn.metrics.dtw(EQUAL[0], EQUAL[1], global_constraint="sakoe_chiba"),
    "dtw in a band of two lengths": lambda m: tslearn.metrics.dtw(
        RAGGED[0], RAGGED[1], global_constraint="sakoe_chiba", sakoe_chiba_radius=5
    ),
    "dtw in a parallelogram": lambda m: tslearn.metrics.dtw(EQUAL[0], EQUAL[1], global_constraint="itakura"),
    "soft_dtw": lambda m: tslearn.metrics.soft_dtw(RAGGED[0], RAGGED[1], gamma=0.3),
    "soft_dtw at zero": lambda m: tslearn.metrics.soft_dtw(RAGGED[0], RAGGED[1], gamma=0.0),
    "soft_dtw_normalized": lambda m: tslearn.metrics._soft_dtw.soft_dtw_normalized(EQUAL[0], EQUAL[1], gamma=0.3),
    "soft_dtw_alignment": lambda m: tslearn.metrics.soft_dtw_alignment(RAGGED[0], RAGGED[1], gamma=0.3)[0],
    "value of soft_dtw_alignment": lambda m: tslearn.metrics.soft_dtw_alignment(RAGGED[0], RAGGED[1], gamma=0.3)[1],
    "cdist_dtw": lambda m: tslearn.metrics.cdist_dtw(RAGGED),
    "cdist_dtw of two sets": lambda m: tslearn.metrics.cdist_dtw(CHANNELS[:5], CHANNELS[5:], n_jobs=2),
    "cdist_dtw in a band": lambda m: tslearn.metrics.cdist_dtw(
        EQUAL, global_constraint="sakoe_chiba", sakoe_chiba_radius=2
    ),
    "cdist_soft_dtw": lambda m: tslearn.metrics.cdist_soft_dtw(RAGGED, gamma=0.3),
    "cdist_soft_dtw of lists": lambda m: tslearn.metrics.cdist_soft_dtw([[1, 2, 2, 3], [1.0, 2.0]], [[1, 2, 3]]),
    "cdist_soft_dtw at zero": lambda m: tslearn.metrics.cdist_soft_dtw(RAGGED, gamma=0.0),
    "cdist_soft_dtw_normalized": lambda m: tslearn.metrics.cdist_soft_dtw_normalized(RAGGED[:5], RAGGED[5:], gamma=0.3),
    "cdist_gak": lambda m: tslearn.metrics.cdist_gak(RAGGED[:4]),
    "barycenter": lambda m: tslearn.barycenters.softdtw_barycenter(RAGGED, gamma=0.3, max_iter=5),
    "weighted barycenter": lambda m: tslearn.barycenters.softdtw_barycenter(
        CHANNELS, gamma=0.3, max_iter=5, weights=np.arange(16.0), init=CHANNELS[0]
    ),
    "DBA": lambda m: tslearn.barycenters.dtw_barycenter_averaging(EQUAL, max_iter=3),
    "means of dtw": lambda m: (
        tslearn.clustering.TimeSeriesKMeans(2, metric="dtw", max_iter=3, max_iter_barycenter=3, random_state=0)
        .fit(RAGGED)
        .inertia_
    ),
    "means of softdtw": lambda m: (
        tslearn.clustering.TimeSeriesKMeans(
            2, metric="softdtw", metric_params={"gamma": 0.3}, max_iter=3, max_iter_barycenter=3, random_state=0
        )
        .fit(EQUAL)
        .cluster_centers_
    ),
    "votes": lambda m: votes("dtw", RAGGED),
    "votes by distance in a band": lambda m: votes(
        "dtw", EQUAL, weights="distance", metric_params={"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": 3}
    ),
    "votes in a parallelogram": lambda m: votes("dtw", EQUAL, metric_params={"global_constraint": "itakura"}),
    "votes of softdtw": lambda m: votes("softdtw", CHANNELS, metric_params={"gamma_sdtw": 0.3}),
    "values of neighbours": lambda m: (
        tslearn.neighbors.KNeighborsTimeSeriesRegressor(3).fit(RAGGED[4:], np.arange(12.0)).predict(RAGGED[:4])
    ),
    "neighbours of channels": lambda m: (
        tslearn.neighbors.KNeighborsTimeSeriesClassifier(2)
        .fit(CHANNELS[4:], LABELS[4:])
        .kneighbors(CHANNELS[:4], n_neighbors=7)[0]
    ),
    "neighbours": lambda m: tslearn.neighbors.KNeighborsTimeSeries(3, metric="softdtw").fit(EQUAL).kneighbors(EQUAL)[0],
    "silhouette": lambda m: tslearn.clustering.silhouette_score(EQUAL, LABELS, metric="softdtw"),
    "SoftDTW": lambda m: cost_and_gradient()[0],
    "gradient of SoftDTW": lambda m: cost_and_gradient()[1],
}


def votes(metric, X, **params):
    model = tslearn.neighbors.KNeighborsTimeSeriesClassifier(5, metric=metric, **params)
    return model.fit(X[4:], LABELS[4:]).predict_proba(X[:4])


def cost_and_gradient():
    cost = tslearn.metrics.SoftDTW(tslearn.metrics.SquaredEuclidean(EQUAL[0], EQUAL[1][:12]), gamma=0.3)
    return cost.compute(), cost.grad()


@pytest.mark.parametrize("name", CALLS)
def test_under_the_patch_a_call_gives_what_tslearn_gives(name):
    expected = CALLS[name](None)
    with host.patched_tslearn():
        result = CALLS[name](None)
    assert type(result) is type(expected) or {type(result), type(expected)} <= {float, np.float64}
    assert np.shape(result) == np.shape(expected)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(CALLS[name](None), expected)


def test_the_patch_computes_here_and_is_taken_back(monkeypatch):
    from stotmetrics.hosts import _tslearn_kernels, _tslearn_names

    calls = []

    def counted(own):
        return lambda *args, **kwargs: calls.append(1) or own(*args, **kwargs)

    monkeypatch.setattr(_tslearn_kernels, "pairwise", counted(_tslearn_kernels.pairwise))
    monkeypatch.setattr(_tslearn_names, "kneighbors", counted(_tslearn_names.kneighbors))
    before = tslearn.metrics.dtw, tslearn.metrics._cdist_dtw, vars(tslearn.clustering.TimeSeriesKMeans)["fit"]
    host.patch_tslearn()
    host.patch_tslearn()
    with host.patched_tslearn():
        assert tslearn.metrics.dtw is not before[0]
    tslearn.metrics.cdist_dtw(EQUAL)
    tslearn.neighbors.KNeighborsTimeSeriesClassifier(1, metric="dtw").fit(EQUAL, LABELS).predict(EQUAL)
    tslearn.metrics.METRIC_TO_FUNCTION["softdtw"](EQUAL)
    assert len(calls) == 3
    host.unpatch_tslearn()
    host.unpatch_tslearn()
    after = tslearn.metrics.dtw, tslearn.metrics._cdist_dtw, vars(tslearn.clustering.TimeSeriesKMeans)["fit"]
    assert all(old is new for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("series", "words"), [([[], [1.0]], "zero length"), ([[[1.0, 2.0]], [[1.0]]], "same feature size")]
)
def test_errors_stay_those_of_tslearn(series, words):
    with host.patched_tslearn(), pytest.raises(ValueError, match=words):
        tslearn.metrics.soft_dtw(*series)


def test_threads_that_patch_at_once_patch_once(monkeypatch):
    def slow(module, name, make):
        return module, name, lambda original: time.sleep(0.005) or make(original)

    before = tslearn.metrics.dtw
    monkeypatch.setattr(host, "_FUNCTIONS", [slow(*row) for row in host._FUNCTIONS])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: host.patch_tslearn(), range(8)))
        assert len(host._replaced) == len(host._FUNCTIONS)
        list(pool.map(lambda _: host.unpatch_tslearn(), range(8)))
    assert tslearn.metrics.dtw is before
