"""The paper's own algorithm: its kernel equals its reference, and its trace obeys the paper's lemmas."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics.kernels._hbcd import Descent
from stotmetrics.reference.etiot import EntropicProblem
from stotmetrics.reference.etiot_hbcd import ascend, hbcd
from stotmetrics.transport.point_clouds import cost_matrices, prepare_cloud


def problem(seed, n=20, m=15):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n).cumsum(), rng.normal(size=m).cumsum()
    cx, cy = (prepare_cloud(stotmetrics.as_series(v), True) for v in (x, y))
    return x, y, (*cost_matrices(cx, cy, 2.0), cx.weights, cy.weights)


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_kernel_equals_the_reference(seed, epsilon):
    x, y, (A, B, a, b) = problem(seed)
    *_, last = hbcd(A, B, a, b, epsilon)
    result = stotmetrics.solve(x, y, metric="etiot_hbcd", epsilon=epsilon, root=False)
    C = last.w * A + (1 - last.w) * B
    assert result.converged
    assert result.w == pytest.approx(last.w, abs=1e-9)
    assert result.value == pytest.approx((C * last.plan).sum(), rel=1e-8)
    assert result.objective == pytest.approx(last.dual, rel=1e-8)


def test_kernel_equals_the_reference_where_the_sweeps_run_out():
    x, y, (A, B, a, b) = problem(0)
    cx, cy = (prepare_cloud(stotmetrics.as_series(v), True) for v in (x, y))
    *_, last = hbcd(A, B, a, b, 0.01, tol=1e-9, sweeps=37)
    status, value, objective, _, w, sweeps = Descent().run(
        *(cx.values, cx.times, cx.weights, cy.values, cy.times, cy.weights), 2.0, 0.01, 1e-9, 37
    )
    assert status != 0
    assert sweeps == 37
    assert w == pytest.approx(last.w, abs=1e-9)
    assert value == pytest.approx(((last.w * A + (1 - last.w) * B) * last.plan).sum(), rel=1e-8)
    assert objective == pytest.approx(last.dual, rel=1e-8)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4])
def test_stays_finite_where_the_scalings_of_the_paper_underflow(epsilon):
    x, y, _ = problem(0)
    bound = stotmetrics.get_metric("etiot_hbcd", epsilon=epsilon)
    result = bound.pair(*(bound.prepare(stotmetrics.as_series(v)) for v in (x, y)))
    assert np.isfinite(result.value)
    assert np.isfinite(result.gap)


def test_gap_certifies_how_far_the_paper_stops_from_the_optimum():
    for seed in range(5):
        x, y, _ = problem(seed)
        loose = stotmetrics.solve(x, y, metric="etiot_hbcd", epsilon=0.1, root=False)
        tight = stotmetrics.solve(x, y, metric="etiot", epsilon=0.1)
        assert loose.objective <= tight.objective + 1e-9
        assert tight.objective <= loose.objective + loose.gap + 1e-9


@pytest.mark.parametrize("epsilon", [1.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_gap_certifies_the_optimum_where_only_w_is_not_there_yet(seed, epsilon):
    x, y, _ = problem(seed)
    cx, cy = (prepare_cloud(stotmetrics.as_series(v), True) for v in (x, y))
    # w moves after the first sweep; nineteen more bring the potentials to where they belong at that w.
    _, _, objective, gap, _, _ = Descent().run(
        *(cx.values, cx.times, cx.weights, cy.values, cy.times, cy.weights), 2.0, epsilon, 1e-12, 20
    )
    optimum = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon).objective
    assert objective < optimum - 1e-10
    assert optimum <= objective + gap + 1e-11


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_iterates_stay_bounded_and_the_dual_rises_enough_and_at_rate_one_over_k(seed, epsilon):
    _, _, (A, B, a, b) = problem(seed)
    trace = list(hbcd(A, B, a, b, epsilon, tol=1e-9, sweeps=400))
    best = EntropicProblem(A, B, a, b).solve(epsilon).objective
    spread = max(A.max(), B.max())
    slack = 1e-11 * spread
    duals = np.array([it.dual for it in trace])
    # Bounded iterates (Lemma 3.1): after a sweep the potentials oscillate by no more than the costs do.
    for it in trace:
        assert np.ptp(it.f) <= 2 * spread + slack
        assert np.ptp(it.g) <= 2 * spread + slack
        assert 0 <= it.w <= 1
    # Sufficient ascent (Lemma 3.3): the next sweep gains epsilon KL(a | P 1), at least epsilon / 2 |P 1 - a|_1^2.
    errors = np.array([it.marginal_error for it in trace])
    assert (np.diff(duals) >= 0.5 * epsilon * errors[:-1] ** 2 - slack).all()
    # O(1/k) (Theorem 3.6), with a constant from the first iterates that the later ones must not exceed.
    k = np.arange(1, len(duals) + 1)
    residual = (best - duals) * k
    assert (best - duals >= -slack).all()
    assert residual[20:].max(initial=0.0) <= 20 * max(residual[:20].max(), slack)
    assert best - duals[-1] <= 1e-3


def test_value_of_the_reference_is_that_of_the_kernel():
    x, y, _ = problem(1)
    for root in (True, False):
        metric = stotmetrics.get_metric("etiot_hbcd", epsilon=0.3, root=root)
        wanted = metric.reference(stotmetrics.as_series(x), stotmetrics.as_series(y)).value
        assert metric(x, y) == pytest.approx(wanted, rel=1e-8)


def test_weight_stays_in_its_range_where_the_slope_leads_out_of_it():
    B = np.array([[1.0, 2.0], [2.0, 1.0]])
    base = np.log(np.full((2, 2), 0.25))
    assert ascend(base, 0.02, B, -B, 0.5) == 0.0
    assert ascend(base, 0.98, B, B, 0.5) == 1.0
