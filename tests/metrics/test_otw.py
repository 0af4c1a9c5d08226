"""otw against transport by linear program, and by hand."""

import numpy as np
import pytest
from hypothesis import given

import stotmetrics
from stotmetrics.reference.transport import transport_program
from stotmetrics.testing.strategies import histograms


@given(histograms(6, normalised=True), histograms(6, normalised=True))
def test_equals_transport_along_time_for_equal_masses(x, y):
    """Without waste the cumulative sums give the Wasserstein distance of two histograms on 0, 1, ..., T-1."""
    places = np.arange(6.0)
    exact = transport_program(np.abs(places[:, None] - places), x, y)
    assert stotmetrics.distance(x, y, metric="otw") == pytest.approx(exact, abs=1e-9)


def test_waste_is_the_price_of_unequal_masses():
    x, y = [0.0, 0.0, 3.0], [0.0, 0.0, 1.0]
    assert stotmetrics.distance(x, y, metric="otw", waste=5.0) == 10.0
    assert stotmetrics.distance(x, y, metric="otw", waste=0.0) == 0.0


def test_window_one_is_the_sum_of_differences_before_the_end():
    x, y = [1.0, 4.0, 2.0], [3.0, 3.0, 2.0]
    assert stotmetrics.distance(x, y, metric="otw", window=1, waste=0.0) == 3.0


def test_signs_do_not_cancel():
    assert stotmetrics.distance([1.0, 0.0], [-1.0, 0.0], metric="otw") == 4.0


def test_unequal_lengths_are_refused_by_name():
    with pytest.raises(stotmetrics.InvalidSeriesError, match="otw compares series of equal length"):
        stotmetrics.distance([1.0], [1.0, 2.0], metric="otw")
