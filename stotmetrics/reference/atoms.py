"""A series as atoms of mass at (value, time), and what it costs to move mass from atom to atom.

Standardisation and weights are computed in exact arithmetic, and rounded once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .interface import FloatArray, TimeSeries

# A column that varies by no more than a few roundings of its largest entry counts as constant.
CONSTANT = 8 * 2.0**-52


@dataclass(frozen=True)
class Atoms:
    """Values (n, d), times (n,), and positive weights (n,) of sum one."""

    values: FloatArray
    times: FloatArray
    weights: FloatArray


def atoms_of(series: TimeSeries, standardize: bool) -> Atoms:
    """The atoms with mass. Values and times are standardised over the whole series, whatever the weights."""
    values, times = series.values, series.times
    if standardize:
        values = np.column_stack([zscores(column) for column in values.T.tolist()])
        times = zscores(times.tolist())
    heavy = [i for i, weight in enumerate(series.weights) if weight > 0]
    return Atoms(values[heavy], times[heavy], shares(series.weights[heavy].tolist()))


def zscores(column: Sequence[float]) -> FloatArray:
    """``(c - mean) / (population standard deviation)``; zeros where the column is constant."""
    largest = max(abs(c) for c in column)
    if largest == 0:
        return np.zeros(len(column))
    exact = [Fraction(c) / Fraction(largest) for c in column]
    mean = sum(exact, Fraction(0)) / len(exact)
    deviation = math.sqrt(sum((c - mean) ** 2 for c in exact) / len(exact))
    if deviation <= CONSTANT:
        return np.zeros(len(column))
    return np.array([float(c - mean) / deviation for c in exact])


def shares(weights: Sequence[float]) -> FloatArray:
    """Each weight as a share of their sum."""
    total = sum(Fraction(weight) for weight in weights)
    return np.array([float(Fraction(weight) / total) for weight in weights])


def power_costs(x: FloatArray, y: FloatArray, p: float) -> FloatArray:
    """``C[i, j] = |x_i - y_j| ** p`` with Euclidean distances between the rows of x (n, d) and of y (m, d)."""
    return np.array([[math.dist(a, b) for b in y] for a in x]) ** p


def value_and_time_costs(x: Atoms, y: Atoms, p: float) -> tuple[FloatArray, FloatArray]:
    """``A[i, j] = |x_i - y_j| ** p`` between the values and ``B[i, j] = |t_i - s_j| ** p`` between the times."""
    return power_costs(x.values, y.values, p), power_costs(x.times[:, None], y.times[:, None], p)
