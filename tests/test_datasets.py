"""Reading series from files: what comes back, and what is refused and how."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics import as_series, datasets
from stotmetrics.datasets import (
    DataFileError,
    load_array,
    load_builtin,
    load_collection,
    load_labelled,
    load_series,
    load_split,
)

READERS = [load_labelled, load_collection, load_series]
SUFFIXES = [".npy", ".npz", ".ts", ".arff", ".csv", ".tsv"]

TS = """\
# a comment
@problemName Two
@timeStamps false
@univariate false
@classLabel true up down
@data
1,2,3:10,20,30:up
4,5,?:40,50,?:down
"""


@pytest.fixture
def write(tmp_path):
    def to(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return to


@pytest.mark.parametrize("separator", ["\t", ",", " ", "   ", ", "], ids=["tab", "comma", "space", "spaces", "both"])
def test_ucr_text_reads_the_same_whatever_separates_the_values(write, separator):
    lines = [["2", "0.5", "-1e-3", "4"], ["1", "1", "2", "3"]]
    X, y = load_labelled(write("few.txt", "\n".join(separator.join(line) for line in lines) + "\n\n"))
    np.testing.assert_array_equal(X, [[0.5, -1e-3, 4.0], [1.0, 2.0, 3.0]])
    assert y.tolist() == [2, 1]


@pytest.mark.parametrize("padding", ["", "\tNaN", "\tNaN\tnan", "\t?", "\t"])
def test_series_of_a_text_file_may_be_shorter_or_padded(write, padding):
    X, _ = load_labelled(write("few.tsv", f"1\t1\t2\t3\n2\t4\t5{padding}\n"))
    assert [x.tolist() for x in X] == [[1.0, 2.0, 3.0], [4.0, 5.0]]


def test_a_missing_value_inside_stays_missing_for_the_series_to_be_refused(write):
    X, _ = load_labelled(write("few.csv", "1,1,NaN,3\n"))
    with pytest.raises(ValueError, match="NaN"):
        as_series(X[0])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["1.0000000e+00", "-1"], [1, -1]), (["0.5", "1"], [0.5, 1.0]), (["walk", "1"], ["walk", "1"])],
)
def test_labels_are_whole_numbers_where_all_are_and_otherwise_as_written(write, labels, expected):
    _, y = load_labelled(write("few.csv", "".join(f"{label},1,2\n" for label in labels)))
    assert y.tolist() == expected


def test_ts_reads_dimensions_as_columns_with_padding_cut_off(write):
    X, y = load_labelled(write("two.ts", TS))
    assert [x.tolist() for x in X] == [[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]], [[4.0, 40.0], [5.0, 50.0]]]
    assert y.tolist() == ["up", "down"]


def test_ts_without_labels_is_a_collection_but_not_a_labelled_set(write):
    path = write("two.ts", "@classLabel false\n@data\n1,2,3\n4,5,6\n")
    np.testing.assert_array_equal(load_collection(path), [[1, 2, 3], [4, 5, 6]])
    with pytest.raises(DataFileError, match="no class labels"):
        load_labelled(path)


def test_npz_holds_both_parts_of_a_split(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"X_train": rng.normal(size=(3, 5, 2)), "X_test": rng.normal(size=(2, 5, 2))}
    labels = {"y_train": np.array(["a", "b", "a"]), "y_test": np.array(["b", "c"])}
    path = tmp_path / "Both.npz"
    np.savez(path, **arrays, **labels)
    data = load_split(path)
    np.testing.assert_array_equal(data.X_train, arrays["X_train"])
    np.testing.assert_array_equal(data.y_test, labels["y_test"])
    assert data.describe() == "Both (3 train, 2 test, length 5, 2 dimensions, 3 classes)"


def test_a_split_of_two_files_is_named_after_both(write):
    train, test = write("Gun_TRAIN.tsv", "1\t1\t2\n"), write("Gun_TEST.tsv", "1\t1\t2\t3\n2\t1\t2\n")
    assert load_split(train, test).describe() == "Gun (1 train, 2 test, length 2 to 3, 2 classes)"


def test_npy_of_labelled_series_has_the_label_first_and_of_a_collection_has_none(tmp_path):
    path = tmp_path / "few.npy"
    np.save(path, [[1.0, 5.0, 6.0], [2.0, 7.0, 8.0]])
    X, y = load_labelled(path)
    assert (X.tolist(), y.tolist()) == ([[5.0, 6.0], [7.0, 8.0]], [1, 2])
    assert load_collection(path).shape == (2, 3)


def test_a_collection_leaves_labels_out(write):
    np.testing.assert_array_equal(load_collection(write("few.csv", "1,5,6\n2,7,8\n")), [[5, 6], [7, 8]])


@pytest.mark.parametrize(("text", "shape"), [("1 2 3\n", (3,)), ("1\n2\n3\n", (3, 1)), ("1,2\n3,4\n5,6\n", (3, 2))])
def test_text_of_one_series_has_a_time_on_each_line_or_all_on_one(write, text, shape):
    assert load_series(write("one.txt", text))["values"].shape == shape


def test_one_series_of_an_npz_file_brings_its_times_and_weights(tmp_path):
    np.savez(tmp_path / "one.npz", values=[1.0, 2.0], times=[0.0, 3.0], weights=[0.25, 0.75])
    series = as_series(
        **{"x" if name == "values" else name: part for name, part in load_series(tmp_path / "one.npz").items()}
    )
    assert (series.times.tolist(), series.weights.tolist()) == ([0.0, 3.0], [0.25, 0.75])


def test_a_json_list_is_a_series():
    assert load_series(json.dumps([[1, 2], [3, 4]])) == {"values": [[1, 2], [3, 4]]}


def test_the_builtin_set_needs_nothing_and_has_every_published_digit():
    data = load_builtin()
    assert data.describe() == "JapaneseVowels (270 train, 370 test, length 7 to 29, 12 dimensions, 9 classes)"
    assert np.unique(data.y_train, return_counts=True)[1].tolist() == [30] * 9
    assert np.unique(data.y_test, return_counts=True)[1].tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert data.X_train[0][0, :3].tolist() == [1.860936, -0.207383, 0.261557]


def test_trace_comes_with_tslearn():
    pytest.importorskip("tslearn", reason="tslearn, which ships the set, is not installed (extra tslearn)")
    data = load_builtin("Trace")
    assert data.describe() == "Trace (100 train, 100 test, length 275, 4 classes)"
    assert np.isfinite(data.X_train).all()


def test_another_builtin_name_is_refused_with_those_there_are():
    with pytest.raises(DataFileError, match="name must be 'JapaneseVowels' or 'Trace'; got 'Iris'"):
        load_builtin("Iris")


@pytest.mark.parametrize(
    ("read", "name", "text", "message"),
    [
        (load_labelled, "few.csv", "1,2,x\n", "line 1: 'x' is not a number"),
        (load_labelled, "few.csv", "1,2\n3\n", "line 2: wanted a label and then the values"),
        (load_labelled, "few.csv", "\n# nothing\n", "holds no series"),
        (load_labelled, "few.ts", "@classLabel true a\n1,2:a\n", "has no @data line"),
        (load_labelled, "few.ts", "@classLabel true a\n@data\n", "holds no series"),
        (load_labelled, "few.ts", "@timestamps true\n@data\n(0,1):a\n", "the header must say @classLabel true"),
        (load_labelled, "few.ts", "@classLabel true a\n@data\n1,2:3:a\n", r"lengths \[2, 1\]"),
        (load_labelled, "few.npz", "no archive", "not an .npz file of plain arrays"),
        (load_array, "few.npy", "no array", "not an .npy file of a plain array"),
        (load_series, "one.txt", "1 2\n3\n", "equally many values on every line"),
        (load_split, "few.csv", "1,2\n", "name the test file"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_by_name(write, read, name, text, message):
    path = write(name, text)
    with pytest.raises(DataFileError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((2, 3))}, "has no array y; it holds X"),
        ({"X": np.zeros((2, 3)), "y": np.zeros(3)}, r"got shapes \(2, 3\) and \(3,\)"),
        ({"X": np.zeros(3), "y": np.zeros(3)}, r"got shapes \(3,\) and \(3,\)"),
        ({"X": np.array([None, 1]), "y": np.zeros(2)}, "plain arrays"),
    ],
)
def test_an_archive_without_the_arrays_is_refused_by_name(tmp_path, arrays, message):
    np.savez(tmp_path / "few.npz", **arrays)
    with pytest.raises(DataFileError, match=message):
        load_labelled(tmp_path / "few.npz")


@pytest.mark.parametrize("read", [*READERS, load_split])
def test_an_archive_of_nothing_is_refused_by_name(tmp_path, read):
    np.savez(tmp_path / "few.npz")
    with pytest.raises(DataFileError, match=r"few\.npz: .*it holds nothing"):
        read(tmp_path / "few.npz")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "few.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataFileError, match="not a text file"):
        load_labelled(tmp_path / "few.txt")


def test_lists_that_are_no_json_are_refused():
    with pytest.raises(DataFileError, match="not a JSON list"):
        load_series("[1, 2")


@given(st.binary(max_size=200), st.sampled_from(SUFFIXES), st.sampled_from(READERS))
def test_bytes_of_any_kind_are_series_or_an_error_that_names_the_file(tmp_path_factory, content, suffix, reader):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    told = path.name
    try:
        reader(path)
    except DataFileError as error:
        told = str(error)
    assert path.name in told


@pytest.mark.parametrize(
    "header", ["{'descr': ({)}", " {'descr': '<f8',\n  'fortran_order': False, 'shape': (1,)}", "{(", "'"]
)
def test_a_broken_header_of_an_array_is_told(tmp_path, header):
    padded = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded)
    with pytest.raises(DataFileError, match=r"x\.npy: not an \.npy file"):
        load_collection(path)


def test_an_archive_under_the_name_of_an_array_is_closed_and_told(tmp_path):
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.savez(file, X=np.ones((2, 3)))
    with pytest.raises(DataFileError, match=r"this is an \.npz file; name it so"):
        load_collection(path)


def test_an_archive_that_unpacks_a_hundredfold_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, X=np.zeros((1000, 1000)))
    assert load_collection(path).shape == (1000, 1000)
    monkeypatch.setattr(datasets, "_BOMB", 2**20)
    with pytest.raises(DataFileError, match="as those of a zip bomb do"):
        load_collection(path)


def test_an_arff_file_with_nothing_but_classes_is_told(tmp_path):
    path = tmp_path / "x.arff"
    path.write_text("@relation r\n@attribute class {a,b}\n@data\na\n")
    with pytest.raises(DataFileError, match="has no attribute of values beside the class"):
        load_labelled(path)
