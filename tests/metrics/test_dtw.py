"""dtw by name: hard DTW, its band and its unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.kernels import _softdtw as kernel
from stotmetrics.metrics.dtw import dtw
from stotmetrics.reference import softdtw as reference
from stotmetrics.testing import strategies as our

# A series of one time with several channels is meant so here.
pytestmark = pytest.mark.filterwarnings("ignore::stotmetrics.errors.AxisWarning")


@st.composite
def pairs(draw):
    dims = draw(st.integers(1, 3))
    return tuple(draw(our.series(min_length=1, max_length=15, dims=dims)) for _ in range(2))


@given(pairs(), st.sampled_from([None, 0, 2]))
def test_value_is_the_least_cost_over_all_alignments_in_the_band(pair, band):
    x, y = pair
    cost = reference.banded(reference.squared_euclidean(x, y), band)
    np.testing.assert_allclose(dtw(x, y, band=band), reference.value(cost, 0.0), rtol=1e-13)
    np.testing.assert_allclose(dtw(x, y, squared=False, band=band) ** 2, dtw(x, y, band=band), rtol=1e-13)


@given(pairs())
def test_zero_on_itself_symmetric_and_never_negative(pair):
    x, y = pair
    assert dtw(x, x) == 0
    assert dtw(x, y) == dtw(y, x) >= 0


@given(pairs())
def test_equals_softdtw_at_gamma_zero_and_bounds_it_from_above(pair):
    x, y = pair
    assert dtw(x, y) == stotmetrics.softdtw(x, y, gamma=0.0)
    scale = reference.squared_euclidean(x, y).max()
    assert stotmetrics.softdtw(x, y, gamma=0.3) <= dtw(x, y) + 1e-13 * (1 + scale)


def test_alignment_is_one_on_the_unique_best_path():
    result = stotmetrics.solve([0.0, 1.0, 5.0], [0.0, 2.0, 2.5, 5.0], metric="dtw")
    np.testing.assert_array_equal(result.alignment, [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    assert (result.alignment * result.cost).sum() == result.value


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 6))
def test_band_is_feasible_symmetric_and_grows_with_its_radius(n, m, radius):
    first, last = kernel.band(n, m, radius)
    inside = np.zeros((n, m), dtype=bool)
    for i in range(n):
        inside[i, first[i] : last[i] + 1] = True
    np.testing.assert_array_equal(inside, np.isfinite(reference.banded(np.zeros((n, m)), radius)))
    assert np.isfinite(reference.value(np.where(inside, 0.0, np.inf), 0.0))
    first_t, last_t = kernel.band(m, n, radius)
    np.testing.assert_array_equal(
        inside.T, [(first_t[j] <= np.arange(n)) & (np.arange(n) <= last_t[j]) for j in range(m)]
    )
    wider_first, wider_last = kernel.band(n, m, radius + 1)
    assert (wider_first <= first).all()
    assert (wider_last >= last).all()


@pytest.mark.parametrize("radius", [0, 1, 4, 30])
def test_band_is_the_distance_to_the_diagonal_for_equal_lengths_as_in_tslearn(radius):
    x, y = np.random.default_rng(radius).normal(size=(2, 25, 1))
    i, j = np.indices((25, 25))
    cost = np.where(abs(i - j) <= radius, reference.squared_euclidean(x, y), np.inf)
    np.testing.assert_allclose(dtw(x, y, band=radius), reference.value(cost, 0.0), rtol=1e-12)


def test_band_costs_in_proportion_to_its_width():
    first, last = kernel.band(1000, 1000, 5)
    assert (last - first + 1).sum() < 11 * 1000 + 1


@given(st.data())
def test_matrix_equals_pairs_whatever_the_lengths(data):
    X = [data.draw(our.series(min_length=1, max_length=20, dims=2)) for _ in range(5)]
    band = data.draw(st.sampled_from([None, 1]))
    D = stotmetrics.pairwise(X, metric="dtw", squared=False, band=band)
    for i, x in enumerate(X):
        for j, y in enumerate(X):
            assert D[i, j] == dtw(x, y, squared=False, band=band)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("band", [None, 0, 2])
def test_lower_bounds_are_those_of_the_band(band, squared):
    metric = stotmetrics.get_metric("dtw", band=band, squared=squared)
    sets = [metric.prepare(stotmetrics.as_series(x)) for x in np.random.default_rng(3).normal(size=(3, 9))]
    only = np.arange(2, dtype=np.intp)
    bounds = metric.spec.lower_bounds(sets, sets, only, only + 1, metric.params)
    wanted = [reference.hard_bound(sets[k].values, sets[k + 1].values, band) for k in only]
    np.testing.assert_allclose(bounds, wanted if squared else np.sqrt(wanted), rtol=1e-12)


@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-600, 2.0**600, 2.0**1000])
def test_the_root_has_the_unit_of_the_values_however_large_or_small(unit):
    x, y = np.random.default_rng(0).standard_normal((2, 7, 2))
    here = stotmetrics.dtw(x, y, squared=False)
    there = stotmetrics.dtw(unit * x, unit * y, squared=False)
    np.testing.assert_allclose(there / unit, here, rtol=1e-14)
    matrix = stotmetrics.pairwise([unit * x, unit * y], metric="dtw", squared=False)
    assert matrix[0, 1] == there and matrix[0, 0] == 0.0


@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-560, 2.0**850, 2.0**1020])
@pytest.mark.parametrize(
    ("name", "params"), [("dtw", {"squared": False}), ("softdtw", {"gamma": 0.0}), ("softdtw_sharp", {"gamma": 0.0})]
)
def test_the_path_has_no_unit(name, params, unit):
    rng = np.random.default_rng(3)
    x, y = (rng.standard_normal((n, 2)) for n in (7, 9))
    metric = stotmetrics.get_metric(name, **params)
    if name != "dtw" and unit > 1.0:
        with pytest.raises(FloatingPointError, match="rescale"):  # the square is the value
            metric.solve(unit * x, unit * y)
        return
    here, there = (metric.solve(c * x, c * y) for c in (1.0, unit))
    np.testing.assert_array_equal(there.path, here.path)
    if name == "dtw":
        np.testing.assert_array_equal(there.alignment, here.alignment)
        assert there.value == pytest.approx(unit * here.value, rel=1e-12)
