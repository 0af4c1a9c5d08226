"""The report that ``stotmetrics check`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MetricLoadError
from .runner import Outcome, check_metric
from .subject import Target


def report(
    target: Target,
    *,
    params: Mapping[str, Any] | None = None,
    max_examples: int = 100,
    max_length: int = 6,
    seed: int = 0,
) -> bool:
    """Check a metric and print what was found.

    Parameters
    ----------
    target, params, max_examples, max_length, seed
        See :func:`iter_checks`.

    Returns
    -------
    bool
        Whether the metric keeps everything it claims.

    Raises
    ------
    MetricLoadError
        If ``target`` is ``"package.module:SPEC"`` and cannot be imported.

    Examples
    --------
    >>> from stotmetrics.testing import report
    >>> report("dtw", max_examples=2)  # doctest: +ELLIPSIS
      passed ...
    dtw: ... checks, none failed; ...
    True
    """

    def tell(outcome: Outcome) -> None:
        if outcome.bad:
            print(f"{outcome.check.name} {outcome.status}", flush=True)

    try:
        outcome = check_metric(
            target,
            params=params,
            max_examples=max_examples,
            max_length=max_length,
            seed=seed,
            timings=True,
            raises=False,
            progress=tell,
        )
    except (ImportError, AttributeError, TypeError) as error:
        if isinstance(target, str) and ":" in target and not isinstance(error, MetricLoadError):
            raise MetricLoadError(f"{target} cannot be loaded: {type(error).__name__}: {error}") from error
        raise
    print(outcome)
    return outcome.passed
