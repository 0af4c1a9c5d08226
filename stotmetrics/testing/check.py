"""What a check is, and what its law may use: one evaluation, one tolerance policy."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from ..arrays import FloatArray
from ..errors import ConvergenceWarning
from ..series import Series
from ..spec.bound import BoundMetric
from ..spec.result import Result

# Relative to the scale of the inputs and of the values: far above rounding, far below float32.
RTOL = 1e-9

Draw = Callable[[BoundMetric, int], SearchStrategy[tuple[Any, ...]]]


class Undecided(Exception):  # noqa: N818 -- not an error of the metric under this law
    """The metric gave no settled value here, so the law says nothing; ``finite_value`` reports the cause."""


@dataclass(frozen=True)
class Check:
    """One law, as a function that raises AssertionError where a metric breaks it.

    Parameters
    ----------
    law : callable
        ``law(metric, *drawn)``; its docstring states the law and its tolerance.
    draw : callable
        ``draw(metric, max_length)`` is a strategy for the tuple ``drawn``.
    when : callable
        ``when(metric)`` says whether the law is claimed.
    trait : str
        The trait that claims it, if one alone does: the others are not asked to keep it, but are told if they do.
    share : float
        The part of the examples that it needs: laws about the interface need few.
    defaults : bool
        Whether it is about the metric at its default parameters alone: others may switch a feature off.
    """

    law: Callable[..., None]
    draw: Draw
    when: Callable[[BoundMetric], bool]
    trait: str = ""
    share: float = 1.0
    defaults: bool = False

    @property
    def name(self) -> str:
        """The name of the law."""
        return self.law.__name__

    @property
    def doc(self) -> str:
        """The law in words."""
        return inspect.cleandoc(self.law.__doc__ or "")

    @property
    def summary(self) -> str:
        """The law in one line."""
        return self.doc.partition("\n\n")[0].replace("\n", " ")

    def arguments(self) -> list[str]:
        """Names of what is drawn."""
        return list(inspect.signature(self.law).parameters)[1:]

    def __call__(self, metric: BoundMetric, *drawn: Any) -> None:
        self.law(metric, *drawn)


def check(
    draw: Draw,
    *,
    when: Callable[[BoundMetric], bool] | None = None,
    trait: str = "",
    share: float = 1.0,
    defaults: bool = False,
) -> Callable[[Callable[..., None]], Check]:
    """Make a check of a law; without ``when`` and ``trait`` every metric must keep it."""

    def claimed(metric: BoundMetric) -> bool:
        by_trait = not trait or bool(getattr(metric.traits, trait))
        return by_trait and (when is None or when(metric))

    def decorate(law: Callable[..., None]) -> Check:
        return Check(law, draw, claimed, trait if when is None else "", share, defaults)

    return decorate


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise AssertionError with the message; unlike ``assert`` it survives ``python -O``."""
    if not condition:
        raise AssertionError(message)


def fresh(series: Series) -> Series:
    """A private copy, so that a metric that writes to its input harms no other call."""
    return Series(
        series.values.copy(),
        series.times.copy() if series.has_times else None,
        series.weights.copy() if series.has_weights else None,
        series.frame_shape,
        None if series.path_weights is None else series.path_weights.copy(),
    )


def changed(series: Series, values: FloatArray, times: FloatArray | None = None) -> Series:
    """The series with other values, and other times where they are given; its weights and frames are kept."""
    if times is None and series.has_times:
        times = series.times
    weights = series.weights if series.has_weights else None
    return Series(values, times, weights, series.frame_shape, series.path_weights)


def evaluate(metric: BoundMetric, x: Series, y: Series) -> Result:
    """The converged result for copies of two series, or Undecided."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            result = metric.solve(fresh(x), fresh(y))
        except Exception as error:
            raise Undecided(f"{metric!r} gave no value: {type(error).__name__}: {error}") from error
    if not result.converged:
        raise Undecided(f"{metric!r} did not converge")
    return result


def value(metric: BoundMetric, x: Series, y: Series) -> float:
    """The converged value for copies of two series, or Undecided."""
    return evaluate(metric, x, y).value


def slack(*parts: Series | Result | float, rtol: float = RTOL) -> float:
    """The error to allow: ``rtol`` times the scale of the series and values, and the certified gaps of the results."""
    scale, gaps = 1.0, 0.0
    for part in parts:
        if isinstance(part, Series):
            scale = max(scale, float(np.abs(part.values).max()))
        elif isinstance(part, Result):
            scale = max(scale, abs(part.value))
            gaps += part.gap or 0.0
        else:
            scale = max(scale, abs(part))
    return rtol * scale + gaps
