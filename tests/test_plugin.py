"""The example plugin in tests/plugin, installed for itself: found by name, used by the hosts, checked by the kit."""

from importlib import metadata

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import stotmetrics
from stotmetrics.cli import main
from stotmetrics.testing import check_metric

pytest.importorskip("stotmetrics_example", reason="the example plugin is not installed; tox -e plugin does it")

NAMES = ["area", "moments"]


@pytest.fixture
def bumps():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 10)
    series = rng.normal(scale=0.1, size=(20, 15)) + labels[:, None] * np.sin(np.arange(15.0))
    return series, labels


def test_it_comes_from_its_own_distribution():
    points = {p.name: p for p in metadata.entry_points(group="stotmetrics.metrics")}
    assert {points[name].dist.name for name in NAMES} == {"stotmetrics-example"}
    assert set(NAMES) <= set(stotmetrics.list_metrics())


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_what_it_claims(name):
    check_metric(name)


@pytest.mark.parametrize("name", NAMES)
def test_classify_takes_it_by_name(name, tmp_path, bumps, capsys):
    series, labels = bumps
    np.savez(tmp_path / "bumps.npz", X_train=series, y_train=labels, X_test=series + 0.01, y_test=labels)
    assert main(["classify", str(tmp_path / "bumps.npz"), "--metric", name]) == 0
    assert "error rate  0.0" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_scikit_learn_takes_it_as_a_callable(name, bumps):
    series, labels = bumps
    model = KNeighborsClassifier(1, metric=stotmetrics.get_metric(name), algorithm="brute").fit(series, labels)
    assert model.score(series + 0.01, labels) == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_tslearn_takes_its_matrix(name, bumps):
    neighbors = pytest.importorskip("tslearn.neighbors", reason="tslearn is not installed (extra tslearn)")
    series, labels = bumps
    within = stotmetrics.pairwise(series, metric=name)
    across = stotmetrics.pairwise(series + 0.01, series, metric=name)
    model = neighbors.KNeighborsTimeSeriesClassifier(1, metric="precomputed").fit(within, labels)
    assert model.score(across, labels) == 1.0
