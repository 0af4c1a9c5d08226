"""tlp against its linear program and its limits."""

import itertools

import numpy as np
import pytest

import stotmetrics


def test_uniform_equal_lengths_are_solved_by_a_permutation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5))
    times = np.arange(5.0)
    brute = min(
        np.mean([abs(x[i] - y[j]) ** 2 + (times[i] - times[j]) ** 2 / 3 for i, j in enumerate(order)])
        for order in itertools.permutations(range(5))
    )
    assert stotmetrics.distance(x, y, metric="tlp", lam=3.0) == pytest.approx(brute**0.5, rel=1e-12)


def test_small_lambda_is_the_lp_distance_of_the_values():
    x, y = np.random.default_rng(1).normal(size=(2, 6))
    assert stotmetrics.distance(x, y, metric="tlp", lam=1e-6) == pytest.approx(
        np.sqrt(np.mean((x - y) ** 2)), rel=1e-12
    )


def test_is_the_root_of_taot():
    x, y = np.random.default_rng(2).normal(size=(2, 6))
    taot = stotmetrics.distance(x, y, metric="taot", omega=0.5, p=3.0, standardize=False)
    assert stotmetrics.distance(x, y, metric="tlp", lam=2.0, p=3.0) == pytest.approx(taot ** (1 / 3), rel=1e-12)


@pytest.mark.parametrize("lam", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("unit", [2.0**-900, 1.0, 2.0**846])
def test_nothing_costs_nothing_in_any_unit(lam, unit):
    x = stotmetrics.as_series(np.full(8, -4.0 * unit), times=unit * np.arange(8.0))
    result = stotmetrics.solve(x, x, metric="tlp", p=1.5, lam=lam)
    assert result.value == 0.0
    assert result.gap == 0.0


@pytest.mark.parametrize("lam", [1e-100, 1e100])
@pytest.mark.parametrize("unit", [2.0**-849, 2.0**600])
def test_what_counts_far_less_is_a_number_in_any_unit(lam, unit):
    x, y, times = *np.random.default_rng(0).normal(size=(2, 7)), np.arange(7.0)
    here, there = (
        stotmetrics.tlp(*(stotmetrics.as_series(c * v, times=c * times) for v in (x, y)), p=1.5, lam=lam)
        for c in (1.0, unit)
    )
    assert there / unit == pytest.approx(here, rel=1e-9)
