"""A matrix on disk, end to end: what is returned, refused and replaced."""

import joblib
import numpy as np
import pytest
from disk_runs import METRIC_TRAITS, SPEC, WANTED, X, computed, gap, names, stopped
from scipy.spatial.distance import pdist, squareform

from stotmetrics import MetricSpec, Traits, get_metric, pairwise
from stotmetrics.engine import destination, tiles
from stotmetrics.engine.tiles import tiles_of
from stotmetrics.errors import InvalidParameterError


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
    answers = joblib.Parallel(n_jobs=4, prefer="threads")(joblib.delayed(computed)(out) for _ in range(40))
    assert all(pairs == 0 and np.array_equal(D, WANTED) for D, pairs in answers)


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
    monkeypatch.setitem(tiles._SIDES, "lanes", 24)  # several tiles
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
