"""A real Dask cluster of two worker processes: the same numbers, data sent once, a worker lost on the way."""

import logging
import os
import signal

import joblib
import numpy as np
import pytest

import stotmetrics
from stotmetrics import Ground, MetricSpec, Traits
from stotmetrics.engine import workers

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

# What Dask warns of is its own affair.
pytestmark = pytest.mark.filterwarnings("default")

RNG = np.random.default_rng(2)
X = RNG.random((40, 6, 12))


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def on_the_cluster(client, monkeypatch):
    """All work goes to the cluster, however little there is."""
    client.wait_for_workers(2)
    monkeypatch.setattr(workers, "_ALONE", {True: 0.0, False: 0.0})
    with joblib.parallel_config(backend="dask"):
        yield


def alone(function, *args, **how):
    with joblib.parallel_config(backend="threading", n_jobs=1):
        return function(*args, **how)


def noting(log):
    """A metric that notes in which process each series is prepared and each pair is solved."""

    def note(what):
        with open(log, "a") as file:  # noqa: PTH123
            file.write(f"{what} {os.getpid()}\n")

    def prepare(series, params):
        note(f"prepare {series.values[0, 0]:g}")
        return series

    def pair(x, y, params):
        from threadpoolctl import threadpool_info

        threads = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        note(f"pair {max(threads)}")
        return abs(float(x.values[0, 0] - y.values[0, 0]))

    return MetricSpec("where", pair, prepare=prepare, traits=Traits(symmetric=True, zero_self=True))


def test_the_matrix_is_that_of_one_process():
    np.testing.assert_array_equal(stotmetrics.pairwise(X, metric="sta"), alone(stotmetrics.pairwise, X, metric="sta"))
    matrix = stotmetrics.pairwise(X[:20], X[20:], metric="sta")
    np.testing.assert_array_equal(matrix, alone(stotmetrics.pairwise, X[:20], X[20:], metric="sta"))


def test_a_worker_that_is_killed_half_way_changes_nothing(client, tmp_path):
    pids, killed = list(client.run(os.getpid).values()), []

    def kill(done, total):
        if done > total / 2 and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    matrix = stotmetrics.pairwise(X, metric="sta", out=tmp_path / "D.npy", progress=kill)
    assert killed
    assert pids[0] not in client.run(os.getpid).values()
    np.testing.assert_array_equal(matrix, alone(stotmetrics.pairwise, X, metric="sta"))


def test_neighbours_barycenters_and_estimators_are_those_of_one_process():
    from stotmetrics.hosts.sklearn import KNeighborsTimeSeriesClassifier

    neighbors = stotmetrics.kneighbors(X[:30], X[30:], "softdtw_divergence", 3)
    wanted = alone(stotmetrics.kneighbors, X[:30], X[30:], "softdtw_divergence", 3)
    np.testing.assert_array_equal(neighbors.indices, wanted.indices)
    np.testing.assert_array_equal(neighbors.distances, wanted.distances)
    neighbors = stotmetrics.barycenter(X, "sta", max_iter=2)
    np.testing.assert_array_equal(neighbors.values, alone(stotmetrics.barycenter, X, "sta", max_iter=2).values)
    labels = np.arange(30) % 3
    model = KNeighborsTimeSeriesClassifier(metric="sta").fit(X[:30], labels)
    np.testing.assert_array_equal(model.predict(X[30:]), alone(model.predict, X[30:]))


def test_series_are_prepared_on_the_workers_once_and_blas_has_one_thread(tmp_path):
    Z = np.arange(70.0)[:, None]
    np.testing.assert_array_equal(stotmetrics.pairwise(Z, metric=noting(str(tmp_path / "log"))), np.abs(Z - Z.T))
    notes = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    prepared = [tuple(words[1:]) for words in notes if words[0] == "prepare"]
    assert len(prepared) == len(set(prepared))  # no series twice in one process
    assert {int(pid) for _, pid in prepared} <= {int(words[2]) for words in notes if words[0] == "pair"}
    assert len({words[2] for words in notes if words[0] == "pair"} - {str(os.getpid())}) == 2
    assert {words[1] for words in notes if words[0] == "pair"} == {"1"}


def test_series_and_ground_are_sent_once_and_tasks_are_small(dask_traffic):
    ground = Ground.from_points(RNG.random((300, 3))).normalized()
    Z = RNG.random((30, 2, 300))
    sent, batches = dask_traffic
    params = {"metric": "sta", "ground": ground, "tol": 1e-2, "epsilon": 0.5}
    matrix = stotmetrics.pairwise(Z, **params)
    assert len(sent) == 1
    assert sent[0] == pytest.approx(8 * (300 * 300 + Z.size), rel=0.2)
    assert len(batches) >= 2
    # joblib puts several short tasks into one batch.
    assert max(size / count for size, count in batches) < 2000
    np.testing.assert_array_equal(matrix, alone(stotmetrics.pairwise, Z, **params))


def test_an_error_of_a_metric_comes_back_as_it_is():
    def pair(x, y, params):
        raise ZeroDivisionError("in a worker")

    with pytest.raises(ZeroDivisionError, match="in a worker"):
        stotmetrics.pairwise(np.arange(60.0)[:, None], metric=MetricSpec("fails", pair))
