"""Entropic transport on any cost matrix, with POT's names and signatures: it converges, or says that it did not.

Every function solves its problem by stable batched sweeps and certifies it: ``log=True`` gives the potentials, the
sweeps, a bound on the error of the objective, and the parts of its value. POT's ``method`` names are accepted; there is
one solver here. A problem that is not solved raises a :class:`ConvergenceWarning`, never silence.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, in_any_host
from ..errors import InvalidParameterError
from .plan_parts import Solved
from .plans import Call, Warmstart

# Keywords that the solvers behind POT's functions take. None of them changes what is asked, only how POT goes there.
_KEYWORDS = frozenset(
    (
        *("tau", "print_period", "eval_freq", "epsilon0", "numInnerItermax", "numInnerIterMax", "tol", "batch_size"),
        *("ns_budget", "nt_budget", "uniform", "restricted", "maxiter", "maxfun", "pgtol", "translation_invariant"),
        *("warn", "stabilization", "momentum", "tol_rel", "tol_abs"),
    )
)


@in_any_host
def sinkhorn(
    a: npt.ArrayLike | None,
    b: npt.ArrayLike | None,
    M: npt.ArrayLike,
    reg: float,
    method: str = "sinkhorn",
    numItermax: int = 1000,
    stopThr: float = 1e-9,
    verbose: bool = False,
    log: bool = False,
    warn: bool = True,
    warmstart: Warmstart = None,
    **kwargs: Any,
) -> Any:
    """Balanced entropic transport: ``min <P, M> + reg sum P log P`` over the couplings of a and b.

    Parameters
    ----------
    a : array_like of shape (n,)
        Masses; ``[]`` is uniform.
    b : array_like of shape (m,) or (m, k)
        Masses, or k histograms as columns; ``[]`` is uniform. Each must have the total mass of a.
    M : array_like of shape (n, m)
        Cost matrix; ``inf`` forbids an entry.
    reg : float
        Regularisation, > 0.
    method : str, default "sinkhorn"
        One of POT's names; they all mean the one solver of this package.
    numItermax : int, default 1000
        Sweeps at most.
    stopThr : float, default 1e-9
        The marginals of the plan are right to this part of the mass (the sum of all errors). 0 asks for
        ``numItermax`` sweeps, whatever is reached before.
    verbose : bool, default False
        Print sweeps and gap at the end.
    log : bool, default False
        Return also a dict.
    warn : bool, default True
        Whether a problem that is not solved gives a ConvergenceWarning.
    warmstart : tuple of array_like, optional
        Logarithms of the scalings (u, v), as ``log["warmstart"]`` has them.
    **kwargs
        The keywords of POT's own solvers, such as ``tau`` or ``print_period``: they change nothing here.

    Returns
    -------
    plan : array of shape (n, m), or for k histograms their values ``<P, M>``, shape (k,)
    log : dict
        Only if ``log``, see Notes.

    Raises
    ------
    InvalidParameterError
        If an argument cannot be used, or a and b differ in mass.

    Warns
    -----
    ConvergenceWarning
        If a problem is not solved within ``numItermax``.

    Notes
    -----
    The dict has ``u, v, logu, logv`` (also as ``log_u, log_v, warmstart``); ``potentials`` (f, g); ``niter``,
    ``converged``, ``err`` (a list of what the last sweep left over: what ``stopThr`` is compared with); the objective
    ``value`` and ``gap``, a bound on its error; the parts of the objective at the plan, ``value_linear, value_reg,
    value_mass``; and under POT's names ``cost`` (the linear part) and ``total_cost`` (the objective). Where a marginal
    is kept exactly, ``value`` is that of the dual, a lower bound. With forbidden entries there may be no bound: then
    ``gap`` is infinite.

    Masses that agree to the rounding of single precision are taken as equal: b is scaled to the mass of a. If a, b and
    M are float32 so is the answer; inside, all is double.

    References
    ----------
    Cuturi, *Sinkhorn Distances: Lightspeed Computation of Optimal Transport*, NeurIPS 2013.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn
    >>> sinkhorn([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0).round(4)
    array([[0.3655, 0.1345],
           [0.1345, 0.3655]])
    """
    _accept(kwargs)
    call = Call(a, b, M, reg, math.inf, "entropy", None, method, numItermax, stopThr, warmstart)
    solutions = call.run(warn=warn, verbose=verbose)
    return _answer(solutions, call, solutions[0].plan if call.single else _parts(solutions, "value_linear"), log)


@in_any_host
def sinkhorn2(
    a: npt.ArrayLike | None,
    b: npt.ArrayLike | None,
    M: npt.ArrayLike,
    reg: float,
    method: str = "sinkhorn",
    numItermax: int = 1000,
    stopThr: float = 1e-9,
    verbose: bool = False,
    log: bool = False,
    warn: bool = True,
    warmstart: Warmstart = None,
    **kwargs: Any,
) -> Any:
    """The transport cost ``<P, M>`` of the plan of :func:`sinkhorn`.

    Parameters
    ----------
    a, b, M, reg, method, numItermax, stopThr, verbose, log, warn, warmstart, **kwargs
        See :func:`sinkhorn`.

    Returns
    -------
    value : float, or for k histograms array of shape (k,)
    log : dict
        Only if ``log``.

    Raises
    ------
    InvalidParameterError
        See :func:`sinkhorn`.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn2
    >>> round(sinkhorn2([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0), 4)
    0.2689
    """
    _accept(kwargs)
    call = Call(a, b, M, reg, math.inf, "entropy", None, method, numItermax, stopThr, warmstart)
    solutions = call.run(warn=warn, verbose=verbose)
    return _answer(solutions, call, _values(solutions, call, "value_linear"), log)


@in_any_host
def sinkhorn_unbalanced(
    a: npt.ArrayLike | None,
    b: npt.ArrayLike | None,
    M: npt.ArrayLike,
    reg: float,
    reg_m: float | Sequence[float],
    method: str = "sinkhorn",
    reg_type: str = "kl",
    c: npt.ArrayLike | None = None,
    warmstart: Warmstart = None,
    numItermax: int = 1000,
    stopThr: float = 1e-6,
    verbose: bool = False,
    log: bool = False,
    **kwargs: Any,
) -> Any:
    """Unbalanced entropic transport: ``min <P, M> + reg KL(P | c) + reg_m KL(P 1 | a) + reg_m KL(P^T 1 | b)``.

    Parameters
    ----------
    a, b, M, reg, method, numItermax, verbose, log, warmstart, **kwargs
        See :func:`sinkhorn`; a and b need not have the same mass.
    reg_m : float or pair of float
        Weight of the marginal penalties, > 0, or of each of them; ``inf`` keeps a marginal exactly.
    reg_type : {"kl", "entropy"}, default "kl"
        In any case of letters.
        The reference c: ``a b^T`` or the given one, or all ones (whatever c says).
    c : array_like of shape (n, m), optional
        Reference of ``reg_type="kl"``, positive. By default ``a b^T``, also for each of k histograms.
    stopThr : float, default 1e-6
        Another sweep would change no logarithm of a scaling by more than this, so none is off by more than this divided
        by ``1 - w_a w_b``, ``w = reg_m / (reg_m + reg)``. 0 asks for ``numItermax`` sweeps, whatever is reached before.

    Returns
    -------
    plan : array of shape (n, m), or for k histograms their values ``<P, M>``, shape (k,)
    log : dict
        Only if ``log``; see :func:`sinkhorn`.

    Raises
    ------
    InvalidParameterError
        If an argument cannot be used.

    Warns
    -----
    ConvergenceWarning
        If a problem is not solved within ``numItermax``.

    References
    ----------
    Chizat, Peyré, Schmitzer, Vialard, *Scaling Algorithms for Unbalanced Optimal Transport Problems*, Mathematics of
    Computation, 2018.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn_unbalanced
    >>> sinkhorn_unbalanced([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0, 1.0).round(4)
    array([[0.3221, 0.1185],
           [0.1185, 0.3221]])
    """
    _accept(kwargs)
    call = Call(a, b, M, reg, reg_m, reg_type, c, method, numItermax, stopThr, warmstart)
    solutions = call.run(warn=kwargs.get("warn", True), verbose=verbose)
    return _answer(solutions, call, solutions[0].plan if call.single else _parts(solutions, "value_linear"), log)


@in_any_host
def sinkhorn_unbalanced2(
    a: npt.ArrayLike | None,
    b: npt.ArrayLike | None,
    M: npt.ArrayLike,
    reg: float,
    reg_m: float | Sequence[float],
    method: str = "sinkhorn",
    reg_type: str = "kl",
    c: npt.ArrayLike | None = None,
    warmstart: Warmstart = None,
    returnCost: str = "linear",
    numItermax: int = 1000,
    stopThr: float = 1e-6,
    verbose: bool = False,
    log: bool = False,
    **kwargs: Any,
) -> Any:
    """The value of :func:`sinkhorn_unbalanced`.

    Parameters
    ----------
    a, b, M, reg, reg_m, method, reg_type, c, warmstart, numItermax, stopThr, verbose, log, **kwargs
        See :func:`sinkhorn_unbalanced`.
    returnCost : {"linear", "total"}, default "linear"
        ``<P, M>``, or the whole objective with its regularisation and penalties.

    Returns
    -------
    value : float, or for k histograms array of shape (k,)
    log : dict
        Only if ``log``.

    Raises
    ------
    InvalidParameterError
        See :func:`sinkhorn_unbalanced`.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn_unbalanced2
    >>> M = [[0.0, 1.0], [1.0, 0.0]]
    >>> round(sinkhorn_unbalanced2([0.5, 0.5], [0.5, 0.5], M, 1.0, 1.0, returnCost="total"), 4)
    0.3568
    """
    if returnCost not in ("linear", "total"):
        raise InvalidParameterError(f"returnCost must be 'linear' or 'total'; got {returnCost!r}")
    _accept(kwargs)
    call = Call(a, b, M, reg, reg_m, reg_type, c, method, numItermax, stopThr, warmstart)
    solutions = call.run(warn=kwargs.get("warn", True), verbose=verbose)
    return _answer(
        solutions, call, _values(solutions, call, "value_linear" if returnCost == "linear" else "value"), log
    )


@in_any_host
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
        See :func:`sinkhorn_unbalanced`; balanced by default, and both marginals have one penalty.

    Returns
    -------
    value : float, or for k histograms array of shape (k,)
    log : dict
        Only if ``log``: the values ``ab, aa, bb``, ``converged``, and ``gap``, a bound on the error.

    Raises
    ------
    InvalidParameterError
        If an argument cannot be used, or M is not symmetric.

    Warns
    -----
    ConvergenceWarning
        If a problem is not solved within ``numItermax``.

    References
    ----------
    Séjourné, Feydy, Vialard, Trouvé, Peyré, *Sinkhorn Divergences for Unbalanced Optimal Transport*, 2019.

    Examples
    --------
    >>> from stotmetrics.transport import sinkhorn_divergence
    >>> M = [[0.0, 1.0], [1.0, 0.0]]
    >>> round(sinkhorn_divergence([0.9, 0.1], [0.1, 0.9], M, 0.1, reg_m=1.0), 4)
    0.5411
    >>> sinkhorn_divergence([0.9, 0.1], [0.9, 0.1], M, 0.1, reg_m=1.0)
    0.0
    """
    limits: Any = (reg, reg_m, reg_type, None, "sinkhorn", numItermax, stopThr, None)
    cross = Call(a, b, M, *limits)
    if cross.rho_a != cross.rho_b:
        raise InvalidParameterError(f"reg_m of a divergence must be one number for both marginals; got {reg_m!r}")
    if not _is_symmetric(cross.cost):
        raise InvalidParameterError("M of a divergence must be square and symmetric: a and b share one support")
    solutions = cross.run(warn=False, verbose=False)
    own_a = Call(cross.a, cross.a, cross.cost, *limits).run(warn=False, verbose=False)[0]
    # One call for each: with reg_type="kl" each problem has a reference of its own.
    own_b = [Call(column, column, cross.cost, *limits).run(warn=False, verbose=False)[0] for column in cross.b]
    cross.warn_of([*solutions, own_a, *own_b])
    values, gaps = np.empty(len(solutions)), np.empty(len(solutions))
    for k, (ab, bb) in enumerate(zip(solutions, own_b, strict=True)):
        values[k] = ab.value - 0.5 * (own_a.value + bb.value)
        if cross.kl:
            values[k] += 0.5 * reg * (cross.a.sum() - cross.b[k].sum()) ** 2
        gaps[k] = ab.gap + 0.5 * (own_a.gap + bb.gap)
        if np.array_equal(cross.a, cross.b[k]):
            values[k] = gaps[k] = 0.0
    value = _few(values, cross)
    if not log:
        return value
    parts = {
        "ab": _values(solutions, cross, "value"),
        "aa": cross.dtype.type(own_a.value).item(),
        "bb": _values(own_b, cross, "value"),
    }
    done = own_a.converged and all(solution.converged for solution in [*solutions, *own_b])
    return value, {**parts, "converged": done, "gap": _few(gaps, cross)}


def _is_symmetric(cost: FloatArray) -> bool:
    if cost.shape[0] != cost.shape[1] or not np.array_equal(np.isinf(cost), np.isinf(cost.T)):
        return False
    finite = np.where(np.isinf(cost), 0.0, cost)
    return bool(np.abs(finite - finite.T).max() <= 1e-6 * np.abs(finite).max())


def _accept(kwargs: dict[str, Any]) -> None:
    for name in kwargs:
        if name not in _KEYWORDS:
            raise TypeError(f"unexpected keyword argument {name!r}; POT's solvers take {', '.join(sorted(_KEYWORDS))}")


def _few(values: FloatArray, call: Call) -> Any:
    """One number for one problem, in the precision of the input."""
    kept = values.astype(call.dtype, copy=False)
    if not call.single:
        return kept
    return float(kept[0]) if call.dtype == np.float64 else kept[0]


def _values(solutions: list[Solved], call: Call, part: str) -> Any:
    return _few(_parts(solutions, part), call)


def _parts(solutions: list[Solved], part: str) -> FloatArray:
    return np.array([getattr(solution, part) for solution in solutions], dtype=np.float64)


def _answer(solutions: list[Solved], call: Call, answer: Any, log: bool) -> Any:
    if isinstance(answer, np.ndarray):
        answer = answer.astype(call.dtype, copy=False)
    if not log:
        return answer
    logu, logv = (
        np.stack([getattr(solution, name) for solution in solutions], axis=1).astype(call.dtype, copy=False)
        for name in ("logu", "logv")
    )
    if call.single:
        logu, logv = logu[:, 0], logv[:, 0]
    names = ("gap", "value", "value_linear", "value_reg", "value_mass")
    parts = {name: _values(solutions, call, name) for name in names}
    counts = {name: np.array([getattr(solution, name) for solution in solutions]) for name in ("niter", "converged")}
    with np.errstate(over="ignore", under="ignore"):
        scalings = {"u": np.exp(logu), "v": np.exp(logv)}
    return answer, {
        **scalings,
        "logu": logu,
        "logv": logv,
        "log_u": logu,
        "log_v": logv,
        "warmstart": (logu, logv),
        "potentials": (call.reg * logu, call.reg * logv),
        "err": [max(solution.err for solution in solutions)],
        **({name: count[0].item() for name, count in counts.items()} if call.single else counts),
        **parts,
        "cost": parts["value_linear"],
        "total_cost": parts["value"],
    }
