"""Gradients of the transport metrics: slopes of their values, closed forms, invariances, ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series, get_metric
from stotmetrics.metrics import etiot
from stotmetrics.transport.point_clouds import zscore_and_deviations

METRICS = [
    ("tiot", {}),
    ("tiot", {"standardize": False}),
    ("tiot", {"root": False, "p": 1.0}),
    ("tiot", {"p": 3.0}),
    ("tiot", {"p": 1.5, "standardize": False, "root": False}),
    ("etiot", {}),
    ("etiot", {"epsilon": 0.1, "standardize": False}),
    ("etiot", {"epsilon": 1.0, "p": 1.0, "root": False}),
    ("etiot", {"epsilon": 0.3, "p": 3.0}),
    ("etiot", {"epsilon": 0.001}),
    ("etiot", {"epsilon": 10.0}),
    ("taot", {}),
    ("taot", {"epsilon": 0.1}),
    ("taot", {"scale": "median"}),
    ("taot", {"scale": "median", "epsilon": 0.2}),
    ("taot", {"w": 0.3, "p": 1.5, "standardize": False}),
    ("tlp", {}),
    ("tlp", {"p": 3.0, "standardize": True}),
    ("tlp", {"p": 1.0}),
]
each_metric = pytest.mark.parametrize(("name", "params"), METRICS, ids=[f"{name} {params}" for name, params in METRICS])


def draw(seed, weights=False, dims=None):
    """Two series in general position: no two plans cost the same."""
    rng = np.random.default_rng(seed)
    n, m, d = *rng.integers(3, 12, 2), dims or rng.integers(1, 4)
    given_weights = [rng.uniform(0.1, 1.0, n), None] if weights else [None, None]
    if weights and rng.random() < 0.5:
        given_weights[0][1] = 0.0
    pair = zip((rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.3), given_weights, strict=True)
    return [as_series(values, weights=own) for values, own in pair], rng


def moved(series, step):
    return as_series(
        series.values + step,
        times=series.times if series.has_times else None,
        weights=series.weights if series.has_weights else None,
    )


@each_metric
@pytest.mark.parametrize("seed", range(4))
def test_gradient_is_the_slope_of_the_value(name, params, seed):
    (x, y), rng = draw(seed, weights=seed % 2 == 1)
    metric = get_metric(name, **params)
    value, grad_x, grad_y = metric.value_and_grad(x, y)
    assert value == pytest.approx(metric(x, y), rel=1e-8)
    for grad, series, at in ((grad_x, x, 0), (grad_y, y, 1)):
        direction = rng.uniform(-1.0, 1.0, grad.shape)
        slopes = []
        for step in (1e-4, 1e-5, 1e-6):
            ends = [
                metric(*((moved(series, s * direction), y) if at == 0 else (x, moved(series, s * direction))))
                for s in (-step, step)
            ]
            slopes.append((ends[1] - ends[0]) / (2 * step))
        along = float((grad * direction).sum())
        assert min(abs(slope - along) for slope in slopes) <= 2e-6 * (1.0 + np.abs(grad).max())


@each_metric
@given(st.integers(0, 2**32 - 1))
def test_gradient_keeps_what_the_value_does_not_change_with(name, params, seed):
    """Z-scores forget offset and scale: the gradient is orthogonal to both. Without them both series move as one."""
    (x, y), _ = draw(seed)
    metric = get_metric(name, **params)
    _, grad_x, grad_y = metric.value_and_grad(x, y)
    scale = 1e-8 * (1.0 + np.abs(grad_x).max() + np.abs(grad_y).max())
    np.testing.assert_allclose(grad_x.sum(axis=0) + grad_y.sum(axis=0), 0.0, atol=scale)
    if metric.params.standardize:
        for grad, series in ((grad_x, x), (grad_y, y)):
            np.testing.assert_allclose(grad.sum(axis=0), 0.0, atol=scale)
            np.testing.assert_allclose((grad * series.values).sum(axis=0), 0.0, atol=scale)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 2.0, 3.5]))
def test_gradient_of_one_atom_each_is_that_of_the_larger_distance(seed, p):
    rng = np.random.default_rng(seed)
    a, b, t, s = rng.uniform(-2.0, 2.0, 4)
    x, y = as_series([a], times=[t]), as_series([b], times=[s])
    value, grad_x, grad_y = stotmetrics.value_and_grad(x, y, metric="tiot", p=p, standardize=False)
    assert value == pytest.approx(max(abs(a - b), abs(t - s)))
    wanted = np.sign(a - b) if abs(a - b) > abs(t - s) else 0.0
    assert grad_x.item() == pytest.approx(wanted)
    assert grad_y.item() == pytest.approx(-wanted)
    _, grad_x, _ = stotmetrics.value_and_grad(x, y, metric="taot", p=p, standardize=False)
    assert grad_x.item() == pytest.approx(p * abs(a - b) ** (p - 1.0) * np.sign(a - b))


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 3))
def test_gradient_of_a_lift_points_along_it(seed, length, dims):
    """Where time is dear nothing moves in time: the distance of x and x + c is |c|."""
    rng = np.random.default_rng(seed)
    x, c = rng.normal(size=(length, dims)), rng.uniform(0.1, 0.3, dims)
    value, grad_x, grad_y = stotmetrics.value_and_grad(x, x + c, metric="tlp", lam=1e-3)
    size = np.linalg.norm(c)
    assert value == pytest.approx(size)
    np.testing.assert_allclose(grad_y, np.broadcast_to(c / size / length, x.shape), atol=1e-12)
    np.testing.assert_allclose(grad_x, -grad_y, atol=1e-12)


@each_metric
def test_equal_series_have_a_finite_gradient_and_zero_where_the_value_is(name, params):
    for x in ([0.0, 1.0, 1.0, 3.0, 0.0], [2.0, 2.0, 2.0], [[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]]):
        value, grad_x, grad_y = stotmetrics.value_and_grad(x, x, metric=name, **params)
        assert np.isfinite(grad_x).all() and np.isfinite(grad_y).all()
        if value == 0.0:
            assert not grad_x.any() and not grad_y.any()
        else:
            np.testing.assert_allclose(grad_x, grad_y, atol=1e-7)


@given(st.integers(0, 2**32 - 1))
def test_entropic_gradients_tend_to_the_exact_one(seed):
    (x, y), _ = draw(seed)
    _, exact, _ = stotmetrics.value_and_grad(x, y, metric="tiot", standardize=False, root=False)
    scale = 1.0 + np.abs(exact).max()
    errors = []
    for epsilon in (1e-2, 1e-4):
        _, gradient, _ = stotmetrics.value_and_grad(
            x, y, metric="etiot", epsilon=epsilon, standardize=False, root=False
        )
        errors.append(np.abs(gradient - exact).max() / scale)
    # Two plans may be nearly as good as each other, and then a smaller epsilon is needed.
    assert errors[1] <= max(errors[0], 1e-6) + 1e-6 or stotmetrics.solve(
        x, y, metric="tiot", standardize=False, root=False
    ).w in (0.0, 1.0)


def test_an_atom_without_mass_and_a_constant_feature_have_no_gradient():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=6), np.full(6, 2.0)])
    y = rng.normal(size=(7, 2))
    weighted = as_series(x, weights=[1.0, 0.0, 2.0, 1.0, 0.5, 1.0])
    for name, params in METRICS:
        _, grad_x, _ = stotmetrics.value_and_grad(weighted, y, metric=name, **params)
        if get_metric(name, **params).params.standardize:
            assert not grad_x[:, 1].any() and grad_x[:, 0].any()
        else:
            assert not grad_x[1].any() and grad_x.any()


@pytest.mark.parametrize("name", ["tiot", "etiot", "tlp"])
def test_a_large_exponent_stays_in_range(name):
    (x, y), rng = draw(3, dims=1)
    params = {"epsilon": 5.0, "p": 8.0} if name == "etiot" else {"p": 60.0}
    metric = get_metric(name, standardize=False, **params)
    value, grad_x, _ = metric.value_and_grad(x, y)
    direction = rng.uniform(-1.0, 1.0, grad_x.shape)
    slopes = [
        (metric(moved(x, s * direction), y) - metric(moved(x, -s * direction), y)) / (2 * s) for s in (1e-5, 1e-6, 1e-7)
    ]
    assert min(abs(slope - (grad_x * direction).sum()) for slope in slopes) < 1e-5 * (1 + np.abs(grad_x).max())
    assert np.isfinite(value)


def test_long_series_have_the_gradient_of_short_ones(monkeypatch):
    (x, y), _ = draw(5)
    for root in (True, False):
        metric = get_metric("etiot", epsilon=0.05, root=root)
        short = metric.value_and_grad(x, y)
        with monkeypatch.context() as patch:
            patch.setattr(etiot, "LONG", 0)
            long = metric.value_and_grad(x, y)
        assert long[0] == pytest.approx(short[0], rel=1e-7)
        for of_long, of_short in zip(long[1:], short[1:], strict=True):
            np.testing.assert_allclose(of_long, of_short, atol=1e-6)


def test_a_median_of_zero_divides_nothing_and_moves_nothing():
    x, y = [[1.0, 1.0, 1.0, 1.0, 5.0], [1.0, 1.0, 1.0, 1.0, 2.0]]
    x, y = (as_series(values, times=np.arange(5)) for values in (x, y))
    params = {"w": 1.0, "standardize": False}
    for epsilon in (0.0, 0.1):
        plain = stotmetrics.value_and_grad(x, y, metric="taot", epsilon=epsilon, **params)
        scaled = stotmetrics.value_and_grad(x, y, metric="taot", scale="median", epsilon=epsilon, **params)
        for unscaled, divided in zip(plain, scaled, strict=True):
            np.testing.assert_array_equal(unscaled, divided)


def test_offsets_cost_the_gradient_no_digits():
    (x, y), _ = draw(6)
    for name, params in METRICS:
        metric = get_metric(name, **params)
        _, near, _ = metric.value_and_grad(x, y)
        _, far, _ = metric.value_and_grad(moved(x, 2.0**20), moved(y, 2.0**20))
        np.testing.assert_allclose(far, near, atol=1e-6 * (1.0 + np.abs(near).max()))


def test_a_gradient_that_is_not_solved_says_so():
    (x, y), _ = draw(0)
    metric = get_metric("etiot", epsilon=1e-3, max_iter=1)
    with pytest.warns(stotmetrics.ConvergenceWarning, match="etiot did not converge to a gradient, error at most"):
        metric.value_and_grad(x, y)
    first = np.zeros(1, dtype=np.intp)
    batch = metric.gradients([metric.prepare(x)], [metric.prepare(y)], first, first)
    assert not batch.converged[0]
    assert batch.gap[0] > 1e-9
    solved = get_metric("etiot", epsilon=1e-3)
    batch = solved.gradients([solved.prepare(x)], [solved.prepare(y)], first, first)
    assert batch.converged[0]
    assert abs(batch.values[0] - solved(x, y)) <= batch.gap[0] + solved.solve(x, y).gap + 1e-12


def test_gradients_of_one_side_are_those_of_both():
    (x, y), _ = draw(1)
    first = np.zeros(1, dtype=np.intp)
    for name, params in METRICS:
        metric = get_metric(name, **params)
        prepared = [metric.prepare(x)], [metric.prepare(y)]
        both = metric.gradients(*prepared, first, first, "both")
        left, right = (metric.gradients(*prepared, first, first, side) for side in ("left", "right"))
        assert left.right is None and right.left is None
        np.testing.assert_array_equal(left.left[0], both.left[0])
        np.testing.assert_array_equal(right.right[0], both.right[0])


def test_deviations_are_those_of_the_columns():
    values = np.random.default_rng(0).normal(size=(9, 3)) * [1.0, 1e-200, 1e200]
    values[:, 1] = 3.0
    z, deviations = zscore_and_deviations(values)
    assert np.isinf(deviations[1])
    np.testing.assert_allclose(deviations[[0, 2]], (values[:, [0, 2]] / [1.0, 1e200]).std(axis=0) * [1.0, 1e200])
    np.testing.assert_allclose(z[:, 0] * deviations[0] + values[:, 0].mean(), values[:, 0])


WIDE = [
    ("tiot", {"p": 60.0}),
    ("tiot", {"p": 20.0, "root": False}),
    ("etiot", {"p": 20.0, "epsilon": 1e8}),
    ("etiot", {"p": 20.0, "epsilon": 1e-30}),
    ("etiot", {"p": 20.0, "epsilon": 1e40}),
    ("taot", {"p": 12.0}),
    ("taot", {"p": 12.0, "epsilon": 1e4}),
    ("taot", {"omega": 1e-60}),
    ("tlp", {"p": 60.0}),
]


@pytest.mark.parametrize(("name", "params"), WIDE, ids=[f"{name} {params}" for name, params in WIDE])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_the_slope_where_powers_leave_the_range_of_a_double(name, params, seed):
    (x, y), rng = draw(seed + 10, dims=1)
    metric = get_metric(name, standardize=False, **params)
    value, grad_x, _ = metric.value_and_grad(x, y)
    assert value == pytest.approx(metric(x, y), rel=1e-7)
    direction = rng.uniform(-1.0, 1.0, grad_x.shape)
    along = float((grad_x * direction).sum())
    slopes = [
        (metric(moved(x, s * direction), y) - metric(moved(x, -s * direction), y)) / (2 * s) for s in (1e-4, 1e-5, 1e-6)
    ]
    assert min(abs(slope - along) for slope in slopes) <= 1e-4 * np.abs(grad_x).max() + 1e-7 * value
