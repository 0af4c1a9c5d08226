"""Transport on lines bounds the transport between clouds, alone and in company."""

import numpy as np
import pytest

from stotmetrics import Series, get_metric
from stotmetrics.metrics.tiot import Parameters
from stotmetrics.reference.tiot import tiot as reference
from stotmetrics.spec.prepared import PreparedSet
from stotmetrics.transport.line_bounds import line_costs, transport_bounds
from stotmetrics.transport.point_clouds import cost_matrices, prepare_cloud

ot = pytest.importorskip("ot")


def _clouds(seed, features, mixed):
    """Series of several lengths, with equal weights, with weights, and with some that are zero."""
    rng = np.random.default_rng(seed)
    series = []
    for k in range(9):
        length = int(rng.integers(1, 7)) if mixed else 5
        weights = rng.random(length) if mixed and k % 3 == 0 else np.ones(length)
        if mixed and k % 4 == 1 and length > 1:
            weights[0] = 0.0
        values = rng.normal(size=(length, features)) * 10.0 ** rng.integers(-2, 3)
        series.append(Series(values, times=np.sort(rng.random(length) * 9) + np.arange(length), weights=weights))
    return series, [prepare_cloud(member, standardize=False) for member in series]


def _pairs(n):
    return np.indices((n, n)).reshape(2, -1)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize("mixed", [False, True])
def test_no_coupling_costs_less_than_transport_on_lines(p, features, mixed):
    _, clouds = _clouds(1, features, mixed)
    rows, cols = _pairs(len(clouds))
    of_values, of_times = line_costs(clouds, clouds, rows, cols, p)
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        A, B = cost_matrices(clouds[i], clouds[j], p)
        for bound, cost in ((of_values[k], A), (of_times[k], B)):
            least = ot.emd2(clouds[i].weights, clouds[j].weights, cost)
            assert bound <= least + 1e-9 * (1.0 + least)
        # On one line the bound is the optimum.
        assert of_times[k] == pytest.approx(ot.emd2(clouds[i].weights, clouds[j].weights, B), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("features", [1, 2])
def test_the_bound_is_below_tiot_and_not_idle(mixed, features):
    series, clouds = _clouds(2, features, mixed)
    rows, cols = _pairs(len(clouds))
    bounds = transport_bounds(clouds, clouds, rows, cols, 2.0)
    params = Parameters(standardize=False, root=False)
    values = np.array([reference(series[i], series[j], params)[0] for i, j in zip(rows, cols, strict=True)])
    assert (bounds <= values * (1.0 + 1e-9) + 1e-9).all()
    far = values > 1e-6
    assert (bounds[far] >= 0.3 * values[far]).mean() > 0.9


@pytest.mark.parametrize("mixed", [False, True])
def test_a_pair_has_the_same_bound_alone_and_in_any_company(mixed):
    _, clouds = _clouds(3, 1, mixed)
    rows, cols = _pairs(len(clouds))
    many = transport_bounds(PreparedSet(clouds), PreparedSet(clouds), rows, cols, 2.0)
    some = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(transport_bounds(clouds, clouds, rows[some], cols[some], 2.0), many[some], rtol=1e-12)
    zero = np.array([0])
    alone = [transport_bounds([clouds[i]], [clouds[j]], zero, zero, 2.0)[0] for i, j in zip(rows, cols, strict=True)]
    np.testing.assert_allclose(alone, many, rtol=1e-12)


def test_many_pairs_of_long_clouds_go_in_batches():
    rng = np.random.default_rng(4)
    clouds = [prepare_cloud(Series(rng.normal(size=(400, 1))), standardize=True) for _ in range(12)]
    rows, cols = _pairs(12)
    whole = transport_bounds(clouds, clouds, rows, cols, 2.0).reshape(12, 12)
    np.testing.assert_allclose(whole, whole.T, rtol=1e-12)
    assert (np.diag(whole) == 0.0).all()
    assert (whole[~np.eye(12, dtype=bool)] > 0.0).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_between_clouds_that_differ_by_last_digits_the_bound_stays_below(seed, weighted):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((40, 1)) * 10.0 ** rng.uniform(-30, 30)
    masses = rng.random(40) + 0.1 if weighted else np.ones(40)
    x = Series(values, weights=masses)
    y = Series(values * (1.0 + 10.0 ** rng.uniform(-16, -8)), weights=masses * (1.0 if weighted else 3.0))
    for metric in (get_metric("tiot"), get_metric("tiot", standardize=False), get_metric("taot")):
        result, (left, right) = metric.solve(x, y), map(metric.prepare, (x, y))
        bound = metric.lower_bounds([left], [right], *np.zeros((2, 1), dtype=np.intp))[0]
        assert bound <= result.value + result.gap
