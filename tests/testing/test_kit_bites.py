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
    shape, w = (len(x.series), len(y.series)), [one.series.weights / one.series.weights.sum() for one in (x, y)]
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


class Narrow(BoundMetric):
    """Takes single precision for something to be rounded further."""

    __slots__ = ()

    def accept(self, x, name):
        half = isinstance(x, np.ndarray) and x.dtype == np.float32
        return super().accept(x.astype(np.float16) if half else x, name)


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
    *(Narrow, UnderTheSettingsOfTheHost, TellsRows),
)
BOUND = {cls.__name__: cls for cls in OWN}


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
    return pair(x, y, params).value * (1 + 1e-14 * (calls.count % 2))


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
    scratch[0] = norm(x.mean - y.mean, params)
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


TIMED = replace(METRIC, uses_times=True)


def softened(x, y, params):
    """Smooth at zero, by a number that knows nothing of the unit."""
    gap = np.linalg.norm(plain_mean(x) - plain_mean(y))
    return float(np.sqrt(gap * gap + 0.01) - 0.1)


def guarded_zscore(values):
    """Divided by a deviation that is kept from zero by a number, whatever the unit."""
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3)


def guarded_gap(x, y, params):
    first, last = (guarded_zscore(s.values)[[0, -1]] for s in (x, y))
    return float(np.abs(first - last).sum())


def by_products(x, y, params):
    """``|x - y|^2`` of the means as ``|x|^2 + |y|^2 - 2 <x, y>``: right, near the origin."""
    a, b = plain_mean(x), plain_mean(y)
    return float(np.sqrt(max(a @ a + b @ b - 2 * (a @ b), 0.0)))


def spread_by_squares(series):
    """``E t^2 - (E t)^2``."""
    return np.append(plain_mean(series), np.mean(series.times**2) - np.mean(series.times) ** 2)


def zero_is_missing(series):
    present = series.values != 0
    return (series.values * present).sum(axis=0) / np.maximum(present.sum(axis=0), 1)


def infinite_slopes(left, right, rows, cols, params, side):
    batch = gradients(left, right, rows, cols, params, side)
    equal = batch.values == 0
    slopes = [
        None if grads is None else [np.full_like(g, np.nan) if e else g for g, e in zip(grads, equal, strict=True)]
        for grads in (batch.left, batch.right)
    ]
    return replace(batch, left=slopes[0], right=slopes[1])


def strictest_cutoff(left, right, rows, cols, params, cutoff=None):
    """One cutoff for the whole block, as if all pairs competed."""
    batch = block(left, right, rows, cols, params)
    return replace(batch, abandoned=None if cutoff is None else batch.values > np.min(cutoff, initial=np.inf))


def first_takes_long(x, y, params):
    """Looks at every two samples of x, and at each of y once."""
    count = sum(1 for one in x.values for other in x.values if one[0] <= other[0])
    return mean_gap(x, y, params) + 0.0 * count


def turned_costs(value, n, m):
    return np.full((m + 1, n), value)


def no_number(value, n, m):
    return np.nan


def nowhere_certain(value, n, m):
    return np.full((n, m), 0.9)


def even_plan(value, n, m):
    return np.full((n, m), 1 / (n * m))


def squared_costs(value, n, m):
    return np.full((n, m), value**2)


def half_potentials(value, n, m):
    return np.full(n, value / 2), np.zeros(m)


@dataclass(frozen=True)
class Carries:
    """The sound metric with another extra: a function of the value and of both lengths."""

    name: str
    make: Any

    def __call__(self, x, y, params):
        found = pair(x, y, params)
        kept = {name: partial(getattr, found, name) for name in found.available}
        other = partial(self.make, found.value, len(x.series), len(y.series))
        return Result(found.value, extras={**kept, self.name: other})


def carries(name, make):
    return replace(SOUND, pair=Carries(name, make))


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
    Broken("a bound that is too high", replace(SOUND, lower_bounds=high_bounds), "lower_bound_is_below"),
    Broken("bounds in another order", replace(SOUND, lower_bounds=bounds_from_the_end), "bounds_ignore_company"),
    Broken(
        "abandons too soon",
        replace(SOUND, block=hasty),
        "abandons_only_what_is_too_far",
        frozenset({"cutoffs_keep_to_their_pair"}),
    ),
    Broken("blind to an offset, with a claim to see it", plain(spread_gap, replace(GAP, separates=True)), "separation"),
    Broken("a softening without a unit", plain(softened, replace(GAP, degree=1.0)), "homogeneity"),
    Broken("a guarded z-score", plain(guarded_gap, replace(GAP, unit_free=True)), "freedom_of_units"),
    Broken(
        "products in place of differences",
        plain(by_products, replace(GAP, value_invariant=True)),
        "invariance_to_a_shift_of_values",
    ),
    Broken(
        "a variance by squares",
        plain(partial(mean_gap, mean=spread_by_squares), replace(TIMED, time_invariant=True)),
        "invariance_to_a_shift_of_times",
    ),
    Broken(
        "zeros that count as missing",
        plain(partial(mean_gap, mean=zero_is_missing), replace(METRIC, continuous=True)),
        "continuity_everywhere",
    ),
    Broken("no gradient where the value is zero", replace(SOUND, gradients=infinite_slopes), "gradient_is_finite"),
    Broken("one cutoff for all", replace(SOUND, block=strictest_cutoff), "cutoffs_keep_to_their_pair"),
    Broken("quadratic in its first argument", plain(first_takes_long, METRIC), "either_order_costs_the_same"),
    Broken("single precision read as half", own(Narrow), "narrow_arrays_are_read_exactly"),
    Broken("arithmetic that the host may forbid", own(UnderTheSettingsOfTheHost), "settings_of_the_host_do_not_matter"),
    Broken("an axis that nobody questions", own(TellsRows), "one_row_is_questioned"),
    Broken("an extra of another shape", carries("cost", turned_costs), "extras_are_finite"),
    Broken("an extra that is NaN", carries("objective", no_number), "extras_are_finite"),
    Broken("an alignment that is never sure", carries("alignment", nowhere_certain), "alignments_visit_every_time"),
    Broken("a plan of equal weights", carries("plan", even_plan), "plans_move_the_weights"),
    Broken("the cost of a root", carries("cost", squared_costs), "extras_agree_with_the_value"),
    Broken("half of the potentials", carries("potentials", half_potentials), "extras_agree_with_the_value"),
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


def test_a_sound_metric_passes_every_check():
    names = [check.name for check in iter_checks(SOUND)]
    # A difference of means is 0 between many series and has a unit, and this one is written in Python.
    missing = ("separation", "gil_is_released", "freedom_of_units")
    assert names == [check.name for check in CHECKS if check.name not in missing]
    assert check_metric(SOUND, max_examples=10).passed


@pytest.mark.parametrize("broken", TABLE, ids=lambda b: b.what)
def test_only_the_check_for_it_catches(broken, monkeypatch):
    for module in (subject, checks_interface):
        monkeypatch.setattr(module, "bind", bind_own)
    assert caught(broken.spec, broken.check) - broken.also == {broken.check}


def test_every_check_has_a_broken_metric():
    assert {broken.check for broken in TABLE} == {check.name for check in CHECKS}


def test_a_report_tells_how_much_threads_help_where_the_metric_says_that_they_do():
    quiet = check_metric("dtw", max_examples=2, weaker_claims=False)
    assert quiet.speedup is None
    told = check_metric("dtw", max_examples=2, weaker_claims=False, timings=True)
    assert told.speedup > 0
    assert f"two threads are {told.speedup:.1f} times as fast as one" in str(told)
    assert check_metric("otw", max_examples=2, weaker_claims=False, timings=True).speedup is None


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
