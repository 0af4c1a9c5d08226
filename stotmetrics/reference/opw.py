"""OPW by plain Sinkhorn sweeps on the kernel of the paper, in the log domain: Su and Hua (2017)."""

import numpy as np
from scipy.special import logsumexp

from ..series import Series


def reference_opw(x: Series, y: Series, moment: float, epsilon: float, sigma: float, sweeps: int = 20_000) -> float:
    """``<D, T>`` for ``T = diag(k1) K diag(k2)``, ``K = P exp((S - D) / lambda2)`` with the given marginals."""
    N, M = len(x), len(y)
    i, j = np.arange(1, N + 1)[:, None] / N, np.arange(1, M + 1) / M
    D = ((x.values[:, None] - y.values) ** 2).sum(axis=2)
    S = moment / ((i - j) ** 2 + 1)
    distance = np.abs(i - j) / np.sqrt(1 / N**2 + 1 / M**2)
    log_prior = -(distance**2) / (2 * sigma**2) - np.log(sigma * np.sqrt(2 * np.pi))
    log_kernel = log_prior + (S - D) / epsilon
    with np.errstate(divide="ignore"):
        log_a, log_b = np.log(x.weights / x.weights.sum()), np.log(y.weights / y.weights.sum())
    log_k2 = np.zeros(M)
    plan = np.zeros((N, M))
    for _ in range(sweeps):
        log_k1 = log_a - logsumexp(log_kernel + log_k2, axis=1)
        log_k2 = log_b - logsumexp(log_kernel + log_k1[:, None], axis=0)
        plan = np.exp(log_k1[:, None] + log_kernel + log_k2)
        if np.abs(plan.sum(axis=1) - np.exp(log_a)).sum() < 1e-13:
            break
    return float((plan * D).sum())
