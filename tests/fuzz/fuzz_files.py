"""Hand the readers of files whatever bytes may come, for as long as one likes.

``python tests/fuzz/fuzz_files.py --minutes 10`` damages good files from a seed: bytes flipped, cut, doubled and
spliced, fields taken for others, headers of arrays and of archives rewritten, records of a journal torn, parameters of
a metric exchanged. Each must end in series, or in an error of this package that names the file; without any other
exception, any warning but AxisWarning, any file opened for writing, more than 500 MB of memory, or more than ten
seconds. Findings are printed, their files kept, and make the exit status 1.
"""

import argparse
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

import stotmetrics
from stotmetrics import datasets

LIMIT = 10.0
MEMORY = 500 * 2**20
READERS = ("load_labelled", "load_collection", "load_series", "load_split")
# What may stand for a number, what a header may say, words, and signs.
NUMBERS = (
    "nan",
    "NaN",
    "inf",
    "-inf",
    "1e999",
    "-0",
    "?",
    "1e5",
    "0x10",
    "1_0",
    "١",
    "2020-01-01",
    "2020-01-01T00:00:00Z",
    "²",
    "9" * 400,
    "9" * 5000,
)
TAGS = (
    "@data",
    "@classLabel true a b",
    "@timestamps true",
    "@dimensions 3",
    "@dimensions ²",
    "@univariate false",
    "@attribute a {x,y}",
    "@attribute b relational",
    "@end b",
)
WORDS = ("label", "time", "instance", "a" * 10000, "true", "null")
SIGNS = (
    "",
    " ",
    "\x00",
    "\ufeff",
    "\r",
    "\n",
    "\t",
    ",",
    ";",
    ":",
    "(",
    ")",
    "'",
    '"',
    "\\",
    "%",
    "#",
    "(1,2)",
    "({)",
    "[]",
    "{}",
)
TOKENS = NUMBERS + TAGS + WORDS + SIGNS


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def good_files():
    """Files that every reader takes one of, by suffix."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 3)).round(2), np.array([1, 2, 1, 2])
    text = [
        (".tsv", "\n".join("\t".join(map(str, [label, *row])) for label, row in zip(y, X, strict=True))),
        (".csv", "label,t0,t1,t2\na,1,2,3\nb,2,3,\n"),
        (".csv", "instance,time,label,x\n1,0,a,0.5\n1,1,a,0.25\n2,0.5,b,1\n"),
        (".csv", "time,value\n0,1\n1,2\n3,4\n"),
        (".txt", "0.5 1.5\n0.25 1.25\n0.125 8\n"),
        (".ts", "@problemName few\n@timestamps false\n@univariate true\n@classLabel true a b\n@data\n1,2,3:a\n2,3:b\n"),
        (
            ".ts",
            "@timestamps true\n@univariate false\n@dimensions 2\n@classLabel false\n@data\n(0,1),(1,2):(0,3),(1,?)\n",
        ),
        (".ts", "@timestamps true\n@targetLabel true\n@data\n(2020-01-01,1),(2020-01-02,2):0.5\n"),
        (
            ".arff",
            "@relation few\n@attribute a numeric\n@attribute b numeric\n@attribute c {x,y}\n@data\n1,2,x\n?,3,y\n",
        ),
        (
            ".arff",
            "@relation m\n@attribute r relational\n@attribute a numeric\n@end r\n@attribute c {x}\n@data\n'1\\n3',x\n",
        ),
    ]
    arrays = [
        (".npz", npz(X_train=X, y_train=y, X_test=X, y_test=y)),
        (".npz", npz(X=X, y=np.array(["a", "b", "a", "b"]))),
        (".npz", npz(values=X[0], times=np.arange(3.0), weights=np.ones(3))),
        (".npy", npy(np.column_stack([y, X]))),
        (".npy", npy(X.astype(np.float32))),
        (".npy", npy(np.array([{"a": 1}], dtype=object))),
    ]
    return [(suffix, content.encode()) for suffix, content in text] + arrays


def flip(rng, data, at):
    if at < len(data):
        data[at] ^= 1 << rng.randrange(8)


def overwrite(rng, data, at):
    data[at : at + 1] = rng.randbytes(1)


def overwrite_more(rng, data, at):
    data[at : at + 4] = rng.randbytes(4)


def insert(rng, data, at):
    data[at:at] = token(rng)


def cut(rng, data, at):
    del data[at : at + rng.choice((1, 2, 8, 1000))]


def repeat(rng, data, at):
    end = rng.randrange(len(data) + 1)
    data[at:at] = data[min(at, end) : max(at, end)][:2000]


def shuffle_lines(rng, data, at):
    lines = bytes(data).split(b"\n")
    rng.shuffle(lines)
    data[:] = b"\n".join(lines)


def drop_line(rng, data, at):
    lines = bytes(data).split(b"\n")
    del lines[rng.randrange(len(lines))]
    data[:] = b"\n".join(lines)


def exchange_field(rng, data, at):
    fields = bytes(data).split(b",")
    fields[rng.randrange(len(fields))] = token(rng)
    data[:] = b",".join(fields)


def swap_fields(rng, data, at):
    fields = bytes(data).split(b",")
    i, j = rng.randrange(len(fields)), rng.randrange(len(fields))
    fields[i], fields[j] = fields[j], fields[i]
    data[:] = b",".join(fields)


def exchange_digit(rng, data, at):
    places = [place for place, byte in enumerate(data) if byte in b"0123456789"]
    if places:
        data[rng.choice(places)] = rng.choice(b"0123456789.-e")


def token(rng):
    return rng.choice(TOKENS).encode("utf-8", "surrogatepass")


# The last ones leave most files what they were, but for what they say.
DAMAGES = (flip, overwrite, overwrite_more, insert, cut, repeat, shuffle_lines, exchange_field)
MILD = (exchange_digit, drop_line, swap_fields)


def damaged(rng, content):
    """The bytes with a few changes."""
    data = bytearray(content)
    damages = MILD if rng.random() < 0.4 else DAMAGES + MILD
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        rng.choice(damages)(rng, data, rng.randrange(len(data) + 1))
    return bytes(data)


def bomb(rng):
    """An archive or an array whose header claims more than it holds, or holds far more than its size on the disk."""
    shape = rng.choice(((2**40,), (2**62, 4), (10**9, 10**3), (0, 2**40), (-1,), (2**31, 2**31, 2**31)))
    kind = rng.choice(("<f8", "|O", "<U1000000", "|V1000000000", "<c16"))
    header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    fake = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * rng.choice((0, 8, 1000))
    if rng.random() < 0.3:
        return ".npy", fake
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in rng.choice((("X.npy", "y.npy"), ("values.npy",), ("X_train.npy", "../../x.npy"), ("X.npy",) * 2)):
            with warnings.catch_warnings():
                # Two members of one name are what a reader may meet.
                warnings.simplefilter("ignore", UserWarning)
                archive.writestr(name, fake if rng.random() < 0.8 else npy(np.zeros(10**5)))
    return ".npz", stream.getvalue()


class Files:
    """One folder of the run, in which every input is written and read."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-files-"))
        self.good = good_files()

    def input(self):
        if self.rng.random() < 0.02:
            suffix, content = bomb(self.rng)
        else:
            suffix, content = self.rng.choice(self.good)
            content = damaged(self.rng, content)
            # Bytes of one kind under the name of another.
            suffix = self.rng.choice((".ts", ".csv", ".npz", ".npy", ".arff")) if self.rng.random() < 0.1 else suffix
        path = self.folder / f"input{suffix}"
        path.write_bytes(content)
        return path

    def read(self):
        """Read one input: what came of it, and what is wrong with that."""
        path, reader = self.input(), self.rng.choice(READERS)
        with watched(path):
            try:
                content = getattr(datasets, reader)(
                    path, *([path] if reader == "load_split" and path.suffix != ".npz" else [])
                )
            except datasets.DataFileError as error:
                return "refused", "" if path.name in str(error) else f"the message does not name the file: {error}"
        return "read", judge(reader, content)


def judge(reader, content):
    """What is wrong with what was read."""
    if reader == "load_split":
        sides = ((content.X_train, content.y_train), (content.X_test, content.y_test))
    elif reader == "load_labelled":
        sides = (content,)
    elif reader == "load_collection":
        sides = ((content, None),)
    else:
        return "" if "values" in content else "a series without values"
    for series, labels in sides:
        if labels is not None and len(labels) != len(series):
            return f"{len(series)} series and {len(labels)} labels"
    return ""


def configured(rng):
    """A metric from a damaged configuration: a metric, or an error of this package that says what is wrong."""
    good = json.dumps(stotmetrics.get_metric(rng.choice(("sta", "tiot", "softdtw", "gak", "otw"))).config())
    try:
        config = json.loads(damaged(rng, good.encode()).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return "no JSON", ""
    try:
        stotmetrics.BoundMetric.from_config(config)
    except (stotmetrics.InvalidParameterError, stotmetrics.UnknownMetricError):
        return "refused", ""
    except TypeError as error:
        return "refused", "" if "has no parameter" in str(error) else f"TypeError: {error}"
    return "read", ""


class Journals:
    """A finished matrix whose journal, or numbers, are damaged before it is asked for again."""

    def __init__(self, folder):
        self.X = np.random.default_rng(0).normal(size=(6, 4))
        self.truth = stotmetrics.pairwise(self.X, metric="dtw")
        self.finished = folder / "finished"
        self.finished.mkdir()
        stotmetrics.pairwise(self.X, metric="dtw", out=self.finished / "d.npy")
        self.work = folder / "work"

    def resume(self, rng):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.finished, self.work)
        victim = rng.choice(sorted(self.work.iterdir()))
        victim.write_bytes(damaged(rng, victim.read_bytes()))
        try:
            content = stotmetrics.pairwise(self.X, metric="dtw", out=self.work / "d.npy")
        except (ValueError, OSError) as error:
            return "refused", "" if "d.npy" in str(error) else f"{type(error).__name__} names no file: {error}"
        return "resumed", "" if np.array_equal(content, self.truth) else "another matrix"


_allowed = None


def guard(event, arguments):
    """Nothing but the input is opened to write while it is read."""
    if _allowed is None or event != "open":
        return
    path, mode, flags = arguments
    writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if flags else any(sign in (mode or "") for sign in "wax+")
    if writes:
        raise PermissionError(f"a reader opens {path!r} for writing")


class watched:  # noqa: N801 -- used as a function
    """While inside, only reading is allowed."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        global _allowed
        _allowed = self.path

    def __exit__(self, *_):
        global _allowed
        _allowed = None


def attempt(step):
    """What came of one step, and what is wrong with it."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", stotmetrics.AxisWarning)
            kind, wrong = step()
    except Exception as error:
        kind, wrong = "crash", f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}"
    seconds = time.perf_counter() - start
    return kind, wrong or ("" if seconds < LIMIT else f"took {seconds:.0f} s")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    given = options.parse_args()
    files = Files(given.seed)
    journals = Journals(files.folder)
    sys.addaudithook(guard)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts, findings, seen = Counter(), 0, set()
    end = time.monotonic() + 60 * given.minutes
    while time.monotonic() < end:
        draw = files.rng.random()
        name, step = (
            ("config", lambda: configured(files.rng))
            if draw < 0.1
            else ("journal", lambda: journals.resume(files.rng))
            if draw < 0.12
            else ("file", files.read)
        )
        kind, wrong = attempt(step)
        counts[f"{name} {kind}"] += 1
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        if not wrong and grown > MEMORY:
            wrong, before = f"{grown >> 20} MB of memory", before + grown // 1024
        if wrong:
            findings += 1
            told = wrong.splitlines()[-2] if "\n" in wrong else wrong
            if told not in seen:
                seen.add(told)
                given.keep.mkdir(parents=True, exist_ok=True)
                for path in files.folder.glob("input*"):
                    shutil.copy(path, given.keep / f"{len(seen)}-{path.name}")
                print(f"{name}: {wrong}\n", flush=True)
        for path in files.folder.glob("input*"):
            path.unlink()
    shutil.rmtree(files.folder)
    print(f"{counts.total()} inputs, seed {given.seed}, {findings} findings: {dict(counts)}")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
