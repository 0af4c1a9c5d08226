"""What a task costs on each kind of worker, what travels, and what two workers gain: threads, processes, Dask.

``OMP_NUM_THREADS=1 pytest tests/benchmarks/test_cluster.py --benchmark-only -s``; the cortex needs the published data
(``STOTMETRICS_SHARED``). Figures a task and bytes are in ``extra_info`` and printed.
"""

import contextlib
import logging
import operator
import runpy
from pathlib import Path

import joblib
import numpy as np
import pytest

import stotmetrics
from stotmetrics import Ground
from stotmetrics.engine import workers

GALLERY = Path(__file__).resolve().parents[2] / "docs" / "gallery"
WHERE = ["one thread", "two threads", "two processes", "two workers of Dask"]

# What Dask warns of is its own affair.
pytestmark = pytest.mark.filterwarnings("default")


@contextlib.contextmanager
def dask():
    """Two worker processes on loopback."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        with joblib.parallel_config(backend="dask"):
            yield client


@pytest.fixture(params=WHERE)
def where(request):
    """Work goes there."""
    local = {
        "one thread": ("threading", 1),
        "two threads": ("threading", 2),
        "two processes": ("loky", 2),
    }
    if request.param in local:
        backend, n_jobs = local[request.param]
        context = joblib.parallel_config(backend=backend, n_jobs=n_jobs)
    else:
        context = dask()
    with context:
        yield request.param


def test_task_that_does_nothing(benchmark, where):
    count = 2000
    load = workers.Workload(stotmetrics.get_metric("euclidean"), [stotmetrics.as_series([0.0])])
    benchmark.group = f"{count} tasks that do nothing"

    def run():
        pool = workers.Workers(load, None, eager=where != "one thread")
        return sum(pool.run(operator.is_not, ((k,) for k in range(count)), count))

    assert benchmark.pedantic(run, rounds=3, warmup_rounds=1) == count
    benchmark.extra_info["ms_per_task"] = benchmark.stats.stats.median / count * 1e3
    print(f"\n{where}: {benchmark.extra_info}")


@pytest.fixture(scope="module")
def brain(shared):
    """The ground and 60 samples of the brain experiment, 15 a group; every third of them has 5 of each."""
    script = runpy.run_path(str(GALLERY / "brain.py"))
    ground, regions = script["read_cortex"](shared / "data")
    return ground, list(script["simulate"](ground, regions, 15))


@pytest.mark.parametrize(("count", "rounds"), [(20, 3), (60, 1)])
def test_cortex(benchmark, brain, where, count, rounds):
    ground, X = brain
    X = X[:: len(X) // count]
    benchmark.group = f"sta of {count} samples on the cortex, {count * (count + 1) // 2} pairs"
    benchmark.pedantic(
        lambda: stotmetrics.pairwise(X, metric="sta", ground=ground, epsilon=10 / 642, rho=1.0),
        rounds=rounds,
        warmup_rounds=rounds > 1,
    )


@pytest.mark.parametrize(("count", "rounds"), [(800, 3), (3000, 1)])
def test_series(benchmark, where, count, rounds):
    X = np.random.default_rng(0).normal(size=(count, 100)).cumsum(axis=1)
    benchmark.group = f"softdtw of {count} series of length 100"
    benchmark.pedantic(lambda: stotmetrics.pairwise(X, metric="softdtw"), rounds=rounds, warmup_rounds=rounds > 1)


def test_bytes_that_travel(benchmark, brain, dask_traffic):
    """The ground and the series once to each worker; a task is a few numbers."""
    ground, X = brain
    X = X[::3]
    assert isinstance(ground, Ground)
    sent, batches = dask_traffic
    benchmark.group = "bytes"
    with dask():
        benchmark.pedantic(
            lambda: stotmetrics.pairwise(X, metric="sta", ground=ground, epsilon=10 / 642, rho=1.0), rounds=1
        )
    size, count = np.sum(batches, axis=0)
    benchmark.extra_info.update(
        bytes_to_each_worker=sent[0], times_sent=len(sent), tasks=int(count), bytes_per_task=float(size / count)
    )
    print(f"\n{benchmark.extra_info}")
    assert len(sent) == 1
    assert sent[0] < 1.2 * (8 * 642 * 642 + sum(x.nbytes for x in X))
