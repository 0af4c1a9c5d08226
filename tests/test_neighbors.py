"""kneighbors gives the answer of brute force, whatever it skips."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series

METRICS = [
    ("tiot", {}),
    ("tiot", {"p": 1.0, "root": False}),
    ("tiot", {"standardize": False}),
    ("etiot", {"epsilon": 0.01}),
    ("etiot", {"epsilon": 1.0, "root": False}),
    ("taot", {}),
    ("taot", {"scale": "median", "omega": 0.5}),
    ("taot", {"epsilon": 0.1, "w": 0.3}),
    ("softdtw", {"gamma": 0.1}),
]


def draw_set(rng, count, ragged, ties):
    def one():
        n = int(rng.integers(2, 8)) if ragged else 6
        values = rng.integers(0, 3, n).astype(float) if ties else rng.normal(size=n).cumsum()
        return as_series(values)

    return [one() for _ in range(count)]


@given(st.integers(0, 2**32 - 1), st.sampled_from(METRICS), st.integers(1, 3), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_answer_equals_brute_force(seed, case, k, ragged, ties):
    name, params = case
    rng = np.random.default_rng(seed)
    train, queries = draw_set(rng, 7, ragged, ties), draw_set(rng, 3, ragged, ties)
    found = stotmetrics.kneighbors(train, queries, name, k, **params)
    D = stotmetrics.pairwise(queries, train, metric=name, **params)
    nearest = np.sort(D, axis=1)[:, :k]
    np.testing.assert_allclose(found.distances, nearest, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(np.take_along_axis(D, found.indices, axis=1), nearest, rtol=1e-9, atol=1e-7)
    assert found.pairs == 21
    assert found.solved + found.abandoned <= 21
    assert all(len(set(row)) == k for row in found.indices.tolist())


@given(st.integers(0, 2**32 - 1), st.sampled_from(METRICS[:-1]), st.booleans(), st.booleans(), st.booleans())
def test_lower_bound_is_below_the_value(seed, case, ragged, ties, weighted):
    name, params = case
    rng = np.random.default_rng(seed)
    x, y = draw_set(rng, 2, ragged, ties)
    if weighted:
        x = as_series(x.values, weights=rng.uniform(size=len(x)) * rng.integers(0, 2, len(x)) + 1e-3)
    metric = stotmetrics.get_metric(name, **params)
    bound = metric.spec.lower_bound(metric.prepare(x), metric.prepare(y), metric.params)
    value = metric(x, y)
    assert bound <= value + 1e-9 * (1 + value)


def test_bounds_and_abandoning_spare_most_of_the_work():
    rng = np.random.default_rng(5)
    shapes = [np.sin(np.linspace(0, f, 60)) + s * np.linspace(-1, 1, 60) for f in (3, 9, 20) for s in (0, 2)]
    train = [shape + 0.05 * rng.normal(size=60) for shape in shapes for _ in range(5)]
    queries = [shape + 0.05 * rng.normal(size=60) for shape in shapes]
    found = stotmetrics.kneighbors(train, queries, "tiot")
    assert found.pairs == 180
    assert found.solved < 60
    assert (found.indices[:, 0] // 5 == np.arange(6)).all()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_answer_does_not_depend_on_n_jobs(n_jobs):
    rng = np.random.default_rng(1)
    train, queries = draw_set(rng, 12, False, False), draw_set(rng, 20, False, False)
    alone = stotmetrics.kneighbors(train, queries, "tiot", 3)
    found = stotmetrics.kneighbors(train, queries, "tiot", 3, n_jobs=n_jobs)
    assert (found.indices == alone.indices).all()
    assert (found.distances == alone.distances).all()
    assert found.solved == alone.solved


def test_ties_go_to_the_first_of_the_training_set():
    x = [0.0, 1.0, 0.0, 2.0]
    found = stotmetrics.kneighbors([[5.0, 1.0, 0.0, 0.0], x, x, x], [x], "tiot", 2)
    assert found.indices.tolist() == [[1, 2]]


def test_progress_tells_all_pairs():
    told = []
    stotmetrics.kneighbors([[0.0, 1.0]] * 3, [[1.0, 0.0]] * 10, "tiot", progress=lambda done, total: told.append(done))
    assert told[-1] == 30


def test_unconverged_pairs_are_told_of_once():
    x = np.sin(np.arange(30.0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stotmetrics.kneighbors([x, x**2, x**3], [x], "etiot", epsilon=1e-3, max_iter=2)
    assert [w.category for w in caught] == [stotmetrics.ConvergenceWarning]


@pytest.mark.parametrize("k", [0, 4, 1.5, True])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(stotmetrics.InvalidParameterError, match="k must be"):
        stotmetrics.kneighbors([[0.0, 1.0]] * 3, [[1.0, 0.0]], "tiot", k)
