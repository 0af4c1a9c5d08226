"""Shards of a matrix: together they are the matrix, and what is not of it is refused by name."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import MetricSpec, Traits, merge_shards, pairwise
from stotmetrics.engine import tiles
from stotmetrics.engine.matrix_shards import shard_path
from stotmetrics.engine.shard_grid import Grid, ShardLayout
from stotmetrics.errors import DataFileError, InvalidParameterError

X = np.random.default_rng(3).normal(size=(61, 7))
Y = X[:35] + 1.0
SYMMETRIC = Traits(symmetric=True, zero_self=True)


@pytest.fixture(autouse=True)
def several_tiles(monkeypatch):
    """Small tiles: the default is for more series."""
    monkeypatch.setitem(tiles._SIDES, "lanes", 24)


def plain(x, y, params):
    return float(x.values[0, 0] - 2 * y.values[-1, 0])


def written(out, count, *sets, numbers=None, **how):
    for k in numbers or range(1, count + 1):
        pairwise(*sets, out=out, shard=(k, count), **how)


@given(
    n=st.integers(1, 30),
    m=st.integers(1, 30),
    side=st.integers(1, 7),
    within=st.booleans(),
    symmetric=st.booleans(),
    zero_self=st.booleans(),
    condensed=st.booleans(),
    count=st.integers(1, 9),
)
def test_the_blocks_of_all_shards_cover_the_matrix_without_a_gap(
    n, m, side, within, symmetric, zero_self, condensed, count
):
    grid = Grid(n, n if within else m, side, within, symmetric, zero_self, condensed)
    all_tiles = grid.tiles()
    seen = []
    for index in range(1, count + 1):
        layout = ShardLayout(grid, index, count)
        at = 0
        for k in layout.share(all_tiles):
            (span,) = layout.spans(all_tiles[k])
            assert span.start == at
            at += layout.read(np.zeros(layout.shape), all_tiles[k]).size
            seen.append(k)
        assert layout.shape == (at,)
    assert seen == list(range(len(all_tiles)))


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize(
    ("sets", "how"),
    [
        ((X,), {"metric": "dtw"}),
        ((X,), {"metric": "dtw", "condensed": True}),
        ((X,), {"metric": "dtw", "dtype": "float32"}),
        ((X, Y), {"metric": "dtw"}),
        ((X,), {"metric": MetricSpec("plain", plain)}),
    ],
)
def test_merged_shards_are_the_matrix_of_the_call_without_them(tmp_path, sets, how, count):
    out = tmp_path / "D.npy"
    written(out, count, *sets, **how)
    assert not out.exists()
    wanted = pairwise(*sets, **how)
    D = merge_shards(out)
    assert D.dtype == wanted.dtype
    np.testing.assert_array_equal(D, wanted)
    np.testing.assert_array_equal(np.load(out), wanted)
    told = []
    np.testing.assert_array_equal(pairwise(*sets, out=out, progress=lambda d, t: told.append((d, t)), **how), wanted)
    assert len(told) == 1  # finished: nothing is computed again
    assert told[0][0] == told[0][1]


def test_every_pair_is_solved_in_one_shard_only(tmp_path):
    solved = []
    spec = MetricSpec("seen", lambda x, y, p: solved.append((x.values[0, 0], y.values[0, 0])) or 1.0, traits=SYMMETRIC)
    told = []
    for k in (1, 2, 3):
        pairwise(X, metric=spec, out=tmp_path / "D.npy", shard=(k, 3), progress=lambda d, t: told.append((d, t)))
    assert len(solved) == len(set(solved)) == 61 * 60 // 2
    assert sum({total: None for done, total in told if done == total}) == 61 * 60 // 2


def test_a_stopped_shard_does_the_rest(tmp_path):
    out, calls = tmp_path / "D.npy", []

    def pair(x, y, params):
        calls.append(1)
        if len(calls) == 700:
            raise KeyboardInterrupt
        return abs(float(x.values[0, 0] - y.values[0, 0]))

    spec = MetricSpec("stops", pair, traits=SYMMETRIC)
    with pytest.raises(KeyboardInterrupt):
        pairwise(X, metric=spec, out=out, shard=(1, 2), n_jobs=1)
    with pytest.raises(DataFileError, match=r"of 2 shards of .*D\.npy' there are 1 missing: 2 and 1 unfinished: 1"):
        merge_shards(out)
    written(out, 2, X, metric=spec)
    np.testing.assert_array_equal(merge_shards(out), np.abs(X[:, :1] - X[:, 0]))
    assert len(calls) < 61 * 60 // 2 + 24 * 24


def test_a_stopped_merge_does_the_rest(tmp_path):
    out = tmp_path / "D.npy"
    written(out, 2, X, metric="dtw")

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_shards(out, progress=stop)
    told = []
    D = merge_shards(out, progress=lambda d, t: told.append((d, t)))
    assert 0 < told[0][0] < told[-1][0] == told[-1][1] == 61 * 60 // 2
    np.testing.assert_array_equal(D, pairwise(X, metric="dtw"))


# What is refused.


def test_missing_shards_are_named(tmp_path):
    written(tmp_path / "D.npy", 5, X, metric="dtw", numbers=(1, 4))
    with pytest.raises(DataFileError, match="there are 3 missing: 2, 3, 5"):
        merge_shards(tmp_path / "D.npy")


def test_no_shards_at_all_is_an_error_that_names_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there are no shards of .*such as 'D.shard-1-of-2.npy'"):
        merge_shards(tmp_path / "D.npy")
    with pytest.raises(FileNotFoundError):
        merge_shards(tmp_path / "no" / "D.npy")


def test_shards_of_two_divisions_are_refused(tmp_path):
    written(tmp_path / "D.npy", 2, X, metric="dtw")
    written(tmp_path / "D.npy", 3, X, metric="dtw", numbers=(1,))
    with pytest.raises(DataFileError, match="several divisions, into 2 and 3"):
        merge_shards(tmp_path / "D.npy")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"metric": "softdtw"}, "code of the metric, grid, metric, parameters and traits"),
        ({"band": 2}, "parameters"),
        ({"dtype": "float32"}, "dtype"),
        ({"condensed": True}, "grid and shape"),
        ({"X": X + 1}, "series"),
        ({"X": X[:30]}, "grid, series and shape"),
    ],
)
def test_shards_of_two_jobs_are_refused_and_the_difference_is_named(tmp_path, change, differs):
    out = tmp_path / "D.npy"
    written(out, 2, X, metric="dtw", numbers=(1,))
    how = {"metric": "dtw", **change}
    written(out, 2, how.pop("X", X), numbers=(2,), **how)
    with pytest.raises(DataFileError, match=f"differ in {differs}.*not of one matrix"):
        merge_shards(out)
    assert not out.exists()


def test_a_shard_under_the_name_of_another_is_refused(tmp_path):
    out = tmp_path / "D.npy"
    written(out, 2, X, metric="dtw")
    for suffix in ("", ".journal"):
        shutil.copy(f"{shard_path(out, 1, 2)}{suffix}", f"{shard_path(out, 2, 2)}{suffix}")
    with pytest.raises(DataFileError, match="does not say that it is shard 2 of 2"):
        merge_shards(out)


def test_a_shard_that_was_changed_after_its_end_is_refused(tmp_path):
    out = tmp_path / "D.npy"
    written(out, 2, X, metric="dtw")
    path = shard_path(out, 2, 2)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"D.shard-2-of-2.npy' was changed after it was finished: 1 of"):
        merge_shards(out)
    with pytest.raises(ValueError, match="pickled"):
        np.load(out)


def test_another_matrix_is_not_replaced_unless_asked_for(tmp_path):
    out = tmp_path / "D.npy"
    np.save(out, np.zeros(3))
    written(out, 1, X, metric="dtw")
    with pytest.raises(FileExistsError, match="no journal beside it"):
        merge_shards(out)
    np.testing.assert_array_equal(merge_shards(out, overwrite=True), pairwise(X, metric="dtw"))


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), (1,), 3, "1/3", (1.0, 2), (True, 1)])
def test_what_is_no_shard_is_refused(tmp_path, shard):
    with pytest.raises(InvalidParameterError, match=r"shard must be \(index, count\)"):
        pairwise(X, metric="dtw", out=tmp_path / "D.npy", shard=shard)


def test_a_shard_without_a_file_is_refused():
    with pytest.raises(InvalidParameterError, match="shard is for a matrix on disk"):
        pairwise(X, metric="dtw", shard=(1, 2))


def test_the_journal_of_a_shard_says_which_it_is(tmp_path):
    written(tmp_path / "D.npy", 12, X, metric="dtw", numbers=(3,))
    journal = (tmp_path / "D.shard-03-of-12.npy.journal").read_text()
    job = next(line for line in journal.splitlines() if line.startswith("job "))
    settings = json.loads(job[4:-9])
    assert settings["shard"] == "3 of 12"
    assert json.loads(settings["grid"])["n"] == 61
    assert settings["version of stotmetrics"] == stotmetrics.__version__
