"""Public functions: run the checks of a metric, one by one, all at once, or as pytest cases."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, Unsatisfiable

from ..errors import AxisWarning, ConvergenceWarning
from ..spec.bound import BoundMetric
from .check import Check, Undecided
from .checks import CHECKS
from .checks_engine import thread_speedup
from .inputs import code
from .subject import Subject, Target, subject_of

WEAK_CLAIM_EXAMPLES = 300


class ConformanceError(AssertionError):
    """A metric breaks what it claims; the message holds the law and a counter-example to paste."""


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Parameters
    ----------
    check : Check
        The law.
    status : str
        ``"passed"``, ``"failed"``, ``"undecided"`` (no example gave a value), ``"expected failure"`` or
        ``"unexpected pass"``.
    examples : int
        Examples on which the law was decided.
    seconds : float
        Time it took.
    message : str
        What broke, or why nothing is known.
    counterexample : str
        Python code that raises the failure again.
    """

    check: Check
    status: str
    examples: int
    seconds: float
    message: str = ""
    counterexample: str = ""

    @property
    def bad(self) -> bool:
        """Whether it counts against the metric."""
        return self.status in ("failed", "undecided", "unexpected pass")


@dataclass(frozen=True)
class MetricCheck:
    """One check of one metric: call it, and it raises ConformanceError if the metric breaks the law."""

    subject: Subject
    check: Check
    max_examples: int
    seed: int

    @property
    def name(self) -> str:
        """The name of the law."""
        return self.check.name

    @property
    def law(self) -> str:
        """The law in words, with its tolerance."""
        return self.check.doc

    def run(self, *, shrink: bool = True) -> Outcome:
        """Draw examples until one breaks the law; ``shrink`` looks for the simplest that does."""
        count = max(2, round(self.check.share * self.max_examples))
        return _search(self.subject, self.check, self.check.when, count, self.seed, shrink)

    def weaker_claim(self) -> bool:
        """Whether the law is not claimed, yet 300 examples never break it."""
        if not self.check.trait:
            return False
        unclaimed = _not(self.check.when)
        if not all(unclaimed(metric) for metric in self.subject.corners()):
            return False
        outcome = _search(self.subject, self.check, unclaimed, WEAK_CLAIM_EXAMPLES, self.seed, shrink=False)
        return outcome.status == "passed" and outcome.examples >= WEAK_CLAIM_EXAMPLES // 3

    def __call__(self) -> None:
        outcome = self.run()
        if outcome.status != "passed":
            raise ConformanceError(_failure(self.subject.spec.name, outcome, self.seed))

    def __repr__(self) -> str:
        return f"<{self.subject.spec.name}: {self.name}>"


@dataclass(frozen=True)
class Report:
    """What ``check_metric`` found; ``str(report)`` is readable.

    Parameters
    ----------
    metric : str
        Its name.
    outcomes : list of Outcome
        Of each check that the metric claims.
    weaker : list of str
        Laws that it keeps and does not claim.
    seed : int
        What drew the examples.
    seconds : float
        Time of all checks.
    not_claimed : list of str
        Checks of what it does not claim.
    speedup : float, optional
        How many times faster two threads were than one: measured, and no law.
    """

    metric: str
    outcomes: list[Outcome]
    weaker: list[str]
    seed: int
    seconds: float
    not_claimed: list[str] = field(default_factory=list)
    speedup: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the metric keeps everything it claims."""
        return not any(outcome.bad for outcome in self.outcomes)

    @property
    def failures(self) -> list[str]:
        """Names of the checks that count against the metric."""
        return [outcome.check.name for outcome in self.outcomes if outcome.bad]

    @property
    def examples(self) -> int:
        """Examples drawn and decided in all checks together."""
        return sum(outcome.examples for outcome in self.outcomes)

    def __str__(self) -> str:
        width = max(len(check.name) for check in CHECKS)
        lines = []
        for outcome in self.outcomes:
            count = f"{outcome.examples:5d} examples {outcome.seconds:7.2f} s"
            lines.append(f"  {outcome.status:<16}  {outcome.check.name:<{width}}  {count}")
            if outcome.status != "passed":
                lines += [f"      {line}" for line in _details(outcome)]
        for name in self.not_claimed:
            words = "never broken in 300 examples: a stronger claim than the traits make" if name in self.weaker else ""
            lines.append(f"  {'not claimed':<16}  {name:<{width}}  {words}".rstrip())
        if self.speedup is not None:
            lines.append(f"  {'measured':<16}  two threads are {self.speedup:.1f} times as fast as one")
        bad = len(self.failures)
        lines.append(
            f"{self.metric}: {len(self.outcomes)} checks, {bad or 'none'} failed; "
            f"{self.examples} examples in {self.seconds:.1f} s, seed {self.seed}"
        )
        return "\n".join(lines)


def iter_checks(
    target: Target,
    *,
    params: Mapping[str, Any] | None = None,
    max_examples: int | None = None,
    max_length: int = 6,
    seed: int = 0,
) -> Iterator[MetricCheck]:
    """The checks that a metric must pass: those of every metric, and those that its traits claim.

    Parameters
    ----------
    target : str, MetricSpec or BoundMetric
        A name, ``"package.module:SPEC"``, or the metric itself.
    params : mapping, optional
        Parameter -> value or hypothesis strategy, in the place of its declared range.
    max_examples : int, optional
        Examples of each check; by default those of the current hypothesis profile.
    max_length : int, default 6
        The longest series to draw.
    seed : int, default 0
        The same seed draws the same examples.

    Yields
    ------
    MetricCheck
        A callable with a ``name`` and a ``law``.

    Raises
    ------
    UnknownMetricError, MetricLoadError
        If there is no such metric.
    InvalidParameterError
        If a parameter is out of its range.

    Examples
    --------
    >>> from stotmetrics.testing import iter_checks
    >>> [check.name for check in iter_checks("softdtw", params={"gamma": 1.0})][:2]
    ['finite_value', 'deterministic']
    """
    subject = subject_of(target, params, max_length)
    count = settings().max_examples if max_examples is None else max_examples
    for check in CHECKS:
        if subject.claims(check):
            yield MetricCheck(subject, check, count, seed)


def check_metric(
    target: Target,
    *,
    params: Mapping[str, Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    max_examples: int | None = None,
    max_length: int = 6,
    seed: int = 0,
    weaker_claims: bool = True,
    timings: bool = False,
    raises: bool = True,
    progress: Callable[[Outcome], object] | None = None,
) -> Report:
    """Check everything a metric claims.

    Parameters
    ----------
    target, params, max_examples, max_length, seed
        See :func:`iter_checks`.
    expected_failures : mapping, optional
        Name of a check -> why it is known to fail. A check listed here that passes counts as a failure.
    weaker_claims : bool, default True
        Whether to look for laws that the traits do not claim and the metric keeps.
    timings : bool, default False
        Whether to measure how much faster two threads are than one, where the metric claims to release the lock.
    raises : bool, default True
        Whether a failure raises ConformanceError with the report; otherwise the report is returned.
    progress : callable, optional
        Told the outcome of each check as it ends.

    Returns
    -------
    Report

    Raises
    ------
    ConformanceError
        With the report as its message.

    Examples
    --------
    >>> from stotmetrics import MetricSpec, Traits
    >>> from stotmetrics.testing import check_metric
    >>> spec = MetricSpec(
    ...     name="last_gap",
    ...     pair=lambda x, y, params: x.values[-1, 0] - y.values[-1, 0],
    ...     traits=Traits(symmetric=True),
    ... )
    >>> check_metric(spec, raises=False, expected_failures={"pickles": "a lambda"}, max_examples=50).failures
    ['symmetry']
    """
    expected = dict(expected_failures or {})
    _known(expected)
    start = time.perf_counter()
    todo = list(iter_checks(target, params=params, max_examples=max_examples, max_length=max_length, seed=seed))
    outcomes = []
    for check in todo:
        outcomes.append(_expected(check.run(), expected))
        if progress is not None:
            progress(outcomes[-1])
    subject, claimed = todo[0].subject, {check.name for check in todo}
    rest = [MetricCheck(subject, check, 0, seed) for check in CHECKS if check.name not in claimed]
    weaker = [check.name for check in rest if check.weaker_claim()] if weaker_claims else []
    metric = next(subject.corners())
    speedup = thread_speedup(metric) if timings and metric.traits.releases_gil else None
    seconds = time.perf_counter() - start
    report = Report(subject.spec.name, outcomes, weaker, seed, seconds, [check.name for check in rest], speedup)
    if raises and not report.passed:
        raise ConformanceError("\n" + str(report))
    return report


def parametrize_with_checks(
    targets: Iterable[Target],
    *,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
    max_examples: int | None = None,
    max_length: int = 6,
    seed: int = 0,
) -> Any:
    """One pytest case for every check of every metric, for a test function with the argument ``check``.

    Parameters
    ----------
    targets : iterable of str, MetricSpec or BoundMetric
        See :func:`iter_checks`.
    params : mapping, optional
        Name of a metric -> parameters, see :func:`iter_checks`.
    expected_failures : mapping, optional
        Name of a metric -> check -> why it is known to fail; strict: it must fail.
    max_examples, max_length, seed
        See :func:`iter_checks`.

    Returns
    -------
    pytest.MarkDecorator

    Raises
    ------
    UnknownMetricError, MetricLoadError, InvalidParameterError
        See :func:`iter_checks`.
    ValueError
        If ``expected_failures`` names a check that does not exist.

    Examples
    --------
    >>> from stotmetrics.testing import parametrize_with_checks
    >>> @parametrize_with_checks(["softdtw"])
    ... def test_conforms(check):
    ...     check()
    """
    import pytest

    cases = []
    for target in targets:
        name = subject_of(target).spec.name
        expected = dict((expected_failures or {}).get(name, {}))
        _known(expected)
        chosen = (params or {}).get(name)
        for check in iter_checks(target, params=chosen, max_examples=max_examples, max_length=max_length, seed=seed):
            reason = expected.get(check.name)
            marks = [pytest.mark.xfail(reason=reason, strict=True, raises=ConformanceError)] if reason else []
            cases.append(pytest.param(check, id=f"{name}-{check.name}", marks=marks))
    return pytest.mark.parametrize("check", cases)


def _known(expected: Mapping[str, str]) -> None:
    unknown = sorted(set(expected) - {check.name for check in CHECKS})
    if unknown:
        raise ValueError(f"expected_failures names no check: {', '.join(unknown)}")


def _expected(outcome: Outcome, expected: Mapping[str, str]) -> Outcome:
    reason = expected.get(outcome.check.name)
    if reason is None:
        return outcome
    status = "expected failure" if outcome.status == "failed" else "unexpected pass"
    return Outcome(outcome.check, status, outcome.examples, outcome.seconds, reason)


def _not(when: Callable[[BoundMetric], bool]) -> Callable[[BoundMetric], bool]:
    return lambda metric: not when(metric)


class _Trial:
    """Counts the decided examples and keeps the last one that broke the law: the smallest, when hypothesis is done."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.decided = 0
        self.undecided = ""
        self.broken: tuple[BoundMetric, tuple[Any, ...], str] | None = None

    def __call__(self, case: tuple[BoundMetric, tuple[Any, ...]]) -> None:
        metric, drawn = case
        try:
            with warnings.catch_warnings():
                # Honest, and told from the result.
                warnings.simplefilter("ignore", ConvergenceWarning)
                # A drawn series of one time with several values is meant so.
                warnings.simplefilter("ignore", AxisWarning)
                self.check(metric, *drawn)
        except Undecided as error:
            self.undecided = str(error)
            hypothesis.reject()
        except AssertionError as error:
            self.broken = (metric, drawn, str(error))
            raise
        except Exception as error:
            self.broken = (metric, drawn, f"{type(error).__name__}: {error}")
            raise
        self.decided += 1


def _search(
    subject: Subject, check: Check, when: Callable[[BoundMetric], bool], max_examples: int, seed: int, shrink: bool
) -> Outcome:
    trial = _Trial(check)
    cases = (
        subject.metrics(vary=not check.defaults)
        .filter(when)
        .flatmap(lambda metric: st.tuples(st.just(metric), check.draw(metric, subject.max_length)))
    )

    @hypothesis.seed(seed)
    @settings(
        max_examples=max_examples,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(cases)
    def search(case: tuple[BoundMetric, tuple[Any, ...]]) -> None:
        trial(case)

    start = time.perf_counter()
    status, message = "passed", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)
            search()
    except Unsatisfiable:
        status, message = "undecided", trial.undecided
    except Exception as error:
        status, message = "failed", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    if status == "passed" and not trial.decided:
        status, message = "undecided", trial.undecided
    if status != "failed" or trial.broken is None:
        return Outcome(check, status, trial.decided, seconds, message)
    metric, drawn, message = trial.broken
    return Outcome(check, status, trial.decided, seconds, message, _counterexample(subject, check, metric, drawn))


def _counterexample(subject: Subject, check: Check, metric: BoundMetric, drawn: tuple[Any, ...]) -> str:
    names = check.arguments()
    lines = ["import stotmetrics", "from stotmetrics.testing import checks", *subject.code(metric)]
    lines += [f"{name} = {code(value)}" for name, value in zip(names, drawn, strict=True)]
    lines.append(f"checks.{check.name}({', '.join(['metric', *names])})")
    return "\n".join(lines)


def _details(outcome: Outcome) -> list[str]:
    lines = [f"law: {outcome.check.summary}", f"found: {outcome.message}"]
    if outcome.counterexample:
        lines += ["counter-example:", *[f"    {line}" for line in outcome.counterexample.splitlines()]]
    return lines


def _failure(name: str, outcome: Outcome, seed: int) -> str:
    head = f"{name}: {outcome.check.name} {outcome.status} after {outcome.examples} examples, seed {seed}"
    return "\n".join([head, *_details(outcome)])
