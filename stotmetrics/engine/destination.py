"""Where the distances of a tile go: how a matrix lies in an array, and the matrix in memory."""

import functools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import InvalidParameterError


class Region(Protocol):
    """A rectangle of the matrix; see :class:`stotmetrics.engine.tiles.Tile`."""

    @property
    def rows(self) -> slice:
        """Its rows."""

    @property
    def cols(self) -> slice:
        """Its columns."""

    def pairs(self) -> tuple[IntArray, IntArray]:
        """Row and column indices, counted within it, of the pairs that are computed."""


class Span(NamedTuple):
    """A run of entries in the order of the array, and the entries of a tile's block that belong there."""

    start: int
    block: tuple[slice | int, slice | int]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the entries of an n x m matrix lie in an array: as they are, or the upper triangle row by row."""

    n: int
    m: int
    condensed: bool = False
    mirror: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return (self.n * (self.n - 1) // 2,) if self.condensed else (self.n, self.m)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape, dtype=object))

    def index(self, rows: IntArray, cols: IntArray) -> tuple[IntArray, ...]:
        """Where in the array the pairs lie."""
        if self.condensed:
            return (self.n * rows - rows * (rows + 1) // 2 + cols - rows - 1,)
        return rows, cols

    def share(self, tiles: Sequence[Region]) -> range:
        """The numbers of the tiles that belong into the array: all."""
        return range(len(tiles))

    def spans(self, tile: Region) -> Iterator[Span]:
        """The runs of entries that a tile determines."""
        rows, cols = tile.rows, tile.cols
        width = cols.stop - cols.start
        for i in range(rows.start, rows.stop):
            first = max(cols.start, i + 1) if self.condensed else cols.start
            if first < cols.stop:
                start = self.n * i - i * (i + 1) // 2 + first - i - 1 if self.condensed else i * self.m + first
                yield Span(start, (i - rows.start, slice(first - cols.start, width)))
        if self.mirror and not self.condensed and rows != cols:
            for j in range(cols.start, cols.stop):
                yield Span(j * self.m + rows.start, (slice(None), j - cols.start))

    def checksum(self, array: npt.NDArray[Any], tile: Region) -> int:
        """The checksum of what the array holds where a tile belongs, in the order of :meth:`spans`."""
        if self.condensed:
            runs = (array[span.start : span.start + _length(span, tile)] for span in self.spans(tile))
            return functools.reduce(lambda crc, run: zlib.crc32(run.tobytes(), crc), runs, 0)
        crc = zlib.crc32(array[tile.rows, tile.cols].tobytes())
        if self.mirror and tile.rows != tile.cols:
            crc = zlib.crc32(array[tile.cols, tile.rows].tobytes(), crc)
        return crc

    def block(self, tile: Region, values: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
        """The values of a tile as a rectangle, with what the symmetry and the diagonal say."""
        return block_of(tile, values, dtype, mirror=self.mirror)


class Arrangement(Protocol):
    """Where in an array the entries of a tile lie: a :class:`Layout`, or that of one shard."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""

    @property
    def size(self) -> int:
        """The number of entries."""

    def share(self, tiles: Sequence[Region]) -> range:
        """The numbers of the tiles that belong into the array."""

    def spans(self, tile: Region) -> Iterator[Span]:
        """The runs of entries that a tile determines."""

    def checksum(self, array: npt.NDArray[Any], tile: Region) -> int:
        """The checksum of what the array holds where a tile belongs, in the order of the spans."""

    def block(self, tile: Region, values: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
        """The values of a tile as a rectangle."""


def block_of(tile: Region, values: FloatArray, dtype: npt.DTypeLike, *, mirror: bool) -> FloatArray:
    """The values of a tile as a rectangle; ``mirror`` says that the triangle on the diagonal stands for both."""
    i, j = tile.pairs()
    block = np.zeros((tile.rows.stop - tile.rows.start, tile.cols.stop - tile.cols.start), dtype=dtype)
    block[i, j] = values
    if mirror and tile.rows == tile.cols:
        block[j, i] = values
    return block


class Destination:
    """A matrix in memory, filled tile by tile; closed by leaving its ``with`` block."""

    # Whether several threads may write tiles at a time, which lie apart.
    shared = True

    def __init__(self, array: npt.NDArray[Any], layout: Layout | None = None) -> None:
        self.array = array
        self._layout = layout

    def share(self, tiles: Sequence[Region]) -> Sequence[int]:
        """The numbers of the tiles that belong here."""
        return range(len(tiles))

    def todo(self, tiles: Sequence[Region]) -> Sequence[int]:
        """Those of them still to compute."""
        return self.share(tiles)

    def write(self, number: int, tile: Region, values: FloatArray, *, mirror: bool) -> None:
        """Store the values of one tile, and their mirror image for a symmetric matrix."""
        values = narrowed(values, self.array.dtype)
        if tile.rows != tile.cols and (self._layout is None or not self._layout.condensed):
            # A matrix of several metrics has one more axis.
            block = values.reshape(tile.rows.stop - tile.rows.start, -1, *values.shape[1:])
            self.array[tile.rows, tile.cols] = block
            if mirror:
                self.array[tile.cols, tile.rows] = block.swapaxes(0, 1)
            return
        i, j = tile.pairs()
        i, j = i + tile.rows.start, j + tile.cols.start
        if self._layout is not None and self._layout.condensed:
            self.array[self._layout.index(i, j)] = values
            return
        self.array[i, j] = values
        if mirror:
            self.array[j, i] = values

    def finish(self) -> None:
        """All tiles are written."""

    def close(self) -> None:
        """Nothing is written any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()


def float_type(dtype: Any) -> np.dtype[Any]:
    """The type of the entries, float64 by default."""
    try:
        kind = np.dtype(np.float64 if dtype is None else dtype)
    except TypeError as error:
        raise InvalidParameterError(f"dtype must be 'float64' or 'float32'; got {dtype!r}") from error
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise InvalidParameterError(f"dtype must be 'float64' or 'float32'; got {dtype!r}")
    return kind.newbyteorder("=")


def narrowed(values: FloatArray, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The values in another type, or an error where they do not fit."""
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype, copy=False)
    if narrow is not values and not np.isfinite(narrow).all():
        worst = values[~np.isfinite(narrow)][0]
        raise FloatingPointError(f"a distance of {worst:g} does not fit into {dtype}; pass dtype='float64'")
    return narrow


def in_words(count: int) -> str:
    """A number of bytes for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _length(span: Span, tile: Region) -> int:
    _, cols = span.block
    if isinstance(cols, slice):
        return int(cols.stop - cols.start)
    return tile.rows.stop - tile.rows.start
