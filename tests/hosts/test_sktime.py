"""sktime takes a function of two whole panels: as arrays (n, channels, time), or as frames (instance, time)."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics.hosts.aeon import pairwise_distance

pytest.importorskip("sktime")
import pandas as pd  # sktime brings it
from sktime.classification.distance_based import KNeighborsTimeSeriesClassifier
from sktime.clustering.dbscan import TimeSeriesDBSCAN

# It imports half of its libraries, and they talk.
pytestmark = pytest.mark.filterwarnings("ignore")

METRIC = stotmetrics.get_metric("etiot", epsilon=0.05)
LABELS = np.arange(20) % 2


def bumps(lengths, seed=0):
    """Series with a bump early or late."""
    rng = np.random.default_rng(seed)
    series = []
    for k, label in enumerate(LABELS):
        time = np.linspace(0.0, 1.0, lengths[k % len(lengths)])
        series.append(np.exp(-(((time - 0.3 - 0.4 * label) / 0.1) ** 2)) + 0.1 * rng.normal(size=len(time)))
    return series


def between_arrays(X, X2=None):
    """Panels of sktime as arrays, (n, channels, time)."""
    return pairwise_distance(X, X2, METRIC)


def between_frames(X, X2=None):
    """Panels of sktime as frames with an index (instance, time)."""
    return stotmetrics.pairwise(X, X2, METRIC)


def test_neighbours_of_equal_length():
    X = np.stack(bumps([24]))[:, None, :]
    model = KNeighborsTimeSeriesClassifier(distance=between_arrays, distance_mtype="numpy3D").fit(X[:12], LABELS[:12])
    nearest = stotmetrics.kneighbors(list(X[:12, 0]), list(X[12:, 0]), METRIC)
    np.testing.assert_array_equal(model.predict(X[12:]), LABELS[:12][nearest.indices[:, 0]])


def test_neighbours_of_other_lengths():
    X = bumps([20, 24, 28])
    panels = [
        pd.concat({k: pd.DataFrame({"value": x}) for k, x in enumerate(part)}, names=["instance", "time"])
        for part in (X[:12], X[12:])
    ]
    model = KNeighborsTimeSeriesClassifier(distance=between_frames, distance_mtype="pd-multiindex")
    model.fit(panels[0], LABELS[:12])
    nearest = stotmetrics.kneighbors(X[:12], X[12:], METRIC)
    np.testing.assert_array_equal(model.predict(panels[1]), LABELS[:12][nearest.indices[:, 0]])


def test_density_clusters():
    X = np.stack(bumps([24]))[:, None, :]
    matrix = between_arrays(X)
    same = LABELS[:, None] == LABELS
    model = TimeSeriesDBSCAN(distance=between_arrays, eps=float(matrix[same].max()), min_samples=3).fit(X)
    np.testing.assert_array_equal(model.labels_, LABELS)
