"""Potentials found in single precision, and the double certificate of every value that comes of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from stotmetrics.kernels import _sinkhorn
from stotmetrics.transport.divergences import Problem, cross_terms, self_terms, solve_batch
from stotmetrics.transport.ground_cost import Ground
from stotmetrics.transport.panels import panels_of
from stotmetrics.transport.single_precision import Singles, approach

SHAPES = [(1,), (5,), (40,), (33, 20), (3, 16), (17, 1), (2, 3, 4), (5, 4, 17)]


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def make(ground, epsilon, *, rho=1.0, tol=1e-6, max_iter=20_000, panels=True):
    laid_out = panels_of(ground.costs, epsilon) if panels else None
    return Problem(ground.costs, epsilon, rho, tol, max_iter, ground.kernels(epsilon), panels=laid_out)


def frames(rng, count, size, *, empty=0.0, decades=3.0):
    """Masses over several decades, some of them zero."""
    mass = 10.0 ** (decades * (rng.random((count, size)) - 1.0))
    mass[rng.random(mass.shape) < empty] = 0.0
    mass[np.arange(count), rng.integers(0, size, count)] += 1.0
    return mass


def solved_in_single(problem, mass, rows, cols, tol):
    """The potentials of single precision, and what the double kernel says of them without moving them."""
    logmass = _sinkhorn.log_mass(mass)
    start = np.where(logmass[cols] > -1e29, 0.0, logmass[cols])
    v, sweeps, solved = approach(
        Singles.of(problem.panels, mass, logmass), rows, cols, start,
        epsilon=problem.epsilon, rho=problem.rho, tol=tol, max_iter=10_000, depth=5,
    )  # fmt: skip
    once = replace(problem, max_iter=1, tol=tol)
    *_, dual, gap, _, converged = solve_batch(once, mass, logmass, mass, logmass, rows, cols, v)
    return dual, gap, sweeps, solved, converged


@pytest.mark.parametrize("shape", SHAPES)
def test_what_single_precision_calls_solved_has_its_certificate_at_once(shape):
    ground = Ground.grid(shape).normalized()
    rng = np.random.default_rng(len(shape))
    mass = frames(rng, 6, ground.size, empty=0.2)
    rows, cols = np.arange(6, dtype=np.intp), rng.permutation(6).astype(np.intp)
    problem = make(ground, 0.05 + 0.1 * (ground.spread == 0))
    dual, gap, sweeps, solved, converged = solved_in_single(problem, mass, rows, cols, 1e-6)
    assert solved.all() and converged.all() and (sweeps > 0).all()
    assert (0.5 * gap <= 1e-6 * np.maximum(mass[rows].sum(1), mass[cols].sum(1))).all()
    exact = make(ground, problem.epsilon, tol=1e-12, panels=False)
    logmass = _sinkhorn.log_mass(mass)
    start = np.where(logmass[cols] > -1e29, 0.0, logmass[cols])
    best = solve_batch(exact, mass, logmass, mass, logmass, rows, cols, start)
    assert (dual <= best[4] + best[5] + 1e-13).all() and (best[4] <= dual + gap + 1e-13).all()


@given(
    st.integers(0, 2**31),
    st.sampled_from(SHAPES),
    st.sampled_from([0.002, 0.02, 0.2, 2.0]),
    st.sampled_from([0.05, 1.0, 20.0]),
    st.sampled_from([1e-3, 1e-6, 1e-9, 1e-11]),
    st.sampled_from([1.0, 1e-13, 1e9]),
)
def test_every_certificate_bounds_the_error(seed, shape, epsilon, rho, tol, unit):
    """Whatever single precision brings: steep kernels, empty points, masses of any unit, goals that it cannot reach."""
    ground = Ground.grid(shape).normalized()
    rng = np.random.default_rng(seed)
    first, second = (unit * frames(rng, 3, ground.size, empty=0.3, decades=8.0) for _ in range(2))
    crosses = []
    for panels in (True, False):
        problem = make(ground, epsilon, rho=rho, tol=tol if panels else 1e-12, panels=panels)
        x, y = self_terms(problem, first), self_terms(problem, second)
        crosses.append(cross_terms(problem, x, y))
    ours, exact = crosses
    total = np.maximum(first.sum(1)[:, None], second.sum(1)[None, :])
    # Rounding of logarithms as large as those of the unit.
    rounding = 1e-13 * total * (1 + rho) + 1e-14 * abs(exact.value)
    assert (abs(ours.value - exact.value) <= ours.error + exact.error + rounding).all()
    # Where a plan is far heavier than both masses, rounding may cost more than the goal.
    if unit >= 1.0 and tol >= 1e-9:
        assert (ours.error <= 1.000001 * tol * total)[ours.converged].all()
    assert ours.converged[exact.converged].all()


def test_single_precision_leaves_one_sweep_to_double_precision():
    """On a surface, far above its resolution: every problem, so that the work is done where it is cheap."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    ground = Ground.from_points(points).normalized()
    mass = 1e-3 + np.exp(-ground.cost()[:20] / 0.01) * rng.random((20, 1)) * 3
    rows, cols = (side.astype(np.intp) for side in np.indices((20, 20)).reshape(2, -1))
    problem = make(ground, 10 / 300)
    *_, sweeps, solved, converged = solved_in_single(problem, mass, rows, cols, 2.5e-7)
    assert solved.all() and converged.all()
    assert np.median(sweeps) < 30


def test_products_beyond_single_precision_are_given_back_and_still_solved():
    """Potentials over a range of e^300: nothing of it is left in single precision, and nothing is lost."""
    ground = Ground.from_points(np.linspace(0, 30, 60))
    mass = np.full((2, 60), 1e-250)
    mass[0, 0] = mass[1, 59] = 1.0
    rows, cols = np.array([0], dtype=np.intp), np.array([1], dtype=np.intp)
    problem = make(ground, 1.0, rho=300.0)
    *_, solved, _ = solved_in_single(problem, mass, rows, cols, 1e-6)
    assert not solved.any()
    x, y = (self_terms(problem, frame[None, :]) for frame in mass)
    cross = cross_terms(problem, x, y)
    plain = replace(problem, panels=None)
    same = cross_terms(plain, self_terms(plain, mass[:1]), self_terms(plain, mass[1:]))
    assert cross.converged.all()
    assert (abs(cross.value - same.value) <= cross.error + same.error).all()


@pytest.mark.parametrize("shape", [(3, 16), (3, 2, 4), (3, 5)])
@pytest.mark.parametrize("rho", [10.0, 1000.0])
def test_rows_of_a_grid_farther_apart_than_single_precision_reaches_are_solved(shape, rho):
    """Every row has an exponent of its own, and what only fills up a vector has none: between these lies e^-256."""
    ground = Ground.grid(shape, spacing=(8.0, *(0.3,) * (len(shape) - 1)))
    mass = np.zeros((2, *shape))
    mass[0, 0], mass[1, 2] = np.random.default_rng(0).random((2, *shape[1:])) + 0.1
    rows, cols = np.array([0], dtype=np.intp), np.array([1], dtype=np.intp)
    problem = make(ground, 1.0, rho=rho)
    *_, solved, converged = solved_in_single(problem, mass.reshape(2, -1), rows, cols, 1e-6)
    assert solved.all() and converged.all()


@given(st.integers(0, 2**31), st.sampled_from([1.0, 5.0, 30.0]), st.sampled_from([120.0, 200.0, 450.0]))
def test_no_product_that_vanished_counts_as_solved(seed, rho, reach):
    """On grounds beyond the range of single precision: a line, points with one far off, and a grid of steep rows."""
    rng = np.random.default_rng(seed)
    far = np.sqrt(reach)
    for ground in (
        Ground.from_points(far * np.sort(rng.random(9))),
        Ground.from_points(np.append(rng.random(9), far)),
        Ground.grid((3, 5), spacing=(0.5 * far, 0.3)),
    ):
        mass = frames(rng, 8, ground.size, empty=0.6)
        rows, cols = (side.astype(np.intp) for side in np.indices((8, 8)).reshape(2, -1))
        _, gap, _, solved, _ = solved_in_single(make(ground, 1.0, rho=rho), mass, rows, cols, 1e-5)
        total = np.maximum(mass[rows].sum(1), mass[cols].sum(1))
        # Many terms that vanish are a little more than is allowed for; taken for a product they are anything.
        assert (gap <= 0.01 * rho * total)[solved].all()


@pytest.mark.parametrize("rho", [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("ratio", [0.01, 7.0, 1000.0])
def test_between_two_points_a_translation_leaves_nothing_to_do(rho, ratio):
    """One sweep tells which translation, one takes its image, and one finds nothing left, whatever the masses."""
    mass = np.array([[1.0], [ratio]])
    rows, cols = np.array([0, 1], dtype=np.intp), np.array([1, 0], dtype=np.intp)
    *_, sweeps, solved, converged = solved_in_single(make(Ground.grid((1,)), 0.2, rho=rho), mass, rows, cols, 1e-6)
    assert solved.all() and converged.all()
    assert (sweeps <= 3).all()


@given(st.integers(0, 2**31), st.sampled_from([0.05, 0.5]), st.sampled_from([0.1, 1.0, 10.0]))
def test_the_gap_is_quadratic_in_the_error_of_the_potentials(seed, epsilon, rho):
    """The bound that the module proves, at errors from those of single precision to those of no precision."""
    ground = Ground.grid((23,)).normalized()
    rng = np.random.default_rng(seed)
    mass = frames(rng, 4, 23)
    rows, cols = (side.astype(np.intp) for side in np.indices((4, 4)).reshape(2, -1))
    sides = (mass, _sinkhorn.log_mass(mass), mass, _sinkhorn.log_mass(mass), rows, cols)
    exact = make(ground, epsilon, rho=rho, tol=1e-15, panels=False)
    v = solve_batch(replace(exact, tol=0.0, max_iter=2000), *sides, np.zeros((16, 23)))[1]
    omega = rho / (rho + epsilon)
    for delta in (1e-4, 1e-2, 0.3):
        off = v + delta * rng.choice([-1.0, 1.0], v.shape)
        gap = solve_batch(replace(exact, max_iter=1), *sides, off)[5]
        d = (1 / omega + omega) * delta
        target = (mass[cols] * np.exp(-epsilon / rho * off)).sum(1)
        assert (gap <= rho * target * d**2 / 2 * np.exp(d) + 1e-13 * (1 + rho) * target).all()


@given(st.integers(0, 2**31))
def test_a_problem_does_not_depend_on_its_batch(seed):
    rng = np.random.default_rng(seed)
    for shape in ((40,), (6, 7)):
        ground = Ground.grid(shape).normalized()
        mass = frames(rng, 8, ground.size)
        logmass = _sinkhorn.log_mass(mass)
        rows, cols = (side.astype(np.intp) for side in np.indices((8, 8)).reshape(2, -1))
        panels = panels_of(ground.costs, 0.05)
        settings = {"epsilon": 0.05, "rho": 1.0, "tol": 1e-6, "max_iter": 1000, "depth": 5}
        histograms = Singles.of(panels, mass, logmass)
        together = approach(histograms, rows, cols, np.zeros((64, ground.size)), **settings)
        for k in rng.integers(0, 64, 5):
            alone = approach(histograms, rows[k : k + 1], cols[k : k + 1], np.zeros((1, ground.size)), **settings)
            for ours, theirs in zip(alone, together, strict=True):
                np.testing.assert_array_equal(ours[0], theirs[k])


@pytest.mark.parametrize("shape", SHAPES)
def test_padding_is_undone(shape):
    panels = panels_of(Ground.grid(shape).costs, 1.0)
    rows = np.random.default_rng(0).integers(-99, 99, (4, int(np.prod(shape)))).astype(np.float64)
    np.testing.assert_array_equal(panels.trimmed(panels.padded(rows, -1.0)), rows)


def test_the_heavier_frame_is_iterated_whichever_comes_first():
    """Both orders of a pair take the same way, to the last digit of the value."""
    ground = Ground.grid((40,)).normalized()
    rng = np.random.default_rng(0)
    for panels in (True, False):
        problem = make(ground, 0.02, panels=panels)
        light, heavy = (self_terms(problem, scale * frames(rng, 3, 40)) for scale in (0.1, 7.0))
        there, back = cross_terms(problem, light, heavy), cross_terms(problem, heavy, light)
        np.testing.assert_array_equal(there.value, back.value.T)
        np.testing.assert_array_equal(there.sweeps, back.sweeps.T)
        np.testing.assert_array_equal(there.u[there.state], back.v[back.state.T])
