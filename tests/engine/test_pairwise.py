"""The pair loop: every pair once, whatever the tiles and the workers."""

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics import ConvergenceWarning, InvalidSeriesError, MetricSpec, Result, Traits, get_metric, pairwise
from stotmetrics.engine import tiles as engine
from stotmetrics.engine.destination import Destination
from stotmetrics.engine.output import side_for
from stotmetrics.errors import InvalidParameterError
from stotmetrics.series_sets import as_dataset
from stotmetrics.spec.bound import bind


def mean_gap(x, y, params):
    return float(x.values.mean() - y.values.mean())


def spec(pair=mean_gap, **traits):
    return MetricSpec(name="gap", pair=pair, traits=Traits(unequal_length=True, **traits))


def absolute(x, y, params):
    return abs(mean_gap(x, y, params))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.booleans(), st.booleans(), st.booleans())
def test_tiles_cover_each_wanted_pair_once(n, m, side, within, symmetric, zero_self):
    m = n if within else m
    count = np.zeros((n, m), dtype=int)
    for tile in engine.tiles_of(n, m, side, within=within, symmetric=symmetric, zero_self=zero_self):
        i, j = tile.pairs()
        np.add.at(count, (i + tile.rows.start, j + tile.cols.start), 1)
        assert len(i) == tile.n_pairs()
        assert list(zip(i, j, strict=True)) == sorted(zip(i, j, strict=True))
        for start in range(len(i) + 1):
            for stop in range(start, len(i) + 1, 3):
                some = tile.pairs(start, stop)
                np.testing.assert_array_equal(some, (i[start:stop], j[start:stop]))
                assert some[0].dtype == some[1].dtype == np.intp
    wanted = np.ones((n, m), dtype=int)
    if within and symmetric:
        wanted = np.triu(wanted)
    if within and zero_self:
        np.fill_diagonal(wanted, 0)
    np.testing.assert_array_equal(count, wanted)


def test_tiles_are_smaller_where_a_pair_costs_more():
    frames = as_dataset(np.zeros((8, 20, 642)))
    long, short = as_dataset(np.zeros((8, 4000))), as_dataset(np.zeros((8, 50)))
    sides = [side_for(None, bind(spec()), X, None) for X in (short, long, frames)]
    assert sides == [20, 1, 2]
    assert [side_for(None, get_metric("dtw"), X, None) for X in (short, long)] == [112, 1]
    assert [side_for(None, get_metric("dtw", band=2), X, None) for X in (short, long)] == [256, 40]
    # An entry between two frames is a transport problem of 642 by 642 points.
    assert side_for(None, get_metric("sta"), frames, None) == 1
    assert side_for(None, get_metric("sta"), as_dataset(np.zeros((40, 4, 6))), None) == 24


@pytest.mark.parametrize("metric", ["dtw", "softdtw", "softdtw_sharp", "gak"])
def test_tiles_fill_the_lanes(metric):
    bound = get_metric(metric)
    sides = [side_for(None, bound, as_dataset(np.zeros((2, n))), None) for n in (20, 33, 50, 77, 128, 200, 300)]
    assert all(side % bound.spec.lanes == 0 for side in sides)


@given(
    st.integers(1, 9), st.integers(1, 5), st.booleans(), st.lists(st.tuples(st.integers(1, 30), st.floats(0.0, 1.0)))
)
def test_tasks_hold_every_piece_of_every_tile_once(n, side, within, seen):
    """However long the tasks before have taken."""
    tiles = engine.tiles_of(n, n, side, within=within, symmetric=True, zero_self=True)
    seen, sizes, gathered, whole = iter(seen), [], engine.Gathered(tiles), {}
    pace, in_all = engine.Pace(3, 2), sum(tile.n_pairs() for tile in tiles)
    for (pieces,) in engine.tasks_of(tiles, range(len(tiles)), pace, in_all):
        left = in_all - sum(size for size, _ in sizes)
        sizes.append((sum(piece.stop - piece.start for piece in pieces), pace.share(left)))
        for piece in pieces:
            order = np.arange(piece.start, piece.stop, dtype=float)
            solved = gathered.add(piece.number, piece.start, engine.Batch(order))
            if solved is not None:
                assert whole.setdefault(piece.number, solved) is solved
        pace.learn(*next(seen, (1, 0.02)))
    assert sorted(whole) == list(range(len(tiles)))
    for number, batch in whole.items():
        np.testing.assert_array_equal(batch.values, np.arange(tiles[number].n_pairs()))
    assert all(size == wanted for size, wanted in sizes[:-1])


def test_a_task_takes_as_long_as_it_is_meant_to_whatever_a_pair_takes():
    pace = engine.Pace(64)
    pace.learn(64, 0.064)
    assert pace.size == 50
    pace.learn(50, 0.0)
    assert pace.size == 200  # no clock tells such a time: not much larger at once
    pace.learn(1, 100.0)
    assert pace.size == 1


def test_the_last_tasks_are_small_so_that_all_workers_end_at_once():
    """Simulated: every pair takes as long as every other, and the free worker takes the next task."""
    pace, left, ends = engine.Pace(20, 4), 1000, [0, 0, 0, 0]
    while left:
        size = min(pace.share(left), left)
        worker = ends.index(min(ends))
        ends[worker] += size
        left -= size
    assert sum(ends) == 1000 and max(ends) - min(ends) <= 2


def test_one_worker_does_a_tile_at_a_time():
    tiles = engine.tiles_of(9, 9, 4, within=True, symmetric=True, zero_self=True)
    tasks = [pieces for (pieces,) in engine.tasks_of(tiles, range(len(tiles)), engine.Pace(0), 0)]
    assert [[(piece.start, piece.stop) for piece in pieces] for pieces in tasks] == [[(0, t.n_pairs())] for t in tiles]


@given(st.integers(1, 7), st.integers(1, 5))
def test_result_does_not_depend_on_the_tiles(n, side):
    X = as_dataset([[float(k), 3.0] for k in range(n)])
    array = np.zeros((n, n))
    engine.fill(bind(spec()), X, None, Destination(array), side)
    np.testing.assert_array_equal(array, pairwise(X, metric=spec()))
    np.testing.assert_array_equal(array, [[(i - j) / 2 for j in range(n)] for i in range(n)])


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
@pytest.mark.parametrize("traits", [{}, {"symmetric": True}, {"symmetric": True, "zero_self": True}])
def test_result_does_not_depend_on_n_jobs(n_jobs, traits):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=rng.integers(1, 5)) for _ in range(70)]
    expected = [[abs(x.mean() - y.mean()) for y in X] for x in X]
    np.testing.assert_array_equal(pairwise(X, metric=spec(absolute, **traits), n_jobs=n_jobs), expected)


def test_two_sets_give_a_rectangle_with_rows_of_the_first():
    D = pairwise([[1.0], [2.0]], [[0.0], [5.0], [7.0]], metric=spec())
    np.testing.assert_array_equal(D, [[1, -4, -6], [2, -3, -5]])


def test_a_metric_that_is_not_zero_on_itself_gets_its_diagonal():
    D = pairwise([[1.0], [2.0]], metric=spec(lambda x, y, params: 1.0, symmetric=True))
    np.testing.assert_array_equal(D, np.ones((2, 2)))


def test_processes_of_another_backend_do_the_same():
    metric = spec(lambda x, y, params: float(x.values.mean() - y.values.mean()))
    with joblib.parallel_config(backend="loky", n_jobs=2):
        D = pairwise([[float(k)] for k in range(6)], metric=metric)
    np.testing.assert_array_equal(D, np.subtract.outer(np.arange(6.0), np.arange(6.0)))


def test_each_series_is_prepared_once():
    seen = []
    metric = MetricSpec(
        name="counted",
        prepare=lambda series, params: seen.append(series.values[0, 0]) or series,
        pair=absolute,
    )
    pairwise(np.arange(80.0)[:, None], metric=metric)
    assert sorted(seen) == list(range(80))


def test_progress_counts_pairs_up_to_all_of_them():
    seen = []
    pairwise(np.arange(70.0)[:, None], metric=spec(absolute, symmetric=True), progress=lambda d, t: seen.append((d, t)))
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert {t for _, t in seen} == {70 * 71 // 2}
    assert done[-1] == 70 * 71 // 2


def test_a_bar_is_shown_only_when_asked_for(capfd):
    pairwise([[1.0], [2.0]], metric=spec())
    assert capfd.readouterr().err == ""
    pairwise([[1.0], [2.0]], metric=spec(), progress=True)
    assert "gap" in capfd.readouterr().err


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_warning_tells_how_many_failed_and_the_worst(n_jobs):
    def pair(x, y, params):
        gap = x.values[0, 0] * y.values[0, 0]
        return Result(0.0, converged=gap < 30, gap=gap)

    with pytest.warns(ConvergenceWarning) as caught:
        pairwise(np.arange(8.0)[:, None], metric=spec(pair, symmetric=True), n_jobs=n_jobs)
    (warning,) = caught
    # Pairs i <= j < 8 with i * j >= 30: 5*6, 5*7, 6*6, 6*7, 7*7.
    assert "did not converge for 5 of 36 pairs; the worst is (7, 7), error at most 49" in str(warning.message)


def test_blas_is_held_to_one_thread_while_pairs_are_computed():
    from threadpoolctl import threadpool_info

    seen = []

    def pair(x, y, params):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return 0.0

    pairwise([[1.0], [2.0]], metric=spec(pair))
    assert seen
    assert set(seen) == {1}


def test_an_interrupt_between_tiles_is_heard():
    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pairwise(np.arange(200.0)[:, None], metric=spec(), progress=stop)


@pytest.mark.parametrize("n_jobs", [0, 1.5, True, "2"])
def test_n_jobs_out_of_range_is_refused(n_jobs):
    with pytest.raises(InvalidParameterError, match="n_jobs must be None or a non-zero integer"):
        pairwise([[1.0]], metric=spec(), n_jobs=n_jobs)


def test_series_that_cannot_be_compared_are_named():
    with pytest.raises(InvalidSeriesError, match=r"X\[0\] and Y\[0\] must have the same number of channels"):
        pairwise([[1.0]], [[[1.0, 2.0]]], metric=spec(multivariate=True))
    with pytest.raises(InvalidSeriesError, match=r"Y\[1\] must be finite"):
        pairwise([[1.0]], [[1.0], [np.inf]], metric=spec())


def test_a_matrix_beyond_memory_is_refused_before_it_is_taken(monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 1)
    with pytest.raises(MemoryError, match=r"pass out='matrix.npy'"):
        pairwise([[1.0], [2.0]], metric=spec())


def test_what_is_known_of_some_pieces_of_a_tile_alone_stays_known(monkeypatch):
    """A block says of its first pair alone how it ended, and nothing of pairs that ended well."""

    def block(left, right, rows, cols, params, cutoff=None):
        bad = (rows == 0) & (cols == 1)
        if not bad.any():
            return engine.Batch(np.ones(len(rows)))
        return engine.Batch(np.ones(len(rows)), converged=~bad, gap=np.where(bad, 0.5, 0.0))

    monkeypatch.setattr(engine, "_FIRST_PAIRS", 1)
    metric = MetricSpec("once", lambda x, y, p: 1.0, block=block, traits=Traits(symmetric=True, zero_self=True))
    with pytest.warns(ConvergenceWarning, match=r"did not converge for 1 of 45 pairs; the worst is \(0, 1\), error"):
        pairwise(np.zeros((10, 2)), metric=metric, n_jobs=2)
