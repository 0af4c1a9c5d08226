"""Exponents: below 1 they make no metric and are refused by name; large ones need a unit of their own."""

import numpy as np
import pytest

import stotmetrics


@pytest.mark.parametrize("name", ["tiot", "etiot", "taot", "tlp"])
def test_exponents_below_one_are_refused(name):
    with pytest.raises(stotmetrics.InvalidParameterError, match="p must be"):
        stotmetrics.get_metric(name, p=0.999)
    assert stotmetrics.get_metric(name, p=1.0).params.p == 1.0


@pytest.mark.parametrize("p", [2.0, 700.0])
def test_path_and_masses_of_tiot_are_its_plan_where_powers_need_a_unit_too(p):
    x, y = np.random.default_rng(0).normal(size=(2, 9))
    result = stotmetrics.solve(x, y[:7], metric="tiot", p=p)
    plan = np.zeros((9, 7))
    np.add.at(plan, tuple(np.transpose(result.path)), result.masses)
    np.testing.assert_allclose(plan, result.plan, atol=1e-15)
