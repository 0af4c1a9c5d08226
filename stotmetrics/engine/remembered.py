"""Distances that are kept: between the folds of a cross-validation, the points of a grid, and runs.

A pair is known by what its two series hold and by everything else that decides its value, not by its place in a set: so
the folds of one data set share their pairs, whatever series each of them leaves out. Where a parameter can only raise a
value, what was solved at a smaller one is a lower bound: so the points of a grid, in rising order, share their work.
"""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..series import Series
from ..spec import parameters, registry
from ..spec.bound import BoundMetric
from ..spec.metric import Side
from ..spec.prepared import PreparedSet, packed
from ..spec.result import Batch, GradBatch, Result
from .identity import digest_of, fingerprint, job_of

# Stores that stay in memory, and prepared series that each keeps: what was used longest ago goes first.
_STORES, _PREPARED = 32, 4096

# Files that one process leaves in a folder, and bytes of the name of a series.
_FILES, _NAME = 32, 16

_FOLDER = "stotmetrics"

# A value is right to rounding and to the tolerance of its solver: a bound from it lies this share lower.
_LOWER = 1e-6


@contextmanager
def remembering(metric: BoundMetric, folder: Path) -> Iterator[BoundMetric]:
    """The metric, which looks for pairs in the folder first; what it solved is there when the block ends.

    Several processes may share the folder: each adds files of its own and changes no other.
    """
    place = _place_of(metric)
    store = _store_of(folder / _FOLDER / place, metric.traits.symmetric)
    store.read()
    try:
        yield RememberingMetric(metric, store, _stores_below(store.folder, metric))
    finally:
        store.write()


class RememberingMetric(BoundMetric):
    """A bound metric with a store of the pairs that were solved before, and of prepared series.

    Parameters
    ----------
    metric : BoundMetric
        What solves the others.
    store : PairStore
        The pairs of this metric at these parameters.
    below : sequence of PairStore
        The pairs of the same metric at parameters that lower its values, the nearest first.
    """

    __slots__ = ("_at_once", "_below", "_store")

    def __init__(
        self, metric: BoundMetric, store: "PairStore", below: Sequence["PairStore"] = (), *, at_once: bool = False
    ) -> None:
        super().__init__(metric.spec, metric.params)
        self._store = store
        self._below = below
        self._at_once = at_once

    def prepare(self, series: Series) -> Any:
        """The series prepared, with its name in the store; what needs no preparation stays as it is."""
        if self._spec.prepare is None:
            return series
        name = name_of(series)
        item = self._store.prepared.get(name)
        if item is None:
            item = self._store.prepared.put(name, super().prepare(series))
        return _Prepared(item, name)

    def pair(self, x: Any, y: Any) -> Result:
        """As that of the metric: a result carries more than a value, which a store has not."""
        return super().pair(*_items([x, y]))

    def gradients(
        self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray, side: Side = "both"
    ) -> GradBatch:
        """As those of the metric."""
        return super().gradients(packed(left, _items), packed(right, _items), rows, cols, side)

    def block(
        self,
        left: Sequence[Any],
        right: Sequence[Any],
        rows: IntArray,
        cols: IntArray,
        cutoff: FloatArray | None = None,
    ) -> Batch:
        """As that of the metric, which solves only the pairs that are not known."""
        codes = self._store.codes(*self._numbers(left, right, rows, cols))
        values, known = self._store.look_up(codes)
        missing = np.flatnonzero(~known)
        if not len(missing):
            return Batch(values)
        ask = None if cutoff is None else cutoff[missing]
        solved = super().block(packed(left, _items), packed(right, _items), rows[missing], cols[missing], ask)
        values[missing] = solved.values
        sound = np.ones(len(missing), dtype=np.bool_)
        for bad in (None if solved.converged is None else ~solved.converged, solved.abandoned):
            if bad is not None:
                sound &= ~bad
        self._store.add(codes[missing[sound]], solved.values[sound])
        if self._at_once:
            self._store.write()
        return _widened(solved, values, missing)

    def lower_bounds(self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray) -> FloatArray:
        """As those of the metric; of a known pair its value, or what it was at parameters that lower it."""
        bounds, known = self._store.look_up(self._store.codes(*self._numbers(left, right, rows, cols)))
        for store in self._below:
            missing = np.flatnonzero(~known)
            numbers = packed(left, store.numbers)[rows[missing]], packed(right, store.numbers)[cols[missing]]
            values, there = store.look_up(store.codes(*numbers))
            bounds[missing[there]] = values[there] - _LOWER * np.abs(values[there])
            known[missing[there]] = True
        missing = np.flatnonzero(~known)
        if len(missing):
            bounds[missing] = super().lower_bounds(
                packed(left, _items), packed(right, _items), rows[missing], cols[missing]
            )
        return bounds

    def _numbers(
        self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray
    ) -> tuple[IntArray, IntArray]:
        return packed(left, self._store.numbers)[rows], packed(right, self._store.numbers)[cols]

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process cannot hand over what it found but in the folder.
        return _in_worker, (BoundMetric(self._spec, self._params), str(self._store.folder))


def name_of(series: Series) -> bytes:
    """What a series is called in every store: a digest of all it holds."""
    return bytes.fromhex(fingerprint([series]))[:_NAME]


@dataclass(frozen=True, slots=True)
class _Prepared:
    item: Any
    name: bytes


def _items(series: Sequence[Any]) -> PreparedSet:
    """What the metric itself prepared: the series as they are, or what the store has put a name on."""
    return PreparedSet(item.item if isinstance(item, _Prepared) else item for item in series)


def _widened(solved: Batch, values: FloatArray, missing: IntArray) -> Batch:
    """A batch of the missing pairs among all: known ones converged, and were not abandoned."""

    def among(part: Any, otherwise: Any) -> Any:
        if part is None:
            return None
        whole = np.full(len(values), otherwise, dtype=part.dtype)
        whole[missing] = part
        return whole

    return Batch(
        values,
        converged=among(solved.converged, True),
        gap=among(solved.gap, np.nan),
        n_iter=among(solved.n_iter, 0),
        abandoned=among(solved.abandoned, False),
    )


class _Recent:
    """The last things that were put in."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Any:
        """What was put in under the key, or None."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Any, value: Any) -> Any:
        """Keep the value, unless there is one, and return what is kept."""
        with self._lock:
            value = self._kept.setdefault(key, value)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return value


class PairStore:
    """The values of pairs of one metric: in memory, and in files of a folder that are written once and never changed.

    Parameters
    ----------
    folder : Path
        Where the files are; it need not exist.
    symmetric : bool
        Whether a pair has one value in both orders.
    """

    def __init__(self, folder: Path, symmetric: bool) -> None:
        self.folder = folder
        self.prepared = _Recent(_PREPARED)
        self._symmetric = symmetric
        self._names: dict[bytes, int] = {}
        # Codes of known pairs in their order, and their values.
        self._known: tuple[IntArray, FloatArray] = np.empty(0, dtype=np.int64), np.empty(0)
        self._new: list[tuple[IntArray, FloatArray]] = []
        # Files that were read or written here, and of these the ones that one write has not joined yet.
        self._files: set[str] = set()
        self._own: list[Path] = []
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._known[0])

    def numbers(self, series: Sequence[Any]) -> IntArray:
        """The number of each series, prepared or not, in this store."""
        names = [item.name if isinstance(item, _Prepared) else name_of(item) for item in series]
        return self._numbers_of(names)

    def codes(self, x: IntArray, y: IntArray) -> IntArray:
        """One number for each pair of numbered series."""
        if self._symmetric:
            x, y = np.minimum(x, y), np.maximum(x, y)
        return (x.astype(np.int64) << 32) | y

    def look_up(self, codes: IntArray) -> tuple[FloatArray, BoolArray]:
        """The values of the pairs, and which of them are known; the others are NaN."""
        have, values = self._known
        wanted = np.full(len(codes), np.nan)
        if not len(have):
            return wanted, np.zeros(len(codes), dtype=np.bool_)
        at = np.minimum(np.searchsorted(have, codes), len(have) - 1)
        known = have[at] == codes
        wanted[known] = values[at[known]]
        return wanted, known

    def add(self, codes: IntArray, values: FloatArray) -> None:
        """Keep the values of pairs that were solved; they are known from the next ``write`` on."""
        if len(codes):
            with self._lock:
                self._new.append((codes, values))

    def write(self) -> None:
        """Take in what was added, and put it in a file of its own."""
        with self._lock:
            new, self._new = self._new, []
            if not new:
                return
            codes, first = np.unique(np.concatenate([part for part, _ in new]), return_index=True)
            values = np.concatenate([part for _, part in new])[first]
            self._take_in(codes, values)
            self._own.append(self._save(codes, values))
            if len(self._own) > _FILES:
                # Whoever looks for one of the files that go finds all of it in the new one.
                several, self._own = self._own, [self._save(*self._known)]
                for path in several:
                    path.unlink(missing_ok=True)

    def _save(self, codes: IntArray, values: FloatArray) -> Path:
        """A file of these pairs. Numbers hold in this process alone: in a file they count the names it holds itself."""
        used, places = np.unique(np.stack([codes >> 32, codes & 0xFFFFFFFF]), return_inverse=True)
        called = list(self._names)
        names = np.frombuffer(b"".join(called[k] for k in used), dtype=np.uint8).reshape(-1, _NAME)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{uuid.uuid4().hex}.npz"
        self._files.add(path.name)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, names=names, pairs=places.reshape(2, -1).astype(np.int32), values=values)
        return part.replace(path)

    def read(self) -> None:
        """Take in the files that others have written since."""
        with self._lock:
            for name in sorted({path.name for path in self.folder.glob("*.npz")} - self._files):
                self._files.add(name)
                with suppress(FileNotFoundError), np.load(self.folder / name, allow_pickle=False) as file:
                    rows, cols = self._numbers_of([bytes(name) for name in file["names"]])[file["pairs"]]
                    codes, first = np.unique(self.codes(rows, cols), return_index=True)
                    self._take_in(codes, file["values"][first])

    def _numbers_of(self, names: Sequence[bytes]) -> IntArray:
        with self._lock:
            return np.array([self._names.setdefault(name, len(self._names)) for name in names], dtype=np.int64)

    def _take_in(self, codes: IntArray, values: FloatArray) -> None:
        fresh = ~self.look_up(codes)[1]
        have, old = self._known
        joined = np.concatenate([have, codes[fresh]])
        order = np.argsort(joined, kind="stable")
        self._known = joined[order], np.concatenate([old, values[fresh]])[order]


_stores = _Recent(_STORES)


def _store_of(folder: Path, symmetric: bool) -> PairStore:
    """The only store of a folder in this process."""
    store: PairStore | None = _stores.get(str(folder))
    return _stores.put(str(folder), PairStore(folder, symmetric)) if store is None else store


def _in_worker(metric: BoundMetric, folder: str) -> RememberingMetric:
    store = _store_of(Path(folder), metric.traits.symmetric)
    store.read()
    return RememberingMetric(metric, store, _stores_below(store.folder, metric), at_once=True)


def _place_of(metric: BoundMetric) -> Path:
    """The folder of a metric among those of all: metrics that differ in what raises them stand side by side."""
    name = parameters.raising(metric.params)
    if name is None:
        return Path(_name_of(metric))
    usual = replace(metric.params, **{name: getattr(type(metric.params), name)})
    return Path(_name_of(BoundMetric(metric.spec, usual)), repr(getattr(metric.params, name)))


def _stores_below(folder: Path, metric: BoundMetric) -> list[PairStore]:
    """The stores beside that of a metric whose values are no larger, the nearest first."""
    name = parameters.raising(metric.params)
    if name is None:
        return []
    smaller = []
    for path in folder.parent.glob("*"):
        with suppress(ValueError):  # whatever else lies there
            if float(path.name) < getattr(metric.params, name):
                smaller.append((float(path.name), path))
    stores = [_store_of(path, metric.traits.symmetric) for _, path in sorted(smaller, reverse=True)]
    for store in stores:
        store.read()
    return stores


def _name_of(metric: BoundMetric) -> str:
    """A digest of everything but the series that decides a value."""
    # The code of a function of the session may change under the same name: it is read each time.
    return _digest_of_declared(metric) if registry.is_declared(metric.spec) else _digest(metric)


def _digest(metric: BoundMetric) -> str:
    return digest_of(job_of(metric, ()))[:32]


_digest_of_declared = lru_cache(maxsize=256)(_digest)
