"""Entropic transport in extended precision: log-domain sweeps with translations, and both ends of the optimum."""

from dataclasses import dataclass

import numpy as np

LONG = np.longdouble


@dataclass
class Reference:
    """An interval that holds the optimum, and the logarithms of the scalings."""

    low: LONG
    high: LONG
    logu: np.ndarray
    logv: np.ndarray
    sweeps: int

    def error(self, value):
        """How far a value is from the interval."""
        return float(max(self.low - LONG(value), LONG(value) - self.high, LONG(0)))


def logsum(z, axis):
    top = z.max(axis=axis, keepdims=True)
    return (top + np.log(np.exp(z - top).sum(axis=axis, keepdims=True))).squeeze(axis)


def kl(p, q):
    return (p * np.log(p / q) - p + q).sum()


def solve(a, b, M, reg, rho_a=np.inf, rho_b=np.inf, *, reg_type="entropy", max_iter=20_000):
    """Positive masses and finite costs; a marginal that is kept, kept by the rounding of the plan."""
    a, b, M, reg = (np.asarray(x, dtype=LONG) for x in (a, b, M, reg))
    balanced = np.isinf(rho_a) and np.isinf(rho_b)
    if balanced:
        b = b * (a.sum() / b.sum())
    c = np.outer(a, b) if reg_type == "kl" and not balanced else np.ones(M.shape, dtype=LONG)
    log_k = np.log(c) - M / reg
    rate_a, rate_b = (LONG(0) if np.isinf(r) else reg / LONG(r) for r in (rho_a, rho_b))
    log_a, log_b, u, v = np.log(a), np.log(b), np.zeros(len(a), dtype=LONG), np.zeros(len(b), dtype=LONG)
    for sweep in range(1, max_iter + 1):  # noqa: B007
        old = v
        u = (log_a - logsum(log_k + v, 1)) / (1 + rate_a)
        v = (log_b - logsum(log_k + u[:, None], 0)) / (1 + rate_b)
        if rate_a + rate_b > 0:
            shift = np.log((a * np.exp(-u * rate_a)).sum() / (b * np.exp(-v * rate_b)).sum()) / (rate_a + rate_b)
            v = v - shift
        if abs(v - old).max() < 1e-18 * (1 + abs(v).max()):
            break
    u = (log_a - logsum(log_k + v, 1)) / (1 + rate_a)
    P = np.exp(u[:, None] + log_k + v)
    if np.isinf(rho_b):
        P = P * np.minimum(1, b / P.sum(0))
    if np.isinf(rho_a):
        P = P * np.minimum(1, a / P.sum(1))[:, None]
    if balanced and (rest := b - P.sum(0)).sum() > 0:
        P = P + np.outer(np.maximum(a - P.sum(1), 0), np.maximum(rest, 0)) / rest.sum()
    mass = np.exp(u[:, None] + log_k + v).sum()
    low, high = -reg * mass, (P * M).sum()
    for x, w, rate, rho, sums in ((a, u, rate_a, rho_a, P.sum(1)), (b, v, rate_b, rho_b, P.sum(0))):
        low = low + (reg * (x * w).sum() if rate == 0 else -LONG(rho) * (x * np.expm1(-w * rate)).sum())
        high = high + (0 if rate == 0 else LONG(rho) * kl(sums, x))
    low = low + reg * (a.sum() if balanced else c.sum())
    high = high + reg * ((P * np.log(P)).sum() if balanced else kl(P, c))
    return Reference(low, high, u, v, sweep)
