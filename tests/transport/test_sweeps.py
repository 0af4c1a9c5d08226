"""What plain sweeps solve is solved in no more sweeps; where rounding is all that moves, it stops."""

import numpy as np
import pytest
from scipy.special import logsumexp

from stotmetrics import ConvergenceWarning
from stotmetrics.kernels import _sinkhorn
from stotmetrics.transport import sinkhorn, sinkhorn_unbalanced


def plain_sweeps(a, b, M, reg, rho, stop, most):
    """Sweeps of the textbook until nothing is left over, or None."""
    omega = 1.0 if np.isinf(rho) else rho / (rho + reg)
    v = np.zeros(len(b))
    for sweep in range(1, most + 1):
        u = omega * (np.log(a) - logsumexp(v - M / reg, axis=1))
        logsum = logsumexp(u[:, None] - M / reg, axis=0)
        left = abs(v / omega - np.log(b) + logsum).max() if omega < 1 else abs(np.exp(v + logsum) - b).sum() / b.sum()
        if left <= stop:
            return sweep
        v = omega * (np.log(b) - logsum)
    return None


def random_problem(rng):
    n, m = rng.integers(1, 25, 2)
    a, b = (rng.random(k) + 1e-3 for k in (n, m))
    M = rng.random((n, m)) * 10.0 ** rng.uniform(-2, 1.5) * (rng.random() > 0.1)
    a, b = a * 10.0 ** rng.uniform(-3, 3), b * 10.0 ** rng.uniform(-3, 3)
    return a, b, M, 10.0 ** rng.uniform(-2, 2), 10.0 ** rng.uniform(-2, 2)


@pytest.mark.parametrize("seed", range(80))
def test_no_more_sweeps_than_plain_ones(seed):
    rng = np.random.default_rng(seed)
    a, b, M, reg, rho = random_problem(rng)
    if seed % 5 == 0:
        b, rho = b * (a.sum() / b.sum()), np.inf
    plain = plain_sweeps(a, b, M, reg, rho, 1e-6, 500)
    if plain is None:
        plain = 500
        a, b, M = a[:1], np.array([a[0]]), M[:1, :1]
    _, log = sinkhorn_unbalanced(a, b, M, reg, rho, reg_type="entropy", stopThr=1e-6, log=True)
    assert log["converged"] and log["niter"] <= plain


@pytest.mark.parametrize("ratio", [1.0, 10.0, 50.0, 1e3])
def test_uniform_masses_at_no_cost_are_solved_at_a_regularisation_far_above_the_penalty(ratio):
    a = np.full(20, 1 / 20)
    P, log = sinkhorn_unbalanced(a, a, np.zeros((20, 20)), 1.0, 1 / ratio, reg_type="entropy", log=True)
    # One number solves it: log a = w_inverse u + log 20 + u, w_inverse = 1 + ratio.
    exact = (np.log(1 / 20) - np.log(20)) / (2 + ratio)
    np.testing.assert_allclose(P, np.exp(2 * exact), rtol=1e-5)
    assert log["converged"] and log["niter"] <= 12


@pytest.mark.parametrize("solve", ["pair", "symmetric"])
def test_stops_soon_where_rounding_keeps_it_from_its_tolerance(solve):
    rng = np.random.default_rng(1)
    x, M = rng.random((1, 30)), rng.random((30, 30))
    M = M + M.T
    kernels, log_x = ((np.exp(-M / 0.1),), (M / 0.1,)), _sinkhorn.log_mass(x)
    limits = {"epsilon": 0.1, "rho": 1.0, "spread": float(np.ptp(M)), "tol": np.inf, "stop": 1e-300, "max_iter": 10_000}
    if solve == "pair":
        zero = np.zeros(1, dtype=np.intp)
        state = _sinkhorn.solve(*kernels, x, log_x, x[:, ::-1].copy(), log_x[:, ::-1].copy(), zero, zero,
                                np.zeros((1, 30)), **limits)  # fmt: skip
    else:
        state = _sinkhorn.solve_symmetric(*kernels, x, log_x, np.zeros((1, 30)), **limits)
    assert state[-2][0] < 1000 and not state[-1][0]
    assert state[-3][0] < 1e-12


def test_a_threshold_of_nought_is_a_number_of_sweeps():
    rng = np.random.default_rng(0)
    a, b, M = rng.random(6), rng.random(5), rng.random((6, 5))
    with pytest.warns(ConvergenceWarning):
        _, log = sinkhorn_unbalanced(a, b, M, 0.1, 1.0, stopThr=0, numItermax=3, log=True)
    assert log["niter"] == 3 and not log["converged"]
    _, log = sinkhorn_unbalanced(a, b, M, 0.1, 1.0, stopThr=0, numItermax=3, log=True, warn=False)
    _, log = sinkhorn_unbalanced(a, b, M, 0.1, 1.0, stopThr=0, numItermax=200, log=True)
    # Nothing is left to do once a sweep changes no digit.
    assert log["niter"] <= 200 and log["converged"] and log["err"][-1] < 1e-13


@pytest.mark.parametrize("stop", [1e-7, 1e-9, 1e-12])
def test_a_small_threshold_is_kept_or_missed_aloud(stop):
    rng = np.random.default_rng(2)
    a, b, M = rng.random(40), rng.random(30), rng.random((40, 30))
    _, log = sinkhorn_unbalanced(a, b, M, 0.1, 1.0, stopThr=stop, log=True)
    assert log["converged"] and log["err"][-1] <= stop
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        _, log = sinkhorn_unbalanced(a, b, M, 0.1, 1.0, stopThr=stop, numItermax=2, log=True)
    assert not log["converged"] and log["err"][-1] > stop
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        sinkhorn(a / a.sum(), b / b.sum(), M, 0.1, stopThr=stop, numItermax=2)
