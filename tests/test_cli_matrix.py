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


@pytest.mark.parametrize(("out", "message"), [("D.txt", "--out must end in .npy or .csv"), ("no/D.csv", "no folder")])
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
