"""The command line: classify · list · show · dist · matrix · check."""

import argparse
import ast
import contextlib
import csv
import dataclasses
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import __version__, api, datasets
from .datasets import DataFileError
from .engine import neighbors
from .errors import (
    ConvergenceWarning,
    DuplicateMetricError,
    InvalidParameterError,
    InvalidSeriesError,
    MetricLoadError,
    UnknownMetricError,
)
from .series import Series, as_series
from .spec import registry
from .spec.bound import BoundMetric
from .spec.traits import Traits

# What a user can mend; anything else is ours and keeps its traceback.
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, by default those of the process.

    Returns
    -------
    int
        The exit status: 0, 1 if ``check`` found a broken claim, 2 for what the user can mend, 130 after Ctrl-C.
    """
    options = parser().parse_args(argv)
    with _warnings_in_one_line():
        try:
            return int(options.run(options) or 0)
        except BrokenPipeError:
            # The reader of a pipe has had enough; nothing may be written to it at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except EXPECTED as error:
            print(f"stotmetrics: error: {_one_line(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stotmetrics: interrupted", file=sys.stderr)
            return 130


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(prog="stotmetrics", description="Metrics for time series, by name.")
    top.add_argument("--version", action="version", version=f"stotmetrics {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int | None], about: str) -> argparse.ArgumentParser:
        found = commands.add_parser(run.__name__.removesuffix("_metrics"), help=about, description=run.__doc__)
        found.set_defaults(run=run)
        return found

    classifying = command(classify, "classify a labelled set of series by its nearest neighbours")
    classifying.add_argument("train", nargs="?", help=".npz file with both parts, or the training file")
    classifying.add_argument("test", nargs="?", help="the test file")
    _add_metric(classifying, default="softdtw")
    classifying.add_argument("--k", type=_positive, default=1, metavar="K", help="neighbours that vote (default 1)")
    _add_work(classifying)
    classifying.add_argument("--out", type=Path, metavar="FILE", help="write everything (.json) or predictions (.csv)")

    command(list_metrics, "the metrics that are installed")

    showing = command(show, "what a metric measures, its parameters and what it claims")
    showing.add_argument("metric", metavar="NAME")
    _add_params(showing)

    measuring = command(dist, "the distance between two series")
    measuring.add_argument("a", metavar="A", help=".npy, .npz or text file of one series, or a JSON list")
    measuring.add_argument("b", metavar="B")
    _add_metric(measuring, default="softdtw")

    filling = command(matrix, "all distances within a set of series")
    filling.add_argument("file", metavar="FILE", help="the series: UCR text, .ts, .npz or .npy")
    _add_metric(filling, default="softdtw")
    _add_work(filling)
    filling.add_argument("--out", type=Path, required=True, metavar="D.npy", help="where the matrix goes")

    checking = command(check, "whether a metric keeps what it claims")
    checking.add_argument("metric", metavar="NAME", help="a name from 'list', or package.module:SPEC")
    _add_params(checking)
    checking.add_argument("--max-examples", type=_positive, default=100, metavar="N", help="examples (default 100)")
    checking.add_argument("--max-length", type=_positive, default=6, metavar="N", help="longest series (default 6)")
    checking.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (default 0)")
    return top


def classify(options: argparse.Namespace) -> None:
    """Classify the test series by the labels of their nearest training series. Without files: the set Trace."""
    write = _writer(options.out)
    metric = _bound(options)
    data = datasets.load_builtin() if options.train is None else datasets.load_split(options.train, options.test)
    if options.k > len(data.y_train):
        raise DataFileError(f"--k {options.k} neighbours are more than the {len(data.y_train)} training series")
    start = time.perf_counter()
    found = neighbors.kneighbors(
        data.X_train, data.X_test, metric, options.k, n_jobs=options.n_jobs, progress=_wants_bar(options)
    )
    seconds = time.perf_counter() - start
    predicted = vote(data.y_train, found.indices)
    wrong = int((predicted != data.y_test).sum())
    error = wrong / len(predicted)
    print(f"data set    {data.describe()}")
    print(f"metric      {metric!r}")
    print(f"neighbours  {options.k}")
    print(f"error rate  {error:.4f} ({wrong} of {len(predicted)} wrong)")
    print(f"pairs       {found.pairs}, of which {found.solved} solved to the end and {found.abandoned} broken off")
    print(f"seconds     {seconds:.2f}")
    print("\nconfusion: a row for each true class, a column for each predicted one")
    for line in confusion_lines(data.y_test, predicted):
        print(line)
    write(
        {
            "data": data.name,
            **metric.config(),
            "k": options.k,
            "error_rate": error,
            "seconds": seconds,
            "pairs": found.pairs,
            "solved": found.solved,
            "true": data.y_test.tolist(),
            "predicted": predicted.tolist(),
        }
    )


def list_metrics(options: argparse.Namespace) -> None:
    """List the metrics that are installed, with what provides them."""
    rows = []
    for entry in registry.catalogue():
        about = f"broken: {_one_line(entry.error)}" if entry.spec is None else entry.spec.summary
        rows.append((entry.name, entry.distribution, about))
    print("\n".join(_table(rows)))


def show(options: argparse.Namespace) -> None:
    """Show what a metric measures, its parameters with their ranges, and what it claims at these parameters."""
    metric = _bound(options)
    spec = metric.spec
    print(f"{spec.name}: {spec.summary}")
    known = spec.parameters
    if known:
        print("\nparameters")
        rows = [(name, f"= {getattr(metric.params, name)!r}", known[name].wants, known[name].doc) for name in known]
        print("\n".join(f"  {line}" for line in _table(rows)))
    print("\ntraits")
    for line in _table(list(_claims(metric.traits))):
        print(f"  {line}")
    offers = [field.name for field in dataclasses.fields(spec) if field.default is None and getattr(spec, field.name)]
    print(f"\noffers    {', '.join(['pair', *offers])}")
    if spec.citation:
        print(f"citation  {spec.citation}")


def dist(options: argparse.Namespace) -> None:
    """Print the distance between two series."""
    metric = _bound(options)
    x, y = (_series(source, name) for source, name in ((options.a, "A"), (options.b, "B")))
    print(repr(metric(x, y)))


def matrix(options: argparse.Namespace) -> None:
    """Write the matrix of all distances within a set of series as a .npy file. A run that was stopped goes on."""
    if options.out.suffix.lower() != ".npy":
        raise InvalidParameterError(f"--out must end in .npy; got {options.out}")
    _check_folder(options.out)
    metric = _bound(options)
    X = datasets.load_collection(options.file)
    D = api.pairwise(X, metric=metric, n_jobs=options.n_jobs, progress=_wants_bar(options), out=options.out)
    print(f"{options.out}: {D.shape[0]} x {D.shape[1]} distances, {metric!r}")


def check(options: argparse.Namespace) -> int:
    """Check by properties whether a metric keeps what it claims. The status is 1 if it does not."""
    try:
        from .testing import report
    except ImportError as error:
        if error.name not in ("hypothesis", "pytest"):
            raise
        raise MetricLoadError(f"the checks need {error.name}: pip install 'stotmetrics[test]'") from error
    if ":" not in options.metric:
        _bound(options)
    how = {name: getattr(options, name) for name in ("max_examples", "max_length", "seed")}
    kept = report(options.metric, params=_params(options), **how)
    return 0 if kept else 1


def vote(labels: npt.NDArray[Any], nearest: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """The commonest label among the neighbours in each row; the smallest one where several are equally common.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.cli import vote
    >>> vote(np.array(["a", "b", "b"]), np.array([[0, 1, 2], [0, 1, 0]])).tolist()
    ['b', 'a']
    """
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.stack([(codes[nearest] == code).sum(axis=1) for code in range(len(classes))], axis=1)
    winners: npt.NDArray[Any] = classes[counts.argmax(axis=1)]
    return winners


def confusion_lines(true: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> list[str]:
    """The confusion matrix as aligned text."""
    from sklearn.metrics import confusion_matrix

    classes = np.union1d(true, predicted)
    counts = confusion_matrix(true, predicted, labels=classes)
    rows = [("", *classes), *((label, *row) for label, row in zip(classes, counts, strict=True))]
    width = max(len(str(cell)) for row in rows for cell in row)
    return ["  ".join(str(cell).rjust(width) for cell in row) for row in rows]


def _wants_bar(options: argparse.Namespace) -> bool:
    # A bar is for a person at a terminal, not for a log.
    return bool(options.progress and sys.stderr.isatty())


def _series(source: str, name: str) -> Series:
    parts = datasets.load_series(source)
    return as_series(parts.pop("values"), name=name, **parts)


def _bound(options: argparse.Namespace) -> BoundMetric:
    try:
        return api.get_metric(options.metric, **_params(options))
    except TypeError as error:
        # An unknown parameter name is a programmer's TypeError in Python; here it is a word mistyped.
        raise InvalidParameterError(str(error)) from error


def _params(options: argparse.Namespace) -> dict[str, Any]:
    return dict(_param(text) for text in options.param)


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InvalidParameterError(f"--param must be name=value; got {text!r}")
    return name, parse_value(value)


def parse_value(text: str) -> Any:
    """The value of ``--param name=value``: a Python literal, a JSON word, ``@file.npy`` or else the text itself.

    Examples
    --------
    >>> from stotmetrics.cli import parse_value
    >>> [parse_value(text) for text in ("0.1", "inf", "None", "true", "median")]
    [0.1, inf, None, True, 'median']
    """
    if text.startswith("@"):
        return datasets.load_array(text[1:])
    if text in ("inf", "-inf", "nan"):
        return float(text)
    for read in (ast.literal_eval, json.loads):
        with contextlib.suppress(ValueError, SyntaxError):
            return read(text)
    return text


def _claims(traits: Traits) -> Iterator[tuple[str, str]]:
    for name in Traits.__slots__:
        value = getattr(traits, name)
        yield name, {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _writer(path: Path | None) -> Callable[[dict[str, Any]], None]:
    """What to do with the outcome; a path that cannot work is refused before the work."""
    if path is None:
        return lambda outcome: None
    if path.suffix.lower() not in (".json", ".csv"):
        raise InvalidParameterError(f"--out must end in .json or .csv; got {path}")
    _check_folder(path)
    return lambda outcome: _write(path, outcome)


def _write(path: Path, outcome: dict[str, Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix.lower() == ".json":
            json.dump(outcome, file, indent=1)
            file.write("\n")
        else:
            table = csv.writer(file)
            table.writerow(("true", "predicted"))
            table.writerows(zip(outcome["true"], outcome["predicted"], strict=True))


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")


def _add_metric(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument("--metric", default=default, metavar="NAME", help=f"see 'list' (default {default})")
    _add_params(command)


def _add_params(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the metric, e.g. gamma=0.1, scale=median, rho=inf, ground=@cost.npy; repeatable",
    )


def _add_work(command: argparse.ArgumentParser) -> None:
    command.add_argument("--n-jobs", type=int, default=-1, metavar="N", help="threads (default: one a core)")
    command.add_argument("--no-progress", dest="progress", action="store_false", help="no progress bar")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _one_line(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot use {error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def tell(message: Warning | str, *where: Any, **more: Any) -> None:
        print(f"stotmetrics: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.showwarning = tell
        yield


if __name__ == "__main__":
    sys.exit(main())
