"""tslearn's own functions on the kernels of this package, with tslearn's units and results.

Each function here takes the one it stands in for, and gives way to it for whatever it does not serve: other backends,
constraints of other conventions, and series that this package refuses.
"""

import math
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from tslearn.backend import instantiate_backend
from tslearn.utils import to_time_series

from ..api import pairwise
from ..arrays import finite_array, real_array
from ..kernels import _softdtw
from ..metrics.dtw_bounds import radius_of
from ..metrics.softdtw import softdtw_from_cost
from ..metrics.value_costs import squared_euclidean, squared_euclidean_vjp
from ..series import Series, as_series
from ..spec.bound import BoundMetric, get_metric
from ..spec.prepared import PreparedSet
from ._tslearn_inputs import Function, NotServedError, band_of, by_time, is_numpy, smoothing

_NUMPY = instantiate_backend("numpy")


def giving_way(stand_in: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Let tslearn answer what the stand-in does not serve or refuses: its errors stay its own."""

    @wraps(stand_in)
    def make(original: Function) -> Function:
        served = stand_in(original)

        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return served(*args, **kwargs)
            except (ValueError, FloatingPointError):
                return original(*args, **kwargs)

        return call

    return make


def _two(s1: Any, s2: Any, be: Any) -> list[Any]:
    if not is_numpy(be, s1, s2):
        raise NotServedError
    return [Series(as_series(to_time_series(s, remove_nans=True, be=_NUMPY)).values) for s in (s1, s2)]


def _pair(name: str) -> Callable[[Function], Function]:
    @giving_way
    def make(original: Function) -> Function:
        def function(
            s1: Any,
            s2: Any,
            gamma: float = 1.0,
            global_constraint: Any = None,
            sakoe_chiba_radius: Any = None,
            itakura_max_slope: Any = None,
            be: Any = None,
        ) -> float:
            x, y = _two(s1, s2, be)
            band = band_of(global_constraint, sakoe_chiba_radius, itakura_max_slope, {len(x), len(y)})
            return np.float64(get_metric(name, gamma=smoothing(gamma), band=band)(x, y))

        return function

    return make


soft_dtw = _pair("softdtw")
soft_dtw_normalized = _pair("softdtw_divergence")


@giving_way
def dtw(original: Function) -> Function:
    """``tslearn.metrics.dtw``: a square root."""

    def function(
        s1: Any,
        s2: Any,
        global_constraint: Any = None,
        sakoe_chiba_radius: Any = None,
        itakura_max_slope: Any = None,
        be: Any = None,
    ) -> float:
        x, y = _two(s1, s2, be)
        band = band_of(global_constraint, sakoe_chiba_radius, itakura_max_slope, {len(x), len(y)})
        return np.float64(get_metric("dtw", squared=False, band=band)(x, y))

    return function


@giving_way
def soft_dtw_alignment(original: Function) -> Function:
    """``tslearn.metrics.soft_dtw_alignment``."""

    def function(
        s1: Any,
        s2: Any,
        gamma: float = 1.0,
        global_constraint: Any = None,
        sakoe_chiba_radius: Any = None,
        itakura_max_slope: Any = None,
        be: Any = None,
    ) -> tuple[Any, float]:
        x, y = _two(s1, s2, be)
        band = band_of(global_constraint, sakoe_chiba_radius, itakura_max_slope, {len(x), len(y)})
        metric = get_metric("softdtw", gamma=smoothing(gamma), band=band)
        x, y = metric.accept_pair(x, y)
        # Both at once: a Result finds an alignment when it is asked for, after the value.
        cost = squared_euclidean(x.values, y.values)
        value, alignment = _softdtw.value_and_alignment(cost, metric.params.gamma, radius_of(band))
        if not math.isfinite(value):
            raise NotServedError
        return alignment, np.float64(value)

    return function


def _matrix(
    dataset1: Any, dataset2: Any, constraint: tuple[Any, Any, Any], n_jobs: Any, verbose: Any, be: Any, bind: Function
) -> Any:
    if not is_numpy(be, dataset1, dataset2):
        raise NotServedError
    left = by_time(dataset1)
    right = None if dataset2 is None else by_time(dataset2)
    band = band_of(*constraint, {len(series) for series in [*left, *(right or [])]})
    return pairwise(left, right, bind(band), n_jobs=n_jobs, progress=bool(verbose))


def _soft_matrix(name: str) -> Callable[[Function], Function]:
    @giving_way
    def make(original: Function) -> Function:
        def function(
            dataset1: Any,
            dataset2: Any = None,
            gamma: float = 1.0,
            global_constraint: Any = None,
            sakoe_chiba_radius: Any = None,
            itakura_max_slope: Any = None,
            n_jobs: Any = None,
            verbose: Any = 0,
            be: Any = None,
        ) -> Any:
            width = smoothing(gamma)
            constraint = (global_constraint, sakoe_chiba_radius, itakura_max_slope)

            def bind(band: int | None) -> BoundMetric:
                return get_metric(name, gamma=width, band=band)

            return _matrix(dataset1, dataset2, constraint, n_jobs, verbose, be, bind)

        return function

    return make


cdist_soft_dtw = _soft_matrix("softdtw")
cdist_soft_dtw_normalized = _soft_matrix("softdtw_divergence")


@giving_way
def cdist_dtw(original: Function) -> Function:
    """``tslearn.metrics._cdist_dtw``: square roots."""

    def function(
        dataset1: Any,
        dataset2: Any = None,
        global_constraint: Any = None,
        sakoe_chiba_radius: Any = None,
        itakura_max_slope: Any = None,
        n_jobs: Any = None,
        verbose: Any = 0,
        be: Any = None,
    ) -> Any:
        def bind(band: int | None) -> BoundMetric:
            return get_metric("dtw", squared=False, band=band)

        constraint = (global_constraint, sakoe_chiba_radius, itakura_max_slope)
        return _matrix(dataset1, dataset2, constraint, n_jobs, verbose, be, bind)

    return function


@giving_way
def barycenter_objective(original: Function) -> Function:
    """What ``softdtw_barycenter`` minimises: tslearn's optimiser goes its own way on our values and gradients."""

    def function(
        Z: Any,
        X: Any,
        weights: Any,
        gamma: float,
        global_constraint: Any = 0,
        sakoe_chiba_radius: Any = None,
        itakura_max_slope: Any = None,
        n_jobs: Any = None,
    ) -> tuple[float, Any]:
        band = band_of(global_constraint, sakoe_chiba_radius, itakura_max_slope, set())
        metric = get_metric("softdtw", gamma=smoothing(gamma), band=band)
        center = np.ascontiguousarray(Z.reshape(-1, X[0].shape[-1]))
        series = _series_of(X, metric)
        rows, cols = np.zeros(len(X), dtype=np.intp), np.arange(len(X), dtype=np.intp)
        batch = metric.gradients([metric.accept(center, "Z")], series, rows, cols, "left")
        weights = np.asarray(weights, dtype=np.float64)
        return float(weights @ batch.values), np.tensordot(weights, np.stack(batch.left or []), axes=1).ravel()

    return function


# The set whose barycenter a thread looks for: its objective is asked for at every step.
_search = threading.local()


def barycenter(original: Function) -> Function:
    """``softdtw_barycenter``: tslearn's own, whose objective reads the series once and not at every step."""

    @wraps(original)
    def softdtw_barycenter(*args: Any, **kwargs: Any) -> Any:
        outer, _search.read = getattr(_search, "read", None), {}
        try:
            return original(*args, **kwargs)
        finally:
            _search.read = outer

    return softdtw_barycenter


def _series_of(X: Any, metric: BoundMetric) -> PreparedSet:
    read = getattr(_search, "read", None)
    series: PreparedSet | None = None if read is None else read.get(id(X))
    if series is None:
        series = metric.prepare_all([metric.accept(x, "X") for x in X])
        if read is not None:
            read[id(X)] = series
    return series


@giving_way
def cost_value(original: Function) -> Function:
    """``tslearn.metrics.SoftDTW.compute``."""

    def compute(self: Any) -> float:
        vars(self).pop("_of_stotmetrics", None)
        if not self.be.is_numpy:
            raise NotServedError
        result = softdtw_from_cost(self.D, gamma=smoothing(self.gamma))
        self._of_stotmetrics = result
        self.R_[self.D.shape] = result.value
        self.computed = True
        return np.float64(result.value)

    return compute


@giving_way
def squared_costs(original: Function) -> Function:
    """``tslearn.metrics.SquaredEuclidean.compute``."""

    def compute(self: Any) -> Any:
        if not self.be.is_numpy or self.X.shape[1] != self.Y.shape[1]:
            raise NotServedError
        return squared_euclidean(finite_array(self.X, "X", 2), finite_array(self.Y, "Y", 2))

    return compute


@giving_way
def squared_product(original: Function) -> Function:
    """``tslearn.metrics.SquaredEuclidean.jacobian_product``: the gradient in the first series."""

    def jacobian_product(self: Any, E: Any) -> Any:
        if not self.be.is_numpy or np.shape(E) != (len(self.X), len(self.Y)):
            raise NotServedError
        weights = real_array(E, "E")
        return squared_euclidean_vjp(finite_array(self.X, "X", 2), finite_array(self.Y, "Y", 2), weights)[0]

    return jacobian_product


def cost_gradient(original: Function) -> Function:
    """``tslearn.metrics.SoftDTW.grad``: the expected alignment, found together with the value."""

    @wraps(original)
    def grad(self: Any) -> Any:
        result = getattr(self, "_of_stotmetrics", None)
        return original(self) if result is None else result.alignment

    return grad
