"""The law that stands for sample paths: cells, nodes and their probabilities."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics import as_paths
from stotmetrics.metrics.path_laws import TOTAL, cells_at_rate, law_of_paths, quantised
from stotmetrics.reference.paths import least_count, quantise
from stotmetrics.testing.strategies import histograms, series

SEEDS = st.integers(0, 2**32 - 1)


def inertia(values, mass, labels):
    means = np.bincount(labels, weights=mass * values) / np.bincount(labels, weights=mass)
    return (mass * (values - means[labels]) ** 2).sum()


@given(SEEDS, st.integers(2, 9), st.integers(1, 5))
def test_cells_on_a_line_have_the_least_sum_of_squares_of_all(seed, n, cells):
    rng = np.random.default_rng(seed)
    values, mass = np.sort(rng.normal(size=n)), rng.uniform(0.1, 1.0, size=n)
    labels, centres = quantised(values[:, None], mass, cells, "kmeans")
    cells = min(cells, n)
    least = min(
        inertia(values, mass, np.searchsorted(cuts, np.arange(n), side="right"))
        for cuts in combinations(range(1, n), cells - 1)
    )
    assert len(centres) == cells
    assert inertia(values, mass, labels) == pytest.approx(least, abs=1e-12)
    for k in range(cells):
        mean = np.average(values[labels == k], weights=mass[labels == k])
        assert centres[k, 0] == pytest.approx(mean, rel=1e-12)


def test_many_cells_of_many_values_are_no_worse_than_those_of_a_search():
    from sklearn.cluster import KMeans

    values = np.random.default_rng(0).normal(size=3000)
    labels, centres = quantised(values[:, None], np.full(3000, 1 / 3000), 30, "kmeans")
    search = KMeans(30, n_init=3, random_state=0).fit(values[:, None])
    assert len(centres) == 30
    assert 3000 * inertia(values, np.full(3000, 1 / 3000), labels) <= search.inertia_ * (1 + 1e-12)


def test_every_point_of_the_plane_is_nearest_to_the_mean_of_its_cell():
    rng = np.random.default_rng(0)
    values, mass = rng.normal(size=(200, 2)), rng.integers(1, 4, size=200) / 4
    labels, centres = quantised(values, mass, 7, "kmeans")
    np.testing.assert_array_equal(((values[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1), labels)
    for k in range(7):
        np.testing.assert_allclose(centres[k], np.average(values[labels == k], axis=0, weights=mass[labels == k]))


@given(SEEDS, st.integers(1, 30), st.integers(1, 3), st.integers(1, 9), st.sampled_from(["kmeans", "grid"]))
def test_cells_are_those_of_the_reference(seed, n, d, cells, quantizer):
    rng = np.random.default_rng(seed)
    # With and without ties.
    values = rng.normal(size=(n, d)).round(1 if seed % 2 else 9)
    mass = rng.integers(1, 4, size=n) / 4
    labels, centres = quantised(values, mass, cells, quantizer)
    wanted, means = quantise([tuple(v) for v in values.tolist()], mass.tolist(), cells, quantizer)
    np.testing.assert_allclose(centres[labels], np.array(means)[wanted], rtol=1e-12, atol=1e-12)
    assert len(centres) <= cells
    assert (np.bincount(labels) > 0).all()


@given(series(min_length=1, max_length=8), st.integers(1, 4), st.sampled_from(["kmeans", "grid"]))
def test_cells_do_not_depend_on_the_order(values, cells, quantizer):
    n = len(values)
    mass, order = np.full(n, 1 / n), np.random.default_rng(n).permutation(n)
    labels, centres = quantised(values, mass, cells, quantizer)
    shuffled, again = quantised(values[order], mass, cells, quantizer)
    np.testing.assert_allclose(again[shuffled], centres[labels][order], rtol=1e-12, atol=1e-12)


def test_a_grid_has_cells_of_equal_sides():
    values = np.array([0.0, 0.1, 0.9, 1.0, 2.5, 3.0])
    labels, centres = quantised(values[:, None], np.full(6, 1 / 6), 3, "grid")
    assert labels.tolist() == [0, 0, 0, 1, 2, 2]
    np.testing.assert_allclose(centres[:, 0], [1 / 3, 1.0, 2.75])


def test_a_grid_of_the_plane_has_as_many_cells_on_every_axis():
    values = np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), axis=-1).reshape(-1, 2)
    for cells, count in ((4, 4), (8, 4), (9, 9), (3, 1)):
        assert len(quantised(values, np.full(36, 1 / 36), cells, "grid")[1]) == count


def test_values_that_are_few_stay_as_they_are():
    values = np.array([[0.1], [0.2], [0.1], [-0.0], [0.0]])
    for quantizer in ("kmeans", "grid"):
        labels, centres = quantised(values, np.full(5, 0.2), 3, quantizer)
        assert centres[:, 0].tolist() == [0.0, 0.1, 0.2]
        assert labels.tolist() == [1, 2, 1, 0, 0]


@given(st.integers(1, 8), st.integers(1, 5000), st.integers(1, 4), st.booleans())
def test_the_number_of_cells_grows_at_the_published_rate(steps, paths, d, markovian):
    cells = cells_at_rate(steps, paths, d, markovian)
    assert cells == least_count(paths, steps, d, markovian)


@given(SEEDS, st.integers(1, 4), st.integers(1, 12), st.booleans())
def test_probabilities_are_those_of_the_paths_and_whole_masses_add_up(seed, steps, paths, markovian):
    rng = np.random.default_rng(seed)
    values, weights = rng.integers(0, 3, size=(steps, paths)).astype(float), rng.uniform(0, 1, size=paths) + 1e-9
    law = law_of_paths(as_paths(values, weights=weights), None, "kmeans", markovian)
    assert law.layer[1] == 1
    assert len(law.value) == law.layer[-1]
    inner = law.layer[-2]
    assert len(law.first) == inner + 1
    for node in range(inner):
        arcs = slice(law.first[node], law.first[node + 1])
        assert int(law.whole[arcs].sum()) == TOTAL
        assert law.share[arcs].sum() == pytest.approx(1.0, abs=1e-12)
        assert (np.diff(law.child[arcs]) > 0).all()
        # On a line the children of a node are in the order of their values.
        layer = np.searchsorted(law.layer, node, side="right") - 1
        assert (np.diff(law.value[law.layer[layer + 1] + law.child[arcs], 0]) > 0).all()
    for t in range(steps):
        np.testing.assert_array_equal(law.value[law.nodes(t)][law.path[t], 0], values[t, law.support])


@given(histograms(5, zeros=False))
def test_masses_of_any_scale_are_shares(weights):
    values = np.arange(5.0)[None]
    wanted = law_of_paths(as_paths(values, weights=weights), None, "kmeans", False).share
    for scale in (1e-310, 1e-200, 1e200, 1e307):
        shares = law_of_paths(as_paths(values, weights=scale * weights), None, "kmeans", False).share
        np.testing.assert_allclose(shares, wanted, rtol=1e-4 if scale < 1e-300 else 1e-12)
