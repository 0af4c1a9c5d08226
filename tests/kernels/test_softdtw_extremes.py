"""Soft-DTW far from the unit scale, against the definition in many digits, and its memory."""

import tracemalloc

import mpmath
import numpy as np
import pytest

import stotmetrics
from stotmetrics.kernels import _softdtw as kernel
from stotmetrics.kernels import _softdtw_many as many_pairs

GAMMAS = [10.0**k for k in range(-12, 13, 3)]
COSTS = [1e-300, 1e-160, 1e-12, 1.0, 1e12, 1e160, 1e300]


def exact(cost, gamma):
    """The recursion on exp(-R / gamma) with 60 digits beyond the smallest cost, and unlimited exponents."""
    n, m = cost.shape
    smallest = np.abs(cost[cost != 0]).min(initial=1e300)
    with mpmath.workdps(60 + max(0, int(np.log10(gamma) - np.log10(smallest)))):
        Z = {(-1, -1): mpmath.mpf(1)}
        for i in range(n):
            for j in range(m):
                before = sum(Z.get(cell, mpmath.mpf(0)) for cell in ((i - 1, j - 1), (i - 1, j), (i, j - 1)))
                Z[i, j] = before * mpmath.exp(-mpmath.mpf(cost[i, j]) / mpmath.mpf(gamma))
        return float(-mpmath.mpf(gamma) * mpmath.log(Z[n - 1, m - 1]))


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("scale", COSTS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 7)])
def test_value_on_costs_of_any_size_at_any_gamma(shape, scale, gamma):
    rng = np.random.default_rng(0)
    for cost in (scale * rng.random(shape), scale * rng.integers(0, 3, size=shape), np.full(shape, scale)):
        true = exact(cost, gamma)
        # Where value and -gamma log D cancel, the last digits of the larger one are what can be had.
        slack = 1e-15 * (gamma * (shape[0] > 1 and shape[1] > 1) + min(abs(true), 1e300))
        np.testing.assert_allclose(kernel.value(cost, gamma), true, rtol=1e-13, atol=20 * slack)
        value, alignment = kernel.value_and_alignment(cost, gamma)
        np.testing.assert_allclose(value, true, rtol=1e-13, atol=20 * slack)
        assert np.isfinite(alignment).all()
        assert alignment[0, 0] == pytest.approx(1)
        assert alignment[-1, -1] == pytest.approx(1)


@pytest.mark.parametrize("gamma", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("scale", COSTS)
def test_value_on_negative_costs_of_any_size_at_any_gamma(scale, gamma):
    cost = -scale * np.random.default_rng(3).random((5, 4))
    true = exact(cost, gamma)
    value, alignment = kernel.value_and_alignment(cost, gamma)
    np.testing.assert_allclose([kernel.value(cost, gamma), value], true, rtol=1e-13, atol=2e-14 * gamma)
    assert np.isfinite(alignment).all()
    assert alignment[0, 0] == pytest.approx(1)
    assert alignment[-1, -1] == pytest.approx(1)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("scale", [1e-150, 1e-80, 1e-6, 1.0, 1e6, 1e80, 1e150])
def test_value_and_gradient_on_series_of_any_size_at_any_gamma(scale, gamma):
    rng = np.random.default_rng(1)
    for x, y in (
        (rng.normal(size=(6, 1)), rng.normal(size=(5, 1))),
        (np.ones((6, 1)), np.ones((5, 1))),
        (np.ones((1, 1)), rng.normal(size=(5, 1))),
        (rng.normal(size=(5, 1)), np.ones((1, 1))),
    ):
        x, y = scale * x, scale * y
        cost = (x - y.T) ** 2
        true = exact(cost, gamma)
        single = kernel.pair_value(x, y, gamma)
        np.testing.assert_allclose(single, true, rtol=1e-13, atol=2e-14 * (gamma * (min(len(x), len(y)) > 1) + 1e-310))
        at_x, at_y, zero = np.array([0, len(x)]), np.array([0, len(y)]), np.zeros(4, dtype=np.intp)
        many = many_pairs.values(x, at_x, y, at_y, zero, zero, np.full(4, gamma))
        np.testing.assert_array_equal(many, single)
        value, grad_x, grad_y = kernel.pair_gradient(x, y, gamma)
        assert value == single
        assert np.isfinite(grad_x).all()
        assert np.isfinite(grad_y).all()
        alignment = kernel.value_and_alignment(cost, gamma)[1]
        np.testing.assert_allclose(grad_x[:, 0], 2 * (alignment * (x - y.T)).sum(1), atol=1e-6 * scale)
        # Soft-DTW does not change under a common shift of both series.
        np.testing.assert_allclose(grad_x.sum() + grad_y.sum(), 0, atol=1e-12 * scale * 40)


@pytest.mark.parametrize("gamma", [1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("lower", ["x", "y"])
def test_a_series_far_below_the_other_is_right_in_a_lane_too(lower, gamma):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(6, 1)), rng.normal(size=(6, 1))
    x, y = (x - 1e7, y) if lower == "x" else (x, y - 1e7)
    at, zero = np.array([0, 6]), np.zeros(8, dtype=np.intp)
    many = many_pairs.values(x, at, y, at, zero, zero, np.full(8, gamma))
    np.testing.assert_array_equal(many, kernel.pair_value(x, y, gamma))
    np.testing.assert_allclose(many, exact((x - y.T) ** 2, gamma), rtol=1e-13)


@pytest.mark.parametrize("size", [1e-156, 1e-161])
def test_costs_below_the_normal_numbers_count_in_any_company(size):
    """They would be zero in a lane, where such results are flushed."""
    rng = np.random.default_rng(6)
    tiny = size * rng.normal(size=(6, 1))
    mixed = np.concatenate([tiny[:3], rng.normal(size=(3, 1))])
    X = [tiny, tiny[::-1].copy(), mixed, mixed + 2 * size, *rng.normal(size=(4, 6, 1))]
    flat, at = np.concatenate(X), np.arange(0, 49, 6)
    rows, cols = (side.ravel() for side in np.indices((8, 8)))
    for gamma in (1e-300, 1.0):
        gammas = np.full(64, gamma)
        values, *_, left_out = many_pairs.expected_costs(flat, at, flat, at, rows, cols, gammas)
        many = many_pairs.values(flat, at, flat, at, rows, cols, gammas)
        # Whoever asks takes the pairs that are left out one by one; no other has such a cost.
        assert set(zip(rows[left_out].tolist(), cols[left_out].tolist(), strict=True)) >= {
            (i, j) for i in range(8) for j in range(8) if i < 4 or j < 4
        }
        for k, (i, j) in enumerate(zip(rows.tolist(), cols.tolist(), strict=True)):
            assert many[k] == kernel.pair_value(X[i], X[j], gamma)
            if k not in left_out:
                alone = many_pairs.expected_costs(X[i], at[:2], X[j], at[:2], rows[:1], rows[:1], gammas[:1])[0][0]
                assert values[k] == alone
    sharp = stotmetrics.distance(tiny, tiny[::-1].copy(), metric="softdtw_sharp", gamma=1e-300)
    hard = stotmetrics.distance(tiny, tiny[::-1].copy(), metric="dtw")
    assert sharp >= hard > 0


def test_equal_predecessors_share_the_alignment_of_hard_dtw():
    _, alignment = kernel.value_and_alignment(np.zeros((2, 2)), 0.0)
    np.testing.assert_allclose(alignment, [[1, 1 / 3], [1 / 3, 1]], rtol=1e-15)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("scale", [1.0, 1e6, 1e80])
def test_a_constant_dimension_before_or_behind_changes_nothing(scale, gamma):
    """Whichever dimension is the large one decides whether the exponents fit."""
    rng = np.random.default_rng(2)
    x, y = scale * rng.normal(size=(6, 1)), scale * rng.normal(size=(5, 1))
    single = kernel.pair_value(x, y, gamma)
    _, grad_x, grad_y = kernel.pair_gradient(x, y, gamma)
    for before in (0, 1):
        pad = ((0, 0), (before, 1 - before))
        wide_x, wide_y = np.pad(x, pad), np.pad(y, pad)
        assert kernel.pair_value(wide_x, wide_y, gamma) == pytest.approx(single, rel=1e-13)
        at_x, at_y, zero = np.array([0, len(x)]), np.array([0, len(y)]), np.zeros(4, dtype=np.intp)
        many = many_pairs.values(wide_x, at_x, wide_y, at_y, zero, zero, np.full(4, gamma))
        np.testing.assert_allclose(many, single, rtol=1e-13)
        _, wide_grad_x, wide_grad_y = kernel.pair_gradient(wide_x, wide_y, gamma)
        np.testing.assert_allclose(wide_grad_x, np.pad(grad_x, pad), rtol=1e-9)
        np.testing.assert_allclose(wide_grad_y, np.pad(grad_y, pad), rtol=1e-9)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_long_constant_series_give_the_log_of_the_number_of_alignments(gamma):
    x = np.full((300, 1), 7.0)
    row = np.zeros(300)
    for _ in range(299):
        new = np.zeros(300)
        for j in range(1, 300):
            new[j] = np.logaddexp(np.logaddexp(row[j - 1], row[j]), new[j - 1])
        row = new
    np.testing.assert_allclose(kernel.pair_value(x, x, gamma), -gamma * row[-1], rtol=1e-12)


# Costs whose share of the exponent is rounded the same way at every step: mantissas drift by 2^-0.49 or 2^0.49 a step.
DRIFTS = [0.49 * np.log(2), 0.51 * np.log(2)]


@pytest.mark.parametrize("step", DRIFTS)
@pytest.mark.parametrize("offset", [0, 1])
def test_a_long_diagonal_of_equal_costs_neither_underflows_nor_overflows(offset, step):
    n, far = 2500, 100.0
    x = far * np.arange(n)[:, None]
    y = far * (np.arange(n + offset)[:, None] - offset) + np.sqrt(step)
    # Every other path costs more by far * far at least; with an offset, the first cell is not on the diagonal.
    expected = n * step + ((far - np.sqrt(step)) ** 2 if offset else 0.0)
    assert kernel.pair_value(x, y, 1.0) == pytest.approx(expected, rel=1e-9)
    value, grad_x, grad_y = kernel.pair_gradient(x, y, 1.0, 3)
    assert value == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(grad_x[1:], -2 * np.sqrt(step), rtol=1e-7)
    np.testing.assert_allclose(grad_y[1 + offset :], 2 * np.sqrt(step), rtol=1e-7)


@pytest.mark.parametrize("step", DRIFTS)
def test_a_long_column_of_equal_costs_neither_underflows_nor_overflows_in_a_lane(step):
    n, far = 8000, 30.0
    x, y = np.zeros((n, 1)), np.array([[np.sqrt(step)], [far]])
    # The last column is entered at the end: by a diagonal step, or by one to the right.
    expected = (n - 1) * step + far**2 - np.log1p(np.exp(-step))
    zero = np.zeros(4, dtype=np.intp)
    values = many_pairs.values(x, np.array([0, n]), y, np.array([0, 2]), zero, zero, np.ones(4))
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert kernel.pair_value(x, y, 1.0) == values[0]


@pytest.mark.parametrize("gamma", [0.0, 1e-6, 1.0])
def test_long_ramps_meet_a_large_range_of_exponents(gamma):
    # Off the diagonal the costs reach 1e6: exp(-R / gamma) spans far more than the exponents of a double.
    x, y = np.linspace(0, 1000, 700)[:, None], np.linspace(0, 1000, 650)[:, None]
    cost = (x - y.T) ** 2
    log_domain = cost.copy()
    log_domain[0, -1] = np.inf  # a forbidden cell no good path wants: the recursion in the log domain answers
    np.testing.assert_allclose(kernel.pair_value(x, y, gamma), kernel.value(log_domain, gamma), rtol=1e-12)
    _, alignment = kernel.value_and_alignment(cost, gamma)
    np.testing.assert_allclose(alignment, kernel.value_and_alignment(log_domain, gamma)[1], atol=1e-8)


def test_value_needs_memory_in_proportion_to_the_lengths():
    x, y = np.random.default_rng(0).normal(size=(2, 3000, 1))
    tracemalloc.start()
    try:
        kernel.pair_value(x, y, 1.0)
        kernel.pair_value(x, y, 1.0, 10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 8 * (len(x) + len(y))
