"""What can be said on the command line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import __version__
from . import commands
from .classifying import classify

# More workers than any machine has cores.
MOST_JOBS = 4096


class Parser(argparse.ArgumentParser):
    """Says when a help text could not be written, too."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message and file is not None and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = Parser(prog="stotmetrics", description="Metrics for time series, by name.")
    top.add_argument("--version", action="version", version=f"stotmetrics {__version__}")
    added_to = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int | None], about: str) -> argparse.ArgumentParser:
        name = run.__name__.removesuffix("_metrics")
        added = added_to.add_parser(name, help=about, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    classifying = command(classify, "classify a labelled set of series by its nearest neighbours")
    classifying.add_argument(
        "train", nargs="?", metavar="TRAIN", help=".npz file with both parts, or the training file"
    )
    classifying.add_argument("test", nargs="?", metavar="TEST", help="the test file")
    _add_metric(classifying, default="dtw")
    classifying.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="NAME=V1,V2",
        help="values of a parameter, of which leave-one-out on the training set chooses; repeatable",
    )
    classifying.add_argument("--k", type=_positive, default=1, metavar="K", help="neighbours that vote (default 1)")
    classifying.add_argument(
        "--leave-one-out", action="store_true", help="classify the training series by the others; TEST is not needed"
    )
    _add_work(classifying)
    classifying.add_argument("--out", type=Path, metavar="FILE", help="write everything (.json) or predictions (.csv)")

    command(commands.list_metrics, "the metrics that are installed")

    showing = command(commands.show, "what a metric measures, its parameters and what it claims")
    showing.add_argument("metric", metavar="NAME")
    _add_params(showing)

    measuring = command(commands.dist, "the distance between two series")
    measuring.add_argument("a", metavar="A", help=".npy, .npz or text file of one series, or a JSON list")
    measuring.add_argument("b", metavar="B")
    _add_metric(measuring, default="softdtw")
    _add_progress(measuring)

    filling = command(commands.matrix, "all distances within a set of series, or between two")
    filling.add_argument("file", nargs="?", metavar="TRAIN", help="the series: UCR text, .ts, .npz or .npy")
    filling.add_argument("other", nargs="?", metavar="TEST", help="other series, one a column; by default the same")
    _add_metric(filling, default="softdtw")
    _add_work(filling)
    filling.add_argument("--out", type=Path, metavar="FILE", help="D.npy, D.zarr, D.csv, or - for CSV to the output")
    filling.add_argument("--overwrite", action="store_true", help="start D.npy or D.zarr anew, whatever it holds")
    filling.add_argument("--condensed", action="store_true", help="the upper triangle alone, as SciPy's squareform")
    filling.add_argument("--dtype", choices=["float64", "float32"], help="of D.npy or D.zarr (default float64)")
    filling.add_argument("--max-memory", metavar="SIZE", help="what matrix and series may take, such as '4 GB'")
    filling.add_argument(
        "--shard",
        type=_shard,
        metavar="K/N",
        help="do the K-th of N shares, for array jobs; --merge puts them together",
    )
    filling.add_argument(
        "--merge", action="store_true", help="make D.npy of its shards, or finish D.zarr; TRAIN is not needed"
    )

    drawing = command(commands.plot, "a picture of how two series are matched")
    drawing.add_argument("a", metavar="A", help=".npy, .npz or text file of one series, or a JSON list")
    drawing.add_argument("b", metavar="B")
    _add_metric(drawing, default="dtw")
    drawing.add_argument(
        "--kind",
        choices=("links", "cost", "alignment", "weight"),
        help="lines between matched times, the cost matrix, the expected alignment, or (tiot, etiot) transport at each "
        "weight; by default lines for one channel and the cost matrix for several",
    )
    drawing.add_argument("--channel", type=int, metavar="N", help="which channel lines join, from 0")
    drawing.add_argument("--out", type=Path, default=Path("plot.png"), metavar="FILE", help="default plot.png")
    _add_progress(drawing)

    checking = command(commands.check, "whether a metric keeps what it claims")
    checking.add_argument("metric", metavar="NAME", help="a name from 'list', or package.module:SPEC")
    _add_params(checking)
    checking.add_argument("--max-examples", type=_positive, default=100, metavar="N", help="examples (default 100)")
    checking.add_argument("--max-length", type=_positive, default=6, metavar="N", help="longest series (default 6)")
    checking.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (default 0)")
    _add_progress(checking)
    return top


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
    command.add_argument("--n-jobs", type=_jobs, default=-1, metavar="N", help="threads (default: one a core)")
    _add_progress(command)


def _add_progress(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="what is done, on standard error, of anything longer than a second (default: on a terminal)",
    )


def _jobs(text: str) -> int:
    number = int(text)
    if abs(number) > MOST_JOBS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_JOBS}; got {number}")
    return number


def _shard(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise argparse.ArgumentTypeError(f"must be K/N, such as 3/16 for the third of sixteen; got {text!r}")
    return int(index), int(count)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number
