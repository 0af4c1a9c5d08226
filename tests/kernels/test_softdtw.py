"""The soft-DTW kernels against enumeration, closed forms and their bounds."""

from itertools import pairwise

import numpy as np
import pytest

from stotmetrics.kernels import _softdtw as kernel
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
