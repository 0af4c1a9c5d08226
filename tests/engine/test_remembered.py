"""A remembered metric gives the values of the plain one, and solves no pair twice."""

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import Batch, MetricSpec, Series, Traits
from stotmetrics.engine import remembered
from stotmetrics.engine.remembered import PairStore, name_of, remembering
from stotmetrics.spec.registry import register, unregister

RNG = np.random.default_rng(3)
SET = [Series(RNG.normal(size=(n, 1))) for n in (7, 9, 8, 7, 10, 9)]


@dataclasses.dataclass(frozen=True)
class Scale:
    """The parameter of the counting metrics."""

    by: float = stotmetrics.parameter(1.0, doc="a factor", low=0.0)


class Counting:
    """A metric, the pairs that it solved and the series that it prepared."""

    def __init__(self, *, symmetric, converges=True):
        pairs, prepared = [], []

        def value(x, y, params):
            return params.by * (abs(x - y) if symmetric else x - 2.0 * y)

        def prepare(series, params):
            prepared.append(series)
            return float(series.values.sum())

        def block(left, right, rows, cols, params, cutoff=None):
            pairs.extend((left[i], right[j]) for i, j in zip(rows, cols, strict=True))
            values = [value(left[i], right[j], params) for i, j in zip(rows, cols, strict=True)]
            return Batch(np.array(values), converged=np.full(len(rows), converges))

        self.pairs, self.prepared = pairs, prepared
        self.spec = MetricSpec(
            name="counting",
            pair=value,
            params=Scale,
            prepare=prepare,
            block=block,
            lower_bounds=lambda left, right, rows, cols, params: np.full(len(rows), -1.0),
            traits=Traits(symmetric=symmetric, unequal_length=True, releases_gil=True),
        )


SUBSETS = st.lists(st.integers(0, len(SET) - 1), min_size=1, max_size=4)


@settings(max_examples=30)
@given(symmetric=st.booleans(), asked=st.lists(st.tuples(SUBSETS, SUBSETS), min_size=1, max_size=5))
def test_whatever_is_asked_the_answer_is_that_of_the_metric(tmp_path_factory, symmetric, asked):
    folder, counting = tmp_path_factory.mktemp("pairs"), Counting(symmetric=symmetric)
    metric = stotmetrics.get_metric(counting.spec)
    plain = stotmetrics.get_metric(Counting(symmetric=symmetric).spec)
    known = set()
    for rows, cols in asked:
        left, right = [SET[i] for i in rows], [SET[j] for j in cols]
        before = len(counting.pairs)
        with remembering(metric, folder) as memory:
            matrix = stotmetrics.pairwise(left, right, memory)
        np.testing.assert_array_equal(matrix, stotmetrics.pairwise(left, right, plain))
        wanted = {(min(i, j), max(i, j)) if symmetric else (i, j) for i in rows for j in cols}
        if len(set(rows)) == len(rows) and len(set(cols)) == len(cols) and not (symmetric and set(rows) & set(cols)):
            assert len(counting.pairs) - before == len(wanted - known)
        known |= wanted


@pytest.mark.parametrize("metric", ["dtw", "softdtw_divergence", "etiot", "euclidean", "sta"])
def test_folds_share_pairs_and_neighbours_stay_the_same(tmp_path, metric):
    X = [Series(np.abs(RNG.normal(size=(8, 4))) + 0.1) for _ in range(9)]
    bound = stotmetrics.get_metric(metric)
    for out in range(3):
        train, test = [x for k, x in enumerate(X) if k % 3 != out], X[out::3]
        expected = stotmetrics.kneighbors(train, test, bound, k=2)
        for _ in range(2):
            with remembering(bound, tmp_path) as memory:
                again = stotmetrics.kneighbors(train, test, memory, k=2)
            np.testing.assert_array_equal(again.indices, expected.indices)
            # A pair that was solved the other way round is right to the tolerance of its solver.
            np.testing.assert_allclose(again.distances, expected.distances, rtol=1e-8, atol=1e-12)
    with remembering(bound, tmp_path) as memory:
        np.testing.assert_allclose(
            stotmetrics.pairwise(X, metric=memory), stotmetrics.pairwise(X, metric=bound), rtol=1e-8, atol=1e-12
        )


@dataclasses.dataclass(frozen=True)
class Rising:
    """A factor that can only raise the value."""

    by: float = stotmetrics.parameter(1.0, doc="a factor", low=0.0, raises=True)


def test_what_was_solved_at_a_smaller_parameter_spares_pairs_at_a_larger_one(tmp_path):
    counting = Counting(symmetric=True)
    spec = dataclasses.replace(counting.spec, params=Rising)
    train, query = [Series(np.array([[float(k)]])) for k in range(1, 30)], [Series(np.array([[0.0]]))]
    solved = []
    for by in (1.0, 1.5, 1.4, 0.5, 3.0):
        metric = stotmetrics.get_metric(spec, by=by)
        with remembering(metric, tmp_path) as known:
            nearest = stotmetrics.kneighbors(train, query, known, k=2)
            everything = stotmetrics.kneighbors(train, query, metric, k=2)
        np.testing.assert_array_equal(nearest.indices, everything.indices)
        np.testing.assert_array_equal(nearest.distances, everything.distances)
        solved.append(nearest.solved)
    # At 1.0 and at 0.5 nothing smaller is known; at the others pair k is solved where k <= 2 by, what it was at 1.0.
    assert solved == [29, 3, 2, 29, 6]


def test_a_bound_of_a_smaller_parameter_reaches_workers_and_later_runs(tmp_path, monkeypatch):
    metric = stotmetrics.get_metric("etiot", epsilon=0.1)
    with remembering(stotmetrics.get_metric("etiot", epsilon=0.05), tmp_path) as known:
        smaller = stotmetrics.pairwise(SET, metric=known)
    monkeypatch.setattr(remembered, "_stores", remembered._Recent(4))
    (tmp_path / "stotmetrics" / "notes").mkdir()
    rows, cols = np.indices((len(SET), len(SET)), dtype=np.intp).reshape(2, -1)
    with remembering(metric, tmp_path) as known:
        for metric_known in (known, pickle.loads(pickle.dumps(known))):
            prepared = metric_known.prepare_all(SET)
            bounds = metric_known.lower_bounds(prepared, prepared, rows, cols).reshape(smaller.shape)
            np.testing.assert_allclose(bounds, smaller, rtol=2e-6)
            assert (bounds < stotmetrics.pairwise(SET, metric=metric)).all()


def test_a_later_run_reads_what_an_earlier_one_solved(tmp_path, monkeypatch):
    counting = Counting(symmetric=True)
    metric = stotmetrics.get_metric(counting.spec)
    with remembering(metric, tmp_path) as memory:
        matrix = stotmetrics.pairwise(SET, metric=memory)
    solved = len(counting.pairs)
    # As another process, whose memory knows nothing.
    monkeypatch.setattr(remembered, "_stores", remembered._Recent(4))
    with remembering(metric, tmp_path) as memory:
        np.testing.assert_array_equal(stotmetrics.pairwise(SET[::-1], metric=memory), matrix[::-1, ::-1])
    assert len(counting.pairs) == solved == len(SET) * (len(SET) + 1) // 2


def test_series_are_prepared_once(tmp_path):
    counting = Counting(symmetric=True)
    for _ in range(3):
        with remembering(stotmetrics.get_metric(counting.spec), tmp_path) as memory:
            stotmetrics.pairwise(SET, metric=memory)
    assert len(counting.prepared) == len(SET)


def test_what_did_not_converge_is_solved_again_and_says_so_again(tmp_path):
    counting = Counting(symmetric=True, converges=False)
    metric = stotmetrics.get_metric(counting.spec)
    for _ in range(2):
        with remembering(metric, tmp_path) as memory, pytest.warns(stotmetrics.ConvergenceWarning):
            stotmetrics.pairwise(SET[:2], metric=memory)
    assert len(counting.pairs) == 6


def test_parameters_times_weights_and_frames_tell_pairs_apart(tmp_path):
    x = np.arange(6.0).reshape(3, 2)
    names = {
        name_of(series)
        for series in (
            Series(x),
            Series(x, times=np.array([0.0, 1.0, 5.0])),
            Series(x, weights=np.array([1.0, 1.0, 2.0])),
            Series(x, frame_shape=(1, 2)),
            Series(x.reshape(6, 1)),
            Series(x + 1e-12),
        )
    }
    assert len(names) == 6
    assert name_of(Series(x)) == name_of(Series(x.copy()))
    for by in (1.0, 2.0):
        counting = Counting(symmetric=True)
        with remembering(stotmetrics.get_metric(counting.spec, by=by), tmp_path) as memory:
            stotmetrics.pairwise(SET[:3], metric=memory)
        assert len(counting.pairs) == 6


def test_a_function_that_was_changed_is_another_metric(tmp_path):
    for factor in (1.0, 2.0):
        source = f"def gap(x, y):\n    return {factor} * abs(x.mean() - y.mean())\n"
        scope = {}
        exec(source, scope)
        register(scope["gap"], replace=True)
        try:
            with remembering(stotmetrics.get_metric("gap"), tmp_path) as memory:
                value = stotmetrics.pairwise(SET[:1], SET[1:2], memory)[0, 0]
                assert memory(SET[0], SET[1]) == value
            assert value == pytest.approx(factor * abs(SET[0].values.mean() - SET[1].values.mean()))
        finally:
            unregister("gap")


def test_many_small_files_become_one(tmp_path):
    store = PairStore(tmp_path / "pairs", symmetric=True)
    fresh = [Series(np.full((2, 1), float(k))) for k in range(120)]
    for k, series in enumerate(fresh):
        store.add(store.codes(store.numbers([series]), store.numbers([SET[0]])), np.array([float(k)]))
        store.write()
    assert len(list((tmp_path / "pairs").iterdir())) <= 33
    other = PairStore(tmp_path / "pairs", symmetric=True)
    other.read()
    values, known = other.look_up(other.codes(np.repeat(other.numbers([SET[0]]), 120), other.numbers(fresh)))
    assert known.all()
    np.testing.assert_array_equal(values, np.arange(120.0))
    assert len(other) == len(store)


def test_workers_in_other_processes_leave_what_they_solved(tmp_path):
    code = f"""
import numpy as np, stotmetrics
from pathlib import Path
from stotmetrics.engine.remembered import remembering
from joblib import parallel_config
X = np.random.default_rng(0).normal(size=(60, 20))
metric = stotmetrics.get_metric("dtw")
with parallel_config("loky", n_jobs=2), remembering(metric, Path({str(tmp_path)!r})) as found:
    first = stotmetrics.pairwise(X, metric=found)
with remembering(metric, Path({str(tmp_path)!r})) as found:
    found._store.read()
    assert len(found._store) == 60 * 59 // 2, len(found._store)
    np.testing.assert_array_equal(stotmetrics.pairwise(X, metric=found), first)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(tmp_path))
