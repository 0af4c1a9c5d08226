"""Values that a formula gives, as properties over wide ranges: point masses, shifted copies, two points, Gaussians."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

import stotmetrics
from stotmetrics.transport.ground_cost import Ground

SEEDS = st.integers(0, 2**32 - 1)
POWERS = st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.0])
DECADES = st.floats(-9.0, 9.0)


def raw(name, x, y, **params):
    return stotmetrics.distance(x, y, metric=name, standardize=False, **params)


def point(value, time):
    return stotmetrics.as_series([value], times=[time])


@given(DECADES, DECADES, DECADES, DECADES, POWERS, st.floats(-9, 3))
def test_between_point_masses_tiot_is_the_larger_of_both_differences(value, other, time, later, p, regularisation):
    x, y = point(10**value, 10**time), point(-(10**other), 10**later)
    apart = 10**value + 10**other, abs(10**time - 10**later)
    assert raw("tiot", x, y, p=p) == pytest.approx(max(apart), rel=1e-12)
    # The only coupling costs the same at any epsilon, in units of the costs.
    epsilon = 10**regularisation * max(apart) ** p
    if 1e-200 < max(apart) ** p < 1e200:
        assert raw("etiot", x, y, p=p, epsilon=epsilon) == pytest.approx(max(apart), rel=1e-9)
        assert raw("taot", x, y, p=p, omega=2.0) == pytest.approx(apart[0] ** p + 2 * apart[1] ** p, rel=1e-12)


@given(SEEDS, DECADES, DECADES, POWERS)
def test_between_shifted_copies_tiot_is_the_larger_shift(seed, size, delay, p):
    """Whatever the weight, no plan does better than to follow both shifts."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 9), rng.integers(1, 4)
    values, times, weights = rng.normal(size=(n, d)), rng.uniform(0.1, 1, n).cumsum(), rng.uniform(0.1, 1, n)
    step = 10**size * rng.normal(size=d)
    x = stotmetrics.as_series(values, times=times, weights=weights)
    y = stotmetrics.as_series(values + step, times=times + 10**delay, weights=weights)
    truth = max(float(np.linalg.norm(step)), 10**delay)
    # What the sums round is relative to the values, and behind a root to the power 1/p of it.
    rounding = 1e-15 * (1 + 10**delay + 10**size)
    assert raw("tiot", x, y, p=p) == pytest.approx(truth, rel=1e-10, abs=2 * rounding)


@given(SEEDS, st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1), st.floats(0, 1), POWERS)
def test_between_two_point_measures_tiot_moves_what_one_has_more(seed, height, gap, share, other, p):
    h, tau = 10**height, 10**gap
    x, y = (stotmetrics.as_series([0.0, h], times=[0.0, tau], weights=[alpha, 1 - alpha]) for alpha in (share, other))
    truth = abs(share - other) ** (1 / p) * max(h, tau)
    # The shares sum to one but for a rounding, and that moves too.
    slack = (4 * 2.0**-53) ** (1 / p) * max(h, tau)
    assert raw("tiot", x, y, p=p) == pytest.approx(truth, rel=1e-9, abs=slack)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-2, 2), st.floats(-2, 2), st.integers(2, 40))
def test_between_samples_of_gaussians_transport_of_values_has_their_closed_form(mean, other, spread, width, n):
    """Quantiles of N(m, s^2) and N(m', s'^2): W_2^2 = (m - m')^2 + (s - s')^2 times the mean square quantile."""
    quantiles = ndtri((np.arange(n) + 0.5) / n)
    s, t = 10**spread, 10**width
    rng = np.random.default_rng(n)
    x, y = mean + s * rng.permutation(quantiles), other + t * rng.permutation(quantiles)
    truth = (mean - other) ** 2 + (s - t) ** 2 * float(np.mean(quantiles**2))
    assert raw("taot", x, y, w=1.0) == pytest.approx(truth, rel=1e-10, abs=1e-12 * (s + t) ** 2)


@pytest.mark.parametrize(
    ("mean", "spreads", "epsilon"), [(0.5, (1.0, 0.6), 0.5), (0.0, (0.8, 0.8), 2.0), (2, (0.7, 1), 1)]
)
def test_entropic_transport_between_gaussians_has_its_closed_form(mean, spreads, epsilon):
    """Janati, Muzellec, Peyre, Cuturi (2020), Theorem 1, for epsilon = 2 sigma^2; a grid stands for the densities."""
    grid = np.arange(-7.0, 9.0, 0.125)
    weights = [np.exp(-((grid - m) ** 2) / (2 * s * s)) for m, s in zip((0.0, mean), spreads, strict=True)]
    x, y = (stotmetrics.as_series(grid, weights=w / w.sum()) for w in weights)
    a, b = (s * s for s in spreads)
    half = epsilon / 2
    root = math.sqrt(4 * a * b + half**2)
    truth = mean**2 + a + b - root + half * (1 - math.log(2 * half)) + half * math.log(root + half)
    result = stotmetrics.solve(x, y, metric="taot", w=1.0, epsilon=epsilon, standardize=False)
    assert result.objective == pytest.approx(truth, abs=1e-8)


@given(DECADES, DECADES, st.floats(0, 3), st.sampled_from([0.1, 1.0, 10.0]), st.sampled_from([0.1, 1.0, 10.0]))
@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
def test_between_unbalanced_point_masses_sta_has_its_closed_form(mass, other, apart, epsilon, rho):
    """P = (e^(-M / rho) x y)^zeta with zeta = 1 / (2 + epsilon / rho); S counts the masses of the plans."""
    x, y, zeta = 10**mass, 10**other, 1 / (2 + epsilon / rho)
    M = np.array([[0.0, apart], [apart, 0.0]])
    truth = (epsilon + 2 * rho) * (
        x ** (2 * zeta) / 2 + y ** (2 * zeta) / 2 - math.exp(-zeta * apart / rho) * (x * y) ** zeta
    )
    params = {"ground": Ground.from_cost(M), "epsilon": epsilon, "rho": rho, "gamma": 0.0, "tol": 1e-10}
    result = stotmetrics.get_metric("sta", **params).solve([[x, 0.0]], [[0.0, y]])
    rounding = 1e-12 * (epsilon + 2 * rho) * (x ** (2 * zeta) + y ** (2 * zeta) + x + y)
    assert abs(result.value - truth) <= result.gap + rounding


@given(SEEDS, st.floats(-3, 3), DECADES, st.integers(1, 6), st.integers(0, 6))
def test_dtw_to_a_constant_that_is_not_longer_is_a_sum_of_squares(seed, level, size, n, more):
    y = 10**size * np.random.default_rng(seed).normal(size=n + more)
    c = 10**size * level
    assert stotmetrics.dtw([c] * n, y) == pytest.approx(float(((y - c) ** 2).sum()), rel=1e-12)


@given(SEEDS, DECADES, DECADES)
def test_softdtw_of_constants_is_the_least_path_less_the_number_of_alignments(seed, size, scale):
    """Every alignment of length L costs L c: at large gamma all count, at small ones the diagonals."""
    n, m = np.random.default_rng(seed).integers(1, 5, 2)
    gamma, c = 10**scale, 10 ** (2 * size)
    lengths = {}

    def walk(i, j, steps):
        if (i, j) == (n, m):
            lengths[steps] = lengths.get(steps, 0) + 1
        for di, dj in ((1, 0), (0, 1), (1, 1)):
            if i + di <= n and j + dj <= m:
                walk(i + di, j + dj, steps + 1)

    walk(1, 1, 1)
    least = max(n, m)
    truth = least * c - gamma * math.log(
        sum(count * math.exp(-(steps - least) * min(c / gamma, 1e3)) for steps, count in lengths.items())
    )
    value = stotmetrics.softdtw([0.0] * int(n), [10**size] * int(m), gamma=gamma)
    assert value == pytest.approx(truth, rel=1e-11, abs=1e-13 * (gamma + c))


@given(SEEDS, DECADES)
def test_euclidean_distance_of_shifted_copies_is_the_shift(seed, size):
    x = np.random.default_rng(seed).normal(size=8)
    shift = 10**size
    assert stotmetrics.euclidean(x, x + shift) == pytest.approx(math.sqrt(8) * shift, rel=1e-6, abs=1e-14)
