"""The lines of a text file, their fields and numbers, and what a reader makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..errors import DataFileError
from ..series import Series

LABEL_NAMES = frozenset({"label", "labels", "class", "target", "y"})


@dataclass
class FileContent:
    """What a file holds: series, and the label of each as it is written there."""

    series: list[FloatArray | Series] = field(default_factory=list)
    labels: list[str] | None = None
    # Why there are no labels, for the one who asks for them.
    unlabelled: str = "the series have no class labels"
    # Whether the first column was taken for labels though it may as well be the first values.
    labels_assumed: bool = False


def lines_of(path: Path, comment: str = "#") -> list[tuple[int, str]]:
    """The numbered lines that say something."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            if path.is_char_device() and not stream.isatty():
                raise DataFileError(f"{path}: a device, which may have no end; give a file or a pipe")
            text = stream.read()
    except UnicodeDecodeError:
        raise DataFileError(f"{path}: not a text file; known endings are .txt .tsv .csv .ts .arff .npy .npz") from None
    lines = [(number, line.strip(" \r\n\v\f")) for number, line in enumerate(text.split("\n"), start=1)]
    telling = [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith(comment)]
    if not telling:
        raise DataFileError(f"{path}: holds no series")
    return telling


def fields_of(line: str) -> list[str]:
    """The fields of a line: between commas, else tabs, else semicolons, else white space."""
    for separator in (",", "\t", ";"):
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()


def number_of(path: Path, line: int, text: str) -> float:
    """One number; what is missing is NaN."""
    if text in ("?", ""):
        return float("nan")
    try:
        if "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise DataFileError(f"{path}: line {line}: {text!r} is not a number") from None


def numbers_of(path: Path, line: int, fields: Sequence[str]) -> FloatArray:
    """Numbers of a line as they stand; a missing one is NaN in its place."""
    return np.array([number_of(path, line, text) for text in fields], dtype=np.float64)


def without_padding(values: FloatArray) -> FloatArray:
    """The values without the times at the end at which all of them are missing."""
    known = np.flatnonzero(~np.isnan(values.reshape(len(values), -1)).all(axis=1))
    return values[: known[-1] + 1] if len(known) else values[:0]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "?"
    return True
