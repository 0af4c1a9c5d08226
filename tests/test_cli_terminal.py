"""Whatever the terminal, the disk or the pipe does, a command ends with at most one line and a status."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import stotmetrics
from stotmetrics import MetricSpec, cli

COMMAND = [sys.executable, "-m", "stotmetrics"]


def ends(*arguments, out=subprocess.PIPE, **how):
    return subprocess.run([*COMMAND, *map(str, arguments)], stdout=out, stderr=subprocess.PIPE, check=False, **how)


def is_one_line(text, start=b"stotmetrics: "):
    return text.count(b"\n") == 1 and text.startswith(start)


@pytest.mark.parametrize("module", ["stotmetrics", "stotmetrics.cli"])
def test_the_package_runs_as_a_module(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"stotmetrics {stotmetrics.__version__}\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full disk to offer")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["dist", "[1]", "[2]"], ["show", "dtw"]])
def test_a_full_disk_is_said_once(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = ends(*arguments, out=full)
    assert done.returncode == 2
    assert done.stderr == b"stotmetrics: error: cannot use standard output: No space left on device\n"


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["dist", "[1]", "[2]"]])
def test_a_closed_pipe_ends_in_silence(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = ends(*arguments, out=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_a_standard_output_a_command_still_ends_well():
    done = subprocess.run(f"'{sys.executable}' -m stotmetrics list >&-", shell=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_the_encoding_cannot_say_is_escaped(tmp_path):
    train = tmp_path / "train.csv"
    train.write_text("été,0,0\nhiver,9,9\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = ends("classify", train, train, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\xe9t\xe9" in done.stdout


def test_a_name_that_is_not_text_is_escaped():
    done = ends("dist", "[1]", os.fsdecode(b"\xff.npy"))
    assert done.returncode == 2
    assert is_one_line(done.stderr, b"stotmetrics: error: cannot use \\udcff.npy")


@pytest.fixture
def failing(request):
    def fail(x, y, params):
        raise request.param

    stotmetrics.register(MetricSpec("failing", fail))
    yield
    stotmetrics.unregister("failing")


@pytest.mark.parametrize(
    ("failing", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (MemoryError(), 2, "error: not enough memory: failing() needs more memory than there is"),
        (OSError(28, "No space left on device", "D.npy"), 2, "error: cannot use D.npy: No space left on device\n"),
        (RuntimeError("one\ntwo"), 70, "internal error: RuntimeError: one two (test_cli_terminal.py, line "),
    ],
    indirect=["failing"],
)
def test_whatever_is_raised_is_one_line_and_a_status(failing, status, said, capsys):
    assert cli.main(["dist", "[1]", "[2]", "--metric", "failing"]) == status
    told = capsys.readouterr().err
    assert told.startswith(f"stotmetrics: {said}")
    assert told.count("\n") == 1


@pytest.mark.parametrize("failing", [RuntimeError("why")], indirect=True)
def test_the_traceback_of_a_fault_is_there_for_those_who_ask(failing, monkeypatch, capsys):
    monkeypatch.setenv("STOTMETRICS_TRACEBACK", "1")
    assert cli.main(["dist", "[1]", "[2]", "--metric", "failing"]) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.fixture
def slow():
    def wait(x, y, params):
        time.sleep(0.4)
        return 1.0

    stotmetrics.register(MetricSpec("slow", wait))
    yield
    stotmetrics.unregister("slow")


def test_progress_is_shown_where_it_is_asked_for_of_what_takes_longer_than_a_second(slow, tmp_path, capsys):
    np.save(tmp_path / "X.npy", np.zeros((2, 3)))
    command = ["matrix", str(tmp_path / "X.npy"), "--metric", "slow", "--n-jobs", "1"]
    assert cli.main([*command, "--progress"]) == 0
    shown = capsys.readouterr()
    assert "slow" in shown.err and "/4.00" in shown.err
    assert shown.out == "1.0,1.0\n1.0,1.0\n"
    assert cli.main(command) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["dist", "[1]", "[2]", "--metric", "slow", "--progress"]) == 0
    assert capsys.readouterr().err == ""


def test_ctrl_c_ends_a_command_inside_one_long_pair(tmp_path):
    x, y = np.random.default_rng(0).standard_normal((2, 60000))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    command = [*COMMAND, "dist", str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), "--metric", "tiot"]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(4)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    start = time.perf_counter()
    out, told = child.communicate(timeout=60)
    assert (child.returncode, out, told) == (130, b"", b"stotmetrics: interrupted\n")
    # Two seconds is what is promised, minutes what the pair takes; the rest is for a busy machine.
    assert time.perf_counter() - start < 20
