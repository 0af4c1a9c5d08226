"""tiot against its linear program, its theorems and the published figures."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_series
from stotmetrics.metrics.tiot import SPEC
from stotmetrics.series import Series
from stotmetrics.spec.bound import bind
from stotmetrics.testing.strategies import clouds, series

DATA = Path(__file__).resolve().parents[1] / "data"
YEAR = 365

# TiOT and W2 at w = 0.2, 0.5, 0.8 between a year of daily temperatures in Delhi and the year `lag` days later:
# the figures published by the authors of TiOT.
DELHI = [
    (1, 0.031840751972988954, 0.02628376780941804, 0.030898033170418792, 0.03166680835944159),
    (7, 0.14092417680381744, 0.08658085625389772, 0.12046384162271141, 0.14027948180229566),
    (30, 0.39871220436640487, 0.2580728947771042, 0.38316843885199936, 0.3498143861260822),
    (60, 0.6239086617464372, 0.4506300682641762, 0.6238377941660387, 0.4766238108883317),
    (91, 0.7279605651329125, 0.5922097323340865, 0.7159197524037941, 0.5078366732864463),
    (122, 0.7482794018830563, 0.6752833758102651, 0.7070270562793454, 0.48175591993046274),
    (182, 0.7552427524167487, 0.7311471706273346, 0.6765688322064222, 0.4636496048481326),
    (244, 0.7177316862185221, 0.6701088489826498, 0.6673659448636632, 0.45220535380948884),
    (305, 0.6088893708894393, 0.4663312813353106, 0.607244469492855, 0.45720375697197446),
    (365, 0.16379366756406702, 0.10362563656426531, 0.1407414288475643, 0.16137068774153315),
]


def cloud(drawn) -> Series:
    return as_series(drawn.values, times=drawn.times, weights=drawn.weights)


@st.composite
def cloud_pairs(draw, most=3):
    d = draw(st.integers(1, most))
    return cloud(draw(clouds(dims=d))), cloud(draw(clouds(dims=d)))


@st.composite
def cloud_triples(draw):
    d = draw(st.integers(1, 2))
    return tuple(cloud(draw(clouds(dims=d, max_length=6))) for _ in range(3))


@given(cloud_pairs(), st.sampled_from([1.0, 2.0, 3.5]), st.booleans(), st.booleans())
def test_value_equals_the_linear_program(pair, p, standardize, root):
    x, y = pair
    result = stotmetrics.solve(x, y, metric="tiot", p=p, standardize=standardize, root=root)
    truth = stotmetrics.get_metric("tiot", p=p, standardize=standardize, root=False).reference(x, y).value
    scale = max(1.0, truth)
    objective = result.value**p if root else result.value
    assert objective == pytest.approx(truth, abs=1e-9 * scale)


@given(cloud_pairs())
def test_result_certifies_itself(pair):
    x, y = pair
    result = stotmetrics.solve(x, y, metric="tiot", standardize=False, root=False)
    assert result.converged
    assert 0 <= result.gap <= 1e-12 * max(1.0, result.value)
    assert 0 <= result.w <= 1
    plan = result.plan
    a, b = x.weights / x.weights.sum(), y.weights / y.weights.sum()
    np.testing.assert_allclose(plan.sum(1), a, atol=1e-14)
    np.testing.assert_allclose(plan.sum(0), b, atol=1e-14)
    assert plan.min() >= 0
    A = ((x.values[:, None] - y.values[None]) ** 2).sum(-1)
    B = (x.times[:, None] - y.times) ** 2
    C = result.w * A + (1 - result.w) * B
    scale = max(1.0, C.max())
    assert (C * plan).sum() == pytest.approx(result.value, abs=1e-12 * scale)
    # The saddle point: no other w makes the plan cost more.
    assert max((A * plan).sum(), (B * plan).sum()) == pytest.approx(
        result.value, abs=1e-12 * max(A.max(), B.max(), 1.0)
    )
    f, g = result.potentials
    assert f.shape == a.shape
    assert g.shape == b.shape
    assert (C - f[:, None] - g).min() >= -1e-12 * scale
    assert a @ f + b @ g == pytest.approx(result.value, abs=1e-12 * scale)


@given(cloud_pairs())
def test_is_symmetric(pair):
    x, y = pair
    d = stotmetrics.distance(x, y, metric="tiot", standardize=False)
    assert d == pytest.approx(stotmetrics.distance(y, x, metric="tiot", standardize=False), rel=1e-9, abs=1e-9)


@given(clouds())
def test_distance_to_itself_is_zero(drawn):
    x = cloud(drawn)
    assert stotmetrics.distance(x, x, metric="tiot", standardize=False) == pytest.approx(0.0, abs=1e-12)


@given(cloud_pairs(most=1))
def test_is_positive_between_different_measures(pair):
    x, y = pair
    atoms = [
        {(v, t): a / s.weights.sum() for v, t, a in zip(s.values[:, 0], s.times, s.weights, strict=True) if a > 0}
        for s in (x, y)
    ]
    apart = set(atoms[0]) != set(atoms[1])
    if apart:
        assert stotmetrics.distance(x, y, metric="tiot", standardize=False) > 0


@given(cloud_triples(), st.sampled_from([1.0, 2.0, 3.0]))
def test_triangle_inequality(triple, p):
    x, y, z = triple
    d = bind(SPEC, p=p, standardize=False)
    assert d(x, z) <= d(x, y) + d(y, z) + 1e-9 * (1 + d(x, z))


@given(st.integers(0, 2**32 - 1))
def test_triangle_inequality_on_standardized_series(seed):
    rng = np.random.default_rng(seed)
    x, y, z = (rng.normal(size=rng.integers(2, 9)) for _ in range(3))
    assert stotmetrics.tiot(x, z) <= stotmetrics.tiot(x, y) + stotmetrics.tiot(y, z) + 1e-12


@given(cloud_pairs(), st.sampled_from([1.0, 2.0]))
def test_lies_between_the_two_bounds_of_proposition_2_4(pair, p):
    x, y = pair
    value = stotmetrics.distance(x, y, metric="tiot", p=p, standardize=False)
    wasserstein = stotmetrics.distance(x, y, metric="taot", p=p, omega=1.0, standardize=False) ** (1 / p)
    slack = 1e-9 * (1 + wasserstein)
    assert 2 ** (-1 / p) * wasserstein - slack <= value <= wasserstein + slack


@given(cloud_pairs(), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_maximises_a_concave_function_of_w(pair, u, v, t):
    x, y = pair

    def g(w):
        return stotmetrics.distance(x, y, metric="taot", w=w, standardize=False)

    top = stotmetrics.solve(x, y, metric="tiot", standardize=False, root=False)
    slack = 1e-9 * (1 + g(1.0) + g(0.0) + top.value)
    assert top.value >= g(u) - slack
    assert g(t * u + (1 - t) * v) >= t * g(u) + (1 - t) * g(v) - slack
    assert g(top.w) == pytest.approx(top.value, abs=slack)


@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_a_split_atom_changes_nothing(seed, where):
    rng = np.random.default_rng(seed)
    values, times, weights = rng.normal(size=6), np.arange(6.0), rng.uniform(0.1, 1, 6)
    y = as_series(rng.normal(size=4))
    whole = stotmetrics.distance(as_series(values, times=times, weights=weights), y, metric="tiot", standardize=False)
    # The halves of one atom sit a hair apart, since the times of a series increase.
    hair = 1e-9
    values, times = np.insert(values, where, values[where]), np.insert(times, where, times[where] - hair)
    weights = np.insert(weights, where, weights[where] / 3)
    weights[where + 1] *= 2 / 3
    split = stotmetrics.distance(as_series(values, times=times, weights=weights), y, metric="tiot", standardize=False)
    assert split == pytest.approx(whole, abs=1e-7)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 0.1))
def test_moved_atoms_move_the_value_by_no_more(seed, size):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=7), rng.normal(size=5)
    moved = x + size * rng.uniform(-1, 1, 7)
    before = stotmetrics.tiot(x, y, standardize=False)
    assert abs(stotmetrics.tiot(moved, y, standardize=False) - before) <= size + 1e-12


@given(cloud_pairs(), st.floats(1e-3, 1e3))
def test_only_the_proportions_of_the_weights_matter(pair, factor):
    x, y = pair
    scaled = as_series(x.values, times=x.times, weights=factor * x.weights)
    d = bind(SPEC, standardize=False)
    assert d(scaled, y) == pytest.approx(d(x, y), rel=1e-9, abs=1e-7)


def test_an_atom_of_weight_zero_takes_no_part():
    x = as_series([5.0, 1.0, 2.0], times=[0, 1, 2], weights=[0.0, 0.5, 0.5])
    y = as_series([1.0, 3.0], times=[1, 2])
    without = as_series([1.0, 2.0], times=[1, 2])
    result = stotmetrics.solve(x, y, metric="tiot", standardize=False)
    assert result.value == stotmetrics.distance(without, y, metric="tiot", standardize=False)
    assert result.plan.shape == (3, 2)
    assert (result.plan[0] == 0).all()


@pytest.mark.parametrize(("x", "y", "truth"), [([3.0], [7.0], 4.0), ([0.0], [0.0, 0.0], math.sqrt(0.5))])
def test_length_one(x, y, truth):
    assert stotmetrics.tiot(x, y, standardize=False) == pytest.approx(truth, rel=1e-15)


def test_constant_series_standardize_to_zero():
    assert stotmetrics.tiot([0.1] * 7, [123.4] * 7) == 0.0
    assert stotmetrics.tiot([2.0], [5.0]) == 0.0
    assert stotmetrics.tiot([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == pytest.approx(1.0, rel=1e-14)


@given(series(min_length=2, max_length=8), st.floats(0.1, 10), st.floats(-5, 5))
def test_standardized_value_ignores_units(x, scale, offset):
    y = np.sin(np.arange(5.0))
    expected = stotmetrics.tiot(x, y)
    if np.ptp(x) > 1e-3:
        assert stotmetrics.tiot(scale * np.asarray(x) + offset, y) == pytest.approx(expected, abs=1e-6)


def delhi(temperature, lag):
    return temperature[:YEAR], temperature[lag : lag + YEAR]


def published(row):
    return int(row[0]), [float(v) for v in row[1:]]


def check_delhi(temperature, lag, figures):
    x, y = delhi(temperature, lag)
    ours = [stotmetrics.tiot(x, y)]
    ours += [math.sqrt(max(stotmetrics.taot(x, y, w=w), 0.0)) for w in (0.2, 0.5, 0.8)]
    np.testing.assert_allclose(ours, figures, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("lag", "figures"), [(row[0], row[1:]) for row in DELHI])
def test_published_lags_of_delhi(lag, figures):
    temperature = np.loadtxt(DATA / "delhi_meantemp.csv", skiprows=1)
    check_delhi(temperature, lag, figures)


def test_every_tenth_published_lag_of_delhi(shared):
    with (shared / "data" / "DailyDelhiClimateTrain.csv").open() as file:
        temperature = np.array([float(row["meantemp"]) for row in csv.DictReader(file)])
    with (shared / "reference" / "tiot_delhi_lags.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    for row in rows[::10]:
        check_delhi(temperature, *published(row))


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0, 0.0, -0.25], [[0.0, 0.0], [0.0, 0.0], [0.0, -0.25], [0.0, 0.0]]])
def test_reference_says_how_far_rounding_leaves_it_from_zero(values):
    x = stotmetrics.as_series(values)
    answer = stotmetrics.get_metric("tiot").reference(x, x)
    assert 0 <= answer.value <= answer.gap < 1e-6
