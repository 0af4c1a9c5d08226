"""A matrix on disk, and disks that are full, small, slow, read-only or broken: one error, and nothing lost."""

import errno
import os
import resource
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from disk_runs import SPEC, WANTED, X, computed, names, stopped

from stotmetrics import pairwise


def full(fd, start, size):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_reservations(fd, start, size):
    raise OSError(errno.EOPNOTSUPP, "not here")


def test_a_full_disk_is_one_error_before_the_work_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left on device; it takes 28.9 kB: make room.*D.npy") as caught:
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "D.npy")
    assert names(tmp_path) == []
    monkeypatch.undo()
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=tmp_path / "D.npy"), WANTED)


def test_a_full_disk_does_not_cost_the_matrix_that_was_to_be_overwritten(tmp_path, monkeypatch):
    out = tmp_path / "D.npy"
    pairwise(X, metric=SPEC, out=out)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        pairwise(X + X, metric=SPEC, out=out, overwrite=True)
    assert names(tmp_path) == ["D.npy", "D.npy.journal"]
    assert computed(out)[1] == 0


def test_a_disk_without_reservations_is_filled_with_zeros_first(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", no_reservations)
    out = tmp_path / "D.npy"
    stopped(out, 1)
    assert out.stat().st_blocks * 512 >= WANTED.nbytes
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=out), WANTED)


def test_a_system_without_reservations_does_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=tmp_path / "D.npy"), WANTED)


@pytest.mark.parametrize("reserves", [True, False])
def test_a_quota_is_an_error_and_no_signal(tmp_path, monkeypatch, reserves):
    if not reserves:
        monkeypatch.setattr(os, "posix_fallocate", no_reservations)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"it takes 28.9 kB: make room") as caught:
            pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert names(tmp_path) == []


def said_on_a_small_disk(folder, code):
    """What a program says for which ``folder`` is a real file system of one megabyte, where that can be had."""
    start = """
        import subprocess, sys
        import numpy as np, stotmetrics
        from pathlib import Path
        folder, X = Path(sys.argv[1]), np.arange(400.0)[:, None]
        def matrix(n, name):
            return stotmetrics.pairwise(X[:n], metric="euclidean", out=folder / name)
    """
    small = 'mount -t tmpfs -o size=1m none "$1" && echo mounted && exec "$0" -c "$2" "$1"'
    flags = ["-m"] if os.geteuid() == 0 else ["-rm"]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare to mount a small file system with")
    code = textwrap.dedent(start) + textwrap.dedent(code)
    command = ["unshare", *flags, "sh", "-c", small, sys.executable, str(folder), code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "mounted" not in done.stdout:
        pytest.skip(f"no small file system here: {done.stderr.strip()}")
    return done.stdout + done.stderr


def test_a_small_disk_gives_an_error_and_no_signal(tmp_path):
    code = """
        try:
            matrix(400, "D.npy")
        except OSError as error:
            assert error.errno == 28 and not list(folder.iterdir())
            print("refused")
        print("as it should be", matrix(200, "D.npy").shape)
    """
    said = said_on_a_small_disk(tmp_path, code)
    assert "refused\nas it should be (200, 200)" in said, said


def test_a_small_disk_gives_an_error_for_a_store_too(tmp_path):
    pytest.importorskip("zarr", reason="the extra zarr is not installed")
    code = """
        try:
            matrix(400, "D.zarr")
        except OSError as error:
            assert error.errno == 28 and not list(folder.iterdir())
            print("refused")
        print("as it should be", matrix(100, "D.zarr").shape)
    """
    said = said_on_a_small_disk(tmp_path, code)
    assert "refused\nas it should be (100, 100)" in said, said


def test_a_disk_that_becomes_read_only_still_gives_what_is_finished(tmp_path):
    code = """
        matrix(100, "D.npy")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        print("returned", matrix(100, "D.npy").shape)
        try:
            matrix(50, "E.npy")
        except OSError as error:
            print(error)
    """
    said = said_on_a_small_disk(tmp_path, code)
    assert "returned (100, 100)" in said, said
    assert "Read-only file system; the folder must be one that this process may write to" in said, said


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder; make it before.*gone/D.npy"):
        pairwise(X, metric=SPEC, out=tmp_path / "gone" / "D.npy")


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / "D.npy").mkdir()
    with pytest.raises(IsADirectoryError, match=r"out must be a file, and this is a folder.*D.npy"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    assert names(tmp_path) == ["D.npy"]


def read_only(monkeypatch):
    """A file system that can be read; permissions would not stop a superuser."""
    really = os.open

    def refusing(path, flags, *more, **named):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, "Read-only file system", path)
        return really(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refusing)


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    read_only(monkeypatch)
    with pytest.raises(OSError, match=r"Read-only file system; the folder must be one.*D.npy"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")


def test_a_finished_matrix_in_a_read_only_folder_is_returned(tmp_path, monkeypatch):
    pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    read_only(monkeypatch)
    assert computed(tmp_path / "D.npy")[1] == 0
    with pytest.raises(PermissionError, match=r"may write to.*D.npy"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy", overwrite=True)


def test_an_unfinished_matrix_in_a_read_only_folder_is_refused(tmp_path, monkeypatch):
    stopped(tmp_path / "D.npy")
    read_only(monkeypatch)
    with pytest.raises(PermissionError, match=r"may write to.*D.npy"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")


def test_an_error_of_the_disk_in_the_middle_names_the_file_and_can_be_taken_up(tmp_path, monkeypatch):
    really, calls = os.pwrite, []

    def failing(fd, data, offset):
        calls.append(offset)
        if len(calls) > 60:
            raise OSError(errno.EIO, "whatever the system says")
        return really(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(OSError, match=r"Input/output error.*D.npy"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    monkeypatch.undo()
    D, pairs = computed(tmp_path / "D.npy")
    np.testing.assert_array_equal(D, WANTED)
    assert pairs < 60 * 59 // 2


def test_the_file_is_never_written_through_a_memory_map(tmp_path, monkeypatch):
    modes = []
    really = np.memmap.__new__

    def spying(cls, *args, **named):
        modes.append(named.get("mode", "r+"))
        return really(cls, *args, **named)

    monkeypatch.setattr(np.memmap, "__new__", spying)
    stopped(tmp_path / "D.npy")
    pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    assert modes
    assert set(modes) <= {"r", "c"}


def test_where_there_are_no_locks_everything_else_works(tmp_path):
    """As on Windows: the module that locks files is absent."""
    code = """
        import sys
        sys.modules["fcntl"] = None
        import stotmetrics
        X = [[0.0, 1.0], [0.0, 3.0]]
        print(stotmetrics.pairwise(X, metric="dtw").tolist(), stotmetrics.kneighbors(X, X, "dtw").indices.tolist())
        stotmetrics.NeighborIndex(X, "dtw").save("index.npz")
        for out in ("D.npy", "D.zarr"):
            try:
                stotmetrics.pairwise(X, metric="dtw", out=out)
            except (NotImplementedError, ValueError) as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    said = done.stdout.splitlines()
    assert said[0] == "[[0.0, 4.0], [4.0, 0.0]] [[0], [1]]", done.stderr
    assert "a matrix on disk needs the locks of a POSIX system" in said[1]
    assert len(said) == 3
    assert names(tmp_path) == ["index.npz"]
