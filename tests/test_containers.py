"""What other packages hand over: right, or refused with a way out that works. No axis and no index is guessed."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import stotmetrics
from stotmetrics import AxisWarning, InvalidParameterError, InvalidSeriesError, Series, as_dataset, as_series, distance
from stotmetrics.series_sets import read_dataset

VALUES = np.array([0.0, 2.0, 1.0, 4.0])
DAY = 86400.0


# ---------------------------------------------------------------- (1, T)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: distance(x, x, metric="tiot"),
        lambda x: stotmetrics.solve(x, x, metric="dtw"),
        lambda x: stotmetrics.get_metric("tiot")(x, x),
        lambda x: stotmetrics.value_and_grad(x, x, metric="softdtw"),
        lambda x: distance(x, x, metric=lambda u, v: 0.0),
        lambda x: stotmetrics.pairwise([x, x, x], metric="tiot"),
        lambda x: stotmetrics.pairwise(np.stack([x, x]), metric="tiot"),
        lambda x: stotmetrics.kneighbors(np.stack([x, x]), [x], metric="dtw"),
        lambda x: stotmetrics.barycenter(np.stack([x, x]), metric="softdtw"),
    ],
)
def test_one_row_of_many_values_draws_one_warning_at_the_line_of_the_caller(call):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call(VALUES[None])
    assert [warning.category for warning in told] == [AxisWarning]
    assert "(channels, time)" in str(told[0].message) and "x.T" in str(told[0].message)
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    "x",
    [VALUES, VALUES[:, None], VALUES[None, None], VALUES[None, :1], as_series(VALUES[None]), np.stack([VALUES] * 2)],
    ids=["flat", "column", "frame", "single value", "stated", "two rows"],
)
def test_other_shapes_and_a_stated_series_draw_none(x, quietly):
    assert quietly(lambda: distance(x, x, metric="tiot")) == 0.0


@pytest.mark.parametrize("columns", [19, 20, 200])
def test_far_more_columns_than_rows_draw_one_warning_too(columns, quietly):
    x = np.random.default_rng(0).normal(size=(2, columns))
    calls = [lambda: distance(x, x, metric="dtw"), lambda: stotmetrics.pairwise(np.stack([x, x]), metric="dtw")]
    for call in calls:
        if columns < 20:
            quietly(call)
            continue
        with pytest.warns(AxisWarning, match=rf"shape \(2, {columns}\) as 2 times with {columns} values each"):
            call()
    # Another number of rows shows that they are times, and a series may say so.
    assert quietly(lambda: distance(x, np.concatenate([x, x]), metric="dtw")) >= 0.0
    assert quietly(lambda: distance(as_series(x), as_series(x), metric="dtw")) == 0.0


def test_frames_over_space_may_be_one_row(quietly):
    assert quietly(lambda: distance(VALUES[None] + 1, VALUES[None] + 2, metric="sta")) > 0


def test_a_metric_of_one_channel_says_how_to_turn_the_row():
    with pytest.raises(InvalidSeriesError, match=r"pass x\.ravel\(\) if these are the times of one channel"):
        stotmetrics.spec.admission.check_series(as_series(VALUES[None]), stotmetrics.Traits(), "m", "x")


def test_a_row_beside_a_series_of_several_times_is_a_row(quietly):
    assert quietly(lambda: distance(np.ones((1, 2)), np.ones((3, 2)), metric="dtw")) == 0.0
    assert quietly(lambda: stotmetrics.pairwise([np.ones((1, 2)), np.ones((3, 2))], metric="dtw")).shape == (2, 2)


def test_rows_of_other_lengths_are_refused_with_the_way_out():
    with pytest.raises(InvalidSeriesError, match=r"got 4 and 3; pass x\.T where arrays are \(channels, time\)"):
        distance(VALUES[None], VALUES[None, :3], metric="tiot")


# ---------------------------------------------------------------- immutable series


def test_a_series_does_not_change_with_the_arrays_it_was_made_of():
    values, times, weights = VALUES.copy(), np.arange(4.0), np.ones(4)
    made = [as_series(values, times=times, weights=weights), Series(values[:, None], times, weights)]
    listed, table = as_dataset([values]), np.stack([values, values])
    rows = as_dataset(table)
    values[:], times[:], weights[:], table[:] = 9.0, 9.0, 9.0, 9.0
    for series in (*made, *listed, *rows):
        assert series.values.ravel().tolist() == VALUES.tolist()
    assert [series.times.tolist() for series in made] == [[0, 1, 2, 3]] * 2
    assert [series.weights.tolist() for series in made] == [[1] * 4] * 2


@pytest.mark.parametrize("again", [lambda s: s, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_series_cannot_be_written_to(again):
    series = again(as_series(VALUES, times=np.arange(4.0), weights=np.ones(4)))
    for array in (series.values, series.times, series.weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    with pytest.raises(AttributeError, match="cannot be changed"):
        series.values = np.ones((2, 1))
    with pytest.raises(AttributeError, match="cannot be changed"):
        del series.values
    assert repr(series) == "Series(shape=(4, 1), times given, weights given)"


def test_a_constant_array_is_not_copied_again():
    constant = as_series(VALUES).values
    assert np.shares_memory(Series(constant).values, constant)
    view = VALUES[:, None].view()
    view.flags.writeable = False  # and yet VALUES can be written to
    assert not np.shares_memory(Series(view).values, VALUES)


def test_a_set_in_one_array_is_read_like_its_rows():
    rng = np.random.default_rng(0)
    padded = rng.normal(size=(4, 5, 2))
    padded[1, 3:] = np.nan
    for X in (padded, padded[::-1], np.asfortranarray(padded), rng.normal(size=(3, 4)), rng.normal(size=(2, 3, 4, 5))):
        for share in (True, False):
            for series, row in zip(read_dataset(X, "X", share=share), X, strict=True):
                np.testing.assert_array_equal(series.values, as_series(row).values)
                assert series.frame_shape == as_series(row).frame_shape and series.values.flags.c_contiguous
    padded[2, 1, 1] = np.nan
    with pytest.raises(InvalidSeriesError, match=r"X\[2\] must be finite.*time index 1, channel 1"):
        as_dataset(padded)


# ---------------------------------------------------------------- missing values


def test_dropped_rows_leave_the_times_of_the_others():
    holed = np.array([0.0, np.nan, 1.0, 4.0])
    series = as_series(holed, missing="drop")
    assert (series.values.ravel().tolist(), series.times.tolist()) == ([0, 1, 4], [0, 2, 3])
    series = as_series(holed, times=[0, 5, 6, 9], weights=[1, 2, 3, 4], missing="drop")
    assert (series.times.tolist(), series.weights.tolist()) == ([0, 6, 9], [1, 3, 4])
    assert distance(series, series, metric="tiot") == 0.0
    with pytest.raises(InvalidSeriesError, match="does not use times"):
        distance(series, VALUES, metric="dtw")
    assert as_series([[1.0, np.nan], [2.0, 3.0]], missing="drop").values.tolist() == [[2.0, 3.0]]
    assert [s.times.tolist() for s in as_dataset(np.stack([holed, VALUES]), missing="drop")] == [
        [0, 2, 3],
        [0, 1, 2, 3],
    ]
    masked = np.ma.masked_array(VALUES, mask=[False, True, False, False])
    assert as_series(masked, missing="drop").times.tolist() == [0, 2, 3]


def test_missing_at_the_end_leaves_no_hole():
    series = as_series([1.0, 2.0, np.nan], missing="drop")
    assert len(series) == 2 and not series.has_times


def test_missing_values_are_refused_by_default_with_the_way_out():
    with pytest.raises(InvalidSeriesError, match=r"as_series\(x, missing='drop'\)"):
        as_series([1.0, np.nan, 2.0])
    with pytest.raises(InvalidSeriesError, match="at least one row without a missing value"):
        as_series([np.nan, np.nan], missing="drop")
    with pytest.raises(InvalidSeriesError, match="one for each row, missing values or not"):
        as_series([1.0, np.nan, 2.0], times=[0.0, 1.0], missing="drop")
    with pytest.raises(InvalidSeriesError, match="got inf"):
        as_series([1.0, np.inf, 2.0], missing="drop")
    for wrong in ("interpolate", None, []):
        with pytest.raises(InvalidParameterError, match="missing must be 'refuse' or 'drop'"):
            as_series([1.0], missing=wrong)


# ---------------------------------------------------------------- plain Python and NumPy


def test_iterators_and_views_are_walked_through_once():
    assert as_series(v for v in VALUES).values.ravel().tolist() == VALUES.tolist()
    assert as_series(dict(enumerate(VALUES)).values()).values.ravel().tolist() == VALUES.tolist()
    assert len(as_dataset({"a": VALUES, "b": VALUES}.values())) == 2
    assert len(as_dataset(map(np.sort, [VALUES, VALUES]))) == 2


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_matrix_is_an_array():
    X = np.stack([VALUES, VALUES + 1])
    np.testing.assert_array_equal(
        stotmetrics.pairwise(np.matrix(X), metric="dtw"), stotmetrics.pairwise(X, metric="dtw")
    )
    with pytest.warns(AxisWarning):
        distance(np.matrix(VALUES), np.matrix(VALUES), metric="tiot")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": VALUES}, r"pass list\(d\.values\(\)\)"),
        ({1.0, 2.0}, "has no order; pass a list"),
        (np.ma.masked_array(np.eye(2), mask=np.eye(2) > 0), r"X\[0\] has masked entries"),
    ],
)
def test_what_is_no_set_of_series_is_refused_with_a_hint(X, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_dataset(X)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"a": 1.0}, r"pass list\(d\.values\(\)\)"),
        ({1.0, 2.0}, "no order"),
        ([10**400, 1], "float64 cannot keep"),
        ([10**400, 1.0], "x cannot be read|float64 cannot keep"),
        ([2**70, 1], "float64 cannot keep"),
        (np.zeros(2, dtype=[("a", "f8")]), "one field of the records"),
    ],
)
def test_what_is_no_series_is_refused_with_a_hint(x, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_series(x)


def test_numbers_of_several_types_are_numbers():
    mixed = np.array([1, 2.5, True, np.float32(3)], dtype=object)
    assert as_series(mixed).values.ravel().tolist() == [1, 2.5, 1, 3]


def test_sparse_arrays_are_refused_with_the_way_out():
    sparse = pytest.importorskip("scipy.sparse").csr_array(np.eye(3))
    for read in (as_series, as_dataset):
        with pytest.raises(InvalidSeriesError, match=r"toarray\(\)"):
            read(sparse)
