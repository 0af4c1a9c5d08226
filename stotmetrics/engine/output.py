"""Where a distance matrix goes: memory, or a ``.npy`` file that a second run completes."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from ..arrays import FloatArray, IntArray, refuse_more_than_memory
from ..errors import InvalidParameterError
from ..series import Series

OutPath = str | os.PathLike[str]


class Destination:
    """A matrix in memory, filled tile by tile."""

    def __init__(self, array: FloatArray) -> None:
        self.array = array

    def todo(self, n_tiles: int) -> list[int]:
        """The tiles still to compute."""
        return list(range(n_tiles))

    def write(self, tile: int, rows: IntArray, cols: IntArray, values: FloatArray, *, mirror: bool) -> None:
        """Store the values of one tile, and their mirror image for a symmetric matrix."""
        self.array[rows, cols] = values
        if mirror:
            self.array[cols, rows] = values

    def close(self) -> None:
        """Everything is written."""


class FileDestination(Destination):
    """A ``.npy`` memory map with a journal beside it of the tiles that are written.

    The journal's first line identifies the job; each later line is the number of a finished tile. A run that finds the
    journal of the same job does the remaining tiles; the journal goes when all are done.
    """

    def __init__(self, path: OutPath, shape: tuple[int, int], job: dict[str, Any]) -> None:
        self.path = Path(path)
        if self.path.suffix != ".npy":
            raise InvalidParameterError(f"out must be the path of a .npy file; got {os.fspath(path)!r}")
        self.journal = self.path.with_name(self.path.name + ".journal")
        self._done: set[int] = set()
        header = json.dumps(job, sort_keys=True)
        if self.journal.exists():
            self._resume(header)
            super().__init__(open_memmap(self.path, mode="r+"))  # type: ignore[no-untyped-call]
        else:
            if self.path.exists():
                raise FileExistsError(f"{os.fspath(path)!r} exists and is not an unfinished matrix; move it away first")
            super().__init__(open_memmap(self.path, mode="w+", dtype=np.float64, shape=shape))  # type: ignore[no-untyped-call]
            self.journal.write_text(header + "\n", encoding="utf-8")

    def _resume(self, header: str) -> None:
        # A line without its end was being written when the run stopped: that tile is done again.
        lines = self.journal.read_text(encoding="utf-8").split("\n")[:-1]
        if not lines or lines[0] != header or not self.path.exists():
            raise FileExistsError(
                f"{self.journal} belongs to a run with other series, metric or parameters; "
                f"finish that run, or remove {self.path.name} and {self.journal.name} to start afresh"
            )
        self._done = {int(line) for line in lines[1:]}

    def todo(self, n_tiles: int) -> list[int]:
        """The tiles that no earlier run wrote."""
        return [k for k in range(n_tiles) if k not in self._done]

    def write(self, tile: int, rows: IntArray, cols: IntArray, values: FloatArray, *, mirror: bool) -> None:
        """Store the values of one tile, then say so in the journal."""
        super().write(tile, rows, cols, values, mirror=mirror)
        self.array.flush()  # type: ignore[attr-defined]
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write(f"{tile}\n")

    def close(self) -> None:
        """Flush the matrix and drop the journal."""
        self.array.flush()  # type: ignore[attr-defined]
        self.journal.unlink()


def open_destination(
    out: OutPath | None, shape: tuple[int, int], config: dict[str, Any], sets: Sequence[Sequence[Series]], side: int
) -> Destination:
    """A matrix of zeros in memory, or the file ``out``, new or left by an earlier run of the same job."""
    if out is None:
        what = f"a {shape[0]} x {shape[1]} matrix"
        refuse_more_than_memory(8 * shape[0] * shape[1], what, "pass out='matrix.npy' to write it to disk")
        return Destination(np.zeros(shape))
    job = {"config": config, "series": [fingerprint(series) for series in sets], "shape": list(shape), "side": side}
    return FileDestination(out, shape, job)


def fingerprint(series: Sequence[Series]) -> str:
    """A digest of the values, times and weights of some series."""
    digest = hashlib.sha256()
    for one in series:
        for array in (one.values, one.times, one.weights):
            digest.update(repr(array.shape).encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
