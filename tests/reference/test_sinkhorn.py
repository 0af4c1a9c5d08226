"""The reference implementation against generic convex optimisation and closed forms."""

import numpy as np
import pytest
from scipy.optimize import minimize

from stotmetrics.reference import sinkhorn


def problem(seed, n=3, m=4):
    rng = np.random.default_rng(seed)
    return rng.random(n) + 0.1, rng.random(m) * 2 + 0.1, rng.random((n, m)) * 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("epsilon", "rho"), [(0.3, 1.0), (0.5, 0.3), (1.0, 10.0)])
def test_value_is_the_minimum_that_a_generic_solver_finds(seed, epsilon, rho):
    x, y, M = problem(seed)

    def objective(log_plan):
        return sinkhorn.primal(np.exp(log_plan).reshape(M.shape), x, y, M, epsilon, rho)

    optimum = minimize(
        objective, np.log(np.outer(x, y)).ravel(), method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}
    )
    assert sinkhorn.value(x, y, M, epsilon, rho) == pytest.approx(optimum.fun, abs=1e-7)


def test_value_at_the_optimum_has_its_closed_form():
    x, y, M = problem(5)
    epsilon, rho = 0.2, 0.7
    P = sinkhorn.plan(*sinkhorn.potentials(x, y, M, epsilon, rho), M, epsilon)
    closed = -(epsilon + 2 * rho) * P.sum() + rho * (x.sum() + y.sum()) + epsilon * np.exp(-M / epsilon).sum()
    assert sinkhorn.value(x, y, M, epsilon, rho) == pytest.approx(closed, abs=1e-11)


def test_single_points_have_a_closed_form():
    # a b K = plan, a = (x / K b)^omega, b = (y / K a)^omega: plan^(2 rho + epsilon) = K^epsilon (x y)^rho.
    x, y, M, epsilon, rho = np.array([2.0]), np.array([0.5]), np.array([[0.3]]), 0.1, 0.4
    plan = np.exp((-M[0, 0] + rho * np.log(1.0)) / (2 * rho + epsilon))
    assert sinkhorn.plan(*sinkhorn.potentials(x, y, M, epsilon, rho), M, epsilon)[0, 0] == pytest.approx(plan)


def test_kl_has_the_conventions_of_the_paper():
    assert sinkhorn.kl(np.zeros(2), np.array([1.0, 2.0])) == 3.0
    assert sinkhorn.kl(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == np.inf
    assert sinkhorn.kl(np.array([0.5, 0.0]), np.array([0.5, 0.0])) == 0.0


def test_balanced_plan_has_the_given_marginals():
    rng = np.random.default_rng(0)
    x, y, M = rng.random(4), rng.random(5), rng.random((4, 5))
    y *= x.sum() / y.sum()
    P = sinkhorn.plan(*sinkhorn.potentials(x, y, M, 0.1, np.inf), M, 0.1)
    np.testing.assert_allclose(P.sum(1), x, atol=1e-10)
    np.testing.assert_allclose(P.sum(0), y, atol=1e-10)


@pytest.mark.parametrize("epsilon", [0.001, 1.0, 10.0])
@pytest.mark.parametrize(("x", "y"), [(1.0, 0.25), (0.25, 1.0), (1.0, 1.0), (3.0, 0.5)])
def test_value_between_single_points_has_its_closed_form_at_a_mass_of_one_too(x, y, epsilon):
    """One potential may be right at once, and the other not."""
    rho, moved = 1.0, (x * y) ** (1.0 / (2.0 + epsilon))
    wanted = -(epsilon + 2 * rho) * moved + rho * (x + y) + epsilon
    value = sinkhorn.value(np.array([x]), np.array([y]), np.zeros((1, 1)), epsilon, rho)
    assert value == pytest.approx(wanted, abs=1e-10)
