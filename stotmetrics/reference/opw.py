"""OPW as entropic transport with the prior of the paper in the cost: Su and Hua (2017)."""

from typing import Any

import numpy as np

from .atoms import shares
from .entropic import EntropicTransport
from .interface import TimeSeries


def opw(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``<D, T>`` for ``T = diag(k1) K diag(k2)``, ``K = P exp((S - D) / lambda2)`` with the given marginals."""
    N, M = len(x.values), len(y.values)
    i, j = np.arange(1, N + 1)[:, None] / N, np.arange(1, M + 1) / M
    D = ((x.values[:, None] - y.values) ** 2).sum(axis=2)
    S = params.moment / ((i - j) ** 2 + 1)
    distance = np.abs(i - j) / np.sqrt(1 / N**2 + 1 / M**2)
    log_prior = -(distance**2) / (2 * params.sigma**2) - np.log(params.sigma * np.sqrt(2 * np.pi))
    # A constant in the cost changes no plan.
    cost = D - S - params.epsilon * log_prior
    problem = EntropicTransport(cost - cost.min(), shares(x.weights.tolist()), shares(y.weights.tolist()))
    return float((D * problem.coupling(*problem.potentials(params.epsilon), params.epsilon)).sum())
