"""Entropic TiOT by bisection over w, with entropic transport under ``C = B + w (A - B)`` at each w."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from .atoms import atoms_of, value_and_time_costs
from .entropic import MARGINAL_TOL, EntropicTransport
from .interface import Answer, FloatArray, TimeSeries, root_of


def etiot(x: TimeSeries, y: TimeSeries, params: Any) -> Answer:
    """The value of entropic TiOT between two series, ``<C_w, P>`` at the saddle point, or its p-th root."""
    left, right = atoms_of(x, params.standardize), atoms_of(y, params.standardize)
    A, B = value_and_time_costs(left, right, params.p)
    saddle = EntropicProblem(A, B, left.weights, right.weights).solve(params.epsilon)
    # The mass that rounding leaves out of place is moved at some cost, at most the largest.
    gap = max(saddle.gap, 0.0) + MARGINAL_TOL * max(float(A.max()), float(B.max()))
    power = Answer(saddle.value, gap)
    return root_of(power, params.p) if params.root else power


@dataclass(frozen=True)
class Saddle:
    """The saddle point of an entropic problem."""

    value: float
    objective: float
    gap: float
    w: float
    f: FloatArray
    g: FloatArray
    plan: FloatArray


@dataclass(frozen=True)
class EntropicProblem:
    """``max_w min_P <C_w, P> + epsilon KL(P | a b')`` over w in [0, 1] and the couplings P of (a, b)."""

    A: FloatArray
    B: FloatArray
    a: FloatArray
    b: FloatArray

    def solve(self, epsilon: float) -> Saddle:
        """Bisect the slope of the concave g(w), which falls with w."""

        def slope(w: float) -> float:
            return float(((self.A - self.B) * self.plan(*self.at(w).potentials(epsilon), w, epsilon)).sum())

        if slope(0.0) <= 0:
            w = 0.0
        elif slope(1.0) >= 0:
            w = 1.0
        else:
            w = float(brentq(slope, 0.0, 1.0, xtol=1e-15, rtol=1e-14))
        return self.saddle(*self.at(w).potentials(epsilon), w, epsilon)

    def at(self, w: float) -> EntropicTransport:
        """The inner problem, with the cost ``C_w``."""
        return EntropicTransport(self.cost(w), self.a, self.b)

    def cost(self, w: float) -> FloatArray:
        """``C_w``."""
        return w * self.A + (1.0 - w) * self.B

    def plan(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> FloatArray:
        """The plan of the potentials."""
        return self.at(w).plan(f, g, epsilon)

    def dual(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> float:
        """``D(f, g, w)``."""
        return self.at(w).dual(f, g, epsilon)

    def saddle(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> Saddle:
        """The value with its certificate: what a true coupling near the plan costs, against the dual."""
        P = self.at(w).coupling(f, g, epsilon)
        density = P / (self.a[:, None] * self.b)
        entropy = float((P * np.log(np.where(density > 0, density, 1.0))).sum())
        # Minimax: for a coupling P, no saddle value lies above max_w <C_w, P> + epsilon KL(P).
        above = max(float((self.A * P).sum()), float((self.B * P).sum())) + epsilon * entropy
        below = self.dual(f, g, w, epsilon)
        return Saddle(float((self.cost(w) * P).sum()), below, above - below, w, f, g, P)
