"""Two runs at once on one matrix: one works, the other is told who does."""

import errno
import os
import re
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from disk_runs import SPEC, WANTED, X, computed, stopped

from stotmetrics import pairwise


def test_a_second_process_is_refused_by_name_and_the_first_goes_on(tmp_path):
    code = f"""
        import sys, numpy as np, stotmetrics
        try:
            stotmetrics.pairwise(np.arange(9.0)[:, None], metric="dtw", out={str(tmp_path / "D.npy")!r})
        except BlockingIOError as error:
            print(error)
    """
    said = []

    def ask(done, total):
        if done and not said:
            run = subprocess.run(
                [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
            )
            said.append(run.stdout + run.stderr)

    D = pairwise(X, metric=SPEC, out=tmp_path / "D.npy", progress=ask)
    np.testing.assert_array_equal(D, WANTED)
    assert re.search(rf"process {os.getpid()} has this matrix in use; wait.*D\.npy", said[0]), said


def test_a_second_thread_is_refused_and_the_first_goes_on(tmp_path):
    errors = []

    def ask(done, total):
        if done and not errors:
            with pytest.raises(BlockingIOError, match=f"process {os.getpid()} has"):
                pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
            errors.append(done)

    thread = threading.Thread(
        target=pairwise, args=(X,), kwargs={"metric": SPEC, "out": tmp_path / "D.npy", "progress": ask}
    )
    thread.start()
    thread.join()
    assert errors
    np.testing.assert_array_equal(np.load(tmp_path / "D.npy"), WANTED)


def test_a_link_to_the_file_is_the_same_file(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    stopped(tmp_path / "real" / "D.npy")

    def ask(done, total):
        with pytest.raises(BlockingIOError):
            pairwise(X, metric=SPEC, out=tmp_path / "real" / "D.npy")

    pairwise(X, metric=SPEC, out=tmp_path / "link" / "D.npy", progress=ask)
    assert computed(tmp_path / "real" / "D.npy")[1] == 0


def test_a_file_system_without_locks_warns(tmp_path, monkeypatch):
    import fcntl

    def none(fd, kind):
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.warns(RuntimeWarning, match="no locks .* make sure that no other process writes"):
        D = pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    np.testing.assert_array_equal(D, WANTED)
