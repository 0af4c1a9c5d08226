"""Matrices between two sets, and as comma-separated values."""

import io

import numpy as np
import pytest

import stotmetrics
from stotmetrics import cli


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(5)
    for name, n in (("X", 4), ("Y", 3)):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(n, 6)))
    return tmp_path


def expected(files, *names):
    return stotmetrics.pairwise(*(np.load(files / f"{name}.npy") for name in names), metric="dtw")


def test_a_matrix_between_two_sets_has_a_row_for_each_of_the_first(files, capsys):
    assert run("matrix", files / "X.npy", files / "Y.npy", "--metric", "dtw", "--out", files / "D.npy") == 0
    np.testing.assert_array_equal(np.load(files / "D.npy"), expected(files, "X", "Y"))
    assert "4 x 3 distances, dtw(" in capsys.readouterr().out


@pytest.mark.parametrize("out", [(), ("--out", "-")])
def test_without_a_file_the_matrix_goes_to_the_output_and_nothing_else(files, capsys, out):
    assert run("matrix", files / "X.npy", files / "Y.npy", "--metric", "dtw", *out) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    np.testing.assert_array_equal(np.loadtxt(io.StringIO(captured.out), delimiter=","), expected(files, "X", "Y"))


def test_a_csv_file_keeps_every_digit(files, capsys):
    assert run("matrix", files / "X.npy", "--metric", "dtw", "--out", files / "D.csv") == 0
    np.testing.assert_array_equal(np.loadtxt(files / "D.csv", delimiter=","), expected(files, "X"))
    assert "4 x 4 distances, dtw(" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("out", "message"), [("D.txt", "--out must end in .npy, .zarr or .csv"), ("no/D.csv", "no folder")]
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(files, monkeypatch, capsys, out, message):
    monkeypatch.chdir(files)
    monkeypatch.setattr("stotmetrics.api.pairwise", lambda *args, **how: pytest.fail("it was computed"))
    assert run("matrix", "X.npy", "--metric", "dtw", "--out", out) == 2
    assert message in capsys.readouterr().err


def test_overwrite_starts_a_matrix_anew(files, capsys):
    command = ("matrix", files / "X.npy", "--metric", "dtw", "--out", files / "D.npy")
    np.save(files / "D.npy", np.zeros(3))
    assert run(*command) == 2
    assert "D.npy" in capsys.readouterr().err
    assert run(*command, "--overwrite") == 0
    np.testing.assert_array_equal(np.load(files / "D.npy"), expected(files, "X"))


def test_a_matrix_that_was_interrupted_says_how_it_goes_on(files, capsys):
    done = []

    def stop(x, y, params):
        done.append(1)
        if len(done) > 700:  # past the first tile
            raise KeyboardInterrupt
        return 1.0

    X = np.zeros((40, 3))
    np.save(files / "Z.npy", X)
    stotmetrics.register(stotmetrics.MetricSpec("stop", stop))
    try:
        assert run("matrix", files / "Z.npy", "--metric", "stop", "--n-jobs", "1", "--out", files / "D.npy") == 130
    finally:
        stotmetrics.unregister("stop")
    told = capsys.readouterr().err
    assert told == (
        f"stotmetrics: interrupted - what is done is in {files / 'D.npy'}, and the same command goes on from there\n"
    )


def test_condensed_and_dtype_are_those_of_pairwise(files, capsys):
    out = files / "D.npy"
    assert run("matrix", files / "X.npy", "--metric", "dtw", "--out", out, "--condensed", "--dtype", "float32") == 0
    D = np.load(out)
    assert D.dtype == np.float32
    np.testing.assert_array_equal(D, expected(files, "X")[np.triu_indices(4, 1)].astype(np.float32))
    assert "D.npy: 6 distances, dtw(" in capsys.readouterr().out


def test_memory_beyond_what_is_allowed_is_refused(files, capsys):
    assert run("matrix", files / "X.npy", "--max-memory", "100 B") == 2
    assert "max_memory is 100 bytes, and this takes 320 bytes" in capsys.readouterr().err
    assert run("matrix", files / "X.npy", "--max-memory", "nothing") == 2
    assert "max_memory must be" in capsys.readouterr().err


def test_shards_are_merged_to_the_matrix(files, capsys):
    np.save(files / "Z.npy", np.random.default_rng(1).normal(size=(60, 5)))
    for k in (1, 2, 3):
        assert run("matrix", files / "Z.npy", "--metric", "dtw", "--out", files / "D.npy", "--shard", f"{k}/3") == 0
        assert f"D.shard-{k}-of-3.npy: " in capsys.readouterr().out
        if k == 2:
            assert run("matrix", "--merge", "--out", files / "D.npy") == 2
            assert "of 3 shards of" in capsys.readouterr().err
    assert run("matrix", "--merge", "--out", files / "D.npy") == 0
    assert "D.npy: 60 x 60 distances" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load(files / "D.npy"), expected(files, "Z"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("X.npy", "--out", "D.csv", "--condensed"), "--condensed is for a matrix on disk; pass --out D.npy"),
        (("X.npy", "--dtype", "float32"), "--dtype is for a matrix on disk"),
        (("X.npy", "--shard", "1/2"), "--shard is for a matrix on disk"),
        (("--merge",), "--merge is for a matrix on disk"),
        (("X.npy", "--merge", "--out", "D.npy"), "--merge takes --out alone"),
        (("--out", "D.npy"), "TRAIN is missing"),
        (("--merge", "--out", "D.npy"), "there are no shards of"),
        (("X.npy", "--shard", "3/2", "--out", "D.npy"), "must be K/N, such as 3/16"),
        (("X.npy", "--shard", "3", "--out", "D.npy"), "must be K/N, such as 3/16"),
    ],
)
def test_what_does_not_go_together_is_refused(files, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(files)
    try:
        status = run("matrix", *arguments)
    except SystemExit as error:  # argparse has said its word
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in files.iterdir()) == ["X.npy", "Y.npy"]


def test_a_shard_that_was_interrupted_says_how_it_goes_on(files, capsys):
    def stop(x, y, params):
        if x.values[0, 0] > 30:
            raise KeyboardInterrupt
        return 1.0

    np.save(files / "Z.npy", np.arange(60.0)[:, None])
    stotmetrics.register(stotmetrics.MetricSpec("stop", stop))
    command = ("matrix", files / "Z.npy", "--metric", "stop", "--n-jobs", "1", "--out", files / "D.npy")
    try:
        assert run(*command, "--shard", "1/1") == 130
    finally:
        stotmetrics.unregister("stop")
    assert f"what is done is in {files / 'D.shard-1-of-1.npy'}" in capsys.readouterr().err


def test_shards_fill_one_zarr_store(files, capsys):
    zarr = pytest.importorskip("zarr", reason="the extra zarr is not installed")
    for k in (1, 2):
        assert run("matrix", files / "X.npy", "--metric", "dtw", "--out", files / "D.zarr", "--shard", f"{k}/2") == 0
        assert f"D.zarr: 4 x 4 distances, entries of shard {k} of 2" in capsys.readouterr().out
    assert run("matrix", "--merge", "--out", files / "D.zarr") == 0
    assert "D.zarr: 4 x 4 distances" in capsys.readouterr().out
    np.testing.assert_array_equal(zarr.open_array(files / "D.zarr", mode="r")[:], expected(files, "X"))


def test_a_zarr_store_is_written_too(files, capsys):
    zarr = pytest.importorskip("zarr", reason="the extra zarr is not installed")
    assert run("matrix", files / "X.npy", "--metric", "dtw", "--out", files / "D.zarr") == 0
    np.testing.assert_array_equal(zarr.open_array(files / "D.zarr", mode="r")[:], expected(files, "X"))
    assert run("matrix", files / "X.npy", "--metric", "dtw", "--out", files / "D.zarr") == 0
    assert "4 x 4 distances" in capsys.readouterr().out
