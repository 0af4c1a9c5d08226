"""Unbalanced Sinkhorn and its divergence, equation by equation: Janati, Cuturi and Gramfort (2020), section 3.

Plain iterations on the whole cost matrix, in the log domain, until nothing moves.
"""

import numpy as np
from scipy.special import logsumexp, xlogy

from .interface import FloatArray


def log_or_minus_infinity(x: FloatArray) -> FloatArray:
    """``log x`` with ``log 0 = -inf``."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x))


def kl(a: FloatArray, b: FloatArray) -> float:
    """``KL(a | b) = sum a log(a / b) + b - a``, with ``0 log 0 = 0`` and ``a > 0 = b`` giving +inf."""
    if np.any((a > 0) & (b == 0)):
        return np.inf
    return float((xlogy(a, np.where(a > 0, a / np.where(b > 0, b, 1.0), 1.0)) + b - a).sum())


def potentials(
    x: FloatArray, y: FloatArray, M: FloatArray, epsilon: float, rho: float, tol: float = 1e-13, max_iter: int = 100_000
) -> tuple[FloatArray, FloatArray]:
    """Fixed point ``a = (x / K b)^omega``, ``b = (y / K^T a)^omega``, ``omega = rho / (rho + epsilon)``; f and g."""
    omega = 1.0 if np.isinf(rho) else rho / (rho + epsilon)
    log_x, log_y = log_or_minus_infinity(x), log_or_minus_infinity(y)
    u, v = np.where(x > 0, 0.0, -np.inf), np.where(y > 0, 0.0, -np.inf)
    if not (x.any() and y.any()):
        return np.full(x.shape, -np.inf), np.full(y.shape, -np.inf)
    for _ in range(max_iter):
        before = np.concatenate([u[x > 0], v[y > 0]])
        u = omega * (log_x - logsumexp(v[None, :] - M / epsilon, axis=1))
        v = omega * (log_y - logsumexp(u[:, None] - M / epsilon, axis=0))
        if np.abs(np.concatenate([u[x > 0], v[y > 0]]) - before).max() <= tol * (1 + np.abs(before).max()):
            break
    return epsilon * u, epsilon * v


def plan(f: FloatArray, g: FloatArray, M: FloatArray, epsilon: float) -> FloatArray:
    """``P = diag(a) K diag(b)``."""
    return np.asarray(np.exp((f[:, None] + g[None, :] - M) / epsilon))


def primal(P: FloatArray, x: FloatArray, y: FloatArray, M: FloatArray, epsilon: float, rho: float) -> float:
    """``epsilon KL(P | K) + rho KL(P 1 | x) + rho KL(P^T 1 | y)``; balanced, the last two must vanish."""
    value = epsilon * kl(P, np.exp(-M / epsilon))
    return value if np.isinf(rho) else value + rho * (kl(P.sum(1), x) + kl(P.sum(0), y))


def value(x: FloatArray, y: FloatArray, M: FloatArray, epsilon: float, rho: float) -> float:
    """``W(x, y)``."""
    f, g = potentials(x, y, M, epsilon, rho)
    return primal(plan(f, g, M, epsilon), x, y, M, epsilon, rho)


def divergence(x: FloatArray, y: FloatArray, M: FloatArray, epsilon: float, rho: float) -> float:
    """``S(x, y) = W(x, y) - (W(x, x) + W(y, y)) / 2``."""
    xy, xx, yy = (value(a, b, M, epsilon, rho) for a, b in ((x, y), (x, x), (y, y)))
    return xy - (xx + yy) / 2
