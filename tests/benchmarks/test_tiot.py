"""TiOT, exact and entropic, beside what its authors run and beside one cold transport solve.

Run: pytest tests/benchmarks/test_tiot.py --benchmark-only --benchmark-group-by=group
"""

import numpy as np
import ot
import pytest
from scipy import sparse
from scipy.optimize import linprog

import stotmetrics

pytest.importorskip("pytest_benchmark")

LENGTHS = [70, 128, 251, 500]
LONG = [250, 500, 1000, 2000, 4000, 10_000]


def ucr_like(length, seed):
    """Two smooth shapes with a bump each and some noise."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, length)
    return tuple(
        np.sin(2 * np.pi * (t * f + s)) + np.exp(-(((t - c) / 0.05) ** 2)) + 0.1 * rng.normal(size=length)
        for f, s, c in ((1.5, 0.0, 0.3), (1.8, 0.1, 0.5))
    )


def zscore(x):
    return (x - x.mean()) / x.std()


def problem(length):
    x, y = ucr_like(length, 0)
    t = zscore(np.arange(float(length)))
    A, B = (zscore(x)[:, None] - zscore(y)) ** 2, (t[:, None] - t) ** 2
    return x, y, A, B, np.full(length, 1.0 / length)


def bound_pair(name, x, y, **params):
    """The metric on prepared series, as a matrix of distances runs it."""
    metric = stotmetrics.get_metric(name, **params)
    left, right = (metric.prepare(stotmetrics.as_series(v)) for v in (x, y))
    zero = np.zeros(1, dtype=np.intp)
    return lambda: metric.block([left], [right], zero, zero)


def authors_program(A, B, a, b):
    """The linear program as the authors of TiOT pose it to HiGHS: the dual, over (u, v, w)."""
    n, m = A.shape
    left = -sparse.kron(sparse.eye(n, format="csr"), np.ones((m, 1)))
    right = -sparse.kron(np.ones((n, 1)), sparse.eye(m, format="csr"))
    matrix = sparse.hstack([left, right, sparse.csr_matrix((B - A).reshape(-1, 1))], format="csr")
    bounds = [(None, None)] * (n + m) + [(0, 1)]
    optimum = linprog(np.concatenate([a, b, [0.0]]), A_ub=matrix, b_ub=B.ravel(), bounds=bounds, method="highs")
    return -optimum.fun


def authors_pgd(A, B, a, b, epsilon, tol=0.005, sweeps=5000):
    """Their entropic solver: scalings, w by projected gradient steps of adaptive length every 20 sweeps, L1 0.005."""
    A, B = A / epsilon, B / epsilon
    D, w = B - A, 0.5
    g, h = np.ones(len(a)) / len(a), np.ones(len(b)) / len(b)
    K = np.exp(w * D - B)
    for sweep in range(sweeps):
        g = a / (K @ h)
        h = b / (K.T @ g)
        if sweep % 20 == 0:
            newton = 1.0 / (epsilon * (g @ ((np.exp(w * D - B) * D * D) @ h)))
            eta = newton / 20 if newton >= 10 else newton / 10
            for _ in range(50):
                before = w
                w = min(max(w - eta * epsilon * (g @ (np.exp(w * D - B) * D) @ h), 0.0), 1.0)
                if abs(w - before) < 1e-7:
                    break
            K = np.exp(w * D - B)
            if np.abs(g * (K @ h) - a).sum() < tol:
                break
    return float((epsilon * (B - w * D) * (g[:, None] * K * h)).sum())


@pytest.mark.parametrize("length", LENGTHS)
def test_exact(benchmark, length):
    benchmark.group = f"exact TiOT, length {length}"
    x, y, A, B, a = problem(length)
    batch = benchmark(bound_pair("tiot", x, y))
    best = max(ot.emd2(a, a, w * A + (1 - w) * B) for w in np.linspace(0, 1, 21))
    assert batch.values[0] ** 2 >= best - 1e-9


@pytest.mark.parametrize("length", LENGTHS)
def test_exact_peer_one_cold_emd(benchmark, length):
    benchmark.group = f"exact TiOT, length {length}"
    _, _, A, B, a = problem(length)
    C = 0.5 * (A + B)
    benchmark(lambda: ot.emd(a, a, C, numItermax=10_000_000))


def walks(length):
    """Two random walks, which stay apart at every scale."""
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=length).cumsum() for _ in range(2))


@pytest.mark.parametrize("length", LONG)
def test_exact_long(benchmark, length):
    benchmark.group = f"exact TiOT of random walks, length {length}"
    batch = benchmark.pedantic(bound_pair("tiot", *walks(length)), rounds=1 if length > 2000 else 5)
    assert batch.converged.all()
    assert batch.gap[0] <= 1e-12


@pytest.mark.parametrize("length", LONG[:-1])
def test_exact_long_peer_one_cold_emd(benchmark, length):
    benchmark.group = f"exact TiOT of random walks, length {length}"
    x, y = (zscore(v) for v in walks(length))
    t = zscore(np.arange(float(length)))
    C, a = 0.5 * ((x[:, None] - y) ** 2 + (t[:, None] - t) ** 2), np.full(length, 1.0 / length)
    benchmark.pedantic(lambda: ot.emd(a, a, C, numItermax=100_000_000), rounds=1 if length > 1000 else 5)


@pytest.mark.parametrize("length", [70, 128, 251])
def test_exact_peer_linear_program(benchmark, length):
    benchmark.group = f"exact TiOT, length {length}"
    x, y, A, B, a = problem(length)
    value = benchmark.pedantic(authors_program, args=(A, B, a, a), rounds=3)
    assert stotmetrics.tiot(x, y, root=False) == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize("epsilon", [0.1, 0.01, 1e-3, 1e-4])
@pytest.mark.parametrize("length", [70, 128, 251])
def test_entropic(benchmark, length, epsilon):
    benchmark.group = f"entropic TiOT, length {length}, epsilon {epsilon}"
    x, y, *_ = problem(length)
    batch = benchmark(bound_pair("etiot", x, y, epsilon=epsilon, tol=1e-7))
    assert batch.converged.all()
    assert batch.gap[0] <= 1e-7


@pytest.mark.parametrize("epsilon", [0.1, 0.01])
@pytest.mark.parametrize("length", [70, 128, 251])
def test_entropic_peer_pgd(benchmark, length, epsilon):
    benchmark.group = f"entropic TiOT, length {length}, epsilon {epsilon}"
    x, y, A, B, a = problem(length)
    value = benchmark.pedantic(authors_pgd, args=(A, B, a, a, epsilon), rounds=3)
    ours = stotmetrics.etiot_hbcd(x, y, epsilon=epsilon, root=False)
    assert ours == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("epsilon", [0.1, 0.01])
@pytest.mark.parametrize("length", [70, 128, 251])
def test_entropic_with_the_papers_rule(benchmark, length, epsilon):
    benchmark.group = f"entropic TiOT, length {length}, epsilon {epsilon}"
    x, y, *_ = problem(length)
    benchmark.pedantic(bound_pair("etiot_hbcd", x, y, epsilon=epsilon), rounds=5)
