"""Property-based verification of metrics: strategies, checks, and the functions that run them.

Needs the extra ``test``: ``pip install stotmetrics[test]``.
"""

from .console import report
from .runner import ConformanceError, MetricCheck, Outcome, Report, check_metric, iter_checks, parametrize_with_checks

__all__ = [
    "ConformanceError",
    "MetricCheck",
    "Outcome",
    "Report",
    "check_metric",
    "iter_checks",
    "parametrize_with_checks",
    "report",
]
