"""Strict readers of the text files that series come in: ``.ts``, ``.arff``, UCR text and tables with a header.

A reader takes what the file says and refuses what it does not say: a label or a target never becomes a value.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .arrays import BoolArray, FloatArray
from .containers import TIME_NAMES
from .errors import DataFileError, InvalidSeriesError
from .series import Series, as_series
from .timestamps import times_of_text

_TS_TAGS = frozenset(
    f"@{tag}"
    for tag in (
        *("problemname", "timestamps", "missing", "univariate", "dimension", "dimensions"),
        *("equallength", "serieslength", "classlabel", "targetlabel", "data"),
    )
)
_LABEL_NAMES = frozenset({"label", "labels", "class", "target", "y"})
_INSTANCE_NAMES = frozenset({"instance", "id", "case", "series", "case_id", "series_id", "unique_id", "instance_id"})


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
    if not all(_is_number(text) and text != "?" for text in labels):
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
        parts = _split_outside(line, ":")
        if kind:
            label = parts.pop().strip()
            if content.labels is not None:
                content.labels.append(_declared_label(path, number, label, declared, "@classLabel"))
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
            content.series.append(_timed_channels(path, number, parts))
            continue
        values = _beside(path, number, [numbers_of(path, number, fields_of(part)) for part in parts])
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


def _declared_label(path: Path, number: int, label: str, declared: Sequence[str], attribute: str) -> str:
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


def _split_outside(line: str, separator: str) -> list[str]:
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


def _plain_channels(path: Path, number: int, parts: Sequence[str]) -> FloatArray:
    channels = [numbers_of(path, number, fields_of(part)) for part in parts]
    return without_padding(_beside(path, number, channels))


def _beside(path: Path, number: int, channels: Sequence[FloatArray]) -> FloatArray:
    lengths = [len(values) for values in channels]
    if not lengths or len(set(lengths)) > 1 or not lengths[0]:
        raise DataFileError(f"{path}: line {number}: the dimensions have lengths {lengths}, wanted one length")
    return channels[0] if len(channels) == 1 else np.stack(channels, axis=1)


_PAIR = re.compile(r"\(\s*([^(),]+?)\s*,\s*([^(),]*?)\s*\)\s*(?:,|$)\s*")


def _timed_channels(path: Path, number: int, parts: Sequence[str]) -> Series:
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
    return timed_series(path, number, _beside(path, number, channels), stamps[0])


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


_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", re.IGNORECASE)


def read_arff(path: Path) -> FileContent:
    """The ``.arff`` files of the archives: a column a time and the class last, or one column of whole series."""
    lines = iter(lines_of(path, comment="%"))
    kinds: list[tuple[str, str]] = []
    inside = ""
    for number, line in lines:
        word = line.split()[0].lower()
        if word == "@data":
            break
        if word == "@end":
            inside = ""
        elif word == "@attribute":
            match = _ATTRIBUTE.match(line)
            if match is None:
                raise DataFileError(f"{path}: line {number}: wanted @attribute NAME TYPE; got {line!r}")
            name, kind = match[1].strip("'\""), match[2].strip()
            if inside:
                continue
            inside = name if kind.lower() == "relational" else ""
            kinds.append((name, kind))
        elif word != "@relation":
            raise DataFileError(f"{path}: line {number}: {word!r} is no word of an .arff header")
    else:
        raise DataFileError(f"{path}: has no @data line")
    nominal = [k for k, (_, kind) in enumerate(kinds) if kind.startswith("{")]
    named = bool(kinds) and kinds[-1][0].lower() in _LABEL_NAMES
    if not kinds or nominal not in ([], [len(kinds) - 1]):
        raise DataFileError(f"{path}: wanted numbers, and at most one nominal attribute, the class, at the end")
    if len(kinds) == len(nominal) + (named and not nominal):
        raise DataFileError(f"{path}: has no attribute of values beside the class")
    content = FileContent(labels=[] if nominal else None)
    if not nominal:
        content.unlabelled = "its last attribute is not nominal, so there are no class labels"
    relational = kinds[0][1].lower() == "relational"
    declared = [text.strip().strip("'\"") for text in _split_outside(kinds[-1][1].strip("{} "), ",")] if nominal else []
    for number, line in lines:
        fields = [text.strip() for text in _split_outside(line, ",")]
        if len(fields) != len(kinds):
            raise DataFileError(
                f"{path}: line {number}: has {len(fields)} fields, and the header {len(kinds)} attributes"
            )
        if content.labels is not None:
            content.labels.append(_declared_label(path, number, fields.pop().strip("'\""), declared, kinds[-1][0]))
        elif named:
            fields.pop()  # the target of a regression
        if relational:
            if len(fields) != 1:
                raise DataFileError(f"{path}: line {number}: wanted one relational attribute; got {len(fields)} fields")
            rows = re.split(r"\\n|\n", fields[0].strip("'\""))
            content.series.append(_plain_channels(path, number, rows))
        else:
            content.series.append(without_padding(numbers_of(path, number, fields)))
    if not content.series:
        raise DataFileError(f"{path}: holds no series")
    return content


def header_of(path: Path) -> list[str] | None:
    """The names of the columns, where the first line holds names and not numbers."""
    names = [name.strip("\"'") for name in fields_of(lines_of(path)[0][1])]
    words = [name for name in names if name and not _is_number(name)]
    # A line of values may start with a label that is a word; in a header every column has a name.
    labelled = bool(words) and names[0].lower() in _LABEL_NAMES - {"y"} and _are_numbered(names[1:])
    return names if labelled or len(words) == len(names) else None


def _are_numbered(names: Sequence[str]) -> bool:
    """Whether columns count the times of a series: 0, 1, 2 or t1, t2, t3."""
    counts = [re.fullmatch(r"(.*?)(\d{1,18})", name) for name in names]
    if not counts or any(count is None or count[1] != names[0][: len(count[1])] for count in counts):
        return False
    numbers = [int(count[2]) for count in counts if count is not None]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "?"
    return True


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
    instance, time, label = (_one_of(path, names, known) for known in (_INSTANCE_NAMES, TIME_NAMES, _LABEL_NAMES))
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
    for known, what in ((_LABEL_NAMES, "a label for each row"), (_INSTANCE_NAMES, "several series")):
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


def read_labelled(path: Path) -> FileContent:
    """Whatever text file this is."""
    match path.suffix.lower():
        case ".ts":
            return read_ts(path)
        case ".arff":
            return read_arff(path)
        case _:
            names = header_of(path)
            return read_ucr(path) if names is None else read_table(path, names)
