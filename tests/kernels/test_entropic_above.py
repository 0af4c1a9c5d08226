"""Entropic transport is given up as soon as its value is certainly above a cutoff, and not where it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.kernels._entropic import ABOVE, Workspace
from stotmetrics.reference.entropic import EntropicTransport

ROUGH, SMOOTH = "rough", "smooth"


def problem(seed, kind, n, m):
    """Costs (A, B) and masses (a, b) of two series, smooth ones, or costs at random."""
    rng = np.random.default_rng(seed)
    a, b = (side / side.sum() for side in (rng.uniform(0.01, 1.0, n), rng.uniform(0.01, 1.0, m)))
    if kind == ROUGH:
        return *rng.exponential(size=(2, n, m)), a, b
    t, s = np.linspace(-1.5, 1.5, n), np.linspace(-1.5, 1.5, m)
    x, y = (np.sin(2.0 * time + rng.uniform(0.0, 0.5)) for time in (t, s))
    return np.subtract.outer(x, y) ** 2, np.subtract.outer(t, s) ** 2, np.full(n, 1 / n), np.full(m, 1 / m)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([ROUGH, SMOOTH]),
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(-4.0, 1.0),
    st.floats(0.05, 1.5),
)
def test_what_is_given_up_lies_above_its_cutoff(seed, kind, n, m, power, share):
    A, _, a, b = problem(seed, kind, n, m)
    epsilon = 10.0**power
    independent = EntropicTransport(A, a, b)
    plan = independent.coupling(*independent.potentials(epsilon), epsilon)
    value = float((A * plan).sum())
    status, bound, *_ = Workspace().sinkhorn(A, a, b, epsilon, 1e-9, 200, share * value)
    if status == ABOVE:
        assert share * value < bound <= value * (1 + 1e-7) + 1e-9


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 9), st.floats(-3.0, 0.0), st.floats(0.05, 1.5))
def test_what_is_given_up_at_the_worst_w_lies_above_its_cutoff(seed, n, m, power, share):
    rng = np.random.default_rng(seed)
    x, y = (stotmetrics.as_series(rng.normal(size=k)) for k in (n, m))
    metric = stotmetrics.get_metric("etiot", epsilon=10.0**power, root=False)
    value = metric.reference(x, y).value
    at, sides = np.zeros(1, dtype=np.intp), [[metric.prepare(s)] for s in (x, y)]
    if metric.block(*sides, at, at, np.array([share * value])).abandoned[0]:
        assert share <= 1.0 + 1e-7


@pytest.mark.parametrize("epsilon", [0.003, 0.01, 0.1])
def test_smooth_pairs_are_given_up_in_little_more_than_half_of_the_steps(epsilon):
    """Once the last epsilon is reached, and a step promises little more."""
    spared = []
    for seed in range(20):
        A, B, a, b = problem(seed, SMOOTH, 60, 50)
        _, value, _, _, steps = Workspace().sinkhorn(A + B, a, b, epsilon, 1e-9, 200)
        status, bound, _, _, fewer = Workspace().sinkhorn(A + B, a, b, epsilon, 1e-9, 200, 0.7 * value)
        assert status == ABOVE
        assert 0.7 * value < bound < value
        spared.append(fewer / steps)
    assert np.mean(spared) <= 0.6


def test_a_cutoff_at_the_value_changes_nothing():
    for seed in range(20):
        A, B, a, b = problem(seed, (ROUGH, SMOOTH)[seed % 2], 30, 20)
        whole = Workspace().sinkhorn(A + B, a, b, 0.05, 1e-9, 200)
        assert Workspace().sinkhorn(A + B, a, b, 0.05, 1e-9, 200, whole[1] * (1 + 1e-9)) == whole


def test_of_few_atoms_the_bound_is_nearly_attained_and_holds():
    """Their plans have a direction or four to be wrong in, and the costs are one of them."""
    rng = np.random.default_rng(8)
    for _ in range(400):
        n, epsilon, a = int(rng.integers(2, 4)), 10.0 ** rng.uniform(-2.0, 0.0), rng.dirichlet(np.full(3, 3.0))
        cost, masses = rng.exponential(size=(n, n)), (a[:n] / a[:n].sum(), np.full(n, 1 / n))
        value = Workspace().sinkhorn(cost, *masses, epsilon, 1e-13, 400)[1]
        for share in (1.0 + 1e-7, 1.001, 1.01, 1.05):
            assert Workspace().sinkhorn(cost, *masses, epsilon, 1e-9, 200, share * value)[0] != ABOVE


@pytest.mark.parametrize(("metric", "params"), [("etiot", {"epsilon": 0.05}), ("taot", {"epsilon": 0.05})])
def test_neighbours_are_those_of_the_matrix_and_most_pairs_are_given_up(metric, params):
    """Where the bias of epsilon hides the distances, exact transport tells nothing."""
    rng = np.random.default_rng(3)
    t = np.linspace(0.0, 2.0 * np.pi, 50)
    X = np.array([np.sin(t + shift) + 0.2 * np.sin(3.0 * t + other) for shift, other in rng.uniform(0, 3, (40, 2))])
    train, queries = X[:30], X[30:]
    nearest = stotmetrics.kneighbors(train, queries, metric, k=2, **params)
    D = stotmetrics.pairwise(queries, train, metric=metric, **params)
    np.testing.assert_array_equal(nearest.indices, np.argsort(D, axis=1, kind="stable")[:, :2])
    np.testing.assert_allclose(nearest.distances, np.sort(D, axis=1)[:, :2], rtol=1e-9)
    assert nearest.abandoned >= nearest.solved
