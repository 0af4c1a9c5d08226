"""TLp: Thorpe, Park, Kolouri, Rohde and Slepčev (2017)."""

from typing import Any

from .atoms import atoms_of, value_and_time_costs
from .interface import TimeSeries
from .transport import transport_program


def tlp(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``(min_P <A + B / lambda, P>) ** (1 / p)``."""
    left, right = atoms_of(x, params.standardize), atoms_of(y, params.standardize)
    A, B = value_and_time_costs(left, right, params.p)
    power = transport_program(A + B / params.lam, left.weights, right.weights)
    return float(max(power, 0.0) ** (1.0 / params.p))
