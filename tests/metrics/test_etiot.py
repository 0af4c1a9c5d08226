"""etiot against its saddle-point conditions, its limits and its reference implementation."""

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import stotmetrics
from stotmetrics import as_series
from stotmetrics.metrics.etiot import SPEC
from stotmetrics.spec.bound import bind
from stotmetrics.testing.strategies import clouds


@st.composite
def cloud_pairs(draw, **options):
    d = draw(st.integers(1, 2))
    drawn = draw(clouds(dims=d, **options)), draw(clouds(dims=d, **options))
    return tuple(as_series(c.values, times=c.times, weights=c.weights) for c in drawn)


def zscored(x):
    return (x - x.mean()) / x.std()


def random_walks(seed, n=12, m=9):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n).cumsum(), rng.normal(size=m).cumsum()


@pytest.mark.parametrize("epsilon", [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0])
def test_gap_is_certified_at_any_epsilon(epsilon):
    for seed in range(5):
        x, y = random_walks(seed, 40, 31)
        result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, root=False)
        assert result.converged
        assert 0 <= result.gap <= 1e-9


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 1.0, 5.0]))
@settings(max_examples=settings().max_examples // 3)
def test_value_equals_sinkhorn_under_a_search_over_w(seed, epsilon):
    x, y = random_walks(seed, 7, 6)
    t, s = zscored(np.arange(7.0)), zscored(np.arange(6.0))
    A, B = (zscored(x)[:, None] - zscored(y)) ** 2, (t[:, None] - s) ** 2
    a, b = np.full(7, 1 / 7), np.full(6, 1 / 6)

    def minus_g(w):
        C = w * A + (1 - w) * B
        P = ot.sinkhorn(a, b, C, epsilon, method="sinkhorn_log", stopThr=1e-13, numItermax=100_000)
        return -((C * P).sum() + epsilon * (P * np.log(P / np.outer(a, b))).sum())

    best = minimize_scalar(minus_g, bounds=(0, 1), method="bounded", options={"xatol": 1e-10})
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon)
    assert result.objective == pytest.approx(-best.fun, abs=1e-8)
    assert result.w == pytest.approx(best.x, abs=1e-4)


@given(cloud_pairs(), st.sampled_from([0.01, 0.2, 3.0]), st.sampled_from([1.0, 2.0]), st.booleans(), st.booleans())
def test_value_equals_the_reference(pair, epsilon, p, standardize, root):
    x, y = pair
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, p=p, standardize=standardize, root=False)
    metric = stotmetrics.get_metric("etiot", epsilon=epsilon, p=p, standardize=standardize, root=False)
    truth = metric.reference(x, y).value
    assert result.value == pytest.approx(truth, rel=1e-5, abs=1e-6)
    rooted = stotmetrics.distance(x, y, metric="etiot", epsilon=epsilon, p=p, standardize=standardize, root=root)
    assert rooted == pytest.approx(result.value ** (1 / p) if root else result.value, rel=1e-9)


@given(cloud_pairs(), st.sampled_from([0.01, 0.5]))
def test_result_satisfies_the_saddle_point_conditions(pair, epsilon):
    x, y = pair
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, standardize=False, root=False)
    a, b = x.weights / x.weights.sum(), y.weights / y.weights.sum()
    plan, w = result.plan, result.w
    np.testing.assert_allclose(plan.sum(1), a, atol=1e-12)
    np.testing.assert_allclose(plan.sum(0), b, atol=1e-12)
    A = ((x.values[:, None] - y.values[None]) ** 2).sum(-1)
    B = (x.times[:, None] - y.times) ** 2
    scale = max(1.0, A.max(), B.max())
    slope = ((A - B) * plan).sum()
    tolerance = 1e-3 * scale
    assert 0 <= w <= 1
    assert abs(slope) <= tolerance or (w == 1 and slope > 0) or (w == 0 and slope < 0)
    C = w * A + (1 - w) * B
    f, g = result.potentials
    assert f.shape == a.shape
    assert g.shape == b.shape
    # Between two atoms without mass the exponent may be anything.
    gibbs = np.outer(a, b) * np.exp(np.minimum((f[:, None] + g - C) / epsilon, 700.0))
    np.testing.assert_allclose(plan, gibbs, atol=1e-4)
    assert a @ f + b @ g == pytest.approx(result.objective, abs=1e-6 * scale)
    assert result.value == pytest.approx((C * plan).sum(), abs=1e-6 * scale)


@pytest.mark.parametrize("seed", range(6))
def test_tends_to_tiot_and_so_does_w_as_epsilon_vanishes(seed):
    x, y = random_walks(seed)
    exact = stotmetrics.solve(x, y, metric="tiot", root=False)
    results = [stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, root=False) for epsilon in (1e-1, 1e-2, 1e-3)]
    errors = [result.objective - exact.value for result in results]
    # The regularised objective lies above g by epsilon KL(P | a b'), at most epsilon log min(n, m).
    assert 0 <= errors[2] <= errors[1] <= errors[0]
    assert errors[2] <= 1e-3 * np.log(9) + 1e-9
    assert abs(results[2].value - exact.value) <= 1e-3 * np.log(9) + 1e-9
    assert abs(results[2].w - exact.w) <= abs(results[0].w - exact.w) + 0.02


@given(st.integers(0, 2**32 - 1))
def test_objective_grows_with_epsilon(seed):
    x, y = random_walks(seed)
    results = [
        stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon).objective for epsilon in (0.01, 0.03, 0.1, 1.0, 10.0)
    ]
    assert (np.diff(results) >= -1e-9).all()


@given(cloud_pairs(), st.sampled_from([0.01, 1.0]))
def test_is_symmetric(pair, epsilon):
    x, y = pair
    d = bind(SPEC, epsilon=epsilon)
    assert d(x, y) == pytest.approx(d(y, x), rel=1e-5, abs=1e-6)


@given(cloud_pairs())
def test_large_epsilon_gives_the_independent_coupling(pair):
    x, y = pair
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=1e5)
    a, b = x.weights / x.weights.sum(), y.weights / y.weights.sum()
    np.testing.assert_allclose(result.plan, np.outer(a, b), atol=1e-3)


def test_length_one_and_constant_series():
    assert stotmetrics.etiot([3.0], [7.0], standardize=False) == pytest.approx(4.0, rel=1e-12)
    assert stotmetrics.etiot([3.0], [7.0]) == 0.0
    assert stotmetrics.etiot([5.0] * 6, [1.0] * 6, epsilon=1e-3) == pytest.approx(0.0, abs=1e-2)
    result = stotmetrics.solve([0.0, 0.0, 0.0], [0.0, 1.0, 0.0], metric="etiot", epsilon=1e-3)
    assert result.value == pytest.approx(1.0, abs=1e-6)
    assert result.converged


def test_an_atom_of_weight_zero_takes_no_part():
    x = as_series([5.0, 1.0, 2.0], times=[0, 1, 2], weights=[0.0, 0.5, 0.5])
    y = as_series([1.0, 3.0], times=[1, 2])
    result = stotmetrics.solve(x, y, metric="etiot", standardize=False)
    without = stotmetrics.distance(as_series([1.0, 2.0], times=[1, 2]), y, metric="etiot", standardize=False)
    assert result.value == without
    assert (result.plan[0] == 0).all()
    assert np.isfinite(result.potentials[0]).all()


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize("max_iter", [1, 2, 5])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-3, 1e-2])
def test_value_is_finite_and_its_gap_certified_where_the_steps_run_out(epsilon, max_iter):
    for seed in range(4):
        x, y = random_walks(seed, 20, 15)
        short = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, max_iter=max_iter, root=False)
        full = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon)
        assert np.isfinite(short.value)
        assert short.objective - 1e-9 <= full.objective <= short.objective + short.gap + 1e-9


def test_no_lower_bound_holds_where_the_paper_stops():
    """The plan there is no coupling yet, and may cost less than any."""
    x, y = (as_series(v) for v in random_walks(0))
    first = np.zeros(1, dtype=np.intp)
    for name, bounded in (("etiot", True), ("etiot_hbcd", False)):
        metric = stotmetrics.get_metric(name)
        (bound,) = metric.lower_bounds([metric.prepare(x)], [metric.prepare(y)], first, first)
        assert (bound > 0) == bounded


def test_epsilon_zero_is_refused_by_name():
    with pytest.raises(stotmetrics.InvalidParameterError, match="epsilon"):
        bind(SPEC, epsilon=0.0)


def test_gap_behind_the_root_says_what_the_gap_before_it_is_worth():
    x, y = random_walks(1)
    plain = stotmetrics.solve(x, y, metric="etiot_hbcd", epsilon=0.05, root=False)
    result = stotmetrics.solve(x, y, metric="etiot_hbcd", epsilon=0.05)
    assert result.value == pytest.approx(plain.value**0.5)
    assert (result.value - result.gap) ** 2 <= plain.value - plain.gap * (1 - 1e-9)
    assert (result.value + result.gap) ** 2 >= plain.value + plain.gap * (1 - 1e-9)


def test_gap_behind_the_root_covers_rounding_next_to_zero():
    result = stotmetrics.solve([0.0, 0.0], [0.0, 0.0], metric="etiot", epsilon=0.01)
    assert result.value <= result.gap + 1e-12


@pytest.mark.parametrize("epsilon", [0.01, 0.02, 0.05])
def test_next_to_zero_the_root_magnifies_no_more_than_rounding(epsilon):
    # At w = 1 nothing costs anything, at w = 0 the best plan costs exp(-1 / epsilon) or so: the saddle value is that.
    got = stotmetrics.distance([0.0, 0.0], [0.0, 0.0], metric="etiot", epsilon=epsilon, standardize=False)
    assert got == pytest.approx(np.sqrt(np.exp(-1 / epsilon) / (1 + np.exp(-1 / epsilon))), abs=1e-8)


def test_potentials_of_an_atom_without_mass_are_numbers_however_small_epsilon_is():
    x, y = np.array([1.0, 4.0, -2.0]), as_series([0.5, 3.0, 9.0], weights=[1.0, 2.0, 0.0])
    for unit in (1.0, 1e280):
        scaled = as_series(unit * x), as_series(unit * y.values, weights=y.weights)
        result = stotmetrics.solve(*scaled, metric="etiot", epsilon=1e-126, p=1.0, standardize=False, root=False)
        assert np.isfinite(np.concatenate(result.potentials)).all()
        exact = stotmetrics.solve(*scaled, metric="tiot", p=1.0, standardize=False, root=False)
        f, w = result.potentials[0], exact.w
        # At the limit it is a minimum over the others, as in exact transport.
        apart = w * abs(scaled[0].values[:, 0] - scaled[1].values[2, 0]) + (1 - w) * abs(scaled[0].times - 2.0)
        assert result.potentials[1][2] == pytest.approx((apart - f).min(), rel=1e-9)


def test_gap_covers_rounding_where_the_value_is_a_rest_of_it():
    # Of nearly equal series: which of them comes first changes what rounding leaves.
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x, weights = rng.normal(size=5) * 10.0 ** rng.uniform(-12, 0, 5), rng.random(5) + 0.1
        pair = as_series(x, weights=weights), as_series(x * (1 + 1e-15), weights=weights)
        there, back = (stotmetrics.solve(*both, metric="etiot", p=1.0, epsilon=0.018) for both in (pair, pair[::-1]))
        assert abs(there.value - back.value) <= there.gap + back.gap
