"""The entropic game of Time-integrated Optimal Transport (2025): one plan, one value, a smooth concave dual."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.reference.etiot import EntropicProblem
from stotmetrics.reference.etiot_hbcd import hbcd
from stotmetrics.transport.point_clouds import cost_matrices, prepare_cloud

SEEDS = st.integers(0, 2**32 - 1)
EPSILONS = st.sampled_from([0.01, 0.1, 1.0, 10.0])
EXACT = {"standardize": False, "root": False, "tol": 1e-12}


def draw(seed, most=9):
    """Two weighted clouds of unequal lengths, and the problem between them."""
    rng = np.random.default_rng(seed)
    x, y = (
        stotmetrics.as_series(
            rng.normal(size=n), times=rng.uniform(0.1, 0.5, n).cumsum(), weights=rng.uniform(0.05, 1.0, n)
        )
        for n in rng.integers(2, most, 2)
    )
    cx, cy = prepare_cloud(x, False), prepare_cloud(y, False)
    return rng, x, y, EntropicProblem(*cost_matrices(cx, cy, 2.0), cx.weights, cy.weights)


def relative_entropy(P, Q):
    """``sum P log(P / Q) + Q - P``."""
    return float((P * np.log(np.where(P > 0, P / Q, 1.0)) + Q - P).sum())


def couplings(rng, problem, result):
    """Some couplings: independent, nearly greedy in a random order, and mixed with the entropic plan."""
    a, b = problem.a, problem.b
    left, right, P = a.copy(), b.copy(), np.zeros((len(a), len(b)))
    for k in rng.permutation(P.size):
        i, j = divmod(int(k), len(b))
        P[i, j] = min(left[i], right[j])
        left[i], right[j] = left[i] - P[i, j], right[j] - P[i, j]
    return [np.outer(a, b), P, 0.9 * result.plan + 0.1 * P]


@given(SEEDS, EPSILONS)
def test_entropic_max_min_is_min_max(seed, epsilon):
    """At the saddle point no weight earns more against the plan; any other coupling lets some weight earn more."""
    rng, x, y, problem = draw(seed)
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, **EXACT)
    independent = np.outer(problem.a, problem.b)

    def largest(P):
        return max((problem.A * P).sum(), (problem.B * P).sum()) + epsilon * relative_entropy(P, independent)

    assert largest(result.plan) == pytest.approx(result.objective, abs=1e-9)
    for P in couplings(rng, problem, result):
        assert largest(P) >= result.objective - 1e-9


@given(SEEDS, EPSILONS)
def test_entropic_plan_is_unique(seed, epsilon):
    """Any other coupling exceeds the least objective by epsilon KL to the plan, which is zero at the plan alone."""
    rng, x, y, problem = draw(seed)
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, **EXACT)
    C, independent = problem.cost(result.w), np.outer(problem.a, problem.b)
    f, g = result.potentials
    # The density of the plan by its logarithm: its least entries are below the smallest number.
    exponents = (f[:, None] + g - C) / epsilon
    np.testing.assert_allclose(result.plan, independent * np.exp(exponents), atol=1e-7)
    for P in couplings(rng, problem, result):
        to_independent = relative_entropy(P, independent)
        above = epsilon * (to_independent - (P * exponents).sum())
        excess = (C * P).sum() + epsilon * to_independent - result.objective
        assert excess == pytest.approx(above, abs=1e-8 * max(1.0, above))
        assert excess >= 0.5 * epsilon * np.abs(P - result.plan).sum() ** 2 - 1e-8


@pytest.mark.parametrize("epsilon", [0.5, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_every_route_ends_at_the_same_plan(seed, epsilon):
    _, x, y, problem = draw(seed)
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, **EXACT)
    turned = stotmetrics.solve(y, x, metric="etiot", epsilon=epsilon, **EXACT)
    *_, swept = hbcd(problem.A, problem.B, problem.a, problem.b, epsilon, tol=1e-10, sweeps=400)
    np.testing.assert_allclose(turned.plan.T, result.plan, atol=1e-6)
    np.testing.assert_allclose(swept.plan, result.plan, atol=1e-4)


@given(SEEDS, EPSILONS, st.floats(0, 1), st.floats(0, 1))
def test_entropic_transport_is_concave_and_smooth_in_the_weight(seed, epsilon, u, v):
    """Its slope is <A - B, P_w>, and falls by no more than max (A - B)^2 / epsilon."""
    _, x, y, problem = draw(seed)
    at_u, at_v = (stotmetrics.solve(x, y, metric="taot", w=w, epsilon=epsilon, standardize=False) for w in (u, v))
    D = problem.A - problem.B
    line = at_u.objective + (v - u) * (D * at_u.plan).sum()
    slack = 1e-8 * max(1.0, np.abs(D).max())
    assert at_v.objective <= line + slack
    assert at_v.objective >= line - 0.5 * (v - u) ** 2 * np.max(D**2) / epsilon - slack


@given(SEEDS, EPSILONS, st.floats(0, 1))
def test_dual_is_jointly_concave_and_its_maximum_is_the_entropic_objective(seed, epsilon, t):
    rng, x, y, problem = draw(seed)
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, **EXACT)
    f, g = result.potentials
    assert problem.dual(f, g, result.w, epsilon) == pytest.approx(result.objective, abs=1e-8)
    points = [
        (f + scale * rng.normal(size=len(f)), g + scale * rng.normal(size=len(g)), rng.uniform())
        for scale in epsilon * rng.uniform(0, 2, 2)
    ]
    between = tuple(t * start + (1 - t) * end for start, end in zip(*points, strict=True))
    ends = [problem.dual(*point, epsilon) for point in points]
    # Far from the maximum the dual overflows to -inf, of which the law says nothing.
    assume(np.isfinite(ends).all())
    slack = 1e-9 * max(1.0, *np.abs(ends))
    assert problem.dual(*between, epsilon) >= t * ends[0] + (1 - t) * ends[1] - slack
    assert max(*ends, problem.dual(*between, epsilon)) <= result.objective + slack


@given(SEEDS)
def test_value_is_nondecreasing_in_epsilon_and_never_below_tiot(seed):
    """As the plan minimises max_w <C_w, P> + epsilon KL, and <C_w, P> at the saddle point is that maximum."""
    _, x, y, problem = draw(seed)
    exact = stotmetrics.distance(x, y, metric="tiot", standardize=False, root=False)
    results = [stotmetrics.solve(x, y, metric="etiot", epsilon=e, **EXACT) for e in (1e-3, 0.01, 0.1, 1.0, 10.0)]
    slack = 1e-8 * max(1.0, problem.A.max(), problem.B.max())
    for smaller, larger in pairwise([exact, *(result.value for result in results)]):
        assert smaller <= larger + slack
    for result in results:
        largest = max((problem.A * result.plan).sum(), (problem.B * result.plan).sum())
        assert result.value == pytest.approx(largest, abs=10 * slack)
