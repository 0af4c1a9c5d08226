"""A Zarr array whose chunks are the tiles of a matrix, so that every tile is a file of its own.

Its attributes say of which job it is, whether it is finished, and into how many shards it is divided. What is not
computed yet reads as NaN. Chunks are not compressed: distances hardly shrink, and so it is known beforehand how much
space they take.
"""

import errno
import os
import shutil
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InvalidParameterError
from .destination import Layout, Region, block_of, in_words, narrowed
from .journal import named
from .places import made_aside, zarr_path

WAY_OUT = "pass overwrite=True to start anew, or another out"

_OURS = "stotmetrics"


@dataclass(frozen=True, slots=True)
class StoreState:
    """What a store says of itself: the digest of its job, whether it is finished, and its shards (0: none)."""

    job: str
    finished: bool = False
    shards: int = 0


class TileStore:
    """A Zarr array on disk, in chunks that are tiles.

    Parameters
    ----------
    path : path
        The folder of the store, ending in ``.zarr``.
    mirror : bool
        Whether a tile stands for its mirror image as well.
    """

    def __init__(self, path: Any, *, mirror: bool) -> None:
        self._zarr = _zarr()
        self.path = zarr_path(path)
        self._mirror = mirror
        self._array: Any = None

    def state(self) -> StoreState | None:
        """What the store says of itself; None where there is nothing."""
        if not self.path.exists():
            return None
        try:
            said = self._zarr.open_array(self.path, mode="r").attrs.get(_OURS)
        except Exception as error:
            raise FileExistsError(
                f"{os.fspath(self.path)!r} exists and is no Zarr array ({error}); move it away"
            ) from error
        if not isinstance(said, dict):
            raise FileExistsError(
                f"{os.fspath(self.path)!r} is a Zarr array of someone else; move it away, or pass another out"
            )
        return StoreState(str(said.get("job")), bool(said.get("finished")), int(said.get("shards", 0)))

    def set_state(self, state: StoreState) -> None:
        """Let the store say this of itself."""
        self._array.attrs[_OURS] = asdict(state)

    def create(self, layout: Layout, side: int, dtype: np.dtype[Any], state: StoreState) -> None:
        """Make the store under another name, and put it in the place of what is there."""
        _refuse_full_disk(self.path, layout.size * dtype.itemsize)
        new, old = (made_aside(self.path, what) for what in ("new", "old"))
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            self._zarr.create_array(
                new,
                shape=layout.shape,
                chunks=tuple(max(1, min(side, size)) for size in layout.shape),
                dtype=dtype,
                compressors=None,
                fill_value=float("nan"),
                attributes={_OURS: asdict(state)},
            )
            if self.path.exists():
                self.path.rename(old)
            new.rename(self.path)
        except OSError as error:
            raise named(error, self.path) from error
        finally:
            for folder in (new, old):
                shutil.rmtree(folder, ignore_errors=True)

    def open(self, *, to_write: bool) -> Any:
        """The array, which is then the one that tiles are written to or read from."""
        self._array = self._zarr.open_array(self.path, mode="r+" if to_write else "r")
        return self._array

    def write(self, tile: Region, values: FloatArray) -> int:
        """Write the chunk of a tile, and its mirror image; the checksum of its numbers."""
        dtype = self._array.dtype
        block = block_of(tile, narrowed(values, dtype), dtype, mirror=self._mirror)
        try:
            self._array[tile.rows, tile.cols] = block
            if self._is_mirrored(tile):
                self._array[tile.cols, tile.rows] = block.T
        except OSError as error:
            raise named(error, self.path) from error
        return zlib.crc32(block.tobytes())

    def checksum(self, tile: Region) -> int | None:
        """The checksum of what the store holds, None if the two halves of it differ."""
        block = np.ascontiguousarray(self._array[tile.rows, tile.cols])
        if self._is_mirrored(tile) and not np.array_equal(block, self._array[tile.cols, tile.rows].T):
            return None
        return zlib.crc32(block.tobytes())

    def remove(self) -> None:
        """Take the store away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _is_mirrored(self, tile: Region) -> bool:
        return self._mirror and tile.rows != tile.cols


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise InvalidParameterError("out='matrix.zarr' needs zarr: pip install 'stotmetrics[zarr]'") from error
    return zarr


def _refuse_full_disk(path: Path, need: int) -> None:
    if shutil.disk_usage(path.parent).free < need:
        way_out = f"{os.strerror(errno.ENOSPC)}; it takes {in_words(need)}: make room, or pass dtype='float32'"
        raise OSError(errno.ENOSPC, way_out, os.fspath(path))
