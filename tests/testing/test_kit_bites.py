"""For every check a metric that is broken on purpose: this check catches it, and no unrelated one does."""

import ctypes
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stotmetrics import Batch, BoundMetric, GradBatch, MetricSpec, Result, Series, Traits, parameter
from stotmetrics.spec.bound import bind
from stotmetrics.testing import check_metric, checks_interface, iter_checks, subject
from stotmetrics.testing.checks import CHECKS

# --- a sound metric that offers everything: the distance of the weighted means of values and times ---


@dataclass(frozen=True)
class Parameters:
    scale: float = parameter(1.0, doc="weight of the times", low=0.0)
    norm: str = parameter("l2", doc="norm of the gap", choices=("l2", "l1"))


def traits(params):
    return Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        triangle=True,
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
    return norm(x.mean - y.mean, params)


def block(left, right, rows, cols, params, cutoff=None):
    values = np.array([norm(left[i].mean - right[j].mean, params) for i, j in zip(rows, cols, strict=True)])
    return Batch(values, abandoned=None if cutoff is None else lower_bounds(left, right, rows, cols, params) > cutoff)


def gradients(left, right, rows, cols, params, side):
    values, of_left, of_right = [], [], []
    for x, y in ((left[i], right[j]) for i, j in zip(rows, cols, strict=True)):
        values.append(pair(x, y, params))
        unit = (x.mean - y.mean)[:-1] / values[-1]
        of_left.append(np.outer(x.series.weights, unit))
        of_right.append(np.outer(y.series.weights, -unit))
    return GradBatch(np.array(values), None if side == "right" else of_left, None if side == "left" else of_right)


def reference(x, y, params):
    return pair(prepare(x, params), prepare(y, params), params)


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

# --- a few ways to write a metric ---


@dataclass(frozen=True)
class Gamma:
    gamma: float = parameter(0.5, doc="smoothing", low=0.0, low_open=True)


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


BOUND = {cls.__name__: cls for cls in (MemoryOrder, SilentNaN, ForgetfulPickle, ForgetfulConfig, HashByIdentity)}


def own(cls):
    fields = {name: getattr(SOUND, name) for name in SOUND.__dataclass_fields__}
    return OwnBound(**{**fields, "summary": cls.__name__})


# --- what is broken ---


def nan_for_constants(x, y, params):
    plain_call = not (x.series.has_times or x.series.has_weights) and x.series.dim == 1
    if plain_call and len(x.series) == len(y.series) and np.ptp(x.series.values) == 0:
        return float("nan")
    return pair(x, y, params)


calls = SimpleNamespace(count=0)


def jitter(x, y, params):
    calls.count += 1
    return pair(x, y, params) * (1 + 1e-14 * (calls.count % 2))


def negating_prepare(series, params):
    found = prepare(series, params)
    # As compiled code can, whatever NumPy says about the array.
    memory = (ctypes.c_double * series.values.size).from_address(series.values.ctypes.data)
    np.frombuffer(memory)[...] *= -1
    return found


def float32_mean_gap(x, y, params):
    return float(np.abs(x.values.astype(np.float32).mean() - y.values.astype(np.float32).mean()))


def absolute_softdtw(x, y, params):
    return abs(softdtw(x, y, params))


def scalar_only(x, y, params):
    return abs(sum(v.item() for v in x.values) / len(x) - sum(v.item() for v in y.values) / len(y))


def first_mean(series):
    return series.values[:, 0].mean()


def own_clock(series):
    times = series.times if series.has_times else np.linspace(0, 1, len(series))
    return np.append(series.values.mean(axis=0), times.mean())


def own_weights(series):
    weights = series.weights if series.has_weights else np.ones(len(series))
    return weights @ series.values


def unweighted_block(left, right, rows, cols, params, cutoff=None):
    plain_means = [[prepare(Series(m.series.values, m.series.times), params) for m in side] for side in (left, right)]
    return block(*plain_means, rows, cols, params, cutoff)


def centred_block(left, right, rows, cols, params, cutoff=None):
    centre = sum(left[i].mean for i in rows) / len(rows)
    moved = [[Mean(m.series, m.mean - centre) for m in side] for side in (left, right)]
    return block(*moved, rows, cols, params, cutoff)


class Ring(threading.local):
    def __init__(self):
        self.buffers = [np.zeros(1) for _ in range(8)]
        self.next = 0


ring = Ring()


def ring_prepare(series, params):
    ring.next = (ring.next + 1) % len(ring.buffers)
    ring.buffers[ring.next][0] = series.values.mean()
    return ring.buffers[ring.next]


def ring_gap(x, y, params):
    return abs(float(x[0] - y[0]))


def thread_bound(x, y, params):
    here = threading.current_thread() is threading.main_thread()
    return mean_gap(x, y, params) * (1.0 if here else 1 + 1e-13)


scratch = np.zeros(1)


def shared_scratch(x, y, params):
    scratch[0] = pair(x, y, params)
    time.sleep(1e-4)
    return float(scratch[0])


def leaning(x, y, params):
    gap = float(x.values.mean() - y.values.mean())
    return abs(gap) + 0.1 * max(gap, 0.0)


def massless_divergence(x, y, params, epsilon=0.5, rho=1.0):
    """Unbalanced transport of frames with KL(P | a x b), debiased without + epsilon/2 (m(a) - m(b))^2."""

    def value(a, b):
        kernel = np.exp(-((np.arange(len(a))[:, None] - np.arange(len(b))) ** 2) / epsilon) * np.outer(a, b)
        u, v = np.ones(len(a)), np.ones(len(b))
        power = rho / (rho + epsilon)
        for _ in range(60):
            u = np.divide(a, kernel @ v, out=np.zeros_like(a), where=a > 0) ** power
            v = np.divide(b, kernel.T @ u, out=np.zeros_like(b), where=b > 0) ** power
        plan = u[:, None] * kernel * v
        return rho * (a.sum() + b.sum()) + epsilon * a.sum() * b.sum() - (epsilon + 2 * rho) * plan.sum()

    return sum(
        float(value(a, b) - (value(a, a) + value(b, b)) / 2) for a, b in zip(x.values, y.values, strict=True)
    ) / len(x)


def wavy(series):
    return np.cos(series.times) @ series.values


def zeroed_diagonal(x, y, params):
    same = x.values.shape == y.values.shape and (x.values == y.values).all()
    return 0.0 if same else softdtw(x, y, params)


def half_gradients(left, right, rows, cols, params, side):
    batch = gradients(left, right, rows, cols, params, side)
    return replace(batch, right=None if batch.right is None else [slope / 2 for slope in batch.right])


def gradients_of_the_first(left, right, rows, cols, params, side):
    batch = gradients(left, right, rows, cols, params, side)
    return replace(batch, left=None if batch.left is None else batch.left[:1] * len(rows))


def hasty(left, right, rows, cols, params, cutoff=None):
    batch = block(left, right, rows, cols, params)
    return replace(batch, abandoned=None if cutoff is None else batch.values > 0.7 * cutoff)


def spin_holding_the_lock(x, y, params):
    # Lists throughout: NumPy gives the lock away while it adds up a long array.
    total = 0.0
    for value in range(50_000):
        total += value
    return abs(sum(x.values[:, 0].tolist()) / len(x) - sum(y.values[:, 0].tolist()) / len(y))


def spread_gap(x, y, params):
    """Blind to an offset: 0 between x and x + 1."""
    return abs(float(np.ptp(x.values) - np.ptp(y.values)))


def bounds_from_the_end(left, right, rows, cols, params):
    return lower_bounds(left, right, rows, cols, params)[::-1]


def high_bounds(left, right, rows, cols, params):
    return 1.01 * block(left, right, rows, cols, params).values + 0.01


def first_path(series):
    """The mean over time of the first path."""
    d = 1 if series.frame_shape is None else series.frame_shape[1]
    return series.values[:, :d].mean(axis=0)


TIMED = replace(METRIC, uses_times=True)
PATHS = replace(METRIC, compares_paths=True, unequal_length=False)


@dataclass(frozen=True)
class Broken:
    """A broken metric, the check that catches it, and those that see the same fault from elsewhere."""

    what: str
    spec: MetricSpec
    check: str
    also: frozenset[str] = field(default=frozenset())


def matrix_checks() -> frozenset[str]:
    return frozenset({"pairwise_is_the_block", "pairwise_ignores_workers_and_tiles"})


TABLE = [
    Broken("NaN for constant series", replace(SOUND, pair=nan_for_constants), "finite_value"),
    Broken("rounding that alternates", replace(SOUND, pair=jitter), "deterministic"),
    Broken("negates its input in place", replace(SOUND, prepare=negating_prepare), "inputs_untouched"),
    Broken("float32 inside", plain(float32_mean_gap, replace(GAP, multivariate=False)), "double_precision"),
    Broken(
        "absolute value of soft-DTW",
        plain(absolute_softdtw, WARPS, params=Gamma, reference=softdtw),
        "agrees_with_reference",
    ),
    Broken("a band that is infeasible", plain(banded_dtw), "unequal_lengths"),
    Broken("fails for several dimensions", plain(scalar_only, METRIC), "several_dimensions"),
    Broken(
        "looks at one dimension",
        plain(partial(mean_gap, mean=first_mean), METRIC),
        "every_dimension_matters",
    ),
    Broken("a clock of its own", plain(partial(mean_gap, mean=own_clock), TIMED), "given_times"),
    Broken("ignores times", plain(mean_gap, TIMED), "times_matter"),
    Broken(
        "weights that are not 1/T by default",
        plain(partial(mean_gap, mean=own_weights), replace(METRIC, uses_weights=True)),
        "given_weights",
    ),
    Broken("ignores weights", plain(mean_gap, replace(METRIC, uses_weights=True)), "weights_matter"),
    Broken("reads memory in its own order", own(MemoryOrder), "any_array_will_do"),
    Broken("silent NaN", own(SilentNaN), "bad_series_are_refused"),
    Broken(
        "takes any value of a parameter",
        plain(mean_gap, METRIC, params=Lenient),
        "bad_parameters_are_refused",
    ),
    Broken("pickles without its parameters", own(ForgetfulPickle), "pickles"),
    Broken("config without its parameters", own(ForgetfulConfig), "config_round_trips"),
    Broken("hash by identity", own(HashByIdentity), "equality_and_hash"),
    Broken("a block without weights", replace(SOUND, block=unweighted_block), "block_is_the_loop"),
    Broken("a block centred on itself", replace(SOUND, block=centred_block), "block_ignores_company", matrix_checks()),
    Broken(
        "a preparation that reuses its buffers",
        plain(ring_gap, replace(METRIC, multivariate=False), prepare=ring_prepare),
        "pairwise_is_the_block",
    ),
    Broken("rounding that depends on the thread", plain(thread_bound, METRIC), "pairwise_ignores_workers_and_tiles"),
    Broken("a workspace shared by all threads", replace(SOUND, pair=shared_scratch), "threads_agree"),
    Broken("leans to one side", plain(leaning, replace(METRIC, multivariate=False)), "symmetry"),
    Broken(
        "soft-DTW with a claim to zero",
        plain(softdtw, replace(WARPS, zero_self=True), params=Gamma),
        "zero_on_the_diagonal",
    ),
    Broken(
        "soft-DTW with a claim to be positive",
        plain(softdtw, replace(WARPS, nonnegative=True), params=Gamma),
        "nonnegativity",
    ),
    Broken(
        "divergence without its mass term",
        plain(massless_divergence, replace(GAP, needs_mass=True, unequal_length=False)),
        "nonnegativity",
    ),
    Broken(
        "DTW with a claim to ball trees",
        plain(partial(banded_dtw, radius=99), replace(GAP, triangle=True)),
        "triangle_inequality",
    ),
    Broken(
        "depends on the hour",
        plain(partial(mean_gap, mean=wavy), replace(TIMED, time_invariant=True)),
        "invariance_to_a_shift_of_times",
    ),
    Broken(
        "compares the first paths",
        plain(partial(mean_gap, mean=first_path), PATHS),
        "paths_have_no_order",
        frozenset({"every_dimension_matters"}),
    ),
    Broken("a bound that is too high", replace(SOUND, lower_bounds=high_bounds), "lower_bound_is_below"),
    Broken("bounds in another order", replace(SOUND, lower_bounds=bounds_from_the_end), "bounds_ignore_company"),
    Broken("abandons too soon", replace(SOUND, block=hasty), "abandons_only_what_is_too_far"),
    Broken("blind to an offset, with a claim to see it", plain(spread_gap, replace(GAP, separates=True)), "separation"),
    Broken(
        "Python with a claim to release the lock",
        plain(spin_holding_the_lock, replace(METRIC, releases_gil=True, multivariate=False)),
        "gil_is_released",
    ),
    Broken("a zeroed diagonal", plain(zeroed_diagonal, replace(WARPS, zero_self=True), params=Gamma), "continuity"),
    Broken("half a gradient", replace(SOUND, gradients=half_gradients), "gradient"),
    Broken(
        "every gradient that of the first pair",
        replace(SOUND, gradients=gradients_of_the_first),
        "gradients_of_many_pairs",
    ),
]


def caught(spec: MetricSpec, check: str) -> set[str]:
    """The checks that the metric fails; the others than ``check`` get few examples, for the time it takes."""
    few, many = iter_checks(spec, max_examples=2), iter_checks(spec, max_examples=60)
    chosen = [b if b.name == check else a for a, b in zip(few, many, strict=True)]
    return {c.name for c in chosen if c.run(shrink=False).status == "failed"}


# A difference of means is 0 between many series, this one is written in Python, and it compares single series.
LEFT_OUT = ("separation", "gil_is_released", "paths_have_no_order")


def test_a_sound_metric_passes_every_check():
    names = [check.name for check in iter_checks(SOUND)]
    assert names == [check.name for check in CHECKS if check.name not in LEFT_OUT]
    assert check_metric(SOUND, max_examples=10).passed


@pytest.mark.parametrize("broken", TABLE, ids=lambda b: b.what)
def test_only_the_check_for_it_catches(broken, monkeypatch):
    for module in (subject, checks_interface):
        monkeypatch.setattr(module, "bind", bind_own)
    assert caught(broken.spec, broken.check) - broken.also == {broken.check}


def test_every_check_has_a_broken_metric():
    assert {broken.check for broken in TABLE} == {check.name for check in CHECKS}


def test_a_reference_may_say_how_far_it_is_from_the_truth():
    def far(x, y, params):
        return Result(reference(x, y, params) + 1e-3, gap=2e-3)

    def lost(x, y, params):
        return Result(1e9, converged=False)

    def status(of):
        checks = iter_checks(replace(SOUND, reference=of), max_examples=10)
        (check,) = (check for check in checks if check.name == "agrees_with_reference")
        return check.run(shrink=False).status

    assert status(far) == "passed"
    assert status(lambda x, y, params: Result(far(x, y, params).value, gap=1e-4)) == "failed"
    assert status(lost) == "undecided"
