"""Z-scores and powers at the edge of the range of a double: centred before anything is scaled."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series
from stotmetrics.transport.point_clouds import powers, zscore


def exact_zscore(column):
    """In rational numbers, but for the root."""
    numbers = [Fraction(float(number)) for number in column]
    mean = sum(numbers) / len(numbers)
    variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
    # Divided before the root: the variance itself may leave the range of a double.
    return [float((number - mean) ** 2 / variance) ** 0.5 * (1 if number >= mean else -1) for number in numbers]


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=9, unique=True),
    st.sampled_from([0.0, 1e6, -1e9, 1.7e12, 1.7e15]),
)
def test_an_exact_offset_leaves_the_score(column, offset):
    moved = np.array(column, dtype=np.float64) + offset
    np.testing.assert_allclose(zscore(moved[:, None], exact=True)[:, 0], exact_zscore(moved), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-308, 1e-200, 1e-150, 1.0, 1e150, 1e300, 1.7e308])
def test_the_unit_leaves_the_score(scale):
    column = np.array([-1.0, 0.25, 0.5, 1.0]) * scale
    with np.errstate(all="raise"):
        np.testing.assert_allclose(zscore(column[:, None])[:, 0], exact_zscore(column), rtol=1e-12)


def test_a_column_that_is_constant_but_for_rounding_becomes_zero():
    assert not zscore(np.full((7, 1), 0.1) * np.array([[1.0, 1e12, 1e-300]])).any()
    assert not zscore(np.nextafter(np.full((3, 1), 1e9), [[np.inf], [0.0], [np.inf]])).any()


@pytest.mark.parametrize("metric", ["tiot", "taot", "etiot"])
def test_neighbouring_microseconds_since_1970_are_different_times(metric):
    x, y = np.array([0.0, 1.0, 5.0]), np.array([2.0, 0.0, 1.0])
    ticks = np.array([0.0, 1.0, 2.0])
    near, far = (
        stotmetrics.distance(as_series(x, times=ticks + o), as_series(y, times=ticks + o), metric=metric)
        for o in (0.0, 1.7e15)
    )
    assert far == pytest.approx(near, rel=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-100, 1.0, 1e100, 1e200, 1e300])
def test_distances_have_the_range_of_a_double_and_their_squares_need_not(dims, scale):
    rng = np.random.default_rng(dims)
    x, y = rng.normal(size=(4, dims)), rng.normal(size=(3, dims))
    with np.errstate(all="raise"):
        costs = powers(x * scale, y * scale, 1.0)
    np.testing.assert_allclose(costs, powers(x, y, 1.0) * scale, rtol=1e-12)


def test_a_power_beyond_the_range_is_infinite_and_one_below_it_zero():
    with np.errstate(all="raise"):
        assert powers(np.array([[1e200, 0.0]]), np.zeros((1, 2)), 2.0).item() == np.inf
        assert powers(np.array([[1e-200, 0.0]]), np.zeros((1, 2)), 2.0).item() == 0.0
        assert powers(np.array([[0.5]]), np.zeros((1, 1)), 2000.0).item() == 0.0
