"""The barycenter of a set of series under a differentiable metric."""

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from ..arrays import FloatArray, in_any_host, is_integer, real_array
from ..errors import ConvergenceWarning, InvalidParameterError, warn_user
from ..series import Series, as_dataset, as_series
from ..spec.admission import warn_of_doubts
from ..spec.bound import BoundMetric, Metric, get_metric, metric_comes_last
from ..spec.result import GradBatch
from .blas import one_blas_thread
from .workers import Workers, Workload

# The least mass to start from, relative to the mean: a logarithm cannot start at zero, nor move far from it.
_LEAST_MASS = 1e-3

# Series whose gradients are one task.
_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Barycenter:
    """What :func:`barycenter` found.

    Parameters
    ----------
    values : array of shape (T, d)
        The barycenter.
    objective : float
        The weighted mean of the metric between the barycenter and the series.
    converged : bool
        Whether the optimiser met its tolerance.
    n_iter : int
        Steps of the optimiser.
    message : str
        Why it stopped.
    """

    values: FloatArray
    objective: float
    converged: bool
    n_iter: int
    message: str


@in_any_host
def barycenter(
    X: Any,
    metric: Metric = "softdtw",
    *,
    weights: npt.ArrayLike | None = None,
    init: npt.ArrayLike | int | None = None,
    max_iter: int = 200,
    tol: float = 1e-6,
    n_jobs: int | None = None,
    metric_params: Mapping[str, Any] | None = None,
    **params: Any,
) -> Barycenter:
    """The series that minimises its weighted mean distance to a set of series, by L-BFGS.

    The problem is not convex: the result is a local minimum near ``init``. Under a metric of histograms the search is
    over the logarithms of their masses, so that every mass of the barycenter is positive.

    Parameters
    ----------
    X : sequence of series, or array of shape (n, T) or (n, T, d)
        Lengths may differ where the metric allows.
    metric : str, MetricSpec or BoundMetric, default "softdtw"
        A differentiable metric.
    weights : array_like of shape (n,), optional
        Non-negative; only their proportions matter. By default all are equal.
    init : array_like of shape (T,) or (T, d), or int, optional
        Where to start, which also fixes the length of the barycenter; or its length. By default the mean of the
        series, each first stretched to their median length.
    max_iter : int, default 200
        Limit of L-BFGS steps; at 0 the result is ``init``.
    tol : float, default 1e-6
        Largest entry of the gradient (in the logarithms of masses), relative to the largest at the start, at which to
        stop. The steps do not depend on the unit of the data.
    n_jobs : int, optional
        Workers, as joblib counts them, which share the series of every step. The result does not depend on them.
    metric_params : mapping, optional
        Parameters of the metric whose names are taken here, such as its own ``max_iter`` and ``tol``.
    **params
        The other parameters of the metric.

    Returns
    -------
    Barycenter

    Raises
    ------
    InvalidSeriesError
        If a series cannot be used.
    InvalidParameterError
        If a parameter of the metric, ``weights``, ``init``, ``max_iter`` or ``tol`` cannot be used.
    NotImplementedError
        If the metric has no gradient at these parameters.
    FloatingPointError
        If a value or a gradient on the way is not finite.

    Warns
    -----
    ConvergenceWarning
        Once, if a gradient on the way was not solved to its tolerance.

    References
    ----------
    Cuturi, Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017, section 3.1.

    Examples
    --------
    >>> import stotmetrics
    >>> center = stotmetrics.barycenter([[0.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0]], gamma=0.1, init=3)
    >>> center.converged, center.values.shape
    (True, (3, 1))
    """
    metric_comes_last("barycenter(X, metric={})", X)
    bound = get_metric(metric, **{**(metric_params or {}), **params})
    bound.require_gradient()
    series = [bound.accept(one, f"X[{k}]") for k, one in enumerate(as_dataset(X))]
    warn_of_doubts(series, bound.traits, bound.name)
    shares = _shares(weights, len(series))
    max_iter, tol = _limits(max_iter, tol)
    start = _start(init, series, shares)
    workers = Workers(Workload(bound, series), n_jobs)
    with one_blas_thread():
        workers.prepare()
        search = _Search(bound, series, shares, start, workers)
        found, scale = search.run(max_iter, tol)
    if search.failed:
        warn_user(
            f"{bound.name} did not converge for {search.failed} gradients on the way; raise its max_iter or tol, "
            "as in metric_params={'max_iter': ...}",
            ConvergenceWarning,
        )
    # Without a stop on the value, the line search may end at the last digit before the gradient meets its tolerance.
    slope = float(np.abs(found.slope).max())
    return Barycenter(
        values=search.point(found.at),
        objective=found.value,
        converged=found.success or slope <= tol * scale,
        n_iter=found.n_iter,
        message=found.message,
    )


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Where the search ended: coordinates, value, slope."""

    at: FloatArray
    value: float
    slope: FloatArray
    success: bool = False
    n_iter: int = 0
    message: str = "no step was asked for, or the start has no slope"


class _Search:
    """The weighted mean of a metric to a set of series, as a function of coordinates without a unit.

    They are the logarithms of masses, or the values as multiples of the ``unit`` of the data from the start on: L-BFGS
    takes its first step from the coordinates as they are, and so would take another one in another unit.
    """

    def __init__(
        self, bound: BoundMetric, series: Sequence[Series], shares: FloatArray, start: FloatArray, workers: Workers
    ) -> None:
        self.shares, self.shape, self.workers = shares, start.shape, workers
        self.masses = bound.traits.needs_mass
        self.origin = np.maximum(start, _LEAST_MASS * start.mean()) if self.masses else start
        self.unit = 1.0 if self.masses else _unit(series, start)
        self.start = np.zeros(start.size)
        self.failed = 0

    def point(self, at: FloatArray) -> FloatArray:
        """The series at some coordinates."""
        moved = at.reshape(self.shape)
        return np.ascontiguousarray(self.origin * np.exp(moved) if self.masses else self.origin + self.unit * moved)

    def value_and_slope(self, at: FloatArray) -> tuple[float, FloatArray]:
        """The objective, and its derivatives in the coordinates."""
        point, count = self.point(at), len(self.shares)
        spans = [(point, k, min(k + _TOGETHER, count)) for k in range(0, count, _TOGETHER)]
        parts = dict(self.workers.run(_slopes, spans, len(spans)))
        # Summed in the order of the series, so that the result does not depend on the workers.
        slope, value = np.zeros(self.shape), 0.0
        for first, batch in sorted(parts.items()):
            assert batch.left is not None
            for share, own in zip(self.shares[first:], batch.left):
                slope += share * own
            value += float(self.shares[first : first + len(batch.values)] @ batch.values)
            if batch.converged is not None:
                self.failed += int((~batch.converged).sum())
        return value, (slope * (point if self.masses else self.unit)).ravel()

    def run(self, max_iter: int, tol: float) -> tuple[_Stopped, float]:
        """Where the search ends, and the largest slope at its start."""
        value, slope = self.value_and_slope(self.start)
        scale = float(np.abs(slope).max())
        if max_iter == 0 or scale == 0.0:
            return _Stopped(self.start, value, slope), scale
        return self.minimise(scale, max_iter, tol), scale

    def minimise(self, scale: float, max_iter: int, tol: float) -> _Stopped:
        """L-BFGS on the objective in the unit in which the largest slope at the start is 1."""

        def in_unit(at: FloatArray) -> tuple[float, FloatArray]:
            value, slope = self.value_and_slope(at)
            return value / scale, slope / scale

        found = minimize(
            in_unit,
            self.start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iter, "maxfun": 20 * max_iter, "gtol": tol, "ftol": 0.0},
        )
        return _Stopped(
            found.x,
            float(found.fun) * scale,
            found.jac * scale,
            bool(found.success),
            int(found.nit),
            str(found.message),
        )


def _slopes(load: Workload, point: FloatArray, start: int, stop: int) -> tuple[int, GradBatch]:
    """Values and gradients in the point, which is the left series, of some of the series."""
    series = load.prepared(0)
    left = load.metric.prepare(Series(np.ascontiguousarray(point), frame_shape=load.series(0)[0].frame_shape))
    rows, cols = np.zeros(stop - start, dtype=np.intp), np.arange(start, stop, dtype=np.intp)
    return start, load.metric.gradients([left], series, rows, cols, "left")


def _unit(series: Sequence[Series], start: FloatArray) -> float:
    """How far the values of the series are from those of the start, at most; 1 where they are all the same."""
    low, high = min(one.values.min() for one in series), max(one.values.max() for one in series)
    reach = float(max(high - start.min(), start.max() - low))
    return reach if 0.0 < reach < np.inf else 1.0


def _limits(max_iter: Any, tol: Any) -> tuple[int, float]:
    if not is_integer(max_iter) or max_iter < 0:
        raise InvalidParameterError(f"max_iter must be an integer >= 0; got {max_iter!r}")
    if isinstance(tol, (bool, np.bool_)) or not isinstance(tol, numbers.Real) or not 0 <= tol < math.inf:
        raise InvalidParameterError(f"tol must be a number >= 0; got {tol!r}")
    return int(max_iter), float(tol)


def _shares(weights: npt.ArrayLike | None, n: int) -> FloatArray:
    if weights is None:
        return np.full(n, 1.0 / n)
    shares = real_array(weights, "weights")
    if shares.shape != (n,) or not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise InvalidParameterError(
            f"weights must be {n} non-negative numbers, not all zero, one for each series; got {weights!r}"
        )
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _start(init: npt.ArrayLike | int | None, series: Sequence[Series], shares: FloatArray) -> FloatArray:
    if init is not None and not isinstance(init, (int, np.integer)):
        start = as_series(init, name="init").values
        if start.shape[1] != series[0].dim:
            raise InvalidParameterError(
                f"init must have as many dimensions as the series, {series[0].dim}; got {start.shape[1]}"
            )
        return start.copy()
    length = int(np.median([len(one) for one in series])) if init is None else int(init)
    if length < 1 or isinstance(init, bool):
        raise InvalidParameterError(f"init must be a series or its length >= 1; got {init!r}")
    return np.asarray(sum(share * _stretch(one.values, length) for share, one in zip(shares, series, strict=True)))


def _stretch(values: FloatArray, length: int) -> FloatArray:
    """Linear interpolation at ``length`` equally spaced places from the first row to the last."""
    places = np.linspace(0, len(values) - 1, length)
    return np.stack([np.interp(places, np.arange(len(values)), column) for column in values.T], axis=1)
