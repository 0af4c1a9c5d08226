"""gak against the sum over all alignments and the laws of a positive definite kernel."""

import math

import numpy as np
import pytest

import stotmetrics
from stotmetrics.reference.gak import kernel
from stotmetrics.reference.softdtw import alignments


def local(a, b, sigma):
    g = math.exp(-float((a - b) @ (a - b)) / (2 * sigma**2))
    return g / (2 - g)


def test_kernel_is_the_sum_over_all_alignments_of_products():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    brute = sum(math.prod(local(x[i], y[j], 0.8) for i, j in path) for path in alignments(4, 3))
    assert float(kernel(x, y, 0.8)) == pytest.approx(brute, rel=1e-12)


def test_gram_matrix_is_positive_semidefinite():
    rng = np.random.default_rng(1)
    series = [rng.normal(size=n) for n in (1, 2, 3, 4, 5, 6, 3, 4)]
    distances = stotmetrics.pairwise(series, metric="gak", sigma=0.7)
    gram = 1 - distances**2 / 2
    assert np.linalg.eigvalsh(gram).min() > -1e-12


def test_two_forms_are_of_one_kernel():
    x, y = [0.0, 1.0, 0.5], [0.2, 0.9]
    log_form = stotmetrics.distance(x, y, metric="gak", form="log")
    assert stotmetrics.distance(x, y, metric="gak") == pytest.approx(math.sqrt(2 - 2 * math.exp(-log_form)), rel=1e-12)


def test_long_series_do_not_underflow():
    x, y = np.zeros(400), np.full(400, 40.0)
    assert stotmetrics.distance(x, y, metric="gak") == pytest.approx(math.sqrt(2), rel=1e-12)
    assert stotmetrics.distance(x, y, metric="gak", form="log") > 1e5


@pytest.mark.parametrize("size", [1.0, 1e3])
def test_gap_is_what_rounding_can_move_both_forms(size):
    x, y = size * np.array([0.0, 1.0, 0.5]), size * np.array([0.2, 0.9])
    log_form = stotmetrics.solve(x, y, metric="gak", form="log")
    assert 1e-16 * log_form.value <= log_form.gap <= 1e-13 * max(1.0, log_form.value)
    for other in (y, x, x + 1e-9 * size):
        logarithm = stotmetrics.solve(x, other, metric="gak", form="log")
        feature = stotmetrics.solve(x, other, metric="gak")
        for moved in (logarithm.value - logarithm.gap, logarithm.value + logarithm.gap):
            value = math.sqrt(-2.0 * math.expm1(-max(moved, 0.0)))
            assert abs(value - feature.value) <= feature.gap + 1e-15 * feature.value
        assert feature.gap <= math.sqrt(2 * logarithm.gap) * (1 + 1e-15)


@pytest.mark.parametrize("form", ["log", "feature"])
@pytest.mark.parametrize("far", [15.0, 40.0, 1e6])
def test_reference_is_right_where_the_kernel_leaves_the_range_of_a_double(form, far):
    x, y = (stotmetrics.as_series(values) for values in ([0.0, 0.0, 0.0], [0.0, far, 2.0 * far]))
    metric = stotmetrics.get_metric("gak", form=form)
    assert metric(x, y) == pytest.approx(metric.reference(x, y).value, rel=1e-12)


@pytest.mark.parametrize("length", [30, 100])
@pytest.mark.parametrize("step", [0.02, 3.0, 30.0])
def test_the_gap_holds_where_alignments_and_costs_cancel(length, step):
    """Long series near each other: logarithms near zero, of kernels that were multiplied many times."""
    rng = np.random.default_rng(length)
    x = np.cumsum(step * (1 + rng.random(length)))
    first = stotmetrics.as_series(x)
    for shift in (0.001, 0.05, 0.3):
        second = stotmetrics.as_series(x + shift * rng.normal(size=length))
        bound = stotmetrics.get_metric("gak", form="log")
        result = bound.solve(first, second)
        expected = bound.reference(first, second).value
        assert abs(result.value - expected) <= result.gap <= 1e-12 * max(1.0, expected) * length
