"""The workers of one call: what they are given, how tasks reach them, and what becomes of the tasks of a lost one.

A task is a function of this package and a few indices. Everything else that it needs, the metric and its series, is one
:class:`Workload`: threads share it, a process of this machine maps its arrays from memory, and to a cluster it is sent
once a worker. Series are prepared where the work is done, and kept there for the next task.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from functools import partial
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import ThreadingBackend, get_active_backend

from ..arrays import is_integer
from ..errors import InvalidParameterError, warn_user
from ..kernels._interrupt import Stop
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.prepared import PreparedSet
from .blas import one_blas_thread
from .packing import PackedSeries, pack, unpack
from .threads import in_threads

# Seconds of work that are done at once, and that must be left, before workers are started: in this process, elsewhere.
_ALONE = {True: 0.004, False: 0.5}

# Seconds that a series takes to prepare from which on it is for kernels to prepare, and not for the interpreter.
_HEAVY = 0.003

# How often in a row workers may be lost without a single task done in between.
_LOSSES = 3

# Seconds of work in one task for several workers: enough to make handing it out cheap, little enough for balance; and
# how many times larger than the last one a task may be, so that the first ones, which nobody helps with, are short.
_TASK, _GROWTH = 0.05, 4
# Of the last tasks each is so small a part of a worker's share of what is left, down to such a part of a task.
_PART, _SMALLEST = 2, 16

# A function of a workload and the arguments of one task.
Function = Callable[..., Any]


class Workload:
    """A metric and its sets of series, prepared once in each process.

    It pickles as a few arrays, however many series there are.
    """

    def __init__(self, metric: BoundMetric, *sets: Sequence[Series] | PackedSeries) -> None:
        self.metric = metric
        self._sets = sets
        self._token = uuid.uuid4().hex
        self._unpacked: list[Sequence[Series] | None] = [None] * len(sets)
        self._prepared: list[PreparedSet | None] = [None] * len(sets)
        self._packed: tuple[PackedSeries, ...] | None = None
        # Whether a process that gets it keeps it for the tasks to come; on a cluster the worker itself does.
        self.comes_again = True

    def series(self, which: int) -> Sequence[Series]:
        """One of the sets; -1 is the last, which is the first where there is one only."""
        series = self._sets[which]
        if not isinstance(series, PackedSeries):
            return series
        if self._unpacked[which] is None:
            self._unpacked[which] = unpack(series)
        return self._unpacked[which] or ()

    def prepared(self, which: int) -> PreparedSet:
        """The same set prepared: each series when it is first asked for, unless that was done before."""
        prepared = self._prepared[which]
        if prepared is None:
            series = self.series(which)
            plain = self.metric.spec.prepare is None
            prepared = PreparedSet(series) if plain else _LazySet(self.metric, series)
            self._prepared[which] = prepared
        return prepared

    def keep(self, which: int, prepared: PreparedSet) -> None:
        """Take a set that is prepared already."""
        self._prepared[which] = prepared

    def _packs(self) -> tuple[PackedSeries, ...]:
        if self._packed is None:
            self._packed = tuple(series if isinstance(series, PackedSeries) else pack(series) for series in self._sets)
        return self._packed

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._token, self.metric, self._packs(), self.comes_again)


class _LazySet(PreparedSet):
    """Series prepared when they are asked for; two threads that ask at once may both do it, to the same end."""

    __slots__ = ("_metric", "_ready")

    def __init__(self, metric: BoundMetric, series: Sequence[Series]) -> None:
        super().__init__(series)
        self._metric = metric
        self._ready: list[Any] = [None] * len(self._items)

    def _prepared_one(self, index: int) -> Any:
        if self._ready[index] is None:
            self._ready[index] = self._metric.prepare(self._items[index])
        return self._ready[index]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return PreparedSet(self._prepared_one(k) for k in range(*index.indices(len(self))))
        return self._prepared_one(range(len(self))[index])

    def __iter__(self) -> Iterator[Any]:
        return (self._prepared_one(k) for k in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _LazySet, (self._metric, self._items)


# A process that gets its workload with every task keeps what it prepared of the last ones.
_recent: deque[Workload] = deque(maxlen=4)
_arrivals = threading.Lock()


def _arrived(token: str, metric: BoundMetric, packs: tuple[PackedSeries, ...], comes_again: bool) -> Workload:
    with _arrivals:
        for known in _recent:
            if known._token == token:
                return known
        load = Workload(metric, *packs)
        load._token = token
        load.comes_again = comes_again
        if comes_again:
            _recent.append(load)
        return load


class Pace:
    """How much makes a task, as the time of such work has shown so far; from 0 on, that is for others to say."""

    def __init__(self, size: int, workers: int = 1) -> None:
        self.size = size
        self._workers = workers

    def share(self, left: int) -> int:
        """The next task of what is left: towards the end smaller ones, so that all workers end at once."""
        return min(self.size, max(left // (_PART * self._workers), self.size // _SMALLEST, 1))

    def learn(self, size: int, seconds: float) -> None:
        """So much took so long."""
        # The first tasks take too little time to tell much.
        most = _GROWTH * self.size
        self.size = min(max(int(size * _TASK / max(seconds, 1e-9)), 1), most)


class Workers:
    """The workers that do the tasks of one call.

    Threads (or processes, for a metric that holds the interpreter's lock) are preferred, never imposed: a
    ``joblib.parallel_config`` around the call decides. Within a worker of joblib a call starts no workers of its own.
    """

    def __init__(self, load: Workload, n_jobs: int | None, *, eager: bool = False) -> None:
        self.load = load
        self._eager = eager
        self._prefer = "threads" if load.metric.traits.releases_gil else "processes"
        backend, _ = get_active_backend(prefer=self._prefer)
        jobs = check_jobs(n_jobs)
        self._n_jobs = 1 if getattr(backend, "nesting_level", None) else jobs
        # A cluster's client brings data to each of its workers, once; joblib's own way leaves them on one, which may
        # be lost.
        client = getattr(backend, "client", None)
        self._client = client if hasattr(client, "scatter") else None
        self._several = effective_n_jobs(self._n_jobs) > 1 or self._client is not None
        self._here = bool(getattr(backend, "supports_sharedmem", False)) or not self._several
        self._threads = backend if isinstance(backend, ThreadingBackend) else None
        self._sent: Any = None

    @property
    def several(self) -> bool:
        """Whether anybody shares the work."""
        return self._several

    @property
    def in_threads(self) -> bool:
        """Whether those are threads of this process."""
        return self._several and self._threads is not None

    @property
    def count(self) -> int:
        """How many share it."""
        return effective_n_jobs(self._n_jobs)

    def prepare(self) -> None:
        """Prepare every series in this process; elsewhere workers do it for themselves."""
        if not self._here or self.load.metric.spec.prepare is None:
            return
        for which in range(len(self.load._sets)):
            if self.load._prepared[which] is None:
                self.load.keep(which, PreparedSet(self._prepare(which)))

    def _prepare(self, which: int) -> Iterator[Any]:
        """A set prepared. Several threads are of use only where a series takes long: else they wait for a lock."""
        series, prepare, seconds = self.load.series(which), self.load.metric.prepare, 0.0
        # The first one may load what the next ones find.
        for x in series[:2]:
            began = time.perf_counter()
            yield prepare(x)
            seconds = time.perf_counter() - began
        if self._several and seconds > _HEAVY:
            rest = range(2, len(series))
            late = dict(self.run(_prepare, ((which, k) for k in rest), len(rest)))
            yield from (late[k] for k in rest)
        else:
            yield from map(prepare, series[2:])

    def run(
        self,
        function: Function,
        tasks: Iterable[tuple[Any, ...]],
        count: int,
        size: Callable[[tuple[Any, ...]], int] = lambda task: 1,
    ) -> Iterator[Any]:
        """Yield ``function(load, *task)`` for each task as they come, in any order; their sizes add up to ``count``.

        The first tasks are done here: workers start once there is more left to do than starting them takes.
        """
        tasks = iter(tasks)
        if self._several and not self._eager:
            start, done = time.perf_counter(), 0
            for task in tasks:
                yield function(self.load, *task)
                done += size(task)
                spent = time.perf_counter() - start
                if spent > _ALONE[self._here] and spent * (count - done) > _ALONE[self._here] * done:
                    break
            else:
                return
        if (self._several or self._eager) and self._threads is None:
            yield from self._hand_out(function, tasks)
            return
        stop = Stop()
        work = partial(_work, stop, self.load, function, 0)
        try:
            results = in_threads(work, tasks, self.count, self._threads) if self._several else map(work, tasks)
            for _, result in results:
                yield result
        finally:
            stop.ask()

    def _hand_out(self, function: Function, tasks: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
        stop, out, turn = Stop(), dict[int, tuple[Any, ...]](), threading.Lock()
        numbered, again, losses = enumerate(tasks), list[tuple[int, tuple[Any, ...]]](), 0

        def handed() -> Iterator[Any]:
            load = self._load_for_workers()
            while True:
                with turn:  # joblib asks from several threads
                    number, task = again.pop() if again else next(numbered, (-1, ()))
                    if number < 0:
                        return
                    out[number] = task
                yield delayed(_work)(stop, load, function, number, task)

        try:
            while True:
                try:
                    for number, result in self._parallel()(handed()):
                        del out[number]
                        losses = 0
                        yield result
                    # A thread of joblib that outlived a loss may have taken a task with it.
                    if not out:
                        return
                except (BrokenExecutor, CancelledError) as error:
                    losses += 1
                    if losses >= _LOSSES:
                        raise _lost_for_good() from error
                    _warn_of_loss(error, len(out))
                    self._sent = None  # it may have been lost as well
                with turn:
                    again, out = list(out.items()), {}
        finally:
            # After Ctrl-C, an error or a caller that has had enough, no thread goes on for nobody.
            stop.ask()

    def _parallel(self) -> Any:
        # As many as joblib's own "2 * n_jobs", which it parses as Python: the parser of 3.11 fails in several threads.
        ahead = 2 * effective_n_jobs(self._n_jobs)
        try:
            return Parallel(
                n_jobs=self._n_jobs, prefer=self._prefer, pre_dispatch=ahead, return_as="generator_unordered"
            )
        except ValueError:  # a backend that can only return everything at the end
            return Parallel(n_jobs=self._n_jobs, prefer=self._prefer, pre_dispatch=ahead)

    def _load_for_workers(self) -> Any:
        # With a single worker joblib does the tasks here.
        if self._client is None or effective_n_jobs(self._n_jobs) == 1:
            return self.load
        if self._sent is None:
            self.load.comes_again = False
            self._sent = self._client.scatter(self.load, broadcast=True, hash=False)
        return self._sent


def _work(stop: Stop, load: Any, function: Function, number: int, task: tuple[Any, ...]) -> tuple[int, Any]:
    """Do a task; in a worker thread, which hears no signal, until the call that it belongs to is given up."""
    if not isinstance(load, Workload):  # it is on the cluster, and the task is not: workers went meanwhile
        load = load.result()
    with one_blas_thread():
        if threading.current_thread() is threading.main_thread():
            return number, function(load, *task)
        return number, stop.run(function, (load, *task), {})


def _prepare(load: Workload, which: int, k: int) -> tuple[int, Any]:
    return k, load.metric.prepare(load.series(which)[k])


def _warn_of_loss(error: BaseException, tasks: int) -> None:
    warn_user(f"a worker was lost ({type(error).__name__}); the {tasks} tasks in flight are done again", RuntimeWarning)


def _lost_for_good() -> RuntimeError:
    return RuntimeError(
        f"workers were lost {_LOSSES} times without a task done in between: one of the tasks in flight crashes them, "
        "or takes more memory than they have; n_jobs=1 shows which"
    )


def check_jobs(n_jobs: Any) -> int | None:
    """``n_jobs`` as joblib takes it, or an error for people."""
    if n_jobs is None:
        return None
    if not is_integer(n_jobs) or n_jobs == 0:
        raise InvalidParameterError(f"n_jobs must be None or a non-zero integer (-1: all cores); got {n_jobs!r}")
    return int(n_jobs)
