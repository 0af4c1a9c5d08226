"""The global alignment kernel of pairs side by side: beside its recursion pair by pair, and in every company."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.kernels import _softdtw, _softdtw_many
from stotmetrics.reference.gak import gak
from stotmetrics.series import as_series


def stacked(series):
    at = np.concatenate([[0], np.cumsum([len(x) for x in series])]).astype(np.intp)
    return np.concatenate(series), at


def pairs(n, m):
    return tuple(side.astype(np.intp) for side in np.indices((n, m)).reshape(2, -1))


def plain(left, right, rows, cols, sigma):
    """Pair by pair, with a logarithm in every cell."""
    return _softdtw.minus_log_kernels(*left, *right, rows, cols, 1.0, 0.5 / sigma**2, 1e290)


def draw(rng, count, dim, longest, unit=1.0):
    return [unit * rng.normal(size=(rng.integers(1, longest + 1), dim)).cumsum(axis=0) for _ in range(count)]


@given(
    st.integers(0, 2**31),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([1, 4, 40, 150]),
    st.sampled_from([1e-60, 1e-3, 0.05, 0.4, 1.0, 30.0, 1e8]),
    st.sampled_from([1e-8, 1.0, 1e8]),
)
def test_lanes_beside_pairs(seed, dim, longest, sigma, unit):
    rng = np.random.default_rng(seed)
    left, right = (stacked(draw(rng, count, dim, longest, unit)) for count in (5, 11))
    rows, cols = pairs(5, 11)
    ours, far = _softdtw_many.minus_log_kernels(*left, *right, rows, cols, 2.0 * sigma * sigma)
    expected = plain(left, right, rows, cols, sigma)
    # The two recursions round each cost, and each sum.
    np.testing.assert_allclose(ours[~far], expected[~far], rtol=1e-13, atol=1e-13 * longest)
    assert far.all() or not far.any() or sigma < 1e-3 * unit


@given(st.integers(0, 2**31), st.sampled_from([1, 3]), st.sampled_from([0.02, 0.7, 50.0]))
def test_a_value_does_not_depend_on_its_company_and_is_symmetric(seed, dim, sigma):
    rng = np.random.default_rng(seed)
    series = stacked(draw(rng, 9, dim, 60))
    rows, cols = pairs(9, 9)
    together, _ = _softdtw_many.minus_log_kernels(*series, *series, rows, cols, 2.0 * sigma * sigma)
    np.testing.assert_array_equal(together.reshape(9, 9), together.reshape(9, 9).T)
    for k in rng.integers(0, 81, 9):
        alone, _ = _softdtw_many.minus_log_kernels(*series, *series, rows[k : k + 1], cols[k : k + 1], 2.0 * sigma**2)
        assert alone[0] == together[k]


def test_near_and_far_points_beside_the_definition(build):
    """Weights of one, of nearly nothing, and between; short pairs too."""
    rng = np.random.default_rng(0)
    for lengths in ((1, 1), (1, 9), (9, 1), (2, 2), (33, 65)):
        x, y = (rng.normal(size=(length, 1)) for length in lengths)
        for sigma in (0.01, 0.1, 1.0, 100.0):
            bound = stotmetrics.get_metric("gak", sigma=sigma, form="log")
            expected = gak(as_series(x), as_series(y), bound.params)
            assert bound(x, y) == pytest.approx(getattr(expected, "value", expected), rel=1e-11, abs=1e-11)


def test_a_value_needs_memory_in_proportion_to_the_lengths():
    x, y = (stacked([side]) for side in np.random.default_rng(0).normal(size=(2, 3000, 1)))
    alone = np.zeros(1, dtype=np.intp)
    tracemalloc.start()
    try:
        _softdtw_many.minus_log_kernels(*x, *y, alone, alone, 2.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A matrix of costs has a hundred times as many numbers.
    assert peak < 3000**2 * 8 / 20


def test_what_is_out_of_range_is_told():
    series = stacked([np.array([[0.0], [1e180]]), np.array([[3.0], [4.0]]), np.array([[0.0], [1e20]])])
    rows, cols = pairs(3, 3)
    values, far = _softdtw_many.minus_log_kernels(*series, *series, rows, cols, 2.0)
    np.testing.assert_array_equal(far.reshape(3, 3)[1], [True, False, True])
    assert np.isfinite(values[~far]).all()
