"""TAOT: one transport problem, exact by its linear program or entropic by plain Sinkhorn sweeps.

[TAOT] Zhang, Tang, Corpetti, Time Adaptive Optimal Transport (IEEE Access 2020).
"""

import numpy as np
from scipy.special import logsumexp

from ..clouds import cost_matrices, prepare_cloud
from ..result import FloatArray
from ..series import Series
from .tiot import transport_program


def reference_taot(
    x: Series,
    y: Series,
    omega: float,
    epsilon: float,
    scale: str | None,
    p: float,
    standardize: bool,
    w: float | None = None,
) -> float:
    """The value of TAOT between two series: ``<C, P>`` at the optimal, exact or entropic, plan P."""
    cx, cy = prepare_cloud(x, standardize), prepare_cloud(y, standardize)
    A, B = cost_matrices(cx, cy, p)
    C = A + omega * B if w is None else w * A + (1.0 - w) * B
    if scale == "median" and np.median(C) > 0:
        C = C / np.median(C)
    if epsilon == 0:
        return transport_program(C, cx.weights, cy.weights)
    return float((C * sinkhorn_plan(C, cx.weights, cy.weights, epsilon)).sum())


def sinkhorn_plan(C: FloatArray, a: FloatArray, b: FloatArray, epsilon: float, sweeps: int = 100_000) -> FloatArray:
    """The entropic plan by alternating updates of the potentials in the log domain."""
    log_a, log_b = np.log(a), np.log(b)
    g = np.zeros(len(b))
    for _ in range(sweeps):
        f = -epsilon * logsumexp((g - C) / epsilon + log_b, axis=1)
        g = -epsilon * logsumexp((f[:, None] - C) / epsilon + log_a[:, None], axis=0)
        plan = np.exp((f[:, None] + g - C) / epsilon + log_a[:, None] + log_b)
        if np.abs(plan.sum(axis=1) - a).sum() < 1e-13:
            break
    return np.asarray(plan)
