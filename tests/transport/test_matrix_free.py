"""The solver that stores no matrix agrees with the one that does."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics.kernels._entropic import Workspace
from stotmetrics.metrics import etiot
from stotmetrics.transport.matrix_free import LongProblem
from stotmetrics.transport.point_clouds import prepare_cloud


def walks(seed, n, m, d=1, weighted=False):
    rng = np.random.default_rng(seed)
    return [
        prepare_cloud(
            stotmetrics.as_series(
                rng.normal(size=(k, d)).cumsum(axis=0), weights=rng.uniform(size=k) if weighted else None
            ),
            True,
        )
        for k in (n, m)
    ]


@pytest.mark.parametrize(
    ("n", "m", "d", "p", "weighted"),
    [(500, 450, 1, 2.0, False), (450, 600, 2, 2.0, True), (3, 500, 1, 1.0, True), (500, 1, 1, 2.0, False)],
)
@pytest.mark.parametrize("epsilon", [0.02, 0.5])
def test_equals_the_solver_that_stores_the_plan(n, m, d, p, weighted, epsilon):
    x, y = walks(0, n, m, d, weighted)
    status, value, objective, _, w, _ = Workspace().etiot(
        x.values, x.times, x.weights, y.values, y.times, y.weights, p, epsilon, 1e-10, 200
    )
    assert status == 0
    problem = LongProblem(x, y, p, epsilon)
    result = problem.solve(1e-9, 100)
    assert result.status == 0
    assert -1e-12 <= result.gap <= 1e-9 * max(1.0, abs(objective))
    assert result.objective == pytest.approx(objective, abs=2e-9 * max(1.0, abs(objective)))
    assert result.value == pytest.approx(value, abs=1e-6)
    if m > 1:  # otherwise every w is as good, once both series are standardised
        assert result.w == pytest.approx(w, abs=1e-5)
    plan = problem.dense_plan(result)
    np.testing.assert_allclose(plan.sum(1), x.weights, atol=1e-6)
    np.testing.assert_allclose(plan.sum(0), y.weights, atol=1e-6)


def test_metric_takes_it_from_a_size_on(monkeypatch):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=60).cumsum(), rng.normal(size=50).cumsum()
    short = stotmetrics.solve(x, y, metric="etiot", epsilon=0.1)
    monkeypatch.setattr(etiot, "LONG", 100)
    long = stotmetrics.solve(x, y, metric="etiot", epsilon=0.1)
    assert long.value == pytest.approx(short.value, rel=1e-7)
    np.testing.assert_allclose(long.plan, short.plan, atol=1e-8)
    assert stotmetrics.pairwise([x], [y], metric="etiot", epsilon=0.1)[0, 0] == long.value
