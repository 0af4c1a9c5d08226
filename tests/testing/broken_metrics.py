"""Functions of metrics that are broken on purpose."""

import ctypes
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from sound_metric import (
    METRIC,
    SOUND,
    Mean,
    block,
    gradients,
    lower_bounds,
    mean_gap,
    norm,
    pair,
    plain_mean,
    prepare,
    softdtw,
)

from stotmetrics import Result, Series


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
    prepared = prepare(series, params)
    # As compiled code can, whatever NumPy says about the array.
    memory = (ctypes.c_double * series.values.size).from_address(series.values.ctypes.data)
    np.frombuffer(memory)[...] *= -1
    return prepared


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
PATHS = replace(METRIC, compares_paths=True, unequal_length=False)


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
    count = sum(1 for earlier in x.values for later in x.values if earlier[0] <= later[0])
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
        result = pair(x, y, params)
        kept = {name: partial(getattr, result, name) for name in result.available}
        other = partial(self.make, result.value, len(x.series), len(y.series))
        return Result(result.value, extras={**kept, self.name: other})


def carries(name, make):
    return replace(SOUND, pair=Carries(name, make))


def first_path(series):
    """The mean over time of the first path."""
    d = 1 if series.frame_shape is None else series.frame_shape[1]
    return series.values[:, :d].mean(axis=0)
