"""The same work by this package and by its peers, by length and by number of series: medians, one thread.

``tox -e bench`` runs it for the page of benchmarks. A peer that is not installed is left out.
"""

import numpy as np
import ot
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, vstack
from threadpoolctl import threadpool_limits

import stotmetrics
from stotmetrics.spec import registry
from stotmetrics.transport import sinkhorn_unbalanced

# numba compiles and the peers deprecate while they run.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def walks(count, length):
    X = np.random.default_rng(0).normal(size=(count, length)).cumsum(axis=1)
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


def measure(benchmark, group, job, rounds=3):
    benchmark.group = group
    return benchmark.pedantic(job, rounds=rounds, warmup_rounds=1)


def tslearn_dtw(X):
    return pytest.importorskip("tslearn.metrics").cdist_dtw(X)


def tslearn_softdtw(X):
    return pytest.importorskip("tslearn.metrics").cdist_soft_dtw(X, gamma=0.1)


def aeon_dtw(X):
    return pytest.importorskip("aeon.distances").dtw_pairwise_distance(X[:, None, :])


def aeon_softdtw(X):
    return pytest.importorskip("aeon.distances").soft_dtw_pairwise_distance(X[:, None, :], gamma=0.1)


def dtaidistance_dtw(X):
    return pytest.importorskip("dtaidistance").dtw.distance_matrix_fast(X, parallel=False)


def tsdistances_dtw(X):
    return pytest.importorskip("tsdistances").dtw_distance(X, X, par=False)


DTW = {
    "stotmetrics": lambda X: stotmetrics.pairwise(X, metric="dtw"),
    "tslearn": tslearn_dtw,
    "aeon": aeon_dtw,
    "dtaidistance": dtaidistance_dtw,
    "tsdistances": tsdistances_dtw,
}
SOFT = {
    "stotmetrics": lambda X: stotmetrics.pairwise(X, metric="softdtw", gamma=0.1),
    "tslearn": tslearn_softdtw,
    "aeon": aeon_softdtw,
}


@pytest.mark.parametrize("length", [32, 64, 128, 256])
@pytest.mark.parametrize("whose", DTW)
def test_dtw_matrix_by_length(benchmark, whose, length):
    X = walks(40, length)
    D = measure(benchmark, "DTW, all pairs of 40 series", lambda: DTW[whose](X))
    assert D.shape == (40, 40)


@pytest.mark.parametrize("count", [25, 50, 100, 200])
@pytest.mark.parametrize("whose", DTW)
def test_dtw_matrix_by_number(benchmark, whose, count):
    X = walks(count, 64)
    measure(benchmark, "DTW, all pairs of series of length 64", lambda: DTW[whose](X))


@pytest.mark.parametrize("length", [32, 64, 128, 256])
@pytest.mark.parametrize("whose", SOFT)
def test_softdtw_matrix_by_length(benchmark, whose, length):
    X = walks(16, length)
    D = measure(benchmark, "soft-DTW at gamma 0.1, all pairs of 16 series", lambda: SOFT[whose](X), rounds=2)
    wanted = stotmetrics.softdtw(X[0], X[1], gamma=0.1)
    np.testing.assert_allclose(D[0, 1], abs(wanted) if whose == "aeon" else wanted, rtol=1e-6)


def costs_of(x, y):
    t = np.arange(len(x))
    t = (t - t.mean()) / t.std()
    return (x[:, None] - y[None, :]) ** 2, (t[:, None] - t[None, :]) ** 2


def linear_program(x, y):
    """TiOT as the paper states it for a solver: potentials and one weight, a constraint for each pair of times."""
    A, B = costs_of(x, y)
    n = len(x)
    cells = np.arange(n * n)
    rows, cols = np.divmod(cells, n)
    ones = np.ones(n * n)
    F = coo_array((ones, (cells, rows)), shape=(n * n, n))
    G = coo_array((ones, (cells, cols)), shape=(n * n, n))
    constraints = vstack([F.T, G.T, csr_array((B - A).reshape(1, -1))]).T
    objective = -np.r_[np.full(2 * n, 1 / n), 0.0]
    bounds = [(None, None)] * (2 * n) + [(0.0, 1.0)]
    optimum = linprog(objective, A_ub=constraints, b_ub=B.ravel(), bounds=bounds, method="highs")
    return -optimum.fun


def one_transport(x, y):
    A, B = costs_of(x, y)
    return ot.emd2([], [], (A + B) / 2)


TIOT = {
    "stotmetrics": lambda x, y: stotmetrics.tiot(x, y, root=False),
    "linear program (the paper's, by HiGHS)": linear_program,
    "POT, one transport at w = 1/2": one_transport,
}


@pytest.mark.parametrize("length", [32, 64, 128, 256, 512])
@pytest.mark.parametrize("whose", TIOT)
def test_exact_tiot(benchmark, whose, length):
    if whose.startswith("linear") and length > 64:
        pytest.skip("takes minutes")
    x, y = walks(2, length)
    value = measure(benchmark, "TiOT, exact, one pair", lambda: TIOT[whose](x, y))
    wanted = stotmetrics.tiot(x, y, root=False)
    assert value <= wanted * (1 + 1e-7)
    if not whose.startswith("POT"):
        assert value == pytest.approx(wanted)


ENTROPIC = {
    "stotmetrics": lambda x, y: stotmetrics.etiot(x, y, epsilon=0.05),
    "the paper's algorithm and stopping rule": lambda x, y: stotmetrics.etiot_hbcd(x, y, epsilon=0.05),
}


@pytest.mark.parametrize("length", [32, 64, 128, 256])
@pytest.mark.parametrize("whose", ENTROPIC)
def test_entropic_tiot(benchmark, whose, length):
    x, y = walks(2, length)
    measure(benchmark, "eTiOT at epsilon 0.05, one pair", lambda: ENTROPIC[whose](x, y))


def pot_unbalanced(a, b, M):
    return ot.unbalanced.sinkhorn_unbalanced(
        a, b, M, 0.02, 1.0, method="sinkhorn_translation_invariant", reg_type="entropy", stopThr=1e-9, numItermax=20000
    )


UNBALANCED = {
    "stotmetrics": lambda a, b, M: sinkhorn_unbalanced(a, b, M, 0.02, 1.0, stopThr=1e-9, reg_type="entropy"),
    "POT": pot_unbalanced,
}


@pytest.mark.parametrize("length", [64, 144, 400])
@pytest.mark.parametrize("whose", UNBALANCED)
def test_unbalanced_sinkhorn(benchmark, whose, length):
    rng = np.random.default_rng(0)
    points = rng.random((length, 2))
    M = ((points[:, None] - points[None, :]) ** 2).sum(axis=2)
    M /= np.median(M)
    a, b = rng.random((2, length)) / length
    plan = measure(
        benchmark, "unbalanced Sinkhorn, one problem, by number of points", lambda: UNBALANCED[whose](a, b, M)
    )
    np.testing.assert_allclose(plan, UNBALANCED["stotmetrics"](a, b, M), atol=1e-7)


@pytest.mark.parametrize("length", [50, 100, 200, 400])
@pytest.mark.parametrize("metric", sorted(e.name for e in registry.catalogue() if e.distribution.startswith("stotm")))
def test_every_metric(benchmark, metric, length):
    bound = stotmetrics.get_metric(metric)
    if bound.traits.compares_frames:
        x, y = np.exp(-((walks(2, length)[:, :, None] - np.linspace(-2, 2, 8)) ** 2)) + 1e-3
    else:
        x, y = walks(2, length)
    measure(benchmark, "every metric at its defaults, one pair", lambda: bound(x, y))
