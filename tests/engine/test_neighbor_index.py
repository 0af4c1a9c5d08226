"""A neighbour index: what it answers, how it travels and how it is kept."""

import io
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import stotmetrics
from stotmetrics import MetricSpec, NeighborIndex, Traits, as_paths, as_series, kneighbors
from stotmetrics.errors import DataFileError, InvalidParameterError, InvalidSeriesError
from stotmetrics.kernels import _envelope
from stotmetrics.transport.ground_cost import Ground

RNG = np.random.default_rng(8)
TRAIN = [RNG.normal(size=n).cumsum() for n in RNG.integers(8, 14, 30)]
QUERIES = [RNG.normal(size=n).cumsum() for n in RNG.integers(8, 14, 7)]

CASES = [
    ("dtw", {"band": 2}, TRAIN, QUERIES),
    ("softdtw_divergence", {"gamma": 0.3}, TRAIN, QUERIES),
    (
        "tiot",
        {"p": 1.0},
        [as_series(x, times=np.arange(len(x)) ** 1.1, weights=np.arange(1.0, len(x) + 1)) for x in TRAIN],
        QUERIES,
    ),
    (
        "sta",
        {"ground": Ground.grid((2, 3)).normalized(), "rho": float("inf"), "epsilon": 0.1},
        [x / x.sum(axis=(1, 2), keepdims=True) for x in RNG.uniform(0.1, 1, (6, 4, 2, 3))],
        [x / x.sum(axis=(1, 2), keepdims=True) for x in RNG.uniform(0.1, 1, (2, 3, 2, 3))],
    ),
    (
        "aot",
        {"cells": None},
        [as_paths(RNG.normal(size=(3, n)), weights=RNG.uniform(0.1, 1, n)) for n in (2, 5, 3, 4)],
        [as_paths(RNG.normal(size=(3, n))) for n in (3, 2)],
    ),
]


def same(left, right):
    np.testing.assert_array_equal(left.indices, right.indices)
    np.testing.assert_array_equal(left.distances, right.distances)
    assert (left.solved, left.abandoned, left.pairs) == (right.solved, right.abandoned, right.pairs)


@pytest.mark.parametrize(("metric", "params", "train", "queries"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_an_index_answers_as_kneighbors_here_on_the_way_and_from_its_file(tmp_path, metric, params, train, queries):
    wanted = kneighbors(train, queries, metric, 3, **params)
    index = NeighborIndex(train, metric, **params)
    same(index.kneighbors(queries, 3), wanted)
    same(pickle.loads(pickle.dumps(index)).kneighbors(queries, 3), wanted)
    index.save(tmp_path / "index.npz")
    loaded = NeighborIndex.load(tmp_path / "index.npz")
    same(loaded.kneighbors(queries, 3, n_jobs=2), wanted)
    assert loaded.metric == index.metric
    assert repr(loaded) == repr(index)
    assert len(loaded) == len(train)
    assert [path.name for path in tmp_path.iterdir()] == ["index.npz"]


def test_the_file_holds_no_pickle(tmp_path):
    NeighborIndex(TRAIN, "dtw").save(tmp_path / "index.npz")
    with np.load(tmp_path / "index.npz", allow_pickle=False) as file:
        assert set(file) == {"about", "values", "shapes", "frames"}
        assert b'"metric": "dtw"' in bytes(file["about"])


def test_series_are_prepared_once_however_many_searches_there_are():
    prepared = []
    spec = MetricSpec(
        "counted", lambda x, y, p: abs(x[0] - y[0]), prepare=lambda s, p: prepared.append(1) or s.values[0]
    )
    index = NeighborIndex(np.arange(40.0)[:, None], spec)
    assert len(prepared) == 40
    for _ in range(3):
        assert index.kneighbors([[7.2]]).indices.tolist() == [[7]]
    assert len(prepared) == 43


def test_envelopes_are_computed_once_however_many_searches_there_are(monkeypatch):
    computed, really = [], _envelope.envelopes
    monkeypatch.setattr(_envelope, "envelopes", lambda *args: computed.append(len(args[1]) - 1) or really(*args))
    bounded = replace(stotmetrics.get_metric("dtw").spec, effort=None)  # bounds are taken to pay
    index = NeighborIndex(RNG.normal(size=(20, 90)), bounded, band=9)
    for _ in range(3):
        index.kneighbors(RNG.normal(size=(2, 90)))
    assert computed == [20]


def test_what_becomes_of_the_array_later_does_not_change_the_index():
    X = np.arange(12.0).reshape(4, 3)
    index = NeighborIndex(X, "euclidean")
    X[:] = 100.0
    assert index.kneighbors([[3.0, 4.0, 5.0]]).distances.tolist() == [[0.0]]


def test_progress_tells_all_pairs_and_k_is_checked():
    index, told = NeighborIndex(TRAIN, "dtw"), []
    index.kneighbors(QUERIES, 2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (210, 210)
    with pytest.raises(InvalidParameterError, match="k must be an integer from 1 to 30"):
        index.kneighbors(QUERIES, 31)


def test_queries_that_do_not_fit_are_named():
    index = NeighborIndex([[0.0, 1.0], [2.0, 3.0]], "euclidean")
    with pytest.raises(InvalidSeriesError, match=r"X_query\[1\]"):
        index.kneighbors([[0.0, 1.0], [0.0, 1.0, 2.0]])
    with pytest.raises(InvalidSeriesError, match=r"X_train\[0\]"):
        index.kneighbors([[0.0, 1.0, 2.0]])
    with pytest.raises(InvalidSeriesError, match=r"X_train\[1\]"):
        NeighborIndex([[0.0, 1.0], [0.0, 1.0, 2.0]], "euclidean")
    with pytest.raises(TypeError, match=r"NeighborIndex\(X_train, metric='dtw'\)"):
        NeighborIndex("dtw", TRAIN)


# What is refused.


def test_a_metric_of_the_session_pickles_by_value_and_is_not_saved(tmp_path):
    spec = MetricSpec("gap", gap, traits=Traits(unequal_length=True))
    index = NeighborIndex(TRAIN, spec)
    with pytest.raises(InvalidParameterError, match="'gap' is one of this session"):
        index.save(tmp_path / "index.npz")
    assert list(tmp_path.iterdir()) == []
    same(pickle.loads(pickle.dumps(index)).kneighbors(QUERIES), index.kneighbors(QUERIES))


def gap(x, y, params):
    return float(abs(x.values[0, 0] - y.values[0, 0]))


@pytest.mark.parametrize("path", ["index.npy", "index", 3])
def test_an_index_goes_to_an_npz_file(path):
    with pytest.raises(InvalidParameterError, match=r"path must be that of an \.npz file"):
        NeighborIndex(TRAIN, "dtw").save(path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"index\.npz"):
        NeighborIndex(TRAIN, "dtw").save(tmp_path / "no" / "index.npz")


def test_an_index_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    NeighborIndex(TRAIN, "dtw").save(tmp_path / "index.npz")
    before = (tmp_path / "index.npz").read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match=r"No space left on device.*index\.npz"):
        NeighborIndex(QUERIES, "dtw").save(tmp_path / "index.npz")
    assert (tmp_path / "index.npz").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def changed(path, **changes):
    with np.load(path) as file:
        arrays = dict(file)
    arrays.update(changes)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    "change",
    [
        {"about": None},
        {"about": np.frombuffer(b'{"format": "another"}', dtype=np.uint8)},
        {"about": np.frombuffer(b"[1]", dtype=np.uint8)},
        {"values": None},
        {"values": np.zeros(9)},
        {"values": np.zeros((10, 1))},
        {"values": np.zeros(10, dtype=np.float32)},
        {"values": np.full(10, np.nan)},
        {"shapes": np.array([[5, 1], [5, 0]])},
        {"shapes": np.array([[5, 1], [-5, -1]])},
        {"shapes": np.array([[5, 1], [6, 1]])},
        {"shapes": np.array([5, 5])},
        {"shapes": np.zeros((0, 2), dtype=np.intp)},
        {"times": np.arange(10.0)[::-1].copy()},
        {"times": np.arange(9.0)},
        {"weights": -np.ones(10)},
        {"another": np.zeros(3)},
        {"paths": np.array([1, 1])},
        {"path_weights": np.ones(2)},
        {"paths": np.array([1, 1]), "path_weights": np.array([1.0, -1.0])},
        {"paths": np.array([1, 2]), "path_weights": np.ones(2)},
        {"frames": np.zeros(3)},
    ],
)
def test_what_is_no_index_is_refused(tmp_path, change):
    path = tmp_path / "index.npz"
    NeighborIndex(np.zeros((2, 5)), "tiot").save(path)
    NeighborIndex.load(path)
    changed(path, **change)
    with pytest.raises(DataFileError, match="index"):
        NeighborIndex.load(path)


def test_a_damaged_file_is_refused_wherever_the_damage_is(tmp_path):
    path = tmp_path / "index.npz"
    NeighborIndex(TRAIN, "dtw").save(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        data = file.getinfo("values.npy").header_offset + 200
    for damaged in (whole[:-30], whole[:50], b"", whole[:data] + bytes([whole[data] ^ 1]) + whole[data + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(DataFileError, match="damaged"):
            NeighborIndex.load(path)


def test_a_metric_that_is_not_installed_is_named(tmp_path):
    path = tmp_path / "index.npz"
    NeighborIndex(TRAIN, "dtw").save(path)
    about = b'{"format": "stotmetrics neighbour index 1", "metric": "of_no_package", "params": {}}'
    changed(path, about=np.frombuffer(about, dtype=np.uint8))
    with pytest.raises(stotmetrics.UnknownMetricError, match="of_no_package"):
        NeighborIndex.load(path)
