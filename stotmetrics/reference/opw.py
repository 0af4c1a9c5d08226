"""OPW as entropic transport with the prior of the paper in the cost: Su and Hua (2017)."""

import numpy as np

from ..series import Series
from .entropic import EntropicTransport


def reference_opw(x: Series, y: Series, moment: float, epsilon: float, sigma: float) -> float:
    """``<D, T>`` for ``T = diag(k1) K diag(k2)``, ``K = P exp((S - D) / lambda2)`` with the given marginals."""
    N, M = len(x), len(y)
    i, j = np.arange(1, N + 1)[:, None] / N, np.arange(1, M + 1) / M
    D = ((x.values[:, None] - y.values) ** 2).sum(axis=2)
    S = moment / ((i - j) ** 2 + 1)
    distance = np.abs(i - j) / np.sqrt(1 / N**2 + 1 / M**2)
    log_prior = -(distance**2) / (2 * sigma**2) - np.log(sigma * np.sqrt(2 * np.pi))
    # A constant in the cost changes no plan.
    cost = D - S - epsilon * log_prior
    problem = EntropicTransport(cost - cost.min(), x.weights / x.weights.sum(), y.weights / y.weights.sum())
    return float((D * problem.coupling(*problem.potentials(epsilon), epsilon)).sum())
