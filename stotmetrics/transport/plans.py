"""Entropic plans for any cost matrix: a call in POT's words checked, its problems solved, their values in parts."""

import math
import numbers
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray, contiguous, finite_array, real_array
from ..errors import ConvergenceWarning, InvalidParameterError, warn_user
from ..kernels import _sinkhorn
from .divergences import Problem, solve_batch
from .plan_parts import Objective, Solved

Warmstart = tuple[npt.ArrayLike, npt.ArrayLike] | None

# Numbers and their quotients beyond these leave nothing of a plan in double precision.
_LARGEST, _FARTHEST = 1e100, 1e12

# More sweeps than these nobody waits for, and a C integer holds them.
_MOST_SWEEPS = 2**31 - 1

_METHODS = (
    *("sinkhorn", "sinkhorn_log", "sinkhorn_stabilized", "sinkhorn_epsilon_scaling", "sinkhorn_reg_scaling"),
    *("sinkhorn_translation_invariant", "greenkhorn", "screenkhorn"),
)


class Call:
    """The arguments of one call, checked."""

    def __init__(
        self,
        a: npt.ArrayLike | None,
        b: npt.ArrayLike | None,
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
        self.cost = _costs(M)
        self.forbidden = np.isinf(self.cost)
        self.dtype = _precision(a, b, M)
        n, m = self.cost.shape
        self.a = _masses(a, "a", n)[0]
        self.b = _masses(b, "b", m)
        self.single = np.ndim(b if b is not None else ()) < 2
        self.reg = _number(reg, "reg")
        self.rho_a, self.rho_b = _penalties(reg_m)
        self.stop, self.max_iter = _number(stop, "stopThr", zero=True), _sweeps(max_iter)
        _known(method, "method", _METHODS)
        _known(reg_type, "reg_type", ("kl", "entropy"))
        self.balanced = math.isinf(self.rho_a) and math.isinf(self.rho_b)
        # Balanced, every reference gives the same plan.
        self.kl = reg_type.lower() == "kl" and not self.balanced
        self.reference = None if c is None or not self.kl else _positive(finite_array(c, "c", 2), (n, m))
        self.warmstart = None if warmstart is None else _logarithms(warmstart)
        if self.balanced:
            self.b = _of_equal_mass(self.a, self.b, _precision(a, b, self.cost) != np.float64)
        self._refuse_out_of_scale()
        self._refuse_stranded_mass()
        # Where a marginal is kept so is all mass, and what every entry costs says nothing about the plan.
        self.level = 0.0
        if math.isinf(self.rho_a) or math.isinf(self.rho_b):
            self.level = float(self.cost.min())
            self.cost = self.cost - self.level
        self.objective = Objective(
            *(self.a, self.cost, self.forbidden, self.level, self.reg, self.rho_a, self.rho_b),
            *(self.kl, self.reference, self.stop),
        )

    def _refuse_out_of_scale(self) -> None:
        """What double precision cannot tell from nothing, or from infinity, beside the rest of the problem."""
        for name, amounts in (("a", self.a.sum()), ("b", self.b.sum(axis=1)), ("reg", self.reg)):
            for number in np.atleast_1d(amounts):
                if number > 0 and not 1 / _LARGEST <= number <= _LARGEST:
                    what = name if name == "reg" else f"the mass of {name}"
                    raise InvalidParameterError(
                        f"{what} must lie between {1 / _LARGEST:g} and {_LARGEST:g}; got {number:g}; "
                        "rescale the problem"
                    )
        low = float(self.cost.min())
        high = float(self.cost.max(initial=low, where=~self.forbidden) if self.forbidden.any() else self.cost.max())
        steepest = max(high - low, -low) / self.reg
        if not steepest <= _FARTHEST or not max(abs(low), abs(high)) <= _LARGEST:
            raise InvalidParameterError(
                f"reg must be at least {1 / _FARTHEST:g} of the spread of M, and M within {_LARGEST:g}; got reg "
                f"{self.reg:g} and M from {low:g} to {high:g}; raise reg, or solve the problem without it, as ot.emd "
                "does"
            )
        for rho in (self.rho_a, self.rho_b):
            if math.isfinite(rho) and not 1 / _FARTHEST <= rho / self.reg <= _FARTHEST:
                raise InvalidParameterError(
                    f"reg_m must lie within a factor of {_FARTHEST:g} of reg, or be inf; got reg_m {rho:g}, "
                    f"reg {self.reg:g}"
                )

    def _refuse_stranded_mass(self) -> None:
        """A marginal that must be kept needs somewhere to send its mass."""
        for name, rho, rows, axis in (("a", self.rho_a, self.a[None, :], 1), ("b", self.rho_b, self.b, 0)):
            stranded = np.flatnonzero((rows > 0).any(axis=0) & self.forbidden.all(axis=axis))
            if math.isinf(rho) and len(stranded):
                raise InvalidParameterError(
                    f"{name}[{stranded[0]}] has mass, but every cost in its {'row' if axis else 'column'} of M is "
                    "infinite; allow an entry, or give its side a finite reg_m"
                )
        for name, rho, other in (("a", self.rho_a, self.b), ("b", self.rho_b, self.a[None, :])):
            own = self.a[None, :] if name == "a" else self.b
            if math.isinf(rho) and ((own.sum(axis=1) > 0) & (other.sum(axis=1) == 0)).any():
                raise InvalidParameterError(
                    f"{name} must keep its mass at reg_m = inf, but the other side has none; give a finite reg_m"
                )

    def run(self, *, warn: bool, verbose: bool) -> list[Solved]:
        """Solve for every histogram: together where they share a kernel."""
        if self.kl and self.reference is None:
            solutions = [
                solution for column in self.b for solution in self._solve(column[None, :], self._log_product(column))
            ]
        else:
            solutions = self._solve(self.b, None if self.reference is None else np.log(self.reference))
        for solution in solutions:
            if not (math.isfinite(solution.value) and np.isfinite(solution.plan).all()):
                raise FloatingPointError(
                    f"the plan gave {solution.value} for finite masses and costs: it leaves the range of a double; "
                    "rescale them"
                )
        if warn:
            self.warn_of(solutions)
        if verbose:
            failed = sum(not solution.converged for solution in solutions)
            sweeps = max(solution.niter for solution in solutions)
            print(f"{len(solutions)} problems, {sweeps} sweeps at most, {failed} failed")
        return solutions

    def warn_of(self, solutions: list[Solved]) -> None:
        """One warning for all that is not solved."""
        failed = [solution for solution in solutions if not solution.converged]
        if failed:
            worst = max(solution.gap for solution in failed)
            warn_user(
                f"{len(failed)} of {len(solutions)} transport problems did not converge in "
                f"{max(solution.niter for solution in failed)} sweeps, error of the objective at most {worst:.3g}; "
                "raise numItermax or stopThr",
                ConvergenceWarning,
            )

    def _log_product(self, column: FloatArray) -> FloatArray:
        """``log a b^T``, with 0 where there is no mass and nothing can move."""
        log_a, log_b = (np.log(np.where(mass > 0, mass, 1.0)) for mass in (self.a, column))
        return np.where(np.outer(self.a > 0, column > 0), log_a[:, None] + log_b[None, :], 0.0)

    def _solve(self, b: FloatArray, log_reference: FloatArray | None) -> list[Solved]:
        # The reference goes into the kernel: reg KL(P | c K) is <P, M> + reg KL(P | c) up to a constant.
        cost = self.cost if log_reference is None else self.cost - self.reg * log_reference
        scaled = np.ascontiguousarray(cost / self.reg)
        # What has nowhere to go takes no part: it pays its penalty.
        left = np.where(self.forbidden.all(axis=1), 0.0, self.a)[None, :]
        right = np.where(self.forbidden.all(axis=0), 0.0, b)
        rows, cols = np.zeros(len(b), dtype=np.intp), np.arange(len(b), dtype=np.intp)
        start = self._start(b.shape, left.shape, self.objective.swaps)
        if self.objective.swaps:
            batch = self._batch(cost.T, scaled.T, (right, left), (cols, rows), start, (self.rho_b, self.rho_a))
            v, u = batch[:2]
        else:
            batch = self._batch(cost, scaled, (left, right), (rows, cols), start, (self.rho_a, self.rho_b))
            u, v = batch[:2]
        sweeps, converged = batch[6:]
        return [
            self.objective.parts(
                (left[0], right[k]), (u[k], v[k]), b[k], scaled, log_reference, int(sweeps[k]), converged[k]
            )
            for k in range(len(b))
        ]

    def _batch(
        self,
        cost: FloatArray,
        scaled: FloatArray,
        sides: tuple[FloatArray, FloatArray],
        index: tuple[IntArray, IntArray],
        start: FloatArray,
        rhos: tuple[float, float],
    ) -> Any:
        cost, scaled = np.ascontiguousarray(cost), np.ascontiguousarray(scaled)
        with np.errstate(over="ignore", under="ignore"):
            kernel = np.negative(scaled)
            np.exp(kernel, out=kernel)
            kernels = (np.minimum(kernel, 1e300, out=kernel),)
        problem = Problem(
            *((cost,), self.reg, rhos[0], math.inf, self.max_iter, (kernels, (scaled,))),
            symmetric=False,
            stop=self.stop,
            rho_y=rhos[1],
        )
        x, y = sides
        return solve_batch(problem, x, _sinkhorn.log_mass(x), y, _sinkhorn.log_mass(y), *index, start)

    def _start(self, shape: tuple[int, int], other: tuple[int, int], swap: bool) -> FloatArray:
        """The potentials of the second side of the solver: of b, or if swapped of a."""
        wanted = (shape[0], other[1]) if swap else shape
        if self.warmstart is None:
            return np.zeros(wanted)
        log_w = self.warmstart[0 if swap else 1]
        try:
            return np.ascontiguousarray(np.broadcast_to(log_w.T, wanted))
        except ValueError:
            raise InvalidParameterError(
                f"warmstart must hold logarithms of scalings of shapes ({len(self.a)},) and ({shape[1]},); "
                f"got {log_w.shape} for the {'first' if swap else 'second'}"
            ) from None


def _costs(M: npt.ArrayLike) -> FloatArray:
    """A cost matrix; +inf forbids to move anything along an entry, and so does what ``nan_to_num`` makes of it."""
    array = real_array(M, "M")
    largest = np.finfo(np.float32 if _precision(M) == np.float32 else np.float64).max
    array = np.where(array >= largest, np.inf, array)
    finite_array(np.where(np.isposinf(array), 0.0, array), "M", 2)
    if np.isposinf(array).all():
        raise InvalidParameterError("M must have a finite entry: where all are inf nothing may move")
    return contiguous(array)


def _precision(*arrays: Any) -> np.dtype[Any]:
    """float32 where all that comes as an array of numbers is float32 or less; else float64."""
    # By name, as "torch.float32", since other libraries have dtypes of their own.
    kinds = [str(x.dtype).rpartition(".")[2] for x in arrays if hasattr(x, "dtype") and math.prod(np.shape(x)) > 0]
    single = "float32" in kinds and all(kind in ("float32", "float16") for kind in kinds)
    return np.dtype(np.float32 if single else np.float64)


def _of_equal_mass(a: FloatArray, b: FloatArray, single: bool) -> FloatArray:
    """b with the mass of a, where they differ by no more than the rounding of single precision."""
    total, totals = float(a.sum()), b.sum(axis=1)
    worst = int(np.argmax(np.abs(totals - total)))
    if not abs(totals[worst] - total) <= (1e-5 if single else 1e-6) * total:
        raise InvalidParameterError(
            f"a and b must have the same total mass for balanced transport; got {total:.9g} and "
            f"{totals[worst]:.9g}; normalise them, or use sinkhorn_unbalanced"
        )
    return b if total == 0 else b * (total / totals)[:, None]


def _masses(x: npt.ArrayLike | None, name: str, size: int) -> FloatArray:
    """Histograms as rows; POT has them as columns, and an empty one is uniform."""
    array = real_array([] if x is None else x, name)
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


def _number(x: Any, name: str, *, zero: bool = False) -> float:
    array = np.asarray(_as_float(x))
    if array.size != 1 or array.dtype.kind not in "fiu" or not math.isfinite(array.item()):
        raise InvalidParameterError(f"{name} must be a number {'>=' if zero else '>'} 0; got {reprlib.repr(x)}")
    number = float(array.item())
    if number < 0 or (number == 0 and not zero):
        raise InvalidParameterError(f"{name} must be a number {'>=' if zero else '>'} 0; got {reprlib.repr(x)}")
    return number


def _as_float(x: Any) -> Any:
    """Integers have no limit in Python; beyond the range of a double they are infinite."""
    if isinstance(x, numbers.Integral):
        try:
            return float(x)
        except OverflowError:
            return math.inf
    return x


def _sweeps(x: Any) -> int:
    """A whole number, also one that is written as 1e3."""
    number = _number(x, "numItermax")
    if number != int(number):
        raise InvalidParameterError(f"numItermax must be a whole number >= 1; got {x!r}")
    return int(min(number, _MOST_SWEEPS))


def _logarithms(warmstart: Any) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the scalings of both sides; -inf where there is no mass."""
    try:
        first, second = warmstart
    except (TypeError, ValueError):
        raise InvalidParameterError(
            f"warmstart must be a pair, the logarithms of the scalings of a and of b; got {reprlib.repr(warmstart)}"
        ) from None
    logs = real_array(first, "warmstart[0]"), real_array(second, "warmstart[1]")
    for k, log_w in enumerate(logs):
        if np.isnan(log_w).any() or np.isposinf(log_w).any():
            raise InvalidParameterError(f"warmstart[{k}] must hold finite logarithms, or -inf where there is no mass")
    return logs


def _known(word: Any, name: str, words: tuple[str, ...]) -> None:
    if not isinstance(word, str) or word.lower() not in words:
        wanted = " or ".join(map(repr, words)) if len(words) == 2 else f"one of {', '.join(words)}"
        raise InvalidParameterError(f"{name} must be {wanted}; got {word!r}")


def _penalties(reg_m: float | Sequence[float]) -> tuple[float, float]:
    values = real_array(reg_m, "reg_m").ravel()
    if len(values) not in (1, 2) or not (values > 0).all():
        raise InvalidParameterError(
            f"reg_m must be one number > 0, or one for each marginal (inf: kept exactly); got {reg_m!r}"
        )
    return float(values[0]), float(values[-1])
