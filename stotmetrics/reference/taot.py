"""TAOT: one transport problem, exact by its linear program or entropic by Newton's method.

[TAOT] Zhang, Tang, Corpetti, Time Adaptive Optimal Transport (IEEE Access 2020).
"""

import numpy as np

from ..series import Series
from ..transport.point_clouds import cost_matrices, prepare_cloud
from .entropic import EntropicTransport
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
    problem = EntropicTransport(C, cx.weights, cy.weights)
    return float((C * problem.coupling(*problem.potentials(epsilon), epsilon)).sum())
