"""The batch of one pair of series: leaders, followers, certificates, and grids of any size."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from stotmetrics.kernels import _sinkhorn
from stotmetrics.transport.divergences import Problem, cross_terms, divergence, self_terms
from stotmetrics.transport.ground_cost import Ground


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def make(ground, epsilon, rho=1.0, tol=1e-7, max_iter=20_000):
    return Problem(ground.costs, epsilon, rho, tol, max_iter, ground.kernels(epsilon))


def peaks(places, heights, size=40):
    frames = np.full((len(places), size), 1e-2)
    frames[np.arange(len(places)), places] += heights
    return frames


def test_still_frames_are_solved_once_and_every_frame_is_certified():
    problem = make(Ground.grid((40,)).normalized(), 0.02)
    x = self_terms(problem, peaks([3, 3, 8, 3, 8, 9], [1.0, 1.0, 2.0, 1.0, 2.0 + 1e-9, 1.0]))
    y = self_terms(problem, peaks([20, 21, 20, 21], [1.0, 1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(x.leader, [0, 0, 2, 0, 2, 5])
    np.testing.assert_array_equal(y.leader, [0, 1, 0, 1])
    cross = cross_terms(problem, x, y)
    assert (cross.sweeps > 0).sum() == 3 * 2
    assert cross.converged.all() and (cross.error <= problem.allowed(x.total[:, None], y.total[None, :])).all()
    strict = make(Ground.grid((40,)).normalized(), 0.02, tol=1e-10)
    exact = cross_terms(strict, self_terms(strict, x.mass), self_terms(strict, y.mass))
    assert (abs(cross.value - exact.value) <= cross.error + exact.error).all()


def test_a_follower_that_its_leader_does_not_certify_is_solved_for_itself():
    problem = make(Ground.grid((40,)).normalized(), 0.02)
    rng = np.random.default_rng(0)
    base = rng.random((1, 40)) + 0.1
    # Alike enough for their own symmetric problems, at the edge of the tolerance.
    x = self_terms(problem, base + 1e-4 * rng.random((8, 40)))
    y = self_terms(problem, peaks([5, 30], [3.0, 3.0]))
    cross = cross_terms(problem, x, y)
    assert (cross.error <= problem.allowed(x.total[:, None], y.total[None, :])).all() and cross.converged.all()


def test_errors_of_three_terms_add_up():
    ground = Ground.grid((30,)).normalized()
    rng = np.random.default_rng(0)
    frames = rng.random((2, 3, 30)) ** 4
    loose, strict = make(ground, 0.02, tol=1e-3), make(ground, 0.02, tol=1e-11)
    divergences = []
    for problem in (loose, strict):
        x, y = (self_terms(problem, part) for part in frames)
        divergences.append(divergence(x, y, cross_terms(problem, x, y), positive=False))
    assert (abs(divergences[0][0] - divergences[1][0]) <= divergences[0][1] + divergences[1][1]).all()
    assert (divergences[0][1] <= 2e-3 * frames.sum(2).max()).all() and divergences[0][1].max() > 1e-6


def test_divergence_of_a_batch_is_that_of_each_pair_to_the_last_digit_for_few_frames():
    ground = Ground.from_points(np.random.default_rng(1).random((33, 2)))
    problem = make(ground, 0.01)
    frames = np.random.default_rng(0).random((2, 4, 33))
    x, y = (self_terms(problem, part) for part in frames)
    together = cross_terms(problem, x, y)
    alone = cross_terms(problem, self_terms(problem, frames[0][1:2]), self_terms(problem, frames[1][2:3]))
    assert together.value[1, 2] == alone.value[0, 0]


@pytest.mark.parametrize("mode", ["dense", "grid"])
@pytest.mark.parametrize("factor", [1e-2, 1e-4])
def test_small_epsilon_and_mostly_empty_frames(mode, factor):
    rng = np.random.default_rng(0)
    ground = Ground.grid((6, 7))
    frames = np.where(rng.random((2, 3, 42)) < 0.9, 0.0, rng.random((2, 3, 42)))
    frames[:, :, 5] += 0.5
    if mode == "dense":
        ground = Ground.from_cost(ground.cost())
    epsilon = factor * ground.spread
    problem = make(ground, epsilon, rho=5.0, tol=1e-5, max_iter=50_000)
    x, y = (self_terms(problem, part) for part in frames)
    cross = cross_terms(problem, x, y)
    assert cross.converged.all() and np.isfinite(cross.value).all()
    # The dual value, computed here in the log domain from the potentials alone: a lower bound on W.
    i, j = 1, 2
    u, v = cross.u[cross.state[i, j]], cross.v[cross.state[i, j]]
    used, other = frames[0][i] > 0, frames[1][j] > 0
    mass = np.exp(u[used][:, None] + v[other][None, :] - ground.cost()[np.ix_(used, other)] / epsilon).sum()
    dual = -5.0 * frames[0][i][used] @ np.expm1(-epsilon * u[used] / 5.0)
    dual -= 5.0 * frames[1][j][other] @ np.expm1(-epsilon * v[other] / 5.0) + epsilon * mass
    assert cross.value[i, j] - cross.error[i, j] == pytest.approx(dual, abs=1e-8)


@pytest.mark.parametrize("max_iter", [1, 2, 5])
@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0])
def test_a_balanced_self_term_has_a_bound_after_any_number_of_sweeps(epsilon, max_iter):
    """A balanced plan is judged at its own total alone, which every sweep has to give it."""
    ground = Ground.grid((7,)).normalized()
    mass = np.random.default_rng(0).random((5, 7)) ** 3
    early, best = (
        self_terms(make(ground, epsilon, rho=np.inf, tol=tol, max_iter=most), mass)
        for tol, most in ((1e-15, max_iter), (1e-12, 20_000))
    )
    assert np.isfinite(early.error).all()
    assert (abs(early.value - best.value) <= early.error + best.error).all()


def test_a_grid_of_4096_points_takes_no_matrix_of_its_size():
    ground = Ground.grid((64, 64)).normalized()
    problem = make(ground, 0.01, tol=1e-5)
    assert sum(matrix.size for part in problem.kernels for matrix in part) == 4 * 64 * 64
    rng = np.random.default_rng(0)
    frames = np.full((2, 4096), 1e-3)
    frames[0, rng.choice(4096, 30)] += 1.0
    frames[1, rng.choice(4096, 30)] += 1.0
    x, y = (self_terms(problem, frame[None, :]) for frame in frames)
    cross = cross_terms(problem, x, y)
    assert cross.converged.all()
    logku = _sinkhorn.log_mass(np.exp(cross.u[0].reshape(64, 64) - cross.u[0].max()))
    assert np.isfinite(logku).all()
