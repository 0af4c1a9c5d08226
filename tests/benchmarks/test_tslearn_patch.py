"""tslearn's own calls as they are and under the patch, in one run: medians, one thread.

``pytest tests/benchmarks/test_tslearn_patch.py --benchmark-only``; each pair of rows is one call.
"""

import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses h5py, at import
    pytest.importorskip("tslearn", minversion="0.10")
    pytest.importorskip("tslearn.clustering")
import tslearn.barycenters
import tslearn.clustering
import tslearn.metrics
import tslearn.neighbors

from stotmetrics.hosts.tslearn import patched_tslearn

# numba compiles while it runs.
pytestmark = pytest.mark.filterwarnings("ignore")

N, LENGTH = 40, 128


def walks(n=N, seed=0):
    walk = np.random.default_rng(seed).normal(size=(n, LENGTH, 1)).cumsum(axis=1)
    return (walk - walk.mean(axis=1, keepdims=True)) / walk.std(axis=1, keepdims=True)


X, Y = walks(), walks(20, seed=1)
MANY = walks(200)


def gradient():
    cost = tslearn.metrics.SquaredEuclidean(X[0], X[1])
    soft = tslearn.metrics.SoftDTW(cost, gamma=1.0)
    soft.compute()
    return cost.jacobian_product(soft.grad())


def neighbours(train=X, **metric_params):
    model = tslearn.neighbors.KNeighborsTimeSeriesClassifier(1, metric_params=metric_params)
    return model.fit(train, np.arange(len(train)) % 2).predict(Y)


def means():
    model = tslearn.clustering.TimeSeriesKMeans(
        3, metric="softdtw", max_iter=3, max_iter_barycenter=10, random_state=0, init=X[:3]
    )
    return model.fit(X).inertia_


CALLS = {
    "dtw": lambda: tslearn.metrics.dtw(X[0], X[1]),
    "soft_dtw": lambda: tslearn.metrics.soft_dtw(X[0], X[1]),
    "soft_dtw_alignment": lambda: tslearn.metrics.soft_dtw_alignment(X[0], X[1])[0],
    "SoftDTW.compute and grad": gradient,
    "cdist_dtw": lambda: tslearn.metrics.cdist_dtw(X),
    "cdist_dtw, 200 series": lambda: tslearn.metrics.cdist_dtw(MANY),
    "cdist_soft_dtw": lambda: tslearn.metrics.cdist_soft_dtw(X),
    "softdtw_barycenter, 10 steps": lambda: tslearn.barycenters.softdtw_barycenter(X, max_iter=10),
    "k-means of softdtw": means,
    "1-NN of dtw": neighbours,
    "1-NN of dtw in a band": lambda: neighbours(global_constraint="sakoe_chiba", sakoe_chiba_radius=6),
    "1-NN of dtw in a band, 200 series": lambda: neighbours(
        MANY, global_constraint="sakoe_chiba", sakoe_chiba_radius=6
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("whose", ["patched", "tslearn"])
def test_call(benchmark, name, whose):
    benchmark.group = name
    expected = CALLS[name]()
    if whose == "tslearn":
        benchmark.pedantic(CALLS[name], rounds=5, warmup_rounds=1)
        return
    with patched_tslearn():
        result = benchmark.pedantic(CALLS[name], rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
