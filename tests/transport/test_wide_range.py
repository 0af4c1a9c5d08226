"""At any exponent and on any scale the value keeps its digits: against all permutations, in long doubles."""

from itertools import permutations

import numpy as np
import pytest

import stotmetrics
from stotmetrics import Series
from stotmetrics.transport.point_clouds import prepare_cloud
from stotmetrics.transport.wide_range import is_wide, powered, which_are_wide

LONG = np.longdouble
if np.finfo(LONG).maxexp < 10_000:
    pytest.skip("a long double is a double here", allow_module_level=True)

EXPONENTS = [1.0, 2.0, 7.0, 50.0, 200.0, 700.0]
SCALES = [1.0, 1e-200, 1e-30, 1e150, 1e250]


def pair(seed, n=5, spread=0.0):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n, 2)) * 10.0 ** rng.uniform(-spread, 0, (2, n, 1))
    t, s = (np.cumsum(rng.random(n) + 0.1) for _ in range(2))
    return Series(x, t), Series(y, s)


def in_unit(series, c):
    return Series(series.values * c, series.times * c)


def power_costs(x, y, p):
    """A and B, long doubles."""
    return tuple(
        np.sqrt(((u[:, None].astype(LONG) - v.astype(LONG)) ** 2).sum(axis=2)) ** LONG(p)
        for u, v in ((x.values, y.values), (x.times[:, None], y.times[:, None]))
    )


def plans(x, y, p):
    """(<A, P>, <B, P>) of every permutation P."""
    A, B = power_costs(x, y, p)
    rows = np.arange(len(x))
    for order in permutations(range(len(x))):
        yield A[rows, order].mean(), B[rows, order].mean()


def root(value, p):
    return float(value ** (1 / LONG(p)))


def worst(lines):
    """max over w of min over the lines of w a + (1 - w) b: where the lower envelope turns."""
    lines = list(lines)
    best = max(min(b for _, b in lines), min(a for a, _ in lines))
    for k, (a, b) in enumerate(lines):
        for c, d in lines[:k]:
            if (a - b) * (c - d) < 0:
                w = (d - b) / ((a - b) - (c - d))
                if 0 <= w <= 1:
                    height = w * a + (1 - w) * b
                    if height > best and all(w * e + (1 - w) * f >= height * (1 - LONG(1e-15)) for e, f in lines):
                        best = height
    return best


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("p", EXPONENTS)
def test_tiot_and_tlp_are_those_of_all_permutations(p, scale):
    x, y = pair(int(p), n=4, spread=3.0 if p == 7.0 else 0.0)
    lines = list(plans(x, y, p))
    for result, exact in (
        (stotmetrics.solve(in_unit(x, scale), in_unit(y, scale), "tiot", p=p, standardize=False), worst(lines)),
        (
            stotmetrics.solve(in_unit(x, scale), in_unit(y, scale), "tlp", p=p, lam=4.0),
            min(a + b / 4 for a, b in lines),
        ),
    ):
        assert result.value == pytest.approx(root(exact, p) * scale, rel=1e-9)
        assert result.converged and result.gap <= 1e-6 * result.value
        rows = result.plan.sum(axis=1)
        np.testing.assert_allclose(rows, 0.25, atol=1e-12)
    (batch,) = stotmetrics.pairwise([in_unit(x, scale)], [in_unit(y, scale)], "tlp", p=p, lam=4.0)
    assert batch == result.value


@pytest.mark.parametrize("p", [20.0, 200.0])
def test_the_value_without_the_root_is_right_wherever_a_double_holds_it(p):
    x, y = pair(3, n=4)
    lines = list(plans(x, y, p))
    assert stotmetrics.tiot(x, y, p=p, standardize=False, root=False) == pytest.approx(float(worst(lines)), rel=1e-7)
    exact = float(min(a + 0.5 * b for a, b in lines))
    assert stotmetrics.taot(x, y, omega=0.5, p=p, standardize=False) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("p", [2.0, 20.0, 200.0])
def test_a_cost_over_its_median_has_no_unit(p):
    x, y = pair(4, n=5)
    values = [
        stotmetrics.taot(in_unit(x, c), in_unit(y, c), scale="median", p=p, standardize=False)
        for c in (1.0, 1e60, 1e-60)
    ]
    assert values[0] > 0
    np.testing.assert_allclose(values, values[0], rtol=1e-7)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_a_median_of_zero_divides_nothing(epsilon):
    x, y = [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 2.0]
    rest = {"metric": "taot", "p": 50.0, "omega": 0.0, "epsilon": epsilon, "standardize": False}
    whole, over_median = (stotmetrics.solve(x, y, scale=scale, **rest).value for scale in (None, "median"))
    assert over_median == whole > 0


@pytest.mark.parametrize("name", ["tiot", "tlp", "taot"])
@pytest.mark.parametrize("p", [2.0, 300.0])
def test_equal_series_are_at_distance_zero(name, p):
    x, _ = pair(5, n=6)
    x = Series(x.values, x.times, np.random.default_rng(0).random(6))
    for c in (1.0, 2.0**-900, 2.0**900):
        result = stotmetrics.solve(in_unit(x, c), in_unit(x, c), name, p=p, standardize=False)
        assert result.value == 0.0 and result.converged
        assert result.gap <= (1e-7 if c == 1.0 else 0.0)  # in a unit of their own


@pytest.mark.parametrize("ratio", [0.01, 0.3, 30.0])
@pytest.mark.parametrize("p", [2.0, 20.0, 200.0])
def test_etiot_is_at_its_saddle_point(p, ratio):
    x, y = pair(6, n=4)
    A, B = power_costs(x, y, p)
    epsilon = ratio * stotmetrics.tiot(x, y, p=p, standardize=False, root=False)
    result = stotmetrics.solve(x, y, "etiot", p=p, epsilon=epsilon, standardize=False)
    assert result.converged
    # No plan is better at this w: it is a Gibbs plan with the right marginals.
    f, g = (potential.astype(LONG) for potential in result.potentials)
    C = LONG(result.w) * A + (1 - LONG(result.w)) * B
    gibbs = np.exp((f[:, None] + g - C) / LONG(epsilon)) / 16
    np.testing.assert_allclose(np.asarray(gibbs, dtype=float), result.plan, atol=1e-8)
    np.testing.assert_allclose(result.plan.sum(axis=0), 0.25, atol=1e-9)
    np.testing.assert_allclose(result.plan.sum(axis=1), 0.25, atol=1e-9)
    # And no w is worse for this plan.
    of_values, of_times = (gibbs * A).sum(), (gibbs * B).sum()
    if 0 < result.w < 1:
        assert float(abs(of_values / of_times - 1)) < 1e-6
    else:
        assert (of_values > of_times) == (result.w == 1)
    assert result.value == pytest.approx(root(max(of_values, of_times), p), rel=1e-7)


@pytest.mark.parametrize(("p", "epsilon"), [(200.0, 1e10), (200.0, 1e-10), (700.0, 1.0)])
def test_far_below_the_costs_epsilon_is_nothing(p, epsilon):
    x, y = pair(6, n=3)
    result = stotmetrics.solve(x, y, "etiot", p=p, epsilon=epsilon, standardize=False)
    assert result.converged
    assert result.value == pytest.approx(root(worst(plans(x, y, p)), p), rel=1e-9)


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**-40, 2.0**600])
def test_etiot_does_not_depend_on_the_unit(scale):
    x, y = pair(7, n=6)
    plain = stotmetrics.solve(x, y, "etiot", epsilon=0.3, p=1.0, standardize=False)
    other = stotmetrics.solve(
        in_unit(x, scale), in_unit(y, scale), "etiot", epsilon=0.3 * scale, p=1.0, standardize=False
    )
    assert other.value == pytest.approx(plain.value * scale, rel=1e-6)
    huge = stotmetrics.solve(in_unit(x, 2.0**600), in_unit(y, 2.0**600), "etiot", epsilon=0.3, standardize=False)
    assert huge.value == pytest.approx(2.0**600 * stotmetrics.tiot(x, y, standardize=False), rel=1e-9)
    tiny = stotmetrics.solve(in_unit(x, 2.0**-600), in_unit(y, 2.0**-600), "etiot", epsilon=0.3, standardize=False)
    A, B = (((u[:, None] - v) ** 2).sum(-1).mean() for u, v in
            ((x.values, y.values), (x.times[:, None], y.times[:, None])))  # fmt: skip
    assert tiny.value == pytest.approx(2.0**-600 * np.sqrt(max(A, B)), rel=1e-9)


@pytest.mark.parametrize("omega", [1e-300, 1e-60, 1e60, 1e300])
@pytest.mark.parametrize("scale", [None, "median"])
def test_a_weight_of_the_times_beyond_all_costs_leaves_the_value_right(omega, scale):
    x, y = pair(8, n=4)
    value = stotmetrics.taot(x, y, omega=omega, scale=scale, p=1.0, standardize=False)
    A, B = power_costs(x, y, 1.0)
    exact = min(a + LONG(omega) * b for a, b in plans(x, y, 1.0))
    unit = LONG(1) if scale is None else np.median(A + LONG(omega) * B)
    assert value == pytest.approx(float(exact / unit), rel=1e-9)


@pytest.mark.parametrize("p", [100.0, 1000.0])
def test_an_optimum_that_vanishes_beside_the_largest_cost_is_found(p):
    # Times that meet but for the last two, between which 13 lies from end to end.
    x, y = Series(np.zeros((12, 1))), Series(np.zeros((14, 1)))
    result = stotmetrics.solve(x, y, "tiot", p=p, standardize=False)
    assert 1.9 < result.value <= 2.0 and result.gap <= 1e-9
    assert result.value >= stotmetrics.tiot(x, y, p=p / 2, standardize=False)


def test_what_does_not_count_may_leave_the_range_of_a_double():
    x, y = Series(np.array([[0.0], [1e200]])), Series(np.array([[0.0], [1e200], [0.0]]))
    assert stotmetrics.taot(x, y, w=0.0, standardize=False) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "params"), [("tiot", {}), ("tlp", {"lam": 2.0}), ("etiot", {"epsilon": 0.3, "p": 1.0})]
)
def test_gradients_of_roots_have_no_unit(name, params):
    x, y = pair(9, n=5)
    c = 2.0**600
    scaled = {**params, **({"epsilon": 0.3 * c} if name == "etiot" else {})}
    value, *here = stotmetrics.value_and_grad(x, y, name, standardize=name == "none", **params)
    large, *there = stotmetrics.value_and_grad(in_unit(x, c), in_unit(y, c), name, standardize=False, **scaled)
    assert large == pytest.approx(c * value, rel=1e-9)
    for near, far in zip(here, there, strict=True):
        np.testing.assert_allclose(far, near, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "params"), [("tiot", {}), ("tlp", {}), ("etiot", {"epsilon": 1e30})])
def test_gradients_at_a_large_exponent_are_those_of_differences(name, params):
    x, y = pair(10, n=5)
    metric = stotmetrics.get_metric(name, p=60.0, standardize=False, **params)
    _, grad_x, _ = metric.value_and_grad(x, y)
    along = np.random.default_rng(0).standard_normal(x.values.shape)
    h = 1e-6
    up, down = (metric(Series(x.values + s * h * along, x.times), y) for s in (1, -1))
    assert (up - down) / (2 * h) == pytest.approx(float((grad_x * along).sum()), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("p", [50.0, 55.0, 60.0, 100.0, 300.0])
def test_a_balance_next_to_one_is_told_by_its_distance_from_there(p):
    """Each cost has a plan that costs nothing; the dearer one is least at 1.5, where 1 - w is below 1e-16."""
    x, y = (stotmetrics.as_series(values, times=[0.0, 3.0]) for values in ([0.0, 1.5], [1.5, 0.0]))
    result = stotmetrics.solve(x, y, metric="tiot", p=p, standardize=False)
    assert result.value == pytest.approx(1.5, rel=1e-12)
    assert result.gap < 1e-12


@pytest.mark.parametrize("epsilon", [1e-40, 1e40])
def test_gradients_at_a_limit_of_epsilon_are_those_of_the_limit(epsilon):
    x, y = pair(11, n=5)
    _, grad_x, _ = stotmetrics.value_and_grad(x, y, "taot", epsilon=epsilon, standardize=False)
    if epsilon < 1.0:
        wanted = stotmetrics.value_and_grad(x, y, "taot", standardize=False)[1]
    else:
        wanted = 2.0 * (x.values - y.values.mean(axis=0)) / len(x)
    np.testing.assert_allclose(grad_x, wanted, rtol=1e-9)


def certificate(x, y, p, epsilon, result, mixture=None):
    """The regularised optimum is between these: the dual of the potentials, and the objective of the plan."""
    A, B = power_costs(x, y, p)
    a, b = (LONG(1) * s.weights / s.weights.sum() for s in (x, y))
    plan, epsilon = result.plan.astype(LONG), LONG(epsilon)
    some = plan > 0
    entropy = (plan[some] * np.log(plan[some] / np.outer(a, b)[some])).sum()
    costs = [LONG(np.vdot(cost[some], plan[some])) for cost in (A, B)]
    w = LONG(1) if mixture is None else LONG(mixture)
    C = A + B if mixture is None else w * A + (1 - w) * B
    f, g = (potential.astype(LONG) for potential in result.potentials)
    dual = (
        (a * f).sum() + (b * g).sum() - epsilon * ((np.outer(a, b) * np.exp((f[:, None] + g - C) / epsilon)).sum() - 1)
    )
    return dual, (sum(costs) if mixture is None else max(costs)) + epsilon * entropy


@pytest.mark.parametrize("ratio", [1e-8, 1e-6, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("p", [12.0, 20.0, 50.0, 150.0])
@pytest.mark.parametrize("seed", range(4))
def test_entropic_transport_is_solved_and_certified_at_any_epsilon(seed, p, ratio):
    rng = np.random.default_rng([seed, int(p)])
    x, y = (
        Series(rng.standard_normal((n, 1)), np.cumsum(rng.random(n) + 0.01), rng.random(n) + 1e-3 if seed % 2 else None)
        for n in rng.integers(2, 10, 2)
    )
    optimum = stotmetrics.tiot(x, y, p=p, standardize=False, root=False)
    epsilon = ratio * optimum
    soft = stotmetrics.solve(x, y, "taot", p=p, epsilon=epsilon, standardize=False)
    low, high = certificate(x, y, p, epsilon, soft)
    assert soft.converged and soft.gap <= 1e-8 * soft.value
    assert high - low <= 2 * soft.gap + 1e-13 * optimum and low - soft.gap <= soft.objective <= high + soft.gap
    np.testing.assert_allclose(soft.plan.sum(1), x.weights / x.weights.sum(), atol=1e-12)
    worst_case = stotmetrics.solve(x, y, "etiot", p=p, epsilon=epsilon, standardize=False, root=False)
    assert worst_case.converged and worst_case.gap <= 1e-8 * optimum
    low, high = certificate(x, y, p, epsilon, worst_case, worst_case.w)
    # Next to 0 or 1 the digits of w, and with them those of the dual, are lost behind the decimal point.
    if 1e-6 < worst_case.w < 1 - 1e-6:
        assert high - low <= 2 * worst_case.gap + 1e-10 * optimum
    assert worst_case.objective <= high + worst_case.gap
    assert worst_case.value >= optimum * (1 - 1e-9) - worst_case.gap


@pytest.mark.parametrize("epsilon", [0.0, 1e-2, 1e-30])
@pytest.mark.parametrize(
    ("p", "counted"), [(1.0, (True, True)), (2.0, (True, False)), (3.0, (False, True)), (9.0, (True, True))]
)
def test_many_pairs_are_wide_where_each_of_them_is(p, counted, epsilon):
    scales = [1e-300, 1e-80, 1e-30, 1.0, 1e60, 1e200, 1e307]
    clouds = [prepare_cloud(in_unit(pair(seed)[0], c), False) for seed, c in enumerate(scales)]
    clouds.append(prepare_cloud(Series(np.ones((3, 2)), np.arange(3.0)), False))
    rows, cols = (side.astype(np.intp) for side in np.indices((len(clouds),) * 2).reshape(2, -1))
    with np.errstate(over="ignore"):
        each = [is_wide(clouds[i], clouds[j], p, epsilon, *counted) for i, j in zip(rows, cols, strict=True)]
    np.testing.assert_array_equal(which_are_wide(clouds, clouds, rows, cols, p, epsilon, *counted), each)
    assert p > 8.0 or epsilon == 1e-30 or 0 < sum(each) < len(each)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_small_number_meets_a_power_beyond_the_range(sign):
    """The product of both is a double, though the power alone is not."""
    number, unit, p = 2.0 ** (-sign * 240), 2.0 ** (sign * 720), 1.5
    assert powered(number, unit, p) == 2.0 ** (sign * 840)
    np.testing.assert_array_equal(powered(np.array([0.0, number]), unit, p), [0.0, 2.0 ** (sign * 840)])


def test_costs_of_times_beyond_the_range_leave_a_value_within_it():
    rng = np.random.default_rng(0)
    c, times = 2.0**715, 9e5 + np.cumsum(rng.random(7))
    x, y = rng.normal(size=(2, 7))
    params = {"metric": "taot", "omega": 1.6, "p": 1.5, "standardize": False, "w": 2.0**-206}
    here, there = (
        stotmetrics.distance(*(stotmetrics.as_series(v * k, times=times * k) for v in (x, y)), **params)
        for k in (1.0, c)
    )
    assert there == pytest.approx(here * 2.0**1000 * 2.0**72.5, rel=1e-9)


def test_a_value_far_below_the_costs_is_not_taken_for_the_optimum():
    """In a unit far above the optimum every gap is lost in the rounding of the costs."""
    x = -85.27433805497938 * np.arange(12.0)
    y = 611.4330966818086 * np.array([1.0, 0, 1, 2, -2, 1, 2, -1, -1, -1, -1, 1])
    params = {"metric": "tlp", "p": 1000.0, "lam": 1e-100, "standardize": False}
    # All assignments, by their subsets, in long doubles.
    for pair in ((x, y), (y, x)):
        assert stotmetrics.distance(*pair, **params) == pytest.approx(1304.8939596976134, rel=1e-14)
