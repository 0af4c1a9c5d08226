"""Entropic plans for any cost matrix: a call in POT's words checked, its problems solved, their values in parts."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, finite_array, real_array
from ..errors import ConvergenceWarning, InvalidParameterError
from ..kernels import _sinkhorn
from .sinkhorn_divergence import Problem, solve_batch

Warmstart = tuple[npt.ArrayLike, npt.ArrayLike] | None

_METHODS = (
    *("sinkhorn", "sinkhorn_log", "sinkhorn_stabilized", "sinkhorn_epsilon_scaling", "sinkhorn_reg_scaling"),
    *("sinkhorn_translation_invariant", "greenkhorn", "screenkhorn"),
)


@dataclass(frozen=True, slots=True)
class Solved:
    """One problem, solved, with the parts of its objective."""

    plan: FloatArray
    logu: FloatArray
    logv: FloatArray
    niter: int
    converged: bool
    gap: float
    value: float
    value_linear: float
    value_reg: float
    value_mass: float


class Call:
    """The arguments of one call, checked."""

    def __init__(
        self,
        a: npt.ArrayLike,
        b: npt.ArrayLike,
        M: npt.ArrayLike,
        reg: float,
        reg_m: float | Sequence[float],
        reg_type: str,
        c: npt.ArrayLike | None,
        method: str,
        max_iter: int,
        stop: float,
        warmstart: Warmstart,
    ) -> None:
        self.cost = finite_array(M, "M", 2)
        n, m = self.cost.shape
        self.a = _masses(a, "a", n)[0]
        self.b = _masses(b, "b", m)
        self.single = np.ndim(b) < 2
        self.reg = _number(reg, "reg")
        self.reg_m = _one_penalty(reg_m)
        self.stop, self.max_iter = _number(stop, "stopThr"), int(_number(max_iter, "numItermax"))
        if method.lower() not in _METHODS:
            raise InvalidParameterError(f"method must be one of {', '.join(_METHODS)}; got {method!r}")
        if reg_type.lower() not in ("kl", "entropy"):
            raise InvalidParameterError(f"reg_type must be 'kl' or 'entropy'; got {reg_type!r}")
        self.balanced = math.isinf(self.reg_m)
        # Balanced, every reference gives the same plan.
        self.kl = reg_type.lower() == "kl" and not self.balanced
        self.reference = None if c is None or not self.kl else _positive(finite_array(c, "c", 2), (n, m))
        self.spread = float(self.cost.max() - self.cost.min())
        self.warmstart = warmstart
        if self.balanced:
            totals = self.b.sum(axis=1)
            if np.abs(totals - self.a.sum()).max() > 1e-9 * self.a.sum():
                raise InvalidParameterError(
                    f"a and b must have the same total mass for balanced transport; got {self.a.sum():g} and "
                    f"{totals[np.argmax(np.abs(totals - self.a.sum()))]:g}; normalise them, or use sinkhorn_unbalanced"
                )

    def run(self, *, warn: bool, verbose: bool) -> list[Solved]:
        """Solve for every histogram: together where they share a kernel."""
        if self.kl and self.reference is None:
            found = [one for column in self.b for one in self._solve(column[None, :], self._product(column))]
        else:
            found = self._solve(self.b, self.reference)
        failed = [one for one in found if not one.converged]
        worst = max((one.gap for one in failed), default=0.0)
        if warn and failed:
            warnings.warn(
                f"{len(failed)} of {len(found)} transport problems did not converge in {self.max_iter} sweeps, "
                f"error of the objective at most {worst:.3g}; raise numItermax or stopThr",
                ConvergenceWarning,
                stacklevel=3,
            )
        if verbose:
            print(f"{len(found)} problems, {max(one.niter for one in found)} sweeps at most, {len(failed)} failed")
        return found

    def _product(self, column: FloatArray) -> FloatArray:
        """``a b^T``, with ones where it is zero and nothing can move."""
        reference = np.outer(self.a, column)
        return np.where(reference > 0, reference, 1.0)

    def _solve(self, b: FloatArray, reference: FloatArray | None) -> list[Solved]:
        # The reference goes into the kernel: reg KL(P | c K) is <P, M> + reg KL(P | c) up to a constant.
        cost = self.cost if reference is None else self.cost - self.reg * np.log(reference)
        scaled = np.ascontiguousarray(cost / self.reg)
        mass = max(float(self.a.sum()), float(b.sum(axis=1).max()))
        if self.balanced:
            tol = max(self.stop * mass * (self.spread + self.reg), 1e-13 * mass)
        else:
            tol = max(self.stop**2, 1e-14) * (self.reg + self.reg_m) * mass
        with np.errstate(over="ignore", under="ignore"):
            kernels = (np.minimum(np.exp(-scaled), 1e300),)
        problem = Problem((cost,), self.reg, self.reg_m, tol, self.max_iter, (kernels, (scaled,)), symmetric=False)
        log_b = _sinkhorn.log_mass(b)
        start = np.zeros(b.shape) if self.warmstart is None else self._start(b.shape)
        sides = (self.a[None, :], _sinkhorn.log_mass(self.a[None, :]), b, log_b)
        rows, cols = np.zeros(len(b), dtype=np.intp), np.arange(len(b), dtype=np.intp)
        u, v, _, _, _, gap, sweeps, converged = solve_batch(problem, *sides, rows, cols, start)
        return [
            self._parts(u[k], v[k], b[k], scaled, reference, int(sweeps[k]), bool(converged[k]), float(gap[k]))
            for k in range(len(b))
        ]

    def _start(self, shape: tuple[int, ...]) -> FloatArray:
        log_v = real_array(self.warmstart[1] if self.warmstart else 0.0, "warmstart")
        try:
            return np.ascontiguousarray(np.broadcast_to(log_v.T, shape))
        except ValueError:
            raise InvalidParameterError(
                f"warmstart must hold logarithms of scalings of shapes ({len(self.a)},) and ({shape[1]},); "
                f"got {log_v.shape} for the second"
            ) from None

    def _parts(
        self,
        u: FloatArray,
        v: FloatArray,
        b: FloatArray,
        scaled: FloatArray,
        reference: FloatArray | None,
        niter: int,
        converged: bool,
        gap: float,
    ) -> Solved:
        some = np.outer(self.a > 0, b > 0)
        exponent = np.where(some, u[:, None] + v[None, :] - scaled, -np.inf)
        with np.errstate(under="ignore"):
            plan = np.exp(exponent)
        linear = float((plan * self.cost).sum())
        if self.balanced:
            entropy, penalty = float(_x_log_y(plan, plan).sum()), 0.0
        else:
            known = np.outer(self.a, b) if self.kl and self.reference is None else reference
            total = float(plan.size if known is None else known.sum())
            log_ratio = np.where(some, exponent - (0.0 if reference is None else np.log(reference)), 0.0)
            entropy = float((plan * log_ratio).sum() - plan.sum() + total)
            penalty = self.reg_m * (_kl(plan.sum(axis=1), self.a) + _kl(plan.sum(axis=0), b))
        parts = (linear, self.reg * entropy, penalty)
        logu, logv = (np.where(mass > 0, w, -np.inf) for mass, w in ((self.a, u), (b, v)))
        return Solved(plan, logu, logv, niter, converged, gap, sum(parts), *parts)


def _kl(a: FloatArray, b: FloatArray) -> float:
    safe = np.where(b > 0, b, 1.0)
    return float((_x_log_y(a, np.where(b > 0, a, 1.0) / safe) - a + b).sum())


def _masses(x: npt.ArrayLike, name: str, size: int) -> FloatArray:
    """Histograms as rows; POT has them as columns, and an empty one is uniform."""
    array = real_array(x, name)
    if array.shape == (0,):
        return np.full((1, size), 1.0 / size)
    rows = finite_array(array.reshape(1, -1) if array.ndim == 1 else array.T, name, 2)
    if rows.shape[1] != size or (name == "a" and len(rows) > 1):
        raise InvalidParameterError(
            f"{name} must have one mass for each of {size} points of M; got shape {array.shape}"
        )
    if rows.min() < 0:
        raise InvalidParameterError(f"{name} must be non-negative; got {rows.min():g}")
    return rows


def _positive(c: FloatArray, shape: tuple[int, int]) -> FloatArray:
    if c.shape != shape or c.min() <= 0:
        raise InvalidParameterError(
            f"c must be positive, of the shape {shape} of M; got shape {c.shape}, min {c.min():g}"
        )
    return c


def _number(x: Any, name: str) -> float:
    if not isinstance(x, int | float | np.number) or not x > 0 or not math.isfinite(x):
        raise InvalidParameterError(f"{name} must be a number > 0; got {x!r}")
    return float(x)


def _one_penalty(reg_m: float | Sequence[float]) -> float:
    values = np.unique(real_array(reg_m, "reg_m"))
    if len(values) != 1 or not values[0] > 0:
        raise InvalidParameterError(
            f"reg_m must be one number > 0 (inf: balanced), the same for both marginals; got {reg_m!r}"
        )
    return float(values[0])


def _x_log_y(x: FloatArray, y: FloatArray) -> FloatArray:
    """``x log y``, and 0 where y is 0. SciPy's function takes longer to import than a distance may take."""
    return np.asarray(x * np.log(np.where(y > 0, y, 1.0)))
