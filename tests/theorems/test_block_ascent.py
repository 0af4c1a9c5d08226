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
            low, high = min(one.min() for one in densities), max(one.max() for one in densities)
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
def test_plans_potentials_and_weight_converge(seed, epsilon):
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
