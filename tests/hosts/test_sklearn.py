"""The estimators for scikit-learn keep its rules, and find what the metric says."""

import dataclasses
import pickle
import warnings

import joblib
import numpy as np
import pytest
from scipy.spatial.distance import squareform
from sklearn.base import clone
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE, Isomap
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV, LeaveOneOut, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import stotmetrics
from stotmetrics import InvalidParameterError, InvalidSeriesError
from stotmetrics.hosts.sklearn import (
    DistanceKernel,
    KNeighborsTimeSeriesClassifier,
    KNeighborsTimeSeriesRegressor,
    PairwiseDistances,
    TimeSeriesKMeans,
    TimeSeriesKMedoids,
    as_matrix,
    as_metric,
)

LISTS = "a list holds series, whose lengths may differ; only arrays and tables have a fixed number of columns"
CHANCE = "starts are drawn by chance, and a repeated series is drawn otherwise than one of twice the weight"
EXPECTED = {
    "KNeighborsTimeSeriesClassifier": {"check_classifiers_train": LISTS},
    "TimeSeriesKMedoids": {"check_sample_weight_equivalence_on_dense_data": CHANCE},
    "TimeSeriesKMeans": {"check_sample_weight_equivalence_on_dense_data": CHANCE},
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        KNeighborsTimeSeriesClassifier(),
        KNeighborsTimeSeriesRegressor(),
        TimeSeriesKMedoids(),
        TimeSeriesKMeans(metric="euclidean"),
        PairwiseDistances(),
        DistanceKernel(),
    ],
    expected_failed_checks=lambda estimator: EXPECTED.get(type(estimator).__name__, {}),
)
def test_rules_of_scikit_learn(estimator, check):
    check(estimator)


def bumps(n, lengths, seed=0):
    """Two classes of series, with a bump early or late, of given lengths."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    series = []
    for k, label in enumerate(labels):
        time = np.linspace(0.0, 1.0, lengths[k % len(lengths)])
        series.append(np.exp(-(((time - 0.3 - 0.4 * label) / 0.1) ** 2)) + 0.1 * rng.normal(size=len(time)))
    return series, np.array(["early", "late"])[labels]


def centred(X):
    return [x - x.mean() for x in X]


RAGGED, NAMES = bumps(24, [18, 21, 25])
EQUAL = np.array(bumps(24, [20])[0])


@pytest.mark.parametrize(
    ("metric", "metric_params"), [("dtw", None), ("softdtw", {"gamma": 0.1}), ("etiot", {"epsilon": 0.05})]
)
@pytest.mark.parametrize("k", [1, 3])
def test_classifier_votes_as_brute_force_does(metric, metric_params, k):
    train, test = RAGGED[:16], RAGGED[16:]
    model = KNeighborsTimeSeriesClassifier(k, metric=metric, metric_params=metric_params).fit(train, NAMES[:16])
    matrix = stotmetrics.pairwise(test, train, metric=metric, **(metric_params or {}))
    votes = NAMES[:16][np.argsort(matrix, axis=1, kind="stable")[:, :k]]
    share = (votes == "late").mean(axis=1)
    np.testing.assert_allclose(model.predict_proba(test)[:, 1], share)
    np.testing.assert_array_equal(model.predict(test), np.where(share > 0.5, "late", "early"))


def test_neighbours_of_the_training_set_leave_the_series_itself_out():
    model = KNeighborsTimeSeriesClassifier(metric="softdtw").fit(RAGGED, NAMES)
    matrix = stotmetrics.pairwise(RAGGED, metric="softdtw")
    np.fill_diagonal(matrix, np.inf)
    distances, indices = model.kneighbors(n_neighbors=4)
    np.testing.assert_array_equal(indices, np.argsort(matrix, axis=1, kind="stable")[:, :4])
    np.testing.assert_allclose(distances, np.sort(matrix, axis=1)[:, :4], rtol=1e-10, atol=1e-10)


def test_regressor_weighs_by_the_distance_and_takes_several_targets():
    y = np.stack([np.arange(24.0), -np.arange(24.0)], axis=1)
    model = KNeighborsTimeSeriesRegressor(3, metric="dtw", weights="distance").fit(RAGGED[:20], y[:20])
    matrix = stotmetrics.pairwise(RAGGED[20:], RAGGED[:20], metric="dtw")
    nearest = np.argsort(matrix, axis=1)[:, :3]
    inverse = 1.0 / np.take_along_axis(matrix, nearest, axis=1)
    expected = (inverse[..., None] * y[nearest]).sum(axis=1) / inverse.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(RAGGED[20:]), expected)
    np.testing.assert_array_equal(model.predict(RAGGED[:20]), y[:20])


def test_votes_by_the_inverse_of_a_negative_distance_are_refused():
    model = KNeighborsTimeSeriesClassifier(2, metric="softdtw", weights="distance").fit(RAGGED, NAMES)
    with pytest.raises(InvalidParameterError, match="weights='distance' needs distances >= 0"):
        model.predict(RAGGED)


@pytest.mark.parametrize("memory", [False, True])
def test_grids_folds_pipelines_and_parameters(tmp_path, memory):
    model = KNeighborsTimeSeriesClassifier(metric="etiot", memory=str(tmp_path) if memory else None, n_jobs=2)
    pipeline = make_pipeline(FunctionTransformer(centred), model)
    grid = {
        "kneighborstimeseriesclassifier__n_neighbors": [1, 3],
        "kneighborstimeseriesclassifier__metric_params": [{"epsilon": 0.05}, {"epsilon": 0.1}],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(RAGGED, NAMES)
    assert search.best_score_ == 1.0
    assert (cross_val_score(model, RAGGED, NAMES, cv=3) == 1.0).all()
    assert clone(model).set_params(metric="dtw", n_neighbors=2).get_params()["metric"] == "dtw"
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(RAGGED), search.predict(RAGGED))


def counting(seen):
    """DTW that notes the pairs it solves."""
    spec = stotmetrics.get_metric("dtw").spec

    def block(left, right, rows, cols, params, cutoff=None):
        seen.extend((left[i].values.tobytes(), right[j].values.tobytes()) for i, j in zip(rows, cols, strict=True))
        return spec.block(left, right, rows, cols, params, cutoff)

    return stotmetrics.get_metric(dataclasses.replace(spec, name="counted", block=block, reference=None))


def test_memory_lets_folds_and_grid_points_share_what_was_solved(tmp_path):
    seen = []
    metric = counting(seen)
    model = KNeighborsTimeSeriesClassifier(metric=metric, memory=str(tmp_path))
    plain = KNeighborsTimeSeriesClassifier(metric="dtw")
    for k in (1, 2, 5):
        predicted = cross_val_predict(model.set_params(n_neighbors=k), RAGGED, NAMES, cv=LeaveOneOut())
        expected = cross_val_predict(plain.set_params(n_neighbors=k), RAGGED, NAMES, cv=LeaveOneOut())
        np.testing.assert_array_equal(predicted, expected)
    once = {frozenset(pair) for pair in seen}
    assert len(once) == len(seen) <= 24 * 23 // 2
    for memory in (str(tmp_path), joblib.Memory(tmp_path, verbose=0)):
        pipeline = make_pipeline(
            PairwiseDistances(metric, memory=memory), KNeighborsClassifier(1, metric="precomputed")
        )
        assert cross_val_score(pipeline, RAGGED, NAMES, cv=3).min() == 1.0
    assert len({frozenset(pair) for pair in seen}) == len(seen) <= 24 * 23 // 2


def test_memory_without_a_folder_keeps_nothing():
    seen = []
    model = KNeighborsTimeSeriesClassifier(metric=counting(seen), memory=joblib.Memory(None)).fit(EQUAL, NAMES)
    first = model.kneighbors(EQUAL[:3])[0], len(seen)
    np.testing.assert_array_equal(model.kneighbors(EQUAL[:3])[0], first[0])
    assert len(seen) == 2 * first[1]


def test_a_bound_metric_or_a_function_is_a_metric_too():
    bound = stotmetrics.get_metric("tiot", p=1)
    by_name = KNeighborsTimeSeriesClassifier(metric="tiot", metric_params={"p": 1}).fit(EQUAL[:12], NAMES[:12])
    by_bound = clone(KNeighborsTimeSeriesClassifier(metric=bound)).fit(EQUAL[:12], NAMES[:12])
    np.testing.assert_array_equal(by_name.kneighbors(EQUAL)[0], by_bound.kneighbors(EQUAL)[0])
    own = KNeighborsTimeSeriesClassifier(metric=lambda x, y: float(np.abs(x - y).max())).fit(EQUAL, NAMES)
    np.testing.assert_array_equal(own.predict(EQUAL), NAMES)


def test_arrays_of_channels_and_images():
    X = np.stack([EQUAL, -EQUAL], axis=2)
    model = KNeighborsTimeSeriesClassifier(metric="dtw").fit(X[:12], NAMES[:12])
    assert (model.predict(X[12:]) == NAMES[12:]).all()
    frames = np.abs(EQUAL[:8, :6]).reshape(8, 3, 1, 2) + 0.1
    model = KNeighborsTimeSeriesClassifier(metric="sta", metric_params={"gamma": 0.1}).fit(frames, NAMES[:8])
    np.testing.assert_array_equal(model.kneighbors(frames)[1][:, 0], np.arange(8))
    medoids = TimeSeriesKMedoids(2, metric="sta", metric_params={"gamma": 0.1}, random_state=0).fit(frames)
    assert medoids.cluster_centers_[0].shape == (3, 1, 2)


def test_medoids_are_those_of_brute_force():
    from itertools import combinations

    matrix = stotmetrics.pairwise(RAGGED[:12], metric="dtw")
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=12)
    best = min(combinations(range(12), 3), key=lambda own: weights @ matrix[:, own].min(axis=1))
    model = TimeSeriesKMedoids(3, random_state=0, n_init=5).fit(RAGGED[:12], sample_weight=weights)
    assert tuple(model.medoid_indices_) == best
    assert model.inertia_ == pytest.approx(weights @ matrix[:, best].min(axis=1))
    np.testing.assert_array_equal(model.predict(RAGGED[:12]), model.labels_)


@pytest.mark.parametrize(
    "metric", [stotmetrics.get_metric("dtw", band=3), "softdtw", "etiot"], ids=["dtw", "softdtw", "etiot"]
)
def test_medoids_find_the_classes_under_any_metric_and_repeat(metric):
    model = TimeSeriesKMedoids(2, metric=metric, random_state=3).fit(RAGGED)
    assert len(set(zip(model.labels_, NAMES, strict=True))) == 2
    np.testing.assert_array_equal(clone(model).fit(RAGGED).medoid_indices_, model.medoid_indices_)
    assert TimeSeriesKMedoids(2, metric=metric, init=[0, 2]).fit(RAGGED).inertia_ == pytest.approx(model.inertia_)


@pytest.mark.parametrize(
    ("metric", "metric_params", "X"),
    [("euclidean", None, EQUAL), ("softdtw", {"gamma": 0.1}, RAGGED), ("softdtw_divergence", {"gamma": 0.1}, EQUAL)],
)
def test_means_find_the_classes_and_lie_where_no_gradient_is_left(metric, metric_params, X):
    model = TimeSeriesKMeans(
        2, metric=metric, metric_params=metric_params, random_state=0, max_iter_barycenter=300, tol=0.0
    ).fit(X)
    assert len(set(zip(model.labels_, NAMES, strict=True))) == 2
    matrix = model.transform(X)
    assert model.inertia_ == pytest.approx(matrix.min(axis=1).sum())
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    bound = stotmetrics.get_metric(metric, **(metric_params or {}))
    for k, center in enumerate(model.cluster_centers_):
        mine = [x for x, label in zip(X, model.labels_, strict=True) if label == k]
        slope = sum(bound.value_and_grad(center, x)[1] for x in mine) / len(mine)
        start = bound.value_and_grad(np.zeros(len(center)), mine[0])[1]
        assert np.abs(slope).max() < 1e-3 * np.abs(start).max()


def test_a_metric_without_a_gradient_has_no_means():
    with pytest.raises(NotImplementedError, match="dtw has no gradient"):
        TimeSeriesKMeans(2, metric="dtw").fit(RAGGED)


@pytest.mark.parametrize("weights", [None, np.r_[np.ones(12), np.zeros(12)]])
def test_a_series_without_weight_moves_no_mean(weights):
    model = TimeSeriesKMeans(1, metric="euclidean", init=[EQUAL[0]], max_iter_barycenter=300, tol=0.0)
    fitted = model.fit(EQUAL, sample_weight=weights)
    rest = clone(model).fit(EQUAL if weights is None else EQUAL[:12])
    np.testing.assert_allclose(fitted.cluster_centers_[0], rest.cluster_centers_[0], atol=1e-5)


def test_a_shifted_matrix_serves_what_refuses_negative_distances():
    negative = PairwiseDistances("softdtw").fit_transform(RAGGED)
    assert negative.min() < 0
    step = PairwiseDistances("softdtw", shift=True, zero_diagonal=True)
    matrix = step.fit_transform(RAGGED)
    off = ~np.eye(24, dtype=bool)
    np.testing.assert_allclose(matrix[off], (negative - negative.min())[off])
    with pytest.raises(ValueError, match="Negative values"):
        KNeighborsClassifier(1, metric="precomputed").fit(negative, NAMES)
    assert KNeighborsClassifier(1, metric="precomputed").fit(matrix, NAMES).score(matrix, NAMES) == 1.0
    with pytest.raises(ValueError, match="non-zero"):
        silhouette_score(negative, NAMES, metric="precomputed")
    assert silhouette_score(matrix, NAMES, metric="precomputed") > 0
    np.testing.assert_array_equal(squareform(squareform(matrix)), matrix)
    assert len(set(DBSCAN(eps=matrix[off].max(), metric="precomputed").fit_predict(matrix))) == 1
    assert TSNE(metric="precomputed", init="random", perplexity=5, random_state=0).fit_transform(matrix).shape == (
        24,
        2,
    )


NEAR = PairwiseDistances("softdtw", {"gamma": 0.1}, shift=True, zero_diagonal=True)


def separated(points):
    """Whether each point of a picture lies nearest to one of its own class."""
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    return (NAMES[gaps.argmin(axis=1)] == NAMES).mean() > 0.9


def test_isomap_takes_a_shifted_matrix():
    points = Isomap(n_neighbors=14, metric="precomputed").fit_transform(NEAR.fit_transform(RAGGED))
    assert separated(points)
    model = make_pipeline(clone(NEAR), Isomap(n_neighbors=20, metric="precomputed")).fit(RAGGED)
    assert model.transform(RAGGED[:3]).shape == (3, 2)


def test_density_clusters_of_scikit_learn_take_a_shifted_matrix():
    model = make_pipeline(clone(NEAR), HDBSCAN(min_cluster_size=5, metric="precomputed", copy=True))
    labels = model.fit_predict(RAGGED)
    assert len({(label, name) for label, name in zip(labels, NAMES, strict=True) if label >= 0}) == 2
    assert (labels >= 0).mean() > 0.8


def test_hdbscan_takes_a_shifted_matrix():
    hdbscan = pytest.importorskip("hdbscan")
    labels = hdbscan.HDBSCAN(min_cluster_size=5, metric="precomputed").fit_predict(NEAR.fit_transform(RAGGED))
    assert len({(label, name) for label, name in zip(labels, NAMES, strict=True) if label >= 0}) == 2


@pytest.mark.filterwarnings("ignore")  # numba and umap tell of threads, seeds and precomputed matrices
def test_umap_takes_a_shifted_matrix():
    umap = pytest.importorskip("umap")
    model = umap.UMAP(n_neighbors=6, metric="precomputed", random_state=0)
    assert separated(model.fit_transform(NEAR.fit_transform(RAGGED)))


def test_what_becomes_of_the_features_has_names():
    pandas = pytest.importorskip("pandas")
    for step in (PairwiseDistances(), DistanceKernel(), TimeSeriesKMedoids(3, random_state=0)):
        table = step.set_output(transform="pandas").fit(EQUAL).transform(EQUAL[:2])
        assert isinstance(table, pandas.DataFrame)
        assert list(table.columns) == [f"{type(step).__name__.lower()}{k}" for k in range(table.shape[1])]


def test_weights_of_series_reach_the_machine_behind_a_kernel():
    model = make_pipeline(DistanceKernel("gak"), SVC(kernel="precomputed"))
    odd = np.where(np.arange(24) < 4, "late", NAMES)  # two early bumps are called late
    free = model.fit(RAGGED, odd, svc__sample_weight=np.where(odd == NAMES, 1.0, 1e-9)).predict(RAGGED)
    np.testing.assert_array_equal(free, NAMES)


def test_a_later_distance_below_all_others_becomes_zero_and_says_so():
    step = PairwiseDistances("softdtw", shift=True).fit([RAGGED[0], RAGGED[1] + 5.0])
    # More equal times have more alignments: further below zero than anything in the training set.
    longer = np.repeat(RAGGED[0], 3)
    with pytest.warns(UserWarning, match="1 distances lie below all of the training set"):
        distances = step.transform([longer])
    assert distances.min() == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert step.transform([RAGGED[0]]).min() >= 0.0


def test_distances_in_a_pipeline_transform_new_series_against_the_training_set():
    model = make_pipeline(PairwiseDistances("tiot"), KNeighborsClassifier(1, metric="precomputed"))
    assert cross_val_score(model, RAGGED, NAMES, cv=3).min() == 1.0


def test_kernel_of_gak_is_positive_definite_and_serves_svc():
    kernel = DistanceKernel("gak", {"sigma": 0.5}).fit_transform(RAGGED)
    np.testing.assert_allclose(np.diagonal(kernel), 1.0)
    assert np.linalg.eigvalsh(kernel).min() > -1e-12
    log = DistanceKernel("gak", {"sigma": 0.5, "form": "log"}).fit_transform(RAGGED)
    np.testing.assert_allclose(log, kernel, atol=1e-10)
    for step in (DistanceKernel("gak", {"sigma": 0.5}), DistanceKernel("dtw"), DistanceKernel("dtw", sigma=2.0)):
        assert cross_val_score(make_pipeline(step, SVC(kernel="precomputed")), RAGGED, NAMES, cv=3).min() == 1.0


def test_width_of_a_kernel_is_the_median_of_the_distances():
    step = DistanceKernel("dtw").fit(RAGGED)
    matrix = stotmetrics.pairwise(RAGGED, metric="dtw")
    assert step.sigma_ == np.median(matrix[np.triu_indices(24, 1)])
    np.testing.assert_allclose(step.transform(RAGGED[:3]), np.exp(-matrix[:3] / step.sigma_))
    with pytest.raises(InvalidParameterError, match="sigma must be a number > 0"):
        DistanceKernel("dtw", sigma=0.0).fit(RAGGED)


def test_agglomerative_clustering_calls_a_function_of_the_matrix():
    model = AgglomerativeClustering(2, metric=as_matrix("dtw"), linkage="average").fit(EQUAL)
    assert len(set(zip(model.labels_, NAMES, strict=True))) == 2
    both = as_matrix("dtw", d=2)
    np.testing.assert_array_equal(both(EQUAL), stotmetrics.pairwise(EQUAL.reshape(24, 10, 2), metric="dtw"))
    assert pickle.loads(pickle.dumps(both)) == both
    with pytest.raises(InvalidSeriesError, match=r"X must have shape \(n, T \* 3\)"):
        as_matrix("dtw", d=3)(EQUAL)


def test_a_tree_gets_only_metrics_with_the_triangle_inequality():
    with pytest.raises(InvalidParameterError, match="no triangle inequality"):
        as_metric("dtw")
    metric = as_metric("tiot", standardize=False)
    matrix = stotmetrics.pairwise(EQUAL[12:], EQUAL[:12], metric="tiot", standardize=False)
    model = KNeighborsClassifier(1, metric=metric, algorithm="ball_tree").fit(EQUAL[:12], NAMES[:12])
    np.testing.assert_array_equal(model.kneighbors(EQUAL[12:], return_distance=False)[:, 0], matrix.argmin(axis=1))
    brute = KNeighborsClassifier(1, metric=stotmetrics.get_metric("dtw").flat(), algorithm="brute")
    brute.fit(EQUAL[:12], NAMES[:12])
    matrix = stotmetrics.pairwise(EQUAL[12:], EQUAL[:12], metric="dtw")
    np.testing.assert_array_equal(brute.kneighbors(EQUAL[12:], return_distance=False)[:, 0], matrix.argmin(axis=1))


def test_columns_of_a_table_are_remembered():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(EQUAL, columns=[f"t{k}" for k in range(20)])
    model = KNeighborsTimeSeriesClassifier().fit(table, NAMES)
    assert model.feature_names_in_[3] == "t3"
    np.testing.assert_array_equal(model.predict(table), NAMES)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table.rename(columns={"t3": "other"}))
    with pytest.raises(ValueError, match="expecting 20 features"):
        model.fit(EQUAL, NAMES).predict(EQUAL[:, :15])
    assert model.predict(list(EQUAL[:, :15])).shape == (24,)
    assert not hasattr(model.fit(RAGGED, NAMES), "feature_names_in_")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (TimeSeriesKMedoids(30), "n_clusters must be an integer from 1 to 24"),
        (TimeSeriesKMedoids(2, init=[0, 0]), "init must be 2 different indices"),
        (TimeSeriesKMedoids(2, init="far"), "init must be 'k-medoids"),
        (TimeSeriesKMeans(2, init=[[0.0]]), "init must hold 2 series"),
        (TimeSeriesKMeans(2, init="far"), "init must be 'k-means"),
        (TimeSeriesKMeans(2, max_iter=0), "max_iter must be an integer >= 1"),
    ],
)
def test_what_cannot_be_used_is_refused(model, words):
    with pytest.raises(InvalidParameterError, match=words):
        model.fit(RAGGED)
    with pytest.raises(NotFittedError):
        model.predict(RAGGED)
    with pytest.raises(InvalidParameterError, match="weights must be"):
        KNeighborsTimeSeriesClassifier(weights="far").fit(RAGGED, NAMES)


def test_centers_of_k_means_keep_the_times_of_their_series():
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.0, 9.0, 8))
    X = [stotmetrics.as_series(rng.normal(size=8) + 4.0 * (k % 2), times=times) for k in range(6)]
    metric = stotmetrics.get_metric("etiot", epsilon=0.5, standardize=False)
    model = TimeSeriesKMeans(2, metric=metric, n_init=1, random_state=0).fit(X)
    for center in model.centers_:
        np.testing.assert_array_equal(center.times, times)
    distances = stotmetrics.pairwise(X, model.centers_, metric=metric)
    assert model.inertia_ == pytest.approx(distances.min(axis=1).sum())
