"""Every metric in eight threads at once: what one thread gets, and no thread left behind."""

import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

import stotmetrics
from stotmetrics.spec import registry

THREADS, ROUNDS = 8, 3
NAMES = sorted(entry.name for entry in registry.catalogue() if entry.distribution.startswith("stotmetrics "))
# Other lengths, so that workspaces must grow and shrink where a metric takes them.
LENGTHS = (9, 4, 12, 7)


def series_of(name):
    rng = np.random.default_rng(0)
    traits = stotmetrics.get_metric(name).traits
    lengths = LENGTHS if traits.unequal_length else (9,) * len(LENGTHS)
    return [stotmetrics.as_series(rng.uniform(0.1, 1.0, size=(n, 3 if traits.multivariate else 1))) for n in lengths]


def values_of(name, tasks, series):
    """The values of pairs, and their gradients where the metric has them."""
    metric, values = stotmetrics.get_metric(name), {}
    for i, j in tasks:
        values[i, j] = [metric.solve(series[i], series[j]).value]
        if metric.has_gradient:
            _, *slopes = metric.value_and_grad(series[i], series[j])
            values[i, j] += [float(slope.sum()) for slope in slopes]
    return values


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
def test_all_metrics_at_once_give_what_each_gives_alone():
    series = {name: series_of(name) for name in NAMES}
    pairs = list(product(range(len(LENGTHS)), repeat=2))
    truth = {name: values_of(name, pairs, series[name]) for name in NAMES}
    start = threading.Barrier(THREADS)

    def work(seed):
        tasks = [(name, pair) for name in NAMES for pair in pairs]
        random.Random(seed).shuffle(tasks)
        start.wait(timeout=60)
        return [(name, pair, values_of(name, [pair], series[name])[pair]) for name, pair in tasks]

    with warnings.catch_warnings():
        # Filters belong to the process, and threads come and go within this one.
        warnings.simplefilter("ignore", stotmetrics.ConvergenceWarning)
        with ThreadPoolExecutor(THREADS) as pool:
            for seed in range(ROUNDS):
                for task in [pool.submit(work, THREADS * seed + k) for k in range(THREADS)]:
                    for name, pair, values in task.result(timeout=300):
                        assert values == truth[name][pair], (name, pair)


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_overlapping_matrices_are_those_of_one_thread(name):
    series = series_of(name)
    truth = stotmetrics.pairwise(series, metric=name, n_jobs=1)

    def work(_):
        return stotmetrics.pairwise(series, metric=name, n_jobs=2)

    with ThreadPoolExecutor(THREADS) as pool:
        for matrices in pool.map(work, range(THREADS)):
            np.testing.assert_array_equal(matrices, truth)


def test_a_call_parses_nothing(monkeypatch):
    """The parser of Python 3.11 fails now and then where several threads parse at once."""

    def parse(*_):
        raise AssertionError("parsed")

    monkeypatch.setattr("joblib.parallel.eval_expr", parse)
    series = series_of("dtw")
    assert stotmetrics.pairwise(series, metric="dtw", n_jobs=2).shape == (4, 4)
