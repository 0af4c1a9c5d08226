"""Public lower bounds and envelopes: never above the distance, the same for pairs and sets, as named in the field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.testing.strategies import series, series_pair

BOUNDED = [
    ("dtw", {}),
    ("dtw", {"squared": False, "band": 1}),
    ("softdtw", {"gamma": 0.5}),
    ("softdtw", {"gamma": 0.5, "band": 2}),
    ("softdtw_divergence", {"gamma": 0.5}),
    ("softdtw_sharp", {}),
    ("tiot", {}),
    ("tiot", {"standardize": False}),
    ("tiot", {"standardize": False, "root": False, "p": 1.0}),
    ("etiot", {"epsilon": 0.1}),
    ("taot", {}),
    ("tlp", {}),
    ("tlp", {"p": 3.0}),
]
each_metric = pytest.mark.parametrize(("name", "params"), BOUNDED, ids=[f"{n} {p}" for n, p in BOUNDED])


@each_metric
@given(series_pair(max_length=6))
def test_a_lower_bound_is_below_the_distance(name, params, pair):
    bound = stotmetrics.lower_bound(*pair, metric=name, **params)
    value = stotmetrics.distance(*pair, metric=name, **params)
    assert bound <= value + 1e-9 * (1.0 + abs(value))
    if stotmetrics.get_metric(name, **params).traits.nonnegative:
        assert bound >= 0.0


@each_metric
@pytest.mark.parametrize("scale", [1e-162, 1e-161, 1e-150, 1e-108, 1e-107, 1e100])
def test_a_lower_bound_is_below_the_distance_of_tiny_and_huge_values(name, params, scale):
    """Squares of tiny values are multiples of the least number, and a sum of them may lie above what they stand for."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        x, y = (scale * rng.uniform(0.5, 4.0, int(n)) for n in rng.integers(2, 10, 2))
        try:
            value = stotmetrics.distance(x, y, metric=name, **params)
        except FloatingPointError:
            continue  # out of the range of a double, and said so
        assert stotmetrics.lower_bound(x, y, metric=name, **params) <= value + 1e-9 * abs(value)


@each_metric
def test_bounds_of_sets_are_those_of_their_pairs(name, params):
    rng = np.random.default_rng(0)
    X, Y = ([rng.normal(size=(n, 2)) for n in lengths] for lengths in ((5, 3, 7), (4, 6)))
    bounds = stotmetrics.lower_bounds(X, Y, metric=name, **params)
    wanted = [[stotmetrics.lower_bound(x, y, metric=name, **params) for y in Y] for x in X]
    np.testing.assert_allclose(bounds, wanted, rtol=1e-12)
    assert (bounds <= stotmetrics.pairwise(X, Y, metric=name, **params) + 1e-9).all()
    within = stotmetrics.lower_bounds(X, metric=name, **params)
    np.testing.assert_allclose(within, stotmetrics.lower_bounds(X, X, metric=name, **params))


def test_a_bound_tells_something():
    x, y = np.zeros(20), np.full(20, 3.0)
    for name, params in BOUNDED:
        if params.get("standardize", name in ("dtw", "softdtw", "softdtw_divergence", "softdtw_sharp", "tlp")):
            assert stotmetrics.lower_bound(x, y, metric=name, **params) > 0.5 * stotmetrics.distance(
                x, y, metric=name, **params
            )


@pytest.mark.parametrize("name", ["euclidean", "otw", "etiot_hbcd", "sta"])
def test_a_metric_without_bounds_says_so(name):
    with pytest.raises(NotImplementedError, match=f"{name} has no lower bounds"):
        stotmetrics.lower_bound([1.0, 2.0], [1.0, 3.0], metric=name)
    with pytest.raises(NotImplementedError, match=f"{name} has no lower bounds"):
        stotmetrics.lower_bounds([[1.0, 2.0], [1.0, 3.0]], metric=name)


def test_what_nothing_is_known_of_is_minus_infinity_or_zero():
    x, y = [0.0, 1.0, 2.0], [0.0, 2.0]
    assert stotmetrics.lower_bound(x, y, metric="softdtw", gamma="median") == -np.inf
    assert stotmetrics.lower_bound([1e200], [-1e200, 3.0], metric="dtw") == 0.0


@given(series(dims=st.integers(1, 2)), st.sampled_from([None, 0, 1, 2, 50]))
def test_envelope_is_the_range_around_each_time(x, band):
    lower, upper = stotmetrics.envelope(x, band)
    reach = len(x) if band is None else band
    for t in range(len(x)):
        window = x[max(0, t - reach) : t + reach + 1]
        np.testing.assert_array_equal(lower[t], window.min(axis=0))
        np.testing.assert_array_equal(upper[t], window.max(axis=0))


@given(series_pair(unequal_length=False, min_length=2), st.sampled_from([0, 1, 3]))
def test_the_bound_of_dtw_is_at_least_lb_keogh_and_lb_kim(pair, band):
    x, y = pair
    lower, upper = stotmetrics.envelope(y, band)
    keogh = float((np.maximum(np.maximum(x - upper, lower - x), 0.0) ** 2).sum())
    kim = float((x[0] - y[0]).item() ** 2 + (x[-1] - y[-1]).item() ** 2)
    bound = stotmetrics.lower_bound(x, y, metric="dtw", band=band)
    assert bound >= (1.0 - 1e-9) * max(keogh, kim)


def test_envelope_is_that_of_tslearn():
    metrics = pytest.importorskip("tslearn.metrics")
    x, y = np.random.default_rng(0).normal(size=(2, 30, 1))
    for band in (0, 2, 40):
        low, high = metrics.lb_envelope(y, radius=band)
        lower, upper = stotmetrics.envelope(y, band)
        np.testing.assert_array_equal(lower, low)
        np.testing.assert_array_equal(upper, high)
        assert stotmetrics.lower_bound(x, y, metric="dtw", band=band, squared=False) >= metrics.lb_keogh(
            x, y, radius=band
        ) * (1 - 1e-12)


@pytest.mark.parametrize("band", [-1, 1.5, True, "2"])
def test_a_band_that_is_none_is_refused(band):
    with pytest.raises(stotmetrics.InvalidParameterError, match="band must be an integer >= 0"):
        stotmetrics.envelope([1.0, 2.0], band)
