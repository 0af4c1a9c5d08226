"""UCR text: one series a line, its label first."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..errors import DataFileError
from .lines import FileContent, fields_of, is_number, lines_of, numbers_of, without_padding


def read_ucr(path: Path) -> FileContent:
    """One series a line, its label first."""
    labels: list[str] = []
    series: list[FloatArray] = []
    for number, line in lines_of(path):
        label, *fields = fields_of(line)
        if not fields:
            raise DataFileError(f"{path}: line {number}: wanted a label and then the values; got {line!r}")
        if not label:
            raise DataFileError(f"{path}: line {number}: wanted a label first; got none")
        labels.append(label)
        series.append(without_padding(numbers_of(path, number, fields)))
    return FileContent(list(series), labels, labels_assumed=not _is_split(path) and _may_be_values(labels, series))


def _is_split(path: Path) -> bool:
    """Whether a file is called as those of UCR: NAME_TRAIN or NAME_TEST."""
    return re.search(r"[-_.](train|test)$", path.stem, flags=re.IGNORECASE) is not None


def _may_be_values(labels: Sequence[str], series: Sequence[FloatArray]) -> bool:
    """Whether a first column may be values: numbers with a fraction, or whole and different ones among such values."""
    if not all(is_number(text) and text != "?" for text in labels):
        return False
    numbers = [float(text) for text in labels]
    if not all(number.is_integer() for number in numbers):
        return True
    values = np.concatenate([*series, np.zeros(0)])
    values = values[np.isfinite(values)]
    if len(set(numbers)) < max(len(numbers), 2) or not len(values) or (values % 1.0 > 0.0).any():
        return False
    reach = float(np.ptp(values))
    return bool(values.min() - reach <= min(numbers) and max(numbers) <= values.max() + reach)
