"""The paper's algorithm for entropic TiOT: what its rate, Section 3 of the paper (2025), stands on, along its trace."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import stotmetrics
from stotmetrics.reference.etiot import EntropicProblem
from stotmetrics.reference.etiot_hbcd import hbcd
from stotmetrics.transport.point_clouds import cost_matrices, prepare_cloud

CASES = [(seed, epsilon) for seed in range(2) for epsilon in (0.5, 1.0, 5.0)]


@cache
def trace_of(seed, epsilon, sweeps=300):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=14).cumsum(), rng.normal(size=11).cumsum()
    cx, cy = (prepare_cloud(stotmetrics.as_series(v), True) for v in (x, y))
    problem = EntropicProblem(*cost_matrices(cx, cy, 2.0), cx.weights, cy.weights)
    trace = list(hbcd(problem.A, problem.B, problem.a, problem.b, epsilon, tol=1e-9, sweeps=sweeps))
    return problem, problem.solve(epsilon), trace


def normalised(f, g, b):
    """The paper's normalisation, ``<b, g> = 0``: a constant passes from g to f and leaves plan and dual."""
    return f + b @ g, g - b @ g


def bounds(problem):
    """Of the normalised potentials: ``|f| <= 2 |C|`` and ``|g| <= |C|``, |C| the largest cost at any w."""
    largest = max(problem.A.max(), problem.B.max())
    return 2 * largest, largest


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_lemma_3_1_normalised_iterates_stay_bounded(seed, epsilon):
    problem, _, trace = trace_of(seed, epsilon)
    most_f, most_g = bounds(problem)
    for it in trace:
        f, g = normalised(it.f, it.g, problem.b)
        assert np.abs(f).max() <= most_f * (1 + 1e-12)
        assert np.abs(g).max() <= most_g * (1 + 1e-12)
        assert 0 <= it.w <= 1
        assert problem.dual(f, g, it.w, epsilon) == pytest.approx(problem.dual(it.f, it.g, it.w, epsilon), abs=1e-10)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_lemma_3_2_the_slope_in_the_weight_is_lipschitz_between_bounded_potentials(seed, epsilon):
    """With the constant ``e^(3 |C| / epsilon) <ab, (A - B)^2> / epsilon``, and not without its exponential."""
    problem, _, _ = trace_of(seed % 2, epsilon)
    rng = np.random.default_rng(seed)
    most_f, most_g = bounds(problem)
    D, exceeded = problem.A - problem.B, False
    spread = (np.outer(problem.a, problem.b) * D**2).sum() / epsilon
    for _ in range(50):
        # Some far inside the bounds, some at their ends.
        share = rng.choice([0.1, 1.0])
        f = share * rng.uniform(-most_f, most_f, len(problem.a))
        f, g = normalised(f, share * rng.uniform(-most_g / 2, most_g / 2, len(problem.b)), problem.b)
        f = np.clip(f, -most_f, most_f)
        v, w = rng.uniform(size=2)
        slopes = [(D * problem.plan(f, g, at, epsilon)).sum() for at in (v, w)]
        change = abs(slopes[0] - slopes[1])
        assert change <= np.exp((most_f + most_g) / epsilon) * spread * abs(v - w) * (1 + 1e-9)
        exceeded |= change > spread * abs(v - w)
    assert exceeded


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_lemma_3_3_a_sweep_raises_the_dual_by_its_squared_steps(seed, epsilon):
    """By ``low / (2 epsilon)`` times the squared steps of f, of g (by their masses) and of w (by its curvature)."""
    problem, _, trace = trace_of(seed, epsilon)
    a, b, D = problem.a, problem.b, problem.A - problem.B
    moved = 0
    for old, new in pairwise(trace):
        points = ((old.f, old.g, old.w), (new.f, old.g, old.w), (new.f, new.g, old.w), (new.f, new.g, new.w))
        low = min((problem.plan(*point, epsilon) / np.outer(a, b)).min() for point in points)
        squares = a @ (new.f - old.f) ** 2 + b @ (new.g - old.g) ** 2
        squares += (np.outer(a, b) * D**2).sum() * (new.w - old.w) ** 2
        slack = 1e-12 * max(1.0, problem.A.max(), problem.B.max())
        assert new.dual - old.dual >= 0.5 * low / epsilon * squares - slack
        moved += squares > 1e-12
    assert moved > 3


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_lemma_3_5_an_optimum_obeys_the_normalisation_and_the_bounds(seed, epsilon):
    problem, best, trace = trace_of(seed, epsilon)
    f, g = normalised(best.f, best.g, problem.b)
    most_f, most_g = bounds(problem)
    assert abs(problem.b @ g) <= 1e-12
    assert np.abs(f).max() <= most_f
    assert np.abs(g).max() <= most_g
    assert 0 <= best.w <= 1
    value = problem.dual(f, g, best.w, epsilon)
    assert value == pytest.approx(best.objective, abs=1e-10)
    # Optimal: the plan has both marginals, and the slope in w leads nowhere within [0, 1].
    plan = problem.plan(f, g, best.w, epsilon)
    np.testing.assert_allclose(plan.sum(1), problem.a, atol=1e-10)
    np.testing.assert_allclose(plan.sum(0), problem.b, atol=1e-10)
    slope = ((problem.A - problem.B) * plan).sum()
    assert abs(np.clip(best.w + slope, 0, 1) - best.w) <= 1e-8
    assert all(it.dual <= value + 1e-10 for it in trace)


def relative_entropy(P, Q):
    return float((P * np.log(np.where(P > 0, P / Q, 1.0)) + Q - P).sum())


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_each_block_of_the_dual_is_smooth_and_strongly_concave_between_bounded_iterates(seed, epsilon):
    """With densities of the plans within [low, high]: both constants of each block, of f, of g and of w."""
    problem, _, trace = trace_of(seed, epsilon)
    a, b, D = problem.a, problem.b, problem.A - problem.B
    moved = 0
    for old, new in pairwise(trace):
        blocks = (
            ((old.f, old.g, old.w), (new.f, old.g, old.w), a),
            ((new.f, old.g, old.w), (new.f, new.g, old.w), b),
            ((new.f, new.g, old.w), (new.f, new.g, new.w), np.array([(np.outer(a, b) * D**2).sum()])),
        )
        for block, (start, end, curvature) in enumerate(blocks):
            plans = [problem.plan(*point, epsilon) for point in (start, end)]
            densities = [plan / np.outer(a, b) for plan in plans]
            low, high = min(density.min() for density in densities), max(density.max() for density in densities)
            slope = (a - plans[0].sum(1), b - plans[0].sum(0), (D * plans[0]).sum())[block]
            step = np.subtract(end[block], start[block])
            linear = problem.dual(*start, epsilon) + np.sum(slope * step)
            short = linear - problem.dual(*end, epsilon)
            squared = np.sum(step**2)
            slack = 1e-12 * max(1.0, problem.A.max(), problem.B.max())
            assert 0.5 * curvature.min() * low / epsilon * squared - slack <= short
            assert short <= 0.5 * curvature.max() * high / epsilon * squared + slack
            moved += squared > 1e-12
    assert moved > 3


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_squared_residuals_are_summable(seed, epsilon):
    """The dual can only rise so far: by epsilon / 2 for a squared marginal error, by its curvature for a step of w."""
    problem, best, trace = trace_of(seed, epsilon)
    room = best.objective - trace[0].dual + 1e-10
    errors = np.array([it.marginal_error for it in trace])
    assert errors[0] > 0
    assert 0.5 * epsilon * (errors**2).sum() <= room
    D, steps = problem.A - problem.B, 0.0
    for old, new in pairwise(trace):
        plans = [problem.plan(new.f, new.g, w, epsilon) for w in (old.w, new.w)]
        # A step of w never goes beyond the maximum.
        assert (D * plans[1]).sum() * (new.w - old.w) >= -1e-12
        steps += 0.5 * (np.minimum(*plans) * D**2).sum() / epsilon * (new.w - old.w) ** 2
    assert steps <= room


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_theorem_3_4_the_iterates_tend_to_the_optimal_set(seed, epsilon):
    problem, best, trace = trace_of(seed, epsilon)
    P = problem.plan(best.f, best.g, best.w, epsilon)
    for it in trace:
        # What the dual still lacks bounds how far the plan is.
        assert best.objective - it.dual >= epsilon * relative_entropy(P, it.plan) - 1e-10
    apart = []
    for it in trace:
        # Potentials are unique up to a constant that passes from f to g.
        shift = problem.a @ (it.f - best.f)
        apart.append(max(np.abs(it.f - best.f - shift).max(), np.abs(it.g - best.g + shift).max(), abs(it.w - best.w)))
    assert apart[-1] <= 1e-3
    assert apart[-1] <= 0.1 * apart[0]
