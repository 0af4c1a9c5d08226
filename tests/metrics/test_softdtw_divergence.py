"""softdtw_divergence and softdtw_sharp by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.kernels import _softdtw as kernel
from stotmetrics.metrics import softdtw_sharp as sharp
from stotmetrics.metrics.dtw import dtw
from stotmetrics.metrics.softdtw_divergence import softdtw_divergence
from stotmetrics.metrics.softdtw_sharp import softdtw_sharp
from stotmetrics.reference import softdtw as reference
from stotmetrics.testing import strategies as our

# A series of one time with several channels is meant so here.
pytestmark = pytest.mark.filterwarnings("ignore::stotmetrics.errors.AxisWarning")

GAMMAS = st.sampled_from([0.0, 1e-6, 0.1, 1.0, 50.0])


@st.composite
def pairs(draw):
    dims = draw(st.integers(1, 3))
    return tuple(draw(our.series(min_length=1, max_length=10, dims=dims)) for _ in range(2))


def tolerance(x, y, gamma):
    return 1e-12 * (gamma + reference.squared_euclidean(np.vstack([x, y]), np.vstack([x, y])).max()) * (len(x) + len(y))


@given(pairs(), GAMMAS)
def test_divergence_is_zero_on_itself_and_symmetric(pair, gamma):
    x, y = pair
    value = softdtw_divergence(x, y, gamma)
    assert softdtw_divergence(x, x, gamma) == 0
    np.testing.assert_allclose(softdtw_divergence(y, x, gamma), value, rtol=0, atol=tolerance(x, y, gamma))


def test_divergence_can_be_negative_for_the_squared_euclidean_cost_and_claims_no_more():
    x = [0.0, 0.001, 0.014, 0.087, 0.323, 0.728, 0.996, 0.826, 0.416, 0.127, 0.023, 0.003]
    y = [-0.012, 0.052, -0.076, 0.125, 0.176, 0.556, 0.912, 0.943, 0.566, 0.2, 0.026, 0.005]
    exact = reference.divergence(np.array(x)[:, None], np.array(y)[:, None], 0.1)
    assert exact < -0.004
    np.testing.assert_allclose(softdtw_divergence(x, y, 0.1), exact, rtol=1e-10)
    assert not stotmetrics.get_metric("softdtw_divergence", gamma=0.1).traits.nonnegative
    assert stotmetrics.get_metric("softdtw_divergence", gamma=0.0).traits.nonnegative


@given(pairs(), GAMMAS)
def test_divergence_equals_its_definition(pair, gamma):
    x, y = pair
    expected = reference.divergence(x, y, gamma)
    np.testing.assert_allclose(softdtw_divergence(x, y, gamma), expected, rtol=0, atol=tolerance(x, y, gamma))


def test_divergence_with_median_gamma_uses_one_gamma_for_its_three_terms():
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [2.0], [2.5], [7.0]])
    gamma = float(np.median(reference.squared_euclidean(x, y)))
    np.testing.assert_allclose(softdtw_divergence(x, y, "median"), reference.divergence(x, y, gamma), rtol=1e-13)
    D = stotmetrics.pairwise([x, y], metric="softdtw_divergence", gamma="median")
    np.testing.assert_allclose(D[0, 1], reference.divergence(x, y, gamma), rtol=1e-13)
    assert D[0, 0] == D[1, 1] == 0


@given(pairs(), GAMMAS)
def test_sharp_is_the_expected_cost_and_lies_between_hard_and_soft_values(pair, gamma):
    x, y = pair
    value = softdtw_sharp(x, y, gamma)
    assert value >= dtw(x, y) - tolerance(x, y, gamma)
    # The entropy of the alignments is at most the log of their number, and at least nothing.
    soft = stotmetrics.softdtw(x, y, gamma)
    entropy = gamma * reference.log_delannoy(len(x), len(y))
    assert soft - tolerance(x, y, gamma) <= value <= soft + entropy + tolerance(x, y, gamma)
    if gamma >= 0.1:
        expected = reference.sharp(reference.squared_euclidean(x, y), gamma)
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=tolerance(x, y, gamma))


@pytest.mark.parametrize("metric", ["softdtw_divergence", "softdtw_sharp"])
@pytest.mark.parametrize("gamma", [0.2, 3.0])
@pytest.mark.parametrize("band", [None, 1])
def test_gradient_equals_finite_differences(metric, gamma, band):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(7, 2))
    bound = stotmetrics.get_metric(metric, gamma=gamma, band=band)
    value, grad_x, grad_y = bound.value_and_grad(x, y)
    np.testing.assert_allclose(value, bound(x, y), rtol=1e-12)
    step = 1e-5
    for moved, gradient in ((x, grad_x), (y, grad_y)):
        for index in np.ndindex(*moved.shape):
            ends = []
            for sign in (1, -1):
                moved[index] += sign * step
                ends.append(bound(x, y))
                moved[index] -= sign * step
            np.testing.assert_allclose(gradient[index], (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("cells", [1, 5, 12, 1000])
def test_the_expected_cost_does_not_depend_on_how_many_rows_are_taken_at_once(monkeypatch, cells):
    monkeypatch.setattr(sharp, "_AT_ONCE", cells)
    alignment, cost = np.random.default_rng(0).random((2, 11, 5))
    assert sharp.expected(alignment, cost) == pytest.approx((alignment * cost).sum(), rel=1e-14)


def test_divergence_has_no_slope_at_x_equals_y():
    x = np.random.default_rng(0).normal(size=(9, 2))
    _, grad_x, grad_y = stotmetrics.value_and_grad(x, x, metric="softdtw_divergence")
    np.testing.assert_allclose(grad_x, 0, atol=1e-12)
    np.testing.assert_allclose(grad_y, 0, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 20.0])
def test_derivative_of_the_alignment_equals_finite_differences_and_is_symmetric(gamma):
    rng = np.random.default_rng(1)
    cost, first, second = rng.random((3, 5, 7))
    _, alignment, moved = kernel.alignment_jvp(cost, gamma, first)
    np.testing.assert_allclose(alignment, kernel.value_and_alignment(cost, gamma)[1], rtol=1e-10)
    step = 1e-5
    ends = [kernel.value_and_alignment(cost + sign * step * first, gamma)[1] for sign in (1, -1)]
    np.testing.assert_allclose(moved, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-8)
    other = kernel.alignment_jvp(cost, gamma, second)[2]
    np.testing.assert_allclose(np.vdot(second, moved), np.vdot(first, other), rtol=1e-9)


def test_the_sharp_value_of_a_series_and_itself_vanishes_with_gamma_in_any_company():
    """What no alignment to speak of adds was 4e-273, in one company more than in another."""
    line, still = np.column_stack([np.zeros(6), -np.arange(6) / 16]), np.zeros((6, 2))
    metric = stotmetrics.get_metric("softdtw_sharp", gamma=1e-6)
    for company in ([line], [line, still], [still[:3], line, still], [line[:1], still[:3], line, still]):
        D = stotmetrics.pairwise(company, metric=metric)
        assert (np.diag(D) == 0.0).all()
    assert metric.value_and_grad(line, line)[0] == 0.0


@pytest.mark.parametrize("metric", ["softdtw_divergence", "softdtw_sharp"])
@given(data=st.data())
def test_matrix_equals_pairs_whatever_the_lengths(metric, data):
    X = [data.draw(our.series(min_length=1, max_length=12, dims=2)) for _ in range(4)]
    bound = stotmetrics.get_metric(metric, gamma=data.draw(GAMMAS), band=data.draw(st.sampled_from([None, 1])))
    D = stotmetrics.pairwise(X, metric=bound)
    for i, j in np.ndindex(*D.shape):
        if i <= j and not (i == j and bound.traits.zero_self):
            assert D[i, j] == bound(X[i], X[j])
