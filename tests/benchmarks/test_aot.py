"""Adapted transport beside pnot (C++) on the same quantised tree, one thread.

Run: OMP_NUM_THREADS=1 pytest tests/benchmarks/test_aot.py --benchmark-only --benchmark-group-by=group
"""

import numpy as np
import pytest

import stotmetrics

pytest.importorskip("pytest_benchmark")

# (times, paths, side of the cells, whether the nodes are Markovian)
CASES = [(3, 1000, 0.5, False), (5, 1000, 1.0, False), (5, 1000, 0.25, True), (5, 10_000, 0.1, True)]


def processes(steps, paths, side):
    """Sample paths of two autoregressions on a grid."""
    sampled = []
    for seed, coefficient in enumerate((0.2, 0.9)):
        noise = np.random.default_rng(seed).normal(size=(steps, paths))
        for t in range(1, steps):
            noise[t] += coefficient * noise[t - 1]
        sampled.append(np.floor(noise / side + 0.5) * side)
    return sampled


def ours(x, y, markovian):
    return stotmetrics.distance(x, y, metric="aot", cells=None, markovian=markovian, root=False)


def peers(x, y, side, markovian):
    """pnot starts every process at one known value."""
    wrapper = pytest.importorskip("_wrapper", reason="pnot is not installed")
    start = np.zeros((1, x.shape[1]))
    return wrapper.nested_ot_solver(np.vstack([start, x]), np.vstack([start, y]), side, markovian, 1, 2, False)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_give_the_same_value(case):
    steps, paths, side, markovian = case
    x, y = processes(steps, paths, side)
    assert ours(x, y, markovian) == pytest.approx(peers(x, y, side, markovian), rel=1e-9)


@pytest.mark.parametrize("who", ["stotmetrics", "pnot"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_quantised_trees(benchmark, case, who):
    steps, paths, side, markovian = case
    benchmark.group = f"{steps} times, {paths} paths, cells of {side}, {'Markovian' if markovian else 'full history'}"
    x, y = processes(steps, paths, side)
    run = (lambda: ours(x, y, markovian)) if who == "stotmetrics" else (lambda: peers(x, y, side, markovian))
    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
