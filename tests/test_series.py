"""What counts as a series, and how the rest is refused."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stotmetrics import InvalidSeriesError, Series, Traits, as_dataset, as_series
from stotmetrics.series import read_series
from stotmetrics.spec.admission import check_pair, check_series, check_sets

VALUES = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


@pytest.mark.parametrize(
    "given_",
    [
        VALUES.tolist(),
        tuple(map(tuple, VALUES)),
        VALUES.astype(np.float32),
        VALUES.astype(np.float16),
        VALUES.astype(np.int8),
        VALUES.astype(np.uint64),
        VALUES.astype(">f8"),
        VALUES.astype(np.longdouble),
        np.asfortranarray(VALUES),
        np.repeat(VALUES, 2, axis=0)[::2],
        VALUES[::-1].copy()[::-1],
        np.ma.masked_array(VALUES, mask=False),
        np.frombuffer(b"\0" + VALUES.tobytes(), dtype="u1")[1:].view("f8").reshape(3, 2),
    ],
    ids=lambda a: f"{type(a).__name__}-{getattr(a, 'dtype', '')}",
)
def test_layout_and_dtype_do_not_matter(given_):
    values = as_series(given_).values
    np.testing.assert_array_equal(values, VALUES)
    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    assert values.flags.aligned


def test_what_lives_no_longer_than_a_call_is_shared_even_if_read_only():
    array = VALUES.copy()
    array.flags.writeable = False
    assert np.shares_memory(read_series(array, "x").values, array)
    assert not np.shares_memory(as_series(array).values, array)


def test_booleans_count_as_zero_and_one():
    np.testing.assert_array_equal(as_series([True, False]).values, [[1.0], [0.0]])


def test_one_axis_is_univariate_and_three_are_frames():
    assert as_series([1.0, 2.0]).values.shape == (2, 1)
    film = as_series(np.arange(24.0).reshape(2, 3, 4))
    assert film.values.shape == (2, 12)
    assert film.frame_shape == (3, 4)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=st.floats(-9, 9)),
    st.integers(0, 4),
)
def test_trailing_padding_is_cut_and_nothing_else(values, padding):
    padded = np.vstack([values, np.full((padding, values.shape[1]), np.nan)])
    np.testing.assert_array_equal(as_series(padded).values, values)


def test_times_and_weights_may_be_padded_like_the_values():
    series = as_series([1.0, 2.0, np.nan], times=[0.0, 3.0, 9.0], weights=[0.5, 0.5, 0.0])
    assert len(series) == len(series.times) == len(series.weights) == 2


def test_default_times_count_and_default_weights_are_uniform():
    series = as_series([5.0, 6.0, 7.0, 8.0])
    np.testing.assert_array_equal(series.times, [0, 1, 2, 3])
    np.testing.assert_array_equal(series.weights, [0.25] * 4)
    assert not series.has_times
    assert not series.has_weights


def test_sum_that_overflows_is_not_mistaken_for_infinity():
    assert as_series([1e308, 1e308]).values.max() == 1e308


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (3.0, r"x must have shape \(T,\).*wrap a single number"),
        ([], r"x must hold at least one value; got shape \(0,\)"),
        (np.zeros((0, 2)), r"at least one value; got shape \(0, 2\)"),
        (np.zeros((2, 0)), r"at least one value; got shape \(2, 0\)"),
        (np.zeros((1, 1, 1, 1)), r"got shape \(1, 1, 1, 1\); pass one series at a time"),
        ([1.0, np.nan, 2.0], r"x must be finite.*got nan at time index 1, channel 0; drop or interpolate"),
        ([[1.0, np.nan], [2.0, np.nan]], r"got nan at time index 0, channel 1"),
        ([1.0, np.inf], r"got inf at time index 1"),
        ([np.inf, -np.inf, 1.0], r"got inf at time index 0"),
        ([np.nan, np.nan], r"at least one value; got only NaN"),
        ([1j], r"dtype complex128; take real and imaginary parts"),
        (["1", "2"], r"dtype <U1; convert text"),
        ([None, 1.0], r"dtype object; its rows must"),
        ([[1.0, 2.0], [3.0]], r"x cannot be read as one array of numbers"),
        (np.array(["2020-01-01"], dtype="M8[D]"), r"convert dates to numbers"),
        (np.array([1], dtype="m8[s]"), r"divide by a unit"),
        ([2**60], r"int64 values that float64 cannot keep; subtract an offset"),
        (np.array([1.0, 2.0], dtype=np.longdouble) * np.longdouble("1e400"), r"float64 cannot keep"),
        (np.ma.masked_array([1.0, 2.0], mask=[True, False]), r"x has masked entries"),
        ({"a": 1}, r"dtype object"),
    ],
)
def test_what_is_not_a_series_is_refused_by_name(x, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_series(x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": [0.0, 1.0]}, r"times of x must have shape \(3,\).*got shape \(2,\)"),
        ({"times": [0.0, 1.0, 1.0]}, r"times of x must increase strictly; got 1 at index 1 and 1 at index 2"),
        ({"times": [2.0, 1.0, 3.0]}, r"got 2 at index 0 and 1 at index 1; sort the series"),
        ({"times": [0.0, np.nan, 1.0]}, r"times of x must be finite; got nan at index 1"),
        ({"times": ["a", "b", "c"]}, r"times of x must hold real numbers"),
        ({"weights": [1.0, -1.0, 1.0]}, r"weights of x must be non-negative; got -1 at index 1"),
        ({"weights": [0.0, 0.0, 0.0]}, r"weights of x must not all be zero"),
        ({"weights": [[1.0], [1.0], [1.0]]}, r"weights of x must have shape \(3,\)"),
        ({"weights": [1.0, np.inf, 1.0]}, r"weights of x must be finite"),
    ],
)
def test_times_and_weights_are_refused_by_name(options, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_series([1.0, 2.0, 3.0], **options)


def test_a_series_passes_through_and_keeps_its_times():
    series = as_series([1.0, 2.0], times=[0.0, 5.0])
    assert as_series(series) is series
    with pytest.raises(InvalidSeriesError, match="is a Series already"):
        as_series(series, times=[0.0, 1.0])


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[[1.0], [2.0]], [[3.0], [4.0]]]),
        [as_series([1.0, 2.0]), np.array([3.0, 4.0])],
        (row for row in ([1.0, 2.0], [3.0, 4.0])),
        np.array([[[1.0], [2.0], [np.nan]], [[3.0], [4.0], [np.nan]]]),
    ],
)
def test_a_set_is_read_from_its_first_axis(X):
    members = as_dataset(X)
    assert [series.values.tolist() for series in members] == [[[1.0], [2.0]], [[3.0], [4.0]]]


def test_a_ragged_set_keeps_its_lengths():
    assert [len(s) for s in as_dataset([[1.0], [1.0, 2.0], [[1.0], [2.0], [3.0]]])] == [1, 2, 3]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (3.0, "got float; wrap a single series"),
        ([1.0, 2.0], "its first item is a number"),
        (np.array([1.0, 2.0]), "its first item is a number"),
        ([], "at least one series"),
        (as_series([1.0]), "got Series; wrap"),
        ("abc", "got str"),
        ([[1.0, 2.0], [1.0, np.nan, 3.0]], r"X\[1\] must be finite"),
        ([[[1.0, 2.0]], [[1.0]]], r"X\[0\] and X\[1\] must have the same number of channels; got 2 and 1"),
    ],
)
def test_what_is_not_a_set_is_refused_by_name(X, message):
    with pytest.raises(InvalidSeriesError, match=message):
        as_dataset(X)


@pytest.mark.parametrize(
    ("series", "traits", "message"),
    [
        (as_series(VALUES), Traits(), "x must be univariate for m"),
        (as_series([1.0]), Traits(min_length=2), "x must have at least 2 times for m; got 1"),
        (as_series([1.0], times=[0.0]), Traits(), "m does not use times, but x has them"),
        (as_series([1.0], weights=[1.0]), Traits(), "m does not use weights, but x has them"),
        (as_series([1.0, -2.0]), Traits(needs_mass=True), "got -2 at time index 1, point 0"),
    ],
)
def test_a_series_outside_the_traits_is_refused(series, traits, message):
    with pytest.raises(InvalidSeriesError, match=message):
        check_series(series, traits, "m", "x")


def test_two_series_must_fit_each_other():
    with pytest.raises(InvalidSeriesError, match="equal length; got x of length 2 and y of length 1"):
        check_pair(as_series([1.0, 2.0]), as_series([1.0]), Traits(), "m")
    with pytest.raises(InvalidSeriesError, match=r"got \(2, 3\) and \(3, 2\)"):
        check_pair(as_series(np.ones((1, 2, 3))), as_series(np.ones((1, 3, 2))), Traits(multivariate=True), "m")


def test_the_misfit_in_a_set_is_named():
    left, right = [Series(np.ones((2, 1)))] * 2, [Series(np.ones((2, 1))), Series(np.ones((3, 1)))]
    with pytest.raises(InvalidSeriesError, match=r"got X\[0\] of length 2 and Y\[1\] of length 3"):
        check_sets(left, right, Traits(), "m", ("X", "Y"))


@pytest.mark.parametrize(
    ("values", "way_out"),
    [
        (np.array(["1", "2"], dtype=object), "convert text to numbers"),
        (b"12", "frombuffer"),
        (bytearray(b"12"), "frombuffer"),
        ([Decimal("1.5"), Decimal(2)], "Decimal objects, which float"),
        ([datetime(2020, 1, 1), datetime(2020, 1, 2)], "convert dates to numbers"),
        (np.array([timedelta(1), timedelta(2)], dtype=object), "divide by a unit"),
        ([[1.0], [1.0, 2.0]], "one array of numbers|same length"),
        ([1.0, None], "None is not a number"),
    ],
)
def test_what_holds_no_numbers_is_refused_with_a_way_out_that_fits(values, way_out):
    with pytest.raises(InvalidSeriesError, match=way_out):
        as_series(values)
