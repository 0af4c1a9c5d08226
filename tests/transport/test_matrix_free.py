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


def clouds(kind, n, m, d=1, weighted=False, seed=0):
    rng = np.random.default_rng(seed)
    draw = {
        "noise": lambda k: rng.normal(size=(k, d)),
        "walks": lambda k: rng.normal(size=(k, d)).cumsum(axis=0),
        "ties": lambda k: rng.integers(0, 3, size=(k, d)).astype(float),
        "constant": lambda k: np.ones((k, d)),
    }[kind]
    return [
        prepare_cloud(stotmetrics.as_series(draw(k), weights=rng.uniform(size=k) if weighted else None), True)
        for k in (n, m)
    ]


@pytest.mark.parametrize("epsilon", [1.0, 0.01, 1e-3, 1e-4])
@pytest.mark.parametrize(
    ("kind", "d", "p", "weighted"),
    [("noise", 1, 2.0, False), ("noise", 3, 1.0, True), ("walks", 1, 3.0, True), ("ties", 1, 2.0, False),
     ("constant", 1, 2.0, True)],
)  # fmt: skip
def test_agrees_with_the_stored_plan_at_any_epsilon(kind, d, p, weighted, epsilon):
    x, y = clouds(kind, 220, 200, d, weighted)
    stored = Workspace().etiot(x.values, x.times, x.weights, y.values, y.times, y.weights, p, epsilon, 1e-9, 400)
    result = LongProblem(x, y, p, epsilon).solve(1e-9, 400)
    # Gaps bound both objectives from above, whatever has converged.
    apart = abs(result.objective - stored[2])
    assert apart <= max(result.gap, stored[3]) + 1e-12 * max(1.0, abs(stored[2]))
    assert -1e-12 * max(1.0, abs(result.objective)) <= result.gap <= 1e-6
    assert result.status == 0 or epsilon < 1e-3
    assert result.value == pytest.approx(stored[1], abs=1e-6 + 2.0 * max(result.gap, stored[3]))


@pytest.mark.parametrize("epsilon", [1e-4, 1e-6, 1e-10, 1e-14])
def test_noise_that_thinned_series_cannot_tell_has_an_honest_gap(epsilon):
    # Sums of exponentials overflowed here, and ended in a gap of NaN.
    x, y = clouds("noise", 1200, 1300)
    result = LongProblem(x, y, 2.0, epsilon).solve(1e-9, 200)
    exact = stotmetrics.solve(x.values, y.values, metric="tiot", root=False).objective
    assert np.isfinite([result.value, result.objective, result.gap, result.w]).all()
    assert np.isfinite(result.f).all()
    assert np.isfinite(result.g).all()
    # Potentials of size 1 know no more than 1e-16.
    assert -1e-12 <= result.gap < (1e-6 if epsilon > 1e-12 else 1e-2)
    # V(epsilon) lies between TiOT and TiOT and epsilon times the largest entropy.
    assert exact - 1e-12 <= result.objective <= exact + epsilon * np.log(1300) + 1e-12


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_step_budget_ends_with_a_finite_gap(rounds):
    x, y = clouds("noise", 300, 300)
    result = LongProblem(x, y, 2.0, 1e-3).solve(1e-12, rounds)
    best = LongProblem(x, y, 2.0, 1e-3).solve(1e-9, 200)
    assert result.steps <= rounds
    assert result.status == 1
    assert best.objective - result.objective <= result.gap < 1.0


def test_paths_through_the_solver_lead_to_the_same_saddle_point(monkeypatch):
    from stotmetrics.transport import matrix_free, near_plan

    x, y = clouds("noise", 260, 240)
    results = []
    for kept, larger, cheap in [
        (matrix_free.KEPT, matrix_free.LARGER, 2**17),  # sparse factors
        (matrix_free.KEPT, matrix_free.LARGER, 0),  # products with few entries
        ((), matrix_free.LARGER, 0),  # products with the larger entries
        ((), (16.0, 0), 0),  # products with the whole plan
    ]:
        monkeypatch.setattr(matrix_free, "KEPT", kept)
        monkeypatch.setattr(matrix_free, "LARGER", larger)
        monkeypatch.setattr(near_plan, "CHEAP", cheap)
        results.append(LongProblem(x, y, 2.0, 0.01).solve(1e-10, 200))
    assert all(result.status == 0 for result in results)
    np.testing.assert_allclose([result.objective for result in results], results[0].objective, rtol=0, atol=2e-10)
    np.testing.assert_allclose([result.w for result in results], results[0].w, atol=1e-5)
