"""Between a command and its terminal: any encoding, a closed pipe, a full disk, one line for whatever goes wrong."""

import contextlib
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..datasets import DataFileError
from ..errors import (
    ConvergenceWarning,
    DuplicateMetricError,
    InvalidParameterError,
    InvalidSeriesError,
    MetricLoadError,
    UnknownMetricError,
)

# What a user can mend; anything else is a fault of ours or of a metric.
EXPECTED = (
    DataFileError,
    DuplicateMetricError,
    InvalidParameterError,
    InvalidSeriesError,
    MetricLoadError,
    UnknownMetricError,
    OSError,
    MemoryError,
    FloatingPointError,
)

MENDABLE, FAULT, INTERRUPTED = 2, 70, 130

# Asks for the traceback of a fault.
TRACEBACK = "STOTMETRICS_TRACEBACK"


def guarded(work: Callable[[], int]) -> int:
    """Run a command; its exit status, whatever happens, after at most one line about it on standard error."""
    with _any_encoding(), _warnings_in_one_line():
        try:
            return _flushed(work)
        except BrokenPipeError:
            # The reader of a pipe has had enough.
            return _silenced(0)
        except KeyboardInterrupt as stopped:
            complain(" ".join(["interrupted", *map(str, stopped.args)]))
            return _silenced(INTERRUPTED)
        except EXPECTED as error:
            complain(f"error: {one_line(error)}")
            return _silenced(MENDABLE)
        except Exception as error:
            if os.environ.get(TRACEBACK):
                traceback.print_exc()
            complain(
                f"internal error: {type(error).__name__}: {one_line(error)} ({_where(error)}); "
                f"please report it with what {TRACEBACK}=1 prints"
            )
            return _silenced(FAULT)


def complain(text: str) -> None:
    """One line on standard error, if there is anyone to read it."""
    line = f"stotmetrics: {text}"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if "tqdm" in sys.modules:
            # Above a progress bar, if there is one.
            sys.modules["tqdm"].tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)


def one_line(error: BaseException | str | None) -> str:
    """What an error says, in one line.

    Examples
    --------
    >>> from stotmetrics.cli.terminal import one_line
    >>> one_line(ValueError("first\\nsecond")), one_line(MemoryError())
    ('first second', 'not enough memory')
    """
    if isinstance(error, OSError) and error.strerror:
        where = "standard output" if error.filename is None else error.filename
        return f"cannot use {where}: {error.strerror}"
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"not enough memory: {said}" if said else "not enough memory"
    return said or type(error).__name__


def check_folder(path: Path, *, folder_too: bool = False) -> None:
    """Refuse a file (or a folder) that cannot be written, before the work for it is done."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")
    if path.is_dir() and not folder_too:
        raise IsADirectoryError(f"{path} is a folder; name a file in it")


def write_text(path: Path, text: str) -> None:
    """Write a file; what goes wrong names it, even where the system does not."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _flushed(work: Callable[[], int]) -> int:
    """What is not written yet is written here, where it can still be said that it was not."""
    try:
        status = work()
    except SystemExit:  # argparse has said its word
        _flush()
        raise
    _flush()
    return status


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _silenced(status: int) -> int:
    """Write what is left; if that cannot be, send it nowhere, so that it does not fail once more at exit."""
    try:
        _flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
    return status


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


@contextlib.contextmanager
def _any_encoding() -> Iterator[None]:
    """Write what the terminal cannot show as escapes."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            changed.append((stream, stream.errors))
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in changed:
            # Changing it writes what is left, which may fail; that was said already.
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def tell(message: Warning | str, *where: Any, **more: Any) -> None:
        complain(f"warning: {one_line(str(message))}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.showwarning = tell
        yield
