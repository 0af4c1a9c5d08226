"""What a command shows while it takes longer than a second."""

import argparse
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

# Seconds before anything is shown, and between two changes on a terminal and in a log.
PATIENCE, ON_TERMINAL, IN_LOG = 1.0, 0.5, 5.0


class Progress:
    """A bar on standard error that a thread of its own draws, so that it ticks inside one long pair too.

    Call it with ``(done, total)``; with ``total`` 0 it shows the time alone. Nothing is shown in the first second.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._counts = (0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def __call__(self, done: int, total: int) -> None:
        """So many pairs of so many are done."""
        self._counts = (done, total)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _draw(self) -> None:
        if self._over.wait(PATIENCE):
            return
        from tqdm import tqdm

        # Nobody reads a standard error that cannot be written; the work goes on.
        with contextlib.suppress(OSError, ValueError):
            pause = ON_TERMINAL if sys.stderr.isatty() else IN_LOG
            with tqdm(desc=self.label, unit="pair", unit_scale=True, file=sys.stderr, leave=False) as bar:
                bar.start_t -= PATIENCE
                while True:
                    bar.n, bar.total = self._counts
                    bar.bar_format = None if bar.total else "{desc}: {elapsed}"
                    bar.refresh()
                    if self._over.wait(pause):
                        break


class _Above:
    """Standard output whose lines appear above the bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if "tqdm" not in sys.modules:
            return self._stream.write(text)
        with sys.modules["tqdm"].tqdm.external_write_mode(file=self._stream):
            return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def progress(options: argparse.Namespace, label: str) -> Iterator[Progress | None]:
    """A bar where it is wanted: on a terminal unless ``--no-progress``, elsewhere with ``--progress`` only."""
    if not wants_bar(options):
        yield None
        return
    with Progress(label) as bar:
        if sys.stdout is None:
            yield bar
        else:
            with contextlib.redirect_stdout(_Above(sys.stdout)):
                yield bar


def wants_bar(options: argparse.Namespace) -> bool:
    """A bar is for a person at a terminal, not for a log that has not asked for it."""
    if options.progress is not None:
        return bool(options.progress)
    return sys.stderr is not None and sys.stderr.isatty()
