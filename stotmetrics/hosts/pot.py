"""Metrics for POT: plans between two series as POT's results, and costs between sets of series."""

from typing import Any

from ot.utils import OTResult

from ..api import pairwise
from ..arrays import FloatArray
from ..errors import InvalidParameterError
from ..spec.bound import Metric, get_metric


def solve(x: Any, y: Any, metric: Metric = "tiot", **params: Any) -> OTResult:
    """The transport between two series under a metric that has a plan, as ``ot.solve`` returns it.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        See :func:`stotmetrics.as_series`, which also takes times and weights.
    metric : str, MetricSpec or BoundMetric, default "tiot"
        A metric with a plan: "tiot", "etiot", "taot", "tlp" or "opw".
    **params
        Parameters of the metric.

    Returns
    -------
    ot.utils.OTResult
        ``value`` of the metric, ``plan`` of shape (n, m), ``potentials`` where the metric has them, ``status``
        ("converged" or "max_iter"), and ``log`` with what else is known: ``n_iter``, ``gap``, and for instance ``w``
        and ``objective``.

    Raises
    ------
    InvalidParameterError
        If the metric has no plan.
    InvalidSeriesError
        See :func:`stotmetrics.distance`.

    Examples
    --------
    >>> from stotmetrics.hosts.pot import solve
    >>> result = solve([0.0, 0.0, 1.0], [0.0, 1.0, 0.0], "tiot", standardize=False)
    >>> result.plan.shape, result.status
    ((3, 3), 'converged')
    """
    bound = get_metric(metric, **params)
    result = bound.solve(x, y)
    if "plan" not in result.available:
        raise InvalidParameterError(
            f"metric must have a transport plan, such as 'tiot', 'etiot', 'taot', 'tlp' or 'opw'; got {bound!r}"
        )
    log = {name: getattr(result, name) for name in result.available if name not in ("plan", "potentials")}
    return OTResult(
        potentials=result.potentials if "potentials" in result.available else None,
        value=result.value,
        plan=result.plan,
        status="converged" if result.converged else "max_iter",
        log={**log, "n_iter": result.n_iter, "gap": result.gap},
    )


def ground_cost(
    X: Any, Y: Any = None, metric: Metric = "tiot", *, p: float = 1.0, n_jobs: int | None = None, **params: Any
) -> FloatArray:
    """Distances between sets of series, to the power p: the ``M``, ``C1`` and ``C2`` of POT's solvers.

    Parameters
    ----------
    X : set of series
        See :func:`stotmetrics.as_dataset`.
    Y : the same, optional
        By default ``X`` itself.
    metric : str, MetricSpec, BoundMetric or function, default "tiot"
        See :func:`stotmetrics.get_metric`.
    p : float, default 1.0
        The power; for a parameter p of the metric pass a bound metric.
    n_jobs : int, optional
        Workers, as joblib counts them.
    **params
        Parameters of the metric.

    Returns
    -------
    array of shape (n, m)

    Raises
    ------
    InvalidParameterError
        If ``p`` is not positive, or not 1 where distances are negative; otherwise see :func:`stotmetrics.pairwise`.

    Examples
    --------
    >>> import ot
    >>> from stotmetrics.hosts.pot import ground_cost
    >>> M = ground_cost([[0.0, 1.0], [2.0, 2.0]], [[0.0, 1.0, 1.0], [2.0, 2.1]], "dtw")
    >>> round(ot.solve(M).value, 6)
    0.005
    """
    costs = pairwise(X, Y, get_metric(metric, **params), n_jobs=n_jobs)
    if p == 1.0:
        return costs
    if not p > 0 or (costs < 0).any():
        raise InvalidParameterError(f"p must be positive, and 1 for a metric with negative distances; got {p!r}")
    return costs**p
