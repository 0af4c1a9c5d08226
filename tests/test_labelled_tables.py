"""Tables and labelled arrays: dates of an index are times, names of channels are kept, two readings are refused."""

import warnings

import numpy as np
import pytest

import stotmetrics
from stotmetrics import AxisWarning, InvalidSeriesError, as_dataset, as_series, distance

VALUES = np.array([0.0, 2.0, 1.0, 4.0])
DAY = 86400.0


# ---------------------------------------------------------------- pandas


@pytest.fixture
def pd():
    return pytest.importorskip("pandas")


def test_dates_and_durations_of_an_index_are_the_times(pd, quietly):
    days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"])
    wanted = [0.0, DAY, 4 * DAY, 5 * DAY]
    for index in (days, days.tz_localize("Europe/Berlin"), days - days[0], days.to_period("D"), pd.Index(days.date)):
        for x in (pd.Series(VALUES, index=index), pd.DataFrame({"a": VALUES, "b": VALUES}, index=index)):
            series = as_series(x)
            assert series.times.tolist() == wanted, index
            with_times = as_series(np.asarray(x), times=wanted)
            other = as_series(np.asarray(x) ** 2)
            assert quietly(lambda x=x, y=other: distance(x, y, metric="tiot")) == distance(
                with_times, other, metric="tiot"
            )
    assert as_series(VALUES, times=days).times.tolist() == wanted
    assert as_series(VALUES, times=list(days.to_pydatetime())).times.tolist() == wanted
    assert as_series(pd.Series(VALUES, index=days), times=[1, 2, 3, 4]).times.tolist() == [1, 2, 3, 4]


def test_a_metric_that_does_not_use_times_says_once_that_it_leaves_the_index_out(pd, quietly):
    x = pd.Series(VALUES, index=pd.date_range("2024", periods=4))
    for call in (
        lambda: distance(x, x, metric="dtw"),
        lambda: stotmetrics.pairwise([x, x, x], metric="dtw"),
        lambda: stotmetrics.kneighbors([x, x], [x], metric="dtw"),
    ):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            call()
        assert ["does not use times" in str(warning.message) for warning in told] == [True]
    assert quietly(lambda: distance(x.to_numpy(), VALUES, metric="dtw")) == 0.0


def test_an_index_of_numbers_is_times_unless_it_counts_the_rows(pd, quietly):
    assert not as_series(pd.Series(VALUES)).has_times
    assert not as_series(pd.Series(VALUES, index=[0, 1, 2, 3])).has_times
    assert not as_series(pd.Series(VALUES, index=list("abcd"))).has_times
    assert as_series(pd.Series(VALUES, index=[0.5, 1.0, 4.0, 5.0])).times.tolist() == [0.5, 1, 4, 5]
    assert quietly(lambda: distance(pd.Series(VALUES, index=[3, 5, 7, 9]), VALUES, metric="dtw")) == 0.0
    with pytest.warns(AxisWarning, match="leaves out the index"):
        distance(pd.Series(VALUES, index=[0, 1, 2, 9]), VALUES, metric="dtw")


def test_missing_rows_of_a_dated_series_keep_their_dates(pd):
    x = pd.Series([1.0, np.nan, 3.0], index=pd.date_range("2024", periods=3))
    assert as_series(x, missing="drop").times.tolist() == [0, 2 * DAY]
    with pytest.raises(InvalidSeriesError, match="does not use times"):
        distance(as_series(x, missing="drop"), VALUES, metric="dtw")


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "Float32", "double[pyarrow]", "int64[pyarrow]", "Sparse[float]"])
def test_nullable_columns_read_like_plain_ones(pd, dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    x = pd.Series([1, 2, 3], dtype=dtype)
    assert as_series(x).values.ravel().tolist() == [1, 2, 3]
    assert as_series(pd.DataFrame({"a": x, "b": [0.5, 1, 2]})).values.tolist() == [[1, 0.5], [2, 1], [3, 2]]
    if "Sparse" not in dtype:
        holed = pd.Series([1, None, 3, None], dtype=dtype)
        assert as_series(holed, missing="drop").times.tolist() == [0, 2]
        with pytest.raises(InvalidSeriesError, match="got nan at time index 1"):
            as_series(holed)
        assert len(as_series(pd.Series([1, 3, None], dtype=dtype))) == 2
    if dtype == "Int64":
        with pytest.raises(InvalidSeriesError, match="int64 values that float64 cannot keep"):
            as_series(pd.Series([2**60, 1], dtype=dtype))


def test_a_frame_of_two_levels_is_a_set_of_series(pd):
    index = pd.MultiIndex.from_product([["b", "a"], pd.date_range("2024", periods=3)], names=["instance", "time"])
    frame = pd.DataFrame({"u": np.arange(6.0), "v": np.arange(6.0)}, index=index)
    for X in (frame, frame.iloc[[0, 3, 1, 4, 2, 5]]):
        members = as_dataset(X)
        assert [series.values[:, 0].tolist() for series in members] == [[0, 1, 2], [3, 4, 5]]
        assert [series.times.tolist() for series in members] == [[0, DAY, 2 * DAY]] * 2
    assert [series.dim for series in as_dataset(frame["u"])] == [1, 1]
    assert stotmetrics.pairwise(frame, metric="tiot").shape == (2, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda pd: pd.DataFrame(np.eye(3)), r"X\.to_numpy\(\) if each row.*\[X\[c\] for c in X\.columns\].*\[X\]"),
        (lambda pd: pd.Series(VALUES), r"its first item is a number; wrap a single series in a list: \[X\]"),
        (lambda pd: pd.DataFrame({"k": [1, 2], "v": [1.0, 2.0]}).groupby("k"), r"pass \[g for _, g in X\]"),
        (
            lambda pd: pd.Series(VALUES, index=pd.MultiIndex.from_product([[0], [0], [0, 1, 2, 3]])),
            "two levels, .* got 3",
        ),
        (
            lambda pd: pd.Series([1.0, 2.0], index=pd.MultiIndex.from_arrays([[None, "a"], [0, 1]])),
            "row 0 has none",
        ),
    ],
)
def test_a_table_that_is_no_set_says_how_to_make_one(pd, make, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_dataset(make(pd))


def test_the_hints_for_a_table_work(pd):
    X = pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=list("abc"))
    assert [len(series) for series in as_dataset(X.to_numpy())] == [3, 3]
    assert [len(series) for series in as_dataset([X[c] for c in X.columns])] == [2, 2, 2]
    assert [(len(series), series.dim) for series in as_dataset([X])] == [(2, 3)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda pd: pd.Series(VALUES, index=[f"2024-01-0{k}" for k in (1, 2, 3, 4)]), r"dates as text.*to_datetime"),
        (lambda pd: pd.Series(VALUES, index=[0, 2, 1, 3]), r"must increase strictly.*sort_index\(\)"),
        (lambda pd: pd.Series(VALUES, index=pd.to_datetime(["2024", "2025", "2025", "2026"])), "merge equal times"),
        (lambda pd: pd.Series([1.0, 2.0], index=pd.to_datetime(["2024", None])), "got NaT at index 1"),
        (lambda pd: pd.DataFrame({"time": VALUES, "v": VALUES}), r"a column 'time'.*x\.set_index\('time'\)"),
        (lambda pd: pd.DataFrame({"v": VALUES, "name": list("abcd")}), "in column 'name'"),
        (lambda pd: pd.DataFrame(index=[0, 1]), "without columns"),
        (lambda pd: pd.Series(VALUES, index=pd.MultiIndex.from_product([["a"], range(4)])), "has 2 levels"),
        (lambda pd: pd.Series(list("abcd")), "must hold real numbers"),
    ],
)
def test_a_table_that_is_no_series_says_why(pd, make, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_series(make(pd))


# ---------------------------------------------------------------- xarray


@pytest.fixture
def xr():
    return pytest.importorskip("xarray")


def test_the_dimension_called_time_is_found(xr, quietly):
    x = xr.DataArray(np.arange(8.0).reshape(2, 4), dims=("channel", "time"))
    np.testing.assert_array_equal(as_series(x).values, x.to_numpy().T)
    film = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("y", "x", "time"))
    assert as_series(film).frame_shape == (2, 3)
    dated = x.assign_coords(time=np.array(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-05"], dtype="M8[ns]"))
    for array in (dated, dated.rename(time="day")):
        assert as_series(array).times.tolist() == [0, DAY, 2 * DAY, 4 * DAY]
    assert (
        quietly(lambda: distance(xr.DataArray(np.ones((3, 1)), dims=("channel", "time")), np.ones((2, 3)), "tiot")) >= 0
    )


def test_instances_of_a_labelled_array_are_counted_by_name(xr):
    X = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("channel", "instance", "time"))
    for array in (X, X.rename(instance="subjects")):
        assert [(len(s), s.dim) for s in as_dataset(array)] == [(4, 2)] * 3
    assert [(len(s), s.dim) for s in as_dataset(X.isel(channel=0))] == [(4, 1)] * 3


@pytest.mark.parametrize("dims", [("channel", "time"), ("place", "time"), ("a", "b")])
def test_dimensions_that_may_count_anything_are_refused(xr, dims):
    X = xr.DataArray(np.eye(3), dims=dims)
    with pytest.raises(InvalidSeriesError, match=f"rename\\({dims[0]}='instance'\\).*\\[X\\]"):
        as_dataset(X)


def test_a_labelled_array_that_is_no_series_says_why(xr):
    X = xr.DataArray(np.eye(3), dims=("channel", "t"))
    with pytest.raises(InvalidSeriesError, match=r"x\.rename\(t='time'\)"):
        as_series(X)
    assert len(as_series(X.rename(t="time"))) == 3
    with pytest.raises(InvalidSeriesError, match=r"x\.isel\(instance=0\)"):
        as_series(xr.DataArray(np.eye(3), dims=("instance", "time")))
    for read in (as_series, as_dataset):
        with pytest.raises(InvalidSeriesError, match="to_dataarray"):
            read(xr.Dataset({"a": X}))


# ---------------------------------------------------------------- polars, pyarrow


def test_polars_columns_and_tables_are_read(quietly):
    pl = pytest.importorskip("polars")
    assert as_series(pl.Series([1, 2, None])).values.ravel().tolist() == [1, 2]
    assert as_series(pl.Series([1, None, 2]), missing="drop").times.tolist() == [0, 2]
    table = pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert as_series(table).values.tolist() == [[1, 0.5], [2, 1.5]]
    assert [len(series) for series in as_dataset(pl.Series([[1.0, 2.0], [3.0]]))] == [2, 1]
    with pytest.raises(InvalidSeriesError, match=r"\[X\[c\] for c in X\.columns\]"):
        as_dataset(table)
    for read in (as_series, as_dataset):
        with pytest.raises(InvalidSeriesError):
            quietly(lambda read=read: read(table.lazy()))
    dates = pl.Series(["2024-01-01", "2024-01-03"]).str.to_datetime()
    timed = pl.DataFrame({"time": dates, "a": [1.0, 2.0]})
    with pytest.raises(InvalidSeriesError, match="times=x"):
        as_series(timed)
    assert as_series(timed.drop("time"), times=timed["time"]).times.tolist() == [0, 2 * DAY]


def test_arrow_arrays_and_tables_are_read():
    pa = pytest.importorskip("pyarrow")
    assert as_series(pa.array([1, 2, None])).values.ravel().tolist() == [1, 2]
    assert as_series(pa.chunked_array([[1, 2], [3]])).values.ravel().tolist() == [1, 2, 3]
    table = pa.table({"a": [1, 2], "b": [0.5, 1.5]})
    assert as_series(table).values.tolist() == [[1, 0.5], [2, 1.5]]
    assert [len(series) for series in as_dataset(pa.array([[1.0, 2.0], [3.0]]))] == [2, 1]
    with pytest.raises(InvalidSeriesError, match=r"\[X\[c\] for c in X\.column_names\]"):
        as_dataset(table)
    assert [len(series) for series in as_dataset([table[c] for c in table.column_names])] == [2, 2]


@pytest.mark.parametrize("names", [("time", "instance"), ("time", None), (None, "id"), (None, None)])
def test_an_index_with_the_times_first_is_refused(pd, names):
    dates = pd.date_range("2020-01-01", periods=3)
    index = pd.MultiIndex.from_product([dates if names == (None, None) else range(3), ["a", "b"]], names=names)
    frame = pd.DataFrame({"v": np.arange(6.0)}, index=index)
    with pytest.raises(InvalidSeriesError, match=r"times first; pass X.swaplevel\(\).sort_index\(\)"):
        stotmetrics.pairwise(frame, metric="dtw")
    assert stotmetrics.pairwise(frame.swaplevel().sort_index(), metric="tiot").shape == (2, 2)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "dia", "lil"])
def test_a_sparse_array_is_refused_as_a_series_too(kind):
    sparse = pytest.importorskip("scipy.sparse").eye_array(3, format=kind)
    with pytest.raises(InvalidSeriesError, match="must be a dense array; got a sparse one"):
        stotmetrics.as_series(sparse)


def channels_of(kind, names):
    """A series of two named channels, the values of a channel in its name, in a container of some kind."""
    columns = {name: np.arange(4.0) * (1 + ord(name)) for name in names}
    if kind == "xarray":
        xr = pytest.importorskip("xarray")
        values = np.stack(list(columns.values()), axis=1)
        return xr.DataArray(values, dims=("time", "channel"), coords={"channel": list(names)})
    module = pytest.importorskip({"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}[kind])
    return module.table(columns) if kind == "arrow" else module.DataFrame(columns)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "xarray"])
def test_channels_in_another_order_are_refused(kind):
    x, y = channels_of(kind, "ab"), channels_of(kind, "ba")
    assert stotmetrics.dtw(x, x) == 0.0
    calls = {
        "x and y": lambda: stotmetrics.dtw(x, y),
        r"X\[0\] and X\[2\]": lambda: stotmetrics.pairwise([x, x, y], metric="dtw"),
        r"X_query\[0\] and X_train\[0\]": lambda: stotmetrics.kneighbors([x], [y], "dtw"),
        r"X\[0\] and X\[1\]": lambda: stotmetrics.barycenter([x, y], metric="softdtw"),
    }
    for names, call in calls.items():
        with pytest.raises(InvalidSeriesError, match=f"{names} must have their channels in the same order"):
            call()
    with pytest.raises(InvalidSeriesError, match="same order"):
        stotmetrics.NeighborIndex([x], "dtw").kneighbors([y])


def test_channels_of_other_names_or_of_one_name_are_compared_as_they_stand(pd):
    x = channels_of("pandas", "ab")
    assert stotmetrics.dtw(x, channels_of("pandas", "cd")) > 0.0
    assert stotmetrics.dtw(x, x.to_numpy()) == 0.0
    twice = pd.DataFrame(x.to_numpy(), columns=["a", "a"])
    assert stotmetrics.dtw(twice, x) == 0.0


def test_dates_beside_a_series_without_times_are_told_where_their_unit_matters(pd):
    x = np.array([0.0, 1.0, 3.0])
    dated = pd.Series(x, index=pd.date_range("2020-01-01", periods=3))
    for other in (dated, stotmetrics.as_series(x, times=[0.0, 86400.0, 172800.0])):
        stotmetrics.tiot(dated, other, standardize=False)
    assert stotmetrics.tiot(dated, x) == 0.0
    calls = [
        lambda: stotmetrics.tiot(dated, x, standardize=False),
        lambda: stotmetrics.pairwise([x, dated], metric="taot", standardize=False),
        lambda: stotmetrics.kneighbors([dated], [x], "tiot", standardize=False),
        lambda: stotmetrics.tiot(stotmetrics.as_series(x, times=dated.index), x, standardize=False),
    ]
    for call in calls:
        with pytest.warns(AxisWarning, match="times that come from dates, in seconds"):
            call()
