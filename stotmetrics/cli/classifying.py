"""The command classify: nearest neighbours, a parameter chosen on the training set, an error rate."""

import argparse
import csv
import dataclasses
import io
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets
from ..datasets import DataFileError
from ..engine import neighbors
from ..engine.workers import check_jobs
from ..errors import InvalidParameterError
from ..spec.bound import BoundMetric
from .options import bound, grid
from .progress import progress
from .terminal import check_folder, complain, write_text
from .voting import Labels, confusion_lines, listed, of_one_kind, strangers, table, vote, without_self


@dataclass(frozen=True)
class Verdict:
    """What was predicted of some series, and what it took."""

    true: Labels
    predicted: Labels
    pairs: int
    solved: int
    abandoned: int
    seconds: float

    @property
    def wrong(self) -> int:
        """How many predictions are."""
        return int((self.predicted != self.true).sum())

    @property
    def error(self) -> float:
        """The share of them."""
        return self.wrong / len(self.true)

    def __str__(self) -> str:
        return f"{self.error:.4f} ({self.wrong} of {len(self.true)} wrong)"


@dataclass(frozen=True)
class Trial:
    """One combination of ``--grid``, judged on the training set."""

    values: Mapping[str, Any]
    metric: BoundMetric
    verdict: Verdict

    @property
    def setting(self) -> str:
        """As on the command line."""
        return ", ".join(f"{name}={value}" for name, value in self.values.items())

    def config(self) -> dict[str, Any]:
        """For the file."""
        return {"params": dict(self.values), "error_rate": self.verdict.error}


def classify(options: argparse.Namespace) -> None:
    """Classify the test series by the labels of their nearest training series. Without files: JapaneseVowels."""
    write = _writer(options.out)
    check_jobs(options.n_jobs)
    candidates = [(values, bound(options, **values)) for values in grid(options) or [{}]]
    data, tested = _read(options)
    training = options.leave_one_out or len(candidates) > 1
    most = len(data.y_train) - (1 if training else 0)
    if options.k > most:
        others = "other training" if training else "training"
        raise DataFileError(f"--k {options.k} neighbours are more than the {most} {others} series")
    tried = [Trial(values, metric, _left_out(metric, data, options)) for values, metric in candidates if training]
    best = min(tried, key=lambda trial: trial.verdict.wrong, default=None)
    metric, own = (best.metric, best.verdict) if best else (candidates[0][1], None)
    verdict = _tested(metric, data, options) if tested or own is None else own
    print(f"data set    {_described(data, tested)}")
    for line in _grid_lines(tried):
        print(line)
    print(f"metric      {metric!r}")
    print(f"neighbours  {options.k}")
    if tested and options.leave_one_out:
        print(f"left out    {own} among the training series, each by the others")
    print(f"error rate  {verdict}{'' if tested else ', each by the others'}")
    print(f"pairs       {verdict.pairs}, of which {verdict.solved} solved and {verdict.abandoned} abandoned early")
    print(f"seconds     {verdict.seconds:.2f}")
    write(
        {
            "data": data.name,
            **metric.config(),
            "k": options.k,
            "evaluation": "test set" if tested else "leave-one-out",
            "error_rate": verdict.error,
            **({"leave_one_out_error_rate": own.error} if own is not None else {}),
            **({"grid": [trial.config() for trial in tried]} if len(tried) > 1 else {}),
            "seconds": verdict.seconds,
            "pairs": verdict.pairs,
            "solved": verdict.solved,
            "true": verdict.true.tolist(),
            "predicted": verdict.predicted.tolist(),
        }
    )
    print("\nconfusion: a row for each true class, a column for each predicted one")
    for line in confusion_lines(verdict.true, verdict.predicted):
        print(line)


def _read(options: argparse.Namespace) -> tuple[datasets.Dataset, bool]:
    """The series, their labels of one kind, and whether there is a test set."""
    tested = options.test is not None or not options.leave_one_out
    if options.train is None:
        data = datasets.load_builtin()
    elif tested:
        data = datasets.load_split(options.train, options.test)
    else:
        X, y = datasets.load_labelled(options.train)
        data = datasets.Dataset(Path(options.train).stem, X, y, X, y)
    y_train, y_test = of_one_kind(data.y_train, data.y_test)
    if tested:
        absent = strangers(y_train, y_test)
        if len(absent):
            count = int(np.isin(y_test, absent).sum())
            complain(
                f"warning: no training series has the label {listed(absent)}: {count} of the {len(y_test)} test "
                "series cannot be classified right"
            )
    return dataclasses.replace(data, y_train=y_train, y_test=y_test), tested


def _described(data: datasets.Dataset, tested: bool) -> str:
    if tested:
        return data.describe()
    lengths = [len(x) for x in data.X_train]
    length = f"{min(lengths)}" if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)}"
    return f"{data.name} ({len(lengths)} series, length {length}, {len(np.unique(data.y_train))} classes)"


def _grid_lines(tried: list[Trial]) -> list[str]:
    if len(tried) < 2:
        return []
    rows = [(trial.setting, str(trial.verdict)) for trial in tried]
    return ["grid        errors among the training series, each by the others"] + [f"  {line}" for line in table(rows)]


def _left_out(metric: BoundMetric, data: datasets.Dataset, options: argparse.Namespace) -> Verdict:
    """Every training series by the others."""
    start = time.perf_counter()
    neighbors = _neighbors(metric, data.X_train, data.X_train, options.k + 1, options, "leave-one-out")
    predicted = vote(data.y_train, without_self(neighbors.indices))
    seconds = time.perf_counter() - start
    return Verdict(data.y_train, predicted, neighbors.pairs, neighbors.solved, neighbors.abandoned, seconds)


def _tested(metric: BoundMetric, data: datasets.Dataset, options: argparse.Namespace) -> Verdict:
    start = time.perf_counter()
    neighbors = _neighbors(metric, data.X_train, data.X_test, options.k, options, metric.name)
    seconds = time.perf_counter() - start
    predicted = vote(data.y_train, neighbors.indices)
    return Verdict(data.y_test, predicted, neighbors.pairs, neighbors.solved, neighbors.abandoned, seconds)


def _neighbors(
    metric: BoundMetric, train: Any, queries: Any, k: int, options: argparse.Namespace, label: str
) -> neighbors.Neighbors:
    with progress(options, label) as bar:
        return neighbors.kneighbors(train, queries, metric, k, n_jobs=options.n_jobs, progress=bar or False)


def _writer(path: Path | None) -> Callable[[dict[str, Any]], None]:
    """What to do with the outcome; a path that cannot work is refused before the work."""
    if path is None:
        return lambda outcome: None
    if path.suffix.lower() not in (".json", ".csv"):
        raise InvalidParameterError(f"--out must end in .json or .csv; got {path}")
    check_folder(path)
    as_text = _json if path.suffix.lower() == ".json" else _csv
    return lambda outcome: write_text(path, as_text(outcome))


def _json(outcome: dict[str, Any]) -> str:
    return json.dumps(_plain(outcome), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """What every reader of JSON reads: it has no word for infinity, nor for an array."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)


def _csv(outcome: dict[str, Any]) -> str:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("true", "predicted"))
    rows.writerows(zip(outcome["true"], outcome["predicted"], strict=True))
    return text.getvalue()
