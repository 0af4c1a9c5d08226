"""Results that are kept for the next call, as long as they are few bytes together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


def kept(
    limit: int, nbytes: Callable[[Any], int]
) -> Callable[[Callable[Arguments, Value]], Callable[Arguments, Value]]:
    """Keep what a function of hashable arguments returns.

    The least recently used go first when all together pass the limit; the last one is kept whatever its size, so that
    a thousand series on one large ground share one kernel. Threads that ask for the same wait for one of them.

    Parameters
    ----------
    limit : int
        Bytes.
    nbytes : callable
        The size of a value.

    Returns
    -------
    callable
        A decorator. The function that it makes has ``kept_bytes()``, what is held now, and ``forget()``.

    Examples
    --------
    >>> from stotmetrics.transport.kept import kept
    >>> @kept(limit=100, nbytes=len)
    ... def zeros(count):
    ...     return bytes(count)
    >>> zeros(60) is zeros(60), len(zeros(70)), zeros.kept_bytes()
    (True, 70, 70)
    """

    def decorate(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
        values: OrderedDict[Hashable, Value] = OrderedDict()
        lock = threading.RLock()

        def kept_bytes() -> int:
            with lock:
                return sum(map(nbytes, values.values()))

        def forget() -> None:
            with lock:
                values.clear()

        @wraps(function)
        def remembering(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
            key = args, tuple(sorted(kwargs.items()))
            with lock:
                if key not in values:
                    values[key] = function(*args, **kwargs)
                    while len(values) > 1 and kept_bytes() > limit:
                        values.popitem(last=False)
                values.move_to_end(key)
                return values[key]

        remembering.kept_bytes = kept_bytes  # type: ignore[attr-defined]
        remembering.forget = forget  # type: ignore[attr-defined]
        return remembering

    return decorate
