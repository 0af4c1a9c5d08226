"""Metrics for aeon, which hands over series as (channels, time)."""

from dataclasses import dataclass
from typing import Any

from ..api import pairwise
from ..arrays import FloatArray, contiguous, real_array
from ..errors import InvalidParameterError, InvalidSeriesError
from ..series import Series, as_series
from ..spec.bound import BoundMetric, Metric, get_metric


@dataclass(frozen=True)
class AeonDistance:
    """A metric as a distance function of aeon: two arrays of shape (channels, time), or (time,). It pickles.

    Parameters
    ----------
    metric : BoundMetric
        The metric.
    """

    metric: BoundMetric

    def __call__(self, x: Any, y: Any, **params: Any) -> float:
        if params:  # aeon's distance_params
            raise InvalidParameterError(
                f"a metric of this package has its parameters already; give {', '.join(params)} to as_distance instead"
            )
        return self.metric(by_time(x, "x"), by_time(y, "y"))

    @property
    def __name__(self) -> str:
        return f"stotmetrics_{self.metric.name}"


def as_distance(metric: Metric, **params: Any) -> AeonDistance:
    """A metric as every function and estimator of aeon takes one.

    Parameters
    ----------
    metric : str, MetricSpec, BoundMetric or function
        See :func:`stotmetrics.get_metric`.
    **params
        Parameters of the metric.

    Returns
    -------
    AeonDistance
        A callable of two arrays of shape (channels, time).

    Raises
    ------
    UnknownMetricError, InvalidParameterError, TypeError
        As :func:`stotmetrics.get_metric`.

    Notes
    -----
    aeon mirrors one triangle of a matrix within one set and writes zeros on its diagonal, whatever the function says.
    :func:`pairwise_distance` here does not, and works on many pairs at once.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.hosts.aeon import as_distance
    >>> as_distance("dtw")(np.array([[0.0, 1.0, 1.0]]), np.array([[0.0, 3.0, 1.0]]))
    4.0
    """
    return AeonDistance(get_metric(metric, **params))


def pairwise_distance(
    X: Any, y: Any = None, method: Metric = "softdtw", *, n_jobs: int | None = None, **params: Any
) -> FloatArray:
    """``aeon.distances.pairwise_distance`` for every metric, by tiles of many pairs, with its true diagonal.

    Parameters
    ----------
    X : array of shape (n_cases, n_channels, n_timepoints) or (n_cases, n_timepoints), or list of (channels, time)
        A collection as aeon holds it; lengths may differ in a list.
    y : the same, or one series of shape (n_channels, n_timepoints), optional
        By default ``X`` itself.
    method : str, MetricSpec, BoundMetric, AeonDistance or function, default "softdtw"
        The metric.
    n_jobs : int, optional
        Workers, as joblib counts them.
    **params
        Parameters of the metric.

    Returns
    -------
    array of shape (n_cases, m_cases)

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`stotmetrics.pairwise`.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics.hosts.aeon import pairwise_distance
    >>> X = np.array([[[0.0, 1.0, 1.0]], [[0.0, 3.0, 1.0]]])
    >>> pairwise_distance(X, method="dtw")
    array([[0., 4.],
           [4., 0.]])
    """
    bound = get_metric(method.metric if isinstance(method, AeonDistance) else method, **params)
    if y is not None and getattr(y, "ndim", None) == 2 and getattr(X, "ndim", 3) == 3:
        y = [y]  # instance series, as aeon reads it
    right = None if y is None else [by_time(instance, f"y[{k}]") for k, instance in enumerate(y)]
    return pairwise([by_time(instance, f"X[{k}]") for k, instance in enumerate(X)], right, bound, n_jobs=n_jobs)


def by_time(x: Any, name: str) -> Series:
    """A series of aeon, (channels, time) or (time,); its axes are in no doubt."""
    array = real_array(x, name, InvalidSeriesError)
    if array.ndim not in (1, 2):
        raise InvalidSeriesError(f"{name} must have shape (channels, time) or (time,); got shape {array.shape}")
    return Series(as_series(array if array.ndim == 1 else contiguous(array.T), name=name).values)
