"""The functions that stand in for POT's: equal where POT is right, right where it is not."""

import inspect
import math
import warnings

import numpy as np
import ot
import pytest
from scipy.optimize import minimize

from stotmetrics import ConvergenceWarning, InvalidParameterError
from stotmetrics.reference import sinkhorn as reference
from stotmetrics.transport import pot as transport


def problem(seed=0, n=7, m=6, k=None):
    rng = np.random.default_rng(seed)
    b = rng.random(m if k is None else (m, k)) + 0.1
    return rng.random(n) + 0.1, b, rng.random((n, m))


def normal(a, b):
    return a / a.sum(), b / b.sum(axis=0)


@pytest.mark.parametrize("name", ["sinkhorn", "sinkhorn2", "sinkhorn_unbalanced", "sinkhorn_unbalanced2"])
def test_signature_is_that_of_pot(name):
    ours = inspect.signature(getattr(transport, name)).parameters
    theirs = inspect.signature(getattr(ot, name)).parameters
    assert list(ours) == list(theirs)
    for parameter in ours:
        if parameter != "warn":  # ours warns in sinkhorn2 too
            assert ours[parameter].default == theirs[parameter].default


@pytest.mark.parametrize("reg", [0.05, 0.5])
def test_balanced_plan_and_values_are_those_of_pot(reg):
    a, b, M = problem()
    a, b = normal(a, b)
    exact = {"numItermax": 100_000, "stopThr": 1e-13}
    np.testing.assert_allclose(transport.sinkhorn(a, b, M, reg), ot.sinkhorn(a, b, M, reg, **exact), atol=1e-8)
    assert transport.sinkhorn2(a, b, M, reg) == pytest.approx(float(ot.sinkhorn2(a, b, M, reg, **exact)), abs=1e-7)
    many = normal(*problem(k=3)[:2])[1]
    np.testing.assert_allclose(transport.sinkhorn2(a, many, M, reg), ot.sinkhorn2(a, many, M, reg, **exact), atol=1e-7)
    np.testing.assert_allclose(transport.sinkhorn(a, many, M, reg), transport.sinkhorn2(a, many, M, reg))


@pytest.mark.parametrize("reg_type", ["kl", "entropy"])
@pytest.mark.parametrize(("reg", "reg_m"), [(0.1, 1.0), (1.0, 0.1), (0.2, 50.0)])
def test_unbalanced_plan_is_that_of_pot(reg_type, reg, reg_m):
    a, b, M = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = ot.unbalanced.sinkhorn_unbalanced(
            a, b, M, reg, reg_m, reg_type=reg_type, numItermax=200_000, stopThr=1e-14
        )
    ours = transport.sinkhorn_unbalanced(a, b, M, reg, reg_m, reg_type=reg_type, stopThr=1e-7)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_reference_measure_is_that_of_pot():
    a, b, M = problem()
    c = np.random.default_rng(1).random(M.shape) + 0.1
    theirs = ot.unbalanced.sinkhorn_unbalanced(a, b, M, 0.2, 1.0, c=c, numItermax=100_000, stopThr=1e-14)
    np.testing.assert_allclose(transport.sinkhorn_unbalanced(a, b, M, 0.2, 1.0, c=c, stopThr=1e-7), theirs, atol=2e-6)


def objective(P, a, b, M, reg, reg_m, reg_type):
    c = np.outer(a, b) if reg_type == "kl" else np.ones(M.shape)
    return (P * M).sum() + reg * reference.kl(P, c) + reg_m * (reference.kl(P.sum(1), a) + reference.kl(P.sum(0), b))


@pytest.mark.parametrize("reg_type", ["kl", "entropy"])
def test_value_is_the_whole_objective_where_pot_drops_the_masses(reg_type):
    a, b, M = problem(n=3, m=3)
    reg, reg_m = 0.4, 0.8
    total = transport.sinkhorn_unbalanced2(a, b, M, reg, reg_m, reg_type=reg_type, returnCost="total")

    def at(z):
        return objective(np.exp(z).reshape(M.shape), a, b, M, reg, reg_m, reg_type)

    optimum = minimize(at, np.log(np.outer(a, b)).ravel(), method="BFGS", options={"gtol": 1e-8})
    assert total == pytest.approx(optimum.fun, abs=1e-7)
    plan, log = transport.sinkhorn_unbalanced(a, b, M, reg, reg_m, reg_type=reg_type, log=True)
    assert log["value"] == pytest.approx(total)
    assert log["value"] == pytest.approx(log["value_linear"] + log["value_reg"] + log["value_mass"])
    assert log["value_linear"] == pytest.approx((plan * M).sum())
    linear = transport.sinkhorn_unbalanced2(a, b, M, reg, reg_m, reg_type=reg_type)
    assert linear == pytest.approx(log["value_linear"])
    assert log["converged"] and 0 <= log["gap"] <= 1e-11


def test_log_has_scalings_and_potentials_of_the_plan():
    a, b, M = problem()
    a[2] = b[1] = 0.0
    plan, log = transport.sinkhorn_unbalanced(a, b, M, 0.1, 1.0, reg_type="entropy", log=True)
    np.testing.assert_allclose(log["u"][:, None] * np.exp(-M / 0.1) * log["v"][None, :], plan)
    np.testing.assert_allclose(log["potentials"][0], 0.1 * log["logu"])
    assert log["potentials"][0][2] == -math.inf and not plan[2].any() and not plan[:, 1].any()
    again, warm = transport.sinkhorn_unbalanced(
        a, b, M, 0.1, 1.0, reg_type="entropy", log=True, warmstart=log["warmstart"]
    )
    assert warm["niter"] < log["niter"]
    np.testing.assert_allclose(again, plan, atol=1e-6)


def test_each_of_many_histograms_is_the_problem_of_that_one():
    a, b, M = problem(k=3)
    for reg_type in ("kl", "entropy"):
        values, log = transport.sinkhorn_unbalanced2(a, b, M, 0.2, 1.0, reg_type=reg_type, log=True)
        for k in range(3):
            alone = transport.sinkhorn_unbalanced2(a, b[:, k], M, 0.2, 1.0, reg_type=reg_type)
            assert values[k] == pytest.approx(alone, abs=1e-5)
        assert log["u"].shape == (7, 3) and log["gap"].shape == (3,)


@pytest.mark.parametrize("factor", [1e-3, 1e-4])
def test_tiny_regularisation_is_solved_where_pot_stops_with_numerical_errors(factor):
    """POT #54, #34, #194, #723, and #711 for its stabilized solver."""
    rng = np.random.default_rng(2)
    points = rng.random((20, 2))
    M = ot.dist(points)
    a, b = rng.random(20), rng.random(20)
    a[:12] = 0.0
    reg, reg_m = factor * M.max(), 1.0
    plan, log = transport.sinkhorn_unbalanced(
        a, b, M, reg, reg_m, reg_type="entropy", numItermax=100_000, stopThr=1e-5, log=True
    )
    assert log["converged"] and np.isfinite(plan).all()
    # The certificate on its own terms: a primal and a dual value computed here, from the plan and the potentials.
    used = a > 0
    f, g = log["potentials"][0][used], log["potentials"][1]
    dual = -reg_m * (a[used] @ np.expm1(-f / reg_m) + b @ np.expm1(-g / reg_m)) - reg * plan.sum() + reg * plan.size
    assert log["value"] >= dual - 1e-9
    assert log["value"] - dual <= log["gap"] + 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ot.unbalanced.sinkhorn_unbalanced(a, b, M, reg, reg_m, reg_type="entropy", numItermax=1000)
    far = not np.isfinite(theirs).all() or objective(theirs, a, b, M, reg, reg_m, "entropy") > log["value"] + 1e-4
    assert far


def test_stabilized_pot_plan_is_wrong_once_it_absorbs_and_ours_is_not():
    """POT #711."""
    rng = np.random.default_rng(0)
    a, b, M = rng.random(10), rng.random(10), rng.random((10, 10)) * 10
    reg, reg_m = 0.02, 1.0
    ours, log = transport.sinkhorn_unbalanced(a, b, M, reg, reg_m, reg_type="entropy", numItermax=100_000, log=True)
    best = objective(ours, a, b, M, reg, reg_m, "entropy")
    assert best == pytest.approx(log["value"]) and log["gap"] < 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ot.unbalanced.sinkhorn_stabilized_unbalanced(
            a, b, M, reg, reg_m, reg_type="entropy", tau=10, numItermax=5000
        )
    assert not np.isfinite(theirs).all() or objective(theirs, a, b, M, reg, reg_m, "entropy") > best + 1e-3


@pytest.mark.parametrize(
    "solve", [transport.sinkhorn2, lambda *args, **kw: transport.sinkhorn_unbalanced2(*args, 1.0, **kw)]
)
def test_a_problem_that_is_not_solved_says_so(solve):
    """POT #314, #417: sinkhorn2 and the unbalanced solvers return silently."""
    a, b, M = problem()
    a, b = normal(a, b)
    with pytest.warns(ConvergenceWarning, match="1 of 1 transport problems did not converge in 2 sweeps"):
        solve(a, b, M, 0.005, numItermax=2)


def test_divergence_of_a_histogram_and_its_multiple_is_positive():
    """POT's debiased value is 0 at (mu, 4 mu): the mass term is missing."""
    rng = np.random.default_rng(0)
    points = rng.random((6, 2))
    M, a = ot.dist(points), rng.random(6)
    for reg_type in ("kl", "entropy"):
        args = (M, 0.1, 1.0, reg_type)
        assert transport.sinkhorn_divergence(a, 4 * a, *args) > 0.1
        assert transport.sinkhorn_divergence(a, a, *args) == 0.0
        b = np.stack([a, 4 * a, a[::-1]], axis=1)
        values, log = transport.sinkhorn_divergence(a, b, *args, log=True)
        assert values[0] == 0.0 and (values[1:] > 0).all() and log["converged"] and (log["gap"] < 1e-9).all()


def test_divergence_is_that_of_the_reference():
    rng = np.random.default_rng(1)
    M, a, b = ot.dist(rng.random((6, 2))), rng.random(6), rng.random(6)
    ours = transport.sinkhorn_divergence(a, b, M, 0.1, 0.7)
    assert ours == pytest.approx(reference.divergence(a, b, M, 0.1, 0.7), abs=1e-9)
    a, b = normal(a, b)
    assert transport.sinkhorn_divergence(a, b, M, 0.1) == pytest.approx(
        reference.divergence(a, b, M, 0.1, np.inf), abs=1e-5
    )


def test_empty_histograms_are_uniform():
    _, _, M = problem()
    np.testing.assert_array_equal(
        transport.sinkhorn([], [], M, 0.1), transport.sinkhorn(np.full(7, 1 / 7), np.full(6, 1 / 6), M, 0.1)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": [1.0]}, r"a must have one mass for each of 7 points of M; got shape \(1,\)"),
        ({"b": [-1.0] * 6}, "b must be non-negative; got -1"),
        ({"M": [[np.nan]]}, "M must be finite; got nan"),
        ({"M": [1.0]}, r"M must have 2 axes and hold something; got shape \(1,\)"),
        ({"reg": 0.0}, r"reg must be a number > 0; got 0\.0"),
        ({"reg_m": (1.0, 2.0, 3.0)}, "one number > 0, or one for each marginal .*; got"),
        ({"reg_type": "l2"}, "reg_type must be 'kl' or 'entropy'; got 'l2'"),
        ({"method": "newton"}, "method must be one of sinkhorn, .*got 'newton'"),
        ({"c": np.zeros((7, 6))}, r"c must be positive, of the shape \(7, 6\) of M"),
        ({"reg_m": math.inf}, "the same total mass for balanced transport; got"),
        ({"warmstart": (np.zeros(7), np.zeros(3))}, r"scalings of shapes \(7,\) and \(6,\); got \(3,\)"),
    ],
)
def test_refusals_say_what_is_wanted_and_what_came(change, message):
    a, b, M = problem()
    with pytest.raises(InvalidParameterError, match=message):
        transport.sinkhorn_unbalanced(**{"a": a, "b": b, "M": M, "reg": 0.1, "reg_m": 1.0, **change})


def test_refuses_a_divergence_on_two_supports():
    with pytest.raises(InvalidParameterError, match="square and symmetric"):
        transport.sinkhorn_divergence(*problem(), 0.1, 1.0)
    with pytest.raises(InvalidParameterError, match="returnCost must be 'linear' or 'total'; got 'all'"):
        transport.sinkhorn_unbalanced2(*problem(), 0.1, 1.0, returnCost="all")


def test_the_error_is_a_number_where_a_marginal_lies_below_the_range_of_a_double():
    a, b = np.array([0.5, 0.25, 0.0]), np.array([0.5, 0.0])
    M, reg, reg_m = np.array([[2e4, 2e4], [2e4, 2e4 + 1], [2e4, 2e4]]), 8.0, 0.003
    _, log = transport.sinkhorn_unbalanced(
        a, b, M, reg, reg_m, reg_type="entropy", numItermax=1, stopThr=0.0, log=True, warn=False
    )
    u, v = log["logu"][:2], log["logv"][0]
    wide = u + v - M[:2, 0] / reg
    rows = wide - (np.log(a[:2]) - u * reg / reg_m)
    column = np.logaddexp(*wide) - (np.log(b[0]) - v * reg / reg_m)
    assert log["err"] == [pytest.approx(max(*abs(rows), abs(column)), rel=1e-9)]


@pytest.mark.parametrize("reg_m", [math.inf, (math.inf, 0.5), (0.5, math.inf)])
@pytest.mark.parametrize("reg_type", ["kl", "entropy"])
def test_what_every_entry_costs_says_nothing_about_a_plan_that_keeps_its_mass(reg_m, reg_type):
    a, b, M = problem()
    # Fractions that the sum of both holds to the last bit.
    a, b, M, level, reg = a / a.sum(), b / b.sum(), np.round(1024 * M) / 1024, 2.0**40, 0.05
    (near, here), (far, there) = (
        transport.sinkhorn_unbalanced(a, b, cost, reg, reg_m, reg_type=reg_type, stopThr=1e-10, log=True)
        for cost in (M, M + level)
    )
    np.testing.assert_allclose(far, near, rtol=1e-12)
    assert there["converged"]
    assert there["value"] - level == pytest.approx(here["value"], abs=there["gap"])
    assert there["gap"] < 1e-13 * level
    assert there["cost"] / level == pytest.approx(1.0, rel=1e-9)


def test_potentials_are_those_of_the_costs_as_they_were_given():
    a, b, M = problem()
    a, b, reg = a / a.sum(), b / b.sum(), 0.1
    for reg_m in (math.inf, (math.inf, 0.5), (0.5, math.inf)):
        keys = {"reg_m": reg_m, "reg_type": "entropy", "stopThr": 1e-10}
        plan, log = transport.sinkhorn_unbalanced(a, b, M + 3.0, reg, **keys, log=True)
        np.testing.assert_allclose(np.exp(log["logu"][:, None] + log["logv"] - (M + 3.0) / reg), plan, rtol=1e-9)
        again, log = transport.sinkhorn_unbalanced(a, b, M + 3.0, reg, **keys, warmstart=log["warmstart"], log=True)
        assert log["niter"] <= 1
        np.testing.assert_allclose(again, plan, rtol=1e-9)


def test_a_cost_beyond_all_regularisation_is_paid_where_mass_is_kept():
    a, b = np.array([0.06, 0.0, 0.13]), np.array([0.065])
    plan, log = transport.sinkhorn_unbalanced(
        a, b, np.full((3, 1), 2.8e62), 0.04, (math.inf, 0.0087), reg_type="entropy", numItermax=10, stopThr=0, log=True
    )
    np.testing.assert_allclose(plan[:, 0], a, atol=1e-15)
    assert log["value"] == pytest.approx(2.8e62 * a.sum(), rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 5), (4, 3), (6, 6)])
@pytest.mark.parametrize("reg", [1e-10, 1e-8, 1e-3])
def test_a_plan_keeps_its_marginals_where_costs_are_far_above_reg(shape, reg):
    """There each exponent is rounded by a part of the cost over reg."""
    rng = np.random.default_rng(3)
    for _ in range(10):
        a, b, M = rng.random(shape[0]), rng.random(shape[1]), 20 * rng.random(shape)
        a, b = a / a.sum(), b / b.sum()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            plan, log = transport.sinkhorn(a, b, M, reg, stopThr=1e-8, log=True)
        off = abs(plan.sum(axis=1) - a).sum() + abs(plan.sum(axis=0) - b).sum()
        assert log["err"][-1] == pytest.approx(off, rel=1e-6, abs=1e-15)
        assert off <= 1e-8 or not log["converged"]
