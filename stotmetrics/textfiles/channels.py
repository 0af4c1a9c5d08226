"""The parts of a line: values of several channels, with or without the times beside them, and a label at the end."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..errors import DataFileError, InvalidSeriesError
from ..series import Series, as_series
from ..timestamps import times_of_text
from .lines import fields_of, numbers_of, without_padding


def split_outside(line: str, separator: str) -> list[str]:
    """Split where no bracket or quote is open."""
    parts, depth, quote, start = [], 0, "", 0
    if "(" not in line and "'" not in line and '"' not in line:
        return line.split(separator)
    for k, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote and line[k - 1] != "\\" else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == separator and depth == 0:
            parts.append(line[start:k])
            start = k + 1
    return [*parts, line[start:]]


def plain_channels(path: Path, number: int, parts: Sequence[str]) -> FloatArray:
    channels = [numbers_of(path, number, fields_of(part)) for part in parts]
    return without_padding(beside(path, number, channels))


def beside(path: Path, number: int, channels: Sequence[FloatArray]) -> FloatArray:
    lengths = [len(values) for values in channels]
    if not lengths or len(set(lengths)) > 1 or not lengths[0]:
        raise DataFileError(f"{path}: line {number}: the dimensions have lengths {lengths}, wanted one length")
    return channels[0] if len(channels) == 1 else np.stack(channels, axis=1)


_PAIR = re.compile(r"\(\s*([^(),]+?)\s*,\s*([^(),]*?)\s*\)\s*(?:,|$)\s*")


def timed_channels(path: Path, number: int, parts: Sequence[str]) -> Series:
    """Dimensions of pairs (time, value), which must share their times."""
    stamps, channels = [], []
    for part in parts:
        pairs, end = [], 0
        text = part.strip()
        for match in _PAIR.finditer(text):
            if match.start() != end:
                break
            pairs.append(match.groups())
            end = match.end()
        if end != len(text) or not pairs:
            raise DataFileError(
                f"{path}: line {number}: wanted pairs (time,value) as @timestamps true says; got {text!r}"
            )
        stamps.append([time for time, _ in pairs])
        channels.append(numbers_of(path, number, [value for _, value in pairs]))
    if any(own != stamps[0] for own in stamps):
        raise DataFileError(f"{path}: line {number}: the dimensions have different timestamps; wanted the same in all")
    return timed_series(path, number, beside(path, number, channels), stamps[0])


def timed_series(path: Path, number: int, values: FloatArray, stamps: Sequence[str]) -> Series:
    """A series with times as they are written: numbers, or dates and hours, which become seconds from the first."""
    try:
        times = times_of_text(stamps)
    except ValueError as error:
        raise DataFileError(f"{path}: line {number}: {error}") from None
    _refuse_parted_rows(path, number, np.isnan(values.reshape(len(values), -1)))
    try:
        return as_series(values, times=times, missing="drop", name="the series")
    except InvalidSeriesError as error:
        raise DataFileError(f"{path}: line {number}: {error}") from None


def _refuse_parted_rows(path: Path, number: int, missing: BoolArray) -> None:
    """A time without any value is no sample; one with some of them would be dropped with what it holds."""
    parted = missing.any(axis=1) & ~missing.all(axis=1)
    if parted.any():
        at = int(np.argmax(parted))
        raise DataFileError(
            f"{path}: line {number}: {int(parted.sum())} of {len(missing)} times lack some channels and have others; "
            f"the first is time index {at}, without channel {int(np.argmax(missing[at]))}; fill these in, or give the "
            "numbers to as_series(values, times=times, missing='drop'), which leaves such times out"
        )


def declared_label(path: Path, number: int, label: str, declared: Sequence[str], attribute: str) -> str:
    if not label:
        raise DataFileError(f"{path}: line {number}: has no label at its end, and the header declares {attribute}")
    if declared and label not in declared and not any(_same_number(label, known) for known in declared):
        raise DataFileError(
            f"{path}: line {number}: the label {label!r} is none of those of {attribute}: {', '.join(declared)}"
        )
    return label


def _same_number(text: str, other: str) -> bool:
    try:
        return float(text) == float(other)
    except ValueError:
        return False
