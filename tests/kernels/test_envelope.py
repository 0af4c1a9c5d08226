"""The lower bounds on hard DTW against their definition and what they bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stotmetrics import as_series, envelope
from stotmetrics.kernels import _envelope as kernel
from stotmetrics.metrics.dtw_bounds import hard_bounds, log_paths, soft_bounds, stack
from stotmetrics.reference import softdtw as reference

RADII = st.one_of(st.none(), st.integers(0, 12))


def draw(rng, dim, ties, most=12):
    n = int(rng.integers(1, most))
    return rng.integers(-1, 2, (n, dim)).astype(float) if ties else rng.normal(size=(n, dim)).cumsum(axis=0)


@given(st.integers(0, 2**32 - 1), RADII, st.integers(1, 3), st.booleans())
def test_bound_equals_its_definition_and_is_below_hard_dtw(seed, radius, dim, ties):
    rng = np.random.default_rng(seed)
    left, right = ([draw(rng, dim, ties) for _ in range(3)] for _ in "xy")
    rows, cols = np.indices((3, 3), dtype=np.intp).reshape(2, -1)
    bounds = kernel.bounds(
        *stack([as_series(x) for x in left]),
        *stack([as_series(y) for y in right]),
        *(rows, cols, -1 if radius is None else radius),
    )
    true = [reference.hard_bound(left[i], right[j], radius) for i, j in zip(rows, cols, strict=True)]
    np.testing.assert_allclose(bounds, true, rtol=1e-13)
    costs = [reference.squared_euclidean(left[i], right[j]) for i, j in zip(rows, cols, strict=True)]
    values = np.array([reference.value(reference.banded(cost, radius), 0.0) for cost in costs])
    assert (bounds <= values + 1e-13 * values).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(1, 3), st.booleans())
def test_envelopes_are_the_ranges_within_the_band_and_kept_ones_change_no_bound(seed, radius, dim, ties):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 5, 3) + 4 * rng.integers(0, 2)
    left, right = (
        [rng.integers(-1, 2, (n, dim)).astype(float) if ties else rng.normal(size=(n, dim)) for n in lengths]
        for _ in "xy"
    )
    x, y = (stack([as_series(values) for values in series]) for series in (left, right))
    low, high = kernel.envelopes(*y, radius)
    ranges = [envelope(values, radius) for values in right]
    for kept, side in ((low, 0), (high, 1)):
        np.testing.assert_array_equal(kept, np.concatenate([pair[side].T.ravel() for pair in ranges]))
    rows, cols = np.indices((3, 3), dtype=np.intp).reshape(2, -1)
    order = rng.permutation(9)
    pairs = rows[order], cols[order], radius
    np.testing.assert_array_equal(kernel.bounds(*x, *y, *pairs, low, high), kernel.bounds(*x, *y, *pairs))


@settings(max_examples=3 * settings().max_examples)
@given(st.integers(0, 2**32 - 1), RADII, st.sampled_from([0.0, 1e-3, 0.1, 1.0, 100.0]), st.booleans())
def test_soft_bound_is_below_soft_dtw(seed, radius, gamma, ties):
    rng = np.random.default_rng(seed)
    x, y = draw(rng, 2, ties), draw(rng, 2, ties)
    only = np.zeros(1, dtype=np.intp)
    (bound,) = soft_bounds([as_series(x)], [as_series(y)], only, only, gamma, radius)
    value = reference.value(reference.banded(reference.squared_euclidean(x, y), radius), gamma)
    assert bound <= value + 1e-12 * abs(value)


@pytest.mark.parametrize("radius", [None, 0, 1, 3, 50])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 40])
def test_log_paths_is_at_least_the_count_and_not_much_more(n, radius):
    lengths = np.arange(1, 42, 8)
    bounds = log_paths(np.full(len(lengths), n), lengths, radius)
    for m, bound in zip(lengths, bounds, strict=True):
        count = -reference.value(reference.banded(np.zeros((n, m)), radius), 1.0)
        assert count <= bound + 1e-12
        if radius is None:  # the walk comes by the last cell with a probability of order 1 / sqrt(length)
            assert bound <= count + 0.5 * np.log(max(n, m)) + 1.0


def test_bound_is_attained_by_a_single_point_and_by_series_far_apart():
    only = np.zeros(1, dtype=np.intp)
    x, point = as_series([1.0, 2.0, 4.0]), as_series([0.0])
    assert hard_bounds([x], [point], only, only, None)[0] == pytest.approx(21.0)
    # Constant series: every cell costs 9, and the diagonal holds three of them; a point is not counted twice.
    assert hard_bounds([as_series([0.0] * 3)], [as_series([3.0] * 3)], only, only, None)[0] == pytest.approx(27.0)


def test_overflow_leaves_a_bound_that_says_nothing():
    only = np.zeros(1, dtype=np.intp)
    x, y = as_series([1e200, 1e200]), as_series([-1e200, 1e200])
    assert hard_bounds([x], [y], only, only, None)[0] == -np.inf
    assert soft_bounds([y], [y], only, only, 1e300, None)[0] < 0
