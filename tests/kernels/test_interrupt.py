"""Long kernels hear Ctrl-C: in the main thread whatever its handler raises, in a worker the call that was given up."""

import pickle
import signal
import threading
import time

import numpy as np
import pytest

import stotmetrics
from stotmetrics.kernels._interrupt import Stop
from stotmetrics.kernels._softdtw import pair_value
from stotmetrics.transport import sinkhorn

RNG = np.random.default_rng(0)
LONG = RNG.standard_normal((2, 8000))
VERY_LONG = np.tile(LONG, (1, 20))


class AlarmError(Exception):
    pass


@pytest.fixture
def alarm():
    """Raise AlarmError in a second, or as soon as is asked."""

    def ring(number, frame):
        raise AlarmError

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda seconds=1.0: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


JOBS = {
    "tiot": lambda: stotmetrics.tiot(*VERY_LONG[:, :60000]),
    "taot": lambda: stotmetrics.distance(*LONG, metric="taot"),
    "etiot": lambda: stotmetrics.distance(*LONG, metric="etiot", epsilon=1e-4),
    "etiot_hbcd": lambda: stotmetrics.distance(*LONG[:, :3000], metric="etiot_hbcd", max_iter=10**6, tol=0.0),
    "opw": lambda: stotmetrics.distance(*LONG[:, :5000], metric="opw"),
    "opw of many pairs": lambda: stotmetrics.pairwise(RNG.standard_normal((300, 200)), metric="opw"),
    "taot of many pairs": lambda: stotmetrics.pairwise(RNG.standard_normal((300, 200)), metric="taot"),
    "aot": lambda: stotmetrics.distance(*LONG.reshape(2, 4, 2000), metric="aot", cells=None, p=1.5),
    "cells": lambda: stotmetrics.aot(stotmetrics.as_paths(RNG.random((1, 10**6))), [0.0], cells=500),
    "softdtw": lambda: stotmetrics.softdtw(*VERY_LONG),
    "dtw": lambda: stotmetrics.distance(*VERY_LONG, metric="dtw"),
    "softdtw_sharp": lambda: stotmetrics.distance(*LONG, metric="softdtw_sharp"),
    "log domain": lambda: stotmetrics.softdtw(*(1e6 * LONG), gamma=1e-12),
    "many pairs": lambda: stotmetrics.pairwise(np.tile(RNG.standard_normal((300, 1500)), (2, 1)), metric="softdtw"),
    "gak": lambda: stotmetrics.gak(*VERY_LONG[:, :60000], sigma=1.0),
    "otw": lambda: stotmetrics.pairwise(RNG.standard_normal((5000, 4000)), metric="otw"),
    "tlp": lambda: stotmetrics.distance(*LONG, metric="tlp"),
    "sta": lambda: stotmetrics.sta(*RNG.random((2, 400, 300)), epsilon=1e-4, max_iter=10**6, tol=1e-14),
    "softdtw_divergence": lambda: stotmetrics.softdtw_divergence(*VERY_LONG),
    "euclidean": lambda: stotmetrics.pairwise(RNG.standard_normal((6000, 4000)), metric="euclidean"),
    "sinkhorn": lambda: sinkhorn(
        np.full(2000, 1 / 2000), np.full(2000, 1 / 2000), RNG.random((2000, 2000)), 1e-4, numItermax=10**6
    ),
}


def test_every_metric_is_stopped():
    homes = {name: stotmetrics.get_metric(name).spec.pair.__module__ for name in stotmetrics.list_metrics()}
    assert {name for name, home in homes.items() if home.startswith("stotmetrics.metrics.")} <= set(JOBS)


@pytest.mark.parametrize("job", JOBS)
def test_a_signal_is_handled_inside_a_long_kernel(job, alarm):
    alarm(0.5)
    start = time.perf_counter()
    with pytest.raises(AlarmError):
        JOBS[job]()
    # Two seconds is what is promised; the rest is for a busy machine.
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("metric", ["tiot", "etiot_hbcd"])
def test_the_next_call_knows_nothing_of_the_one_that_was_stopped(metric, alarm):
    """The second is stopped within its costs, by a helper whose caller asks for exceptions before what was heard."""
    x, y = RNG.standard_normal((2, 40))
    before = stotmetrics.tiot(x, y), stotmetrics.distance(x, y, metric=metric)
    alarm(0.1)
    with pytest.raises(AlarmError):
        stotmetrics.distance(*LONG[:, :5000], metric=metric, p=1.5)
    assert (stotmetrics.tiot(x, y), stotmetrics.distance(x, y, metric=metric)) == before


def test_numbers_below_the_normal_ones_live_in_a_handler_and_after_a_kernel():
    """Some kernels flush them to zero where they run, and nowhere else."""
    seen = []
    small = np.full(8, 1e-310)

    def ring(number, frame):
        seen.append((0.5 * small).all())

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        X = RNG.standard_normal((40, 1000))
        for metric in ("softdtw", "softdtw_sharp", "gak"):
            stotmetrics.pairwise(X, metric=metric, n_jobs=1)
            assert (0.5 * small).all()
        stotmetrics.pairwise(X, metric="softdtw", band=20, n_jobs=1)
        assert (0.5 * small).all()
        stotmetrics.pairwise(X[:, :200], metric="etiot", epsilon=0.05, n_jobs=1)
        assert (0.5 * small).all()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert len(seen) > 3
    assert all(seen)


def test_workers_stop_when_their_call_is_given_up(alarm):
    # Three long pairs: the first is done here, which hears the signal itself, so let the others be under way.
    busy = threading.active_count()
    long = VERY_LONG[:, :60000]
    alarm()
    with pytest.raises(AlarmError):
        stotmetrics.kneighbors(long[:1], np.tile(long, (5, 1)), metric="tiot", n_jobs=2)
    deadline = time.perf_counter() + 20
    while threading.active_count() > busy and time.perf_counter() < deadline:
        time.sleep(0.1)
    assert threading.active_count() <= busy


def test_a_flag_stops_the_kernels_of_its_thread_and_no_others():
    stop, ended = Stop(), []
    x, y = np.ascontiguousarray(VERY_LONG[:, :, None])

    def work():
        ended.append(stop.run(pair_value, (x, y, 1.0), {}))

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.5)
    assert not ended
    stop.ask()
    worker.join(10)
    assert ended == [None]
    assert np.isfinite(pair_value(x[:50], y[:50], 1.0))


def test_a_flag_that_is_not_asked_changes_nothing():
    x, y = np.ascontiguousarray(LONG[:, :50, None])
    assert Stop().run(pair_value, (x, y, 1.0), {}) == pair_value(x, y, 1.0)


def test_a_flag_lets_every_other_error_through():
    def fail():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Stop().run(fail, (), {})


def test_a_flag_goes_to_a_process_as_a_new_one():
    asked = Stop()
    asked.ask()
    assert pickle.loads(pickle.dumps(asked)).run(pair_value, (np.zeros((2, 1)), np.zeros((2, 1)), 0.0), {}) == 0.0
