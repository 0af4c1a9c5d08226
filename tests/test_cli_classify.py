"""Classification by leave-one-out and on a grid, and labels that do not meet."""

import json

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import stotmetrics
from stotmetrics import cli
from stotmetrics.cli.voting import confusion_lines, of_one_kind, without_self


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def drawn(tmp_path):
    rng = np.random.default_rng(11)
    y = np.arange(30) % 3
    X = rng.normal(size=(30, 8)) + 0.7 * y[:, None]
    for name, part in (("train", slice(0, 20)), ("test", slice(20, 30))):
        np.savez(tmp_path / f"{name}.npz", X=X[part], y=y[part])
    return tmp_path, X[:20], y[:20]


def peers(X, y, k, **params):
    D = stotmetrics.pairwise(X, metric="softdtw", **params)
    D -= D.min()
    peer = KNeighborsClassifier(k, metric="precomputed")
    return cross_val_predict(peer, D, y, cv=LeaveOneOut())


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
def test_leave_one_out_needs_no_test_set_and_agrees_with_scikit_learn(drawn, capsys, k, gamma):
    folder, X, y = drawn
    out = folder / "outcome.json"
    how = ("--metric", "softdtw", "--param", f"gamma={gamma}", "--k", k, "--out", out)
    assert run("classify", folder / "train.npz", "--leave-one-out", *how) == 0
    outcome = json.loads(out.read_text())
    expected = peers(X, y, k, gamma=gamma)
    assert outcome["predicted"] == expected.tolist()
    assert outcome["evaluation"] == "leave-one-out"
    wrong = int((expected != y).sum())
    assert f"error rate  {wrong / 20:.4f} ({wrong} of 20 wrong), each by the others" in capsys.readouterr().out


def test_with_a_test_set_leave_one_out_is_told_besides(drawn, capsys):
    folder, X, y = drawn
    assert run("classify", folder / "train.npz", folder / "test.npz", "--leave-one-out", "--metric", "softdtw") == 0
    wrong = int((peers(X, y, 1, gamma=1.0) != y).sum())
    printed = capsys.readouterr().out
    assert f"left out    {wrong / 20:.4f} ({wrong} of 20 wrong) among the training series" in printed
    assert " of 10 wrong)" in printed


def test_the_grid_takes_the_value_with_the_fewest_errors_on_the_training_set(drawn, capsys):
    folder, X, y = drawn
    values = (0.01, 100.0, 0.02)
    errors = [float((peers(X, y, 1, gamma=gamma) != y).mean()) for gamma in values]
    assert errors[0] > min(errors)
    out = folder / "outcome.json"
    files = (folder / "train.npz", folder / "test.npz")
    assert run("classify", *files, "--metric", "softdtw", "--grid", "gamma=0.01,100.0,0.02", "--out", out) == 0
    outcome = json.loads(out.read_text())
    tried = [{"params": {"gamma": gamma}, "error_rate": error} for gamma, error in zip(values, errors, strict=True)]
    assert outcome["grid"] == tried
    best = values[int(np.argmin(errors))]
    assert outcome["params"]["gamma"] == best
    train, test = (np.load(file) for file in files)
    nearest = stotmetrics.kneighbors(train["X"], test["X"], metric="softdtw", gamma=best).indices[:, 0]
    assert outcome["predicted"] == train["y"][nearest].tolist()
    assert f"gamma=0.01   {errors[0]:.4f} ({round(20 * errors[0])} of 20 wrong)" in capsys.readouterr().out


def test_the_grid_tries_all_combinations(drawn):
    folder, *_ = drawn
    out = folder / "outcome.json"
    grid = ("--grid", "gamma=0.1,1", "--grid", "band=None,2")
    assert run("classify", folder / "train.npz", "--leave-one-out", "--metric", "softdtw", *grid, "--out", out) == 0
    tried = [trial["params"] for trial in json.loads(out.read_text())["grid"]]
    assert tried == [{"gamma": g, "band": b} for g in (0.1, 1) for b in (None, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "gamma=1,2", "--param", "gamma=1"], "--grid gives gamma, which is given already"),
        (["--param", "gamma=1", "--param", "gamma=2"], "--param gives gamma twice"),
        (["--grid", "gamma=1,-1"], "gamma must be a number >= 0"),
        (["--grid", "gamma="], "--grid must be name=value"),
        (["--param", "gamma=inf"], "gamma must be"),
        (["--k", "20", "--leave-one-out"], "--k 20 neighbours are more than the 19 other training series"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_the_work(drawn, capsys, arguments, message):
    folder, *_ = drawn
    files = (folder / "train.npz", folder / "test.npz")
    assert run("classify", *files, "--metric", "softdtw", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def labelled(path, labels):
    path.write_text("".join(f"{label},{k},{k}\n" for k, label in enumerate(labels)))
    return path


def test_labels_that_do_not_meet_at_all_are_an_error(tmp_path, capsys):
    files = labelled(tmp_path / "a.csv", [1, 2]), labelled(tmp_path / "b.csv", ["walk", "run"])
    assert run("classify", *files) == 2
    told = capsys.readouterr().err
    assert "no label of the test set occurs in the training set: 'run', 'walk' against '1', '2'" in told
    assert told.count("\n") == 1


def test_labels_that_meet_in_part_are_a_warning(tmp_path, capsys):
    files = labelled(tmp_path / "a.csv", [1, 2]), labelled(tmp_path / "b.csv", [1, 3, 3])
    assert run("classify", *files) == 0
    told = capsys.readouterr().err
    assert "warning: no training series has the label 3: 2 of the 3 test series cannot be classified right" in told
    assert told.count("\n") == 1


def test_numbers_and_words_among_the_labels_meet_as_text(tmp_path, capsys):
    files = labelled(tmp_path / "a.csv", [1, 2]), labelled(tmp_path / "b.csv", [1, "rest"])
    assert run("classify", *files) == 0
    captured = capsys.readouterr()
    assert "no training series has the label 'rest'" in captured.err
    assert "error rate  0.5000 (1 of 2 wrong)" in captured.out


def test_labels_of_one_kind_stay_what_they_are():
    numbers, bytes_, words = np.array([1, 2]), np.array([b"a"]), np.array(["a"])
    assert of_one_kind(numbers, np.array([0.5]))[0] is numbers
    assert [part.tolist() for part in of_one_kind(bytes_, words)] == [["a"], ["a"]]
    assert of_one_kind(np.array([1, None, "x"], dtype=object))[0].tolist() == ["1", "None", "x"]


def test_an_infinite_parameter_is_json_that_every_reader_reads(tmp_path):
    data = tmp_path / "few.npz"
    np.savez(data, X=np.abs(np.random.default_rng(0).normal(size=(4, 3, 2))), y=[0, 1, 0, 1])
    out = tmp_path / "outcome.json"
    ground = tmp_path / "ground.npy"
    np.save(ground, 1.0 - np.eye(2))
    how = ("--metric", "sta", "--param", "rho=inf", "--param", f"ground=@{ground}")
    np.savez(data, X=np.full((4, 3, 2), 0.5) + np.array([[0.1, -0.1]]) * np.arange(4)[:, None, None], y=[0, 1, 0, 1])
    assert run("classify", data, "--leave-one-out", *how, "--out", out) == 0

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(out.read_text(), parse_constant=refuse)["params"]["rho"] == "inf"


def test_without_self_keeps_the_others_in_order():
    nearest = np.array([[1, 0, 2], [1, 2, 0], [0, 1, 3], [3, 0, 1]])
    assert without_self(nearest).tolist() == [[1, 2], [2, 0], [0, 1], [0, 1]]


def test_the_confusion_counts_fractional_labels_and_leaves_out_endless_tables():
    lines = confusion_lines(np.array([0.5, 1.5]), np.array([1.5, 1.5]))
    assert [line.split() for line in lines] == [["0.5", "1.5"], ["0.5", "0", "1"], ["1.5", "0", "1"]]
    many = np.arange(31)
    assert confusion_lines(many, many) == ["31 classes are too many for a table; --out keeps what was predicted"]
