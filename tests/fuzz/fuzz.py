"""Call every public function with whatever may legally come, for as long as one likes.

``python tests/fuzz/fuzz.py --minutes 10`` draws calls from a seed: shapes, scales from 1e-300 to 1e300, constants,
ties, legal parameters, times, weights, masses. Each must end in a finite answer that keeps its laws, or in one of our
errors; without any other exception, any warning but ours, and within 20 seconds of the processor, also where NumPy was
asked to raise at every floating-point event. Findings are printed as code to paste, and make the exit status 1.
"""

import argparse
import collections
import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass

import fuzz_calls
import fuzz_draws  # noqa: F401 -- the tests of the fuzz reach it here
import fuzz_laws
import numpy as np

import stotmetrics
from stotmetrics import metrics, transport

LIMIT = 20.0
OUR_WARNINGS = (stotmetrics.ConvergenceWarning, stotmetrics.AxisWarning)
REFUSALS = (stotmetrics.InvalidSeriesError, stotmetrics.InvalidParameterError)


class TooLongError(Exception):
    """A call ran into the limit."""


@dataclass
class Outcome:
    """How one call ended: an answer, a refusal, or a finding with what is wrong."""

    kind: str
    detail: str = ""
    seconds: float = 0.0


def is_refusal(error, moderate):
    """Whether an exception is one of ours that says what to do; measured data are never out of scale."""
    if isinstance(error, FloatingPointError):
        return "rescale" in str(error) and not moderate
    if isinstance(error, NotImplementedError):
        return any(words in str(error) for words in ("has no gradient at", "has no path", "has no lower bounds"))
    return isinstance(error, REFUSALS)


def _ring(number, frame):
    raise TooLongError


def listen():
    """Hear the clocks that `_allow` sets."""
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _ring)


def _allow(seconds):
    """So many seconds of the processor, which no other work uses up; ten times that by the clock."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)


def attempt(call, strict, limit=LIMIT):
    """Run one call and its laws."""
    namespace = {"np": np, "sm": stotmetrics, "moderate": call.script.moderate}
    start = time.process_time()
    told = []
    try:
        with warnings.catch_warnings(record=True) as told, np.errstate(all="raise" if strict else "ignore"):
            warnings.simplefilter("always")
            exec(call.script.text(), namespace)
            _allow(limit)
            namespace["answer"] = eval(call.line, namespace)
            _allow(0.0)
            seconds = time.process_time() - start
    except TooLongError:
        _allow(0.0)
        return Outcome("finding", f"longer than {limit:g} s", time.process_time() - start)
    except Exception as error:
        _allow(0.0)
        seconds = time.process_time() - start
        if is_refusal(error, call.script.moderate):
            name = type(error).__name__
            return _unless_warned(told, Outcome(f"refused: {name}", str(error), seconds))
        return Outcome("finding", f"{type(error).__name__}: {error}\n{_where(error)}", seconds)
    return _unless_warned(told, _judge(call, namespace, strict, seconds))


def _judge(call, namespace, strict, seconds):
    try:
        with warnings.catch_warnings(), np.errstate(all="raise" if strict else "ignore"):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", stotmetrics.ConvergenceWarning)
            warnings.simplefilter("ignore", stotmetrics.AxisWarning)
            _allow(10 * LIMIT)
            for law in call.laws:
                with np.errstate(all="ignore") if law.__name__ != "<lambda>" else np.errstate():
                    law(namespace)
    except fuzz_laws.BrokenLawError as error:
        return Outcome("finding", f"{error}", seconds)
    except Exception as error:
        if isinstance(error, FloatingPointError) and is_refusal(error, call.script.moderate):
            return Outcome("answer", "", seconds)
        return Outcome("finding", f"in a law, {type(error).__name__}: {error}\n{_where(error)}", seconds)
    finally:
        _allow(0.0)
    return Outcome("answer", "", seconds)


def _unless_warned(told, outcome):
    for warning in told:
        if not issubclass(warning.category, OUR_WARNINGS):
            where = f"({warning.filename}:{warning.lineno})"
            return Outcome("finding", f"{warning.category.__name__}: {warning.message} {where}")
    return outcome


def _where(error):
    frames = [f"    {f.filename.rpartition('stotmetrics/')[2]}:{f.lineno} {f.name}" for f in
              traceback.extract_tb(error.__traceback__)]  # fmt: skip
    return "\n".join(frames[-4:])


def not_covered():
    """Public names that are neither fuzzed nor exempt."""
    public = {*stotmetrics.__all__, *transport.__all__, *declared_metrics()}
    return sorted(public - fuzz_calls.covered() - fuzz_calls.EXEMPT)


def declared_metrics():
    """Names of all metrics that the package holds, whether or not it was installed again since the last was added."""
    modules = (
        importlib.import_module(f"{metrics.__name__}.{module.name}")
        for module in pkgutil.iter_modules(metrics.__path__)
    )
    return sorted(module.SPEC.name for module in modules if hasattr(module, "SPEC"))


def run(seed, calls=None, minutes=None, show=sys.stdout, first=0):
    """Draw calls until their number or the time is used up; returns the findings."""
    listen()
    table = collections.defaultdict(collections.Counter)
    slowest, findings = {}, []
    start, k = time.monotonic(), first
    while (calls is None or k < first + calls) and (minutes is None or time.monotonic() - start < 60 * minutes):
        rng = np.random.default_rng([seed, k])
        call = fuzz_calls.draw(rng)
        outcome = attempt(call, strict=bool(rng.random() < 0.5))
        table[call.name][outcome.kind] += 1
        slowest[call.name] = max(slowest.get(call.name, 0.0), outcome.seconds)
        if outcome.kind == "finding":
            findings.append((k, call.name, outcome))
            print(_report(seed, k, call, outcome), file=show, flush=True)
        k += 1
    _print_table(table, slowest, show)
    print(f"{k - first} calls of seed {seed}, {len(findings)} findings", file=show)
    return findings


def _report(seed, k, call, outcome):
    head = f"# {call.name}: {outcome.detail}".replace("\n", "\n# ")
    return f"{head}\n# python tests/fuzz/fuzz.py --seed {seed} --only {k}\n{call.script.text()}\nanswer = {call.line}\n"


def _print_table(table, slowest, show):
    kinds = sorted({kind for counts in table.values() for kind in counts})
    width = max(map(len, table), default=4)
    heads = [kind.replace("refused: ", "") for kind in kinds]
    print(f"{'call':{width}}  {'  '.join(f'{head:>12}' for head in heads)}  slowest (s)", file=show)
    for name in sorted(table):
        counts = "  ".join(f"{table[name][kind]:{max(12, len(head))}}" for kind, head in zip(kinds, heads, strict=True))
        print(f"{name:{width}}  {counts}  {slowest[name]:.2f}", file=show)
    total = "  ".join(
        f"{sum(counts[kind] for counts in table.values()):{max(12, len(head))}}"
        for kind, head in zip(kinds, heads, strict=True)
    )
    print(f"{'all':{width}}  {total}", file=show)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("STOTMETRICS_FUZZ_MINUTES", "10")))
    parser.add_argument("--calls", type=int, help="as many calls, however long they take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the first call of the seed")
    parser.add_argument("--only", type=int, help="one call of the seed")
    given = parser.parse_args(arguments)
    print(f"metrics: {', '.join(fuzz_calls.metric_names())}")
    missing = not_covered()
    if missing:
        print(f"public, and not fuzzed: {', '.join(missing)}; add them to fuzz_calls.py, and install the package again")
    if given.only is not None:
        findings = run(given.seed, calls=1, first=given.only)
    else:
        findings = run(given.seed, given.calls, None if given.calls else given.minutes, first=given.first)
    return 1 if findings or missing else 0


if __name__ == "__main__":
    sys.exit(main())
