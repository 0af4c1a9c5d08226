"""What is under test: a metric, the parameters to draw, and the code that names it in a counter-example."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..spec import registry
from ..spec.bound import BoundMetric, bind
from ..spec.metric import MetricSpec
from .check import Check
from .strategies import choices_of, params_of

Target = str | MetricSpec | BoundMetric


@dataclass(frozen=True)
class Subject:
    """A metric under test.

    Parameters
    ----------
    spec : MetricSpec
        The metric.
    path : str
        ``pkg.module:SPEC`` if it was named so.
    fixed : mapping
        Parameter -> value or strategy, in the place of its declared range.
    max_length : int
        The longest series to draw.
    """

    spec: MetricSpec
    path: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    max_length: int = 6

    def metrics(self, *, vary: bool = True) -> SearchStrategy[BoundMetric]:
        """The metric at drawn parameters, or without ``vary`` at its defaults."""
        if not vary:
            return st.just(next(self.corners()))
        return params_of(self.spec, **self.fixed).map(lambda drawn: bind(self.spec, **drawn))

    def corners(self) -> Iterator[BoundMetric]:
        """The metric at its defaults, and with each parameter changed alone."""
        fixed = {name: v for name, v in self.fixed.items() if not isinstance(v, SearchStrategy)}
        yield bind(self.spec, **fixed)
        for name, parameter in self.spec.parameters.items():
            if name not in self.fixed:
                for other in choices_of(name, parameter, getattr(bind(self.spec, **fixed).params, name)):
                    yield bind(self.spec, **fixed, **{name: other})

    def claims(self, check: Check) -> bool:
        """Whether the metric claims this law at some of its parameters."""
        metrics = self.corners()
        return check.when(next(metrics)) or (not check.defaults and any(check.when(metric) for metric in metrics))

    def code(self, metric: BoundMetric) -> list[str]:
        """Lines of Python that make the metric."""
        given = ", ".join(f"{name}={getattr(metric.params, name)!r}" for name in self.spec.parameters)
        if self.path:
            module, _, attribute = self.path.partition(":")
            return [
                "from stotmetrics.spec.bound import bind",
                f"from {module} import {attribute}",
                f"metric = bind({attribute}, {given})",
            ]
        if self.spec.name in registry.names() and registry.find(self.spec.name) is self.spec:
            name = ", ".join(filter(None, [repr(self.spec.name), given]))
            return [f"metric = stotmetrics.get_metric({name})"]
        return [f"metric = stotmetrics.get_metric(SPEC, {given})  # SPEC: your MetricSpec {self.spec.name!r}"]


def subject_of(target: Target, params: Mapping[str, Any] | None = None, max_length: int = 6) -> Subject:
    """Read a name, ``pkg.module:SPEC``, a MetricSpec or a BoundMetric."""
    fixed = dict(params or {})
    if isinstance(target, BoundMetric):
        bound = {name: getattr(target.params, name) for name in target.spec.parameters}
        return Subject(target.spec, fixed={**bound, **fixed}, max_length=max_length)
    if isinstance(target, MetricSpec):
        return Subject(target, fixed=fixed, max_length=max_length)
    if isinstance(target, str) and ":" in target:
        module, _, attribute = target.partition(":")
        spec = getattr(importlib.import_module(module), attribute)
        if not isinstance(spec, MetricSpec):
            raise TypeError(f"{target} must be a MetricSpec; got {type(spec).__name__}")
        return Subject(spec, path=target, fixed=fixed, max_length=max_length)
    return Subject(registry.find(target), fixed=fixed, max_length=max_length)
