"""Labelled sets of series, read from the files people have and from what an installed package ships."""

import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

# One series a row when all have one shape, otherwise a list of arrays of shape (T,) or (T, d).
Collection = FloatArray | list[FloatArray]
Labels = npt.NDArray[Any]


class DataFileError(ValueError):
    """A file does not hold the series that were asked of it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Series with a label each, split for classification.

    Parameters
    ----------
    name : str
        What it is called.
    X_train, X_test : array or list of arrays
        The series.
    y_train, y_test : array of shape (n,)
        Their labels.
    """

    name: str
    X_train: Collection
    y_train: Labels
    X_test: Collection
    y_test: Labels

    def describe(self) -> str:
        """The name and the sizes in one line."""
        shapes = [np.shape(x) for collection in (self.X_train, self.X_test) for x in collection]
        lengths = {shape[0] for shape in shapes}
        length = f"{min(lengths)}" if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"
        dimensions = max(shape[1] if len(shape) > 1 else 1 for shape in shapes)
        classes = len(np.union1d(self.y_train, self.y_test))
        sizes = [f"{len(self.X_train)} train", f"{len(self.X_test)} test", f"length {length}", f"{classes} classes"]
        if dimensions > 1:
            sizes.insert(3, f"{dimensions} dimensions")
        return f"{self.name} ({', '.join(sizes)})"


def load_builtin() -> Dataset:
    """The labelled set that needs no file and no network: *Trace* of the UCR archive, as tslearn ships it.

    Returns
    -------
    Dataset

    Examples
    --------
    >>> from stotmetrics.datasets import load_builtin
    >>> load_builtin().describe()
    'Trace (100 train, 100 test, length 275, 4 classes)'
    """
    try:
        from tslearn.datasets import CachedDatasets
    except ImportError as error:
        raise DataFileError(
            "the built-in data set comes with tslearn, which is not installed: name a file instead, "
            "or pip install 'stotmetrics[tslearn]'"
        ) from error
    X_train, y_train, X_test, y_test = CachedDatasets().load_dataset("Trace")
    return Dataset("Trace", X_train, y_train, X_test, y_test)


def load_split(train: str | Path, test: str | Path | None = None) -> Dataset:
    """Read a labelled set from one ``.npz`` file, or from a training and a test file.

    Parameters
    ----------
    train : path
        An ``.npz`` file with ``X_train, y_train, X_test, y_test``, or the training file in any format that
        :func:`load_labelled` reads.
    test : path, optional
        The test file; needed unless ``train`` holds both.

    Returns
    -------
    Dataset
    """
    train = Path(train)
    if test is not None:
        name = re.sub(r"[-_.]?train$", "", train.stem, flags=re.IGNORECASE) or train.stem
        return Dataset(name, *load_labelled(train), *load_labelled(test))
    if train.suffix.lower() != ".npz":
        raise DataFileError(f"{train}: name the test file after the training file, or give one .npz file with both")
    arrays = _npz(train)
    parts = [_labelled(train, arrays, f"X_{part}", f"y_{part}") for part in ("train", "test")]
    return Dataset(train.stem, *parts[0], *parts[1])


def load_labelled(path: str | Path) -> tuple[Collection, Labels]:
    """Read series and their labels from one file.

    Parameters
    ----------
    path : path
        UCR text (one series a line, its label first; separated by tabs, commas or spaces; unequal lengths padded with
        NaN or simply shorter), ``.ts``, ``.npz`` with ``X`` and ``y`` (or ``X_train`` and ``y_train``), or ``.npy``
        with the labels in the first column.

    Returns
    -------
    X : array or list of arrays
        The series.
    y : array of shape (n,)
        The labels.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from stotmetrics.datasets import load_labelled
    >>> path = pathlib.Path(tempfile.mkdtemp(), "few.csv")
    >>> _ = path.write_text("1,0.5,0.25\\n2,1.5,1.25\\n")
    >>> X, y = load_labelled(path)
    >>> X.tolist(), y.tolist()
    ([[0.5, 0.25], [1.5, 1.25]], [1, 2])
    """
    path = Path(path)
    match path.suffix.lower():
        case ".npz":
            arrays = _npz(path)
            part = "" if "X" in arrays else "_train"
            return _labelled(path, arrays, f"X{part}", f"y{part}")
        case ".npy":
            table = load_array(path)
            if table.ndim != 2 or table.shape[1] < 2:
                raise DataFileError(f"{path}: wanted one row a series, its label first; got shape {table.shape}")
            return table[:, 1:], _labels(table[:, 0].tolist())
        case ".ts":
            X, labels = _ts(path)
            if labels is None:
                raise DataFileError(f"{path}: the series have no class labels (@classLabel true is missing)")
            return X, labels
        case _:
            return _ucr(path)


def load_collection(path: str | Path) -> Collection:
    """Read series without labels from one file.

    Parameters
    ----------
    path : path
        As :func:`load_labelled`, with any labels left out, except that every row of a ``.npy`` array is a series and
        that an ``.npz`` file may hold a single array of any name.

    Returns
    -------
    array or list of arrays
        The series.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".npz":
            arrays = _npz(path)
            names = [name for name in ("X", "X_train", *arrays) if name in arrays]
            if names[0] not in ("X", "X_train") and len(arrays) > 1:
                raise DataFileError(f"{path}: wanted an array X or X_train; it holds {', '.join(arrays)}")
            X = arrays[names[0]]
        case ".npy":
            X = load_array(path)
        case ".ts":
            return _ts(path)[0]
        case _:
            return _ucr(path)[0]
    if X.ndim < 2:
        raise DataFileError(f"{path}: wanted one row a series; got shape {X.shape}")
    return X


def load_series(source: str | Path) -> dict[str, Any]:
    """Read one series.

    Parameters
    ----------
    source : path or str
        A ``.npy`` array of values, an ``.npz`` file with ``values`` and optionally ``times`` and ``weights``, text with
        one time a line and its values beside each other (or all values on one line), or the values themselves as a
        JSON list.

    Returns
    -------
    dict
        ``values`` and, where given, ``times`` and ``weights``: the arguments of :func:`stotmetrics.as_series`.

    Examples
    --------
    >>> from stotmetrics.datasets import load_series
    >>> load_series("[0, 1, 3]")
    {'values': [0, 1, 3]}
    """
    if isinstance(source, str) and source.lstrip().startswith("["):
        try:
            return {"values": json.loads(source)}
        except json.JSONDecodeError as error:
            raise DataFileError(f"{source}: not a JSON list of numbers ({error})") from None
    path = Path(source)
    match path.suffix.lower():
        case ".npz":
            arrays = _npz(path)
            unknown = set(arrays) - {"values", "times", "weights"}
            if "values" not in arrays or unknown:
                raise DataFileError(
                    f"{path}: wanted the array values and, if need be, times and weights; it holds {', '.join(arrays)}"
                )
            return dict(arrays)
        case ".npy":
            return {"values": load_array(path)}
        case _:
            rows = [_numbers(path, number, line) for number, line in _lines(path)]
            if len({len(row) for row in rows}) > 1:
                raise DataFileError(f"{path}: wanted equally many values on every line")
            values = np.array(rows)
            return {"values": values[0] if len(values) == 1 else values}


def _npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise DataFileError(f"{path}: not an .npz file of plain arrays ({_first_line(error)})") from None


def load_array(path: str | Path) -> npt.NDArray[Any]:
    """Read one plain array from a ``.npy`` file."""
    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataFileError(f"{path}: not an .npy file of a plain array ({_first_line(error)})") from None
    if not isinstance(stored, np.ndarray):
        raise DataFileError(f"{path}: this is an .npz file; name it so")
    return stored


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _labelled(path: Path, arrays: Mapping[str, npt.NDArray[Any]], X: str, y: str) -> tuple[Collection, Labels]:
    for name in (X, y):
        if name not in arrays:
            raise DataFileError(f"{path}: has no array {name}; it holds {', '.join(arrays) or 'nothing'}")
    series, labels = arrays[X], arrays[y]
    if series.ndim < 2 or labels.ndim != 1 or len(series) != len(labels):
        raise DataFileError(
            f"{path}: wanted {X} with one series a row and one label in {y} for each; "
            f"got shapes {series.shape} and {labels.shape}"
        )
    return series, labels


def _lines(path: Path) -> list[tuple[int, str]]:
    """The numbered lines that say something."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataFileError(f"{path}: not a text file; known endings are .txt .tsv .csv .ts .npy .npz") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    found = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not found:
        raise DataFileError(f"{path}: holds no series")
    return found


def _numbers(path: Path, number: int, line: str) -> FloatArray:
    return _floats(path, number, _fields(line))


def _fields(line: str) -> list[str]:
    for separator in (",", "\t"):
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()


def _floats(path: Path, number: int, fields: Iterable[str]) -> FloatArray:
    """Numbers with trailing padding cut off; a missing value inside stays NaN, for the series to be refused by name."""
    values = []
    for field in fields:
        try:
            values.append(np.nan if field in ("?", "") else float(field))
        except ValueError:
            raise DataFileError(f"{path}: line {number}: {field!r} is not a number") from None
    while values and np.isnan(values[-1]):
        values.pop()
    return np.array(values, dtype=np.float64)


def _labels(found: Sequence[Any]) -> Labels:
    """Labels as whole numbers where all of them are, otherwise as they stand."""
    try:
        numbers = [float(label) for label in found]
    except ValueError:
        return np.array([str(label) for label in found])
    whole = all(number.is_integer() for number in numbers)
    return np.array([int(number) for number in numbers]) if whole else np.array(numbers)


def _stacked(rows: list[FloatArray]) -> Collection:
    return np.stack(rows) if len({row.shape for row in rows}) == 1 else rows


def _ucr(path: Path) -> tuple[Collection, Labels]:
    rows, labels = [], []
    for number, line in _lines(path):
        label, *fields = _fields(line)
        if not fields:
            raise DataFileError(f"{path}: line {number}: wanted a label and then the values; got {line!r}")
        labels.append(label)
        rows.append(_floats(path, number, fields))
    return _stacked(rows), _labels(labels)


def _ts(path: Path) -> tuple[Collection, Labels | None]:
    header: dict[str, str] = {}
    rows: list[FloatArray] = []
    labels: list[str] = []
    lines = iter(_lines(path))
    for _, line in lines:
        name, _, value = line.partition(" ")
        if name.lower() == "@data":
            break
        header[name.lower()] = value.strip().lower()
    else:
        raise DataFileError(f"{path}: has no @data line")
    if header.get("@timestamps") == "true":
        raise DataFileError(f"{path}: @timestamps true is not read; store values and times in an .npz file per series")
    labelled = header.get("@classlabel", "false").startswith("true")
    for number, line in lines:
        dimensions = line.split(":")
        if labelled:
            labels.append(dimensions.pop().strip())
        rows.append(_columns(path, number, [_numbers(path, number, text) for text in dimensions]))
    if not rows:
        raise DataFileError(f"{path}: holds no series")
    return _stacked(rows), _labels(labels) if labelled else None


def _columns(path: Path, number: int, dimensions: list[FloatArray]) -> FloatArray:
    lengths = [len(values) for values in dimensions]
    if not lengths or len(set(lengths)) > 1:
        raise DataFileError(f"{path}: line {number}: the dimensions have lengths {lengths}, wanted one length")
    return dimensions[0] if len(dimensions) == 1 else np.stack(dimensions, axis=1)
