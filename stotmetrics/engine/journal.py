"""The journal beside a matrix on disk: which job writes it, and which tiles are written.

It is a text file. Every record is a line with its own checksum, begun by a line end, so that neither a torn line before
it nor bytes behind it can be taken for a part of it; a line that does not pass its checksum says nothing. The checksum
of a tile's record is seeded with the job, and the record holds the checksum of the tile's numbers: a tile counts as
written only if the file holds what the record says. Whatever a crash leaves costs the tiles that it damaged.

The journal is also the lock of the matrix: whoever writes holds it with ``flock``, which ends with the process.
"""

import contextlib
import errno
import json
import os
import platform
import time
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .places import refuse_missing_folder

try:
    import fcntl
except ImportError:  # on Windows everything works but matrices on disk
    fcntl = None  # type: ignore[assignment]

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS_HERE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)

# Seconds that a lock is waited for: a reader of a finished matrix holds it for writing only for a moment.
_PATIENCE, _PAUSE = 0.2, 0.02


class Journal:
    """An open and locked journal; what it says is asked for with :meth:`read`.

    Parameters
    ----------
    path : path
        The journal.
    matrix : path
        What it is the journal of, as errors name it.
    job : dict of str to str
        Everything that decides the numbers.
    digest : str
        One digest for the whole job.
    beside_others : bool, default False
        Whether several may hold the journal at a time, none of whom writes more into it than who they are.
    patience : float, default 0.2
        Seconds to wait for others.
    """

    def __init__(
        self,
        path: Path,
        matrix: Path,
        job: dict[str, Any],
        digest: str,
        *,
        beside_others: bool = False,
        patience: float = _PATIENCE,
    ) -> None:
        self.path = path
        self._matrix = matrix
        self._job = job
        self._digest = digest
        self._seed = _seed_of(digest)
        self.is_new = not path.exists()
        self._owner = os.getpid()
        self._fd, self._writable, self._shared = _open_locked(path, matrix, not beside_others, patience)
        if self._writable and (beside_others or not self._shared):
            self._append(f"run {os.getpid()} {platform.node() or '-'}")

    def read(self) -> tuple[dict[str, Any] | None, dict[int, int]]:
        """The job that the journal was written for, if that can be read, and the checksum of every tile it knows.

        Records of tiles that this job did not write are not seen.
        """
        content = _content(self._fd)
        return _job_of(content), _tiles_of(content, self._seed)

    def has_tiles(self) -> bool:
        """Whether there is anything that looks like the record of a tile, of whatever job."""
        return b"tile " in _content(self._fd)

    @property
    def is_shared(self) -> bool:
        """Whether others may hold the journal at the same time."""
        return self._shared

    def require_writable(self) -> None:
        """Raise the error that tells why nothing can be written."""
        if self._shared:
            raise _busy(self._fd, self._matrix)
        if not self._writable:
            raise PermissionError(
                errno.EACCES, "the folder must be one that this process may write to", os.fspath(self._matrix)
            )

    def share(self) -> None:
        """Let others read as well: nothing is going to be written."""
        if not self._shared and _flock(self._fd, fcntl.LOCK_SH, self._matrix):
            self._shared = True

    def claim(self) -> None:
        """Take the lock for writing again."""
        if self._shared and _flock(self._fd, fcntl.LOCK_EX, self._matrix):
            self._shared = False

    def begin(self) -> None:
        """Forget what is there, and name the job."""
        os.ftruncate(self._fd, 0)
        self._append(f"run {os.getpid()} {platform.node() or '-'}")
        self.name_job()

    def name_job(self) -> None:
        """Say which job this is, also where the line that said so is damaged."""
        self._append(f"job {json.dumps(self._job, sort_keys=True)}")
        self.sync()

    def add(self, tile: int, checksum: int) -> None:
        """Record that a tile is written."""
        self._append(f"tile {tile} {checksum:08x}", self._seed)

    def sync(self) -> None:
        """Bring the journal to the disk."""
        sync(self._fd, self.path)

    def remove(self) -> None:
        """Remove the file; the lock is kept until :meth:`close`."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the lock back, also where a process that was forked meanwhile has the file open."""
        if os.getpid() == self._owner:
            with contextlib.suppress(OSError):
                fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)

    def _append(self, record: str, seed: int = 0) -> None:
        line = record.encode()
        write_all(self._fd, b"\n%b %08x\n" % (line, zlib.crc32(line, seed)), None, self.path)


def job_in(path: Path) -> dict[str, Any] | None:
    """The job that the journal in a file was written for, if that can be read."""
    return _job_of(_read(path))


def tiles_in(path: Path, digest: str) -> dict[int, int]:
    """The checksum of every tile that the journal in a file knows, of the job with this digest."""
    return _tiles_of(_read(path), _seed_of(digest))


def sync(fd: int, path: Path) -> None:
    """Bring a file to the disk, or say which file could not be brought there."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise named(error, path) from error


def write_all(fd: int, data: bytes, offset: int | None, path: Path) -> None:
    """Write all of the data, at an offset or at the end, or say which file could not take it."""
    rest = memoryview(data)
    try:
        while rest:
            count = os.write(fd, rest) if offset is None else os.pwrite(fd, rest, offset)
            offset = None if offset is None else offset + count
            rest = rest[count:]
    except OSError as error:
        raise named(error, path) from error


def named(error: OSError, path: Path, way_out: str = "") -> OSError:
    """The same error with the name of the file, and what to do."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return type(error)(error.errno, reason + way_out, os.fspath(path))


def _open_locked(path: Path, matrix: Path, alone: bool, patience: float) -> tuple[int, bool, bool]:
    """Open and lock a journal: the file, whether it may be written, and whether others hold it too."""
    if fcntl is None:
        raise NotImplementedError(
            "a matrix on disk needs the locks of a POSIX system; leave out away, and save what is returned"
        )
    while True:
        fd, writable = _open(path, matrix)
        try:
            shared = not _lock(fd, matrix, writable, alone, patience)
            # Whoever held the lock may have removed the file meanwhile: then it is a lock on nothing.
            if _is_file(fd, path):
                return fd, writable, shared
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _open(path: Path, matrix: Path) -> tuple[int, bool]:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666), True
    except OSError as error:
        if error.errno not in _NOT_WRITABLE or not path.exists():
            raise _cannot_start(error, path, matrix) from error
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False


def _cannot_start(error: OSError, path: Path, matrix: Path) -> OSError:
    refuse_missing_folder(matrix)
    if error.errno in _NOT_WRITABLE:
        return named(error, matrix, "; the folder must be one that this process may write to")
    return named(error, path)


def _lock(fd: int, matrix: Path, writable: bool, alone: bool, patience: float) -> bool:
    """Lock for writing, or else beside others; False where others may hold it too and write."""
    last = time.monotonic() + patience
    while True:
        if alone and writable and _flock(fd, fcntl.LOCK_EX, matrix):
            return True
        if _flock(fd, fcntl.LOCK_SH, matrix):
            return alone and not writable
        if time.monotonic() > last:
            raise _busy(fd, matrix)
        time.sleep(_PAUSE)


def _busy(fd: int, matrix: Path) -> BlockingIOError:
    way_out = "wait until it is done, or choose another out"
    return BlockingIOError(errno.EAGAIN, f"{_holder(fd)} has this matrix in use; {way_out}", os.fspath(matrix))


def _flock(fd: int, kind: int, matrix: Path) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise named(error, matrix) from error
        warnings.warn(
            f"the file system of {os.fspath(matrix)!r} has no locks ({os.strerror(error.errno)}): "
            "make sure that no other process writes this matrix",
            RuntimeWarning,
            stacklevel=2,
        )
    return True


def _holder(fd: int) -> str:
    who = "another process"
    for words in _records(_content(fd), 0):
        if words[0] == "run":
            pid, host = words[1].split(maxsplit=1)
            who = f"process {pid}" + ("" if host == platform.node() else f" on {host}")
    return who


def _is_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _content(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    parts, start = [], 0
    while start < size:
        part = os.pread(fd, size - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise named(error, path) from error


def _seed_of(digest: str) -> int:
    return zlib.crc32(digest.encode())


def _job_of(content: bytes) -> dict[str, Any] | None:
    jobs = [said for kind, said in _records(content, 0) if kind == "job"]
    return json.loads(jobs[-1]) if jobs else None


def _tiles_of(content: bytes, seed: int) -> dict[int, int]:
    tiles = {}
    for kind, said in _records(content, seed):
        if kind == "tile":
            number, checksum = said.split()
            tiles[int(number)] = int(checksum, 16)
    return tiles


def _records(content: bytes, seed: int) -> Iterator[tuple[str, str]]:
    """Kind and content of every line that passes its checksum."""
    for line in content.split(b"\n"):
        record, _, checksum = line.rpartition(b" ")
        kind, _, rest = record.partition(b" ")
        if kind in (b"run", b"job", b"tile") and checksum == b"%08x" % zlib.crc32(record, seed * (kind == b"tile")):
            yield kind.decode(), rest.decode()
