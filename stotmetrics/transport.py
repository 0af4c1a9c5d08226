"""Entropic transport on any cost matrix, with POT's names and signatures: it converges, or says that it did not.

Every function solves its problem by stable batched sweeps and certifies it: ``log=True`` gives the potentials, the
sweeps, a bound on the error of the objective, and the parts of its value. POT's ``method`` names are accepted; there is
one solver here. A problem that is not solved raises a :class:`ConvergenceWarning`, never silence.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from .divergence import Problem, solve_batch
from .errors import ConvergenceWarning, InvalidParameterError
from .kernels import _sinkhorn
from .result import FloatArray

_METHODS = (
    *("sinkhorn", "sinkhorn_log", "sinkhorn_stabilized", "sinkhorn_epsilon_scaling", "sinkhorn_reg_scaling"),
    *("sinkhorn_translation_invariant", "greenkhorn", "screenkhorn"),
)
_Warmstart = tuple[npt.ArrayLike, npt.ArrayLike] | None


def sinkhorn(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    M: npt.ArrayLike,
    reg: float,
    method: str = "sinkhorn",
    numItermax: int = 1000,
    stopThr: float = 1e-9,
    verbose: bool = False,
    log: bool = False,
    warn: bool = True,
    warmstart: _Warmstart = None,
) -> Any:
    """Balanced entropic transport: ``min <P, M> + reg sum P log P`` over the couplings of a and b.

    Parameters
    ----------
    a : array_like of shape (n,)
        Masses; ``[]`` is uniform.
    b : array_like of shape (m,) or (m, k)
        Masses, or k histograms as columns; ``[]`` is uniform. Each must have the total mass of a.
    M : array_like of shape (n, m)
        Cost matrix.
    reg : float
        Regularisation, > 0.
    method : str
        One of POT's names; they all mean the one solver of this package.
    numItermax : int, default 1000
        Sweeps at most.
    stopThr : float, default 1e-9
        The marginals of the plan are right to this part of the mass.
    verbose : bool, default False
        Print sweeps and gap at the end.
    log : bool, default False
        Return also a dict, see Notes.
    warn : bool, default True
        Whether a problem that is not solved raises a ConvergenceWarning.
    warmstart : tuple of array_like, optional
        Logarithms of the scalings (u, v), as ``log["warmstart"]`` has them.

    Returns
    -------
    plan : array of shape (n, m), or for k histograms their values ``<P, M>``, shape (k,)
    log : dict
        Only if ``log``.

    Notes
    -----
    The dict has ``u, v, logu, logv, warmstart``; ``potentials`` (f, g); ``niter``, ``converged``, ``gap`` (bound on the
    error of the objective); and the objective ``value`` with its parts ``value_linear``, ``value_reg``, ``value_mass``.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn
    >>> sinkhorn([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0).round(4)
    array([[0.3655, 0.1345],
           [0.1345, 0.3655]])
    """
    call = _Call(a, b, M, reg, math.inf, "entropy", None, method, numItermax, stopThr, warmstart)
    found = call.run(warn=warn, verbose=verbose)
    return _answer(found, call, found[0].plan if call.single else _parts(found, "value_linear"), log)


def sinkhorn2(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    M: npt.ArrayLike,
    reg: float,
    method: str = "sinkhorn",
    numItermax: int = 1000,
    stopThr: float = 1e-9,
    verbose: bool = False,
    log: bool = False,
    warn: bool = True,
    warmstart: _Warmstart = None,
) -> Any:
    """The transport cost ``<P, M>`` of the plan of :func:`sinkhorn`.

    Parameters
    ----------
    a, b, M, reg, method, numItermax, stopThr, verbose, log, warn, warmstart
        See :func:`sinkhorn`.

    Returns
    -------
    value : float, or for k histograms array of shape (k,)
    log : dict
        Only if ``log``.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn2
    >>> round(sinkhorn2([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0), 4)
    0.2689
    """
    call = _Call(a, b, M, reg, math.inf, "entropy", None, method, numItermax, stopThr, warmstart)
    found = call.run(warn=warn, verbose=verbose)
    return _answer(found, call, _values(found, call, "value_linear"), log)


def sinkhorn_unbalanced(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    M: npt.ArrayLike,
    reg: float,
    reg_m: float | Sequence[float],
    method: str = "sinkhorn",
    reg_type: str = "kl",
    c: npt.ArrayLike | None = None,
    warmstart: _Warmstart = None,
    numItermax: int = 1000,
    stopThr: float = 1e-6,
    verbose: bool = False,
    log: bool = False,
) -> Any:
    """Unbalanced entropic transport: ``min <P, M> + reg KL(P | c) + reg_m KL(P 1 | a) + reg_m KL(P^T 1 | b)``.

    Parameters
    ----------
    a, b, M, reg, method, numItermax, verbose, log, warmstart
        See :func:`sinkhorn`; a and b need not have the same mass.
    reg_m : float
        Weight of the marginal penalties, > 0; ``inf`` is balanced.
    reg_type : {"kl", "entropy"}
        The reference c: ``a b^T`` or the given one, or all ones (whatever c says).
    c : array_like of shape (n, m), optional
        Reference of ``reg_type="kl"``, positive. By default ``a b^T``, also for each of k histograms.
    stopThr : float, default 1e-6
        The potentials are right to about this; the certified gap of the objective is below its square.

    Returns
    -------
    plan : array of shape (n, m), or for k histograms their values ``<P, M>``, shape (k,)
    log : dict
        Only if ``log``; see :func:`sinkhorn`.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn_unbalanced
    >>> sinkhorn_unbalanced([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0, 1.0).round(4)
    array([[0.3221, 0.1185],
           [0.1185, 0.3221]])
    """
    call = _Call(a, b, M, reg, reg_m, reg_type, c, method, numItermax, stopThr, warmstart)
    found = call.run(warn=True, verbose=verbose)
    return _answer(found, call, found[0].plan if call.single else _parts(found, "value_linear"), log)


def sinkhorn_unbalanced2(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    M: npt.ArrayLike,
    reg: float,
    reg_m: float | Sequence[float],
    method: str = "sinkhorn",
    reg_type: str = "kl",
    c: npt.ArrayLike | None = None,
    warmstart: _Warmstart = None,
    returnCost: str = "linear",
    numItermax: int = 1000,
    stopThr: float = 1e-6,
    verbose: bool = False,
    log: bool = False,
) -> Any:
    """The value of :func:`sinkhorn_unbalanced`.

    Parameters
    ----------
    a, b, M, reg, reg_m, method, reg_type, c, warmstart, numItermax, stopThr, verbose, log
        See :func:`sinkhorn_unbalanced`.
    returnCost : {"linear", "total"}
        ``<P, M>``, or the whole objective with its regularisation and penalties.

    Returns
    -------
    value : float, or for k histograms array of shape (k,)
    log : dict
        Only if ``log``.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn_unbalanced2
    >>> M = [[0.0, 1.0], [1.0, 0.0]]
    >>> round(sinkhorn_unbalanced2([0.5, 0.5], [0.5, 0.5], M, 1.0, 1.0, returnCost="total"), 4)
    0.3568
    """
    if returnCost not in ("linear", "total"):
        raise InvalidParameterError(f"returnCost must be 'linear' or 'total'; got {returnCost!r}")
    call = _Call(a, b, M, reg, reg_m, reg_type, c, method, numItermax, stopThr, warmstart)
    found = call.run(warn=True, verbose=verbose)
    return _answer(found, call, _values(found, call, "value_linear" if returnCost == "linear" else "value"), log)


def sinkhorn_divergence(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    M: npt.ArrayLike,
    reg: float,
    reg_m: float = math.inf,
    reg_type: str = "entropy",
    numItermax: int = 1000,
    stopThr: float = 1e-6,
    log: bool = False,
) -> Any:
    """The debiased cost of moving a to b on one support: ``W(a, b) - (W(a, a) + W(b, b)) / 2``.

    It is 0 at ``a = b``, and not negative where ``exp(-M / reg)`` is positive semi-definite. With ``reg_type="kl"`` the
    reference ``a b^T`` has a mass of its own, and the divergence ``reg / 2 (sum a - sum b)^2`` is added for it: without
    that term a histogram and its multiple could be at distance 0.

    Parameters
    ----------
    a, b : array_like of shape (P,)
        Masses; b may hold k histograms as columns, shape (P, k).
    M : array_like of shape (P, P)
        Symmetric cost matrix.
    reg, reg_m, reg_type, numItermax, stopThr, log
        See :func:`sinkhorn_unbalanced`; balanced by default.

    Returns
    -------
    value : float, or for k histograms array of shape (k,)
    log : dict
        Only if ``log``: the values ``ab, aa, bb``, ``converged``, and ``gap``, a bound on the error.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn_divergence
    >>> M = [[0.0, 1.0], [1.0, 0.0]]
    >>> round(sinkhorn_divergence([0.9, 0.1], [0.1, 0.9], M, 0.1, reg_m=1.0), 4)
    0.5411
    >>> sinkhorn_divergence([0.9, 0.1], [0.9, 0.1], M, 0.1, reg_m=1.0)
    0.0
    """
    limits: Any = ("sinkhorn", numItermax, stopThr, None)
    cross = _Call(a, b, M, reg, reg_m, reg_type, None, *limits)
    if cross.cost.shape[0] != cross.cost.shape[1] or np.abs(cross.cost - cross.cost.T).max() > 1e-9 * cross.spread:
        raise InvalidParameterError("M of a divergence must be square and symmetric: a and b share one support")
    found = cross.run(warn=True, verbose=False)
    own_a = _Call(a, cross.a, M, reg, reg_m, reg_type, None, *limits).run(warn=True, verbose=False)[0]
    # One call for each: with reg_type="kl" each problem has a reference of its own.
    own_b = [
        _Call(column, column, M, reg, reg_m, reg_type, None, *limits).run(warn=True, verbose=False)[0]
        for column in cross.b
    ]
    values, gaps = np.empty(len(found)), np.empty(len(found))
    for k, (ab, bb) in enumerate(zip(found, own_b, strict=True)):
        values[k] = ab.value - 0.5 * (own_a.value + bb.value)
        if reg_type == "kl" and math.isfinite(reg_m):
            values[k] += 0.5 * reg * (cross.a.sum() - cross.b[k].sum()) ** 2
        gaps[k] = ab.gap + 0.5 * (own_a.gap + bb.gap)
        if np.array_equal(cross.a, cross.b[k]):
            values[k] = gaps[k] = 0.0
    value = float(values[0]) if cross.single else values
    if not log:
        return value
    parts = {"ab": _values(found, cross, "value"), "aa": own_a.value, "bb": _values(own_b, cross, "value")}
    done = own_a.converged and all(one.converged for one in [*found, *own_b])
    return value, {**parts, "converged": done, "gap": float(gaps[0]) if cross.single else gaps}


@dataclass(frozen=True, slots=True)
class _Solved:
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


class _Call:
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
        warmstart: _Warmstart,
    ) -> None:
        self.cost = _array(M, "M", 2)
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
        self.reference = None if c is None or not self.kl else _positive(_array(c, "c", 2), (n, m))
        self.spread = float(self.cost.max() - self.cost.min())
        self.warmstart = warmstart
        if self.balanced:
            totals = self.b.sum(axis=1)
            if np.abs(totals - self.a.sum()).max() > 1e-9 * self.a.sum():
                raise InvalidParameterError(
                    f"a and b must have the same total mass for balanced transport; got {self.a.sum():g} and "
                    f"{totals[np.argmax(np.abs(totals - self.a.sum()))]:g}; normalise them, or use sinkhorn_unbalanced"
                )

    def run(self, *, warn: bool, verbose: bool) -> list[_Solved]:
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

    def _solve(self, b: FloatArray, reference: FloatArray | None) -> list[_Solved]:
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
        log_v = np.asarray(self.warmstart[1] if self.warmstart else 0.0, dtype=np.float64)
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
    ) -> _Solved:
        some = np.outer(self.a > 0, b > 0)
        exponent = np.where(some, u[:, None] + v[None, :] - scaled, -np.inf)
        with np.errstate(under="ignore"):
            plan = np.exp(exponent)
        linear = float((plan * self.cost).sum())
        if self.balanced:
            entropy, penalty = float(xlogy(plan, plan).sum()), 0.0
        else:
            known = np.outer(self.a, b) if self.kl and self.reference is None else reference
            total = float(plan.size if known is None else known.sum())
            log_ratio = np.where(some, exponent - (0.0 if reference is None else np.log(reference)), 0.0)
            entropy = float((plan * log_ratio).sum() - plan.sum() + total)
            penalty = self.reg_m * (_kl(plan.sum(axis=1), self.a) + _kl(plan.sum(axis=0), b))
        parts = (linear, self.reg * entropy, penalty)
        logu, logv = (np.where(mass > 0, w, -np.inf) for mass, w in ((self.a, u), (b, v)))
        return _Solved(plan, logu, logv, niter, converged, gap, sum(parts), *parts)


def _kl(a: FloatArray, b: FloatArray) -> float:
    safe = np.where(b > 0, b, 1.0)
    return float((xlogy(a, np.where(b > 0, a, 1.0) / safe) - a + b).sum())


def _values(found: list[_Solved], call: _Call, part: str) -> Any:
    values = _parts(found, part)
    return float(values[0]) if call.single else values


def _parts(found: list[_Solved], part: str) -> FloatArray:
    return np.array([getattr(one, part) for one in found], dtype=np.float64)


def _answer(found: list[_Solved], call: _Call, answer: Any, log: bool) -> Any:
    if not log:
        return answer
    logu, logv = (np.stack([getattr(one, name) for one in found], axis=1) for name in ("logu", "logv"))
    if call.single:
        logu, logv = logu[:, 0], logv[:, 0]
    names = ("niter", "converged", "gap", "value", "value_linear", "value_reg", "value_mass")
    parts = {name: np.array([getattr(one, name) for one in found]) for name in names}
    with np.errstate(over="ignore", under="ignore"):
        scalings = {"u": np.exp(logu), "v": np.exp(logv)}
    return answer, {
        **scalings,
        "logu": logu,
        "logv": logv,
        "warmstart": (logu, logv),
        "potentials": (call.reg * logu, call.reg * logv),
        **({name: part[0].item() for name, part in parts.items()} if call.single else parts),
    }


def _array(x: npt.ArrayLike, name: str, dims: int) -> FloatArray:
    try:
        array = np.ascontiguousarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"{name} must be an array of real numbers: {error}") from error
    if array.ndim != dims or array.size == 0:
        raise InvalidParameterError(f"{name} must have {dims} axes and hold something; got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidParameterError(f"{name} must be finite; got {array[~np.isfinite(array)][0]}")
    return array


def _masses(x: npt.ArrayLike, name: str, size: int) -> FloatArray:
    """Histograms as rows; POT has them as columns, and an empty one is uniform."""
    array = np.asarray(x, dtype=np.float64)
    if array.size == 0:
        return np.full((1, size), 1.0 / size)
    rows = _array(array.reshape(1, -1) if array.ndim == 1 else array.T, name, 2)
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
    values = np.unique(np.asarray(reg_m, dtype=np.float64))
    if len(values) != 1 or not values[0] > 0:
        raise InvalidParameterError(
            f"reg_m must be one number > 0 (inf: balanced), the same for both marginals; got {reg_m!r}"
        )
    return float(values[0])
