"""Blocks of pairs of clouds: each pair as it is alone, whatever lengths, masses, ranges and cutoffs are beside it."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics.metrics import etiot
from stotmetrics.spec.prepared import PreparedSet

METRICS = [
    ("tiot", {"p": 2.0}),
    ("tiot", {"p": 3.0, "root": False}),
    ("etiot", {"epsilon": 0.05}),
    ("etiot", {"epsilon": 0.05, "p": 1.0, "root": False}),
    ("taot", {}),
    ("taot", {"p": 3.0, "omega": 0.2}),
    ("taot", {"epsilon": 0.05}),
    ("taot", {"epsilon": 0.05, "p": 3.0, "w": 0.3}),
    ("taot", {"epsilon": 0.05, "scale": "median"}),
    ("taot", {"epsilon": 1e-17}),
]


def series(rng, count, features):
    """Of lengths 1 to 24, some with weights, and one whose powers need a unit of their own."""
    drawn = []
    for k in range(count):
        length = (24, 1, 7, 16, 3)[k % 5]
        weights = rng.random(length) + 0.1 if k % 2 else None
        values = rng.normal(size=(length, features)) * (1e90 if k == 3 else 1.0)
        drawn.append(stotmetrics.as_series(values, weights=weights))
    return drawn


@pytest.mark.parametrize("features", [1, 2])
@pytest.mark.parametrize(("name", "params"), METRICS)
def test_a_pair_in_a_block_is_the_pair_alone(name, params, features, monkeypatch):
    monkeypatch.setattr(etiot, "LONG", 350)
    rng = np.random.default_rng(7)
    metric = stotmetrics.get_metric(name, **params, standardize=False)
    drawn = series(rng, 6, features), series(rng, 7, features)
    left, right = ([metric.prepare(s) for s in side] for side in drawn)
    rows, cols = np.indices((6, 7)).reshape(2, -1)
    values = metric.block(left, right, rows, cols).values
    pairs = [metric.solve(drawn[0][i], drawn[1][j]).value for i, j in zip(rows, cols, strict=True)]
    np.testing.assert_allclose(values, pairs, rtol=1e-7)
    assert np.isfinite(values[rows != 3]).all()
    cutoff = np.where(rng.random(42) < 0.2, np.inf, values * rng.choice([0.3, 0.9, 1.1], 42))
    order = rng.permutation(42)
    rows, cols, cutoff, values = rows[order], cols[order], cutoff[order], values[order]
    many = metric.block(PreparedSet(left), PreparedSet(right), rows, cols, cutoff)
    for k in range(42):
        alone = metric.block([left[rows[k]]], [right[cols[k]]], *np.zeros((2, 1), dtype=np.intp), cutoff[k : k + 1])
        for of_many, of_alone in (
            (many.values, alone.values), (many.gap, alone.gap), (many.converged, alone.converged),
            (many.n_iter, alone.n_iter), (many.abandoned, alone.abandoned),
        ):  # fmt: skip
            assert of_many[k] == of_alone[0]
    assert (values[many.abandoned] > cutoff[many.abandoned]).all()
    np.testing.assert_allclose(many.values[~many.abandoned], values[~many.abandoned], rtol=1e-7)
    # Exact transport at one mixture is always solved to the end.
    assert many.abandoned.any() == (name != "taot" or "epsilon" in params)


@pytest.mark.parametrize(("name", "params"), METRICS)
def test_a_block_of_no_pairs_is_empty(name, params):
    metric = stotmetrics.get_metric(name, **params)
    sides = [metric.prepare(s) for s in series(np.random.default_rng(0), 2, 1)]
    none = np.empty(0, dtype=np.intp)
    assert metric.block(sides, sides, none, none, np.empty(0)).values.shape == (0,)
