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
