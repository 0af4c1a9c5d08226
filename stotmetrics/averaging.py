"""The barycenter of a set of series under a differentiable metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from .api import Metric, get_metric
from .arrays import real_array
from .errors import InvalidParameterError
from .result import FloatArray
from .series import Series, as_dataset, as_series

# The least mass to start from, relative to the mean: a logarithm cannot start at zero, nor move far from it.
_LEAST_MASS = 1e-3


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


def barycenter(
    X: Any,
    metric: Metric = "softdtw",
    weights: npt.ArrayLike | None = None,
    init: npt.ArrayLike | int | None = None,
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
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
        Limit of L-BFGS steps.
    tol : float, default 1e-6
        Largest entry of the gradient (in the logarithms of masses), relative to the largest at the start, at which to
        stop.
    **params
        Parameters of the metric.

    Returns
    -------
    Barycenter

    Raises
    ------
    InvalidSeriesError
        If a series cannot be used.
    InvalidParameterError
        If a parameter of the metric, ``weights`` or ``init`` cannot be used.
    NotImplementedError
        If the metric has no gradient at these parameters.
    FloatingPointError
        If a gradient on the way is not finite.

    References
    ----------
    Cuturi, Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017, section 3.1.

    Examples
    --------
    >>> import stotmetrics
    >>> found = stotmetrics.barycenter([[0.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0]], gamma=0.1, init=3)
    >>> found.converged, found.values.shape
    (True, (3, 1))
    """
    bound = get_metric(metric, **params)
    series = [bound.accept(one, f"X[{k}]") for k, one in enumerate(as_dataset(X))]
    shares = _shares(weights, len(series))
    start = _start(init, series, shares)
    prepared = [bound.prepare(one) for one in series]
    rows, cols = np.zeros(len(series), dtype=np.intp), np.arange(len(series), dtype=np.intp)
    masses = bound.traits.needs_mass
    if masses:
        start = np.log(np.maximum(start, _LEAST_MASS * start.mean()))

    def value_and_slope(flat: FloatArray) -> tuple[float, FloatArray]:
        point = flat.reshape(start.shape)
        point = np.exp(point) if masses else point
        left = bound.prepare(Series(np.ascontiguousarray(point), frame_shape=series[0].frame_shape))
        values, slopes, _ = bound.grad_block([left], prepared, rows, cols)
        slope = np.zeros(start.shape)
        for share, one in zip(shares, slopes, strict=True):
            slope += share * one
        value = float(shares @ values)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            raise FloatingPointError(f"{bound!r} has no finite gradient on the way; rescale the series, or raise gamma")
        return value, (slope * point if masses else slope).ravel()

    scale = max(float(np.abs(value_and_slope(start.ravel())[1]).max()), np.finfo(float).tiny)
    found = minimize(
        value_and_slope,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iter, "maxfun": 20 * max_iter, "gtol": tol * scale, "ftol": 0.0},
    )
    # Without a stop on the value, the line search may end at the last digit before the gradient meets its tolerance.
    slope = float(np.abs(found.jac).max())
    return Barycenter(
        values=np.exp(found.x.reshape(start.shape)) if masses else found.x.reshape(start.shape),
        objective=float(found.fun),
        converged=bool(found.success) or slope <= tol * scale,
        n_iter=int(found.nit),
        message=str(found.message),
    )


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
