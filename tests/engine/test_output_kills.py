"""A run that is killed at random moments, again and again, ends with the bytes of one that was left alone."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from stotmetrics import pairwise

KILLS = int(os.environ.get("STOTMETRICS_KILLS", 10 if os.environ.get("CI") else 50))
N = 240
SIDE = 24
N_PAIRS, TILES = N * (N - 1) // 2, (N // SIDE) * (N // SIDE + 1) // 2

# A server that forks runs: an interpreter and its imports take longer than the work that is to be interrupted.
RUNS = """
    import os, sys, time
    import numpy as np
    import joblib
    from stotmetrics import MetricSpec, Traits
    from stotmetrics.api import pairwise
    from stotmetrics.engine import output, tiles

    X = np.arange({n}.0)[:, None] ** 1.5

    def pair(x, y, params):
        os.write(log, b".")
        time.sleep({sleep})
        return abs(x.values[0, 0] - y.values[0, 0])

    metric = MetricSpec(name="slow", pair=pair, traits=Traits(symmetric=True, zero_self=True))
    log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pairwise(X[:30], metric=metric, out={out!r} + ".npy")  # what is loaded once is loaded before the first kill
    os.unlink({out!r} + ".npy")
    os.unlink({out!r} + ".npy.journal")
    os.ftruncate(log, 0)
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                pairwise(X, metric=metric, out={out!r}, n_jobs=1)
                os._exit(0)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(1)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)
"""


@pytest.fixture
def server(tmp_path):
    code = textwrap.dedent(RUNS.format(n=N, sleep=5e-6, out=str(tmp_path / "D.npy"), log=str(tmp_path / "pairs.log")))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def run(server, wait=None):
    """Start a run and kill it when ``wait`` has waited for what it waits for; its status."""
    server.stdin.write("run\n")
    server.stdin.flush()
    pid = int(server.stdout.readline())
    if wait is not None:
        wait(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # nobody else on this machine gets its number within the moment
    return server.stdout.readline().strip()


def seconds(count):
    """Wait for so long."""
    return lambda pid: time.sleep(count)


def one_more_tile(folder, pause):
    """Wait until a tile more is written, or the run is over, and then for a while."""
    before = journalled(folder)

    def wait(pid):
        with contextlib.suppress(ProcessLookupError):
            while journalled(folder) <= before:
                os.kill(pid, 0)
                time.sleep(0.001)
            time.sleep(pause)

    return wait


def journalled(folder):
    journal = folder / "D.npy.journal"
    return journal.read_bytes().count(b"\ntile ") if journal.exists() else 0


def seconds_to_start(server, log):
    """How long a run takes until it is in its first tile."""
    begun = time.monotonic()
    server.stdin.write("run\n")
    server.stdin.flush()
    pid = int(server.stdout.readline())
    while log.stat().st_size == 0:
        time.sleep(0.001)
    seconds = time.monotonic() - begun
    os.kill(pid, signal.SIGKILL)
    server.stdout.readline()
    return seconds


def test_killed_fifty_times_it_ends_with_the_bytes_of_an_undisturbed_run(tmp_path, server):
    X = np.arange(float(N))[:, None] ** 1.5
    undisturbed = tmp_path / "undisturbed.npy"
    np.save(undisturbed, np.abs(X - X.T))
    out, log = tmp_path / "D.npy", tmp_path / "pairs.log"
    assert server.stdout.readline() == "ready\n"
    longest = 2 * seconds_to_start(server, log) + 0.1
    draw, written, killed = random.Random(0), [journalled(tmp_path)], 1
    while killed < KILLS:
        # At any moment at all, and where it surely is at work.
        anywhere, at_work = seconds(draw.uniform(0, longest)), one_more_tile(tmp_path, draw.uniform(0, 0.02))
        if run(server, at_work if killed % 4 == 0 else anywhere) == "0":
            break  # it was done before it could be killed
        killed += 1
        written.append(journalled(tmp_path))
    assert killed == KILLS or out.read_bytes() == undisturbed.read_bytes()
    assert written == sorted(written)
    assert written[-1] > 0
    assert run(server) == "0"
    assert out.read_bytes() == undisturbed.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "D.npy",
        "D.npy.journal",
        "pairs.log",
        "undisturbed.npy",
    ]
    assert journalled(tmp_path) == TILES
    # One tile at a time is in flight: no more than one is begun in vain for every kill.
    redone = log.stat().st_size - N_PAIRS
    print(f"{killed} kills; {redone} of {N_PAIRS} pairs were solved again")  # pytest -s, for the guide to long runs
    assert 0 < redone <= killed * SIDE**2


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    code = """
        import os, signal, sys
        import numpy as np, stotmetrics
        def stop(done, total):
            if done:
                os.kill(os.getpid(), signal.SIGKILL)
        stotmetrics.pairwise(np.arange(60.0)[:, None], metric="otw", out=sys.argv[1], progress=stop)
    """
    out = tmp_path / "D.npy"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(out)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    told = []
    D = pairwise(np.arange(60.0)[:, None], metric="otw", out=out, progress=lambda d, t: told.append(d))
    assert told[0] > 0
    np.testing.assert_array_equal(D, pairwise(np.arange(60.0)[:, None], metric="otw"))


def test_an_interrupt_inside_a_long_pair_is_heard_at_once_and_leaves_a_file_that_is_taken_up(tmp_path):
    code = """
        import sys
        import numpy as np, stotmetrics
        X = [np.arange(4.0) + k for k in range(8)] + [np.full(100000, k) for k in range(4)]
        def tell(done, total):
            print(done, flush=True)
            if len(sys.argv) > 2 and done:
                sys.exit(f"taken up at {done}")
        stotmetrics.pairwise(X, metric="dtw", out=sys.argv[1], progress=tell)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "D.npy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while journalled(tmp_path) < 4:  # six pairs at the end take ten seconds each
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        process.wait(60)
        assert time.monotonic() - start < 20  # two seconds, on a machine with nothing else to do
        assert "KeyboardInterrupt" in process.stderr.read()
    again = subprocess.run([*command, "stop"], capture_output=True, text=True, timeout=120)
    assert again.stderr.startswith("taken up at "), again.stderr
    assert int(again.stderr.split()[-1]) > 0


def test_of_two_processes_that_start_together_one_does_the_work(tmp_path):
    code = """
        import sys, time
        import numpy as np, stotmetrics
        def slow(x, y):
            time.sleep(2e-4)
            return float(abs(x[0] - y[0]))
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            stotmetrics.pairwise(np.arange(60.0)[:, None], metric=slow, out=sys.argv[1])
        except BlockingIOError as error:
            sys.exit(str(error))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "D.npy")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first, subprocess.Popen(command, **pipes) as second:
        for process in (first, second):
            process.stdout.readline()
        for process in (first, second):
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120)[1] for process in (first, second)]
        codes = [process.returncode for process in (first, second)]
    assert sorted(codes) == [0, 1], said
    winner = (first, second)[codes.index(0)]
    assert f"process {winner.pid} has this matrix in use" in said[codes.index(1)]
    X = np.arange(60.0)[:, None]
    np.testing.assert_array_equal(np.load(Path(tmp_path, "D.npy")), np.abs(X - X.T))
