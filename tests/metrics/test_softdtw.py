"""softdtw by name: values, extras, gradients and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.reference import softdtw as reference
from stotmetrics.testing import strategies as our

# A series of one time with several channels is meant so here.
pytestmark = pytest.mark.filterwarnings("ignore::stotmetrics.errors.AxisWarning")

GAMMAS = st.sampled_from([0.0, 1e-10, 0.01, 1.0, 100.0])
BANDS = st.sampled_from([None, 0, 1, 3, 10**9])


@st.composite
def pairs(draw, max_length=12):
    dims = draw(st.integers(1, 3))
    return tuple(draw(our.series(min_length=1, max_length=max_length, dims=dims)) for _ in range(2))


@given(pairs(), GAMMAS, BANDS)
def test_value_equals_the_reference(pair, gamma, band):
    x, y = pair
    cost = reference.banded(reference.squared_euclidean(x, y), band)
    scale = np.abs(cost[np.isfinite(cost)]).max() + gamma
    value = stotmetrics.softdtw(x, y, gamma=gamma, band=band)
    np.testing.assert_allclose(value, reference.value(cost, gamma), rtol=1e-11, atol=1e-13 * scale)


@given(pairs(max_length=4), GAMMAS)
def test_value_and_alignment_equal_enumeration_of_all_alignments(pair, gamma):
    x, y = pair
    cost = reference.squared_euclidean(x, y)
    value, alignment = reference.enumerate_paths(cost, gamma)
    result = stotmetrics.solve(x, y, metric="softdtw", gamma=gamma)
    np.testing.assert_allclose(result.value, value, rtol=1e-12, atol=1e-13 * (gamma + cost.max()))
    if gamma > 1e-6 * cost.max():  # otherwise ties decide by rounding
        np.testing.assert_allclose(result.alignment, alignment, rtol=1e-8, atol=1e-8)


@given(pairs(), GAMMAS, BANDS)
def test_symmetric_to_the_last_bit(pair, gamma, band):
    x, y = pair
    assert stotmetrics.softdtw(x, y, gamma, band) == stotmetrics.softdtw(y, x, gamma, band)


@pytest.mark.parametrize("gamma", [0.05, 1.0, 50.0])
@pytest.mark.parametrize("band", [None, 1])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 2), (7, 5, 1), (6, 9, 3)])
def test_gradient_equals_finite_differences(gamma, band, shape):
    n, m, d = shape
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    value, grad_x, grad_y = stotmetrics.value_and_grad(x, y, metric="softdtw", gamma=gamma, band=band)
    np.testing.assert_allclose(value, stotmetrics.softdtw(x, y, gamma, band), rtol=1e-12, atol=1e-12)
    step = 1e-5
    for moved, gradient in ((x, grad_x), (y, grad_y)):
        for index in np.ndindex(*moved.shape):
            ends = []
            for sign in (1, -1):
                moved[index] += sign * step
                ends.append(stotmetrics.softdtw(x, y, gamma, band))
                moved[index] -= sign * step
            np.testing.assert_allclose(gradient[index], (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_median_gamma_is_the_median_cost_of_the_pair():
    x, y = [0.0, 1.0, 3.0], [0.0, 2.0, 2.0, 5.0]
    median = np.median(np.subtract.outer(x, y) ** 2)
    assert stotmetrics.softdtw(x, y, gamma="median") == stotmetrics.softdtw(x, y, gamma=float(median))


def test_claims_follow_gamma():
    hard, soft = (stotmetrics.get_metric("softdtw", gamma=gamma).traits for gamma in (0.0, 1.0))
    assert hard.zero_self
    assert hard.nonnegative
    assert not hard.differentiable
    assert not soft.zero_self
    assert not soft.nonnegative
    assert soft.differentiable


@pytest.mark.parametrize("given_gamma", [-1.0, np.nan, np.inf, "mean", None])
def test_gamma_out_of_range_is_refused_by_name(given_gamma):
    with pytest.raises(stotmetrics.InvalidParameterError, match="gamma must be a number >= 0"):
        stotmetrics.softdtw([0.0], [1.0], gamma=given_gamma)


@given(st.data())
def test_matrix_equals_pairs_whatever_the_lengths(data):
    dims = data.draw(st.integers(1, 2))
    X = [data.draw(our.series(min_length=1, max_length=20, dims=dims)) for _ in range(5)]
    gamma, band = data.draw(GAMMAS), data.draw(BANDS)
    D = stotmetrics.pairwise(X, metric="softdtw", gamma=gamma, band=band)
    for i, x in enumerate(X):
        for j, y in enumerate(X):
            if i != j or gamma > 0:
                assert D[i, j] == stotmetrics.softdtw(x, y, gamma, band)


def test_a_cost_matrix_of_ones_own_gives_the_value_and_its_gradient():
    C = [[0, 1, 2], [1, 0, 3]]
    result = stotmetrics.softdtw_from_cost(C, gamma=0.5)
    value, alignment = reference.enumerate_paths(np.array(C, dtype=float), 0.5)
    np.testing.assert_allclose(result.value, value, rtol=1e-14)
    np.testing.assert_allclose(result.alignment, alignment, rtol=1e-12)


@pytest.mark.parametrize(
    ("C", "message"),
    [
        ([1.0, 2.0], "matrix of real numbers"),
        (np.zeros((0, 2)), "matrix of real numbers"),
        ([["a", "b"]], "C must hold real numbers; got dtype <U1"),
        ([[0.0, np.nan]], "NaN or -inf"),
        ([[0.0, -np.inf]], "NaN or -inf"),
        ([[0.0, np.inf], [np.inf, np.inf]], "at least one alignment"),
    ],
)
def test_a_cost_matrix_that_cannot_be_used_is_refused(C, message):
    for gamma in (0.0, 1.0):
        with pytest.raises(stotmetrics.InvalidParameterError, match=message):
            stotmetrics.softdtw_from_cost(C, gamma=gamma)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-9, 1e-5, 1.0]), st.sampled_from([0, 1, None]))
def test_a_bound_that_is_attained_stays_below_the_value_where_gamma_is_far_above_it(seed, size, band):
    x = size * np.random.default_rng(seed).normal(size=1 if band is None else 6)
    metric = stotmetrics.get_metric("softdtw", gamma=1.0, band=band)
    assert stotmetrics.lower_bound(x, x * 1.001, metric) <= metric(x, x * 1.001)


@pytest.mark.parametrize("band", [None, 4])
@pytest.mark.parametrize("gamma", [1e-220, 1e-30])
def test_the_sharp_gradient_at_a_vanishing_gamma_is_of_alignments_that_stand_still(gamma, band):
    # Costs of 1e33 tie wherever they differ by less than 1e17, whatever gamma is.
    x, y = np.zeros((6, 1)), 86.07692860887502 * np.random.default_rng(0).integers(-2, 3, (25, 1))
    x[3] = 4.319208776754677e16
    for pair in ((x, y), (y, x)):
        value, of_x, of_y = stotmetrics.value_and_grad(*pair, metric="softdtw_sharp", gamma=gamma, band=band)
        assert value == pytest.approx(stotmetrics.softdtw(*pair, gamma=0.0, band=band), rel=1e-12)
        # No match is counted more than once.
        pulls = 2 * abs(pair[0] - pair[1].T)
        assert (abs(of_x[:, 0]) <= (1 + 1e-12) * pulls.sum(axis=1)).all()
        assert (abs(of_y[:, 0]) <= (1 + 1e-12) * pulls.sum(axis=0)).all()


@pytest.mark.parametrize("params", [{"band": 33}, {}])
def test_sums_beyond_the_range_of_a_double_are_no_zero(params):
    x, y = np.zeros(2), np.full(6, 7.86e153)
    for ask in (stotmetrics.distance, stotmetrics.value_and_grad):
        with pytest.raises(FloatingPointError, match="rescale their values"):
            ask(x, y, metric="softdtw_sharp", **params)
