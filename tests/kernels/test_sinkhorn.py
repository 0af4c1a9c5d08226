"""The Sinkhorn kernels against their reference implementation, a generic solver and POT's plans."""

import warnings

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from stotmetrics.kernels import _sinkhorn
from stotmetrics.reference import sinkhorn as reference

SEEDS = st.integers(0, 2**31)


class Case:
    """One problem, solved by the kernel: rows of x against rows of y, all pairs."""

    def __init__(self, x, y, M, epsilon, rho, *, costs=None, tol=1e-10, max_iter=20_000, depth=5, start=0.0):
        self.x, self.y = np.atleast_2d(x), np.atleast_2d(y)
        self.M, self.epsilon, self.rho = M, epsilon, rho
        costs = (M,) if costs is None else costs
        self.costs = tuple(np.ascontiguousarray(c / epsilon) for c in costs)
        self.kernels = tuple(np.exp(-c) for c in self.costs)
        self.spread = float(sum(c.max() - c.min() for c in costs))
        rows, cols = np.divmod(np.arange(len(self.x) * len(self.y)), len(self.y))
        log = _sinkhorn.log_mass
        v = np.where(log(self.y)[cols] > -1e29, start, -1e30)
        self.u, self.v, self.logku, self.logkv, self.dual, self.gap, self.sweeps, self.converged = _sinkhorn.solve(
            self.kernels, self.costs, self.x, log(self.x), self.y, log(self.y), rows, cols, v,
            epsilon=epsilon, rho=rho, spread=self.spread, tol=tol, max_iter=max_iter, depth=depth,
        )  # fmt: skip

    @property
    def value(self):
        """W with its constant, the middle of the certified interval."""
        return self.dual + self.gap / 2 + self.epsilon * np.exp(-self.M / self.epsilon).sum()

    def plan(self, k=0):
        with np.errstate(under="ignore"):
            return np.exp(self.u[k][:, None] + self.v[k][None, :] - self.M / self.epsilon)


def histograms(seed, n, m, zeros=False):
    rng = np.random.default_rng(seed)
    x, y = rng.random(n) + 0.05, 3 * rng.random(m) + 0.05
    if zeros:
        x[rng.random(n) < 0.4], y[rng.random(m) < 0.4] = 0.0, 0.0
        x[0], y[-1] = 0.7, 0.4
    return x, y, rng.random((n, m)) * 2


@given(SEEDS, st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.05, 0.2, 1.0]), st.sampled_from([0.1, 1.0]))
def test_value_is_that_of_the_reference_within_its_own_certificate(seed, n, m, epsilon, rho):
    x, y, M = histograms(seed, n, m, zeros=True)
    case = Case(x, y, M, epsilon, rho)
    assert case.converged.all()
    assert abs(case.value[0] - reference.value(x, y, M, epsilon, rho)) <= case.gap[0] / 2 + 1e-10


@pytest.mark.parametrize("seed", range(3))
def test_value_is_the_minimum_that_a_generic_solver_finds(seed):
    x, y, M = histograms(seed, 3, 3)
    case = Case(x, y, M, 0.3, 0.8)

    def dual(z):
        f, g = z[:3], z[3:]
        moved = 0.3 * (np.exp((f[:, None] + g[None, :] - M) / 0.3) - np.exp(-M / 0.3)).sum()
        return 0.8 * (x @ (np.exp(-f / 0.8) - 1) + y @ (np.exp(-g / 0.8) - 1)) + moved

    optimum = minimize(dual, np.zeros(6), method="BFGS", options={"gtol": 1e-10})
    assert case.value[0] == pytest.approx(-optimum.fun, abs=1e-9)


@given(SEEDS, st.sampled_from([1, 3, 7, 25, 200]), st.sampled_from([0.05, 0.5]), st.sampled_from([0.3, 3.0, np.inf]))
def test_gap_bounds_the_error_of_the_dual_wherever_the_solver_stops(seed, max_iter, epsilon, rho):
    x, y, M = histograms(seed, 6, 7, zeros=True)
    if np.isinf(rho):
        y *= x.sum() / y.sum()
    best = Case(x, y, M, epsilon, rho, tol=1e-12, max_iter=100_000)
    early = Case(x, y, M, epsilon, rho, tol=0.0, max_iter=max_iter)
    assert not early.converged[0] and early.sweeps[0] == max_iter
    error = best.dual[0] - early.dual[0]
    assert -1e-11 <= error <= early.gap[0] + best.gap[0] + 1e-11


def test_value_at_the_optimum_has_its_closed_form():
    x, y, M = histograms(1, 8, 6)
    case = Case(x, y, M, 0.1, 0.6, tol=1e-13)
    P = case.plan()
    closed = -(0.1 + 1.2) * P.sum() + 0.6 * (x.sum() + y.sum()) + 0.1 * np.exp(-M / 0.1).sum()
    assert case.value[0] == pytest.approx(closed, abs=1e-6 * P.sum())


def test_plan_is_that_of_pot_at_moderate_regularisation():
    x, y, M = histograms(2, 12, 9)
    case = Case(x, y, M, 0.1, 1.0, tol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # POT says that it overwrites its own default
        theirs = ot.unbalanced.sinkhorn_unbalanced(
            x, y, M, 0.1, 1.0, reg_type="entropy", stopThr=1e-14, numItermax=100_000
        )
    np.testing.assert_allclose(case.plan(), theirs, atol=1e-6)


def test_balanced_plan_is_that_of_pot():
    x, y, M = histograms(3, 12, 9)
    x, y = x / x.sum(), y / y.sum()
    case = Case(x, y, M, 0.1, np.inf, tol=1e-9)
    theirs = ot.sinkhorn(x, y, M, 0.1, stopThr=1e-12, numItermax=100_000)
    assert case.converged[0]
    np.testing.assert_allclose(case.plan(), theirs, atol=1e-8)


def test_balanced_is_the_limit_of_large_rho():
    x, y, M = histograms(4, 7, 7)
    x, y = x / x.sum(), y / y.sum()
    limit = Case(x, y, M, 0.2, np.inf, tol=1e-10).value[0]
    errors = [abs(Case(x, y, M, 0.2, rho, tol=1e-10).value[0] - limit) for rho in (1e1, 1e3, 1e5)]
    assert errors[1] < errors[0] / 20
    assert errors[2] < errors[1] / 20


@pytest.mark.parametrize("rho", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("factor", [1e-2, 1e-3, 1e-4])
def test_small_epsilon_gives_the_value_of_the_log_domain_and_no_nan(factor, rho):
    rng = np.random.default_rng(0)
    points = rng.random((15, 2))
    M = ((points[:, None] - points[None]) ** 2).sum(2)
    x, y = rng.random(15), rng.random(15)
    x[:9] = 0.0
    epsilon = factor * M.max()
    case = Case(x, y, M, epsilon, rho, tol=1e-7, max_iter=50_000)
    assert np.isfinite(case.dual).all() and case.gap[0] <= 2e-7 * max(x.sum(), y.sum()) and case.converged[0]
    f, g = case.epsilon * case.u[0], case.epsilon * case.v[0]
    P = np.where((x > 0)[:, None] & (y > 0)[None, :], case.plan(), 0.0)
    primal = reference.primal(P, x, y, M + 0.0, epsilon, rho) if factor > 2e-3 else None
    lower = -rho * (x[x > 0] @ np.expm1(-f[x > 0] / rho) + y @ np.expm1(-g / rho)) - epsilon * P.sum()
    assert case.dual[0] == pytest.approx(lower, abs=1e-10)
    if primal is not None:
        constant = epsilon * np.exp(-M / epsilon).sum()
        assert primal - constant == pytest.approx(case.dual[0] + case.gap[0], abs=1e-10)


def test_balanced_at_tiny_epsilon_is_close_to_the_linear_program():
    rng = np.random.default_rng(3)
    M = rng.random((10, 10))
    x, y = rng.random(10), rng.random(10)
    x, y = x / x.sum(), y / y.sum()
    epsilon = 1e-3
    case = Case(x, y, M, epsilon, np.inf, tol=1e-6, max_iter=100_000)
    exact = ot.emd2(x, y, M)
    P = case.plan()
    # W without its constant is <P, M> plus epsilon times an entropy within [-log 100, 0] - 1.
    assert exact - 1e-6 <= (P * M).sum() <= exact + epsilon * np.log(100)


@given(SEEDS)
def test_problems_of_a_batch_do_not_touch_each_other(seed):
    rng = np.random.default_rng(seed)
    M = rng.random((6, 6))
    x, y = rng.random((4, 6)) + 0.01, rng.random((3, 6)) + 0.01
    together = Case(x, y, M, 0.05, 1.0)
    for k in range(12):
        alone = Case(x[k // 3], y[k % 3], M, 0.05, 1.0)
        assert abs(alone.dual[0] - together.dual[k]) <= alone.gap[0] + together.gap[k]
        assert alone.converged[0] and together.converged[k]


def test_grid_equals_its_dense_matrix():
    rng = np.random.default_rng(0)
    for shape in [(7,), (3, 5), (2, 3, 4)]:
        axes = tuple(np.abs(np.arange(k)[:, None] - np.arange(k)[None, :]) ** 2.0 for k in shape)
        size = int(np.prod(shape))
        M = np.zeros((1, 1))
        for cost in axes:
            M = (M[:, None, :, None] + cost[None, :, None, :]).reshape(len(M) * len(cost), -1)
        x, y = rng.random((2, size)), rng.random((2, size))
        x[0, ::2] = 0.0
        for epsilon in (1.0, 0.005):
            grid, dense = (Case(x, y, M, epsilon, 2.0, costs=costs, tol=1e-9) for costs in (axes, None))
            assert grid.converged.all() and dense.converged.all()
            np.testing.assert_allclose(grid.value, dense.value, atol=4e-9)


def test_frames_without_mass_pay_the_penalty_for_all_mass():
    _, y, M = histograms(0, 5, 5)
    case = Case(np.zeros(5), y, M, 0.1, 0.7)
    assert case.converged[0] and case.gap[0] == 0.0
    assert case.dual[0] == pytest.approx(0.7 * y.sum())
    assert Case(np.zeros(5), np.zeros(5), M, 0.1, 0.7).dual[0] == 0.0


def test_symmetric_problem_is_that_of_two_equal_histograms():
    rng = np.random.default_rng(0)
    points = rng.random((9, 2))
    M = ((points[:, None] - points[None]) ** 2).sum(2)
    x = rng.random((3, 9))
    x[0, :4] = 0.0
    x[2] = 0.0
    for rho in (0.5, np.inf):
        for epsilon in (0.5, 1e-3):
            u = np.where(x > 0, 0.0, -1e30)
            cost = M / epsilon
            u, _, dual, gap, _, converged = _sinkhorn.solve_symmetric(
                (np.exp(-cost),), (cost,), x, _sinkhorn.log_mass(x), u,
                epsilon=epsilon, rho=rho, spread=float(M.max()), tol=1e-8, max_iter=20_000,
            )  # fmt: skip
            assert converged.all()
            for k in range(3):
                other = Case(x[k], x[k], M, epsilon, rho, tol=1e-8)
                assert abs(dual[k] - other.dual[0]) <= gap[k] + other.gap[0] + 1e-14


def test_plain_steps_of_a_self_term_do_not_overshoot():
    """Without acceleration, which would hide it: whole steps would swing from side to side for thousands of sweeps."""
    x, epsilon = np.random.default_rng(0).random((3, 12)), 0.05
    cost = np.subtract.outer(np.arange(12.0), np.arange(12.0)) ** 2 / 121 / epsilon
    for rho in (np.inf, 10.0):
        *_, sweeps, converged = _sinkhorn.solve_symmetric(
            (np.exp(-cost),), (cost,), x, _sinkhorn.log_mass(x), np.zeros((3, 12)),
            epsilon=epsilon, rho=rho, spread=1.0, tol=1e-10, max_iter=200, depth=0,
        )  # fmt: skip
        assert converged.all()
        assert sweeps.max() < 60


def test_certificate_of_known_potentials_is_that_of_the_solver():
    rng = np.random.default_rng(0)
    x, y, M = rng.random((2, 6)), rng.random((3, 8)), rng.random((6, 8))
    case = Case(x, y, M, 0.1, 1.0, tol=1e-4)
    rows, cols = np.divmod(np.arange(6), 3)
    here = np.arange(6)
    dual, gap = _sinkhorn.certify(
        x, np.log(x), y, np.log(y), rows, cols, case.u, case.logku, here, case.v, case.logkv, here,
        epsilon=0.1, rho=1.0, spread=case.spread,
    )  # fmt: skip
    np.testing.assert_array_equal(dual, case.dual)
    np.testing.assert_array_equal(gap, case.gap)
    _, wrong = _sinkhorn.certify(
        x, np.log(x), y, np.log(y), rows, cols, case.u, case.logku, here[::-1].copy(), case.v, case.logkv, here,
        epsilon=0.1, rho=1.0, spread=case.spread,
    )  # fmt: skip
    assert (wrong > case.gap).all()


def test_acceleration_saves_sweeps():
    rng = np.random.default_rng(0)
    points = rng.random((60, 2))
    M = ((points[:, None] - points[None]) ** 2).sum(2)
    x, y = rng.random((2, 60)), rng.random((2, 60))
    plain, fast = (Case(x, y, M, 0.005, 1.0, tol=1e-8, depth=depth) for depth in (0, 5))
    assert plain.converged.all() and fast.converged.all()
    assert 2 * fast.sweeps.sum() < plain.sweeps.sum()


@pytest.mark.parametrize("side", ["x", "y"])
def test_potentials_certify_nothing_where_they_move_mass_that_is_not_there(side):
    x, y, M = histograms(1, 6, 5)
    case = Case(x, y, M, 0.2, 1.0)
    zero = np.zeros(1, dtype=np.intp)

    def gap(x, y):
        x, y = np.atleast_2d(x), np.atleast_2d(y)
        sides = x, _sinkhorn.log_mass(x), y, _sinkhorn.log_mass(y), zero, zero
        states = case.u, case.logku, zero, case.v, case.logkv, zero
        return _sinkhorn.certify(*sides, *states, epsilon=0.2, rho=1.0, spread=case.spread)[1][0]

    assert gap(x, y) <= 1e-9
    (x if side == "x" else y)[2] = 0.0
    assert gap(x, y) > 1e200


@pytest.mark.parametrize("scaled_cost", [715.0, 725.0, 735.0, 742.0])
def test_plan_of_two_points_is_right_where_the_kernel_is_denormal(scaled_cost):
    epsilon, rho = 0.01, 1.0
    M = np.array([[scaled_cost * epsilon]])
    case = Case(np.array([0.7]), np.array([1.3]), M, epsilon, rho)
    # The optimum of epsilon KL(p | K) + rho KL(p | x) + rho KL(p | y) for a single p.
    wanted = (rho * np.log(0.7 * 1.3) - M[0, 0]) / (epsilon + 2 * rho)
    assert case.u[0, 0] + case.v[0, 0] - scaled_cost == pytest.approx(wanted, abs=1e-8)
