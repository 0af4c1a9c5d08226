"""What may be handed to the estimators for scikit-learn is read as what it is, or refused by its name."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import stotmetrics
from stotmetrics import InvalidParameterError, InvalidSeriesError
from stotmetrics.hosts.sklearn import (
    DistanceKernel,
    KNeighborsTimeSeriesClassifier,
    KNeighborsTimeSeriesRegressor,
    TimeSeriesKMeans,
    TimeSeriesKMedoids,
)

RNG = np.random.default_rng(5)
X = RNG.normal(size=(8, 10)).cumsum(axis=1)
RAGGED = [x[: 6 + k % 4] for k, x in enumerate(X)]
NAMES = np.array(["a", "b"] * 4)


def neighbours(train, queries=None, metric="dtw", k=2, **params):
    model = KNeighborsTimeSeriesClassifier(k, metric=metric, metric_params=params).fit(train, NAMES)
    return model.kneighbors(queries)


def objects(series):
    array = np.empty(len(series), dtype=object)
    array[:] = series
    return array


SETS = {
    "tuple": tuple,
    "array of objects": objects,
    "generator": lambda series: (x for x in series),
    "frame with an index (instance, time)": lambda series: pytest.importorskip("pandas").concat(
        {k: pytest.importorskip("pandas").DataFrame({"value": x}) for k, x in enumerate(series)}
    ),
}


@pytest.mark.parametrize("how", SETS)
def test_a_set_of_series_is_one_in_any_container(how):
    expected = neighbours(RAGGED, RAGGED)
    for left, right in zip(expected, neighbours(SETS[how](RAGGED), SETS[how](RAGGED)), strict=True):
        np.testing.assert_array_equal(left, right)
    labels = TimeSeriesKMedoids(2, random_state=0).fit(SETS[how](RAGGED)).labels_
    np.testing.assert_array_equal(labels, TimeSeriesKMedoids(2, random_state=0).fit(RAGGED).labels_)


@pytest.mark.parametrize("metric", ["tiot", "dtw"])
def test_columns_of_dates_are_times_for_a_metric_that_uses_them(metric):
    pandas = pytest.importorskip("pandas")
    dates = pandas.to_datetime("2020-01-01") + pandas.to_timedelta(np.arange(10) ** 2, unit="D")
    distances = neighbours(pandas.DataFrame(X, columns=dates), pandas.DataFrame(X, columns=dates), metric)[0]
    times = np.arange(10.0) ** 2 if metric == "tiot" else None
    expected = neighbours(*[[stotmetrics.as_series(x, times=times) for x in X]] * 2, metric)[0]
    np.testing.assert_allclose(distances, expected, rtol=1e-9, atol=1e-9)


def test_what_a_mask_hides_is_not_read():
    with pytest.raises(InvalidSeriesError, match="masked entries"):
        neighbours(np.ma.masked_greater(X, 1.0))
    np.testing.assert_array_equal(neighbours(np.ma.masked_array(X))[1], neighbours(X)[1])


@pytest.mark.parametrize(
    ("given", "words"),
    [("text", "X"), ({0: [0.0, 1.0]}, "the keys of a dict are not series"), (3.0, "X"), (None, "X")],
)
def test_what_is_no_set_is_refused_by_name(given, words):
    with pytest.raises((InvalidSeriesError, ValueError), match=words):
        TimeSeriesKMedoids(1).fit(given)


@pytest.mark.parametrize("k", [0, 9, 1.0, "1", True])
def test_a_number_of_neighbours_is_refused_as_the_user_calls_it(k):
    with pytest.raises(InvalidParameterError, match="n_neighbors must be an integer from 1 to 8, the training series"):
        neighbours(X, X, k=k)
    with pytest.raises(InvalidParameterError, match="from 1 to 7, the training series but the one that asks; got 8"):
        neighbours(X, k=8)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (lambda distances: 0.0 * distances, "must leave each series a vote; all of series 0 are zero"),
        (lambda distances: -distances, "finite numbers >= 0"),
        (lambda distances: np.full_like(distances, np.nan), "finite numbers >= 0"),
        (lambda distances: distances[:, 0], r"distances of shape \(8, 2\)"),
        (lambda distances: "far", "the result of weights must"),
    ],
)
def test_votes_that_are_none_are_refused(weights, words):
    model = KNeighborsTimeSeriesClassifier(2, weights=weights).fit(X, NAMES)
    with pytest.raises(InvalidParameterError, match=words):
        model.predict(X + 1.0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (KNeighborsTimeSeriesClassifier(metric_params=[("band", 3)]), "metric_params must be a mapping"),
        (TimeSeriesKMeans(2, tol="small"), "tol must be a number >= 0"),
        (TimeSeriesKMeans(2, max_iter_barycenter=-1), "max_iter_barycenter must be an integer >= 0"),
        (TimeSeriesKMeans(2, init=np.zeros((2, 5, 3))), r"X\[0\] and init\[0\] must have the same number of channels"),
        (TimeSeriesKMedoids(2, n_init=0), "n_init must be an integer >= 1"),
        (DistanceKernel("dtw", sigma=None), "sigma must be a number > 0 or 'median'"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_by_its_name(model, words):
    with pytest.raises((InvalidParameterError, InvalidSeriesError), match=words):
        model.fit(X, NAMES)


def test_targets_are_real_numbers():
    for bad in (1j * np.arange(8), NAMES):
        with pytest.raises(InvalidParameterError, match="y must"):
            KNeighborsTimeSeriesRegressor().fit(X, bad)


def test_a_function_that_gives_no_number_is_told_so():
    with pytest.raises(TypeError, match=r"must return a number; subtract gave shape \(10,\)"):
        neighbours(X, X, np.subtract)


@pytest.mark.filterwarnings("ignore:Some fits failed|One or more of the test scores")
def test_a_name_of_this_session_is_not_known_to_other_processes_and_a_function_is():
    def largest_gap(x, y):
        return float(np.abs(x - y).max())

    grid = {"n_neighbors": [1, 2]}
    search = GridSearchCV(KNeighborsTimeSeriesClassifier(metric=largest_gap), grid, cv=2, n_jobs=2).fit(X, NAMES)
    assert search.best_params_["n_neighbors"] in (1, 2)
    stotmetrics.register(largest_gap)
    try:
        with pytest.raises(ValueError, match="pass the function or the MetricSpec itself"):
            GridSearchCV(KNeighborsTimeSeriesClassifier(metric="largest_gap"), grid, cv=2, n_jobs=2).fit(X, NAMES)
    finally:
        stotmetrics.unregister("largest_gap")
