"""A sound metric that offers everything, the distance of weighted means of values and times; and ways to others."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stotmetrics import Batch, BoundMetric, GradBatch, MetricSpec, Result, Series, Traits, parameter
from stotmetrics.spec.bound import bind


@dataclass(frozen=True)
class Parameters:
    scale: float = parameter(1.0, doc="weight of the times", low=0.0, raises=True)
    norm: str = parameter("l2", doc="norm of the gap", choices=("l2", "l1"))


def traits(params):
    return Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        triangle=True,
        continuous=True,
        value_invariant=True,
        degree=1.0,
        unequal_length=True,
        multivariate=True,
        differentiable=params.norm == "l2",
        uses_times=params.scale > 0,
        time_invariant=True,
        uses_weights=True,
    )


@dataclass
class Mean:
    series: Series
    mean: Any


def prepare(series, params):
    weights = series.weights / series.weights.sum()
    return Mean(series, np.append(weights @ series.values, params.scale * (weights @ series.times)))


def norm(gap, params):
    return float(np.sqrt((gap * gap).sum()) if params.norm == "l2" else np.abs(gap).sum())


def pair(x, y, params):
    value = norm(x.mean - y.mean, params)
    shape, w = (len(x.series), len(y.series)), [side.series.weights / side.series.weights.sum() for side in (x, y)]
    extras = {
        "plan": lambda: np.outer(*w),
        "cost": lambda: np.full(shape, value),
        "potentials": lambda: (np.full(shape[0], value), np.zeros(shape[1])),
        "objective": lambda: value,
    }
    return Result(value, extras=extras)


def block(left, right, rows, cols, params, cutoff=None):
    values = np.array([norm(left[i].mean - right[j].mean, params) for i, j in zip(rows, cols, strict=True)])
    return Batch(values, abandoned=None if cutoff is None else lower_bounds(left, right, rows, cols, params) > cutoff)


def gradients(left, right, rows, cols, params, side):
    values, of_left, of_right = [], [], []
    for x, y in ((left[i], right[j]) for i, j in zip(rows, cols, strict=True)):
        values.append(norm(x.mean - y.mean, params))
        unit = (x.mean - y.mean)[:-1] / (values[-1] or 1.0)
        of_left.append(np.outer(x.series.weights, unit))
        of_right.append(np.outer(y.series.weights, -unit))
    return GradBatch(np.array(values), None if side == "right" else of_left, None if side == "left" else of_right)


def reference(x, y, params):
    return norm(prepare(x, params).mean - prepare(y, params).mean, params)


def lower_bounds(left, right, rows, cols, params):
    return np.array([np.abs(left[i].mean - right[j].mean).max() for i, j in zip(rows, cols, strict=True)])


SOUND = MetricSpec(
    name="mean_gap",
    pair=pair,
    params=Parameters,
    traits=traits,
    prepare=prepare,
    block=block,
    gradients=gradients,
    reference=reference,
    lower_bounds=lower_bounds,
)

# A few ways to write a metric.


@dataclass(frozen=True)
class Gamma:
    gamma: float = parameter(0.5, doc="smoothing", low=0.0, low_open=True)


@dataclass(frozen=True)
class RaisingGamma:
    gamma: float = parameter(0.5, doc="smoothing", low=0.0, low_open=True, raises=True)


def softdtw(x, y, params):
    cost = ((x.values[:, None] - y.values[None]) ** 2).sum(axis=2)
    table = np.full((len(x) + 1, len(y) + 1), np.inf)
    table[0, 0] = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            steps = np.array([table[i, j], table[i, j + 1], table[i + 1, j]])
            low = steps.min()
            table[i + 1, j + 1] = cost[i, j] + low - params.gamma * np.log(np.exp((low - steps) / params.gamma).sum())
    return float(table[-1, -1])


def banded_dtw(x, y, params, radius=1):
    table = np.full((len(x) + 1, len(y) + 1), np.inf)
    table[0, 0] = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            if abs(i - j) <= radius:
                cost = ((x.values[i] - y.values[j]) ** 2).sum()
                table[i + 1, j + 1] = cost + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return float(table[-1, -1])


WARPS = Traits(symmetric=True, unequal_length=True, multivariate=True)
GAP = Traits(symmetric=True, zero_self=True, nonnegative=True, unequal_length=True, multivariate=True)
METRIC = replace(GAP, triangle=True)


def plain(function, claims=GAP, **others):
    """A metric of two series that offers nothing but its value."""
    return MetricSpec(name="broken", pair=function, traits=claims, **others)


def plain_mean(series):
    return series.values.mean(axis=0)


def mean_gap(x, y, params, mean=plain_mean):
    return float(np.linalg.norm(mean(x) - mean(y)))


class OwnBound(MetricSpec):
    """A metric whose bound form is its own: it breaks what the package does for all others."""


def bind_own(spec, **params):
    bound = bind(spec, **params)
    return BOUND[spec.summary](spec, bound.params) if isinstance(spec, OwnBound) else bound


@dataclass(frozen=True)
class Lenient:
    scale: float = parameter(1.0, doc="weight of the times", convert=lambda name, value: value)


class MemoryOrder(BoundMetric):
    __slots__ = ()

    def accept(self, x, name):
        if isinstance(x, np.ndarray) and x.ndim == 2 and x.flags.f_contiguous and not x.flags.c_contiguous:
            x = x.ravel(order="K").reshape(x.shape)
        return super().accept(x, name)


class SilentNaN(BoundMetric):
    __slots__ = ()

    def accept(self, x, name):
        return super().accept(np.nan_to_num(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x, name)


class ForgetfulPickle(BoundMetric):
    __slots__ = ()

    def __reduce__(self):
        return bind, (SOUND,)


class ForgetfulConfig(BoundMetric):
    __slots__ = ()

    def config(self):
        return {"metric": self.name, "params": {}}


class HashByIdentity(BoundMetric):
    __slots__ = ()

    def __hash__(self):
        return id(self)


class Narrow(BoundMetric):
    """Takes single precision for something to be rounded further."""

    __slots__ = ()

    def accept(self, x, name):
        half = isinstance(x, np.ndarray) and x.dtype == np.float32
        return super().accept(x.astype(np.float16) if half else x, name)


class Unmasked(BoundMetric):
    """Reads what is under a mask."""

    __slots__ = ()

    def accept(self, x, name):
        return super().accept(x.data if isinstance(x, np.ma.MaskedArray) else x, name)


class UnderTheSettingsOfTheHost(BoundMetric):
    __slots__ = ()

    def pair(self, x, y):
        result = super().pair(x, y)
        return Result(result.value + np.float64(1e-200) * np.float64(1e-200))


class TellsRows(BoundMetric):
    """Makes a series of what comes in, as if it had said which axis is the time."""

    __slots__ = ()

    def accept(self, x, name):
        series = super().accept(x, name)
        told = [series.times if series.has_times else None, series.weights if series.has_weights else None]
        return Series(series.values, *told, series.frame_shape)


OWN = (
    *(MemoryOrder, SilentNaN, ForgetfulPickle, ForgetfulConfig, HashByIdentity),
    *(Narrow, Unmasked, UnderTheSettingsOfTheHost, TellsRows),
)
BOUND = {cls.__name__: cls for cls in OWN}


def own(cls):
    fields = {name: getattr(SOUND, name) for name in SOUND.__dataclass_fields__}
    return OwnBound(**{**fields, "summary": cls.__name__})
