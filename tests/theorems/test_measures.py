"""TiOT as a metric of measures: Section 2.1 of Time-integrated Optimal Transport (2025).

Convergence and completeness are about sequences without end; what is tested is the inequality or the limit, with its
rate, that a finite part of the sequence must keep.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics

SEEDS = st.integers(0, 2**32 - 1)
POWERS = st.sampled_from([1.0, 1.5, 2.0, 3.0])


def measure(values, times, weights=None):
    """A series as the measure of its atoms; its times need not be in order."""
    times = np.asarray(times, dtype=float)
    order = np.argsort(times, kind="stable")
    weights = np.ones(len(times)) if weights is None else np.asarray(weights)
    return stotmetrics.as_series(np.asarray(values)[order], times=times[order], weights=weights[order])


def draw(rng, most=6, dims=None):
    n, d = rng.integers(1, most + 1), dims or rng.integers(1, 3)
    return rng.normal(size=(n, d)), rng.normal(size=n), rng.uniform(0.05, 1.0, n)


def tiot(x, y, p, **params):
    return stotmetrics.distance(x, y, metric="tiot", p=p, standardize=False, **params)


def wasserstein(x, y, p):
    """W_p for the cost A + B."""
    return stotmetrics.distance(x, y, metric="taot", p=p, omega=1.0, standardize=False) ** (1 / p)


def moment(values, times, weights, p):
    """``E |z|^p``, with the cost A + B from the origin."""
    return float(weights @ (np.linalg.norm(values, axis=1) ** p + np.abs(times) ** p) / weights.sum())


@given(SEEDS, POWERS)
def test_definition_1_2_wasserstein_to_a_point_mass_is_a_moment(seed, p):
    values, times, weights = draw(np.random.default_rng(seed))
    origin = measure(np.zeros((1, values.shape[1])), [0.0])
    expected = moment(values, times, weights, p) ** (1 / p)
    assert wasserstein(measure(values, times, weights), origin, p) == pytest.approx(expected, rel=1e-12)


@given(SEEDS, POWERS)
def test_remark_2_2_the_value_is_finite_and_at_most_the_moments_allow(seed, p):
    """``|x - y|^p <= 2^(p-1) (|x|^p + |y|^p)``: finite moments make a finite value."""
    rng = np.random.default_rng(seed)
    x, y = draw(rng, dims=2), draw(rng, dims=2)
    most = 2 ** (p - 1) * (moment(*x, p) + moment(*y, p))
    assert 0 <= tiot(measure(*x), measure(*y), p) ** p <= most * (1 + 1e-12)


@given(SEEDS, POWERS)
def test_remark_2_2_one_weight_alone_does_not_separate_and_the_maximum_does(seed, p):
    """At w = 1 other times, at w = 0 other values cost nothing."""
    values, times, weights = draw(np.random.default_rng(seed))
    x = measure(values, times, weights)
    for y, blind in ((measure(values, times + 1.0, weights), 1.0), (measure(values + 1.0, times, weights), 0.0)):
        fixed = stotmetrics.distance(x, y, metric="taot", p=p, w=blind, standardize=False)
        assert fixed == pytest.approx(0.0, abs=1e-12)
        assert tiot(x, y, p) > 0.5


@given(SEEDS, POWERS, st.floats(1.0, 8.0))
def test_corollary_1_measures_in_a_ball_hold_their_mass_together(seed, p, radius):
    """A ball holds every tail of a Cauchy sequence. Beyond R of its centre c lies mass of at most ``2 (r / R)^p``."""
    rng = np.random.default_rng(seed)
    values, times, weights = draw(rng, dims=1)
    values = values * 10 ** rng.uniform(-1, 2, (len(times), 1))
    centre = measure([[values[0, 0]]], [times[0]])
    within = tiot(measure(values, times, weights), centre, p)
    beyond = np.abs(values[:, 0] - values[0, 0]) ** p + np.abs(times - times[0]) ** p > radius**p
    assert weights[beyond].sum() / weights.sum() <= 2 * (within / radius) ** p * (1 + 1e-12)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_theorem_2_5_convergence_needs_the_moments_to_converge_too(p):
    """A share 1/k at distance k^s: it vanishes weakly; its p-th moment, and with it TiOT and W_p, only if s < 1/p."""
    origin = measure([[0.0]], [0.0])
    for s, expected in ((0.5 / p, "vanishes"), (1.0 / p, "stays"), (2.0 / p, "grows")):
        values = []
        for k in (1e1, 1e2, 1e4, 1e6):
            far = measure([[0.0], [k**s]], [0.0, 1e-12], [1 - 1 / k, 1 / k])
            values.append(tiot(far, origin, p))
            assert values[-1] == pytest.approx(k ** (s - 1 / p), rel=1e-9)
            assert 2 ** (-1 / p) * wasserstein(far, origin, p) <= values[-1] * (1 + 1e-9)
            assert values[-1] <= wasserstein(far, origin, p) * (1 + 1e-9)
        if expected == "vanishes":
            assert values[-1] < 0.11 ** (1 / p) * values[0]
        elif expected == "stays":
            assert min(values) > 0.999
        else:
            assert values == sorted(values)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_theorem_2_5_convergence_under_tiot_is_weak_convergence(p):
    """Grids on the unit square: TiOT to a finer one falls like the side, and so do integrals of a smooth function."""

    def grid(n):
        middles = (np.arange(n) + 0.5) / n
        values, times = np.meshgrid(middles, middles)
        # Times of a series increase: those of one row part by a hair.
        return values.ravel()[:, None], times.ravel() + 1e-9 * np.arange(n * n)

    def integral(values, times):
        return np.mean(np.cos(3 * values[:, 0]) * np.sin(2 * times))

    # One fine grid in the place of the limit, whose cells those of each coarse grid share out evenly.
    fine = grid(16)
    distances, gaps = [], []
    for n in (1, 2, 4, 8):
        distances.append(tiot(measure(*grid(n)), measure(*fine), p))
        gaps.append(abs(integral(*grid(n)) - integral(*fine)))
        assert distances[-1] <= 0.5 / n + 1e-6
        # The function has slopes of at most 3 and 2, and TiOT_1 is at least half of W_1.
        assert gaps[-1] <= 3 * 2 * distances[-1]
    assert all(after < 0.7 * before for before, after in pairwise(distances))


@given(SEEDS, POWERS, st.sampled_from([1.0, 1e-2, 1e-4]))
def test_corollary_2_the_value_moves_by_no_more_than_both_arguments(seed, p, size):
    """Values, times and weights of both move: ``|d(x, y) - d(x', y')| <= W_p(x, x') + W_p(y, y')``."""
    rng = np.random.default_rng(seed)
    pairs = []
    for values, times, weights in (draw(rng, dims=2), draw(rng, dims=2)):
        moved = (
            values + size * rng.normal(size=values.shape),
            times + size * rng.normal(size=times.shape),
            weights * np.exp(size * rng.normal(size=weights.shape)),
        )
        pairs.append((measure(values, times, weights), measure(*moved)))
    (x, near_x), (y, near_y) = pairs
    most = wasserstein(x, near_x, p) + wasserstein(y, near_y, p)
    assert abs(tiot(x, y, p) - tiot(near_x, near_y, p)) <= most + 1e-9


@given(SEEDS, POWERS, st.integers(2, 12))
def test_theorem_2_6_atoms_and_weights_of_a_countable_set_come_as_near_as_wanted(seed, p, bits):
    """Multiples of 2^-k, with weights that are too: as near as the roundings allow."""
    rng = np.random.default_rng(seed)
    values, times, weights = draw(rng, dims=1)
    # Farther apart than the coarsest unit, so that rounded times still differ.
    times, weights = rng.uniform(0.5, 1.0, len(times)).cumsum(), weights / weights.sum()
    unit = 2.0**-bits
    rounded = np.floor(weights / unit) * unit
    rounded[0] += 1.0 - rounded.sum()
    dense = measure(np.round(values / unit) * unit, np.round(times / unit) * unit, rounded)
    moved = np.abs(weights - rounded).sum() / 2
    spread = np.ptp(values) ** p + np.ptp(times) ** p + 2 * unit**p
    most = 2 ** (1 / p) * unit / 2 + (moved * spread) ** (1 / p)
    assert tiot(measure(values, times, weights), dense, p) <= most + unit + 1e-9


@given(SEEDS, POWERS)
def test_theorem_2_6_a_cauchy_sequence_has_its_limit_at_the_distance_that_its_steps_leave(seed, p):
    """Atoms that move by half as much each time: ``d(x_k, x) <= sum over j >= k of d(x_j, x_j+1)``."""
    rng = np.random.default_rng(seed)
    values, times, weights = draw(rng)
    directions = rng.uniform(-1, 1, (30, *values.shape))
    steps = [2.0**-j * directions[j] for j in range(30)]
    sequence = [measure(values + sum(steps[:k], np.zeros(values.shape)), times, weights) for k in range(31)]
    limit, apart = sequence[-1], [tiot(a, b, p) for a, b in pairwise(sequence)]
    for k in (0, 5, 10, 20):
        rest = sum(apart[k:])
        assert tiot(sequence[k], limit, p) <= rest + 1e-9
        assert rest <= 2.0 ** (1 - k) * np.sqrt(values.shape[1]) + 1e-6
