"""Alignment paths: they are alignments, their cost is that of the value, and ties are broken as stated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series
from stotmetrics.kernels import _path, _softdtw
from stotmetrics.testing.strategies import cost_matrices, series_pair
from stotmetrics.transport.point_clouds import cost_matrices as cloud_costs

bands = st.sampled_from([None, 0, 1, 3])


def is_alignment(path, n, m):
    steps = {tuple(step) for step in np.diff(path, axis=0).tolist()}
    ends = path[0].tolist() == [0, 0] and path[-1].tolist() == [n - 1, m - 1]
    return ends and steps <= {(1, 1), (1, 0), (0, 1)}


def alignments(n, m):
    """All of them, from the last cell back, in the order of preference."""
    if (n, m) == (1, 1):
        return [[(0, 0)]]
    before = [(n - 1, m - 1), (n - 1, m), (n, m - 1)]
    return [[*path, (n - 1, m - 1)] for a, b in before if a > 0 and b > 0 for path in alignments(a, b)]


@given(cost_matrices(signed=True), st.sampled_from([-1, 0, 1, 2]))
def test_the_cost_along_the_path_is_the_least_of_all(cost, radius):
    path = _path.path(cost, radius)
    assert is_alignment(path, *cost.shape)
    first, last = _softdtw.band(*cost.shape, radius if radius >= 0 else max(cost.shape))
    assert ((first[path[:, 0]] <= path[:, 1]) & (path[:, 1] <= last[path[:, 0]])).all()
    assert cost[tuple(path.T)].sum() == pytest.approx(_softdtw.value(cost, 0.0, radius), abs=1e-12)


@given(cost_matrices(rows=st.integers(1, 4), cols=st.integers(1, 4)).map(np.round))
def test_ties_are_broken_as_stated(cost):
    """Of all alignments of least cost, whole numbers that add up without rounding, the first in the stated order."""
    every = alignments(*cost.shape)
    costs = [sum(cost[cell] for cell in path) for path in every]
    assert _path.path(cost).tolist() == [list(cell) for cell in every[int(np.argmin(costs))]]


def test_forbidden_cells_are_gone_around_or_leave_no_path():
    inf = np.inf
    cost = np.array([[0.0, inf, 0.0], [5.0, inf, 0.0], [0.0, 7.0, 0.0]])
    assert _path.path(cost).tolist() == [[0, 0], [1, 0], [2, 1], [2, 2]]
    assert stotmetrics.softdtw_from_cost(cost, gamma=0.0).path.tolist() == _path.path(cost).tolist()
    cost[2, 1] = inf
    assert len(_path.path(cost)) == 0


@given(series_pair(dims=st.integers(1, 2)), bands, st.booleans())
def test_path_of_dtw_costs_what_dtw_says(pair, band, squared):
    x, y = pair
    path, value = stotmetrics.alignment_path(as_series(x), as_series(y), metric="dtw", band=band, squared=squared)
    total = sum(((x[i] - y[j]) ** 2).sum() for i, j in path)
    assert value == pytest.approx(total if squared else np.sqrt(total), abs=1e-9)
    assert is_alignment(np.array(path), len(x), len(y))


@given(series_pair(), bands, st.sampled_from([0.01, 1.0]))
def test_path_of_the_soft_family_is_that_of_hard_dtw(pair, band, gamma):
    """The most probable alignment is the cheapest; its cost is above soft-DTW by no more than gamma log D."""
    x, y = pair
    wanted, hard = stotmetrics.alignment_path(x, y, metric="dtw", band=band)
    for metric in ("softdtw", "softdtw_divergence", "softdtw_sharp"):
        path, value = stotmetrics.alignment_path(x, y, metric=metric, gamma=gamma, band=band)
        assert path == wanted
        assert value == stotmetrics.distance(x, y, metric=metric, gamma=gamma, band=band)
    still = np.zeros((len(x), 1)), np.zeros((len(y), 1))
    log_count = -stotmetrics.softdtw(*still, gamma=1.0, band=band)
    soft = stotmetrics.softdtw(x, y, gamma=gamma, band=band)
    assert hard - gamma * log_count - 1e-9 <= soft <= hard + 1e-9


def test_the_expected_alignment_tends_to_the_path():
    x, y = np.random.default_rng(0).normal(size=(2, 9))
    result = stotmetrics.solve(x, y, metric="softdtw", gamma=1e-4)
    crisp = np.zeros((9, 9))
    crisp[tuple(result.path.T)] = 1.0
    np.testing.assert_allclose(result.alignment, crisp, atol=1e-6)


def test_path_of_sta_is_the_cheapest_under_its_costs():
    X, Y = np.random.default_rng(0).uniform(0.1, 2.0, size=(2, 6, 5))
    result = stotmetrics.solve(X, Y[:4], metric="sta", gamma=0.0)
    assert result.cost[tuple(result.path.T)].sum() == pytest.approx(result.value)
    assert is_alignment(result.path, 6, 4)
    with pytest.raises(NotImplementedError, match="has no path"):
        stotmetrics.alignment_path(X - 1, Y - 1, metric="sta", signed="split")


@given(st.integers(0, 2**32 - 1))
def test_path_of_exact_transport_carries_the_plan_and_its_cost(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 8, 2)
    x = as_series(rng.normal(size=(n, 2)), weights=np.r_[0.0, rng.uniform(0.1, 1.0, n - 1)])
    y = as_series(rng.normal(size=(m, 2)))
    for name in ("tiot", "taot", "tlp"):
        metric = stotmetrics.get_metric(name, standardize=False)
        result = metric.solve(x, y)
        at = tuple(result.path.T)
        assert (np.lexsort(result.path.T[::-1]) == np.arange(len(result.path))).all()
        plan = np.zeros((n, m))
        plan[at] = result.masses
        np.testing.assert_array_equal(plan, result.plan)
        assert np.count_nonzero(plan) == len(result.path)
        A = ((x.values[:, None] - y.values[None]) ** 2).sum(axis=2)
        B = (x.times[:, None] - y.times) ** 2
        w, v = (result.w, 1.0 - result.w) if name == "tiot" else (1.0, 1.0)
        total = float(result.masses @ (w * A + v * B)[at])
        assert total == pytest.approx(result.value if name == "taot" else result.value**2, rel=1e-9)
        path, value = stotmetrics.alignment_path(x, y, metric=metric)
        assert path == [tuple(pair) for pair in result.path.tolist()] and value == result.value
    assert cloud_costs(metric.prepare(x), metric.prepare(y), 2.0)[0].shape == (n - 1, m)


@pytest.mark.parametrize("name", ["etiot", "opw", "euclidean", "otw", "gak"])
def test_a_metric_without_a_path_says_what_it_offers(name):
    with pytest.raises(NotImplementedError, match=rf"{name}\(.*has no path; solve\(x, y, metric\) offers"):
        stotmetrics.alignment_path([0.0, 1.0, 2.0], [0.0, 2.0, 1.0], metric=name)


def walks(count, dims=1):
    rng = np.random.default_rng(1)
    return [rng.normal(size=(n, dims)).cumsum(axis=0) for n in rng.integers(5, 40, count)]


@pytest.mark.parametrize("dims", [1, 3])
def test_paths_are_those_of_tslearn(dims):
    dtw_path = pytest.importorskip("tslearn.metrics").dtw_path
    X = walks(12, dims)
    for x, y in zip(X[::2], X[1::2], strict=True):
        path, value = stotmetrics.alignment_path(x, y, metric="dtw", squared=False)
        wanted, distance = dtw_path(x, y)
        assert path == [tuple(map(int, pair)) for pair in wanted]
        assert value == pytest.approx(distance)
    # Ties: tslearn breaks them likewise.
    x, y = [0.0, 0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0, 2.0, 2.0]
    assert stotmetrics.alignment_path(x, y, metric="dtw")[0] == [tuple(map(int, p)) for p in dtw_path(x, y)[0]]


@pytest.mark.parametrize("dims", [1, 3])
def test_paths_are_those_of_aeon(dims):
    dtw_alignment_path = pytest.importorskip("aeon.distances").dtw_alignment_path
    X = walks(12, dims)
    for x, y in zip(X[::2], X[1::2], strict=True):
        path, value = stotmetrics.alignment_path(x, y, metric="dtw")
        wanted, distance = dtw_alignment_path(np.ascontiguousarray(x.T), np.ascontiguousarray(y.T))
        assert path == [tuple(map(int, pair)) for pair in wanted]
        assert value == pytest.approx(distance)
