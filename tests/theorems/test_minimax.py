"""TiOT as a game between a weight and a plan: what Section 2 of Time-integrated Optimal Transport (2025) stands on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

import stotmetrics
from stotmetrics.testing.strategies import clouds
from stotmetrics.transport.point_clouds import cost_matrices, prepare_cloud

PAIRS = st.integers(1, 2).flatmap(lambda d: st.tuples(clouds(max_length=6, dims=d), clouds(max_length=6, dims=d)))
POWERS = st.sampled_from([1.0, 2.0, 3.0])


def read(cloud):
    return stotmetrics.as_series(cloud.values, times=cloud.times, weights=cloud.weights)


def transport(x, y, w, p):
    return stotmetrics.distance(x, y, metric="taot", w=w, p=p, standardize=False)


def least_largest(A, B, a, b):
    """``min_P max_w <C_w, P>``: the larger of <A, P> and <B, P> at its least, and its plan, as a linear program."""
    n, m = A.shape
    scale = max(A.max(), B.max()) or 1.0
    marginals = sparse.vstack(
        [sparse.kron(sparse.eye(n), np.ones((1, m))), sparse.kron(np.ones((1, n)), sparse.eye(m))]
    )
    optimum = linprog(
        np.concatenate([np.zeros(n * m), [1.0]]),
        A_ub=np.column_stack([np.stack([A.ravel(), B.ravel()]) / scale, [-1.0, -1.0]]),
        b_ub=[0.0, 0.0],
        # One marginal is implied by the others.
        A_eq=sparse.hstack([marginals, sparse.csr_matrix((n + m, 1))], format="csr")[:-1],
        b_eq=np.concatenate([a, b])[:-1],
        method="highs",
    )
    assert optimum.status == 0
    return optimum.fun * scale, optimum.x[:-1].reshape(n, m)


@given(PAIRS, POWERS, st.integers(0, 10))
def test_a_worst_weight_and_an_optimal_plan_exist(pair, p, tenth):
    x, y = (read(cloud) for cloud in pair)
    result = stotmetrics.solve(x, y, metric="tiot", p=p, standardize=False, root=False)
    A, B = cost_matrices(prepare_cloud(x, False), prepare_cloud(y, False), p)
    plan = result.plan[np.ix_(x.weights > 0, y.weights > 0)]
    slack = 1e-9 * max(1.0, A.max(), B.max())
    assert 0 <= result.w <= 1
    np.testing.assert_allclose(plan.sum(1), prepare_cloud(x, False).weights, atol=1e-12)
    np.testing.assert_allclose(plan.sum(0), prepare_cloud(y, False).weights, atol=1e-12)
    assert ((result.w * A + (1 - result.w) * B) * plan).sum() == pytest.approx(result.value, abs=slack)
    assert transport(x, y, result.w, p) == pytest.approx(result.value, abs=slack)
    assert transport(x, y, tenth / 10, p) <= result.value + slack


@given(PAIRS, POWERS)
def test_max_min_is_min_max_and_both_have_a_saddle_point(pair, p):
    x, y = (read(cloud) for cloud in pair)
    cx, cy = prepare_cloud(x, False), prepare_cloud(y, False)
    A, B = cost_matrices(cx, cy, p)
    result = stotmetrics.solve(x, y, metric="tiot", p=p, standardize=False, root=False)
    least, plan = least_largest(A, B, cx.weights, cy.weights)
    slack = 1e-7 * max(1.0, A.max(), B.max())
    assert result.value == pytest.approx(least, abs=slack)
    # Against this plan no weight earns more, and against this weight no plan costs less.
    assert max((A * plan).sum(), (B * plan).sum()) <= result.value + slack
    assert ((result.w * A + (1 - result.w) * B) * plan).sum() == pytest.approx(result.value, abs=slack)
    assert transport(x, y, result.w, p) == pytest.approx(result.value, abs=slack)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 2.0]), st.sampled_from([1.0, 0.1, 1e-3, 1e-6]))
def test_tiot_and_wasserstein_vanish_together(seed, p, share):
    """Along measures that give a share of their mass to others: TiOT is at most what that share costs to move."""
    rng = np.random.default_rng(seed)
    values, times = rng.normal(size=8), np.arange(8.0)
    of_x, of_y = (np.where(np.arange(8) < 4, *order) for order in ((rng.uniform(0.1, 1, 8), 0.0), (0.0, 1.0)))
    of_x, of_y = of_x / of_x.sum(), of_y / of_y.sum()
    x = stotmetrics.as_series(values, times=times, weights=of_x)
    near = stotmetrics.as_series(values, times=times, weights=(1 - share) * of_x + share * of_y)
    tiot = stotmetrics.distance(x, near, metric="tiot", p=p, standardize=False)
    wasserstein = stotmetrics.distance(x, near, metric="taot", p=p, standardize=False) ** (1 / p)
    largest = np.ptp(values) ** p + 7.0**p
    assert 0 < 2 ** (-1 / p) * wasserstein * (1 - 1e-9) <= tiot <= wasserstein * (1 + 1e-9)
    assert wasserstein**p <= share * largest
