"""What users of POT pass and read."""

import math
import warnings

import numpy as np
import pytest

import stotmetrics
from stotmetrics import ConvergenceWarning, InvalidParameterError
from stotmetrics.transport import sinkhorn, sinkhorn2, sinkhorn_divergence, sinkhorn_unbalanced, sinkhorn_unbalanced2


def problem(seed=0, n=7, m=6):
    rng = np.random.default_rng(seed)
    return rng.random(n) + 0.1, rng.random(m) + 0.1, rng.random((n, m))


def test_infinite_costs_forbid_what_very_large_ones_avoid():
    a, b, M = problem()
    M[1, 2] = M[3, 4] = np.inf
    plan = sinkhorn_unbalanced(a, b, M, 0.2, 1.0)
    assert plan[1, 2] == plan[3, 4] == 0.0
    np.testing.assert_allclose(plan, sinkhorn_unbalanced(a, b, np.where(np.isinf(M), 200.0, M), 0.2, 1.0), atol=1e-6)
    M[2] = np.inf
    plan, log = sinkhorn_unbalanced(a, b, M, 0.2, 1.0, log=True)
    assert not plan[2].any() and math.isfinite(log["value"]) and math.isfinite(log["gap"])
    with pytest.raises(InvalidParameterError, match=r"a\[2\] has mass, but every cost in its row of M is infinite"):
        sinkhorn(a / a.sum(), b / b.sum(), M, 0.2)


def test_log_has_the_keys_of_pot_and_keywords_of_its_solvers_pass():
    a, b, M = problem()
    plan, log = sinkhorn_unbalanced(a, b, M, 0.2, 1.0, log=True, tau=1e3, print_period=5, tol_rel=1e-9)
    assert log["cost"] == log["value_linear"] == pytest.approx((plan * M).sum())
    assert log["total_cost"] == log["value"] and log["err"][-1] <= 1e-6
    np.testing.assert_array_equal(log["log_u"], log["logu"])
    np.testing.assert_array_equal(log["log_v"], log["logv"])
    with pytest.raises(TypeError, match="unexpected keyword argument 'regm'"):
        sinkhorn_unbalanced(a, b, M, 0.2, 1.0, regm=1.0)


def test_single_precision_comes_back_and_its_masses_are_equal():
    a, b, M = (x.astype(np.float32) for x in problem(n=300, m=200))
    a, b = a / a.sum(dtype=np.float32), b / b.sum(dtype=np.float32)
    plan, log = sinkhorn(a, b, M, 0.5, log=True)
    assert plan.dtype == log["u"].dtype == np.float32 and sinkhorn2(a, b, M, 0.5).dtype == np.float32
    np.testing.assert_allclose(plan.sum(1), a, rtol=1e-5)
    assert sinkhorn(a.astype(np.float64), b, M, 0.5).dtype == np.float64
    with pytest.raises(InvalidParameterError, match="the same total mass"):
        sinkhorn(a, 1.001 * b, M, 0.5)


def test_kl_in_capitals_is_kl():
    a, _, _ = problem()
    M = np.abs(np.subtract.outer(a, a))
    assert sinkhorn_divergence(a, 4 * a, M, 0.1, 1.0, "KL") == sinkhorn_divergence(a, 4 * a, M, 0.1, 1.0, "kl") > 0


def test_one_user_warning_for_one_call():
    a, b, _ = problem(n=6)
    M = np.abs(np.subtract.outer(b, b))
    assert issubclass(ConvergenceWarning, UserWarning)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sinkhorn_divergence(a, np.stack([b, a[::-1]], axis=1), M, 0.01, 1.0, numItermax=2)
    assert [w.category for w in told] == [ConvergenceWarning]
    assert told[0].filename == __file__


@pytest.mark.parametrize(("reg_type", "value"), [("kl", 1.0), ("entropy", 1.0 + 0.1 * 9)])
def test_without_mass_nothing_moves_and_the_other_side_pays(reg_type, value):
    b, none = np.array([0.2, 0.3, 0.5]), np.zeros(3)
    M = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
    for x, y in ((none, b), (b, none)):
        assert sinkhorn_unbalanced2(x, y, M, 0.1, 1.0, reg_type=reg_type, returnCost="total") == pytest.approx(value)
        assert not sinkhorn_unbalanced(x, y, M, 0.1, 1.0, reg_type=reg_type).any()


@pytest.mark.parametrize("unit", [1e-13, 1.0, 1e6])
def test_sta_is_certified_in_the_unit_of_its_data(unit):
    x, y = np.random.default_rng(0).random((2, 3, 20)) * unit
    result = stotmetrics.solve(x, y, metric="sta", gamma=0.0)
    assert result.converged and result.gap <= 3e-6 * 20 * unit


@pytest.mark.parametrize("sigma", [1e-3, 1e-155, 1e-200, 5e-324])
def test_gak_of_a_tiny_sigma_tells_different_series_apart(sigma):
    x, y = [0.0, 1.0, 2.0], [0.0, 2.0, 2.5]
    assert stotmetrics.distance(x, y, metric="gak", sigma=sigma) == pytest.approx(math.sqrt(2))
    assert stotmetrics.distance(x, x, metric="gak", sigma=sigma) == 0.0


def test_etiot_of_a_short_and_a_long_series_is_that_of_the_long_and_the_short_one():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(5), rng.standard_normal(300)
    forth, back = (stotmetrics.solve(*pair, metric="etiot") for pair in ((x, y), (y, x)))
    assert forth.value == back.value
    np.testing.assert_array_equal(forth.plan, back.plan.T)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reg": 1e-200}, "reg must lie between 1e-100 and 1e\\+100"),
        ({"reg": 1e-14}, "reg must be at least 1e-12 of the spread of M"),
        ({"reg_m": 1e20}, "reg_m must lie within a factor of 1e\\+12 of reg, or be inf"),
        ({"reg_m": 1e-20}, "reg_m must lie within a factor of 1e\\+12 of reg, or be inf"),
        ({"a": np.array([1e200, 1.0])}, "the mass of a must lie between"),
        ({"b": np.array([1e-200, 0.0])}, "the mass of b must lie between"),
    ],
)
def test_what_leaves_no_digit_of_a_plan_is_refused_by_name(change, message):
    given = {"a": np.array([0.5, 0.5]), "b": np.array([0.2, 0.8]), "reg": 0.1, "reg_m": 1.0, **change}
    M = np.array([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(InvalidParameterError, match=message):
        sinkhorn_unbalanced(given["a"], given["b"], M, given["reg"], given["reg_m"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("warmstart", 3, "warmstart must be a pair"),
        ("warmstart", (np.zeros(3),) * 3, "warmstart must be a pair"),
        ("warmstart", (np.zeros(3), np.full(3, np.inf)), r"warmstart\[1\] must hold finite"),
        ("warmstart", (np.full(3, np.nan), np.zeros(3)), r"warmstart\[0\] must hold finite"),
        ("numItermax", 10.5, "numItermax must be a whole number"),
        ("numItermax", 10**400, "numItermax must be a number > 0"),
        ("reg", 10**400, "reg must be a number > 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(name, value, message):
    a, M = np.full(3, 1 / 3), 1.0 - np.eye(3)
    with pytest.raises(InvalidParameterError, match=message) as refusal:
        sinkhorn(a, a, M, **{"reg": 1.0, name: value})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("many", [1e3, np.int64(1000), 10**30])
def test_a_number_of_sweeps_may_be_written_as_people_do(many):
    a, M = np.full(3, 1 / 3), 1.0 - np.eye(3)
    np.testing.assert_array_equal(sinkhorn(a, a, M, 1.0, numItermax=many), sinkhorn(a, a, M, 1.0))
