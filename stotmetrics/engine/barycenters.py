"""The barycenter of a set of series under a differentiable metric."""

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from ..arrays import FloatArray, in_any_host, is_integer, real_array
from ..errors import ConvergenceWarning, InvalidParameterError, warn_user
from ..series import Series
from ..series_sets import as_dataset
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
        Whether the gradient met its tolerance.
    n_iter : int
        Steps of the optimiser.
    message : str
        Why it stopped.
    times : array of shape (T,), optional
        Its times, for a metric that uses them, where the series or ``init`` have any; None: 0, 1, ..., T-1.
    """

    values: FloatArray
    objective: float
    converged: bool
    n_iter: int
    message: str
    times: FloatArray | None = None


@in_any_host
def barycenter(
    X: Any,
    metric: Metric = "softdtw",
    *,
    weights: npt.ArrayLike | None = None,
    init: npt.ArrayLike | Series | int | None = None,
    max_iter: int = 200,
    tol: float = 1e-6,
    n_jobs: int | None = None,
    metric_params: Mapping[str, Any] | None = None,
    **params: Any,
) -> Barycenter:
    """The series that minimises its weighted mean distance to a set of series, by L-BFGS.

    The problem is not convex: the result is a local minimum near ``init``. Under a metric of histograms the search is
    over the logarithms of their masses, so that every mass of the barycenter is positive. Where the metric has kinks,
    as ``tiot`` and ``taot`` without epsilon, the search may end at one, and says that it has not converged.

    Parameters
    ----------
    X : sequence of series, or array of shape (n, T) or (n, T, d)
        Lengths may differ where the metric allows.
    metric : str, MetricSpec or BoundMetric, default "softdtw"
        A differentiable metric.
    weights : array_like of shape (n,), optional
        Non-negative; only their proportions matter. By default all are equal.
    init : array_like of shape (T,) or (T, d), Series, or int, optional
        Where to start, which also fixes the length of the barycenter; or its length. By default the mean of the
        series, each first stretched to their median length. Its times, if it is a Series that has any, are those of the
        barycenter; otherwise the times of the series are averaged like their values. Its weights stay as well.
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
    series = [bound.accept(member, f"X[{k}]") for k, member in enumerate(as_dataset(X))]
    warn_of_doubts(series, bound.traits, bound.name)
    shares = _shares(weights, len(series))
    max_iter, tol = _limits(max_iter, tol)
    start = _start(init, series, shares, bound)
    with one_blas_thread():
        search = _Search(bound, series, shares, start, n_jobs)
        value, slopes = search.value_and_slope(search.start)
        scale = float(np.abs(slopes).max())
        # A slope that is lost in the rounding of the objective leads nowhere: no line search could see what it gains.
        if max_iter == 0 or scale <= np.finfo(np.float64).eps * abs(value):
            end = _Stopped(search.start, value, slopes)
        else:
            end = search.minimise(scale, max_iter, tol)
    if search.failed:
        warn_user(
            f"{bound.name} did not converge for {search.failed} gradients on the way; raise its max_iter or tol, "
            "as in metric_params={'max_iter': ...}",
            ConvergenceWarning,
        )
    return Barycenter(
        values=search.point(end.at),
        objective=end.value,
        # The optimiser also calls it a success when the last digit of the value stands still, as next to a kink.
        converged=float(np.abs(end.slope).max()) <= tol * scale,
        n_iter=end.n_iter,
        message=end.message,
        times=start.times if start.has_times else None,
    )


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Where the search ended: coordinates, value, slope."""

    at: FloatArray
    value: float
    slope: FloatArray
    n_iter: int = 0
    message: str = "no step was asked for, or the start has no slope above the rounding of the objective"


class _Search:
    """The weighted mean of a metric to a set of series, as a function of coordinates without a unit.

    They are the logarithms of masses, or the values as multiples of the ``unit`` of the data from the start on: L-BFGS
    takes its first step from the coordinates as they are, and so would take another one in another unit.
    """

    def __init__(
        self, bound: BoundMetric, series: Sequence[Series], shares: FloatArray, start: Series, n_jobs: int | None
    ) -> None:
        self.shares, self.like = shares, start
        self.masses = bound.traits.needs_mass
        values = start.values
        self.origin = np.maximum(values, _LEAST_MASS * values.mean()) if self.masses else values
        self.unit = 1.0 if self.masses else _unit(series, values)
        self.start = np.zeros(values.size)
        self.failed = 0
        self.workers = Workers(Workload(bound, series), n_jobs)
        self.workers.prepare()

    def point(self, at: FloatArray) -> FloatArray:
        """The series at some coordinates."""
        moved = at.reshape(self.origin.shape)
        return np.ascontiguousarray(self.origin * np.exp(moved) if self.masses else self.origin + self.unit * moved)

    def value_and_slope(self, at: FloatArray) -> tuple[float, FloatArray]:
        """The objective, and its derivatives in the coordinates."""
        point = self.point(at)
        left = _with_values(self.like, point)
        spans = [(left, k, min(k + _TOGETHER, len(self.shares))) for k in range(0, len(self.shares), _TOGETHER)]
        parts = dict(self.workers.run(_slopes, spans, len(spans)))
        # Summed in the order of the series, so that the result does not depend on the workers.
        slope, value = np.zeros(point.shape), 0.0
        for first, batch in sorted(parts.items()):
            assert batch.left is not None
            shares = self.shares[first : first + len(batch.values)]
            for share, own in zip(shares, batch.left, strict=True):
                slope += share * own
            value += float(shares @ batch.values)
            if batch.converged is not None:
                self.failed += int((~batch.converged).sum())
        return value, (slope * (point if self.masses else self.unit)).ravel()

    def minimise(self, scale: float, max_iter: int, tol: float) -> _Stopped:
        """L-BFGS on the objective in the unit in which the largest slope at the start is 1."""

        best: list[_Stopped] = []

        def in_unit(at: FloatArray) -> tuple[float, FloatArray]:
            value, slope = self.value_and_slope(at)
            if not best or value < best[-1].value:
                best[:] = [*best[:1], _Stopped(at.copy(), value, slope)]
            return value / scale, slope / scale

        solution = minimize(
            in_unit,
            self.start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iter, "maxfun": 20 * max_iter, "gtol": tol, "ftol": 0.0},
        )
        value, slopes = float(solution.fun) * scale, solution.jac * scale
        end = _Stopped(solution.x, value, slopes, int(solution.nit), str(solution.message))
        # At a kink the line search may give up above where it started.
        return end if end.value <= best[0].value else replace(best[-1], n_iter=end.n_iter, message=end.message)


def _slopes(load: Workload, point: Series, start: int, stop: int) -> tuple[int, GradBatch]:
    """Values and gradients in the point, which is the left series, of some of the series."""
    rows, cols = np.zeros(stop - start, dtype=np.intp), np.arange(start, stop, dtype=np.intp)
    return start, load.metric.gradients([load.metric.prepare(point)], load.prepared(0), rows, cols, "left")


def _unit(series: Sequence[Series], start: FloatArray) -> float:
    """How far the values of the series are from those of the start, at most; 1 where they are all the same."""
    low, high = min(member.values.min() for member in series), max(member.values.max() for member in series)
    reach = float(max(high - start.min(), start.max() - low))
    return reach if 0.0 < reach < np.inf else 1.0


def _limits(max_iter: Any, tol: Any) -> tuple[int, float]:
    if not is_integer(max_iter) or max_iter < 0:
        raise InvalidParameterError(f"max_iter must be an integer >= 0; got {max_iter!r}")
    if isinstance(tol, (bool, np.bool_)) or not isinstance(tol, numbers.Real) or not 0 <= float(tol) < math.inf:
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


def _start(
    init: npt.ArrayLike | Series | int | None, series: Sequence[Series], shares: FloatArray, metric: BoundMetric
) -> Series:
    """Where to start: values, and the times and weights that the barycenter keeps."""
    shape = series[0].frame_shape
    if init is not None and not isinstance(init, (int, np.integer)):
        given = metric.accept(init, "init")
        if given.dim != series[0].dim:
            raise InvalidParameterError(
                f"init must have as many dimensions as the series, {series[0].dim}; got {given.dim}"
            )
        times = given.times if given.has_times else _mean_times(series, shares, len(given))
        return Series(given.values, times, given.weights if given.has_weights else None, shape)
    length = int(np.median([len(member) for member in series])) if init is None else int(init)
    if length < 1 or isinstance(init, bool):
        raise InvalidParameterError(f"init must be a series or its length >= 1; got {init!r}")
    return Series(_mean(series, shares, length), _mean_times(series, shares, length), None, shape)


def _with_values(series: Series, values: FloatArray) -> Series:
    times, weights = series.times if series.has_times else None, series.weights if series.has_weights else None
    return Series(values, times, weights, series.frame_shape)


def _mean(series: Sequence[Series], shares: FloatArray, length: int) -> FloatArray:
    stretched = (_stretch(member.values, length) for member in series)
    return np.asarray(sum(share * values for share, values in zip(shares, stretched, strict=True)))


def _mean_times(series: Sequence[Series], shares: FloatArray, length: int) -> FloatArray | None:
    """Increasing, as those of the series are; None where no series has times."""
    if not any(member.has_times for member in series):
        return None
    if all(np.array_equal(member.times, series[0].times) for member in series) and length == len(series[0]):
        return series[0].times
    # Around those of the first series: a large offset costs the differences no digits.
    origin = series[0].times[0]
    moved = [_stretch((member.times - origin)[:, None], length)[:, 0] for member in series]
    return np.asarray(origin + sum(share * times for share, times in zip(shares, moved, strict=True)))


def _stretch(values: FloatArray, length: int) -> FloatArray:
    """Linear interpolation at ``length`` equally spaced places from the first row to the last."""
    places = np.linspace(0, len(values) - 1, length)
    return np.stack([np.interp(places, np.arange(len(values)), column) for column in values.T], axis=1)
