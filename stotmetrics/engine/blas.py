"""BLAS on one thread while pairs are computed, whoever else computes at the same time."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


class _Held:
    """Libraries with one pool for the whole process, held by as many calls as there are at a time.

    The first call sets them to one thread and the last one back, which may be another thread: threadpoolctl by itself
    gives them back with the first call that ends, or lets only the thread decide that came first.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._calls = 0
        self._before: list[tuple[Any, int]] = []

    def take(self, libraries: ThreadpoolController) -> None:
        with self._turn:
            if self._calls == 0:
                self._before = [(library, library.get_num_threads()) for library in libraries.lib_controllers]
                _set([(library, 1) for library, _ in self._before])
            self._calls += 1

    def give(self) -> None:
        with self._turn:
            self._calls -= 1
            if self._calls == 0:
                _set(self._before)


def _set(wanted: list[tuple[Any, int]]) -> None:
    for library, threads in wanted:
        library.set_num_threads(threads)
        # From 3.8 on a thread that has set it keeps the right to, unless it gives it up.
        getattr(library, "clear_controlling_thread", lambda: None)()


_held = _Held()


@lru_cache(maxsize=1)
def _libraries(modules: int) -> tuple[ThreadpoolController, ThreadpoolController]:
    """The BLAS that are loaded, apart those whose limit is one of a thread.

    They are looked for again when there are more modules, which bring more.
    """
    every = ThreadpoolController().select(user_api="blas")
    apart = [library.filepath for library in every.lib_controllers if _is_of_a_thread(library)]
    shared = [library.filepath for library in every.lib_controllers if not _is_of_a_thread(library)]
    return every.select(filepath=shared), every.select(filepath=apart)


def _is_of_a_thread(library: Any) -> bool:
    return library.internal_api == "openblas" and getattr(library, "threading_layer", "") == "openmp"


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: the workers are the parallelism, and sums keep their order whatever their number."""
    shared, of_thread = _libraries(len(sys.modules))
    _held.take(shared)
    try:
        with of_thread.limit(limits=1):
            yield
    finally:
        _held.give()
