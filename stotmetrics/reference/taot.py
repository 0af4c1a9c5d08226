"""TAOT: one transport problem, exact by its linear program or entropic by Newton's method.

[TAOT] Zhang, Tang, Corpetti, Time Adaptive Optimal Transport (IEEE Access 2020).
"""

from typing import Any

import numpy as np

from .atoms import atoms_of, value_and_time_costs
from .entropic import EntropicTransport
from .interface import FloatArray, TimeSeries
from .transport import transport_program


def taot(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``<C, P>`` at the optimal, exact or entropic, plan P."""
    left, right = atoms_of(x, params.standardize), atoms_of(y, params.standardize)
    C = mixed_cost(*value_and_time_costs(left, right, params.p), params)
    if params.epsilon == 0:
        return transport_program(C, left.weights, right.weights)
    problem = EntropicTransport(C, left.weights, right.weights)
    return float((C * problem.coupling(*problem.potentials(params.epsilon), params.epsilon)).sum())


def mixed_cost(A: FloatArray, B: FloatArray, params: Any) -> FloatArray:
    """``A + omega B``, or ``w A + (1 - w) B`` where w is given; over its median where that is wanted and not 0."""
    C = A + params.omega * B if params.w is None else params.w * A + (1.0 - params.w) * B
    unit = float(np.median(C)) if params.scale == "median" else 1.0
    return C / (unit or 1.0)
