"""Exponents: below 1 they make no metric and are refused by name; large ones need a unit of their own."""

import numpy as np
import pytest

import stotmetrics


@pytest.mark.parametrize("name", ["tiot", "etiot", "taot", "tlp"])
def test_exponents_below_one_are_refused(name):
    with pytest.raises(stotmetrics.InvalidParameterError, match="p must be"):
        stotmetrics.get_metric(name, p=0.999)
    assert stotmetrics.get_metric(name, p=1.0).params.p == 1.0


@pytest.mark.parametrize("p", [2.0, 9.0, 700.0])
@pytest.mark.parametrize("name", ["tiot", "taot", "tlp"])
def test_path_and_masses_of_exact_transport_are_its_plan_at_any_exponent(name, p):
    x, y = np.random.default_rng(0).normal(size=(2, 9))
    result = stotmetrics.solve(x, y[:7], metric=name, p=p)
    plan = np.zeros((9, 7))
    np.add.at(plan, tuple(np.transpose(result.path)), result.masses)
    np.testing.assert_allclose(plan, result.plan, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "params"), [("tiot", {}), ("etiot", {}), ("taot", {}), ("taot", {"epsilon": 0.1}), ("tlp", {})]
)
def test_a_result_has_the_same_extras_at_any_exponent(name, params):
    x, y = np.random.default_rng(0).normal(size=(2, 9))
    plain, wide = (stotmetrics.solve(x, y, metric=name, p=p, **params) for p in (2.0, 700.0))
    assert wide.available == plain.available
