"""Strict readers of the text files that series come in: ``.ts``, ``.arff``, UCR text and tables with a header.

A reader takes what the file says and refuses what it does not say: a label or a target never becomes a value.
"""

from pathlib import Path

from .arff import read_arff
from .lines import FileContent, fields_of, lines_of, numbers_of
from .tables import header_of, read_one_of_table, read_table
from .ts import read_ts
from .ucr import read_ucr

__all__ = ["FileContent", "fields_of", "header_of", "lines_of", "numbers_of", "read_labelled", "read_one_of_table"]


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
