"""What neighbours say of a series: votes, errors, tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import IntArray
from ..datasets import DataFileError

Labels = npt.NDArray[Any]

# More classes than this make no table.
MOST_CLASSES = 30


def vote(labels: Labels, nearest: IntArray) -> Labels:
    """The commonest label among the neighbours in each row; the smallest one where several are equally common.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.cli import vote
    >>> vote(np.array(["a", "b", "b"]), np.array([[0, 1, 2], [0, 1, 0]])).tolist()
    ['b', 'a']
    """
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.stack([(codes[nearest] == code).sum(axis=1) for code in range(len(classes))], axis=1)
    winners: Labels = classes[counts.argmax(axis=1)]
    return winners


def without_self(nearest: IntArray) -> IntArray:
    """The k nearest other series, from the k + 1 nearest of all to each, in the same order.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.cli.voting import without_self
    >>> without_self(np.array([[0, 2], [2, 0], [0, 2]])).tolist()
    [[2], [2], [0]]
    """
    own = nearest == np.arange(len(nearest))[:, None]
    # A series that is not among its own nearest has the last one to spare.
    own[:, -1] |= ~own.any(axis=1)
    return nearest[~own].reshape(len(nearest), -1)


def of_one_kind(*parts: Labels) -> list[Labels]:
    """Labels that can be compared and sorted: numbers where all are, otherwise all of them as text."""
    arrays = [np.asarray(part) for part in parts]
    kinds = {part.dtype.kind for part in arrays}
    if kinds <= set("iuf") or kinds in ({"b"}, {"U"}):
        return arrays
    return [np.array([_text(label) for label in part.tolist()], dtype=np.str_) for part in arrays]


def _text(label: Any) -> str:
    return label.decode("utf-8", "backslashreplace") if isinstance(label, bytes) else str(label)


def strangers(known: Labels, asked: Labels) -> Labels:
    """The labels of a test set that no training series has; an error if that is all of them."""
    absent = np.setdiff1d(asked, known)
    if len(absent) == len(np.unique(asked)):
        raise DataFileError(
            f"no label of the test set occurs in the training set: {listed(absent)} against "
            f"{listed(np.unique(known))}; the files do not belong together, or write their labels differently"
        )
    return absent


def listed(labels: Labels) -> str:
    """A few labels for a message.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.cli.voting import listed
    >>> listed(np.arange(9)), listed(np.array(["a"]))
    ('0, 1, 2, 3, 4 and 4 more', "'a'")
    """
    first = ", ".join(repr(label) for label in labels[:5].tolist())
    return first if len(labels) <= 5 else f"{first} and {len(labels) - 5} more"


def confusion_lines(true: Labels, predicted: Labels) -> list[str]:
    """The confusion matrix as aligned text."""
    classes = np.union1d(true, predicted)
    if len(classes) > MOST_CLASSES:
        return [f"{len(classes)} classes are too many for a table; --out keeps what was predicted"]
    counts = np.zeros((len(classes), len(classes)), dtype=np.intp)
    np.add.at(counts, (np.searchsorted(classes, true), np.searchsorted(classes, predicted)), 1)
    rows = [("", *classes), *((label, *row) for label, row in zip(classes, counts, strict=True))]
    width = max(len(str(cell)) for row in rows for cell in row)
    return ["  ".join(str(cell).rjust(width) for cell in row) for row in rows]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
