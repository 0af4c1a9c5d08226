"""Coarser grounds, on which most sweeps in single precision are made."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from stotmetrics.kernels import _sinkhorn, _sinkhorn_single
from stotmetrics.transport.divergences import Problem, cross_terms, self_terms
from stotmetrics.transport.ground_cost import Ground
from stotmetrics.transport.panels import panels_of
from stotmetrics.transport.single_precision import Singles, approach

# Every axis is long enough to be made coarser, or none of them, or some are.
SHAPES = [(64,), (67,), (33, 40), (5, 33), (32, 3, 35), (3, 33, 16)]


def grounds(shape):
    """Spacing 1, so that neighbours are at cost 1 on every axis."""
    return Ground.grid(shape)


def averaged(cost, size, step):
    """Means over groups of ``step`` columns, by loops."""
    return np.array([cost[:, k : k + step].mean(axis=1) for k in range(0, size, step)]).T


def blobs(rng, count, shape, *, empty=0.0):
    """Smooth masses somewhere on a grid, some points without any."""
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, len(shape))
    centres = rng.random((count, len(shape))) * (np.array(shape) - 1)
    away = ((points[None] - centres[:, None]) / (0.05 + 0.15 * np.array(shape))) ** 2
    mass = np.exp(-away.sum(axis=2)) * (0.5 + rng.random((count, len(points)))) + 1e-4
    mass[rng.random(mass.shape) < empty] = 0.0
    return mass / mass.sum(axis=1, keepdims=True) * 10 ** rng.uniform(-0.2, 0.2, (count, 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_masses_of_points_taken_together_add_up(shape):
    coarser = panels_of(grounds(shape).costs, 4.0).coarser
    mass = np.random.default_rng(0).random((3, *shape))
    expected = mass
    for axis, (size, step) in enumerate(zip(shape, coarser.steps, strict=True), start=1):
        assert step == (2 if size >= 32 else 1)
        groups = [expected.take(range(k, min(k + step, size)), axis) for k in range(0, size, step)]
        expected = np.stack([group.sum(axis=axis) for group in groups], axis=axis)
    assert expected.shape[1:] == coarser.panels.shape
    ours = coarser.together(np.add, mass.reshape(3, -1))
    np.testing.assert_allclose(ours, expected.reshape(3, -1), rtol=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_potentials_of_a_coarser_ground_give_those_of_the_finer_one(shape):
    """Against the same in logarithms and double precision."""
    epsilon, rho, rng = 4.0, 30.0, np.random.default_rng(1)
    ground = grounds(shape)
    panels = panels_of(ground.costs, epsilon)
    coarser = panels.coarser
    mass = blobs(rng, 2, shape, empty=0.2)
    logmass = _sinkhorn.log_mass(mass)
    histograms = Singles.of(panels, mass, logmass)
    u = rng.normal(size=(3, int(np.prod(coarser.panels.shape))))
    cols = np.array([1, 0, 1], dtype=np.intp)
    expected = u.reshape(3, *coarser.panels.shape)
    for axis, (cost, step) in enumerate(zip(ground.costs, coarser.steps, strict=True), start=1):
        across = averaged(cost, len(cost), step)
        expected = logsumexp(np.moveaxis(expected, axis, -1)[..., None, :] - across / epsilon, axis=-1)
        expected = np.moveaxis(expected, -1, axis)
    expected = rho / (rho + epsilon) * (logmass[cols] - expected.reshape(3, -1))
    v = np.full_like(histograms.mass[cols], 5.0)
    _sinkhorn_single.refine(
        coarser.axes, coarser.panels.sides, panels.sides, coarser.panels.padded(u, -1e30), histograms.mass,
        histograms.logmass, cols, v, epsilon=epsilon, rho=rho,
    )  # fmt: skip
    ours, massive = panels.trimmed(v), mass[cols] > 0
    np.testing.assert_allclose(ours[massive], expected[massive], rtol=1e-5, atol=1e-5)
    assert (ours[~massive] < -1e29).all()


def test_what_leaves_the_range_of_single_precision_keeps_its_start():
    panels = panels_of(grounds((64,)).costs, 4.0)
    histograms = Singles.of(panels, np.ones((1, 64)), np.zeros((1, 64)))
    u = np.full((1, 32), -500.0)
    u[0, 0] = 0.0
    v = np.full((1, 64), 7.0, dtype=np.float32)
    _sinkhorn_single.refine(
        panels.coarser.axes, panels.coarser.panels.sides, panels.sides, panels.coarser.panels.padded(u, -1e30),
        histograms.mass, histograms.logmass, np.zeros(1, dtype=np.intp), v, epsilon=4.0, rho=1.0,
    )  # fmt: skip
    np.testing.assert_array_equal(v, 7.0)


def test_no_ground_is_made_coarser_than_its_kernel_can_tell():
    """The next one would have neighbours four times as far apart."""
    for size, epsilon in ((64, 1.0), (31, 100.0)):
        assert panels_of(grounds((size,)).costs, epsilon).coarser is None
    levels, panels = [], panels_of(grounds((256, 256)).costs, 40.0)
    while panels is not None:
        levels.append(panels.shape)
        panels = panels.coarser.panels if panels.coarser else None
    assert levels == [(256, 256), (128, 128), (64, 64), (32, 32)]
    mixed = np.random.default_rng(0).permutation(64)
    assert panels_of((grounds((64,)).costs[0][np.ix_(mixed, mixed)],), 4.0).coarser is None


@pytest.mark.parametrize("shape", [(64, 64), (300,)])
def test_few_sweeps_are_left_to_the_finest_ground(shape):
    ground = grounds(shape).normalized()
    epsilon = 0.03
    panels = panels_of(ground.costs, epsilon)
    rng = np.random.default_rng(2)
    mass = blobs(rng, 8, shape)
    logmass = _sinkhorn.log_mass(mass)
    rows, cols = (side.astype(np.intp) for side in np.indices((8, 8)).reshape(2, -1))
    rates = {"epsilon": epsilon, "rho": 1.0, "tol": 2.5e-5, "max_iter": 1000, "depth": 5}
    (most, fewer) = (
        approach(Singles.of(here, mass, logmass), rows, cols, np.zeros((64, ground.size)), **rates)[1:]
        for here in (replace(panels, coarser=None), panels)
    )
    both = most[1] & fewer[1]
    assert both.sum() >= 32
    assert fewer[0][both].mean() < 0.5 * most[0][both].mean()


@settings(max_examples=25)
@given(
    st.integers(0, 2**31),
    st.sampled_from([(67,), (35, 33), (3, 40)]),
    st.sampled_from([0.5, 4.0, 300.0]),
    st.sampled_from([0.5, 30.0, 3000.0]),
    st.sampled_from([1e-3, 1e-6]),
    st.sampled_from([0.0, 0.3, 0.9]),
)
def test_every_certificate_bounds_the_error(seed, shape, epsilon, rho, tol, empty):
    rng = np.random.default_rng(seed)
    ground = grounds(shape)
    first, second = (blobs(rng, 2, shape, empty=empty) for _ in range(2))
    kernels, panels = ground.kernels(epsilon), panels_of(ground.costs, epsilon)
    assert (panels.coarser is None) == (epsilon < 2.0)
    crosses = []
    for laid_out, goal in ((panels, tol), (None, 1e-11)):
        problem = Problem(ground.costs, epsilon, rho, goal * rho, 20_000, kernels, panels=laid_out)
        crosses.append(cross_terms(problem, self_terms(problem, first), self_terms(problem, second)))
    ours, exact = crosses
    total = np.maximum(first.sum(axis=1)[:, None], second.sum(axis=1)[None, :])
    assert (abs(ours.value - exact.value) <= ours.error + exact.error + 1e-13 * total * (1 + rho + epsilon)).all()
    assert ours.converged.all()
    assert (ours.error <= 1.000001 * tol * rho * total).all()


def test_a_matrix_of_values_needs_no_potentials():
    """And has the same values without them."""
    rng, ground = np.random.default_rng(3), grounds((33, 40))
    problem = Problem(ground.costs, 4.0, 50.0, 1e-6, 1000, ground.kernels(4.0), panels=panels_of(ground.costs, 4.0))
    x, y = (self_terms(problem, blobs(rng, 5, (33, 40))) for _ in range(2))
    whole, bare = cross_terms(problem, x, y), cross_terms(problem, x, y, potentials=False)
    for name in ("value", "error", "sweeps", "converged"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(bare, name))
    assert len(whole.u) == len(whole.v) == 25 and not len(bare.u) and not len(bare.v)


@pytest.mark.parametrize("unit", [1e-300, 1e-60, 1e-30, 1e30, 1e90, 1e300])
def test_masses_beyond_single_precision_are_solved_without_a_word(unit):
    """Warnings are errors here."""
    rng, ground = np.random.default_rng(4), grounds((40, 40))
    kernels, crosses = ground.kernels(4.0), []
    first, second = (unit * blobs(rng, 2, (40, 40)) for _ in range(2))
    for panels in (panels_of(ground.costs, 4.0), None):
        problem = Problem(ground.costs, 4.0, 30.0, 1e-5, 5000, kernels, panels=panels)
        crosses.append(cross_terms(problem, self_terms(problem, first), self_terms(problem, second)))
    ours, plain = crosses
    assert ours.converged.all() and plain.converged.all()
    assert (abs(ours.value - plain.value) <= ours.error + plain.error + 1e-12 * abs(plain.value)).all()
