"""Labelled sets of series, read from the files people have and from what an installed package ships."""

import json
import math
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from . import textfiles
from .arrays import FloatArray, refuse_more_than_memory
from .errors import AxisWarning, warn_user
from .errors import DataFileError as DataFileError
from .series import Series
from .textfiles import FileContent

# One series a row when all have one shape, otherwise a list of arrays of shape (T,) or (T, d); a Series has times.
Collection = FloatArray | list[FloatArray] | list[FloatArray | Series]
Labels = npt.NDArray[Any]


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
        shapes = [
            (len(x), x.dim) if isinstance(x, Series) else np.shape(x)
            for collection in (self.X_train, self.X_test)
            for x in collection
        ]
        lengths = {shape[0] for shape in shapes}
        length = f"{min(lengths)}" if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"
        dimensions = max(shape[1] if len(shape) > 1 else 1 for shape in shapes)
        classes = len(np.union1d(self.y_train, self.y_test))
        sizes = [f"{len(self.X_train)} train", f"{len(self.X_test)} test", f"length {length}", f"{classes} classes"]
        if dimensions > 1:
            sizes.insert(3, f"{dimensions} dimensions")
        return f"{self.name} ({', '.join(sizes)})"


def load_builtin(name: str = "JapaneseVowels") -> Dataset:
    """A labelled set that needs no file and no network.

    Parameters
    ----------
    name : {"JapaneseVowels", "Trace"}, default "JapaneseVowels"
        *JapaneseVowels*, which this package brings: nine men say two vowels, twelve coefficients of linear prediction
        at each of 7 to 29 times, and the label is the speaker. *Trace* of the UCR archive, as tslearn ships it (extra
        ``tslearn``): one channel, length 275.

    Returns
    -------
    Dataset

    Raises
    ------
    DataFileError
        If the name is unknown, or the package that ships the set is not installed.

    References
    ----------
    Kudo, Toyama, Shimbo, *Multidimensional Curve Classification Using Passing-Through Regions*, Pattern Recognition
    Letters 20, 1999. UCI Machine Learning Repository, CC BY 4.0.

    Examples
    --------
    >>> from stotmetrics.datasets import load_builtin
    >>> load_builtin().describe()
    'JapaneseVowels (270 train, 370 test, length 7 to 29, 12 dimensions, 9 classes)'
    """
    match name:
        case "JapaneseVowels":
            return _vowels()
        case "Trace":
            return _trace()
    raise DataFileError(f"name must be 'JapaneseVowels' or 'Trace'; got {name!r}")


def _vowels() -> Dataset:
    with resources.as_file(resources.files(__package__) / "data" / "japanese_vowels.npz") as path:
        arrays = _npz(path)
    parts = {part: _cut(arrays[f"{part}_micro"], arrays[f"{part}_lengths"]) for part in ("train", "test")}
    labels = {part: arrays[f"{part}_labels"].astype(np.intp) for part in ("train", "test")}
    return Dataset("JapaneseVowels", parts["train"], labels["train"], parts["test"], labels["test"])


def _cut(micro: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> list[FloatArray]:
    """Series one after another, in millionths: every digit of the file that was published."""
    return [part / 1e6 for part in np.split(micro, np.cumsum(lengths, dtype=np.intp)[:-1])]


def _trace() -> Dataset:
    try:
        from tslearn.datasets import CachedDatasets
    except ImportError as error:
        raise DataFileError(
            "the data set Trace comes with tslearn, which is not installed: take 'JapaneseVowels', name a file, "
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
        (X_train, written), (X_test, also_written) = _as_written(train), _as_written(Path(test))
        if isinstance(written, list) and isinstance(also_written, list):
            # Read together: a label means the same in both files, whatever the others look like.
            labels = _labels([*written, *also_written])
            return Dataset(name, X_train, labels[: len(written)], X_test, labels[len(written) :])
        y_train, y_test = _of_one_kind(_as_labels(written), _as_labels(also_written))
        return Dataset(name, X_train, y_train, X_test, y_test)
    if train.suffix.lower() != ".npz":
        raise DataFileError(f"{train}: name the test file after the training file, or give one .npz file with both")
    arrays = _npz(train)
    (X_train, y_train), (X_test, y_test) = (_labelled(train, arrays, f"X_{k}", f"y_{k}") for k in ("train", "test"))
    y_train, y_test = _of_one_kind(y_train, y_test)
    return Dataset(train.stem, X_train, y_train, X_test, y_test)


def load_labelled(path: str | Path) -> tuple[Collection, Labels]:
    """Read series and their labels from one file.

    Parameters
    ----------
    path : path
        UCR text (one series a line, its label first; separated by tabs, commas or spaces; unequal lengths padded with
        NaN or simply shorter), a table whose header names a column ``label`` (and, where a row is a time, ``instance``
        and ``time``), ``.ts``, ``.arff``, ``.npz`` with ``X`` and ``y`` (or ``X_train`` and ``y_train``), or ``.npy``
        with the labels in the first column. Series with times come back as :class:`~stotmetrics.Series`.

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
    X, written = _as_written(Path(path))
    return X, _as_labels(written)


def _as_labels(written: Labels | list[str]) -> Labels:
    return written if isinstance(written, np.ndarray) else _labels(written)


def _as_written(path: Path) -> tuple[Collection, Labels | list[str]]:
    """The series of one file and their labels, those of text as they are written there."""
    match path.suffix.lower():
        case ".npz":
            arrays = _npz(path)
            part = "" if "X" in arrays else "_train"
            return _labelled(path, arrays, f"X{part}", f"y{part}")
        case ".npy":
            table = load_array(path)
            if table.ndim != 2 or table.shape[1] < 2 or table.dtype.kind not in "fiub":
                raise DataFileError(
                    f"{path}: wanted one row a series, its label first; got shape {table.shape}, dtype {table.dtype}"
                )
            _refuse_unknown(path, table[:, 0])
            return table[:, 1:], _labels(table[:, 0].tolist())
        case _:
            contents = textfiles.read_labelled(path)
            if contents.labels is None:
                raise DataFileError(f"{path}: {contents.unlabelled}")
            return _stacked(contents), contents.labels


def load_collection(path: str | Path) -> Collection:
    """Read series without labels from one file.

    Parameters
    ----------
    path : path
        As :func:`load_labelled`, with any labels left out, except that every row of a ``.npy`` array is a series and
        that an ``.npz`` file may hold a single array of any name. An :class:`~stotmetrics.AxisWarning` says so where
        the first column of a text without a header is left out as labels and may as well be values, and where that of
        a ``.npy`` array is kept as values and may as well be labels.

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
            if not names or (names[0] not in ("X", "X_train") and len(arrays) > 1):
                raise DataFileError(f"{path}: wanted an array X or X_train; it holds {', '.join(arrays) or 'nothing'}")
            X = arrays[names[0]]
        case ".npy":
            X = load_array(path)
            if X.ndim == 2 and _first_looks_like_labels(X):
                warn_user(
                    f"{path}: every row is read as a series; its first column holds whole numbers beside values with a "
                    "fraction, as labels would be; if they are labels, load_labelled reads them apart",
                    AxisWarning,
                )
        case _:
            content = textfiles.read_labelled(path)
            if content.labels_assumed and content.labels is not None:
                warn_user(
                    f"{path}: the first column is read as the label of each series, as in the text files of UCR, and "
                    f"left out; it holds numbers that may be values ({', '.join(content.labels[:3])}); if they are, "
                    "name the columns in a first line: t0,t1,...",
                    AxisWarning,
                )
            return _stacked(content)
    if X.ndim < 2:
        raise DataFileError(f"{path}: wanted one row a series; got shape {X.shape}")
    return X


def load_series(source: str | Path) -> dict[str, Any]:
    """Read one series.

    Parameters
    ----------
    source : path or str
        A ``.npy`` array of values, an ``.npz`` file with ``values`` and optionally ``times`` and ``weights``, text with
        one time a line and its values beside each other (or all values on one line), with or without a header that
        names the columns and may name one ``time``, a ``.ts`` or ``.arff`` file of one series, or the values themselves
        as a JSON list.

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
        except (ValueError, RecursionError) as error:
            raise DataFileError(f"{source[:100]}: not a JSON list of numbers ({error})") from None
    path = Path(source)
    match path.suffix.lower():
        case ".npz":
            arrays = _npz(path)
            unknown = set(arrays) - {"values", "times", "weights"}
            if "values" not in arrays or unknown:
                raise DataFileError(
                    f"{path}: wanted the array values and, if need be, times and weights; "
                    f"it holds {', '.join(arrays) or 'nothing'}"
                )
            return dict(arrays)
        case ".npy":
            return {"values": load_array(path)}
        case ".ts" | ".arff":
            series = textfiles.read_labelled(path).series
            if len(series) > 1:
                raise DataFileError(f"{path}: holds {len(series)} series; wanted a single one")
            only = series[0]
            return {"values": only.values, "times": only.times} if isinstance(only, Series) else {"values": only}
        case _:
            return _one_of_text(path)


def _one_of_text(path: Path) -> dict[str, Any]:
    names = textfiles.header_of(path)
    if names is not None:
        return dict(textfiles.read_one_of_table(path, names))
    rows = [textfiles.numbers_of(path, number, textfiles.fields_of(line)) for number, line in textfiles.lines_of(path)]
    if len(rows) > 1 and len({len(row) for row in rows}) > 1:
        raise DataFileError(f"{path}: wanted equally many values on every line")
    values = np.array(rows)
    if len(values) == 1:
        return {"values": values[0]}
    if re.search(r"_(train|test)$", path.stem, flags=re.IGNORECASE) or _first_is_no_channel(values):
        raise DataFileError(
            f"{path}: the first column looks like labels or times, and would become a channel; wanted a single series: "
            "name the columns in a first line (time,value), or leave that column out"
        )
    return {"values": values}


def _first_looks_like_labels(X: npt.NDArray[Any]) -> bool:
    """Whether the first column of an array is whole numbers, not all the same, and the others are not whole."""
    if X.dtype.kind != "f" or X.shape[1] < 2 or not len(X) or not np.isfinite(X[:, 0]).all():
        return False
    first, others = X[:, 0], X[:, 1:]
    return bool((first % 1.0 == 0).all() and np.ptp(first) > 0 and (others[np.isfinite(others)] % 1.0 != 0).any())


def _first_is_no_channel(values: FloatArray) -> bool:
    """Whether the first column of a table without a header is whole numbers that set it apart from the others."""
    if values.shape[1] == 1:
        return False
    first, others = values[:, 0], values[:, 1:]
    if not (np.isfinite(first).all() and (first == np.round(first)).all()):
        return False
    apart = bool((others[np.isfinite(others)] % 1.0 != 0).any())
    return apart or values.shape[1] > len(values) or len(np.unique(first)) < len(first)


def _npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    with _only_arrays(path, "an .npz file of plain arrays"):
        _refuse_bombs(path)
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


# Series that are packed a hundredfold hold nothing; small ones do no harm.
_BOMB, _BOMB_RATIO = 2**30, 100


def _refuse_bombs(path: Path) -> None:
    """Refuse an archive whose arrays claim more than they hold, far more than its size, or more than the machine has.

    Nothing is unpacked for it.
    """
    need = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                claimed = _claimed_bytes(stream)
            if claimed > member.file_size:
                raise ValueError(f"{member.filename} claims {claimed} bytes and holds {member.file_size}")
            need += claimed
    size = path.stat().st_size
    if need > _BOMB and need > _BOMB_RATIO * size:
        raise ValueError(
            f"{size} bytes that unpack to {need}, as those of a zip bomb do; save what is yours with numpy.savez"
        )
    refuse_more_than_memory(need, f"{path}", "split the file")


def _claimed_bytes(stream: IO[bytes]) -> int:
    """How many bytes of data the header of a ``.npy`` stream promises."""
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)  # type: ignore[no-untyped-call]
    return math.prod(shape) * dtype.itemsize


def load_array(path: str | Path) -> npt.NDArray[Any]:
    """Read one plain array from a ``.npy`` file."""
    path = Path(path)
    with _only_arrays(path, "an .npy file of a plain array"), path.open("rb") as stream:
        if stream.read(2) == b"PK":
            raise DataFileError(f"{path}: this is an .npz file; name it so")
        stream.seek(0)
        claimed = _claimed_bytes(stream)
        if claimed > path.stat().st_size:
            raise ValueError(f"it claims {claimed} bytes and holds {path.stat().st_size}")
        refuse_more_than_memory(claimed, f"{path}", "split the file")
        stream.seek(0)
        stored: npt.NDArray[Any] = np.load(stream, allow_pickle=False)
        return stored


# Filters of warnings belong to the process: two that are set and taken back by turns would leave one of them behind.
_filters = threading.Lock()


@contextmanager
def _only_arrays(path: Path, what: str) -> Iterator[None]:
    """Say which file holds something else, whatever NumPy, zipfile or zlib raise at its bytes."""
    try:
        with _filters, warnings.catch_warnings():
            # A header of Python 2 is read as well.
            warnings.filterwarnings("ignore", message="Reading .* required additional header parsing")
            yield
    except (DataFileError, MemoryError):
        raise
    except OSError as error:
        # That of a missing file names it; that of a seek to a place that is none does not.
        if error.filename is not None:
            raise
        raise DataFileError(f"{path}: not {what} ({_first_line(error)})") from None
    except Exception as error:
        raise DataFileError(f"{path}: not {what} ({_first_line(error)})") from None


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
    if labels.dtype.kind not in "biufUS":
        raise DataFileError(f"{path}: labels must be numbers or text; {y} has dtype {labels.dtype}")
    _refuse_unknown(path, labels)
    return series, labels


def _refuse_unknown(path: Path, labels: Labels) -> None:
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataFileError(f"{path}: the label of series {int(np.argmin(np.isfinite(labels)))} is missing or infinite")


def _of_one_kind(mine: Labels, theirs: Labels) -> tuple[Labels, Labels]:
    """Labels that can be compared: where only one of two is text, both become text."""
    kinds = [_text(labels) if labels.dtype.kind == "S" else labels for labels in (mine, theirs)]
    if (kinds[0].dtype.kind == "U") != (kinds[1].dtype.kind == "U"):
        kinds = [_text(labels) for labels in kinds]
    return kinds[0], kinds[1]


def _text(labels: Labels) -> Labels:
    if labels.dtype.kind == "S":
        return np.array([label.decode("utf-8", errors="backslashreplace") for label in labels.tolist()])
    return np.array([str(label) for label in labels.tolist()])


def _labels(written: Sequence[Any]) -> Labels:
    """Labels as numbers where all of them are and none is lost by it, otherwise as they stand."""
    if not all(isinstance(label, (int, float)) or _NUMBER.fullmatch(label) for label in written):
        return np.array([str(label) for label in written])
    exact = [int(label) if isinstance(label, str) and _WHOLE.fullmatch(label) else float(label) for label in written]
    numbers = [int(number) if isinstance(number, int) or number.is_integer() else number for number in exact]
    whole = all(isinstance(number, int) for number in numbers)
    # Two spellings of one number are two labels; so are two numbers that one float would stand for.
    small = all(abs(number) <= 2**53 for number in numbers)
    if len(set(numbers)) < len(set(written)) or not (small or whole) or max(map(abs, numbers), default=0) >= 2**63:
        return np.array([str(label) for label in written])
    return np.array(numbers, dtype=np.int64 if whole else np.float64)


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Longer ones stay text: 64 bits do not hold them, and Python reads no whole number of some thousand digits.
_WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)


def _stacked(contents: FileContent) -> Collection:
    if any(isinstance(row, Series) for row in contents.series):
        return list(contents.series)
    rows = [row for row in contents.series if not isinstance(row, Series)]
    return np.stack(rows) if len({row.shape for row in rows}) == 1 else rows
