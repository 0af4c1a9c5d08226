"""Every value of transport lies within its gap of the optimum, which is known here to extended precision."""

import math
import os
from dataclasses import dataclass

import numpy as np
import pytest

from stotmetrics.transport import sinkhorn, sinkhorn_divergence, sinkhorn_unbalanced

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


def optimum(a, b, M, reg, rho_a=np.inf, rho_b=np.inf, *, reg_type="entropy", max_iter=20_000):
    """Log-domain sweeps with translations, for positive masses and finite costs; plans rounded to kept marginals."""
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


def draw(rng, stop_low=-13.0):
    n, m = rng.integers(1, 9, 2)
    a, b = rng.random(n) + 1e-3, rng.random(m) + 1e-3
    M = rng.random((n, m)) * 10.0 ** rng.uniform(-2, 1.5)
    reg = max(10.0 ** rng.uniform(-2, 2), M.max() / 60)
    return a, b, M, reg, 10.0 ** rng.uniform(-2, 2), 10.0 ** rng.uniform(stop_low, -3)


@pytest.mark.parametrize("seed", range(60))
def test_balanced_value_is_within_its_gap_and_marginals_within_stop(seed):
    rng = np.random.default_rng(seed)
    a, b, M, reg, _, stop = draw(rng)
    mass = 10.0 ** rng.uniform(-3, 3)
    a, b = a / a.sum() * mass, b / b.sum() * mass
    P, log = sinkhorn(a, b, M, reg, stopThr=stop, numItermax=20_000, log=True)
    assert log["converged"]
    assert optimum(a, b, M, reg).error(log["value"]) <= log["gap"]
    assert abs(P.sum(1) - a).sum() + abs(P.sum(0) - b).sum() <= (stop + 1e-15) * mass


@pytest.mark.parametrize("reg_type", ["kl", "entropy"])
@pytest.mark.parametrize("kept", ["neither", "a", "b"])
@pytest.mark.parametrize("seed", range(20))
def test_unbalanced_value_is_within_its_gap_and_every_potential_at_rest(seed, kept, reg_type):
    rng = np.random.default_rng([seed, len(kept)])
    a, b, M, reg, rho, stop = draw(rng, -12.0)
    a, b = a * 10.0 ** rng.uniform(-2, 2), b * 10.0 ** rng.uniform(-2, 2)
    rhos = (math.inf if kept == "a" else rho, math.inf if kept == "b" else rho)
    P, log = sinkhorn_unbalanced(a, b, M, reg, rhos, reg_type=reg_type, stopThr=stop, numItermax=20_000, log=True)
    assert log["converged"] and log["err"][-1] <= stop
    best = optimum(a, b, M, reg, *rhos, reg_type=reg_type)
    assert best.error(log["value"]) <= log["gap"]
    # What a sweep changes, over one less the factor by which sweeps contract, is how far potentials are off.
    factor = np.prod([1.0 if math.isinf(r) else r / (r + reg) for r in rhos])
    for ours, exact in ((log["logu"], best.logu), (log["logv"], best.logv)):
        assert float(abs(ours - exact).max()) <= (stop + 1e-12) / (1 - factor)
    for name, sums, masses in (("a", P.sum(1), a), ("b", P.sum(0), b)):
        if name == kept:
            np.testing.assert_allclose(sums, masses, rtol=1e-10)


@pytest.mark.parametrize(("rho", "reg_type"), [(math.inf, "entropy"), (0.7, "kl"), (0.7, "entropy"), (30.0, "KL")])
@pytest.mark.parametrize("seed", range(10))
def test_divergence_is_within_its_gap(seed, rho, reg_type):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 6)) + 1e-3
    if math.isinf(rho):
        a, b = a / a.sum(), b / b.sum()
    M = np.abs(np.subtract.outer(a, a)) * 10.0 ** rng.uniform(-1, 1)
    reg = max(10.0 ** rng.uniform(-2, 1), M.max() / 60)
    value, log = sinkhorn_divergence(
        a, b, M, reg, rho, reg_type, stopThr=10.0 ** rng.uniform(-10, -3), numItermax=20_000, log=True
    )
    kind = reg_type.lower()
    ab, aa, bb = (optimum(x, y, M, reg, rho, rho, reg_type=kind) for x, y in ((a, b), (a, a), (b, b)))
    mass_term = 0 if kind == "entropy" else reg * (a.astype(LONG).sum() - b.astype(LONG).sum()) ** 2 / 2
    low = ab.low - (aa.high + bb.high) / 2 + mass_term
    high = ab.high - (aa.low + bb.low) / 2 + mass_term
    assert Reference(low, high, ab.logu, ab.logv, 0).error(value) <= log["gap"]


def test_a_large_regularisation_does_not_loosen_the_marginals():
    rng = np.random.default_rng(0)
    a, b, M = rng.random(30), rng.random(20), rng.random((30, 20))
    a, b = a / a.sum(), b / b.sum()
    for reg in (1.0, 1e3, 1e6):
        P = sinkhorn(a, b, M, reg, stopThr=1e-12)
        assert abs(P.sum(1) - a).sum() + abs(P.sum(0) - b).sum() <= 1.1e-12


# How many problems the long run takes: STOTMETRICS_PROBLEMS=2000 pytest -s tests/transport/test_extended.py -k many
PROBLEMS = int(os.environ.get("STOTMETRICS_PROBLEMS", "30"))
FIRST = int(os.environ.get("STOTMETRICS_FIRST_PROBLEM", "0"))


def plain_sweeps(a, b, M, reg, rho, stop, most):
    """Sweeps of the textbook until no more than ``stop`` is left over, or None."""
    omega = 1.0 if math.isinf(rho) else rho / (rho + reg)
    v = np.zeros(len(b))
    for sweep in range(1, most + 1):
        u = omega * (np.log(a) - logsum(v - M / reg, 1))
        sums = logsum(u[:, None] - M / reg, 0)
        left = abs(v / omega - np.log(b) + sums).max() if omega < 1 else abs(np.exp(v + sums) - b).sum() / b.sum()
        if left <= stop:
            return sweep
        v = omega * (np.log(b) - sums)
    return None


def one_of_many(seed):
    """(error / gap, error of the marginals / stopThr, sweeps, plain sweeps or None) of one drawn problem."""
    rng = np.random.default_rng([seed, 77])
    a, b, M, reg, rho, stop = draw(rng, -11.0)
    balanced = seed % 2 == 0
    a, b = a * 10.0 ** rng.uniform(-3, 3), b * 10.0 ** rng.uniform(-3, 3)
    if balanced:
        b, rho = b * (a.sum() / b.sum()), math.inf
    P, log = sinkhorn_unbalanced(a, b, M, reg, rho, reg_type="entropy", stopThr=stop, numItermax=20_000, log=True)
    assert log["converged"]
    error = optimum(a, b, M, reg, rho, rho).error(log["value"])
    if balanced:
        missed = abs(P.sum(1) - a).sum() + abs(P.sum(0) - b).sum()
        missed /= a.sum() * (stop + 1e-15)
    else:
        missed = log["err"][-1] / stop
    return error / log["gap"], missed, log["niter"], plain_sweeps(a, b, M, reg, rho, stop, 300)


def test_many_problems_are_within_their_gaps_and_their_thresholds():
    problems = [one_of_many(seed) for seed in range(FIRST, FIRST + PROBLEMS)]
    errors, missed, sweeps, plain = zip(*problems, strict=True)
    both = [(ours, theirs) for ours, theirs in zip(sweeps, plain, strict=True) if theirs is not None]
    more = sum(ours > theirs for ours, theirs in both)
    print(
        f"{PROBLEMS} problems from {FIRST}: largest error / gap {max(errors):.3g}, of a marginal / stopThr "
        f"{max(missed):.3g}; sweeps {sum(ours for ours, _ in both)} beside {sum(theirs for _, theirs in both)} plain "
        f"ones, {len(problems) - len(both)} that 300 plain sweeps do not solve, {more} with more than plain"
    )
    assert max(errors) <= 1
    assert max(missed) <= 1
    # No more than plain ones, but for tries that are taken back: each doubles the plain sweeps before the next.
    assert all(ours <= theirs + math.log2(theirs) for ours, theirs in both)
    assert 2 * sum(ours for ours, _ in both) <= sum(theirs for _, theirs in both)
