"""Files of series: what they say is read, and what they do not say is refused; labels and targets are no values."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stotmetrics import AxisWarning, Series, distance
from stotmetrics.datasets import DataFileError, load_array, load_collection, load_labelled, load_series, load_split


@pytest.fixture
def write(tmp_path):
    def to(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return to


REGRESSION = "@problemName r\n@timeStamps false\n@univariate true\n@targetlabel true\n@data\n"


@pytest.mark.parametrize("digits", [400, 5000])
def test_columns_may_have_long_names(write, digits):
    with pytest.raises(DataFileError, match="label"):
        load_labelled(write("few.csv", f"time{'0' * digits},x{'9' * digits}\n1,2\n"))


def test_a_target_of_regression_is_neither_value_nor_label(write):
    path = write("r.ts", REGRESSION + "1:0.7\n3:0.1\n")
    np.testing.assert_array_equal(load_collection(path), [[1.0], [3.0]])
    with pytest.raises(DataFileError, match="targets of regression"):
        load_labelled(path)


def test_tags_may_be_followed_by_any_white_space(write):
    path = write("t.ts", "@timeStamps\tfalse\n@classLabel \t true\tup  down\n@data\n5:up\n7:down\n")
    X, y = load_labelled(path)
    assert (X.tolist(), y.tolist()) == ([[5.0], [7.0]], ["up", "down"])


def test_lines_without_a_label_may_end_with_a_colon(write):
    path = write("u.ts", "@univariate true\n@classLabel false\n@data\n1,2,3:\n4,5,6:\n")
    np.testing.assert_array_equal(load_collection(path), [[1, 2, 3], [4, 5, 6]])


def test_a_missing_last_value_of_one_channel_keeps_its_place(write):
    path = write("m.ts", "@univariate false\n@dimensions 2\n@classLabel true a\n@data\n1,2,?:4,5,6:a\n")
    (x,), _ = load_labelled(path)
    np.testing.assert_array_equal(x, [[1, 4], [2, 5], [np.nan, 6]])


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ("(0,1.5),(2,2.5),(7,3.5):(0,1),(2,2),(7,3):a\n", [0, 2, 7]),
        ("(0, 1.5), (2, 2.5), (3,?), (7, 3.5):(0,1),(2,2),(3,?),(7,3):a\n", [0, 2, 7]),
        (
            (
                "(2017-01-01 00:00:00,1.5),(2017-01-01 00:00:02,2.5),(2017-01-01 00:00:07,3.5):"
                "(2017-01-01 00:00:00,1),(2017-01-01 00:00:02,2),(2017-01-01 00:00:07,3):a\n"
            ),
            [0, 2, 7],
        ),
    ],
    ids=["numbers", "one missing", "dates"],
)
def test_timestamps_of_a_ts_file_are_times(write, lines, times):
    path = write("w.ts", "@timeStamps true\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n" + lines)
    (x,), y = load_labelled(path)
    assert isinstance(x, Series)
    assert (x.times.tolist(), x.values.tolist(), y.tolist()) == (times, [[1.5, 1], [2.5, 2], [3.5, 3]], ["a"])
    assert distance(x, x, metric="tiot") == 0.0


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no such devices")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/urandom"])
def test_a_device_without_an_end_is_refused_unread(device):
    for read in (load_labelled, load_collection, load_series):
        with pytest.raises(DataFileError, match="a device, which may have no end; give a file or a pipe"):
            read(device)


def test_a_time_of_which_some_channels_are_missing_is_not_dropped_in_silence(write):
    head = "@timeStamps true\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n"
    path = write("w.ts", head + "(0,1.5),(2,2.5),(3,?),(7,3.5):(0,1),(2,2),(3,0),(7,3):a\n")
    with pytest.raises(DataFileError, match=r"line 6: 1 of 4 times lack some .* time index 2, without channel 0; fill"):
        load_labelled(path)
    path = write("t.csv", "time,a,b\n0,1,2\n1,,3\n2,4,5\n")
    with pytest.raises(DataFileError, match=r"1 of 3 times lack some .* time index 1, without channel 0; fill"):
        load_series(path)


HEAD = "@univariate true\n@classLabel true a b\n@data\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@univariate true\n@data\n5:1\n7:2\n", "line 3: holds 2 dimensions.*@classLabel true"),
        ("@data\n5:1\n7:2\n", "line 2: holds 2 dimensions.*@classLabel true"),
        ("@classlabels true a\n@data\n5:a\n", "line 1: '@classlabels' is no tag"),
        ("@classLabel yes a\n@data\n5:a\n", "@classlabel must be followed by true or false"),
        ("@classLabel true a\n@targetLabel true\n@data\n5:a\n", "only one can be at the end"),
        *(
            (f"{tag} {count}\n@equalLength true\n@data\n5\n", f"{tag} must be followed by a positive number")
            for tag in ("@dimensions", "@seriesLength")
            for count in ("two", "0", "²", "9" * 5000)
        ),
        (HEAD + "1,2:c\n", "line 4: the label 'c' is none of those of @classLabel: a, b"),
        (HEAD + "1,2:\n", "line 4: has no label"),
        (HEAD + "1,2:3,4:a\n", "line 4: holds 2 dimensions, and by its header 1"),
        ("@univariate false\n@classLabel true a\n@data\n1,2:3,4:a\n1,2:a\n", "line 5: has 1 dimensions"),
        (
            "@univariate false\n@classLabel true a\n@data\n1,2:3,?,?:a\n",
            r"line 4: the dimensions have lengths \[2, 3\]",
        ),
        ("@timestamps true\n@univariate true\n@classLabel false\n@data\n1,2\n", "wanted pairs"),
        ("@timestamps true\n@univariate false\n@classLabel false\n@data\n(0,1):(1,1)\n", "different timestamps"),
        ("@timestamps true\n@univariate true\n@classLabel false\n@data\n(0,1),(0,2)\n", "must increase strictly"),
        (
            "@timestamps true\n@univariate true\n@classLabel false\n@data\n(noon,1)\n",
            "neither a number nor an ISO date",
        ),
        (REGRESSION + "1,2:high\n", "line 6: 'high' is not a number"),
        ("@univariate true\n@classLabel false\n@data\n1_0,2\n", "'1_0' is not a number"),
    ],
)
def test_a_ts_file_that_says_two_things_is_refused(write, text, message):
    with pytest.raises(DataFileError, match=message):
        load_collection(write("x.ts", text))


ARFF = "% c\n@relation two\n@attribute att1 numeric\n@attribute 'att 2' REAL\n@attribute target {1,-1}\n\n@data\n"


def test_arff_of_the_archives_is_read(write):
    X, y = load_labelled(write("u.arff", ARFF + "0.5,1.5,1\n2,?,-1\n"))
    assert ([x.tolist() for x in X], y.tolist()) == ([[0.5, 1.5], [2.0]], [1, -1])
    many = (
        "@relation m\n@attribute r relational\n@attribute t1 numeric\n@attribute t2 numeric\n@end r\n"
        "@attribute class {'a b',c}\n@data\n'1,2\\n3,4','a b'\n\"5,6\\n7,8\",c\n"
    )
    X, y = load_labelled(write("m.arff", many))
    assert (X.tolist(), y.tolist()) == ([[[1, 3], [2, 4]], [[5, 7], [6, 8]]], ["a b", "c"])


def test_arff_without_classes_has_no_labels_and_its_target_is_no_value(write):
    path = write(
        "r.arff", "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute target numeric\n@data\n1,2,9\n"
    )
    np.testing.assert_array_equal(load_collection(path), [[1, 2]])
    with pytest.raises(DataFileError, match="no class labels"):
        load_labelled(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ARFF.replace("@data\n", ""), "has no @data line"),
        (ARFF, "holds no series"),
        (ARFF + "1,2\n", "line 8: has 2 fields, and the header 3 attributes"),
        (ARFF + "1,x,1\n", "line 8: 'x' is not a number"),
        (ARFF.replace("numeric", "{p,q}") + "p,2,1\n", "at most one nominal attribute"),
        (ARFF.replace("@relation", "@relatoin"), "is no word of an .arff header"),
    ],
)
def test_an_arff_file_that_is_none_is_refused(write, text, message):
    with pytest.raises(DataFileError, match=message):
        load_labelled(write("x.arff", text))


def test_a_table_with_a_time_column_is_one_series_with_times(write):
    path = write("one.csv", "when,time,b\n1,2024-01-01,10\n2,2024-01-03,20\n")
    series = load_series(path)
    assert (series["values"].tolist(), series["times"].tolist()) == ([[1, 10], [2, 20]], [0.0, 172800.0])
    assert load_series(write("plain.csv", "a,b\n1,10\n2,20\n"))["values"].tolist() == [[1, 10], [2, 20]]


def test_a_table_of_instances_and_times_is_a_set(write):
    path = write("set.csv", "instance,time,value,label\nb,0,1,x\nb,2,3,x\na,0,5,y\na,1,6,y\na,5,7,y\n")
    X, y = load_labelled(path)
    assert [x.times.tolist() for x in X] == [[0, 2], [0, 1, 5]]
    assert ([x.values.ravel().tolist() for x in X], y.tolist()) == ([[1, 3], [5, 6, 7]], ["x", "y"])


@pytest.mark.parametrize("header", ["label,0,1,2", "class,t1,t2,t3"])
def test_a_table_with_a_label_column_and_counted_times_has_a_series_a_row(write, header):
    X, y = load_labelled(write("wide.csv", header + "\nup,1,2,3\ndown,4,5,\n"))
    assert ([x.tolist() for x in X], y.tolist()) == ([[1, 2, 3], [4, 5]], ["up", "down"])


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (load_series, "value,label\n1,0\n2,1\n", "'label' says that it holds a label"),
        (load_series, "instance,time,value\na,0,1\nb,0,1\n", "'instance' says that it holds several series"),
        (load_series, "time,timestamp,value\n0,0,1\n", "have one meaning"),
        (load_series, "time\n0\n1\n", "has no column of values"),
        (load_series, "a,a\n0,1\n", "two columns have the same name"),
        (load_series, "a,b\n0\n", "line 2: has 1 fields, and the header 2"),
        (load_series, "a,b\n", "only a header"),
        (load_collection, "time,value\n0,1\n1,2\n", "has no column 'instance' beside 'time'"),
        (load_collection, "a,b\n0,1\n1,2\n", "its rows may be series or times"),
        (load_labelled, "t0,t1\n0,1\n1,2\n", "no column is called label"),
        (load_labelled, "instance,time,value,label\na,0,1,x\na,1,2,y\n", "instance 'a' has several labels"),
    ],
)
def test_a_table_with_two_readings_is_refused(write, read, text, message):
    with pytest.raises(DataFileError, match=message):
        read(write("x.csv", text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("few.tsv", "1\t0.5\t0.25\n2\t1.5\t1.25\n"),
        ("few.csv", "1,5,6\n2,7,8\n"),
        ("few.txt", "1 5\n1 6\n2 7\n"),
        ("Gun_TRAIN.txt", "0.5 5\n1.5 6\n"),
        ("few.ts", HEAD + "1,2:a\n3,4:b\n"),
        ("few.arff", ARFF + "1,2,1\n3,4,-1\n"),
    ],
)
def test_a_labelled_file_is_no_single_series(write, name, text):
    with pytest.raises(DataFileError, match="wanted a single"):
        load_series(write(name, text))


def test_a_file_of_one_labelled_series_leaves_the_label_out(write):
    assert load_series(write("one.ts", HEAD + "1,2:a\n"))["values"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "01"],
        ["1", "1.0"],
        ["1000", "1e3"],
        ["9007199254740993", "9007199254740992"],
        ["9223372036854775808", "1"],
        ["nan", "inf"],
        ["1_0", "10"],
        ["1e400", "1"],
        ["9" * 400, "1"],
        ["9" * 5000, "9" * 4999 + "8"],
        ["0.1", "0.10"],
        ["a", "1"],
    ],
)
def test_labels_that_differ_in_a_file_differ_in_memory(write, labels):
    _, y = load_labelled(write("few.csv", "".join(f"{label},1,2\n" for label in labels)))
    assert len(set(y.tolist())) == 2
    assert [str(label) for label in y.tolist()] == labels


def test_labels_mean_the_same_in_both_files_of_a_split(write, tmp_path):
    train = write("a.csv", "1,1,2\n2,1,2\n")
    data = load_split(train, write("b.csv", "1,1,2\nother,1,2\n"))
    assert (data.y_train.tolist(), data.y_test.tolist()) == (["1", "2"], ["1", "other"])
    np.savez(tmp_path / "c.npz", X=np.ones((2, 2)), y=np.array([b"1", b"z"]))
    data = load_split(train, tmp_path / "c.npz")
    assert (data.y_train.tolist(), data.y_test.tolist()) == (["1", "2"], ["1", "z"])
    assert data.describe() == "a (2 train, 2 test, length 2, 3 classes)"
    np.savez(tmp_path / "d.npz", X_train=np.ones((1, 2)), y_train=[3], X_test=np.ones((1, 2)), y_test=["three"])
    assert (load_split(tmp_path / "d.npz").y_train != load_split(tmp_path / "d.npz").y_test).all()


@pytest.mark.parametrize("y", [np.array([1.0, np.nan]), np.array([1j, 2]), np.array([(1,), (2,)], dtype="i4,")])
def test_labels_of_an_archive_that_are_none_are_refused(tmp_path, y):
    np.savez(tmp_path / "few.npz", X=np.zeros((2, 3)), y=y)
    with pytest.raises(DataFileError, match="label"):
        load_labelled(tmp_path / "few.npz")


def claiming(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_a_file_that_claims_more_than_it_holds_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "x.npy").write_bytes(claiming((2**40, 2)))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", claiming((2**40, 2)))
    for read, name in ((load_array, "x.npy"), (load_collection, "x.npz")):
        with pytest.raises(DataFileError, match="claims 17592186044416 bytes"):
            read(tmp_path / name)


def test_an_archive_larger_than_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", X=np.zeros((1000, 1000)))
    monkeypatch.setattr("os.sysconf", lambda name: 1000)
    with pytest.raises(MemoryError, match="split the file"):
        load_collection(tmp_path / "x.npz")


@pytest.mark.parametrize("channels", [1, 2])
def test_files_that_aeon_writes_are_read(tmp_path, channels):
    aeon = pytest.importorskip("aeon.datasets")
    X = np.random.default_rng(0).standard_normal((3, channels, 5))
    wanted = X[:, 0] if channels == 1 else X.transpose(0, 2, 1)
    aeon.save_to_ts_file(
        X, np.array(["Up", "down", "Up"]), label_type="classification", path=tmp_path, problem_name="labelled"
    )
    aeon.save_to_ts_file(X, path=tmp_path, problem_name="plain")
    series, y = load_labelled(tmp_path / "labelled.ts")
    np.testing.assert_array_equal(series, wanted)
    assert y.tolist() == ["Up", "down", "Up"]
    np.testing.assert_array_equal(load_collection(tmp_path / "plain.ts"), wanted)


EQUAL = "@timeStamps false\n@univariate true\n@equalLength true\n@classLabel true a b\n@data\n"


@pytest.mark.parametrize("head", ["", "@seriesLength 3\n"])
def test_a_line_that_was_cut_off_is_told_by_the_header(write, head):
    whole = EQUAL.replace("@data", head + "@data")
    assert load_collection(write("whole.ts", whole + "1,2,3:a\n4,?,6:b\n")).shape == (2, 3)
    with pytest.raises(DataFileError, match=r"line \d: holds 2 times, and 3 are wanted.*@equalLength false"):
        load_collection(write("cut.ts", whole + "1,2,3:a\n4,5:b\n"))
    apart = load_collection(
        write("apart.ts", whole.replace("@equalLength true", "@equalLength false") + "1,2,3:a\n4:b\n")
    )
    assert [len(values) for values in apart] == [3, 1]


def test_a_header_may_tell_another_length_than_its_lines_have(write):
    with pytest.raises(DataFileError, match=r"line \d: holds 3 times, and 4 are wanted"):
        load_collection(write("t.ts", EQUAL.replace("@data", "@seriesLength 4\n@data") + "1,2,3:a\n"))
    with pytest.raises(DataFileError, match="@seriesLength must be followed by a positive number"):
        load_collection(write("t.ts", EQUAL.replace("@data", "@seriesLength many\n@data") + "1,2,3:a\n"))


def test_a_class_that_an_arff_file_does_not_declare_is_refused(write):
    head = "@relation r\n@attribute a1 numeric\n@attribute target {1, '2 b'}\n@data\n"
    assert load_labelled(write("t.arff", head + "5,1\n7,'2 b'\n"))[1].tolist() == ["1", "2 b"]
    with pytest.raises(DataFileError, match="line 5: the label '3' is none of those of target: 1, 2 b"):
        load_labelled(write("t.arff", head + "5,3\n"))


@pytest.mark.parametrize("text", ["1.5 0.1 0.2\n2.5 0.3 0.4\n", "0,1,2\n4,5,6\n"])
def test_a_first_column_that_may_be_values_is_not_left_out_without_a_word(write, text):
    path = write("few.txt", text)
    with pytest.warns(AxisWarning, match=r"first column is read as the label.*name the columns.*t0,t1"):
        assert np.shape(load_collection(path)) == (2, 2)
    assert np.shape(load_labelled(path)[0]) == (2, 2)  # who asks for labels has said where they are


@pytest.mark.parametrize("text", ["1 0.1 0.2\n2 0.3 0.4\n", "1,5,6\n1,7,8\n", "a,5,6\nb,7,8\n", "100,5,6\n200,7,8\n"])
def test_a_first_column_of_labels_is_left_out(write, text):
    assert np.shape(load_collection(write("few.txt", text))) == (2, 2)
    assert np.shape(load_collection(write("few_TRAIN.txt", "0,1,2\n4,5,6\n"))) == (2, 2)


def test_labels_in_an_array_are_not_taken_for_values_without_a_word(tmp_path):
    path = tmp_path / "few.npy"
    np.save(path, [[1.0, 0.25, 0.5], [2.0, 0.75, 0.5]])
    with pytest.warns(AxisWarning, match="if they are labels, load_labelled"):
        assert load_collection(path).shape == (2, 3)
    silent = [[0.0, 0.25, 0.5], [0.0, 0.75, 0.5]], [[1.0, 2.0], [3.0, 4.0]], [[0.5, 2.0], [3.0, 4.0]], np.ones((0, 3))
    for values in silent:
        np.save(path, values)
        assert load_collection(path).shape == np.shape(values)


@pytest.mark.parametrize(
    ("stamps", "seconds"),
    [
        (["2020-01-01T00:00:00+01:00", "2020-01-01T00:00:00Z"], 3600.0),
        (["2020-01-01 12:00-0530", "2020-01-01 18:30+01"], 0.0),
        (["2020-01-01T00:00:00.000000001", "2020-01-01T00:00:00.000000003"], 2e-9),
        (["2020-02-28", "2020-03-01"], 2 * 86400.0),
        (["2020-02-28T1030", "2020-02-28 103100"], 60.0),
        (["2020-02-28T10:30", "2020-02-28t10:30:00.000000001500"], 1e-9),
        (["1999", "2000-01"], 365 * 86400.0),
    ],
)
def test_dates_name_instants(write, stamps, seconds):
    text = "time,value\n" + "".join(f"{stamp},{k}\n" for k, stamp in enumerate(stamps))
    if seconds == 0.0:
        with pytest.raises(DataFileError, match="must increase strictly"):
            load_series(write("t.csv", text))
    else:
        assert load_series(write("t.csv", text))["times"].tolist() == [0.0, seconds]


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (["2020-01-01", "22020-01-01"], "'22020-01-01' is neither a number nor an ISO date"),
        (["2020-01-01", "999999-01-01"], "neither a number nor an ISO date"),
        (["2020-01-01", "today"], "'today' is neither"),
        (["1", "9" * 400], "float64 cannot keep"),
        (["1", "9" * 5000], "neither a number nor an ISO date"),
        (["2020-01-01", ""], "has no value|neither a number nor an ISO date"),
        (["2020-01-01", "2020-01-01T00:00:00Z020-`1-02"], "neither a number nor an ISO date"),
        (["2020-01-01", "2020-13-01"], "'2020-13-01' is no date"),
        (["2020-01-01T10", "2020-01-01T25"], "'2020-01-01T25' is no date"),
        (["1677-01-01", "2020-01-01T00:00:00.123456789"], "'1677-01-01' is too far from 1970"),
        (["2020-01-01T00:00:00.123456789", "2300-01-01"], "'2300-01-01' is too far from 1970"),
    ],
)
def test_no_date_is_wrapped_or_guessed(write, stamps, message):
    """NumPy reads the year 999999 as one long before Christ, and 'today' as a date."""
    with pytest.raises(DataFileError, match=message):
        load_series(write("t.csv", "time,value\n" + "".join(f"{stamp},{k}\n" for k, stamp in enumerate(stamps))))


def test_dates_with_and_without_a_time_zone_do_not_mix(write):
    with pytest.raises(DataFileError, match="only one of them names a time zone"):
        load_series(write("t.csv", "time,value\n2020-01-01T00:00:00Z,1\n2020-01-01T00:00:01,2\n"))


def test_whole_times_beyond_a_double_are_refused(write):
    with pytest.raises(DataFileError, match="int64 values that float64 cannot keep; subtract an offset"):
        load_series(write("t.csv", "time,value\n1600000000000000000,1\n1600000000000000001,2\n"))
