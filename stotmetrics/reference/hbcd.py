"""Algorithm 1 of the TiOT paper (HBCD): Sinkhorn sweeps, and projected gradient steps in w at every 20th.

[TiOT] Nguyen, Chu, Toh, Time-integrated Optimal Transport (2025), Section 3, with the rules of its authors' runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..result import FloatArray


@dataclass(frozen=True)
class Iterate:
    """The state after one sweep: potentials, w, plan and dual value, and the dual value before the sweep's halves."""

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
    h = np.ones(len(b)) / len(b)
    for sweep in range(sweeps):
        K = np.exp(-(B + w * D) / epsilon)
        g = a / (K @ h)
        h = b / (K.T @ g)
        if sweep % 20 == 0:
            w = ascend(g, h, w, B, D, epsilon)
        plan = g[:, None] * np.exp(-(B + w * D) / epsilon) * h
        # In the units of KL(P | a b'): the scalings without the weights.
        f, k = epsilon * np.log(g / a), epsilon * np.log(h / b)
        error = float(np.abs(plan.sum(1) - a).sum())
        yield Iterate(f, k, w, plan, float(a @ f + b @ k - epsilon * plan.sum() + epsilon), error)
        if sweep % 20 == 0 and error < tol:
            return


def ascend(g: FloatArray, h: FloatArray, w: float, B: FloatArray, D: FloatArray, epsilon: float) -> float:
    """At most 50 projected gradient steps in w, at a tenth (a twentieth of a long one) of the Newton step's length."""

    def plan(w: float) -> FloatArray:
        found: FloatArray = g[:, None] * np.exp(-(B + w * D) / epsilon) * h
        return found

    newton = epsilon / float((plan(w) * D * D).sum())
    eta = newton / 20 if newton >= 10 else newton / 10
    for _ in range(50):
        before, w = w, float(np.clip(w + eta * (plan(w) * D).sum(), 0.0, 1.0))
        if abs(w - before) < 1e-7:
            break
    return w
