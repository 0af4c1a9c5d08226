"""A short slice of the fuzz, always the same one, and the proof that it finds what it looks for."""

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import stotmetrics

CALLS = 150


@pytest.fixture(scope="module")
def fuzz():
    """The runner, which is a script and no part of the package."""
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    try:
        import fuzz as runner

        yield runner
    finally:
        sys.path.remove(folder)


def test_every_public_function_is_fuzzed(fuzz):
    assert not fuzz.not_covered()


@pytest.mark.parametrize("seed", [0, 1])
def test_every_call_ends_in_an_answer_or_in_one_of_our_errors(fuzz, seed):
    told = io.StringIO()
    assert not fuzz.run(seed, calls=CALLS, show=told), told.getvalue()
    assert f"{CALLS} calls of seed {seed}, 0 findings" in told.getvalue()


def test_a_call_is_drawn_from_its_seed_alone(fuzz):
    first, again = (fuzz.fuzz_calls.draw(np.random.default_rng([3, 17])) for _ in range(2))
    assert first.script.text() == again.script.text() and first.line == again.line


def _fail(x, y, metric="softdtw", **params):
    raise KeyError("foreign")


def _warn(x, y, metric="softdtw", **params):
    warnings.warn("divide by zero", RuntimeWarning, stacklevel=1)
    return 1.0


# What a faulty build would do, and what the report must say of it.
FAULTS = {
    "KeyError: 'foreign'": _fail,
    "RuntimeWarning: divide by zero": _warn,
    "the value is not finite": lambda x, y, metric="softdtw", **params: float("nan"),
    "longer than 0.2 s": lambda x, y, metric="softdtw", **params: __import__("time").sleep(5),
    "FloatingPointError": lambda x, y, metric="softdtw", **params: float(np.exp(np.float64(-800.0))),
}


@pytest.mark.parametrize("finding", FAULTS)
def test_a_fault_is_found(fuzz, finding, monkeypatch):
    monkeypatch.setattr(stotmetrics, "distance", FAULTS[finding])
    fuzz.listen()
    call = fuzz.fuzz_calls.distance(fuzz.fuzz_draws.Script(np.random.default_rng(0)), "tiot")
    outcome = fuzz.attempt(call, strict=True, limit=0.2)
    assert outcome.kind == "finding" and finding in outcome.detail


def test_a_value_that_breaks_a_law_is_found(fuzz, monkeypatch):
    right = stotmetrics.BoundMetric.solve
    monkeypatch.setattr(
        stotmetrics.BoundMetric, "solve", lambda self, x, y: stotmetrics.Result(right(self, x, y).value + len(x))
    )
    call = fuzz.fuzz_calls.solve(fuzz.fuzz_draws.Script(np.random.default_rng(1)), "euclidean")
    outcome = fuzz.attempt(call, strict=False)
    assert outcome.kind == "finding" and "d(x, x) and 0" in outcome.detail


def test_another_unit_is_taken_where_its_power_leaves_the_range_of_a_double(fuzz):
    in_unit = fuzz.fuzz_laws.in_unit
    assert in_unit(3e200, -1100) == 3e200 * 2.0**-550 * 2.0**-550 > 0.0
    assert in_unit(2.0, 0.5) == pytest.approx(2.0**1.5)
    assert in_unit(0.0, 3000) == 0.0
    assert in_unit(-1.0, 3000) == -np.inf
