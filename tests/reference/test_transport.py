"""Exact transport by a linear program: its value and what it says of its error."""

import numpy as np
import pytest

from stotmetrics.reference.transport import transport_with_gap


@pytest.mark.parametrize("n", [1, 4])
def test_value_and_gap_have_the_unit_of_the_costs(n):
    rng = np.random.default_rng(n)
    C, a, b = rng.random((n, 5)), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(5))
    value, gap = transport_with_gap(C, a, b)
    assert 0 < gap < 1e-9
    assert transport_with_gap(2.0**20 * C, a, b) == (2.0**20 * value, 2.0**20 * gap)
