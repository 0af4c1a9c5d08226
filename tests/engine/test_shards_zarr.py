"""Array jobs that fill one Zarr store together: no chunk is of two of them, and the store is that of one run."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from disk_runs import METRIC_TRAITS, PAIRS, SPEC, WANTED, StopError, X, computed, names, stop_after
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics import MetricSpec, merge_shards, pairwise
from stotmetrics.engine import output
from stotmetrics.engine.shard_grid import Grid, ShardLayout
from stotmetrics.errors import DataFileError

DIFFERENCE = MetricSpec("difference", lambda x, y, params: float(x.values[0, 0] - y.values[0, 0]))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Tiles of sixteen, ten of them: the default is for longer series."""
    pytest.importorskip("zarr", reason="the extra zarr is not installed")
    monkeypatch.setattr(output, "_ZARR_TIMES", 0)


def shard(out, index, count, *sets, metric=SPEC, **how):
    return pairwise(*(sets or (X,)), metric=metric, out=out, shard=(index, count), n_jobs=1, **how)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@given(
    n=st.integers(1, 30),
    m=st.integers(1, 30),
    side=st.integers(1, 7),
    within=st.booleans(),
    symmetric=st.booleans(),
    count=st.integers(1, 9),
)
def test_no_chunk_is_of_two_shards_and_every_chunk_of_one(n, m, side, within, symmetric, count):
    grid = Grid(n, n if within else m, side, within, symmetric, True, False)
    tiles, owners = grid.tiles(), {}
    for index in range(1, count + 1):
        for k in ShardLayout(grid, index, count).share(tiles):
            chunk = tiles[k].rows.start // side, tiles[k].cols.start // side
            for mine in {chunk, chunk[::-1]} if grid.layout().mirror else {chunk}:
                owners.setdefault(mine, set()).add(index)
    assert set(owners) == set(itertools.product(range(-(-grid.n // side)), range(-(-grid.m // side))))
    assert all(len(shards) == 1 for shards in owners.values())


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize(
    ("sets", "how"),
    [
        ((X,), {"metric": SPEC}),
        ((X,), {"metric": SPEC, "dtype": "float32"}),
        ((X, X[:35] + 1), {"metric": SPEC}),
        ((X,), {"metric": DIFFERENCE}),
    ],
    ids=["symmetric", "float32", "two sets", "claims nothing"],
)
def test_merged_shards_are_the_store_of_the_call_without_them(tmp_path, sets, how, count):
    out = tmp_path / "D.zarr"
    for index in reversed(range(1, count + 1)):
        shard(out, index, count, *sets, **how)
    wanted = pairwise(*sets, **how)
    D = merge_shards(out)
    assert D.read_only
    np.testing.assert_array_equal(D[:], wanted)
    np.testing.assert_array_equal(merge_shards(out)[:], wanted)
    again = []
    np.testing.assert_array_equal(pairwise(*sets, out=out, progress=lambda d, t: again.append(d), **how)[:], wanted)
    assert len(again) == 1  # finished: nothing is computed again
    pairwise(*sets, out=tmp_path / "whole.zarr", **how)
    shards, whole = files(out), files(tmp_path / "whole.zarr")
    assert shards.keys() == whole.keys()
    assert {name.name for name in whole if shards[name] != whole[name]} == {"zarr.json"}


def test_until_all_are_done_the_rest_is_nan_and_a_shard_asked_again_does_nothing(tmp_path):
    out = tmp_path / "D.zarr"
    half = shard(out, 1, 2)[:]
    known = ~np.isnan(half)
    assert 0 < known.sum() < half.size
    np.testing.assert_array_equal(half[known], WANTED[known])
    assert names(tmp_path) == ["D.shard-1-of-2.zarr.journal", "D.zarr", "D.zarr.journal"]
    told = []
    shard(out, 1, 2, progress=lambda done, total: told.append((done, total)))
    assert len(told) == 1
    assert 0 < told[0][0] == told[0][1] < PAIRS


def test_a_stopped_shard_does_the_rest(tmp_path):
    out = tmp_path / "D.zarr"
    with pytest.raises(StopError):
        shard(out, 1, 2, progress=stop_after(2))
    shard(out, 2, 2)
    with pytest.raises(DataFileError, match=r"of 2 shards of .*D\.zarr' there are 1 unfinished: 1; run those again"):
        merge_shards(out)
    told = []
    shard(out, 1, 2, progress=lambda done, total: told.append(done))
    assert told[0] == 16 * 15 // 2 + 16 * 16
    np.testing.assert_array_equal(merge_shards(out)[:], WANTED)


def test_a_chunk_that_was_lost_is_found_by_merging_and_done_again(tmp_path):
    out = tmp_path / "D.zarr"
    for index in (1, 2):
        shard(out, index, 2)
    (out / "c" / "3" / "3").unlink()
    with pytest.raises(DataFileError, match="1 unfinished: 2"):
        merge_shards(out)
    told = []
    shard(out, 2, 2, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] - told[0][0] == 12 * 11 // 2
    np.testing.assert_array_equal(merge_shards(out)[:], WANTED)


def test_missing_shards_are_named(tmp_path):
    out = tmp_path / "D.zarr"
    with pytest.raises(FileNotFoundError, match=r"no shards of .*such as 'D\.shard-1-of-2\.zarr\.journal'"):
        merge_shards(out)
    for index in (1, 4):
        shard(out, index, 5)
    with pytest.raises(DataFileError, match="there are 3 missing: 2, 3, 5"):
        merge_shards(out)


def test_a_whole_run_does_not_take_a_store_away_from_its_shards(tmp_path):
    out = tmp_path / "D.zarr"
    shard(out, 1, 2)
    before = files(out)
    with pytest.raises(FileExistsError, match=r"is filled in 2 shards; merge them once all are done.*overwrite=True"):
        computed(out)
    with pytest.raises(FileExistsError, match=r"is divided into 2 shards, and this is one of 3; pass overwrite=True"):
        shard(out, 1, 3)
    assert files(out) == before
    D, pairs = computed(out, overwrite=True)
    np.testing.assert_array_equal(D[:], WANTED)
    assert pairs == PAIRS
    with pytest.raises(FileExistsError, match="is filled as a whole, and this is one of 2"):
        shard(out, 1, 2)


@pytest.mark.parametrize(("change", "differs"), [({"dtype": "float32"}, "dtype"), ({"metric": "dtw"}, "metric")])
def test_another_job_is_refused_until_it_may_overwrite(tmp_path, change, differs):
    out = tmp_path / "D.zarr"
    shard(out, 1, 2)
    with pytest.raises(FileExistsError, match=f"belongs to a run with another .*{differs}"):
        shard(out, 2, 2, **change)
    assert names(tmp_path) == ["D.shard-1-of-2.zarr.journal", "D.zarr", "D.zarr.journal"]
    shard(out, 2, 2, overwrite=True, **change)
    with pytest.raises(DataFileError, match=r"differ in .*not of one matrix"):
        merge_shards(out)
    shard(out, 1, 2, **change)
    how = {"metric": SPEC, **change}
    np.testing.assert_array_equal(merge_shards(out)[:], pairwise(X, **how))


def test_overwriting_one_shard_leaves_what_the_others_did(tmp_path):
    out = tmp_path / "D.zarr"
    for index in (1, 2):
        shard(out, index, 2)
    merge_shards(out)
    for again in (1, 2):
        told = []
        shard(out, 1, 2, overwrite=True, progress=lambda done, total, told=told: told.append((done, total)))
        assert told[0][0] == 0, again
        assert told[-1][0] == told[-1][1] < PAIRS
    with pytest.raises(FileExistsError, match="is filled in 2 shards"):
        computed(out)
    np.testing.assert_array_equal(merge_shards(out)[:], WANTED)
    assert computed(out)[1] == 0


def test_a_metric_that_fails_at_once_leaves_nothing(tmp_path):
    def pair(x, y, params):
        raise ZeroDivisionError

    broken = MetricSpec("broken", pair, traits=METRIC_TRAITS)
    with pytest.raises(ZeroDivisionError):
        shard(tmp_path / "D.zarr", 1, 2, metric=broken)
    assert names(tmp_path) == []
    shard(tmp_path / "D.zarr", 1, 2)
    before = names(tmp_path)
    with pytest.raises(FileExistsError):
        shard(tmp_path / "D.zarr", 2, 2, metric=broken)
    assert names(tmp_path) == before


def test_more_shards_than_tiles_are_merged(tmp_path):
    out = tmp_path / "D.zarr"
    for index in range(1, 5):
        shard(out, index, 4, X[:5])
    np.testing.assert_array_equal(merge_shards(out)[:], WANTED[:5, :5])


def test_a_store_of_which_a_shard_is_at_work_is_not_merged_taken_or_done_twice(tmp_path):
    out = tmp_path / "D.zarr"
    shard(out, 2, 2)

    def meanwhile(done, total):
        if not done:
            return
        for other in (merge_shards, lambda out: computed(out, overwrite=True), lambda out: shard(out, 1, 2)):
            with pytest.raises(BlockingIOError, match=rf"process {os.getpid()} has this matrix in use"):
                other(out)
        shard(out, 2, 2)
        raise StopError

    with pytest.raises(StopError):
        shard(out, 1, 2, progress=meanwhile)
    shard(out, 1, 2)
    np.testing.assert_array_equal(merge_shards(out)[:], WANTED)


def test_shards_that_start_together_fill_one_store_though_one_is_killed(tmp_path):
    code = """
        import os, signal, sys
        import numpy as np, stotmetrics
        from stotmetrics.engine import output
        output._ZARR_TIMES = 0
        index, kill = int(sys.argv[2]), len(sys.argv) > 3
        def tell(done, total):
            if kill and done:
                os.kill(os.getpid(), signal.SIGKILL)
        print("ready", flush=True)
        sys.stdin.readline()
        X = np.arange(60.0)[:, None] ** 1.5
        stotmetrics.pairwise(X, metric="otw", out=sys.argv[1], shard=(index, 3), n_jobs=1, progress=tell)
    """
    out = tmp_path / "D.zarr"

    def start(*words):
        command = [sys.executable, "-c", textwrap.dedent(code), str(out), *words]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    runs = [start("1"), start("2", "killed"), start("3")]
    for run in runs:
        run.stdout.readline()
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    said = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, -signal.SIGKILL, 0], said
    with pytest.raises(DataFileError, match="1 unfinished: 2"):
        merge_shards(out)
    told = []
    shard(out, 2, 3, metric="otw", progress=lambda done, total: told.append(done))
    assert told[0] > 0
    np.testing.assert_array_equal(merge_shards(out)[:], pairwise(X, metric="otw"))
