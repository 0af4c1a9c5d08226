"""The command line: what each command prints and writes, and how it fails."""

import csv
import json
import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import stotmetrics
from stotmetrics import MetricSpec, Traits, cli, parameter


@dataclass(frozen=True)
class Parameters:
    power: float = parameter(2.0, doc="exponent of the difference", low=1.0)
    mode: str = parameter("sum", doc="how differences are joined", choices=("sum", "max"))


def gap(x, y, params):
    differences = np.abs(x.values - y.values) ** params.power
    return float(differences.sum() if params.mode == "sum" else differences.max())


@pytest.fixture(autouse=True)
def metric():
    spec = MetricSpec(
        "ruler",
        gap,
        Parameters,
        Traits(symmetric=True, zero_self=True, nonnegative=True),
        summary="Differences time by time.",
        citation="Euclid, Elements.",
    )
    stotmetrics.register(spec, replace=True)
    yield spec
    stotmetrics.unregister("ruler")


@pytest.fixture
def labelled(tmp_path):
    rng = np.random.default_rng(7)
    y_train, y_test = np.arange(12) % 3, np.arange(9) % 3
    X_train, X_test = (rng.normal(size=(len(y), 6)) + y[:, None] for y in (y_train, y_test))
    path = tmp_path / "Three.npz"
    np.savez(path, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)
    return path


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("k", [1, 3])
def test_classify_agrees_with_the_nearest_neighbours_of_scikit_learn(labelled, tmp_path, capsys, k):
    out = tmp_path / "outcome.json"
    assert run("classify", labelled, "--metric", "ruler", "--k", k, "--no-progress", "--out", out) == 0
    data = np.load(labelled)
    peer = KNeighborsClassifier(k, metric="sqeuclidean", algorithm="brute").fit(data["X_train"], data["y_train"])
    expected = peer.predict(data["X_test"])
    outcome = json.loads(out.read_text())
    assert outcome["predicted"] == expected.tolist()
    assert outcome["true"] == data["y_test"].tolist()
    assert outcome["error_rate"] == np.mean(expected != data["y_test"])
    assert (outcome["metric"], outcome["params"]) == ("ruler", {"power": 2.0, "mode": "sum"})
    printed = capsys.readouterr().out
    assert "Three (12 train, 9 test, length 6, 3 classes)" in printed
    assert f"error rate  {outcome['error_rate']:.4f}" in printed


def test_classify_runs_on_real_series_without_files(capsys):
    def means(x, y):
        return float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)))

    stotmetrics.register(means, name="means")
    try:
        assert run("classify", "--metric", "means", "--no-progress") == 0
    finally:
        stotmetrics.unregister("means")
    printed = capsys.readouterr().out
    assert "JapaneseVowels (270 train, 370 test, length 7 to 29, 12 dimensions, 9 classes)" in printed
    data = stotmetrics.datasets.load_builtin()
    train, test = (np.array([x.mean(axis=0) for x in part]) for part in (data.X_train, data.X_test))
    peer = KNeighborsClassifier(1, algorithm="brute").fit(train, data.y_train)
    assert f"error rate  {1 - peer.score(test, data.y_test):.4f} (" in printed


def test_classify_reads_two_files_and_writes_predictions_as_csv(tmp_path, capsys):
    train, test, out = (tmp_path / name for name in ("A_TRAIN.tsv", "A_TEST.tsv", "outcome.csv"))
    train.write_text("1\t0\t0\n2\t9\t9\n")
    test.write_text("1\t1\t0\n2\t8\t9\n2\t0\t1\n")
    assert run("classify", train, test, "--metric", "ruler", "--no-progress", "--out", out) == 0
    assert list(csv.reader(out.read_text().splitlines())) == [["true", "predicted"], ["1", "1"], ["2", "2"], ["2", "1"]]
    assert capsys.readouterr().out.splitlines()[-3:] == ["   1  2", "1  1  0", "2  1  1"]


def test_parameters_reach_the_metric(capsys):
    for given, expected in (("power=1", "3.0"), ("power=2.0", "5.0"), ("mode=max", "4.0")):
        assert run("dist", "[0, 0]", "[1, 2]", "--metric", "ruler", "--param", given) == 0
        assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1e-3", 1e-3),
        ("-inf", -np.inf),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("median", "median"),
        ("'1'", "1"),
    ],
)
def test_parameter_values_are_literals_or_json_or_words(text, value):
    assert cli.parse_value(text) == value


def test_a_parameter_may_be_an_array_in_a_file(tmp_path):
    np.save(tmp_path / "ground.npy", np.eye(2))
    np.testing.assert_array_equal(cli.parse_value(f"@{tmp_path / 'ground.npy'}"), np.eye(2))


def test_matrix_equals_pairwise(tmp_path, capsys):
    X = np.random.default_rng(3).normal(size=(5, 4))
    np.save(tmp_path / "X.npy", X)
    assert run("matrix", tmp_path / "X.npy", "--metric", "ruler", "--no-progress", "--out", tmp_path / "D.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "D.npy"), stotmetrics.pairwise(X, metric="ruler"))
    assert "5 x 5 distances, ruler(power=2.0, mode='sum')" in capsys.readouterr().out


def test_list_names_every_metric_with_what_provides_it(capsys):
    assert run("list") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == set(stotmetrics.list_metrics())
    assert re.split(" {2,}", lines["ruler"]) == ["ruler", "this session", "Differences time by time."]


def test_show_tells_parameters_ranges_traits_and_source(capsys):
    assert run("show", "ruler", "--param", "power=3") == 0
    printed = capsys.readouterr().out
    for words in ("= 3.0", "a number >= 1", "'sum' or 'max'", "exponent of the difference", "Euclid, Elements."):
        assert words in printed
    claims = dict(line.split() for line in printed.split("traits\n")[1].split("\n\n")[0].splitlines())
    assert (claims["symmetric"], claims["triangle"], claims["min_length"]) == ("yes", "no", "1")


@pytest.mark.parametrize(("kept", "status"), [(True, 0), (False, 1)])
def test_check_ends_with_the_verdict_of_the_report(monkeypatch, kept, status):
    asked = []

    def report(target, **how):
        asked.append((target, how))
        return kept

    monkeypatch.setattr("stotmetrics.testing.report", report)
    how = ("--seed", 7, "--max-examples", 5, "--max-length", 9)
    assert run("check", "ruler", "--param", "power=3", *how) == status
    assert asked == [("ruler", {"params": {"power": 3}, "max_examples": 5, "max_length": 9, "seed": 7})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "absent.npz", "--metric", "ruler"], "cannot use absent.npz: No such file or directory"),
        (["classify", "absent.csv", "--metric", "ruler"], "name the test file"),
        (["classify", "--metric", "rular"], "'ruler'"),
        (["classify", "--metric", "ruler", "--param", "power=0.5"], "power must be a number >= 1; got 0.5"),
        (["classify", "--metric", "ruler", "--param", "pover=2"], "no parameter 'pover'"),
        (["classify", "--metric", "ruler", "--param", "power"], "--param must be name=value"),
        (["classify", "--metric", "ruler", "--param", "power=@absent.npy"], "cannot use absent.npy"),
        (["classify", "--metric", "ruler", "--k", "271"], "--k 271"),
        (["classify", "--metric", "ruler", "--n-jobs", "0"], "n_jobs must be"),
        (["classify", "--out", "outcome.xls"], "--out must end in .json or .csv"),
        (["classify", "--out", "absent/outcome.json"], "there is no folder absent"),
        (["matrix", "absent.npy", "--out", "D.txt"], "--out must end in .npy"),
        (["dist", "[1, NaN, 2]", "[1]", "--metric", "ruler"], "A must be finite"),
        (["dist", "[1]", "[]", "--metric", "ruler"], "B"),
        (["dist", "[1, 2]", "[1]", "--metric", "ruler"], "length"),
        (["show", "nothing"], "no metric is called 'nothing'"),
        (["check", "nothing"], "no metric is called 'nothing'"),
        (["check", "absent_package:SPEC"], "absent_package:SPEC cannot be loaded"),
        (["check", "ruler", "--param", "pover=2"], "no parameter 'pover'"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_two(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("stotmetrics: error: ")
    assert message in captured.err


@pytest.mark.parametrize("arguments", [[], ["classify", "--k", "0"], ["nonsense"]])
def test_arguments_that_make_no_command_are_status_two(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err


def test_a_metric_that_did_not_converge_says_so_in_one_line(capsys):
    def never(x, y, params):
        return stotmetrics.Result(1.0, converged=False, n_iter=3, gap=0.5)

    stotmetrics.register(MetricSpec("never", never))
    try:
        assert run("dist", "[1]", "[2]", "--metric", "never") == 0
    finally:
        stotmetrics.unregister("never")
    captured = capsys.readouterr()
    assert captured.out == "1.0\n"
    assert captured.err.startswith("stotmetrics: warning: never did not converge")
    assert captured.err.count("\n") == 1


def test_the_command_itself_fails_without_a_traceback():
    command = [sys.executable, "-m", "stotmetrics.cli", "show", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stotmetrics: error: no metric is called 'nothing'")
    assert done.stderr.count("\n") == 1
