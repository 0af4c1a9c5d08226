"""The ``.ts`` format of the archives of classification and of regression, as aeon and sktime write it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import DataFileError
from .channels import beside, declared_label, split_outside, timed_channels
from .lines import FileContent, fields_of, lines_of, number_of, numbers_of, without_padding

_TS_TAGS = frozenset(
    f"@{tag}"
    for tag in (
        *("problemname", "timestamps", "missing", "univariate", "dimension", "dimensions"),
        *("equallength", "serieslength", "classlabel", "targetlabel", "data"),
    )
)


def read_ts(path: Path) -> FileContent:
    """The ``.ts`` format of the archives of classification and of regression, as aeon and sktime write it."""
    lines = iter(lines_of(path))
    header = _ts_header(path, lines)
    kind = next((tag for tag in ("@classlabel", "@targetlabel") if _says_true(header.get(tag, []))), "")
    content = FileContent(labels=[] if kind == "@classlabel" else None)
    if kind == "@targetlabel":
        content.unlabelled = "the series have targets of regression (@targetLabel true) and no class labels"
    elif not kind:
        content.unlabelled = "the series have no class labels (@classLabel true is missing)"
    declared = header.get("@classlabel", [])[1:]
    timed = _says_true(header.get("@timestamps", []))
    wanted = _ts_channels(path, header, bool(kind))
    channels: int | None = None
    length = _ts_length(path, header)
    for number, line in lines:
        parts = split_outside(line, ":")
        if kind:
            label = parts.pop().strip()
            if content.labels is not None:
                content.labels.append(declared_label(path, number, label, declared, "@classLabel"))
            elif parts and label not in ("?", ""):
                number_of(path, number, label)
        elif len(parts) > 1 and not parts[-1].strip():
            parts.pop()  # aeon ends the lines of unlabelled series with a colon
        if wanted is not None and len(parts) != wanted:
            raise DataFileError(
                f"{path}: line {number}: holds {len(parts)} dimensions, and by its header {wanted}; if the last one "
                "is a label, the header must say @classLabel true, and if they are dimensions, @univariate false"
            )
        if channels not in (None, len(parts)):
            raise DataFileError(f"{path}: line {number}: has {len(parts)} dimensions, and the lines before {channels}")
        channels = len(parts)
        if timed:
            content.series.append(timed_channels(path, number, parts))
            continue
        values = beside(path, number, [numbers_of(path, number, fields_of(part)) for part in parts])
        length = _same_length(path, number, len(values), length)
        content.series.append(without_padding(values))
    if not content.series:
        raise DataFileError(f"{path}: holds no series")
    return content


def _ts_header(path: Path, lines: Iterator[tuple[int, str]]) -> dict[str, list[str]]:
    header: dict[str, list[str]] = {}
    for number, line in lines:
        tag, *words = line.split()
        tag = tag.lower()
        if not tag.startswith("@"):
            raise DataFileError(f"{path}: line {number}: has no @data line before the first series")
        if tag not in _TS_TAGS:
            raise DataFileError(
                f"{path}: line {number}: {tag!r} is no tag of a .ts header; known: {', '.join(sorted(_TS_TAGS))}"
            )
        if tag == "@data":
            break
        header[tag] = words
    else:
        raise DataFileError(f"{path}: has no @data line")
    if _says_true(header.get("@classlabel", [])) and _says_true(header.get("@targetlabel", [])):
        raise DataFileError(
            f"{path}: says @classLabel true and @targetLabel true; only one can be at the end of a line"
        )
    for tag in ("@classlabel", "@targetlabel", "@timestamps", "@univariate"):
        if header.get(tag) == [] or header.get(tag, ["true"])[0].lower() not in ("true", "false"):
            raise DataFileError(f"{path}: {tag} must be followed by true or false")
    return header


def _ts_channels(path: Path, header: dict[str, list[str]], labelled: bool) -> int | None:
    """How many dimensions each line must hold, where the header says so."""
    told = header.get("@dimensions", header.get("@dimension"))
    if told:
        return _positive(path, "@dimensions", told)
    if "@univariate" in header:
        return 1 if _says_true(header["@univariate"]) else None
    # A header that speaks neither of labels nor of dimensions cannot tell a label from a second dimension.
    return None if labelled or {"@classlabel", "@targetlabel"} & set(header) else 1


def _ts_length(path: Path, header: dict[str, list[str]]) -> int | None:
    """How many times each line must hold: 0 for as many as the first one, None where lengths may differ."""
    if not _says_true(header.get("@equallength", [])):
        return None
    told = header.get("@serieslength")
    return _positive(path, "@seriesLength", told) if told else 0


def _positive(path: Path, tag: str, told: Sequence[str]) -> int:
    """The number behind a tag. A digit is no number in every alphabet, nor do some thousands of them make one."""
    if not re.fullmatch(r"0*[1-9]\d{0,17}", told[0], re.ASCII):
        raise DataFileError(f"{path}: {tag} must be followed by a positive number; got {' '.join(told)[:100]!r}")
    return int(told[0])


def _same_length(path: Path, number: int, length: int, wanted: int | None) -> int | None:
    """The length of the lines to come; a line that was cut off has another one."""
    if wanted and length != wanted:
        raise DataFileError(
            f"{path}: line {number}: holds {length} times, and {wanted} are wanted, since the header says @equalLength "
            "true; if the file is whole, the header must say @equalLength false"
        )
    return wanted if wanted is None else length


def _says_true(words: Sequence[str]) -> bool:
    return bool(words) and words[0].lower() == "true"
