"""POT takes metrics as ground costs, and plans come as its results."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import stotmetrics
from stotmetrics import InvalidParameterError

ot = pytest.importorskip("ot")
from stotmetrics.hosts.pot import ground_cost, solve  # noqa: E402

RNG = np.random.default_rng(5)
X = [RNG.normal(size=n) for n in (9, 10, 12, 11)]
Y = [x[::-1] + 0.1 for x in X]


@pytest.mark.parametrize(
    ("metric", "params"), [("tiot", {}), ("etiot", {"epsilon": 0.1}), ("taot", {}), ("tlp", {}), ("opw", {})]
)
def test_a_plan_comes_as_the_result_of_pot(metric, params):
    result, expected = solve(X[0], X[1], metric, **params), stotmetrics.solve(X[0], X[1], metric, **params)
    assert isinstance(result, ot.utils.OTResult)
    assert result.value == expected.value
    np.testing.assert_array_equal(result.plan, expected.plan)
    np.testing.assert_allclose(result.marginal_a, np.full(9, 1 / 9), atol=1e-6)
    np.testing.assert_allclose(result.marginal_b, np.full(10, 1 / 10), atol=1e-6)
    assert result.status == "converged"
    assert result.log["gap"] == expected.gap


def test_plan_of_tiot_is_optimal_for_its_own_cost():
    x, y = X[0], X[0][::-1]
    result = solve(x, y, "tiot", standardize=False)
    w, time = result.log["w"], np.arange(9.0)
    cost = w * np.subtract.outer(x, y) ** 2 + (1 - w) * np.subtract.outer(time, time) ** 2
    reference = ot.solve(cost)
    assert (result.plan * cost).sum() == pytest.approx(reference.value, rel=1e-6)
    assert result.value**2 == pytest.approx(reference.value, rel=1e-6)
    np.testing.assert_array_less(np.add.outer(*result.potentials), cost + 1e-6)


def test_a_metric_without_a_plan_is_refused():
    with pytest.raises(InvalidParameterError, match="metric must have a transport plan"):
        solve(X[0], X[1], "dtw")


def test_sets_of_series_are_transported():
    M = ground_cost(X, Y, "tiot", p=2.0)
    np.testing.assert_array_equal(M, stotmetrics.pairwise(X, Y, metric="tiot") ** 2)
    assert ot.solve(M).value == pytest.approx(M[linear_sum_assignment(M)].mean())


def test_gromov_finds_the_order_of_a_shuffled_set():
    order = [2, 0, 3, 1]
    C = ground_cost(X, metric="dtw")
    shuffled = ground_cost([X[k] for k in order], metric="dtw")
    plan = ot.gromov.gromov_wasserstein(C, shuffled, G0=ot.solve(ground_cost(X, [X[k] for k in order], "dtw")).plan)
    np.testing.assert_array_equal(plan.argmax(axis=0), order)
    M = ground_cost(X, [X[k] for k in order], "tiot")
    fused = ot.gromov.fused_gromov_wasserstein(M, C, shuffled, alpha=0.5)
    np.testing.assert_array_equal(fused.argmax(axis=0), order)


def test_dist_takes_a_metric_of_flat_rows():
    rows = RNG.normal(size=(5, 12))
    expected = stotmetrics.pairwise(rows.reshape(5, 6, 2), metric="dtw")
    np.testing.assert_allclose(ot.dist(rows, rows, metric=stotmetrics.get_metric("dtw").flat(2)), expected)


def test_powers_of_negative_distances_are_refused():
    with pytest.raises(InvalidParameterError, match="p must be positive"):
        ground_cost(X, metric="softdtw", p=2.0)
    with pytest.raises(InvalidParameterError, match="p must be positive"):
        ground_cost(X, metric="dtw", p=0.0)
