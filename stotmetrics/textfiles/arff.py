"""The ``.arff`` files of the archives."""

import re
from pathlib import Path

from ..errors import DataFileError
from .channels import declared_label, plain_channels, split_outside
from .lines import LABEL_NAMES, FileContent, lines_of, numbers_of, without_padding

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
    named = bool(kinds) and kinds[-1][0].lower() in LABEL_NAMES
    if not kinds or nominal not in ([], [len(kinds) - 1]):
        raise DataFileError(f"{path}: wanted numbers, and at most one nominal attribute, the class, at the end")
    if len(kinds) == len(nominal) + (named and not nominal):
        raise DataFileError(f"{path}: has no attribute of values beside the class")
    content = FileContent(labels=[] if nominal else None)
    if not nominal:
        content.unlabelled = "its last attribute is not nominal, so there are no class labels"
    relational = kinds[0][1].lower() == "relational"
    declared = [text.strip().strip("'\"") for text in split_outside(kinds[-1][1].strip("{} "), ",")] if nominal else []
    for number, line in lines:
        fields = [text.strip() for text in split_outside(line, ",")]
        if len(fields) != len(kinds):
            raise DataFileError(
                f"{path}: line {number}: has {len(fields)} fields, and the header {len(kinds)} attributes"
            )
        if content.labels is not None:
            content.labels.append(declared_label(path, number, fields.pop().strip("'\""), declared, kinds[-1][0]))
        elif named:
            fields.pop()  # the target of a regression
        if relational:
            if len(fields) != 1:
                raise DataFileError(f"{path}: line {number}: wanted one relational attribute; got {len(fields)} fields")
            rows = re.split(r"\\n|\n", fields[0].strip("'\""))
            content.series.append(plain_channels(path, number, rows))
        else:
            content.series.append(without_padding(numbers_of(path, number, fields)))
    if not content.series:
        raise DataFileError(f"{path}: holds no series")
    return content
