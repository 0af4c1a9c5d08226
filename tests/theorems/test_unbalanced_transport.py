"""Unbalanced transport and its divergence: Sections 2.1 and 4 of Spatio-Temporal Alignments (2020)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.transport import sinkhorn_unbalanced
from stotmetrics.transport.ground_cost import Ground

SEEDS = st.integers(0, 2**32 - 1)
EPSILONS = st.sampled_from([0.05, 0.3, 1.0, 10.0])
RHOS = st.sampled_from([0.1, 1.0, 10.0])


def masses(rng, n, spread=1.0, zeros=0.0):
    """A histogram of n entries over some decades; one entry at least is positive."""
    x = 10 ** rng.uniform(-spread, spread, n)
    x[rng.random(n) < zeros] = 0.0
    x[rng.integers(n)] = 1.0
    return x


def kl(p, q):
    """``KL(p | q) = sum p log(p / q) + q - p`` with ``0 log 0 = 0``."""
    return float((p * np.log(np.where(p > 0, p / np.where(q > 0, q, 1.0), 1.0)) + q - p).sum())


def primal(P, x, y, K, epsilon, rho):
    return epsilon * kl(P, K) + rho * kl(P.sum(1), x) + rho * kl(P.sum(0), y)


def dual(u, v, x, y, K, epsilon, rho):
    """The concave function of Prop. 1; where a mass is zero its potential is -inf, and takes no part."""
    terms = [-rho * (m[m > 0] * np.expm1(-w[m > 0] / rho)).sum() for m, w in ((x, u), (y, v))]
    # Without mass, -rho 0 (exp(inf) - 1) is the limit 0.
    return float(sum(terms) - epsilon * (K * np.expm1((u[:, None] + v) / epsilon)).sum())


@given(SEEDS, EPSILONS, RHOS, st.sampled_from([0.0, 0.4]))
def test_proposition_1_the_dual_has_the_value_of_the_primal_and_its_optimum_is_the_fixed_point(
    seed, epsilon, rho, zeros
):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 6, 2)
    x, y, M = masses(rng, n, zeros=zeros), masses(rng, m, zeros=zeros), rng.uniform(0, 2, (n, m))
    K, omega = np.exp(-M / epsilon), rho / (rho + epsilon)
    P, log = sinkhorn_unbalanced(x, y, M, epsilon, rho, reg_type="entropy", stopThr=1e-11, numItermax=100_000, log=True)
    a, b = np.exp(log["logu"]), np.exp(log["logv"])
    with np.errstate(divide="ignore"):
        u, v = epsilon * np.log(a), epsilon * np.log(b)
    scale = 1e-9 * (1 + rho) * (x.sum() + y.sum() + K.sum())
    np.testing.assert_allclose(P, a[:, None] * K * b, rtol=1e-8)
    np.testing.assert_allclose(a, (x / (K @ b)) ** omega, rtol=1e-8)
    np.testing.assert_allclose(b, (y / (K.T @ a)) ** omega, rtol=1e-8)
    value = primal(P, x, y, K, epsilon, rho)
    assert dual(u, v, x, y, K, epsilon, rho) == pytest.approx(value, abs=scale)
    for size in (1e-3, 0.1, 1.0):
        other = dual(u + size * rng.normal(size=n), v + size * rng.normal(size=m), x, y, K, epsilon, rho)
        assert other <= value + scale
        assert primal(P * np.exp(size * rng.normal(size=P.shape)), x, y, K, epsilon, rho) >= value - scale


@given(SEEDS, EPSILONS, RHOS)
def test_corollary_1_both_scalings_of_a_self_term_are_one_fixed_point(seed, epsilon, rho):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 6)
    x, points = masses(rng, n, zeros=0.3), rng.uniform(0, 2, (n, 2))
    M = ((points[:, None] - points) ** 2).sum(2)
    K, omega = np.exp(-M / epsilon), rho / (rho + epsilon)
    _, log = sinkhorn_unbalanced(x, x, M, epsilon, rho, reg_type="entropy", stopThr=1e-11, numItermax=100_000, log=True)
    a, b = np.exp(log["logu"]), np.exp(log["logv"])
    np.testing.assert_allclose(a, b, rtol=1e-8)
    np.testing.assert_allclose(a, (x / (K @ a)) ** omega, rtol=1e-8)


def mass_of_plan(x, y, M, epsilon, rho):
    return sinkhorn_unbalanced(x, y, M, epsilon, rho, reg_type="entropy", stopThr=1e-11, numItermax=100_000).sum()


def divergence(x, y, M, epsilon, rho):
    """S of two histograms as the package has it: that of single frames."""
    params = {"ground": Ground.from_cost(M), "epsilon": epsilon, "rho": rho, "tol": 1e-11, "gamma": 0.0}
    result = stotmetrics.get_metric("sta", **params).solve(x[None], y[None])
    return result.cost[0, 0], result.gap


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@given(SEEDS, st.sampled_from([0.05, 0.3, 1.0]), RHOS, st.sampled_from([0.5, 1.0, 1.5, 2.0]))
def test_proposition_5_the_divergence_is_positive_between_different_histograms(seed, epsilon, rho, power):
    """For costs ``|m_i - m_j| ** l``, 0 < l <= 2, whose kernel is positive definite."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 6)
    points = np.cumsum(rng.uniform(0.2, 1.0, n))
    M = np.abs(points[:, None] - points) ** power
    assert np.linalg.eigvalsh(np.exp(-M / epsilon)).min() > 0
    x, y = masses(rng, n), masses(rng, n)
    value, gap = divergence(x, y, M, epsilon, rho)
    assert value >= -gap
    # A tenth of all mass apart shows, however much the kernel blurs.
    assert value > gap or np.abs(x - y).sum() < 0.1 * (x.sum() + y.sum())
    same, gap = divergence(x, x, M, epsilon, rho)
    assert abs(same) <= gap


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@given(SEEDS, EPSILONS, RHOS)
def test_proposition_6_the_divergence_counts_the_masses_of_the_plans(seed, epsilon, rho):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 6)
    x, y, points = masses(rng, n), masses(rng, n), rng.uniform(0, 2, (n, 2))
    M = ((points[:, None] - points) ** 2).sum(2)
    moved, kept, other = (mass_of_plan(*pair, M, epsilon, rho) for pair in ((x, y), (x, x), (y, y)))
    value, gap = divergence(x, y, M, epsilon, rho)
    expected = (epsilon + 2 * rho) * (0.5 * kept + 0.5 * other - moved)
    assert value == pytest.approx(expected, abs=gap + 1e-10 * (1 + epsilon + 2 * rho) * (kept + other + moved))


def bound(n, epsilon, rho):
    """The constant of Lemma 2 that its first-order conditions give, ``n ** (2 (1 + epsilon / rho))``."""
    return n ** (2 * (1 + epsilon / rho))


@given(SEEDS, EPSILONS, RHOS)
def test_lemma_2_the_moved_mass_lies_between_powers_of_both_masses(seed, epsilon, rho):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 6)
    x, y, M = masses(rng, n, 3.0), masses(rng, n, 3.0), rng.uniform(0, 2, (n, n))
    power = mass_of_plan(x, y, M, epsilon, rho) ** (2 + epsilon / rho)
    product = x.sum() * y.sum()
    assert np.exp(-M.max() / rho) * product <= power * (1 + 1e-8)
    assert power <= bound(n, epsilon, rho) * product * (1 + 1e-8)


def test_lemma_2_needs_a_constant_that_grows_with_epsilon_over_rho():
    """Even histograms at no cost move n^(2 epsilon / rho) times as much: n^(3/2) is too small above 3/4 of rho."""
    n, rho = 6, 1.0
    x = np.full(n, 1.0 / n)
    for epsilon in (0.5, 2.0):
        power = mass_of_plan(x, x, np.zeros((n, n)), epsilon, rho) ** (2 + epsilon / rho)
        assert power == pytest.approx(n ** (2 * epsilon / rho), rel=1e-9)
        assert (power > n**1.5) == (epsilon > 0.75 * rho)


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@given(SEEDS, st.sampled_from([0.3, 1.0]), st.sampled_from([1.0, 10.0]))
def test_proposition_7_the_divergence_grows_without_bound_with_one_mass(seed, epsilon, rho):
    """At least as fast as Prop. 6 and Lemma 2 together say, for masses over twelve decades."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 5)
    x, y, points = masses(rng, n), masses(rng, n), rng.uniform(0, 1, (n, 2))
    M = ((points[:, None] - points) ** 2).sum(2)
    zeta, kappa = 1 / (2 + epsilon / rho), np.exp(-M.max() / rho)
    values = []
    for factor in (1e0, 1e4, 1e8, 1e12):
        of_x, of_y = factor * x.sum(), y.sum()
        value, gap = divergence(factor * x, y, M, epsilon, rho)
        self_terms = kappa**zeta * (of_x ** (2 * zeta) + of_y ** (2 * zeta)) / 2
        below = (epsilon + 2 * rho) * (self_terms - (bound(n, epsilon, rho) * of_x * of_y) ** zeta)
        assert value >= below - gap - 1e-12 * abs(below)
        values.append(value)
    assert values == sorted(values)
    assert values[-1] > 1e3


@given(SEEDS, st.sampled_from([0.05, 0.3, 1.0]), RHOS)
def test_proposition_8_where_both_gradients_vanish_so_does_the_divergence(seed, epsilon, rho):
    """``<grad_x S, x> + <grad_y S, y> = 2 rho / (epsilon + 2 rho) S``: no point with S > 0 is stationary."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 6)
    x, y, points = masses(rng, n), masses(rng, n), np.cumsum(rng.uniform(0.3, 1.0, n))
    M = (points[:, None] - points) ** 2
    params = {"ground": Ground.from_cost(M), "epsilon": epsilon, "rho": rho, "gamma": 1.0, "tol": 1e-7}
    value, of_x, of_y = stotmetrics.value_and_grad(x[None], y[None], metric="sta", **params)
    along = float((of_x[0] * x).sum() + (of_y[0] * y).sum())
    scale = (x.sum() + y.sum()) * (1 + rho)
    assert along == pytest.approx(2 * rho / (epsilon + 2 * rho) * value, abs=1e-6 * scale)
    _, of_x, of_y = stotmetrics.value_and_grad(x[None], x[None], metric="sta", **params)
    np.testing.assert_allclose([of_x, of_y], 0.0, atol=1e-6 * scale)
