"""Algorithm 1 of the TiOT paper (HBCD): Sinkhorn sweeps, and projected gradient steps in w at every 20th.

[TiOT] Nguyen, Chu, Toh, Time-integrated Optimal Transport (2025), Section 3, with the rules of its authors' runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from .atoms import atoms_of, value_and_time_costs
from .interface import FloatArray, TimeSeries


def etiot_hbcd(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``<C_w, P>`` where the paper's algorithm stops, or its p-th root."""
    left, right = atoms_of(x, params.standardize), atoms_of(y, params.standardize)
    A, B = value_and_time_costs(left, right, params.p)
    *_, last = hbcd(A, B, left.weights, right.weights, params.epsilon, params.tol, params.max_iter)
    power = float(((last.w * A + (1.0 - last.w) * B) * last.plan).sum())
    return power ** (1.0 / params.p) if params.root else power


@dataclass(frozen=True)
class Iterate:
    """The state after one sweep."""

    f: FloatArray
    g: FloatArray
    w: float
    plan: FloatArray
    dual: float
    marginal_error: float


def hbcd(
    A: FloatArray, B: FloatArray, a: FloatArray, b: FloatArray, epsilon: float, tol: float = 0.005, sweeps: int = 5000
) -> Iterator[Iterate]:
    """The iterates up to the stop: an L1 error of the first marginal below ``tol``, looked at every 20 sweeps."""
    D, w = A - B, 0.5
    # The scalings g, h of the paper are kept as potentials: a exp(f / epsilon) and b exp(k / epsilon).
    k = -epsilon * np.log(len(b) * b)
    for sweep in range(sweeps):
        C = B + w * D
        f = -epsilon * logsumexp((k - C) / epsilon, b=b, axis=1)
        k = -epsilon * logsumexp((f[:, None] - C) / epsilon, b=a[:, None], axis=0)
        base = (f[:, None] + k) / epsilon + np.log(a)[:, None] + np.log(b)
        if sweep % 20 == 0:
            w = ascend(base, w, B, D, epsilon)
        plan = np.exp(base - (B + w * D) / epsilon)
        error = float(np.abs(plan.sum(1) - a).sum())
        yield Iterate(f, k, w, plan, float(a @ f + b @ k - epsilon * plan.sum() + epsilon), error)
        if sweep % 20 == 0 and error < tol:
            return


def ascend(base: FloatArray, w: float, B: FloatArray, D: FloatArray, epsilon: float) -> float:
    """At most 50 projected gradient steps in w, at a tenth (a twentieth of a long one) of the Newton step's length."""

    def plan(w: float) -> FloatArray:
        return np.asarray(np.exp(base - (B + w * D) / epsilon))

    newton = epsilon / max(float((plan(w) * D * D).sum()), 1e-300)
    eta = newton / 20 if newton >= 10 else newton / 10
    for _ in range(50):
        before, w = w, float(np.clip(w + eta * (plan(w) * D).sum(), 0.0, 1.0))
        if abs(w - before) < 1e-7:
            break
    return w
