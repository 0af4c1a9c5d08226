"""The soft-DTW kernels against enumeration, closed forms and their bounds."""

from itertools import pairwise, product

import numpy as np
import pytest

from stotmetrics.kernels import _softdtw as kernel
from stotmetrics.kernels import _softdtw_many as many_pairs
from stotmetrics.reference import softdtw as reference

SHAPES = [(1, 1), (1, 5), (4, 1), (3, 4), (5, 5)]
GAMMAS = [0.0, 1e-10, 1e-3, 0.1, 1.0, 30.0, 1e6]


def draw_cost(n, m, seed=0):
    return np.random.default_rng(seed).random((n, m))


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_alignment_equal_enumeration_of_all_alignments(shape, gamma):
    cost = draw_cost(*shape)
    value, alignment = kernel.value_and_alignment(cost, gamma)
    true_value, true_alignment = reference.enumerate_paths(cost, gamma)
    np.testing.assert_allclose(value, true_value, rtol=1e-13)
    np.testing.assert_allclose(kernel.value(cost, gamma), true_value, rtol=1e-13)
    np.testing.assert_allclose(alignment, true_alignment, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("shape", [(1, 7), (9, 6), (17, 23)])
def test_value_and_alignment_equal_the_reference(shape, gamma):
    cost = draw_cost(*shape, seed=1)
    value, alignment = kernel.value_and_alignment(cost, gamma)
    np.testing.assert_allclose(value, reference.value(cost, gamma), rtol=1e-12)
    np.testing.assert_allclose(alignment, reference.alignment(cost, gamma), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (30, 17), (450, 450)])
def test_value_is_minus_gamma_log_delannoy_for_zero_cost(shape):
    for gamma in (1e-6, 1.0, 1e6):
        expected = -gamma * reference.log_delannoy(*shape)
        np.testing.assert_allclose(kernel.value(np.zeros(shape), gamma), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_value_lies_between_hard_dtw_and_hard_dtw_minus_gamma_log_delannoy(seed):
    cost = draw_cost(13, 9, seed)
    hard = kernel.value(cost, 0.0)
    for gamma in GAMMAS:
        value = kernel.value(cost, gamma)
        slack = 1e-12 * (1 + abs(value))
        assert hard - gamma * reference.log_delannoy(13, 9) - slack <= value <= hard + slack


def test_value_is_nonincreasing_in_gamma_and_tends_to_hard_dtw():
    cost = draw_cost(12, 15)
    values = [kernel.value(cost, gamma) for gamma in sorted(GAMMAS)]
    assert all(later <= earlier + 1e-12 * (1 + abs(earlier)) for earlier, later in pairwise(values))
    np.testing.assert_allclose(kernel.value(cost, 1e-9), kernel.value(cost, 0.0), atol=1e-7)


@pytest.mark.parametrize("gamma", [0.05, 1.0, 20.0])
def test_alignment_is_the_gradient_of_the_value_in_the_cost(gamma):
    cost = draw_cost(5, 6)
    _, alignment = kernel.value_and_alignment(cost, gamma)
    step = 1e-6
    for i, j in np.ndindex(*cost.shape):
        up, down = cost.copy(), cost.copy()
        up[i, j] += step
        down[i, j] -= step
        slope = (kernel.value(up, gamma) - kernel.value(down, gamma)) / (2 * step)
        np.testing.assert_allclose(alignment[i, j], slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_alignment_starts_and_ends_in_the_corners_and_every_row_is_visited(gamma):
    _, alignment = kernel.value_and_alignment(draw_cost(11, 7), gamma)
    assert alignment[0, 0] == pytest.approx(1.0)
    assert alignment[-1, -1] == pytest.approx(1.0)
    assert (alignment.sum(axis=0) >= 1 - 1e-12).all()
    assert (alignment.sum(axis=1) >= 1 - 1e-12).all()


@pytest.mark.parametrize("gamma", GAMMAS)
def test_forbidden_cells_are_avoided_and_no_path_gives_infinity(gamma):
    cost = draw_cost(4, 4)
    cost[1, 1:] = np.inf
    value, alignment = kernel.value_and_alignment(cost, gamma)
    assert np.isfinite(value)
    np.testing.assert_allclose(value, reference.enumerate_paths(cost, gamma)[0], rtol=1e-12)
    assert (alignment[1, 1:] == 0).all()
    cost[1] = np.inf
    assert kernel.value(cost, gamma) == np.inf


def stacked(X):
    ends = np.cumsum([len(x) for x in X], dtype=np.intp)
    return np.concatenate(X), np.concatenate([np.zeros(1, dtype=np.intp), ends])


def batch(X, rows, cols, gammas, radius=-1):
    indices = np.asarray(rows, dtype=np.intp), np.asarray(cols, dtype=np.intp)
    return many_pairs.values(*stacked(X), *stacked(X), *indices, np.asarray(gammas, dtype=np.float64), radius)


@pytest.mark.parametrize("dims", [1, 3])
def test_side_by_side_equals_one_at_a_time_to_the_last_bit(dims):
    rng = np.random.default_rng(0)
    # Lengths on both sides of every clean-up of the mantissas, odd and even.
    X = [rng.normal(size=(n, dims)) for n in (1, 2, 3, 30, 31, 32, 33, 64, 65, 66, 127, 128, 129, 130, 200, 201)]
    rows, cols = np.indices((len(X), len(X))).reshape(2, -1)
    gammas = rng.choice([0.0, 1e-3, 0.3, 1.0, 1e4], size=len(rows))
    single = [kernel.pair_value(X[i], X[j], gamma) for i, j, gamma in zip(rows, cols, gammas, strict=True)]
    np.testing.assert_array_equal(batch(X, rows, cols, gammas), single)


@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 5, 300])
def test_a_band_side_by_side_equals_one_at_a_time_to_the_last_bit(dims, radius):
    rng = np.random.default_rng(5)
    # Several of each length, so that pairs of the same two lengths meet, in one vector of lanes or in three; and pairs
    # beyond the exponential domain.
    lengths = [1, 2, 2, 2, 7, 7, 7, 65, 65, 65, 65, 65, 65, 130, 130, 130, 131] + 18 * [33]
    X = [rng.normal(size=(n, dims)) * (1e120 if k == 8 else 1.0) for k, n in enumerate(lengths)]
    rows, cols = np.indices((len(X), len(X))).reshape(2, -1)
    gammas = rng.choice([0.0, 1e-3, 1.0, 1e4], size=len(rows), p=[0.4, 0.1, 0.4, 0.1])
    for some in (gammas, np.zeros(len(rows))):
        single = [kernel.pair_value(X[i], X[j], gamma, radius) for i, j, gamma in zip(rows, cols, some, strict=True)]
        np.testing.assert_array_equal(batch(X, rows, cols, some, radius), single)


def test_value_does_not_depend_on_lane_position_or_company():
    rng = np.random.default_rng(1)
    X = [rng.normal(size=(n, 1)) for n in rng.integers(40, 48, size=12)]
    rows, cols = np.indices((12, 12)).reshape(2, -1)
    gammas = np.full(len(rows), 0.1)
    for radius in (-1, 2):
        whole = batch(X, rows, cols, gammas, radius)
        for _ in range(5):
            some = rng.permutation(len(rows))[: rng.integers(1, len(rows))]
            np.testing.assert_array_equal(batch(X, rows[some], cols[some], gammas[some], radius), whole[some])


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("count", [9, 19, 24])
def test_a_triangle_equals_one_at_a_time_to_the_last_bit(count, dims):
    """Few pairs are in a vector of lanes at its diagonal and, but for 24 series, in its last columns."""
    rng = np.random.default_rng(7)
    X = [rng.normal(size=(n, dims)).cumsum(axis=0) for n in rng.integers(70, 90, size=count)]
    rows, cols = np.triu_indices(count)
    gammas = rng.choice([0.0, 0.01, 1.0], size=len(rows))
    single = [kernel.pair_value(X[i], X[j], gamma) for i, j, gamma in zip(rows, cols, gammas, strict=True)]
    np.testing.assert_array_equal(batch(X, rows, cols, gammas), single)


def test_lanes_that_end_anywhere_equal_one_at_a_time_to_the_last_bit():
    """Walks of many lengths: lanes of one vector end in different rows and columns of a tile, plain or not."""
    rng = np.random.default_rng(8)
    X = [rng.normal(size=(n, 1)).cumsum(axis=0) for n in rng.integers(60, 150, size=50)]
    X = [(x - x.mean()) / x.std() for x in X]
    rows, cols = rng.integers(50, size=(2, 2500))
    gammas = rng.choice([0.01, 0.1, 0.3, 1.0], size=len(rows))
    single = [kernel.pair_value(X[i], X[j], gamma) for i, j, gamma in zip(rows, cols, gammas, strict=True)]
    np.testing.assert_array_equal(batch(X, rows, cols, gammas), single)


@pytest.mark.parametrize("gamma", [1e-3, 1.0, 1e3])
def test_every_way_to_a_value_agrees_with_the_reference(gamma):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(37, 2)), rng.normal(size=(50, 2))
    cost = reference.squared_euclidean(x, y)
    value = reference.value(cost, gamma)
    np.testing.assert_allclose(kernel.pair_value(x, y, gamma), value, rtol=1e-13)
    np.testing.assert_allclose(batch([x, y] * 2, [0] * 8, [1] * 8, [gamma] * 8), value, rtol=1e-13)
    np.testing.assert_allclose(kernel.pair_value(x, y, 0.0), reference.value(cost, 0.0), rtol=1e-14)
    np.testing.assert_allclose(kernel.value_and_alignment(cost, gamma)[1], reference.alignment(cost, gamma), atol=1e-10)


def test_side_by_side_equals_one_at_a_time_where_the_costs_of_a_row_lie_far_apart():
    """Steps, levels and walks: numbers of one tile that no single exponent holds."""
    rng = np.random.default_rng(6)
    X = [np.where(np.arange(n) < n // 2, 0.0, height)[:, None] for n in (60, 130, 199) for height in (7.0, 15.0, 29.0)]
    X += [level + 0.01 * rng.normal(size=(n, 1)) for n in (20, 90, 180) for level in (0.0, 5.0, 20.0)]
    X += [np.cumsum(rng.normal(size=(n, 1)), axis=0) for n in (45, 150, 200)]
    rows, cols = np.indices((len(X), len(X))).reshape(2, -1)
    for gamma in (0.3, 1.0, 2.0, 4.5, 20.0):
        single = [kernel.pair_value(X[i], X[j], gamma) for i, j in zip(rows, cols, strict=True)]
        np.testing.assert_array_equal(batch(X, rows, cols, np.full(len(rows), gamma)), single)


@pytest.mark.parametrize("gamma", [1.0, 1e15])
def test_a_series_of_one_time_keeps_every_digit_in_company(gamma):
    """On either side, whether the pairs are a table or not: there is one path, and no exponential of it."""
    rng = np.random.default_rng(5)
    X = [rng.normal(size=(n, 2)) for n in (1, 9, 17, 30, 5, 12, 8, 21, 1)]
    table = np.indices((9, 9)).reshape(2, -1)
    for rows, cols in (table, np.array([[1, 2, 3, 4, 0, 0], [0, 8, 0, 8, 5, 6]])):
        values = batch(X, rows, cols, np.full(len(rows), gamma))
        for value, i, j in zip(values, rows, cols, strict=True):
            if 1 in (len(X[i]), len(X[j])):
                np.testing.assert_allclose(value, ((X[i] - X[j]) ** 2).sum(), rtol=1e-13)


@pytest.mark.parametrize("radius", [-1, 0, 1, 2, 4, 5])
def test_gradient_of_a_pair_of_any_lengths_is_its_alignment_applied_to_the_cost(radius):
    """Of lengths that end anywhere in a vector: no lane behind the last row of a diagonal adds anything."""
    rng = np.random.default_rng(4)
    for n, m in product((7, 9, 16, 20, 26, 32, 37, 43), repeat=2):
        x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))
        _, alignment = kernel.value_and_alignment(reference.squared_euclidean(x, y), 0.7, radius)
        _, grad_x, grad_y = kernel.pair_gradient(x, y, 0.7, radius)
        gaps = 2 * alignment[:, :, None] * (x[:, None] - y[None])
        np.testing.assert_allclose(grad_x, gaps.sum(axis=1), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(grad_y, -gaps.sum(axis=0), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("radius", [-1, 0, 3])
def test_gradient_in_the_series_is_the_alignment_applied_to_the_cost(radius):
    rng = np.random.default_rng(3)
    X = [rng.normal(size=(n, 2)) + 1e4 for n in (1, 5, 9, 6)]
    rows, cols = (np.asarray(side, dtype=np.intp) for side in ([0, 1, 2, 3, 3], [1, 2, 2, 0, 1]))
    values, grad_x, grad_y = many_pairs.gradients(*stacked(X), *stacked(X), rows, cols, np.full(5, 0.7), radius)
    at_x = at_y = 0
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        x, y = X[i], X[j]
        cost = reference.squared_euclidean(x, y)
        banded = reference.banded(cost, None if radius < 0 else radius)
        gaps = 2 * reference.alignment(banded, 0.7)[:, :, None] * (x[:, None] - y[None])
        np.testing.assert_allclose(values[k], reference.value(banded, 0.7), rtol=1e-12, atol=1e-13 * cost.max())
        np.testing.assert_allclose(grad_x[at_x : at_x + len(x)], gaps.sum(axis=1), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(grad_y[at_y : at_y + len(y)], -gaps.sum(axis=0), rtol=1e-9, atol=1e-9)
        at_x, at_y = at_x + len(x), at_y + len(y)


@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("gamma", [1e-4, 0.01, 0.3, 1.0, 30.0, 1e4])
def test_gradients_side_by_side_equal_those_of_one_pair_to_the_last_bit(dims, gamma):
    """Of pairs that end anywhere in a tile, whose numbers one exponent holds, or none."""
    rng = np.random.default_rng(7)
    X = [rng.normal(size=(n, dims)).cumsum(axis=0) for n in (2, 3, 31, 32, 33, 34, 65, 128, 131, 200)]
    rows, cols = np.indices((len(X), len(X))).reshape(2, -1)
    values, grad_x, grad_y = many_pairs.gradients(*stacked(X), *stacked(X), rows, cols, np.full(len(rows), gamma))
    np.testing.assert_array_equal(values, batch(X, rows, cols, np.full(len(rows), gamma)))
    ends_x, ends_y = (np.cumsum([len(X[k]) for k in side])[:-1] for side in (rows, cols))
    for i, j, of_x, of_y in zip(rows, cols, np.split(grad_x, ends_x), np.split(grad_y, ends_y), strict=True):
        _, *single = kernel.pair_gradient(X[i], X[j], gamma)
        for ours, theirs in zip((of_x, of_y), single, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_gradients_do_not_depend_on_lane_position_or_company():
    rng = np.random.default_rng(8)
    X = [scale * rng.normal(size=(n, 1)) for n in (40, 41, 66) for scale in (0.1, 1.0, 9.0, 40.0)]
    rows, cols = np.indices((12, 12)).reshape(2, -1)
    gammas = np.full(len(rows), 0.1)
    whole = many_pairs.gradients(*stacked(X), *stacked(X), rows, cols, gammas)
    parts = [np.split(g, np.cumsum([len(X[k]) for k in side])[:-1]) for g, side in zip(whole[1:], (rows, cols))]
    for _ in range(5):
        some = rng.permutation(len(rows))[: rng.integers(1, len(rows))]
        ours = many_pairs.gradients(*stacked(X), *stacked(X), rows[some], cols[some], gammas[some])
        for got, part in zip(ours[1:], parts, strict=True):
            np.testing.assert_array_equal(got, np.concatenate([part[k] for k in some]))
