"""Nearest neighbours that skip work beside solving every pair, in one run: medians, one thread.

``pytest tests/benchmarks/test_neighbors.py --benchmark-only``; each benchmark notes the pairs solved of all pairs.
"""

import numpy as np
import pytest

import stotmetrics
from stotmetrics import datasets

# What peers warn of is theirs, as numba of casts.
pytestmark = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaWarning")

# Metric, parameters, the band as a share of the length.
CASES = {
    "dtw": ("dtw", {}, None),
    "dtw, band of a tenth": ("dtw", {}, 0.1),
    "softdtw, gamma 0.01": ("softdtw", {"gamma": 0.01}, None),
    "softdtw, gamma 0.01, band of a tenth": ("softdtw", {"gamma": 0.01}, 0.1),
    "softdtw, gamma 1": ("softdtw", {"gamma": 1.0}, None),
    "divergence, gamma 0.01, band of a tenth": ("softdtw_divergence", {"gamma": 0.01}, 0.1),
    "sharp, gamma 0.01, band of a tenth": ("softdtw_sharp", {"gamma": 0.01}, 0.1),
}


def split(shared, name, count=150):
    """The training set, and the first of the test set."""
    data = datasets.load_split(shared / "data" / "ucr" / f"{name}.npz")
    return data.X_train, data.X_test[:count]


def bound(case, train):
    metric, params, share = CASES[case]
    band = {} if share is None else {"band": int(share * len(train[0]))}
    return stotmetrics.get_metric(metric, **params, **band)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["CBF", "GunPoint", "ItalyPowerDemand"])
@pytest.mark.parametrize("way", ["kneighbors", "every pair"])
def test_nearest_neighbours(benchmark, shared, name, case, way):
    train, queries = split(shared, name)
    metric = bound(case, train)
    benchmark.group = f"{name}, {case}"
    if way == "every pair":
        D = benchmark.pedantic(lambda: stotmetrics.pairwise(queries, train, metric=metric), rounds=3, warmup_rounds=1)
        assert D.shape == (len(queries), len(train))
        return
    neighbors = benchmark.pedantic(lambda: stotmetrics.kneighbors(train, queries, metric), rounds=3, warmup_rounds=1)
    benchmark.extra_info["solved"], benchmark.extra_info["pairs"] = neighbors.solved, neighbors.pairs
    D = stotmetrics.pairwise(queries, train, metric=metric)
    assert (neighbors.indices[:, 0] == np.argmin(D, axis=1)).all()


@pytest.mark.parametrize("percent", [5, 10])
@pytest.mark.parametrize("name", ["ArrowHead", "CBF", "GunPoint", "DistalPhalanxTW"])
@pytest.mark.parametrize("whose", ["stotmetrics", "dtaidistance", "aeon"])
def test_nearest_under_banded_dtw(benchmark, shared, whose, name, percent):
    """Peers have no search: they compute every pair."""
    train, queries = (np.asarray(side, dtype=np.float64).reshape(len(side), -1) for side in split(shared, name))
    n, length = train.shape
    radius = length * percent // 100
    benchmark.group = f"{name}, dtw, window of {percent} %"
    if whose == "stotmetrics":
        function = lambda: stotmetrics.kneighbors(train, queries, "dtw", band=radius).indices[:, 0]  # noqa: E731
    elif whose == "aeon":
        distances = pytest.importorskip("aeon.distances").dtw_pairwise_distance
        both = queries[:, None], train[:, None]
        function = lambda: distances(*both, window=radius / length).argmin(axis=1)  # noqa: E731
    else:
        dtw = pytest.importorskip("dtaidistance").dtw
        both = np.concatenate([train, queries])
        block = ((0, n), (n, len(both)))
        function = lambda: dtw.distance_matrix_fast(both, block=block, window=radius + 1, parallel=False)  # noqa: E731
    benchmark.pedantic(function, rounds=3, warmup_rounds=1)
