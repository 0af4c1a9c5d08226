"""1-NN on ArrowHead, 50 of its test series, through every host: its own DTW, ours, and etiot; one thread.

``pytest tests/benchmarks/test_hosts.py --benchmark-only``
"""

import numpy as np
import pytest

import stotmetrics
from stotmetrics import datasets
from stotmetrics.hosts.aeon import as_distance, pairwise_distance
from stotmetrics.hosts.sklearn import KNeighborsTimeSeriesClassifier

# numba compiles while it runs, and hosts warn of what they pass on.
pytestmark = pytest.mark.filterwarnings("ignore")

COUNT = 50
METRICS = {"dtw": stotmetrics.get_metric("dtw"), "etiot": stotmetrics.get_metric("etiot", epsilon=0.1)}


def search(metric, X, y, queries):
    neighbors = stotmetrics.kneighbors(X, queries, metric)
    return y[neighbors.indices[:, 0]]


def by_sklearn(metric, X, y, queries):
    if metric is None:
        pytest.skip("scikit-learn has no DTW")
    return KNeighborsTimeSeriesClassifier(metric=metric).fit(X, y).predict(queries)


def by_function_in_sklearn(metric, X, y, queries):
    from sklearn.neighbors import KNeighborsClassifier

    if metric is None:
        pytest.skip("scikit-learn has no DTW")
    return KNeighborsClassifier(1, metric=metric.flat(), algorithm="brute").fit(X, y).predict(queries)


def by_tslearn(metric, X, y, queries):
    pytest.importorskip("tslearn", minversion="0.10")
    from tslearn.neighbors import KNeighborsTimeSeriesClassifier as Own

    from stotmetrics.hosts.tslearn import patched_tslearn

    if metric is None:
        return Own(1).fit(X, y).predict(queries)
    with patched_tslearn():
        return Own(1, metric=metric).fit(X, y).predict(queries)


def by_aeon(metric, X, y, queries):
    pytest.importorskip("aeon")
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier as Own

    model = Own("dtw" if metric is None else as_distance(metric), n_neighbors=1)
    return model.fit(X[:, None], y).predict(queries[:, None])


def by_sktime(metric, X, y, queries):
    pytest.importorskip("sktime")
    from sktime.classification.distance_based import KNeighborsTimeSeriesClassifier as Own

    if metric is None:
        return Own().fit(X[:, None], y).predict(queries[:, None])
    model = Own(distance=lambda a, b=None: pairwise_distance(a, b, metric), distance_mtype="numpy3D")
    return model.fit(X[:, None], y).predict(queries[:, None])


HOSTS = {
    "kneighbors": search,
    "scikit-learn": by_sklearn,
    "scikit-learn, a function of two rows": by_function_in_sklearn,
    "tslearn": by_tslearn,
    "aeon": by_aeon,
    "sktime": by_sktime,
}


@pytest.mark.parametrize("metric", ["the host's own dtw", "dtw", "etiot"])
@pytest.mark.parametrize("host", HOSTS)
def test_nearest_neighbours(benchmark, shared, host, metric):
    if host == "kneighbors" and metric not in METRICS:
        pytest.skip("it is no host")
    data = datasets.load_split(shared / "data" / "ucr" / "ArrowHead.npz")
    X, queries = (np.stack([np.asarray(x).ravel() for x in part]) for part in (data.X_train, data.X_test[:COUNT]))
    bound, y = METRICS.get(metric), data.y_train
    HOSTS[host](bound, X[:3], y[:3], queries[:2])  # what is compiled is compiled now
    benchmark.group = metric
    predicted = benchmark.pedantic(lambda: HOSTS[host](bound, X, y, queries), rounds=1)
    benchmark.extra_info["error"] = float((predicted != data.y_test[:COUNT]).mean())
    np.testing.assert_array_equal(predicted, search(bound or METRICS["dtw"], X, y, queries))
