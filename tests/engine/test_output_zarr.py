"""A matrix in a Zarr store: the same numbers, resumed, refused and checked as a .npy file is."""

import shutil
import sys

import numpy as np
import pytest
from disk_runs import PAIRS, WANTED, StopError, X, names, stop_after

from stotmetrics import MetricSpec, Traits, pairwise
from stotmetrics.engine import output
from stotmetrics.errors import InvalidParameterError


def test_without_zarr_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(InvalidParameterError, match=r"pip install 'stotmetrics\[zarr\]'"):
        pairwise(X, metric=spec(), out=tmp_path / "D.zarr")
    assert list(tmp_path.iterdir()) == []


def spec(pair=None, **traits):
    traits = {"symmetric": True, "zero_self": True, **traits}
    pair = pair or (lambda x, y, params: abs(float(x.values[0, 0] - y.values[0, 0])))
    return MetricSpec("gap", pair, traits=Traits(**traits))


@pytest.fixture
def zarr(monkeypatch):
    """The library, and tiles of sixteen: the default is for longer series."""
    monkeypatch.setattr(output, "_ZARR_TIMES", 0)
    return pytest.importorskip("zarr", reason="the extra zarr is not installed")


def computed(out, **how):
    told = []
    D = pairwise(X, metric=how.pop("metric", spec()), out=out, progress=lambda d, t: told.append(d), **how)
    return D, told[-1] - told[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_store_holds_the_matrix_in_chunks_that_are_tiles(tmp_path, zarr, n_jobs, dtype):
    D, pairs = computed(tmp_path / "D.zarr", n_jobs=n_jobs, dtype=dtype)
    assert pairs == PAIRS
    assert D.chunks == (16, 16)
    assert D.read_only
    np.testing.assert_array_equal(D[:], WANTED.astype(dtype))
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "D.zarr", mode="r")[:], WANTED.astype(dtype))
    assert names(tmp_path) == ["D.zarr", "D.zarr.journal"]


def test_two_sets_and_a_metric_that_claims_nothing(tmp_path, zarr):
    metric = spec(lambda x, y, p: float(x.values[0, 0] - y.values[0, 0]), symmetric=False, zero_self=False)
    np.testing.assert_array_equal(pairwise(X, X[:31], metric=metric, out=tmp_path / "D.zarr")[:], X - X[:31].T)
    np.testing.assert_array_equal(pairwise(X, metric=metric, out=tmp_path / "E.zarr")[:], X - X.T)


def test_a_stopped_run_does_the_rest_and_until_then_the_rest_is_nan(tmp_path, zarr):
    out = tmp_path / "D.zarr"
    with pytest.raises(StopError):
        pairwise(X, metric=spec(), out=out, n_jobs=1, progress=stop_after(3))
    half = zarr.open_array(out, mode="r")[:]
    np.testing.assert_array_equal(half, half.T)
    known = ~np.isnan(half)
    np.testing.assert_array_equal(half[known], WANTED[known])
    D, pairs = computed(out)
    np.testing.assert_array_equal(D[:], WANTED)
    assert pairs == PAIRS - (16 * 15 // 2 + 2 * 16 * 16)
    assert computed(out)[1] == 0


def test_a_chunk_that_never_reached_the_disk_is_done_again(tmp_path, zarr):
    out = tmp_path / "D.zarr"
    with pytest.raises(StopError):
        pairwise(X, metric=spec(), out=out, n_jobs=1, progress=stop_after(4))
    chunks = sorted(path for path in out.rglob("*") if path.is_file() and path.name != "zarr.json")
    chunks[1].unlink()
    D, pairs = computed(out)
    np.testing.assert_array_equal(D[:], WANTED)
    assert pairs > PAIRS - (16 * 15 // 2 + 3 * 16 * 16)


def test_a_store_that_was_changed_after_its_end_is_not_returned(tmp_path, zarr):
    out = tmp_path / "D.zarr"
    computed(out)
    zarr.open_array(out, mode="r+")[3, 40] = -1.0
    with pytest.raises(FileExistsError, match="changed after it was finished: 1 of 10 tiles"):
        computed(out)
    np.testing.assert_array_equal(computed(out, overwrite=True)[0][:], WANTED)


@pytest.mark.parametrize(
    ("change", "differs"), [({"dtype": "float32"}, "dtype"), ({"metric": "dtw"}, "code of the metric, metric")]
)
def test_another_job_is_refused_until_it_may_overwrite(tmp_path, zarr, change, differs):
    out = tmp_path / "D.zarr"
    computed(out)
    with pytest.raises(FileExistsError, match=f"belongs to a run with another {differs}"):
        computed(out, **change)
    np.testing.assert_array_equal(computed(out)[0][:], WANTED)
    assert computed(out, overwrite=True, **change)[1] == PAIRS


def test_what_is_of_someone_else_is_left_alone(tmp_path, zarr):
    out = tmp_path / "D.zarr"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="is no Zarr array"):
            computed(out, overwrite=overwrite)
    assert names(tmp_path) == ["D.zarr"]
    shutil.rmtree(out)
    zarr.create_array(out, shape=(3,), dtype="f8")
    with pytest.raises(FileExistsError, match="of someone else"):
        computed(out, overwrite=True)


def test_a_full_disk_is_one_error_before_the_work_and_leaves_nothing(tmp_path, zarr, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=60 * 60 * 8 - 1))
    with pytest.raises(OSError, match=r"No space left on device; it takes 28\.8 kB.*D\.zarr"):
        computed(tmp_path / "D.zarr")
    assert list(tmp_path.iterdir()) == []
    assert computed(tmp_path / "D.zarr", dtype="float32")[1] == PAIRS


def test_a_metric_that_fails_at_once_leaves_nothing(tmp_path, zarr):
    def pair(x, y, params):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        computed(tmp_path / "D.zarr", metric=spec(pair))
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_is_refused_while_the_first_goes_on(tmp_path, zarr):
    def again(done, total):
        if done:
            with pytest.raises(BlockingIOError, match="has this matrix in use"):
                pairwise(X, metric=spec(), out=tmp_path / "D.zarr")
            raise StopError

    with pytest.raises(StopError):
        pairwise(X, metric=spec(), out=tmp_path / "D.zarr", n_jobs=1, progress=again)


@pytest.mark.parametrize("how", [{}, {"shard": (1, 2)}])
def test_what_a_store_cannot_hold_is_refused(tmp_path, how):
    with pytest.raises(InvalidParameterError, match="a Zarr store holds whole matrices"):
        pairwise(X, metric=spec(), out=tmp_path / "D.zarr", condensed=True, **how)
    assert list(tmp_path.iterdir()) == []
