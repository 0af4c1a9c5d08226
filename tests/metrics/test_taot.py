"""taot against brute force over permutations, its linear program and plain Sinkhorn sweeps."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series
from stotmetrics.metrics.taot import SPEC
from stotmetrics.spec.bound import bind
from stotmetrics.testing.strategies import clouds
from stotmetrics.transport.point_clouds import cost_matrices


@st.composite
def cloud_pairs(draw, **options):
    d = draw(st.integers(1, 2))
    drawn = draw(clouds(dims=d, **options)), draw(clouds(dims=d, **options))
    return tuple(as_series(c.values, times=c.times, weights=c.weights) for c in drawn)


def assume_a_unit(pair, scale, p=2.0, standardize=True):
    """A median that is zero but for rounding is a unit to one solver and none to another."""
    metric = bind(SPEC, p=p, standardize=standardize)
    A, B = cost_matrices(*map(metric.prepare, pair), p)
    assume(scale is None or np.median(A + 0.7 * B) > 1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0, 3))
def test_uniform_equal_lengths_are_solved_by_a_permutation(seed, n, omega):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(size=n)
    t = np.arange(n)
    C = (x[:, None] - y) ** 2 + omega * (t[:, None] - t) ** 2
    best = min(C[t, list(order)].mean() for order in permutations(range(n)))
    assert stotmetrics.taot(x, y, omega=omega, standardize=False) == pytest.approx(best, rel=1e-12, abs=1e-14)


@given(cloud_pairs(), st.sampled_from([1.0, 2.0, 3.0]), st.booleans(), st.sampled_from([None, "median"]))
def test_exact_value_equals_the_linear_program(pair, p, standardize, scale):
    x, y = pair
    assume_a_unit(pair, scale, p, standardize)
    truth = bind(SPEC, p=p, standardize=standardize, scale=scale, omega=0.7).reference(x, y).value
    result = stotmetrics.solve(x, y, metric="taot", p=p, standardize=standardize, scale=scale, omega=0.7)
    assert result.value == pytest.approx(truth, abs=1e-8 * max(1.0, truth))
    assert result.gap <= 1e-12 * max(1.0, result.value)
    assert result.converged


@given(cloud_pairs(max_length=5), st.sampled_from([0.3, 1.0, 10.0]), st.sampled_from([None, "median"]))
def test_entropic_value_equals_the_reference(pair, epsilon, scale):
    x, y = pair
    assume_a_unit(pair, scale)
    result = stotmetrics.solve(x, y, metric="taot", epsilon=epsilon, scale=scale)
    assert result.converged
    assert result.value == pytest.approx(
        bind(SPEC, epsilon=epsilon, scale=scale).reference(x, y).value, rel=1e-7, abs=1e-9
    )


@given(cloud_pairs())
def test_entropic_plan_has_the_marginals_and_the_potentials_explain_it(pair):
    x, y = pair
    result = stotmetrics.solve(x, y, metric="taot", epsilon=0.05)
    a, b = x.weights / x.weights.sum(), y.weights / y.weights.sum()
    np.testing.assert_allclose(result.plan.sum(1), a, atol=1e-7)
    np.testing.assert_allclose(result.plan.sum(0), b, atol=1e-7)
    f, g = result.potentials
    kept = np.ix_(a > 0, b > 0)
    gibbs = np.outer(a, b)[kept] * np.exp((f[a > 0][:, None] + g[b > 0] - result.cost[kept]) / 0.05)
    np.testing.assert_allclose(result.plan[kept], gibbs, atol=1e-6)


@given(cloud_pairs())
def test_tends_to_the_exact_value_as_epsilon_vanishes(pair):
    x, y = pair
    exact = stotmetrics.distance(x, y, metric="taot")
    errors = [stotmetrics.distance(x, y, metric="taot", epsilon=epsilon) - exact for epsilon in (1.0, 0.1, 0.01)]
    # <C, P> at the entropic plan P grows with epsilon and stays within epsilon log n of the exact value.
    assert -1e-8 <= errors[2] <= errors[1] + 1e-8 <= errors[0] + 2e-8
    assert errors[2] <= 0.01 * np.log(8) + 1e-9


@given(cloud_pairs())
def test_both_published_conventions_agree_up_to_their_unit(pair):
    x, y = pair
    mixed = stotmetrics.distance(x, y, metric="taot", w=0.25)
    assert mixed == pytest.approx(0.25 * stotmetrics.distance(x, y, metric="taot", omega=3.0), rel=1e-9, abs=1e-10)


@given(cloud_pairs())
def test_is_symmetric(pair):
    x, y = pair
    d = bind(SPEC, omega=2.0, scale="median")
    assert d(x, y) == pytest.approx(d(y, x), rel=1e-9, abs=1e-9)


def test_median_scale_survives_a_median_of_zero():
    assert stotmetrics.taot([1.0], [1.0], scale="median") == 0.0
    assert stotmetrics.taot([0, 0, 0, 1.0], [0, 0, 0, 1.0], omega=0.0, scale="median", standardize=False) == 0.0


def test_parameters_are_refused_by_name():
    for bad in ({"w": 1.5}, {"scale": "mean"}, {"omega": -1.0}, {"epsilon": -0.1}):
        with pytest.raises(stotmetrics.InvalidParameterError, match=next(iter(bad))):
            bind(SPEC, **bad)


def test_median_scale_divides_by_any_median():
    metric = bind(SPEC, scale="median", omega=0.0, p=1.0, standardize=False)
    for far in (0.5, 1.0, 2.0, 5.0):
        x, y = as_series([0.0, 0.0]), as_series([far, far])
        assert metric(x, y) == 1.0
        assert metric.reference(x, y).value == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-170, 1e170, 1e220])
@pytest.mark.parametrize(("epsilon", "w"), [(0.0, None), (0.1, None), (0.1, 0.3), (1.0, 0.0)])
def test_gradient_in_units_of_the_median_is_that_of_the_same_data_on_any_scale(scale, epsilon, w):
    rng = np.random.default_rng(0)
    metric = stotmetrics.get_metric("taot", epsilon=epsilon, scale="median", standardize=False, w=w)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(5, 2))

    def at(c):
        return metric.value_and_grad(
            *(stotmetrics.as_series(c * v, times=c * np.arange(float(len(v)))) for v in (x, y))
        )

    value, *slopes = at(1.0)
    far, *far_slopes = at(scale)
    assert far == pytest.approx(value, rel=1e-12)
    for slope, far_slope in zip(slopes, far_slopes, strict=True):
        np.testing.assert_allclose(scale * far_slope, slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [9.0, 12.0, 40.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_gradient_in_units_of_the_median_at_large_exponents(p, epsilon):
    rng = np.random.default_rng(0)
    metric = stotmetrics.get_metric("taot", epsilon=epsilon, scale="median", standardize=False, p=p)
    x, y, step = rng.normal(size=(6, 2)), rng.normal(size=(5, 2)), 1e-6
    slope = metric.value_and_grad(x, y)[1]
    for cell in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[cell] = step
        numeric = (metric(x + move, y) - metric(x - move, y)) / (2.0 * step)
        assert slope[cell] == pytest.approx(numeric, rel=1e-6, abs=1e-6 * np.abs(slope).max())


@pytest.mark.parametrize("epsilon", [1e-15, 7e-30, 1e-300])
@pytest.mark.parametrize("p", [1.5, 2.0])
def test_gradient_in_units_of_the_median_at_a_vanishing_epsilon_is_that_of_exact_transport(epsilon, p):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), rng.normal(size=7)
    exact, soft = (
        stotmetrics.value_and_grad(x, y, metric="taot", epsilon=given, scale="median", p=p) for given in (0.0, epsilon)
    )
    for got, wanted in zip(soft, exact, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-13)


def test_potentials_that_no_double_holds_say_so():
    """At a large p the costs leave the range, though the value between equal series does not."""
    x = 398.4 * np.array([-1.0, 0.0, 1.0, -1.0, -2.0, 2.0, -1.0, 1.0, 2.0])
    params = {"omega": 0.737, "scale": "median", "p": 1000.0, "standardize": False, "w": 1.0}
    result = stotmetrics.solve(x, x, metric="taot", **params)
    assert result.value == 0.0
    with pytest.raises(FloatingPointError, match="potentials of this result leaves the range"):
        result.potentials  # noqa: B018


@pytest.mark.parametrize(
    "params", [{}, {"p": 1.0}, {"omega": 0.0}, {"omega": 3.0, "p": 1.0}, {"w": 0.0}, {"w": 0.7, "standardize": False}]
)
def test_pairs_side_by_side_are_those_of_the_reference(params):
    """Of other lengths, masses and times, with atoms without mass, in two dimensions."""
    rng = np.random.default_rng(8)
    metric = stotmetrics.get_metric("taot", **params)
    X = [
        stotmetrics.as_series(
            rng.normal(size=(n, 2)),
            times=np.cumsum(rng.uniform(0.5, 1.5, n)),
            weights=np.append(rng.uniform(0.1, 1.0, n - 1), n % 2) if n > 4 else np.ones(n),
        )
        for n in (3, 7, 4, 6)
    ]
    D = stotmetrics.pairwise(X, X[::-1], metric=metric)
    for i, x in enumerate(X):
        for j, y in enumerate(X[::-1]):
            assert D[i, j] == pytest.approx(metric.reference(x, y).value, rel=1e-9, abs=1e-12)


def test_pairs_of_a_wide_range_stand_beside_others_in_a_block():
    X = [[0.0, 1.0, 2.0], [1e160, 0.0, -1e160], [5.0, 1.0]]
    D = stotmetrics.pairwise(X, metric="tlp", p=2.0)
    for i, x in enumerate(X):
        for j, y in enumerate(X):
            assert D[i, j] == pytest.approx(stotmetrics.tlp(x, y), rel=1e-12)
