"""What callers hand over as ``out``, and what they do while a matrix is written."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from disk_runs import PAIRS, SPEC, WANTED, StopError, X, computed, names, stopped

from stotmetrics import NeighborIndex, pairwise
from stotmetrics.errors import InvalidParameterError

# Paths.


@pytest.mark.parametrize("name", ["Entfernungen äöü.npy", "距離.npy", "a b'c\"d\n.npy", "-D.npy", "D.tar.npy"])
@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_any_name_is_a_name(tmp_path, name, kind):
    out = kind(os.fspath(tmp_path / name))
    stopped(out)
    D, pairs = computed(out)
    np.testing.assert_array_equal(D, WANTED)
    assert 0 < pairs < PAIRS
    assert names(tmp_path) == sorted([name, f"{name}.journal"])


def test_a_relative_path_is_that_of_the_start(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    D = pairwise(X, metric=SPEC, out="D.npy", progress=lambda done, total: os.chdir(tmp_path / "elsewhere"))
    np.testing.assert_array_equal(D, WANTED)
    assert names(tmp_path) == ["D.npy", "D.npy.journal", "elsewhere"]
    assert names(tmp_path / "elsewhere") == []
    assert computed("../D.npy")[1] == 0


def test_a_home_folder_is_what_a_shell_makes_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"~ stands for a home folder in a shell only"):
        pairwise(X, metric=SPEC, out="~/D.npy")
    assert names(tmp_path) == []


def test_a_link_keeps_pointing_to_the_matrix(tmp_path):
    (tmp_path / "store").mkdir()
    link = tmp_path / "D.npy"
    link.symlink_to(tmp_path / "store" / "E.npy")
    stopped(link)
    assert link.is_symlink()
    assert names(tmp_path / "store") == ["E.npy", "E.npy.journal"]
    np.testing.assert_array_equal(computed(link)[0], WANTED)
    np.testing.assert_array_equal(np.load(tmp_path / "store" / "E.npy"), WANTED)


@pytest.mark.parametrize("special", ["pipe", "/dev/full", "/dev/null"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_device_or_a_pipe_is_left_alone(tmp_path, special, overwrite):
    out = tmp_path / "D.npy"
    if special == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to(special)
    target = Path(os.path.realpath(out))
    before, beside = target.stat(), set(target.parent.iterdir())
    with pytest.raises(FileExistsError, match="out must be a file, and this is a device or a pipe"):
        pairwise(X, metric=SPEC, out=out, overwrite=overwrite)
    assert (target.stat().st_ino, target.stat().st_mode) == (before.st_ino, before.st_mode)
    assert set(target.parent.iterdir()) == beside


def test_a_folder_in_place_of_the_journal_is_named(tmp_path):
    (tmp_path / "D.npy.journal").mkdir()
    with pytest.raises(IsADirectoryError, match=r"D\.npy\.journal"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    assert names(tmp_path) == ["D.npy.journal"]


@pytest.mark.parametrize("out", ["D\0.npy", b"D.csv", object(), 1.5, "D.NPY", ["D.npy"], True])
def test_what_is_no_path_of_a_matrix_is_refused(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidParameterError, match=r"out must be the path of a \.npy file or a \.zarr folder"):
        pairwise(X, metric=SPEC, out=out)
    assert names(tmp_path) == []


def test_an_empty_file_that_was_made_for_the_matrix_is_used(tmp_path):
    out = tmp_path / "D.npy"
    out.touch()
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=out), WANTED)


def test_what_lies_beside_the_matrix_is_left_alone(tmp_path):
    beside = ["D.npy.new", "D.npy.old", "D.npy.bak", "index.npz.new", "D.npy.tmp"]
    for name in beside:
        (tmp_path / name).write_text("mine")
    for overwrite in (False, True):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy", overwrite=overwrite)
    NeighborIndex(X, "euclidean").save(tmp_path / "index.npz")
    assert names(tmp_path) == sorted([*beside, "D.npy", "D.npy.journal", "index.npz"])
    assert {(tmp_path / name).read_text() for name in beside} == {"mine"}


def test_a_backup_of_a_store_is_left_alone(tmp_path):
    pytest.importorskip("zarr", reason="the extra zarr is not installed")
    for name in ("D.zarr.old", "D.zarr.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        pairwise(X, metric=SPEC, out=tmp_path / "D.zarr", overwrite=overwrite)
    assert [(tmp_path / name / "notes.txt").read_text() for name in ("D.zarr.old", "D.zarr.new")] == ["mine"] * 2


# Who does the work.


def test_a_run_goes_on_with_other_workers(tmp_path):
    out, solved = tmp_path / "D.npy", 0
    for backend, n_jobs in (("threading", 2), ("loky", 2), ("sequential", 1), ("multiprocessing", 2)):
        told = []

        def stop(done, total, told=told):
            told.append(done)
            if len(told) > 1:
                raise StopError

        with joblib.parallel_config(backend=backend), pytest.raises(StopError):
            pairwise(X, metric=SPEC, out=out, n_jobs=n_jobs, progress=stop)
        assert told[0] == solved
        solved = told[1]
    np.testing.assert_array_equal(computed(out, n_jobs=2)[0], WANTED)


def test_a_matrix_within_a_worker_is_written_too(tmp_path):
    outs = [tmp_path / f"D{k}.npy" for k in range(3)]
    for backend in ("loky", "threading"):
        done = joblib.Parallel(n_jobs=2, backend=backend)(
            joblib.delayed(computed)(out, overwrite=True, n_jobs=2) for out in outs
        )
        assert all(pairs == PAIRS and np.array_equal(D, WANTED) for D, pairs in done)


def test_a_file_that_is_being_written_is_not_overwritten(tmp_path):
    refused = []

    def meanwhile(done, total):
        if done and not refused:
            with pytest.raises(BlockingIOError, match=f"process {os.getpid()} has this matrix in use"):
                pairwise(X[:3], metric="dtw", out=tmp_path / "D.npy", overwrite=True)
            refused.append(done)

    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=tmp_path / "D.npy", progress=meanwhile), WANTED)
    assert refused


def test_the_lock_does_not_outlive_its_call_in_a_process_that_was_forked_meanwhile(tmp_path):
    children = []

    def fork(done, total):
        if not children:
            children.append(multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)))
            children[0].start()

    try:
        computed_once = pairwise(X, metric=SPEC, out=tmp_path / "D.npy", progress=fork)
        assert children[0].is_alive()
        np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=tmp_path / "D.npy", overwrite=True), computed_once)
    finally:
        children[0].kill()
        children[0].join()


# Callables.


def test_a_callable_that_fails_leaves_a_file_to_go_on_with(tmp_path):
    for error in (ZeroDivisionError, KeyboardInterrupt, SystemExit, GeneratorExit):

        def fail(done, total, error=error):
            if done % (24 * 24):
                raise error

        with pytest.raises(error):
            pairwise(X, metric=SPEC, out=tmp_path / "D.npy", n_jobs=1, progress=fail)
    D, pairs = computed(tmp_path / "D.npy")
    np.testing.assert_array_equal(D, WANTED)
    assert pairs < PAIRS


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupt_while_processes_work_is_heard_and_leaves_a_file_to_go_on_with(tmp_path):
    code = """
        import sys, time
        import joblib, numpy as np, stotmetrics
        from stotmetrics.engine import workers
        workers._ALONE = {True: 0.0, False: 0.0}

        def slow(x, y):
            time.sleep(2e-3)
            return float(abs(x[0] - y[0]))

        def tell(done, total):
            print(done, flush=True)

        with joblib.parallel_config(backend="loky", n_jobs=2):
            stotmetrics.pairwise(np.arange(100.0)[:, None], metric=slow, out=sys.argv[1], progress=tell)
    """
    out = tmp_path / "D.npy"
    command = [sys.executable, "-c", textwrap.dedent(code), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        next(line for line in run.stdout if line != "0\n")
        run.send_signal(signal.SIGINT)
        start = time.monotonic()
        said = run.communicate(timeout=60)[1]
    assert time.monotonic() - start < 20  # two seconds, on a machine with nothing else to do
    assert "KeyboardInterrupt" in said
    assert names(tmp_path) == ["D.npy", "D.npy.journal"]
    with pytest.raises(ValueError, match="pickled"):
        np.load(out)
