"""aeon takes every metric: the values are those of the package, whatever hands the series over."""

import pickle

import numpy as np
import pytest

import stotmetrics
from stotmetrics import InvalidParameterError, InvalidSeriesError
from stotmetrics.hosts.aeon import as_distance, pairwise_distance

pytest.importorskip("aeon")
distances = pytest.importorskip("aeon.distances")

# What numba says about its own types while it compiles the functions of aeon.
pytestmark = pytest.mark.filterwarnings("ignore:.*unsafe cast from")

RNG = np.random.default_rng(3)
LABELS = np.repeat([0, 1], 8)
# Two classes of bumps, at 5 and at 14, and noise; (cases, channels, time).
UNIVARIATE = np.stack([np.exp(-(((np.arange(20) - 5 - 9 * k) / 2.0) ** 2)) for k in LABELS])[:, None, :]
UNIVARIATE = UNIVARIATE + 0.05 * RNG.normal(size=UNIVARIATE.shape)
MULTIVARIATE = np.concatenate([UNIVARIATE, -2.0 * UNIVARIATE], axis=1)


def by_time(X):
    return [x.T for x in X]


@pytest.mark.parametrize("name", ["dtw", "euclidean", "tiot", "gak"])
@pytest.mark.parametrize("X", [UNIVARIATE, MULTIVARIATE], ids=["univariate", "multivariate"])
def test_pairwise_distance_of_aeon_gives_our_values(name, X):
    expected = stotmetrics.pairwise(by_time(X[:5]), by_time(X[5:9]), metric=name)
    matrix = distances.pairwise_distance(X[:5], X[5:9], method=as_distance(name))
    np.testing.assert_allclose(matrix, expected, rtol=1e-12)
    assert (matrix > 0).all()


@pytest.mark.parametrize("X", [UNIVARIATE, MULTIVARIATE, UNIVARIATE[:, 0, :]], ids=["one", "two", "flat"])
def test_our_pairwise_distance_reads_the_collections_of_aeon_and_keeps_the_diagonal(X):
    matrix = pairwise_distance(X, method="softdtw", gamma=0.5)
    expected = stotmetrics.pairwise([x.T if x.ndim == 2 else x for x in X], metric="softdtw", gamma=0.5)
    np.testing.assert_array_equal(matrix, expected)
    assert (np.diagonal(matrix) < 0).all()


def test_dtw_agrees_with_the_dtw_of_aeon():
    np.testing.assert_allclose(
        pairwise_distance(MULTIVARIATE, method="dtw"), distances.pairwise_distance(MULTIVARIATE, method="dtw")
    )


def test_one_series_on_the_right_is_one_column():
    matrix = pairwise_distance(MULTIVARIATE, MULTIVARIATE[3], method="dtw")
    np.testing.assert_array_equal(matrix, pairwise_distance(MULTIVARIATE, method="dtw")[:, 3:4])


def test_series_of_different_lengths():
    X = [UNIVARIATE[0][:, :12], UNIVARIATE[1], UNIVARIATE[9][:, :17]]
    expected = stotmetrics.pairwise(by_time(X), metric="dtw")
    np.testing.assert_array_equal(pairwise_distance(X, method="dtw"), expected)
    np.testing.assert_allclose(distances.pairwise_distance(X, method=as_distance("dtw")), expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_knn_predicts_what_our_search_finds(n_jobs):
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    train, test = slice(0, None, 2), slice(1, None, 2)
    model = KNeighborsTimeSeriesClassifier(n_neighbors=1, distance=as_distance("etiot", epsilon=0.05), n_jobs=n_jobs)
    predicted = model.fit(UNIVARIATE[train], LABELS[train]).predict(UNIVARIATE[test])
    nearest = stotmetrics.kneighbors(by_time(UNIVARIATE[train]), by_time(UNIVARIATE[test]), "etiot", epsilon=0.05)
    np.testing.assert_array_equal(predicted, LABELS[train][nearest.indices[:, 0]])
    np.testing.assert_array_equal(predicted, LABELS[test])


def test_regressor_and_medoids_run_on_a_metric():
    from aeon.clustering import TimeSeriesKMedoids
    from aeon.regression.distance_based import KNeighborsTimeSeriesRegressor

    regressor = KNeighborsTimeSeriesRegressor(n_neighbors=3, distance=as_distance("tiot"))
    targets = LABELS + 0.01 * np.arange(16)
    assert np.abs(regressor.fit(UNIVARIATE, targets).predict(UNIVARIATE) - targets).max() < 0.2
    model = TimeSeriesKMedoids(n_clusters=2, distance=as_distance("euclidean"), random_state=0).fit(UNIVARIATE)
    assert len(set(model.labels_[:8])) == 1 and len(set(model.labels_[8:])) == 1
    assert model.labels_[0] != model.labels_[-1]


def test_it_pickles_compares_and_has_a_name():
    distance = as_distance("tiot", p=1)
    assert pickle.loads(pickle.dumps(distance)) == distance
    assert distance.__name__ == "stotmetrics_tiot"
    assert distance(UNIVARIATE[0], UNIVARIATE[9]) == stotmetrics.tiot(UNIVARIATE[0, 0], UNIVARIATE[9, 0], p=1)


def test_parameters_of_a_metric_that_has_them_already_are_refused():
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    with pytest.raises(TypeError, match="has its parameters already; got also band"):
        pairwise_distance(UNIVARIATE, method=as_distance("dtw"), band=1)
    model = KNeighborsTimeSeriesClassifier(distance=as_distance("dtw"), distance_params={"band": 1})
    with pytest.raises(InvalidParameterError, match="give band to as_distance instead"):
        model.fit(UNIVARIATE, LABELS).predict(UNIVARIATE)


def test_an_array_of_three_axes_is_no_series():
    with pytest.raises(InvalidSeriesError, match=r"x must have shape \(channels, time\)"):
        as_distance("dtw")(UNIVARIATE, UNIVARIATE)


def test_one_time_of_several_channels_is_in_no_doubt():
    x = np.array([[0.0], [1.0], [2.0]])
    assert as_distance("dtw")(x, x + 1.0) == 3.0
    np.testing.assert_array_equal(pairwise_distance(np.stack([x, x + 1.0]), method="dtw"), [[0.0, 3.0], [3.0, 0.0]])
