"""opw against plain sweeps on the kernel of the paper, and its limits."""

import numpy as np
import pytest

import stotmetrics


@pytest.mark.parametrize("seed", range(4))
def test_value_equals_plain_sweeps_on_the_kernel_of_the_paper(seed):
    rng = np.random.default_rng(seed)
    metric = stotmetrics.get_metric("opw", moment=5.0, epsilon=0.2, sigma=0.7)
    x, y = (stotmetrics.as_series(rng.normal(size=(n, 2))) for n in (5, 4))
    assert metric(x, y) == pytest.approx(metric.reference(x, y).value, rel=1e-8)


def test_plan_has_the_weights_as_marginals():
    x = stotmetrics.as_series([0.0, 1.0, 2.0], weights=[0.5, 0.0, 0.5])
    plan = stotmetrics.solve(x, [0.0, 2.0], metric="opw").plan
    assert plan.sum() == pytest.approx(1.0)
    assert plan.sum(axis=1) == pytest.approx([0.5, 0.0, 0.5])
    assert plan.sum(axis=0) == pytest.approx([0.5, 0.5])


def test_a_strong_moment_holds_the_plan_to_the_diagonal():
    x, y = np.arange(6.0), np.arange(6.0)[::-1]
    loose = stotmetrics.distance(x, y, metric="opw", moment=0.0, epsilon=0.1, sigma=100.0)
    held = stotmetrics.distance(x, y, metric="opw", moment=5000.0, epsilon=0.1, sigma=100.0)
    assert loose < 0.2
    assert held == pytest.approx(((x - y) ** 2).mean(), rel=1e-6)


def test_order_matters():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    assert stotmetrics.distance(x, x, metric="opw") < stotmetrics.distance(x, x[[1, 0, 2, 3]], metric="opw")


@pytest.mark.parametrize("moment", [0.0, 2.0, 20.0])
def test_gradient_is_that_of_the_value_whatever_leaving_the_diagonal_costs(moment):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    metric = stotmetrics.get_metric("opw", moment=moment, epsilon=0.5, sigma=0.7, tol=1e-13)
    moves = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
    slopes = [(metric(x + move, y) - metric(x - move, y)) / 2e-5 for move in moves]
    np.testing.assert_allclose(metric.value_and_grad(x, y)[1].ravel(), slopes, atol=1e-7)


def test_a_sample_without_weight_has_no_slope_and_moves_nothing():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4, 1)), rng.normal(size=(5, 1))
    metric = stotmetrics.get_metric("opw", epsilon=0.5)
    weighted = [stotmetrics.as_series(values, weights=[1.0, 0.0, 1.0, 2.0]) for values in (x, x + np.eye(4)[:, 1:2])]
    value, slope, _ = metric.value_and_grad(weighted[0], y)
    assert slope[1, 0] == 0.0
    assert (np.abs(slope[[0, 2, 3], 0]) > 1e-3).all()
    assert metric(weighted[1], y) == pytest.approx(value, rel=1e-9)


def test_pairs_side_by_side_are_those_of_the_paper_one_by_one():
    """Of other lengths, with samples without weight, in several dimensions."""
    rng = np.random.default_rng(5)
    metric = stotmetrics.get_metric("opw", moment=3.0, epsilon=0.3, sigma=1.5)
    X = [
        stotmetrics.as_series(rng.normal(size=(n, 2)), weights=np.append(rng.uniform(0.1, 1.0, n - 1), n % 2))
        for n in (3, 7, 4, 6)
    ]
    D = stotmetrics.pairwise(X, X[::-1], metric=metric)
    for i, x in enumerate(X):
        for j, y in enumerate(X[::-1]):
            gap = metric.solve(x, y).gap
            assert D[i, j] == pytest.approx(metric.reference(x, y).value, rel=1e-8, abs=gap)


def test_pairs_at_a_limit_of_epsilon_stand_beside_others_in_a_block():
    near, far, still = [0.0, 1.0, 2.0], [1e12, 0.0, -1e12], [5.0]
    X = [near, far, still]
    metric = stotmetrics.get_metric("opw", moment=1.0, epsilon=0.1)
    prepared = metric.prepare_all([stotmetrics.as_series(x) for x in X])
    rows, cols = np.indices((3, 3), dtype=np.intp).reshape(2, -1)
    batch = metric.block(prepared, prepared, rows, cols)
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        single = metric.solve(X[i], X[j])
        assert batch.values[k] == pytest.approx(single.value, rel=1e-9, abs=single.gap)
        assert (batch.gap[k], batch.n_iter[k], batch.converged[k]) == (single.gap, single.n_iter, single.converged)


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
def test_where_the_steps_run_out_the_value_in_a_block_is_that_of_the_plan():
    """Whose marginals are right only with what the potentials left over."""
    x, y = np.random.default_rng(6).normal(size=(2, 12)) * 3.0
    params = {"moment": 1.0, "epsilon": 1e-3, "max_iter": 1}
    single = stotmetrics.solve(x, y, metric="opw", **params)
    assert not single.converged
    (value,) = stotmetrics.pairwise([x], [y], metric="opw", **params).ravel()
    assert value == pytest.approx(float((single.plan * single.cost).sum()), rel=1e-12)
