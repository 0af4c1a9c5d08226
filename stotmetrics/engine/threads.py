"""Tasks done in threads of this process, their results handed over as they come.

The caller waits for nothing but the next result: joblib's generators look for results every ten milliseconds, which is
as long as a task of a small matrix, and its threads take milliseconds to start.
"""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from joblib import parallel_config

# Seconds after which the wait for a result hears Ctrl-C on platforms where a lock does not.
_PATIENCE = 0.5
# What stands for no task, and what a thread says when it leaves.
_NONE, _LEFT = object(), object()


def in_threads(work: Callable[[Any], Any], tasks: Iterator[Any], count: int, backend: Any) -> Iterator[Any]:
    """Yield ``work(task)`` for each task, in any order, from so many threads; an error of one ends them all.

    Each thread works under the backend that joblib's own would set for calls of joblib within a task. Threads end with
    the task in hand once the caller wants no more.
    """
    turn, results, going = threading.Lock(), SimpleQueue[tuple[Any, BaseException | None]](), True
    nested, jobs = backend.get_nested_backend()

    def serve() -> None:
        try:
            with parallel_config(backend=nested, n_jobs=jobs):
                while going:
                    with turn:
                        task = next(tasks, _NONE)
                    if task is _NONE:
                        break
                    results.put((work(task), None))
        except BaseException as error:  # it is raised where the results are taken
            results.put((_LEFT, error))
        else:
            results.put((_LEFT, None))

    left = count
    try:
        for _ in range(count):
            threading.Thread(target=serve, daemon=True).start()
        while left:
            try:
                result, error = results.get(timeout=_PATIENCE)
            except Empty:
                continue
            if error is not None:
                raise error
            if result is _LEFT:
                left -= 1
            else:
                yield result
    finally:
        going = False
