"""Many pairs: what workers gain and cost, and what an index spares beside a matrix, in one run.

``pytest tests/benchmarks/test_engine.py --benchmark-only``; run it with ``OMP_NUM_THREADS=1``.
"""

import joblib
import numpy as np
import pytest

import stotmetrics
from stotmetrics.engine import workers

BACKENDS = {"one thread": ("threading", 1), "two threads": ("threading", 2), "two processes": ("loky", 2)}


@pytest.fixture
def handed_out(monkeypatch):
    """Every tile goes to a worker, however little there is to do."""
    monkeypatch.setattr(workers, "_ALONE", {True: 0.0, False: 0.0})


@pytest.mark.parametrize("where", BACKENDS)
@pytest.mark.parametrize(("name", "metric", "length"), [("little to do", "euclidean", 4), ("much to do", "dtw", 100)])
def test_matrix_with_workers(benchmark, handed_out, name, metric, length, where):
    X = np.random.default_rng(0).normal(size=(256, length)).cumsum(axis=1)
    backend, n_jobs = BACKENDS[where]
    benchmark.group = f"a matrix of 256 series, {name}: {metric}"
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
        D = benchmark.pedantic(lambda: stotmetrics.pairwise(X, metric=metric), rounds=3, warmup_rounds=1)
    np.testing.assert_array_equal(D[:3], stotmetrics.pairwise(X[:3], X, metric=metric))


MATRICES = {
    "softdtw": ({}, 400, 128),
    "gak": ({}, 400, 128),
    "tiot": ({}, 90, 64),
    "etiot": ({"epsilon": 0.01}, 75, 70),
    "euclidean": ({}, 6000, 128),
}


@pytest.mark.parametrize("way", ["one thread", "two threads", "two processes, a whole matrix each"])
@pytest.mark.parametrize("metric", MATRICES)
def test_two_threads_beside_what_two_processes_gain(benchmark, metric, way):
    """Processes that share nothing do twice the work: half of their time is what two threads can take at best."""
    params, n, length = MATRICES[metric]
    X = np.random.default_rng(0).normal(size=(n, length)).cumsum(axis=1)
    n_jobs = 2 if way == "two threads" else 1

    def matrix():
        stotmetrics.pairwise(X, metric=metric, n_jobs=n_jobs, **params)

    def matrices():
        joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(matrix)() for _ in range(2))

    benchmark.group = f"{metric}, {n} series of length {length}"
    benchmark.pedantic(matrices if way.startswith("two processes") else matrix, rounds=5, warmup_rounds=1)


def test_matrix_to_a_file(benchmark, tmp_path):
    X = np.random.default_rng(0).normal(size=(512, 50)).cumsum(axis=1)
    benchmark.group = "a matrix of 512 series of length 50, dtw"
    out = tmp_path / "D.npy"
    D = benchmark.pedantic(lambda: stotmetrics.pairwise(X, metric="dtw", out=out, overwrite=True), rounds=5)
    assert D.shape == (512, 512)


def test_matrix_in_memory(benchmark):
    X = np.random.default_rng(0).normal(size=(512, 50)).cumsum(axis=1)
    benchmark.group = "a matrix of 512 series of length 50, dtw"
    benchmark.pedantic(lambda: stotmetrics.pairwise(X, metric="dtw"), rounds=5)


@pytest.mark.parametrize("way", ["index", "kneighbors", "matrix"])
def test_ten_queries_to_twenty_thousand_series(benchmark, way):
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(200, 50)).cumsum(axis=1)
    X, Q = (shapes[rng.integers(0, 200, n)] + 0.3 * rng.normal(size=(n, 50)) for n in (20_000, 10))
    index = stotmetrics.NeighborIndex(X, "dtw")
    ways = {
        "index": lambda: index.kneighbors(Q).indices[:, 0],
        "kneighbors": lambda: stotmetrics.kneighbors(X, Q, "dtw").indices[:, 0],
        "matrix": lambda: stotmetrics.pairwise(Q, X, metric="dtw").argmin(axis=1),
    }
    benchmark.group = "the nearest of 20 000 series of length 50 to each of ten, dtw"
    nearest = benchmark.pedantic(ways[way], rounds=3, warmup_rounds=1)
    np.testing.assert_array_equal(nearest, ways["matrix"]())
