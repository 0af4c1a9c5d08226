"""Adapted optimal transport between two processes: plans that do not look into the future."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray, refuse_more_than_memory
from ..kernels._adapted import Workspace
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec
from ..spec.parameters import parameter
from ..spec.prepared import packed
from ..spec.result import Batch, Result, rooted_all
from ..spec.traits import Traits
from .bicausal import BicausalPlan, bicausal_plan
from .path_laws import PathLaw, law_of_paths, stacked_laws, stacked_marginals

# Of the p-th power of the unit, what the rounding of masses may add to a bound.
ROUNDING = 1e-14
# The logarithm to base 2 of the least p-th power that is trusted: below it, terms of a sum may have vanished.
LEAST = -900


@dataclass(frozen=True)
class Parameters:
    """Parameters of aot."""

    p: float = parameter(2.0, low=1.0)
    cells: int | str | None = parameter(
        "auto",
        kind=int,
        low=1,
        allow=("auto", None),
    )
    quantizer: str = parameter("kmeans", choices=("kmeans", "grid"))
    markovian: bool = parameter(False)
    root: bool = parameter(True)


# So many pairs of nodes at one time fit into any machine.
_MANY = 2**14


def _prepare(series: Series, params: Parameters) -> PathLaw:
    return law_of_paths(series, params.cells, params.quantizer, params.markovian)


def _unit(x: PathLaw, y: PathLaw) -> float:
    """The least power of two that no two values at one time are farther apart than."""
    return float(_units(x.low[None], x.high[None], y.low[None], y.high[None])[0])


def _units(x_low: FloatArray, x_high: FloatArray, y_low: FloatArray, y_high: FloatArray) -> FloatArray:
    """Those of many pairs, from the least and the largest values at each time: arrays of shape (pairs, T, d)."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of a double, whatever the parts are
        apart = np.maximum(x_high - y_low, y_high - x_low)
        most = apart.max(axis=(1, 2))
        parts = apart / np.where(most > 0, most, 1.0)[:, None, None]
        largest = np.sqrt((parts * parts).sum(axis=2).max(axis=1)) * most
    powers = np.clip(np.frexp(largest)[1], -1000, 1023)
    return np.where(np.isfinite(largest), np.ldexp(1.0, powers), np.inf)


def _units_of_pairs(left: Sequence[PathLaw], right: Sequence[PathLaw], rows: IntArray, cols: IntArray) -> FloatArray:
    x, y = packed(left, _ranges), packed(right, _ranges)
    if x is None or y is None:
        return np.array([_unit(left[i], right[j]) for i, j in zip(rows, cols, strict=True)], dtype=np.float64)
    return _units(x[0][rows], x[1][rows], y[0][cols], y[1][cols])


def _ranges(laws: Sequence[PathLaw]) -> tuple[FloatArray, FloatArray] | None:
    """The least and the largest values of every law, if all have the same times and features."""
    if len({law.low.shape for law in laws}) != 1:
        return None
    return np.stack([law.low for law in laws]), np.stack([law.high for law in laws])


def _refuse_too_many_pairs(x: PathLaw, y: PathLaw) -> None:
    if x.widest * y.widest < _MANY:
        return
    pairs = np.diff(x.layer) * np.diff(y.layer)
    refuse_more_than_memory(
        16 * int(pairs[: -1 if x.value.shape[1] == 1 else None].max()),
        f"aot of processes with {x.widest} and {y.widest} nodes at one time",
        "take fewer cells, or markovian=True",
    )


def _solve(work: Workspace, x: PathLaw, y: PathLaw, unit: float, params: Parameters) -> tuple[bool, float, float, int]:
    """(converged, value, bound on its error, transport problems)."""
    _refuse_too_many_pairs(x, y)
    if math.isinf(unit):
        return True, math.inf, 0.0, 0
    unit, converged, power, gap, problems = _induction(work, x, y, unit, params.p)
    values, gaps = _in_values(np.array([power]), np.array([gap]), np.array([unit]), params)
    return converged, float(values[0]), float(gaps[0]), problems


def _induction(
    work: Workspace, x: PathLaw, y: PathLaw, unit: float, p: float, kept: FloatArray | None = None
) -> tuple[float, bool, float, float, int]:
    """What the kernel finds, and in which unit: where p is large, the value may vanish beside the farthest pairs."""
    induced = work.induction(*x.arrays, *y.arrays, unit, p, kept)
    if induced[1] >= 2.0**LEAST or work.induction(*x.arrays, *y.arrays, unit, 1.0)[1] == 0.0:
        return unit, *induced
    while induced[1] < 2.0**LEAST and unit > 2.0**-1000:
        # The value is no more than this, and so its power no more than one.
        unit *= 2.0 ** (LEAST / p)
        induced = work.induction(*x.arrays, *y.arrays, unit, p, kept)
    return unit, *induced


def _in_values(
    powers: FloatArray, gaps: FloatArray, units: FloatArray, params: Parameters
) -> tuple[FloatArray, FloatArray]:
    """Values and their errors from their p-th powers in units."""
    # The value is what a bicausal plan costs, and no plan costs less than nothing.
    gaps = np.minimum(gaps, powers)
    with np.errstate(over="ignore", invalid="ignore"):  # a value beyond the range of a double is infinite
        if params.root:
            values, gaps = rooted_all(powers, gaps, params.p)
            return units * values, units * gaps
        scales = units**params.p
        # Zero in an infinite unit is zero.
        return np.where(powers > 0, scales * powers, 0.0), np.where(gaps > 0, scales * gaps, 0.0)


def _coupling(x: PathLaw, y: PathLaw, params: Parameters) -> BicausalPlan:
    shapes = [(len(x.value[x.nodes(t)]), len(y.value[y.nodes(t)])) for t in range(len(x.path))]
    ends = np.cumsum([n * m for n, m in shapes])
    refuse_more_than_memory(8 * int(ends[-1]), "the plan of aot", "take fewer cells, or markovian=True")
    kept = np.empty(ends[-1])
    _induction(Workspace(), x, y, _unit(x, y), params.p, kept)
    return bicausal_plan(x, y, [part.reshape(shape) for part, shape in zip(np.split(kept, ends[:-1]), shapes)])


def _pair(x: PathLaw, y: PathLaw, params: Parameters) -> Result:
    converged, value, gap, problems = _solve(Workspace(), x, y, _unit(x, y), params)
    return Result(
        value,
        converged=converged,
        n_iter=problems,
        gap=gap,
        extras={"coupling": lambda: _coupling(x, y, params)},
    )


def _block(
    left: Sequence[PathLaw],
    right: Sequence[PathLaw],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    work, units = Workspace(), _units_of_pairs(left, right, rows, cols)
    widest = packed(left, _widest)[rows] * packed(right, _widest)[cols]
    for k in np.flatnonzero(widest >= _MANY).tolist():
        _refuse_too_many_pairs(left[rows[k]], right[cols[k]])
    stacks = packed(left, stacked_laws), packed(right, stacked_laws)
    converged, powers, gaps, problems = work.inductions(*stacks, rows, cols, units, params.p)
    values, gaps = _in_values(powers, gaps, units, params)
    # What vanishes in its unit; in an infinite one everything does.
    for k in np.flatnonzero(powers < 2.0**LEAST).tolist():
        converged[k], values[k], gaps[k], problems[k] = _solve(
            work, left[rows[k]], right[cols[k]], float(units[k]), params
        )
    return Batch(values, converged=converged, gap=gaps, n_iter=problems)


def _widest(laws: Sequence[PathLaw]) -> IntArray:
    return np.array([law.widest for law in laws], dtype=np.intp)


def _lower_bounds(
    left: Sequence[PathLaw], right: Sequence[PathLaw], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    """A bicausal plan couples the values at each time too: the sum of what transport between those costs."""
    # In the plane it would cost as much as the value.
    if len(rows) == 0 or left[rows[0]].value.shape[1] > 1:
        return np.zeros(len(rows))
    x, y = packed(left, stacked_marginals), packed(right, stacked_marginals)
    if x is None or y is None:
        each = [
            _lower_bounds([left[i]], [right[j]], np.zeros(1, np.intp), np.zeros(1, np.intp), params)
            for i, j in zip(rows, cols, strict=True)
        ]
        return np.concatenate(each)
    units, work = _units_of_pairs(left, right, rows, cols), Workspace()
    totals = sum((work.inductions(a, b, rows, cols, units, params.p)[1] for a, b in zip(x, y, strict=True)), 0.0)
    # Less what the rounding of masses may add.
    powers = np.maximum(totals - ROUNDING * len(x), 0.0) * (1.0 - ROUNDING)
    bounds, _ = _in_values(powers, np.zeros(len(rows)), units, params)
    return np.where(np.isinf(units), 0.0, bounds)


def _traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        # The order of the paths does not matter, nor what quantisation does not see: 0 also between other series.
        zero_self=True,
        nonnegative=True,
        triangle=params.root or params.p == 1.0,
        # Not continuous: two pasts that merge are an event.
        value_invariant=True,
        degree=1.0 if params.root else params.p,
        multivariate=True,
        compares_paths=True,
        releases_gil=True,
    )


SPEC = MetricSpec(
    name="aot",
    pair=_pair,
    block=_block,
    params=Parameters,
    traits=_traits,
    prepare=_prepare,
    reference="stotmetrics.reference.aot:aot",
    lower_bounds=_lower_bounds,
    summary="Adapted (bicausal, nested) optimal transport between two processes, each given by sample paths.",
    citation="Backhoff, Bartl, Beiglböck, Wiesel. Estimating processes in adapted Wasserstein distance. "
    "Annals of Applied Probability, 2022.",
)


def aot(
    x: ArrayLike | Series,
    y: ArrayLike | Series,
    p: float = 2.0,
    cells: int | str | None = "auto",
    quantizer: str = "kmeans",
    markovian: bool = False,
    root: bool = True,
) -> float:
    """Adapted optimal transport between two processes, each given by sample paths.

    ``(min over bicausal P of the mean under P of the sum over t of |x_t - y_t| ** p) ** (1 / p)``: transport between
    the laws of two processes by plans in which neither process sees the future of the other. Processes are near if
    their laws are and if they reveal as much as early; transport that may look ahead does not see the second.

    Parameters
    ----------
    x, y : array_like of shape (T, N) or (T, N, d), or Series
        N sample paths of one process: row t holds the values of all paths at time t. The number of paths may differ,
        the number of times may not. Weights of the paths are given by :func:`as_paths`.
    p : float, default 2.0
        Exponent of the ground cost, at least 1; distances between values are Euclidean.
    cells : int, "auto" or None, default "auto"
        Cells that the values of each process are quantised to at each time; each value becomes the mean of its cell.
        Without, no two paths of a continuous law share a past, and the first value tells the whole future. "auto" is
        the published rate: ``N ** (1 / (T + 1))``, rounded up, for one value at each time, with 2 in the place of T
        where ``markovian``. None takes the paths as they are, as the leaves of a scenario tree.
    quantizer : {"kmeans", "grid"}, default "kmeans"
        How the cells are made: "kmeans" by the least sum of squares within them, "grid" with equal sides. The former
        is exact for one value at each time, else Lloyd's method from seeds far apart; the latter cuts the range of the
        values into ``floor(cells ** (1 / d))`` on each axis. Either depends on the one process alone, and not on the
        order of its paths.
    markovian : bool, default False
        Whether a process knows its current cell only, as a Markov chain with the observed transitions. By default it
        knows all cells so far.
    root : bool, default True
        Take the p-th root, which makes it a metric between laws.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.
    MemoryError
        If the processes have more pairs of nodes at one time than the machine can hold.

    Warns
    -----
    AxisWarning
        If an array has more times than paths, which may be paths in its rows.

    See Also
    --------
    as_paths : paths with weights.
    tiot : transport between two series.

    Notes
    -----
    The value of a pair of nodes, what is known of x and of y at one time, is a transport problem between their
    children; backward induction solves one for each pair (Pflug, Pichler, *A distance for multistage stochastic
    optimization models*, SIAM Journal on Optimization, 2012). ``solve(x, y, metric="aot").coupling`` is the plan, a
    :class:`~stotmetrics.metrics.bicausal.BicausalPlan`.

    Costs are computed in units of the largest distance of two values at one time, or of one near the value where the
    power of that would vanish. ``solve(...).gap`` bounds what rounding leaves: nothing to speak of, unless p is so
    large that matched pairs cost next to nothing in that unit.

    It is a metric between the quantised laws, so 0 between other series too: those with the same paths in another
    order, or with values that the cells do not tell apart.

    References
    ----------
    Backhoff, Bartl, Beiglböck, Wiesel, *Estimating processes in adapted Wasserstein distance*, Annals of Applied
    Probability, 2022: the adapted distance and the adapted empirical measure, section 1.

    Examples
    --------
    Two games with nearly the same payments. In one the first payment, however small, tells the second:

    >>> import stotmetrics
    >>> told = [[-0.1, 0.1], [-1.0, 1.0]]
    >>> untold = [[0.0, 0.0], [-1.0, 1.0]]
    >>> round(stotmetrics.aot(told, untold, p=1, cells=None), 6)
    1.1
    """
    return bind(SPEC, p=p, cells=cells, quantizer=quantizer, markovian=markovian, root=root)(x, y)
