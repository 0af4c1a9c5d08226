"""kneighbors gives the answer of brute force, whatever it skips."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series
from stotmetrics.engine.neighbors import _spans
from stotmetrics.kernels import _softdtw_many
from stotmetrics.spec.bound import bind

# Searched in blocks.
WARPING = [
    ("dtw", {}),
    ("dtw", {"band": 1, "squared": False}),
    ("softdtw", {"gamma": 0.0}),
    ("softdtw", {"gamma": 0.01, "band": 2}),
    ("softdtw", {"gamma": 0.1}),
    ("softdtw_divergence", {"gamma": 0.05}),
    ("softdtw_divergence", {"gamma": 0.5, "band": 2}),
    ("softdtw_sharp", {"gamma": 0.5}),
    ("softdtw_sharp", {"gamma": "median", "band": 1}),
    ("softdtw", {"gamma": 10.0}),
    ("softdtw", {"gamma": "median"}),
]


def always_bounded(name):
    """The metric with bounds that are taken to pay, however short the series."""
    return replace(stotmetrics.get_metric(name).spec, effort=None)


METRICS = [
    ("tiot", {}),
    ("tiot", {"p": 1.0, "root": False}),
    ("tiot", {"standardize": False}),
    ("etiot", {"epsilon": 0.01}),
    ("etiot", {"epsilon": 1.0, "root": False}),
    ("taot", {}),
    ("taot", {"scale": "median", "omega": 0.5}),
    ("taot", {"epsilon": 0.1, "w": 0.3}),
    *WARPING,
]


def draw_set(rng, count, ragged, ties):
    def draw():
        n = int(rng.integers(2, 8)) if ragged else 6
        values = rng.integers(0, 3, n).astype(float) if ties else rng.normal(size=n).cumsum()
        return as_series(values)

    return [draw() for _ in range(count)]


@given(st.integers(0, 2**32 - 1), st.sampled_from(METRICS), st.integers(1, 3), st.booleans(), st.booleans())
@settings(max_examples=2 * settings().max_examples)
def test_answer_equals_brute_force(seed, case, k, ragged, ties):
    name, params = case
    rng = np.random.default_rng(seed)
    train, queries = draw_set(rng, 7, ragged, ties), draw_set(rng, 3, ragged, ties)
    neighbors = stotmetrics.kneighbors(train, queries, always_bounded(name), k, **params)
    D = stotmetrics.pairwise(queries, train, metric=name, **params)
    nearest = np.sort(D, axis=1)[:, :k]
    np.testing.assert_allclose(neighbors.distances, nearest, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(np.take_along_axis(D, neighbors.indices, axis=1), nearest, rtol=1e-9, atol=1e-7)
    assert neighbors.pairs == 21
    assert neighbors.solved + neighbors.abandoned <= 21
    assert all(len(set(row)) == k for row in neighbors.indices.tolist())


@pytest.mark.filterwarnings("ignore::stotmetrics.AxisWarning")
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(WARPING),
    st.integers(1, 9),
    st.integers(1, 70),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from([6, 50]),  # bounds do not pay for series as short as the former
)
@settings(max_examples=3 * settings().max_examples)
def test_search_in_blocks_is_brute_force_to_the_last_bit(seed, case, k, size, ragged, ties, dim, longest):
    name, params = case
    rng = np.random.default_rng(seed)

    def draw():
        n = int(rng.integers(1, 9)) if ragged else longest
        return rng.integers(0, 2, (n, dim)).astype(float) if ties else rng.normal(size=(n, dim)).cumsum(axis=0)

    train, queries = [draw() for _ in range(size)], [draw() for _ in range(int(rng.integers(1, 30)))]
    k = min(k, size)
    neighbors = stotmetrics.kneighbors(train, queries, always_bounded(name), k, **params)
    D = stotmetrics.pairwise(queries, train, metric=name, **params)
    # Stable: of two at the same distance, the one that comes first.
    order = np.argsort(D, axis=1, kind="stable")[:, :k]
    assert (neighbors.distances == np.take_along_axis(D, order, axis=1)).all()
    assert (neighbors.indices == order).all()
    assert k * len(queries) <= neighbors.solved <= neighbors.pairs
    assert neighbors.abandoned == 0


@pytest.mark.parametrize(("name", "params"), WARPING[:-2])
def test_search_in_blocks_spares_most_of_the_work(name, params):
    rng = np.random.default_rng(5)
    levels = 4.0 * np.arange(12)
    train = [level + 0.1 * rng.normal(size=60) for level in levels for _ in range(10)]
    queries = [level + 0.1 * rng.normal(size=60) for level in levels]
    neighbors = stotmetrics.kneighbors(train, queries, always_bounded(name), **params)
    assert (neighbors.indices[:, 0] // 10 == np.arange(12)).all()
    assert neighbors.solved < 0.3 * neighbors.pairs


@pytest.mark.parametrize(("band", "all_solved"), [(1, True), (None, False)])
def test_bounds_that_take_longer_than_the_pairs_are_left_out(band, all_solved):
    rng = np.random.default_rng(5)
    levels = 4.0 * np.arange(12)
    train = [level + 0.1 * rng.normal(size=200) for level in levels for _ in range(5)]
    queries = [level + 0.1 * rng.normal(size=200) for level in levels[2:]]
    neighbors = stotmetrics.kneighbors(train, queries, "dtw", band=band)
    assert (neighbors.indices[:, 0] // 5 == np.arange(2, 12)).all()
    assert (neighbors.solved == neighbors.pairs) == all_solved


def test_bounds_that_say_nothing_are_asked_for_the_first_queries_only():
    asked = []

    def bounds(left, right, rows, cols, params):
        asked.append(len(left))
        return np.full(len(rows), -np.inf)

    spec = replace(stotmetrics.get_metric("dtw").spec, lower_bounds=bounds)
    rng = np.random.default_rng(3)
    train, queries = rng.normal(size=(20, 6)), rng.normal(size=(50, 6))
    neighbors = stotmetrics.kneighbors(train, queries, bind(spec), 3)
    assert (neighbors.indices == stotmetrics.kneighbors(train, queries, "dtw", 3).indices).all()
    assert neighbors.solved == 1000
    assert sum(asked) < 10


@given(st.integers(0, 2**32 - 1), st.sampled_from(WARPING), st.booleans())
def test_a_pair_has_its_value_however_large_the_set_around_it(seed, case, ragged):
    name, params = case
    rng = np.random.default_rng(seed)
    metric, series = stotmetrics.get_metric(name, **params), draw_set(rng, 250, ragged, False)
    large = metric.prepare_all(series)
    rows, cols = rng.integers(0, 250, (2, 12)).astype(np.intp)
    small, at = metric.prepare_all([series[k] for k in (*rows, *cols)]), np.arange(12, dtype=np.intp)
    for function in ("block", "lower_bounds"):
        got, wanted = (
            getattr(metric, function)(large, large, rows, cols),
            getattr(metric, function)(small, small, at, at + 12),
        )
        np.testing.assert_array_equal(getattr(got, "values", got), getattr(wanted, "values", wanted))


def test_the_work_of_a_block_does_not_grow_with_the_set(monkeypatch):
    handed = []

    def values(x, x_at, y, y_at, rows, cols, *how):
        handed.append(len(x_at) + len(y_at))
        return _softdtw_many.values(x, x_at, y, y_at, rows, cols, *how)

    monkeypatch.setattr("stotmetrics.metrics.softdtw._softdtw_many", SimpleNamespace(values=values))
    rng = np.random.default_rng(0)
    train, queries = rng.normal(size=(3000, 150)).cumsum(axis=1), rng.normal(size=(5, 150)).cumsum(axis=1)
    neighbors = stotmetrics.kneighbors(train, queries, "dtw")
    assert neighbors.solved < neighbors.pairs / 2
    assert sum(handed) < 4 * neighbors.solved + 20 * len(handed)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([case for case in METRICS if case not in WARPING]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_lower_bound_is_below_the_value(seed, case, ragged, ties, weighted):
    name, params = case
    rng = np.random.default_rng(seed)
    x, y = draw_set(rng, 2, ragged, ties)
    if weighted:
        x = as_series(x.values, weights=rng.uniform(size=len(x)) * rng.integers(0, 2, len(x)) + 1e-3)
    metric = stotmetrics.get_metric(name, **params)
    first = np.zeros(1, dtype=np.intp)
    (bound,) = metric.lower_bounds([metric.prepare(x)], [metric.prepare(y)], first, first)
    value = metric(x, y)
    assert bound <= value + 1e-9 * (1 + value)


def test_bounds_and_abandoning_spare_most_of_the_work():
    rng = np.random.default_rng(5)
    shapes = [np.sin(np.linspace(0, f, 60)) + s * np.linspace(-1, 1, 60) for f in (3, 9, 20) for s in (0, 2)]
    train = [shape + 0.05 * rng.normal(size=60) for shape in shapes for _ in range(5)]
    queries = [shape + 0.05 * rng.normal(size=60) for shape in shapes]
    neighbors = stotmetrics.kneighbors(train, queries, "tiot")
    assert neighbors.pairs == 180
    assert neighbors.solved < 60
    assert (neighbors.indices[:, 0] // 5 == np.arange(6)).all()


def test_the_last_queries_look_ahead_and_not_far():
    """One query far from all series, fifteen at one of them: its candidates go several at a time later."""
    rng = np.random.default_rng(8)
    train = rng.normal(size=(300, 40))
    queries = np.concatenate([train[:15], rng.normal(size=(1, 40))])
    spec, rounds = stotmetrics.get_metric("tiot").spec, []

    def block(left, right, rows, cols, params, cutoff=None):
        rounds.append(rows)
        return spec.block(left, right, rows, cols, params, cutoff)

    neighbors = stotmetrics.kneighbors(train, queries, replace(spec, block=block))
    of_last = [int((rows == 15).sum()) for rows in rounds]
    looked_at = np.cumsum([0, *of_last])
    assert looked_at[-1] > 50
    assert max(of_last) > 3
    for ahead, before in zip(of_last, looked_at, strict=False):
        assert ahead <= max(1, before / 8)
    # The first round has two of each.
    assert max(len(rows) for rows in rounds) == 16
    D = stotmetrics.pairwise(queries, train, metric="tiot")
    assert (neighbors.indices[:, 0] == D.argmin(axis=1)).all()


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("name", ["tiot", "dtw"])
def test_answer_does_not_depend_on_n_jobs(name, n_jobs):
    rng = np.random.default_rng(1)
    train, queries = draw_set(rng, 12, False, False), draw_set(rng, 40, False, False)
    alone = stotmetrics.kneighbors(train, queries, name, 3)
    neighbors = stotmetrics.kneighbors(train, queries, name, 3, n_jobs=n_jobs)
    assert (neighbors.indices == alone.indices).all()
    assert (neighbors.distances == alone.distances).all()
    assert neighbors.solved == alone.solved


def test_ties_go_to_the_first_of_the_training_set():
    x = [0.0, 1.0, 0.0, 2.0]
    neighbors = stotmetrics.kneighbors([[5.0, 1.0, 0.0, 0.0], x, x, x], [x], "tiot", 2)
    assert neighbors.indices.tolist() == [[1, 2]]


@pytest.mark.parametrize("name", ["tiot", "dtw", "softdtw"])
def test_progress_tells_all_pairs(name):
    told = []
    stotmetrics.kneighbors([[0.0, 1.0]] * 3, [[1.0, 0.0]] * 10, name, progress=lambda done, total: told.append(done))
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


def test_a_host_that_raises_at_underflow_raises_nothing_here():
    tiny = np.array([[0.0, 6.7e-164], [3.5e-161, 3.6e-161], [0.0, 6.0e-164]])
    with np.errstate(all="raise"):
        neighbors = stotmetrics.kneighbors(tiny[1:], tiny[:1], "softdtw", 2, gamma=0.0)
    assert np.isfinite(neighbors.distances).all()


@given(st.integers(0, 5), st.integers(0, 300), st.integers(1, 20), st.integers(1, 8))
def test_every_query_is_in_one_task_and_several_workers_begin_and_end_with_short_ones(start, count, step, workers):
    spans = list(_spans(start, start + count, step, workers))
    assert [k for span in spans for k in range(*span)] == list(range(start, start + count))
    sizes = [stop - begin for begin, stop in spans]
    assert all(size <= step for size in sizes)
    if workers > 1 and sizes:
        assert sizes[0] == 1 and sizes[-1] <= max(1, count // workers)
