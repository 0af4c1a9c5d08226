"""What the workers of a call are given, what they leave behind, and what becomes of the work of a lost one."""

import contextlib
import pickle
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

import stotmetrics
from stotmetrics import MetricSpec, Series, Traits, as_paths, as_series, get_metric, pairwise
from stotmetrics.engine.blas import one_blas_thread
from stotmetrics.engine.packing import pack, unpack
from stotmetrics.engine.workers import Workers, Workload
from stotmetrics.spec.bound import bind
from stotmetrics.spec.prepared import packed

# A process that a worker is need not find this file: what it defines goes over as it is.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def squares(load, k):
    return k, k * k


def load_of(metric="euclidean", n=5):
    return Workload(get_metric(metric), [as_series([float(k), 1.0]) for k in range(n)])


# Series on the way.


@st.composite
def sets_of_series(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sets = []
    for _ in range(draw(st.integers(1, 5))):
        n, (dim, frames) = (
            int(rng.integers(1, 5)),
            draw(st.sampled_from([(1, None), (3, None), (4, (2, 2)), (6, (3, 2))])),
        )
        values = rng.normal(size=(n, *(frames or (dim,))))
        times = rng.normal() + np.cumsum(rng.uniform(0.1, 1, n)) if draw(st.booleans()) else None
        if frames is None and draw(st.booleans()):
            sets.append(
                as_paths(rng.normal(size=(n, 3)), weights=rng.uniform(0.1, 1, 3) if draw(st.booleans()) else None)
            )
            continue
        sets.append(as_series(values, times=times, weights=rng.uniform(0.1, 1, n) if draw(st.booleans()) else None))
    return sets


@given(sets_of_series())
def test_series_come_out_of_their_packing_as_they_went_in(series):
    for original, unpacked in zip(series, unpack(pickle.loads(pickle.dumps(pack(series)))), strict=True):
        for slot in Series.__slots__:
            before, after = getattr(original, slot), getattr(unpacked, slot)
            if isinstance(before, np.ndarray):
                np.testing.assert_array_equal(after, before)
            elif slot != "_doubts":  # told when the series was read
                assert after == before, slot


def test_a_workload_travels_as_a_few_arrays_and_the_name_of_its_metric():
    load = Workload(get_metric("dtw"), [as_series(np.zeros(10)) for _ in range(1000)])
    size = len(pickle.dumps(load))
    assert 80_000 < size < 100_000
    assert b"stotmetrics.metrics.dtw" in pickle.dumps(load)  # the parameters; its functions are found by the name
    assert b"lower_bounds" not in pickle.dumps(load)


def test_a_process_that_gets_a_workload_again_keeps_what_it_prepared():
    prepared = []
    spec = MetricSpec("counted", lambda x, y, p: 0.0, prepare=lambda s, p: prepared.append(len(s)) or s)
    load = Workload(bind(spec), [as_series([1.0]), as_series([1.0, 2.0])])
    packs = load._packs()
    from stotmetrics.engine import workers

    first = workers._arrived(load._token, load.metric, packs, True)
    assert prepared == []
    first.prepared(0)[1]
    assert prepared == [2]
    again = workers._arrived(load._token, load.metric, packs, True)
    again.prepared(-1)[1]
    assert again is first
    assert prepared == [2]
    another = workers._arrived("another", load.metric, packs, False)
    assert another is not workers._arrived("another", load.metric, packs, False)


def test_a_set_prepared_on_demand_is_the_set_prepared_at_once():
    metric = get_metric("tiot")
    series = [as_series(np.sin(np.arange(3.0 + k))) for k in range(6)]
    remote = pickle.loads(pickle.dumps(Workload(metric, series))).prepared(0)
    here = metric.prepare_all(series)
    rows, cols = np.indices((6, 6), dtype=np.intp).reshape(2, -1)
    wanted = metric.block(here, here, rows, cols).values
    np.testing.assert_array_equal(metric.block(remote, remote, rows, cols).values, wanted)
    for sides in ((remote[2:4], here[2:4]), (pickle.loads(pickle.dumps(remote)), here)):
        for ours, theirs in zip(*sides, strict=True):
            np.testing.assert_array_equal(ours.values, theirs.values)
    assert packed(remote, len) == 6
    with pytest.raises(IndexError):
        remote[6]


# Threads that behave.


def test_every_task_is_done_once_whatever_the_workers():
    for backend in ("threading", "loky", "multiprocessing"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            squared = list(Workers(load_of(), None, eager=True).run(squares, ((k,) for k in range(50)), 50))
        assert sorted(squared) == [(k, k * k) for k in range(50)], backend


@pytest.fixture
def two_blas_threads():
    """BLAS that takes two threads, set where no thread keeps the right to set it."""
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(set_blas, 2).result()
    if blas_threads() != {2}:
        pytest.skip("this BLAS cannot be told how many threads to take")
    yield
    with ThreadPoolExecutor(1) as pool:
        pool.submit(set_blas, before).result()


def set_blas(threads):
    """What it was, and set it; the thread that does so ends."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    before = libraries[0].get_num_threads()
    for library in libraries:
        library.set_num_threads(threads)
    return before


@pytest.mark.parametrize("last", [0, 1])
def test_overlapping_calls_leave_blas_as_they_found_it_and_both_run_with_one(two_blas_threads, last):
    seen, both, ended = [], threading.Barrier(2, timeout=60), threading.Event()

    def call(me):
        def pair(x, y, params):
            if y.values[0, 0] == 1.0:
                both.wait()  # both calls are in their first pair
                if me == last:
                    assert ended.wait(60)  # the other call is over
            seen.append((me, blas_threads()))
            return 0.0

        spec = MetricSpec("met", pair, traits=Traits(symmetric=True, zero_self=True))
        pairwise([[0.0], [1.0], [2.0]], metric=spec, n_jobs=1)
        if me != last:
            seen.append("over")
            ended.set()
            time.sleep(0.2)  # its thread lives on

    threads = [threading.Thread(target=call, args=(me,)) for me in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    first = 1 - last
    assert seen == [(first, {1})] * 3 + ["over"] + [(last, {1})] * 3
    assert blas_threads() == {2}


def test_a_limit_of_the_caller_is_as_it_was_after_a_call():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        pairwise([[0.0], [1.0]], metric="euclidean")
        assert blas_threads() == before


def test_blas_is_given_back_after_an_error():
    before = blas_threads()
    for _ in range(2):
        with pytest.raises(KeyError), one_blas_thread():
            blas_threads().remove(before)
    assert blas_threads() == before


def _threads_of_a_call(n_jobs):
    """How many threads the pairs of one call run in."""
    seen, meet = set(), threading.Barrier(n_jobs)

    def pair(x, y, params):
        seen.add(threading.get_ident())
        with contextlib.suppress(threading.BrokenBarrierError):
            meet.wait(0.02)  # where several threads work, they meet
        return 0.0

    spec = MetricSpec("seen", pair, traits=Traits(releases_gil=True))
    pairwise(np.arange(60.0)[:, None], metric=spec, n_jobs=n_jobs)
    return len(seen)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_call_within_a_worker_of_joblib_starts_no_workers(backend):
    with joblib.parallel_config(backend=backend):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(_threads_of_a_call)(2) for _ in range(2)) == [1, 1]
    assert _threads_of_a_call(2) > 1


# A lost worker.


LOST = """
    import os, sys, warnings
    import joblib, numpy as np, stotmetrics
    from stotmetrics import MetricSpec
    from stotmetrics.engine import workers
    workers._ALONE = {True: 0.0, False: 0.0}
    session = os.getpid()
    always = sys.argv[2] == "always"

    def pair(x, y, params):
        if x.values[0, 0] == 30.0 and os.getpid() != session:
            try:
                os.close(os.open(sys.argv[1], os.O_CREAT | (0 if always else os.O_EXCL)))
            except FileExistsError:
                pass
            else:
                os._exit(1)
        return abs(float(x.values[0, 0] - y.values[0, 0]))

    X = np.arange(60.0)[:, None]
    with joblib.parallel_config(backend="loky", n_jobs=2), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            D = stotmetrics.pairwise(X, metric=MetricSpec("crashes", pair))
        except RuntimeError as error:
            sys.exit(str(error))
    assert (D == abs(X - X.T)).all()
    print([str(w.message) for w in caught if w.category is RuntimeWarning])
"""


def run_lost(tmp_path, how):
    command = [sys.executable, "-c", textwrap.dedent(LOST), str(tmp_path / "crashed"), how]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_tasks_of_a_lost_worker_are_done_again(tmp_path):
    done = run_lost(tmp_path, "once")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "crashed").exists()
    assert "a worker was lost (TerminatedWorkerError)" in done.stdout
    assert done.stdout.count("a worker was lost") == 1


def test_a_task_that_crashes_every_worker_is_an_error(tmp_path):
    done = run_lost(tmp_path, "always")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("workers were lost 3 times without a task done in between")


def test_a_barycenter_does_not_depend_on_the_workers():
    rng = np.random.default_rng(4)
    X = [rng.normal(size=int(n)).cumsum() for n in rng.integers(5, 12, 40)]
    alone = stotmetrics.barycenter(X, "softdtw", max_iter=5, init=8)
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend=backend):
            center = stotmetrics.barycenter(X, "softdtw", max_iter=5, init=8, n_jobs=2)
        np.testing.assert_array_equal(center.values, alone.values)
        assert center.objective == alone.objective
