"""Tasks in threads: each once, errors told, and no thread at work for nobody."""

import threading
import time

import joblib
import numpy as np
import pytest
from joblib.parallel import ThreadingBackend

import stotmetrics
from stotmetrics.engine import tiles, workers
from stotmetrics.engine.destination import Destination
from stotmetrics.engine.threads import in_threads


def of_threads(work, tasks, count=3):
    return in_threads(work, iter(tasks), count, ThreadingBackend(nesting_level=0))


def test_each_task_is_done_once_and_handed_over():
    assert sorted(of_threads(lambda k: k * k, range(200))) == [k * k for k in range(200)]
    assert list(of_threads(str, [])) == []


def test_a_result_comes_before_the_next_task_ends():
    wait = threading.Event()
    results = of_threads(lambda k: wait.wait(timeout=60) if k else k, range(2))
    assert next(results) == 0
    wait.set()
    assert list(results) == [True]


def test_an_error_of_a_task_or_of_what_makes_tasks_ends_the_others():
    done = []

    def work(k):
        if k == 3:
            raise KeyError("mine")
        time.sleep(0.001)
        done.append(k)
        return k

    def tasks():
        yield from range(3)
        raise RuntimeError("no more")

    with pytest.raises(KeyError, match="mine"):
        list(of_threads(work, range(10_000)))
    with pytest.raises(RuntimeError, match="no more"):
        list(of_threads(work, tasks()))
    time.sleep(0.05)
    assert len(done) < 1000


def test_a_caller_that_has_had_enough_is_not_worked_for():
    done = []
    results = of_threads(lambda k: (time.sleep(0.001), done.append(k)), range(10_000))
    next(results)
    results.close()
    time.sleep(0.05)
    count = len(done)
    time.sleep(0.05)
    assert len(done) == count < 1000


def test_where_a_thread_cannot_start_those_before_it_stop(monkeypatch):
    done, start, started = [], threading.Thread.start, []

    def second_fails(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", second_fails)
    with pytest.raises(RuntimeError, match="start new thread"):
        list(of_threads(lambda k: (time.sleep(0.001), done.append(k)), range(10_000)))
    started[0].join(timeout=60)
    assert not started[0].is_alive()
    assert len(done) < 1000


def test_calls_of_joblib_within_a_task_are_nested_as_in_its_own_threads():
    def level(_):
        return joblib.parallel.get_active_backend()[0].nesting_level

    with joblib.parallel_config(backend="threading", n_jobs=2):
        theirs = set(joblib.Parallel()(joblib.delayed(level)(k) for k in range(4)))
    assert set(of_threads(level, range(4))) == theirs


def test_threads_write_the_tiles_that_they_have_whole(monkeypatch):
    """And this one those that it puts together."""
    monkeypatch.setattr(workers, "_ALONE", {True: 0.0, False: 0.0})
    series = stotmetrics.as_dataset(np.random.default_rng(0).normal(size=(80, 3)))
    metric, writers, write = stotmetrics.get_metric("euclidean"), {}, Destination.write

    def noted(self, number, tile, values, *, mirror):
        assert number not in writers
        writers[number] = threading.current_thread()
        write(self, number, tile, values, mirror=mirror)

    monkeypatch.setattr(Destination, "write", noted)
    truth, matrix = stotmetrics.pairwise(series, metric="euclidean"), np.zeros((80, 80))
    writers.clear()
    tiles.fill(metric, series, None, Destination(matrix), 4, n_jobs=2)
    np.testing.assert_array_equal(matrix, truth)
    assert sorted(writers) == list(range(210))
    assert any(thread is not threading.main_thread() for thread in writers.values())
