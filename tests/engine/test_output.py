"""A matrix on disk, end to end: what is returned, refused, replaced, and what a failure leaves behind."""

import errno
import io
import os
import re
import resource
import shutil
import subprocess
import sys
import textwrap
import threading

import joblib
import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from stotmetrics import MetricSpec, Traits, get_metric, pairwise
from stotmetrics.engine import destination, output, tiles
from stotmetrics.engine.tiles import tiles_of
from stotmetrics.errors import InvalidParameterError

X = np.arange(60.0)[:, None] ** 1.5
METRIC_TRAITS = Traits(symmetric=True, zero_self=True, unequal_length=True)


def gap(x, y, params):
    return float(abs(x.values.mean() - y.values.mean()))


SPEC = MetricSpec(name="gap", pair=gap, traits=METRIC_TRAITS)
WANTED = np.abs(X - X.T)


class StopError(Exception):
    """The run ends here."""


def after(tiles):
    told = []

    def tell(done, total):
        told.append(done)
        if len(told) > tiles:
            raise StopError

    return tell


def stopped(out, tiles=3, X=X, metric=SPEC, **how):
    with pytest.raises(StopError):
        pairwise(X, metric=metric, out=out, n_jobs=1, progress=after(tiles), **how)


def computed(out, X=X, metric=SPEC, **how):
    """The matrix, and how many pairs this run solved."""
    told = []
    D = pairwise(X, metric=metric, out=out, progress=lambda done, total: told.append(done), **how)
    return D, told[-1] - told[0]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# What comes back.


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_matrix_on_disk_is_the_one_in_memory(tmp_path, n_jobs):
    D = pairwise(X, metric=SPEC, out=tmp_path / "D.npy", n_jobs=n_jobs)
    assert isinstance(D, np.memmap)
    np.testing.assert_array_equal(D, WANTED)
    np.testing.assert_array_equal(np.load(tmp_path / "D.npy"), WANTED)
    assert names(tmp_path) == ["D.npy", "D.npy.journal"]


def test_two_sets_and_a_metric_that_claims_nothing(tmp_path):
    metric = MetricSpec(name="difference", pair=lambda x, y, params: float(x.values[0, 0] - y.values[0, 0]))
    D = pairwise(X, X[:31], metric=metric, out=tmp_path / "D.npy")
    np.testing.assert_array_equal(D, X - X[:31].T)


def test_the_file_is_what_numpy_writes(tmp_path):
    pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    np.save(tmp_path / "saved.npy", WANTED)
    assert (tmp_path / "D.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()


def test_a_finished_matrix_is_returned(tmp_path):
    out = tmp_path / "D.npy"
    pairwise(X, metric=SPEC, out=out)
    before = out.stat()
    D, pairs = computed(out)
    np.testing.assert_array_equal(D, WANTED)
    assert pairs == 0
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_done_to_the_array_stays_out_of_the_file(tmp_path):
    D = pairwise(X, metric=SPEC, out=tmp_path / "D.npy")
    np.fill_diagonal(D, np.inf)
    D.flush()
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=tmp_path / "D.npy"), WANTED)


def test_several_may_read_a_finished_matrix_at_once(tmp_path):
    out = tmp_path / "D.npy"
    pairwise(X, metric=SPEC, out=out)
    found = joblib.Parallel(n_jobs=4, prefer="threads")(joblib.delayed(computed)(out) for _ in range(40))
    assert all(pairs == 0 and np.array_equal(D, WANTED) for D, pairs in found)


def test_a_stopped_run_is_completed_without_repeating_its_tiles(tmp_path):
    out = tmp_path / "D.npy"
    stopped(out, 3)
    D, pairs = computed(out)
    np.testing.assert_array_equal(D, WANTED)
    # Three tiles of six were written: two of 24 by 24, one of them half and without its diagonal, and one of 24 by 12.
    assert pairs == 60 * 59 // 2 - (24 * 23 // 2 + 24 * 24 + 24 * 12)


def test_a_metric_that_keeps_a_record_of_its_calls_can_be_resumed(tmp_path):
    calls = []

    def pair(x, y, params):
        calls.append(x.values[0, 0])
        return gap(x, y, params)

    metric = MetricSpec(name="gap", pair=pair, traits=METRIC_TRAITS)
    stopped(tmp_path / "D.npy", metric=metric)
    before = len(calls)
    D, pairs = computed(tmp_path / "D.npy", metric=metric)
    np.testing.assert_array_equal(D, WANTED)
    assert len(calls) == before + pairs


# Formats.


@pytest.mark.parametrize("n", [1, 2, 24, 25, 60])
@pytest.mark.parametrize("on_disk", [True, False])
def test_condensed_is_the_triangle_that_scipy_takes(tmp_path, n, on_disk):
    out = tmp_path / "D.npy" if on_disk else None
    D = pairwise(X[:n], metric=SPEC, condensed=True, out=out)
    assert D.shape == (n * (n - 1) // 2,)
    np.testing.assert_array_equal(D, pdist(X[:n], "cityblock"))
    np.testing.assert_array_equal(squareform(D) if n > 1 else [[0.0]], WANTED[:n, :n])
    if on_disk:
        np.testing.assert_array_equal(computed(out, X[:n], condensed=True)[0], D)


def test_a_stopped_condensed_run_is_completed(tmp_path):
    stopped(tmp_path / "D.npy", 2, condensed=True)
    D, pairs = computed(tmp_path / "D.npy", condensed=True)
    np.testing.assert_array_equal(D, pdist(X, "cityblock"))
    assert 0 < pairs < len(D)


def test_condensed_is_refused_where_the_triangle_is_not_all(tmp_path):
    with pytest.raises(InvalidParameterError, match="leave Y out"):
        pairwise(X, X, metric=SPEC, condensed=True)
    for claims, lacks in (
        ({"zero_self": True}, "symmetric"),
        ({"symmetric": True}, "zero between a series and itself"),
    ):
        metric = MetricSpec(name="weak", pair=gap, traits=Traits(**claims))
        with pytest.raises(InvalidParameterError, match=f"does not claim to be {lacks}; pass condensed=False"):
            pairwise(X, metric=metric, condensed=True, out=tmp_path / "D.npy")
    assert names(tmp_path) == []


@pytest.mark.parametrize("condensed", [True, False])
@pytest.mark.parametrize("on_disk", [True, False])
def test_float32_is_float64_rounded(tmp_path, on_disk, condensed):
    out = tmp_path / "D.npy" if on_disk else None
    D = pairwise(X, metric=SPEC, dtype="float32", condensed=condensed, out=out)
    assert D.dtype == np.float32
    wanted = pairwise(X, metric=SPEC, condensed=condensed)
    np.testing.assert_array_equal(D, wanted.astype(np.float32))


@pytest.mark.parametrize("dtype", ["float16", "int", ">f2", "nonsense", object(), "complex64"])
def test_other_types_are_refused(dtype):
    with pytest.raises(InvalidParameterError, match="dtype must be 'float64' or 'float32'"):
        pairwise(X, metric=SPEC, dtype=dtype)


def test_a_distance_beyond_float32_is_an_error_and_not_infinity():
    with pytest.raises(FloatingPointError, match=r"4e\+38 does not fit into float32; pass dtype='float64'"):
        pairwise([[0.0], [4e38]], metric=SPEC, dtype="float32")


def test_the_layout_of_the_triangle_has_every_pair_once():
    layout = destination.Layout(11, 11, condensed=True, mirror=True)
    count = np.zeros(layout.size, dtype=int)
    for tile in tiles_of(11, 11, 3, within=True, symmetric=True, zero_self=True):
        i, j = tile.pairs()
        (where,) = layout.index(i + tile.rows.start, j + tile.cols.start)
        runs = [np.arange(span.start, span.start + destination._length(span, tile)) for span in layout.spans(tile)]
        np.testing.assert_array_equal(np.concatenate([*runs, []]), where)
        count[where] += 1
    assert set(count) == {1}


# What is refused, and the way out.


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"X": X + 1}, "series"),
        ({"X": X[:59]}, "series"),
        ({"dtype": "float32"}, "dtype"),
        ({"condensed": True}, "shape"),
        ({"metric": MetricSpec(name="other", pair=gap, traits=METRIC_TRAITS)}, "metric"),
        ({"metric": MetricSpec(name="gap", pair=gap, traits=Traits(symmetric=True))}, "traits"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_job_is_refused_until_it_may_overwrite(tmp_path, change, differs, finished):
    out, call = tmp_path / "D.npy", {"X": X, "metric": SPEC, **change}
    if finished:
        pairwise(X, metric=SPEC, out=out)
    else:
        stopped(out)
    before = out.read_bytes()
    with pytest.raises(FileExistsError, match=rf"another .*{differs}.*overwrite=True"):
        pairwise(out=out, **call)
    assert out.read_bytes() == before
    D, pairs = computed(out)
    assert (pairs == 0) == finished
    D = pairwise(out=out, overwrite=True, **call)
    np.testing.assert_array_equal(D, pairwise(**call))
    np.testing.assert_array_equal(pairwise(out=out, **call), D)
    assert names(tmp_path) == ["D.npy", "D.npy.journal"]


def test_other_parameters_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(tiles._SIDES, "block", 24)  # several tiles
    stopped(tmp_path / "D.npy", metric=get_metric("gak", sigma=1.0))
    with pytest.raises(FileExistsError, match="another parameters"):
        pairwise(X, metric="gak", sigma=2.0, out=tmp_path / "D.npy")


def test_another_version_is_refused(tmp_path, monkeypatch):
    stopped(tmp_path / "D.npy")
    monkeypatch.setattr("stotmetrics.__version__", "999")
    with pytest.raises(FileExistsError, match="another version of stotmetrics"):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy")


def test_a_file_of_others_is_left_alone(tmp_path):
    out = tmp_path / "D.npy"
    np.save(out, np.ones(3))
    with pytest.raises(FileExistsError, match="move it away first, or pass overwrite=True"):
        pairwise(X, metric=SPEC, out=out)
    np.testing.assert_array_equal(np.load(out), np.ones(3))
    assert names(tmp_path) == ["D.npy"]


def test_a_matrix_that_was_changed_after_its_end_is_not_returned(tmp_path):
    out = tmp_path / "D.npy"
    pairwise(X, metric=SPEC, out=out)
    changed = np.load(out)
    changed[3, 50] += 1
    np.save(out, changed)
    with pytest.raises(FileExistsError, match="was changed after it was finished: 1 of 6 tiles"):
        pairwise(X, metric=SPEC, out=out)
    assert np.load(out)[3, 50] == changed[3, 50]
    np.save(out, changed[:5])
    with pytest.raises(FileExistsError, match="not an array of shape"):
        pairwise(X, metric=SPEC, out=out)
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, out=out, overwrite=True), WANTED)


def test_overwriting_leaves_the_array_of_before_as_it_was(tmp_path):
    out = tmp_path / "D.npy"
    before = pairwise(X, metric=SPEC, out=out)
    pairwise(X[:3] + 7, metric=SPEC, out=out, overwrite=True)
    np.testing.assert_array_equal(before, WANTED)


@pytest.mark.parametrize("out", ["D.csv", "D", 3, b"D.txt", "", ".npy"])
def test_out_must_be_an_npy_file(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidParameterError, match=r"out must be the path of a .npy file"):
        pairwise(X, metric=SPEC, out=out)


@pytest.mark.parametrize("wrong", [{"n_jobs": 0}, {"dtype": "int"}, {"max_memory": -1}])
def test_a_call_that_is_refused_leaves_nothing(tmp_path, wrong):
    with pytest.raises(InvalidParameterError):
        pairwise(X, metric=SPEC, out=tmp_path / "D.npy", **wrong)
    assert names(tmp_path) == []


def test_a_metric_that_fails_at_once_leaves_nothing(tmp_path):
    metric = MetricSpec(name="gap", pair=lambda x, y, params: float("nan"), traits=METRIC_TRAITS)
    with pytest.raises(FloatingPointError):
        pairwise(X, metric=metric, out=tmp_path / "D.npy")
    assert names(tmp_path) == []


# Disks.


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


def test_a_small_disk_gives_an_error_and_no_signal(tmp_path):
    """A real file system of one megabyte, where that can be had, and a matrix of 1.3 MB."""
    code = """
        import sys
        import numpy as np, stotmetrics
        from pathlib import Path
        folder, X = Path(sys.argv[1]), np.arange(400.0)[:, None]
        try:
            stotmetrics.pairwise(X, metric=lambda x, y: 0.0, out=folder / "D.npy")
        except OSError as error:
            assert error.errno == 28 and not list(folder.iterdir())
        D = stotmetrics.pairwise(X[:200], metric=lambda x, y: 0.0, out=folder / "D.npy")
        print("as it should be", D.shape)
    """
    small = 'mount -t tmpfs -o size=1m none "$1" && echo mounted && exec "$0" -c "$2" "$1"'
    flags = ["-m"] if os.geteuid() == 0 else ["-rm"]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare to mount a small file system with")
    command = ["unshare", *flags, "sh", "-c", small, sys.executable, str(tmp_path), textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "mounted" not in done.stdout:
        pytest.skip(f"no small file system here: {done.stderr.strip()}")
    assert "as it should be (200, 200)" in done.stdout, done.stderr


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


# Two at once.


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


# Memory and progress.


def test_memory_is_refused_before_it_is_taken(tmp_path):
    big = np.broadcast_to(np.zeros((1, 4)), (20_000, 4))
    with pytest.raises(
        MemoryError, match=r"max_memory is 1 GB, and this takes 3.2 GB: 3.2 GB for the matrix and 640 kB"
    ):
        pairwise(big, metric=SPEC, max_memory="1 GB")
    with pytest.raises(MemoryError, match="pass fewer series"):
        pairwise(X, metric=SPEC, max_memory=400, out=tmp_path / "D.npy")
    assert names(tmp_path) == []
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, max_memory=WANTED.nbytes + X.nbytes), WANTED)
    with pytest.raises(MemoryError, match=r"condensed=True or dtype='float32'"):
        pairwise(X, metric=SPEC, max_memory=WANTED.nbytes + X.nbytes - 1)
    pairwise(X, metric=SPEC, max_memory="16 kB", dtype="float32")


@pytest.mark.parametrize(
    ("said", "meant"),
    [(1000, 1000), ("1000", 1000), ("4 GB", 4e9), ("2.5kB", 2500), ("1GiB", 2**30), ("3 mib", 3 * 2**20), (2e9, 2e9)],
)
def test_memory_is_said_in_bytes_or_words(said, meant):
    assert output.bytes_of(said) == meant


@pytest.mark.parametrize(
    "said", [0, -1, True, "", "GB", "4 XB", "-3 GB", "1 2", float("nan"), float("inf"), None, [1], "4 GG"]
)
def test_other_words_for_memory_are_refused(said):
    with pytest.raises(InvalidParameterError, match="max_memory must be a positive number of bytes"):
        output.bytes_of(said)


def test_the_bar_shows_rate_and_time_and_starts_where_the_last_run_ended(tmp_path, capfd):
    stopped(tmp_path / "D.npy", 3)
    pairwise(X, metric=SPEC, out=tmp_path / "D.npy", progress=True)
    shown = capfd.readouterr().err
    assert re.match(r"\s*gap:\s+6\d%.*\[00:00<\?, \?pair/s\]", shown), shown
    assert re.search(r"gap: 100%.*\[00:00<00:00, .*pair/s\]", shown), shown


def test_a_notebook_gets_a_bar_of_its_own(monkeypatch):
    import tqdm.auto

    made = []

    class Bar(tqdm.auto.tqdm):
        def __init__(self, *args, **named):
            made.append(named["desc"])
            super().__init__(*args, **named, file=io.StringIO())

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    pairwise(X, metric=SPEC, progress=True)
    assert made == ["gap"]


def test_millions_of_tiles_are_not_listed_first():
    tiles = tiles_of(10**6, 10**6, 4, within=True, symmetric=True, zero_self=True)
    assert len(tiles) == 250_000 * 250_001 // 2
    assert tiles[len(tiles) - 1].rows == slice(10**6 - 4, 10**6)
    assert tiles.pairs_in_all() == 10**6 * (10**6 - 1) // 2
