"""Eight threads on the same objects, and on a package that nobody has used before."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points

import numpy as np
import pytest

import stotmetrics
from stotmetrics.datasets import load_array
from stotmetrics.engine import workers
from stotmetrics.engine.remembered import PairStore
from stotmetrics.kernels._interrupt import Stop
from stotmetrics.spec import registry
from stotmetrics.spec.bound import bind
from stotmetrics.spec.metric import MetricSpec
from stotmetrics.spec.result import Result
from stotmetrics.transport import sinkhorn, sinkhorn_divergence, sinkhorn_unbalanced
from stotmetrics.transport.kept import kept

THREADS, ROUNDS = 8, 3
# No processor compares them in a second.
LONG = np.random.default_rng(1).standard_normal((2, 160000))
NAMES = sorted(entry.name for entry in registry.catalogue() if entry.distribution.startswith("stotmetrics "))


def at_once(work, threads=THREADS):
    """``work(k)`` in so many threads that start together: what each returns."""
    start = threading.Barrier(threads)

    def run(k):
        start.wait(timeout=60)
        return work(k)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads), timeout=300))


def bits(answer):
    """All numbers of an answer, for a comparison to the last bit."""
    if isinstance(answer, (tuple, list)):
        return [bits(part) for part in answer]
    if isinstance(answer, Result):
        return [answer.value, answer.gap, [bits(getattr(answer, name)) for name in answer.available]]
    if hasattr(answer, "kernels"):  # a plan of processes
        return [bits(kernel.probability) for kernel in answer.kernels]
    return answer.tobytes() if isinstance(answer, np.ndarray) else answer


class Shared:
    """What all threads use: a bound metric, series, an index, a result, and what each of the functions says."""

    def __init__(self, name):
        rng = np.random.default_rng(3)
        params = {"ground": stotmetrics.Ground.grid((3,))} if name == "sta" else {}
        self.metric = stotmetrics.get_metric(name, **params)
        traits = self.metric.traits
        lengths = (11, 6, 9, 8) if traits.unequal_length else (9,) * 4
        values = [rng.uniform(0.1, 1.0, size=(n, 3 if traits.multivariate else 1)) for n in lengths]
        self.series = [stotmetrics.as_series(v) for v in values]
        self.prepared = self.metric.prepare_all(self.series)
        self.index = stotmetrics.NeighborIndex(self.series[:3], self.metric)
        self.result = self.metric.solve(self.series[0], self.series[1])
        rows, cols = np.indices((4, 4), dtype=np.intp).reshape(2, -1)
        self.calls = {
            "value": lambda: self.metric(self.series[0], self.series[1]),
            "result": lambda: self.metric.solve(self.series[2], self.series[3]),
            "the same result": lambda: self.result,
            "prepared": lambda: self.metric.block(self.prepared, self.prepared, rows, cols).values,
            "bounds": lambda: self.metric.lower_bounds(self.prepared, self.prepared, rows, cols),
            "matrix": lambda: stotmetrics.pairwise(self.series, metric=self.metric),
            "neighbours": lambda: (lambda near: (near.indices, near.distances))(self.index.kneighbors(self.series)),
        }
        if "path" in self.result.available:
            self.calls["path"] = lambda: stotmetrics.alignment_path(*self.series[:2], metric=self.metric)
        if self.metric.has_gradient:
            self.calls["gradient"] = lambda: self.metric.value_and_grad(self.series[1], self.series[2])
            self.calls["barycenter"] = lambda: stotmetrics.barycenter(self.series, self.metric, max_iter=2).values


def plans():
    """Transport between the same masses on the same costs."""
    rng = np.random.default_rng(5)
    (a, b), M = rng.dirichlet(np.ones(12), size=2), rng.random((12, 12))
    return {
        "plan": lambda: sinkhorn(a, b, M, 0.05),
        "unbalanced": lambda: sinkhorn_unbalanced(a, b, M, 0.05, 1.0),
        "divergence": lambda: sinkhorn_divergence(a, b, M + M.T, 0.5),
    }


@pytest.mark.parametrize("name", [*NAMES, None])
def test_threads_that_share_everything_get_what_one_gets(name):
    with warnings.catch_warnings():
        # Filters belong to the process, and threads come and go within this one.
        warnings.simplefilter("ignore", stotmetrics.ConvergenceWarning)
        fresh = [plans() if name is None else Shared(name).calls for _ in range(ROUNDS)]
        truth = {call: bits(function()) for call, function in (plans() if name is None else Shared(name).calls).items()}
        for number, calls in enumerate(fresh):

            def work(k, number=number, calls=calls):
                order = list(calls)
                random.Random(THREADS * number + k).shuffle(order)
                return {call: bits(calls[call]()) for call in order}

            for answers in at_once(work):
                assert answers == truth


def test_an_extra_is_found_once_whoever_asks():
    entered = []

    def plan():
        entered.append(threading.get_ident())
        time.sleep(0.05)
        return np.ones((2, 2))

    result = Result(1.0, extras={"plan": plan, "cost": lambda: 2.0 * result.plan})
    extras = at_once(lambda k: result.cost if k % 2 else result.plan)
    assert len(entered) == 1
    assert len({id(part) for part in extras}) == 2


class Lazy(dict):
    """Who has asked whether a key is there gets to use the answer late."""

    def __contains__(self, key):
        there = super().__contains__(key)
        time.sleep(0.01)
        return there


def test_a_name_is_registered_by_one_thread_only(fresh_registry, monkeypatch):
    monkeypatch.setattr(registry, "_registered", Lazy())

    def claim(_):
        try:
            return registry.register(lambda x, y: 0.0, name="claimed")
        except stotmetrics.DuplicateMetricError:
            return None

    (won,) = [spec for spec in at_once(claim) if spec is not None]
    assert registry.find("claimed") is won


def test_a_metric_that_comes_and_goes_is_known_or_unknown(fresh_registry, monkeypatch):
    monkeypatch.setattr(registry, "_registered", Lazy())

    def work(k):
        for _ in range(20):
            if k == 0:
                registry.register(lambda x, y: 0.0, name="fleeting")
                registry.unregister("fleeting")
                continue
            try:
                assert registry.find("fleeting").name == "fleeting"
            except stotmetrics.UnknownMetricError:
                time.sleep(0.001)

    at_once(work, 4)


def test_a_workload_arrives_once_whoever_brings_it(monkeypatch):
    class Slow(workers.Workload):
        def __init__(self, *args):
            time.sleep(0.01)
            super().__init__(*args)

    monkeypatch.setattr(workers, "Workload", Slow)
    load = workers.Workload(bind(MetricSpec("none", lambda x, y, p: 0.0)), [stotmetrics.as_series([1.0])])
    packs = load._packs()
    for number in range(5):
        arrived = at_once(lambda _, number=number: workers._arrived(f"of threads {number}", load.metric, packs, True))
        assert len({id(workload) for workload in arrived}) == 1


def test_no_pair_that_is_added_while_another_thread_writes_is_lost(tmp_path):
    class Slow(list):
        def append(self, item):
            time.sleep(0.05)
            super().append(item)

    store = PairStore(tmp_path, symmetric=False)
    # A pair is numbered by its series, which the store has to know.
    numbers = store._numbers_of([bytes([k]) * 16 for k in range(THREADS)])
    codes = store.codes(numbers, numbers)

    def work(k):
        time.sleep(0.01 * k)
        store.add(codes[k : k + 1], numbers[k : k + 1].astype(float))
        store.write()

    store._new = Slow()
    at_once(work)
    values, known = store.look_up(codes)
    assert known.all()
    np.testing.assert_array_equal(values, numbers)


def test_what_is_kept_may_be_forgotten_while_others_ask():
    def nbytes(value):
        time.sleep(0.001)
        return len(value)

    @kept(limit=100, nbytes=nbytes)
    def zeros(count):
        return bytes(count)

    def work(k):
        for number in range(10):
            if k == 0:
                zeros.forget()
                time.sleep(0.005)
            else:
                assert len(zeros(10 * k - number)) == 10 * k - number
                assert zeros.kept_bytes() <= 100

    at_once(work)


def test_files_that_threads_read_leave_the_filters_of_warnings_as_they_were(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(3.0))
    before, load = list(warnings.filters), np.load

    def slow(*args, **how):
        time.sleep(random.Random(threading.get_ident()).uniform(0.0, 0.02))
        return load(*args, **how)

    monkeypatch.setattr(np, "load", slow)
    for array in at_once(lambda _: load_array(tmp_path / "x.npy")):
        np.testing.assert_array_equal(array, np.arange(3.0))
    assert list(warnings.filters) == before


# What a fresh process does first in eight threads at once; it prints the values.
FIRST = """
import random, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor

seed, start = int(sys.argv[1]), threading.Barrier(8)
warnings.simplefilter("ignore", UserWarning)

def work(k):
    start.wait(timeout=60)
    import stotmetrics
    from stotmetrics.versions import kernel_builds
    names = stotmetrics.list_metrics()
    random.Random(8 * seed + k).shuffle(names)
    values = {}
    for name in names:
        traits = stotmetrics.get_metric(name).traits
        x, y = ([[0.1, 0.5], [0.2, 0.9], [0.7, 0.3]], [[0.3, 0.4], [0.6, 0.6], [0.2, 0.8]])
        values[name] = stotmetrics.distance(x, y, metric=name)
    return sorted(values.items()), stotmetrics.dtw([0.0, 1.0], [0.0, 2.0]), sorted(kernel_builds().items())

if seed < 0:
    start = threading.Barrier(1)
    print(work(0))
else:
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(work, range(8)):
            print(answer)
"""


def run(command, environment=None):
    """What a process of its own prints, one line each."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def first(seed):
    return run([sys.executable, "-c", FIRST, str(seed)])


def test_first_use_by_eight_threads_is_as_by_one():
    (truth,) = first(-1)
    for seed in range(3):
        assert first(seed) == [truth] * THREADS


# Two threads import a module each, the second one a little later.
TWO = """
import importlib, sys, threading, time

def load(name, delay):
    time.sleep(delay)
    importlib.import_module(name)

errors = []
threading.excepthook = errors.append
threads = [threading.Thread(target=load, args=(name, k * float(sys.argv[3]))) for k, name in enumerate(sys.argv[1:3])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(errors)
"""


@pytest.mark.parametrize("kernel", ["_entropic", "_matrixfree", "_sinkhorn"])
def test_a_kernel_and_scipy_are_imported_by_two_threads(kernel):
    for names in (["scipy.linalg", f"stotmetrics.kernels.{kernel}"], [f"stotmetrics.kernels.{kernel}", "scipy.linalg"]):
        for delay in (0.0, 0.02, 0.05):
            assert run([sys.executable, "-c", TWO, *names, str(delay)]) == ["[]"]


def test_the_packages_of_what_is_imported_later_are_there_at_once():
    later = {stotmetrics._LAZY[name].strip(".") for name in stotmetrics._LAZY}
    later |= {
        point.module.removeprefix("stotmetrics.")
        for point in entry_points(group=registry.GROUP)
        if point.module.startswith("stotmetrics.")
    }
    packages = {f"stotmetrics.{module.partition('.')[0]}" for module in later if "." in module}
    assert "stotmetrics.metrics" in packages
    known = run([sys.executable, "-c", "import stotmetrics, sys; print(*sys.modules, sep='\\n')"])
    assert packages - set(known) == set()


def test_an_error_and_a_stop_in_some_threads_leave_the_others_alone():
    x, y = np.random.default_rng(0).standard_normal((2, 40))
    truth = {name: stotmetrics.distance(x, y, metric=name) for name in ("dtw", "softdtw", "tiot", "etiot")}

    def fails(a, b):
        raise RuntimeError("mine")

    def work(k):
        if k == 0:
            for _ in range(50):
                with pytest.raises(RuntimeError, match="mine"):
                    stotmetrics.pairwise([x, y], metric=fails)
                with pytest.raises(stotmetrics.InvalidSeriesError):
                    stotmetrics.distance([np.nan], y)
        elif k == 1:
            stop = Stop()
            threading.Timer(0.1, stop.ask).start()
            assert stop.run(stotmetrics.softdtw, LONG, {}) is None
        else:
            for _ in range(20):
                assert {name: stotmetrics.distance(x, y, metric=name) for name in truth} == truth

    at_once(work)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_an_interrupt_of_the_main_thread_leaves_the_others_alone():
    class AlarmError(Exception):
        pass

    def ring(number, frame):
        raise AlarmError

    x, y = np.random.default_rng(0).standard_normal((2, 60))
    truth, over = stotmetrics.tiot(x, y), threading.Event()

    def work():
        answers = set()
        while not over.is_set():
            answers.add(stotmetrics.tiot(x, y))
        return answers

    before = signal.signal(signal.SIGALRM, ring)
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(work) for _ in range(4)]
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(AlarmError):
                stotmetrics.softdtw(*LONG)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
            over.set()
        assert [other.result(timeout=60) for other in others] == [{truth}] * 4


LOCK = """
import importlib, pkgutil, sys, warnings
import stotmetrics

for module in pkgutil.walk_packages(stotmetrics.__path__, "stotmetrics."):
    if not module.name.startswith("stotmetrics.hosts.") and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
warnings.simplefilter("ignore", UserWarning)
x, y = ([[0.1, 0.5], [0.2, 0.9], [0.7, 0.3]], [[0.3, 0.4], [0.6, 0.6], [0.2, 0.8]])
for name in stotmetrics.list_metrics():
    metric = stotmetrics.get_metric(name)
    metric(x, y), stotmetrics.pairwise([x, y], metric=metric, n_jobs=2)
assert not sys._is_gil_enabled()
"""


@pytest.mark.skipif(
    not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled(),
    reason="this Python runs with the interpreter's lock",
)
def test_nothing_here_turns_the_interpreters_lock_on():
    # Not with the variable that keeps the lock off whatever is imported.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    run([sys.executable, "-W", "error::RuntimeWarning", "-c", LOCK], environment)
