"""Paths that a caller gives: where a matrix or an index goes, and under which name it is made before it goes there."""

import errno
import os
from pathlib import Path
from typing import Any

from ..errors import InvalidParameterError

OutPath = str | os.PathLike[str]


def npy_path(out: Any) -> Path:
    """The path of a ``.npy`` file, links resolved: two names of one file have one journal."""
    return _resolved(_text(out, ".npy", "out must be the path of a .npy file or a .zarr folder"))


def zarr_path(out: Any) -> Path:
    """The path of a Zarr store, links resolved."""
    return _resolved(_text(out, ".zarr", "out must be the path of a .npy file or a .zarr folder"))


def npz_path(path: Any) -> Path:
    """The path of an ``.npz`` file."""
    return Path(_text(path, ".npz", "path must be that of an .npz file"))


def is_zarr_path(out: Any) -> bool:
    """Whether ``out`` names a Zarr store."""
    return isinstance(out, (str, bytes, os.PathLike)) and Path(os.fsdecode(out)).suffix == ".zarr"


def made_aside(path: Path, what: str) -> Path:
    """The name under which something is made beside ``path`` before it is put there; no user's file is called so."""
    return path.with_name(f"{path.name}.stotmetrics-{what}")


def refuse_special(path: Path) -> None:
    """Raise an error where a file is not one that can be replaced: a folder, a device, a pipe."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "out must be a file, and this is a folder", os.fspath(path))
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "out must be a file, and this is a device or a pipe", os.fspath(path))


def refuse_missing_folder(path: Path) -> None:
    """Raise an error that names the folder that a file was to go to."""
    if not path.parent.is_dir():
        home = any(part.startswith("~") for part in path.parts)
        hint = "; ~ stands for a home folder in a shell only, see os.path.expanduser" if home else ""
        raise FileNotFoundError(
            errno.ENOENT, f"there is no such folder; make it before the matrix{hint}", os.fspath(path)
        )


def _text(given: Any, suffix: str, wanted: str) -> str:
    try:
        text = os.fsdecode(given)
    except TypeError:
        text = ""
    if Path(text).suffix != suffix or "\0" in text:
        raise InvalidParameterError(f"{wanted}; got {text or given!r}")
    return text


def _resolved(text: str) -> Path:
    return Path(os.path.realpath(text))
