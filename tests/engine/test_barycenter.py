"""The barycenter under a differentiable metric."""

import numpy as np
import pytest

import stotmetrics


def bumps(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [np.exp(-(((np.arange(n) - n / 2 - rng.normal()) / 2) ** 2))[:, None] for n in lengths]


@pytest.mark.parametrize("metric", ["softdtw", "softdtw_divergence", "softdtw_sharp"])
def test_objective_has_no_slope_at_the_barycenter_and_is_below_its_start(metric):
    X, weights = bumps([9, 12, 11]), np.array([1.0, 2.0, 3.0])
    bound = stotmetrics.get_metric(metric, gamma=0.5)
    center = stotmetrics.barycenter(X, metric=bound, weights=weights, init=10)
    assert center.converged
    assert center.values.shape == (10, 1)
    parts = [bound.value_and_grad(center.values, x) for x in X]
    shares = weights / weights.sum()
    np.testing.assert_allclose(center.objective, sum(s * p[0] for s, p in zip(shares, parts, strict=True)), rtol=1e-12)
    slope = sum(s * p[1] for s, p in zip(shares, parts, strict=True))
    np.testing.assert_allclose(slope, 0, atol=1e-5)
    start = np.zeros((10, 1))
    assert center.objective < sum(s * bound(start, x) for s, x in zip(shares, X, strict=True))


def test_barycenter_of_one_series_under_hard_enough_softdtw_is_that_series():
    (x,) = bumps([12])
    center = stotmetrics.barycenter([x], metric="softdtw", gamma=1e-7, init=x + 0.01, tol=1e-9)
    np.testing.assert_allclose(stotmetrics.dtw(center.values, x), 0, atol=1e-6)


def test_barycenter_is_equivariant_under_translation_and_blind_to_the_scale_of_the_weights():
    X = bumps([8, 9, 10])
    first = stotmetrics.barycenter(X, gamma=1.0, weights=[1, 1, 2], tol=1e-9)
    moved = stotmetrics.barycenter([x + 5.0 for x in X], gamma=1.0, weights=[10, 10, 20], tol=1e-9)
    np.testing.assert_allclose(moved.values, first.values + 5.0, atol=1e-6)
    np.testing.assert_allclose(moved.objective, first.objective, rtol=1e-9)


def test_too_few_steps_are_reported_as_not_converged():
    center = stotmetrics.barycenter(bumps([20, 22, 24]), gamma=0.01, max_iter=1, init=np.full(20, 3.0))
    assert not center.converged
    assert center.n_iter == 1


def test_batched_gradients_equal_single_ones():
    X = [stotmetrics.as_series(x) for x in bumps([5, 9, 7])]
    rows, cols = np.array([0, 2, 1, 0], dtype=np.intp), np.array([1, 1, 2, 0], dtype=np.intp)
    for metric in ("softdtw", "softdtw_divergence", "softdtw_sharp"):
        bound = stotmetrics.get_metric(metric, gamma=0.3)
        prepared = [bound.prepare(x) for x in X]
        batch = bound.gradients(prepared, prepared, rows, cols)
        values, grads_x, grads_y = batch.values, batch.left, batch.right
        for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
            value, grad_x, grad_y = bound.value_and_grad(X[i], X[j])
            assert values[k] == value
            np.testing.assert_array_equal(grads_x[k], grad_x)
            np.testing.assert_array_equal(grads_y[k], grad_y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": [1.0]}, "weights must be 2 non-negative numbers"),
        ({"weights": [0.0, 0.0]}, "weights must be 2 non-negative numbers"),
        ({"init": 0}, "init must be a series or its length >= 1"),
        ({"init": np.zeros((4, 2))}, "init must have as many dimensions"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(stotmetrics.InvalidParameterError, match=message):
        stotmetrics.barycenter(bumps([6, 7]), **arguments)


def test_a_metric_without_gradient_is_refused():
    with pytest.raises(NotImplementedError, match="dtw has no gradient"):
        stotmetrics.barycenter(bumps([6, 7]), metric="dtw")


TRANSPORT = [
    ("tiot", {}),
    ("etiot", {"epsilon": 0.05}),
    ("etiot", {"epsilon": 0.1, "root": False, "standardize": False}),
    ("taot", {"epsilon": 0.1}),
    ("tlp", {}),
]


@pytest.mark.parametrize(("metric", "params"), TRANSPORT)
def test_barycenter_under_transport_is_below_its_start_and_flat_where_it_says_so(metric, params):
    X = [10.0 * x for x in bumps([9, 12, 11])]
    bound = stotmetrics.get_metric(metric, **params)
    start = np.zeros(10) + np.arange(10) % 3
    center = stotmetrics.barycenter(X, metric=bound, init=start, tol=1e-5)
    parts = [bound.value_and_grad(center.values, x) for x in X]
    assert center.objective == pytest.approx(np.mean([value for value, *_ in parts]))
    assert center.objective < 0.9 * np.mean([bound(start, x) for x in X])
    if center.converged:
        before = np.mean([bound.value_and_grad(start, x)[1] for x in X], axis=0)
        slope = np.mean([grad for _, grad, _ in parts], axis=0)
        assert np.abs(slope).max() <= 1.01e-5 * np.abs(before).max()
    if "epsilon" in params:
        assert center.converged


def test_barycenter_of_one_series_under_etiot_is_near_it():
    (x,) = bumps([12])
    center = stotmetrics.barycenter([10.0 * x], metric="etiot", epsilon=0.01, standardize=False, init=10.0 * x + 0.5)
    np.testing.assert_allclose(center.values, 10.0 * x, atol=0.2)


def test_barycenter_keeps_the_times_of_its_series():
    rng = np.random.default_rng(0)
    first, second = (1e9 + np.sort(rng.uniform(0.0, 10.0, 8)) for _ in range(2))
    values = rng.normal(size=(3, 8))
    metric = stotmetrics.get_metric("etiot", epsilon=0.5, standardize=False)
    X = [stotmetrics.as_series(v, times=first) for v in values]
    average = stotmetrics.barycenter(X, metric=metric)
    np.testing.assert_array_equal(average.times, first)
    # The objective is what anybody finds of the barycenter with its times.
    center = stotmetrics.as_series(average.values, times=average.times)
    assert average.objective == pytest.approx(np.mean([metric(center, x) for x in X]))
    mixed = [X[0], stotmetrics.as_series(values[1], times=second)]
    np.testing.assert_allclose(stotmetrics.barycenter(mixed, metric=metric).times, (first + second) / 2)
    given = stotmetrics.as_series(values[0, :4], times=second[:4], weights=[1.0, 2.0, 3.0, 4.0])
    average = stotmetrics.barycenter(X, metric=metric, init=given)
    np.testing.assert_array_equal(average.times, second[:4])
    center = stotmetrics.as_series(average.values, times=average.times, weights=given.weights)
    assert average.objective == pytest.approx(np.mean([metric(center, x) for x in X]))
    assert stotmetrics.barycenter(values, metric=metric).times is None
    with pytest.raises(stotmetrics.InvalidSeriesError, match="softdtw does not use times, but init has them"):
        stotmetrics.barycenter(values, metric="softdtw", init=given)


def films(shifts, times=4, points=8):
    sequences = np.full((len(shifts), times, points), 0.02)
    for film, shift in zip(sequences, shifts, strict=True):
        film[np.arange(times), (shift + np.arange(times)) % points] = 1.0
    return sequences


def test_barycenter_of_histograms_is_positive_and_has_no_slope_in_their_logarithms():
    X = films([1, 2, 3])
    bound = stotmetrics.get_metric("sta", gamma=0.1, tol=1e-8)
    center = stotmetrics.barycenter(X, metric=bound, tol=1e-4)
    assert center.converged
    assert (center.values > 0).all()
    parts = [bound.value_and_grad(center.values, x) for x in X]
    np.testing.assert_allclose(center.objective, np.mean([p[0] for p in parts]), rtol=1e-6)
    slope = center.values * np.mean([p[1] for p in parts], axis=0)
    start = X.mean(axis=0)
    before = [bound.value_and_grad(start, x) for x in X]
    assert np.abs(slope).max() < 1e-3 * np.abs(start * np.mean([p[1] for p in before], axis=0)).max()
    assert center.objective < np.mean([p[0] for p in before])


def test_a_gradient_that_is_not_finite_is_an_error_not_a_result():
    spec = stotmetrics.MetricSpec(
        name="cliff",
        pair=lambda x, y, params: 0.0,
        gradients=lambda left, right, rows, cols, params, side: stotmetrics.GradBatch(
            np.zeros(len(rows)), [np.full(left[i].values.shape, np.nan) for i in rows]
        ),
        traits=stotmetrics.Traits(differentiable=True),
    )
    with pytest.raises(FloatingPointError, match="gave a gradient with nan"):
        stotmetrics.barycenter([[1.0, 2.0]], metric=spec)


@pytest.mark.parametrize("metric", ["softdtw", "softdtw_sharp", "softdtw_divergence", "sta"])
def test_without_a_step_the_barycenter_is_where_it_starts(metric):
    X, init = np.random.default_rng(0).random((3, 6, 4)) + 0.1, np.random.default_rng(1).random((5, 4)) + 0.1
    bound = stotmetrics.get_metric(metric)
    center = stotmetrics.barycenter(X, bound, init=init, max_iter=0)
    np.testing.assert_array_equal(center.values, init)
    assert center.n_iter == 0 and not center.converged
    assert center.objective == pytest.approx(np.mean([bound(init, x) for x in X]), rel=1e-5)


# Values of one physical series in several units; gamma has the unit of the squared values.
@pytest.mark.parametrize("unit", [1e-13, 1e-3, 2.0**20, 1e6, 1e100])
@pytest.mark.parametrize("metric", ["softdtw", "softdtw_sharp", "softdtw_divergence", "euclidean"])
def test_the_unit_of_the_data_does_not_matter(metric, unit):
    X = bumps([12, 12, 12])
    smooth = metric != "euclidean"
    plain, scaled = (
        stotmetrics.barycenter([c * x for x in X], metric, init=c * X[0][:12] + c, tol=1e-7,
                               **({"gamma": 0.5 * c**2} if smooth else {}))
        for c in (1.0, unit)
    )  # fmt: skip
    # A sum of distances has kinks, next to which the last digit ends the search.
    assert plain.converged == scaled.converged and (plain.converged or not smooth)
    np.testing.assert_allclose(scaled.values / unit, plain.values, atol=1e-6)
    np.testing.assert_allclose(scaled.objective, plain.objective * (unit**2 if smooth else unit), rtol=1e-9)
    if np.log2(unit).is_integer():
        assert scaled.n_iter == plain.n_iter
        np.testing.assert_array_equal(scaled.values / unit, plain.values)


@pytest.mark.parametrize("unit", [1e-13, 1e6])
def test_the_unit_of_histograms_does_not_matter_where_mass_is_kept(unit):
    X = films([1, 2, 3])
    X /= X.sum(axis=2, keepdims=True)
    plain, scaled = (
        stotmetrics.barycenter(X * c, "sta", gamma=0.1 * c, metric_params={"tol": 1e-8}, tol=1e-4, max_iter=1000)
        for c in (1.0, unit)
    )
    # The reference of the plan has a mass of its own, so that other masses are another problem: it is solved as well.
    assert plain.converged and scaled.converged
    assert scaled.values.shape == plain.values.shape and (scaled.values > 0).all()


@pytest.mark.parametrize("arguments", [{"max_iter": -1}, {"max_iter": 1.5}, {"tol": -1.0}, {"tol": np.inf}])
def test_limits_are_refused_by_name(arguments):
    with pytest.raises(stotmetrics.InvalidParameterError, match=f"{next(iter(arguments))} must be"):
        stotmetrics.barycenter(bumps([6, 7]), **arguments)


def test_equal_series_have_themselves_as_the_barycenter():
    x = bumps([7])[0]
    center = stotmetrics.barycenter([x, x], "euclidean")
    np.testing.assert_array_equal(center.values, x)
    assert center.converged and center.objective == 0.0


def test_a_search_that_gives_up_at_a_kink_is_never_above_its_start():
    x = stotmetrics.as_series(1.9e11 + 0.53 * np.arange(5), times=[14.8, 85.5, 137.9, 156.2, 182.6])
    y = stotmetrics.as_series([0.31, -0.27, 0.49], times=[31447.277, 31447.280, 31447.283])
    bound = stotmetrics.get_metric("tiot", root=False)
    start, end = (stotmetrics.barycenter([x, y], bound, max_iter=k) for k in (0, 10))
    assert end.objective <= start.objective


def test_a_host_that_raises_at_underflow_raises_nothing_here():
    X = [1e-200 * x for x in bumps([6, 7])]
    with np.errstate(all="raise"):
        center = stotmetrics.barycenter(X, "softdtw_divergence", gamma=1e-300, max_iter=3)
    assert np.isfinite(center.values).all()


@pytest.mark.parametrize(("scale", "gamma"), [(1e-91, 1e300), (1e-160, 1.0), (1e-20, 1e3)])
def test_a_slope_below_the_rounding_of_the_objective_is_not_followed(scale, gamma):
    X = [scale * x for x in bumps([5, 9])]
    center = stotmetrics.barycenter(X, metric="softdtw", gamma=gamma, max_iter=8)
    start = stotmetrics.barycenter(X, metric="softdtw", gamma=gamma, max_iter=0)
    assert np.isfinite(center.objective) and center.objective == start.objective
    np.testing.assert_array_equal(center.values, start.values)
    assert not center.converged and "rounding" in center.message
