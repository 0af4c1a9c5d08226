"""A Ray cluster of two processes gives the same numbers."""

import os

import joblib
import numpy as np
import pytest

import stotmetrics
from stotmetrics.engine import workers

pytestmark = pytest.mark.filterwarnings("default")

X = np.random.default_rng(2).random((30, 6, 12))


@pytest.fixture(scope="module")
def ray():
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray = pytest.importorskip("ray", reason="ray is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    from ray.util.joblib import register_ray

    register_ray()
    yield ray
    ray.shutdown()


def test_matrix_neighbours_and_barycenter_are_those_of_one_process(ray, monkeypatch):
    monkeypatch.setattr(workers, "_ALONE", {True: 0.0, False: 0.0})
    calls = [
        lambda: stotmetrics.pairwise(X, metric="sta"),
        lambda: stotmetrics.kneighbors(X[:20], X[20:], "softdtw_divergence", 3).indices,
        lambda: stotmetrics.barycenter(X, "sta", max_iter=2).values,
    ]
    for call in calls:
        with joblib.parallel_config(backend="ray"):
            result = call()
        np.testing.assert_array_equal(result, call())
