"""Ground costs and what is taken of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics.metrics import value_costs as costs


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.booleans(), st.booleans())
def test_median_is_the_middle_of_the_sorted_costs(seed, n, m, ties, turned):
    rng = np.random.default_rng(seed)
    C = rng.integers(0, 3, (n, m)).astype(float) if ties else rng.exponential(size=(n, m))
    C = C.T if turned else C
    before = C.copy()
    ordered = sorted(C.ravel().tolist())
    middle = len(ordered) // 2
    expected = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    assert costs.median(C) == expected
    assert (before == C).all()


def test_an_offset_of_each_feature_costs_the_gradient_no_digits():
    rng = np.random.default_rng(0)
    x, y = rng.integers(-8, 9, (4, 2)) / 8, rng.integers(-8, 9, (5, 2)) / 8
    weights = rng.random((4, 5))
    offsets = np.array([1e8, -1e8])
    wanted = costs.squared_euclidean_vjp(x, y, weights)
    for here, there in zip(wanted, costs.squared_euclidean_vjp(x + offsets, y + offsets, weights), strict=True):
        np.testing.assert_allclose(there, here, atol=1e-12)
