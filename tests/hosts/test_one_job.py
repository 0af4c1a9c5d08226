"""One job through every host: the neighbours, and so the predictions, are the same."""

import json
import os
import warnings

import numpy as np
import pytest

import stotmetrics
from stotmetrics import cli, datasets
from stotmetrics.hosts.aeon import as_distance
from stotmetrics.hosts.sklearn import KNeighborsTimeSeriesClassifier

# What numba says about its own types while it compiles the functions of aeon.
pytestmark = pytest.mark.filterwarnings("ignore:.*unsafe cast from")

METRIC = stotmetrics.get_metric("etiot", epsilon=0.1)


def by_sklearn(X, y, queries):
    return KNeighborsTimeSeriesClassifier(metric="etiot", metric_params={"epsilon": 0.1}).fit(X, y).predict(queries)


def by_tslearn_subclass(X, y, queries):
    pytest.importorskip("tslearn", minversion="0.10")
    from stotmetrics.hosts import tslearn as host

    return host.KNeighborsTimeSeriesClassifier(1, metric=METRIC).fit(X, y).predict(queries)


def by_tslearn_patch(X, y, queries):
    pytest.importorskip("tslearn", minversion="0.10")
    from stotmetrics.hosts.tslearn import patched_tslearn

    with patched_tslearn():
        from tslearn.neighbors import KNeighborsTimeSeriesClassifier as Own

        model = Own(1, metric="etiot", metric_params={"epsilon": 0.1})
        return model.fit(X, y).predict(queries)


def by_aeon(X, y, queries):
    pytest.importorskip("aeon")
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier as Own

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Own(distance=as_distance(METRIC), n_neighbors=1)
        return model.fit(X[:, None, :], y).predict(queries[:, None, :])


def by_collection_of_aeon(X, y, queries):
    """aeon calls its distances pair by pair: its collections (n, channels, time) go to the estimator that searches."""
    collection, others = X[:, None, :], queries[:, None, :]
    model = KNeighborsTimeSeriesClassifier(metric="etiot", metric_params={"epsilon": 0.1})
    return model.fit(collection.swapaxes(1, 2), y).predict(others.swapaxes(1, 2))


HOSTS = [by_sklearn, by_tslearn_subclass, by_tslearn_patch, by_aeon, by_collection_of_aeon]


def by_command_line(folder, X, y, queries, truth):
    np.savez(folder / "set.npz", X_train=X, y_train=y, X_test=queries, y_test=truth)
    out = folder / "outcome.json"
    job = ["classify", folder / "set.npz", "--metric", "etiot", "--param", "epsilon=0.1", "--out", out]
    assert cli.main([str(part) for part in job]) == 0
    return np.array(json.loads(out.read_text())["predicted"])


def table(X):
    """Equal lengths as one array (n, T)."""
    return np.stack([np.asarray(x).reshape(-1) for x in X])


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.__name__)
def test_a_slice_of_trace(host, tmp_path):
    pytest.importorskip("tslearn")
    data = datasets.load_builtin("Trace")
    X, y, queries, truth = table(data.X_train[:16]), data.y_train[:16], table(data.X_test[:6]), data.y_test[:6]
    expected = by_command_line(tmp_path, X, y, queries, truth)
    np.testing.assert_array_equal(host(X, y, queries), expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "nightly", reason="minutes: HYPOTHESIS_PROFILE=nightly")
def test_all_of_arrowhead(shared, tmp_path):
    data = datasets.load_split(shared / "data" / "ucr" / "ArrowHead.npz")
    X, queries = table(data.X_train), table(data.X_test)
    expected = by_command_line(tmp_path, X, data.y_train, queries, data.y_test)
    for host in HOSTS:
        np.testing.assert_array_equal(host(X, data.y_train, queries), expected)
