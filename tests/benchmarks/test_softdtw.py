"""Soft-DTW and DTW beside tslearn, aeon and dtaidistance, in one run: medians, one thread unless the name says so.

``pytest tests/benchmarks/test_softdtw.py --benchmark-only``; STOTMETRICS_BENCH_SERIES sets the size of the matrices.
Each benchmark notes its cells per second; ``--benchmark-json`` keeps them.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import stotmetrics
from stotmetrics.kernels import _softdtw as kernel
from stotmetrics.kernels import _softdtw_many as many_pairs

# numba compiles and the peers deprecate while they run.
pytestmark = pytest.mark.filterwarnings("ignore")

COUNT = int(os.environ.get("STOTMETRICS_BENCH_SERIES", "200"))
KINDS = {"gamma 1": 1.0, "gamma 0.1": 0.1, "gamma 0.01": 0.01, "d = 3": 1.0, "lengths 60 to 128": 1.0}


def draw(kind, count=COUNT):
    rng = np.random.default_rng(0)
    dims = 3 if kind == "d = 3" else 1
    lengths = rng.integers(60, 129, size=count) if kind.startswith("lengths") else [128] * count
    walks = [rng.normal(size=(n, dims)).cumsum(axis=0) for n in lengths]
    return [(x - x.mean(axis=0)) / x.std(axis=0) for x in walks]


def cells(X):
    lengths = np.array([len(x) for x in X])
    return (lengths.sum() ** 2 + (lengths**2).sum()) / 2


def measure(benchmark, group, work, function, rounds=5):
    benchmark.group = group
    result = benchmark.pedantic(function, rounds=rounds, warmup_rounds=1 if rounds > 1 else 0)
    if benchmark.stats is not None:
        benchmark.extra_info["million_cells_per_second"] = work / benchmark.stats.stats.median / 1e6
    return result


def tslearn_matrix(X, gamma):
    from tslearn.metrics import cdist_soft_dtw
    from tslearn.utils import to_time_series_dataset

    cdist_soft_dtw(to_time_series_dataset(X[:2]), gamma=gamma)
    data = to_time_series_dataset(X)
    return lambda: cdist_soft_dtw(data, gamma=gamma)


def aeon_matrix(X, gamma):
    from aeon.distances import soft_dtw_pairwise_distance

    data = [np.ascontiguousarray(x.T) for x in X]
    soft_dtw_pairwise_distance(data[:2], gamma=gamma)
    return lambda: soft_dtw_pairwise_distance(data, gamma=gamma)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whose", ["stotmetrics", "tslearn", "aeon"])
def test_matrix(benchmark, kind, whose):
    X, gamma = draw(kind), KINDS[kind]
    if whose == "stotmetrics":
        rounds, function = 5, lambda: stotmetrics.pairwise(X, metric="softdtw", gamma=gamma)
    else:
        rounds, function = 1, (tslearn_matrix if whose == "tslearn" else aeon_matrix)(X, gamma)
    D = measure(benchmark, f"soft-DTW matrix, {kind}", cells(X), function, rounds)
    wanted = kernel.pair_value(X[0], X[1], gamma)
    # aeon returns the absolute value.
    np.testing.assert_allclose(D[0, 1], abs(wanted) if whose == "aeon" else wanted, rtol=1e-6)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_matrix_by_threads(benchmark, n_jobs):
    X = draw("gamma 1")
    measure(
        benchmark,
        "soft-DTW matrix by threads",
        cells(X),
        lambda: stotmetrics.pairwise(X, metric="softdtw", n_jobs=n_jobs),
    )


def test_exponentials_alone(benchmark):
    """The costs and exponentials of the matrix above, without the recursion: how far the kernel is from its limit."""
    X = draw("gamma 1")
    pairs = len(X) * (len(X) + 1) // 2
    measure(benchmark, "soft-DTW matrix, gamma 1", cells(X), lambda: many_pairs.exponentials(128, 128, pairs))


@pytest.mark.parametrize("whose", ["stotmetrics", "dtaidistance"])
def test_hard_matrix(benchmark, whose):
    X = draw("gamma 1")
    work = cells(X)
    if whose == "stotmetrics":
        function = lambda: stotmetrics.pairwise(X, metric="dtw", squared=False)  # noqa: E731
    else:
        dtaidistance = pytest.importorskip("dtaidistance")
        data = np.stack([x[:, 0] for x in X])
        work -= len(X) * 128**2  # it leaves out the diagonal
        function = lambda: dtaidistance.dtw.distance_matrix_fast(data, parallel=False)  # noqa: E731
    D = measure(benchmark, "hard DTW matrix", work, function, rounds=3)
    np.testing.assert_allclose(D[0, 1], stotmetrics.dtw(X[0], X[1], squared=False))


@pytest.mark.parametrize("percent", [2, 5, 10, 20])
@pytest.mark.parametrize("whose", ["stotmetrics", "stotmetrics softdtw", "dtaidistance", "aeon"])
def test_banded_matrix(benchmark, whose, percent):
    """Hard DTW within a window of some percent of the length, and soft-DTW beside it; one thread."""
    X = draw("gamma 1")
    radius = 128 * percent // 100
    if whose.startswith("stotmetrics"):
        metric = whose.partition(" ")[2] or "dtw"
        function = lambda: stotmetrics.pairwise(X, metric=metric, band=radius)  # noqa: E731
    elif whose == "aeon":
        from aeon.distances import dtw_pairwise_distance

        data = [np.ascontiguousarray(x.T) for x in X]
        dtw_pairwise_distance(data[:2], window=radius / 128)
        function = lambda: dtw_pairwise_distance(data, window=radius / 128)  # noqa: E731
    else:
        dtaidistance = pytest.importorskip("dtaidistance")
        data = np.stack([x[:, 0] for x in X])
        # Its window counts the diagonal, and its value is a root.
        function = lambda: dtaidistance.dtw.distance_matrix_fast(data, window=radius + 1, parallel=False) ** 2  # noqa: E731
    work = len(X) ** 2 / 2 * 128 * (2 * radius + 1)
    D = measure(benchmark, f"DTW matrix, window of {percent} %", work, function, rounds=3)
    wanted = (stotmetrics.softdtw if "softdtw" in whose else stotmetrics.dtw)(X[0], X[1], band=radius)
    np.testing.assert_allclose(D[0, 1], wanted, rtol=1e-9)


@pytest.mark.parametrize("whose", ["stotmetrics", "tslearn"])
def test_one_pair(benchmark, whose):
    x, y = draw("gamma 1", 2)
    function = stotmetrics.softdtw
    if whose == "tslearn":
        from tslearn.metrics import soft_dtw as function
    function(x, y, gamma=1.0)
    measure(benchmark, "one pair, 128 x 128", 128**2, lambda: function(x, y, gamma=1.0), rounds=100)


def test_one_long_pair(benchmark):
    x, y = np.random.default_rng(0).normal(size=(2, 10000)).cumsum(axis=1)
    measure(benchmark, "one pair, 10 000 x 10 000", 1e8, lambda: stotmetrics.softdtw(x, y), rounds=3)


def test_memory_of_one_long_pair(benchmark):
    """Peak resident memory above the import, in MiB, in a process of its own."""
    code = """
import resource, numpy as np, stotmetrics
x, y = np.random.default_rng(0).normal(size=(2, 10000)).cumsum(axis=1)
stotmetrics.softdtw(x[:9], y[:9])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stotmetrics.softdtw(x, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    run = lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: E731
    benchmark.group = "one pair, 10 000 x 10 000, in a process of its own"
    used = float(benchmark.pedantic(run, rounds=1).stdout)
    benchmark.extra_info["mebibytes"] = used
    assert used < 50


@pytest.mark.parametrize("whose", ["softdtw", "softdtw_sharp", "tslearn"])
def test_values_and_gradients_of_a_batch(benchmark, whose):
    X, Y = draw("gamma 1"), draw("gamma 1")[::-1]
    pairs = np.arange(len(X), dtype=np.intp)
    if whose != "tslearn":
        bound = stotmetrics.get_metric(whose, gamma=1.0)
        left, right = ([stotmetrics.as_series(x) for x in side] for side in (X, Y))
        rounds, function = 5, lambda: bound.gradients(left, right, pairs, pairs)
    else:
        from tslearn.metrics import SoftDTW, SquaredEuclidean

        def solve(x, y):
            distances = SquaredEuclidean(x, y)
            soft = SoftDTW(distances, gamma=1.0)
            return soft.compute(), distances.jacobian_product(soft.grad())

        solve(X[0], Y[0])
        rounds, function = 1, lambda: [solve(x, y) for x, y in zip(X, Y, strict=True)]
    measure(benchmark, f"values and gradients of {len(X)} pairs, 128 x 128", len(X) * 128**2, function, rounds)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("metric", ["softdtw", "softdtw_divergence", "softdtw_sharp", "dtw", "gak", "otw", "euclidean"])
def test_many_short_series_by_threads(benchmark, metric, n_jobs):
    """What is not inside of a kernel holds the interpreter's lock: a second thread shows it."""
    X = np.random.default_rng(0).normal(size=(10 * COUNT, 20)).cumsum(axis=1)
    function = lambda: stotmetrics.pairwise(X, metric=metric, n_jobs=n_jobs)  # noqa: E731
    measure(benchmark, f"{len(X)} series of length 20, {metric}", 400 * len(X) ** 2 / 2, function, rounds=3)


@pytest.mark.parametrize("radius", [5, None])
def test_band(benchmark, radius):
    x, y = np.random.default_rng(0).normal(size=(2, 2000)).cumsum(axis=1)
    work = 2000**2 if radius is None else 11 * 2000
    measure(benchmark, "band of radius 5, 2000 x 2000", work, lambda: stotmetrics.softdtw(x, y, band=radius), rounds=20)
