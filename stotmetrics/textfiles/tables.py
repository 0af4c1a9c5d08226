"""Tables with a header: a series a row, or a row a time."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..containers import TIME_NAMES
from ..errors import DataFileError
from ..series import Series
from .channels import timed_series
from .lines import LABEL_NAMES, FileContent, fields_of, is_number, lines_of, numbers_of, without_padding

_INSTANCE_NAMES = frozenset({"instance", "id", "case", "series", "case_id", "series_id", "unique_id", "instance_id"})


def header_of(path: Path) -> list[str] | None:
    """The names of the columns, where the first line holds names and not numbers."""
    names = [name.strip("\"'") for name in fields_of(lines_of(path)[0][1])]
    words = [name for name in names if name and not is_number(name)]
    # A line of values may start with a label that is a word; in a header every column has a name.
    labelled = bool(words) and names[0].lower() in LABEL_NAMES - {"y"} and _are_numbered(names[1:])
    return names if labelled or len(words) == len(names) else None


def _are_numbered(names: Sequence[str]) -> bool:
    """Whether columns count the times of a series: 0, 1, 2 or t1, t2, t3."""
    counts = [re.fullmatch(r"(.*?)(\d{1,18})", name) for name in names]
    if not counts or any(count is None or count[1] != names[0][: len(count[1])] for count in counts):
        return False
    numbers = [int(count[2]) for count in counts if count is not None]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _table(path: Path, names: Sequence[str]) -> list[tuple[int, list[str]]]:
    if len(set(names)) < len(names):
        raise DataFileError(f"{path}: two columns have the same name: {', '.join(names)}")
    rows = [(number, fields_of(line)) for number, line in lines_of(path)[1:]]
    if not rows:
        raise DataFileError(f"{path}: holds no series, only a header")
    for number, fields in rows:
        if len(fields) != len(names):
            raise DataFileError(f"{path}: line {number}: has {len(fields)} fields, and the header {len(names)}")
    return rows


def _one_of(path: Path, names: Sequence[str], known: frozenset[str]) -> int | None:
    places = [k for k, name in enumerate(names) if name.lower() in known]
    if len(places) > 1:
        raise DataFileError(f"{path}: {' and '.join(names[k] for k in places)} have one meaning; keep one of them")
    return places[0] if places else None


def read_table(path: Path, names: Sequence[str]) -> FileContent:
    """A table with a header: a series a row with a column ``label``, or a row a time with ``instance`` and ``time``."""
    instance, time, label = (_one_of(path, names, known) for known in (_INSTANCE_NAMES, TIME_NAMES, LABEL_NAMES))
    rows = _table(path, names)
    if time is None and instance is None:
        content = FileContent(labels=None if label is None else [], unlabelled="no column is called label")
        if not _are_numbered([name for k, name in enumerate(names) if k != label]):
            raise DataFileError(
                f"{path}: its rows may be series or times; where each is a series, the header counts the times "
                "(label,t0,t1,...), and where each is a time, it has the columns instance and time"
            )
        for number, fields in rows:
            if content.labels is not None and label is not None:
                content.labels.append(fields[label])
            values = [text for k, text in enumerate(fields) if k != label]
            content.series.append(without_padding(numbers_of(path, number, values)))
        return content
    if instance is None or time is None:
        wanted = "instance" if instance is None else "time"
        raise DataFileError(
            f"{path}: has no column {wanted!r} beside {names[time if instance is None else instance]!r}; "  # type: ignore[index]
            "a set of series needs both, and a single series is read by load_series"
        )
    groups: dict[str, list[tuple[int, list[str]]]] = {}
    for number, fields in rows:
        groups.setdefault(fields[instance], []).append((number, fields))
    content = FileContent(labels=None if label is None else [], unlabelled="no column is called label")
    channels = [k for k in range(len(names)) if k not in (instance, time, label)]
    if not channels:
        raise DataFileError(f"{path}: has no column of values; its columns are {', '.join(names)}")
    for key, group in groups.items():
        content.series.append(_timed_rows(path, group, channels, time))
        if content.labels is not None and label is not None:
            if len({fields[label] for _, fields in group}) > 1:
                raise DataFileError(f"{path}: instance {key!r} has several labels")
            content.labels.append(group[0][1][label])
    return content


def read_one_of_table(path: Path, names: Sequence[str]) -> dict[str, FloatArray]:
    """A table with a header as one series: a row a time, a column a channel, and the times in the column ``time``."""
    for known, what in ((LABEL_NAMES, "a label for each row"), (_INSTANCE_NAMES, "several series")):
        place = _one_of(path, names, known)
        if place is not None:
            raise DataFileError(
                f"{path}: the column {names[place]!r} says that it holds {what}; wanted a single series"
            )
    time = _one_of(path, names, TIME_NAMES)
    rows = _table(path, names)
    channels = [k for k in range(len(names)) if k != time]
    if not channels:
        raise DataFileError(f"{path}: has no column of values; its columns are {', '.join(names)}")
    if time is None:
        return {"values": np.stack([numbers_of(path, number, fields) for number, fields in rows])}
    series = _timed_rows(path, rows, channels, time)
    return {"values": series.values, "times": series.times}


def _timed_rows(path: Path, rows: Sequence[tuple[int, list[str]]], channels: Sequence[int], time: int) -> Series:
    values = np.stack([numbers_of(path, number, [fields[k] for k in channels]) for number, fields in rows])
    return timed_series(path, rows[0][0], values, [fields[time] for _, fields in rows])
