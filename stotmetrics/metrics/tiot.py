"""TiOT: transport between series in which the worst case settles how values count against times."""

from dataclasses import dataclass
from functools import partial

import ot
from numpy.typing import ArrayLike

from ..clouds import Cloud, cost_matrices, prepare_cloud, spread_plan, spread_potentials
from ..parameters import parameter
from ..reference.tiot import reference_tiot
from ..result import FloatArray, Result
from ..series import Series
from ..spec import MetricSpec, Traits


@dataclass(frozen=True)
class Parameters:
    """Parameters of tiot."""

    p: float = parameter(2.0, doc="exponent of the ground costs", low=1.0)
    standardize: bool = parameter(True, doc="z-score the values (per feature) and the times of each series")
    root: bool = parameter(True, doc="take the p-th root, which makes it a metric")


@dataclass(frozen=True, slots=True)
class _Solve:
    """A transport problem solved at one w: its plan costs ``slope * w + level`` at any other w."""

    plan: FloatArray
    slope: float
    level: float
    value: float
    potentials: tuple[FloatArray, FloatArray]
    optimal: bool

    def at(self, w: float) -> float:
        return self.slope * w + self.level


def _transport(A: FloatArray, B: FloatArray, a: FloatArray, b: FloatArray, w: float) -> _Solve:
    C = w * A + (1.0 - w) * B
    plan, log = ot.emd(a, b, C, numItermax=10_000_000, log=True, check_marginals=False)
    f, g = log["u"], log["v"]
    # The dual value, with potentials made feasible against rounding, can only err downwards.
    value = a @ f + b @ g + min(0.0, float((C - f[:, None] - g).min()))
    level, top = float((B * plan).sum()), float((A * plan).sum())
    return _Solve(plan, top - level, level, float(value), (f, g), log["warning"] is None)


def _cutting_plane(A: FloatArray, B: FloatArray, a: FloatArray, b: FloatArray) -> tuple[_Solve, float, float, int]:
    """Maximise the concave, piecewise linear g(w) = min_P <C_w, P>; returns the best solve, its w, the gap, solves.

    Every plan's cost is a line above g. The lines at both ends meet at the next w; its solve replaces the line on the
    side its slope points from, until g touches the meeting point.
    """
    left, right = _transport(A, B, a, b, 0.0), _transport(A, B, a, b, 1.0)
    best, w, solves = (left, 0.0, 2) if left.slope <= 0 else (right, 1.0, 2)
    upper = best.at(w)
    if left.slope > 0 and right.slope < 0:
        for solves in range(3, 200):
            v = min(max((right.level - left.level) / (left.slope - right.slope), 0.0), 1.0)
            upper = left.at(v)
            middle = _transport(A, B, a, b, v)
            if middle.value > best.value or solves == 3:
                best, w = middle, v
            if middle.at(v) >= upper - 1e-13 * abs(upper):
                break
            left, right = (middle, right) if middle.slope > 0 else (left, middle)
    return best, w, max(0.0, upper - best.value), solves


def _pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    A, B = cost_matrices(x, y, params.p)
    best, w, gap, solves = _cutting_plane(A, B, x.weights, y.weights)
    objective = max(0.0, best.at(w))
    value = objective ** (1.0 / params.p) if params.root else objective
    if params.root:
        gap = value - max(0.0, objective - gap) ** (1.0 / params.p)
    return Result(
        value,
        converged=best.optimal and gap <= 1e-9 * max(value, 1e-3),
        n_iter=solves,
        gap=gap,
        extras={
            "plan": partial(spread_plan, best.plan, x, y),
            "w": lambda: w,
            "objective": lambda: objective,
            "potentials": lambda: spread_potentials(
                *best.potentials, x, y, lambda A, B: w * A + (1.0 - w) * B, params.p
            ),
        },
    )


def _prepare(series: Series, params: Parameters) -> Cloud:
    return prepare_cloud(series, params.standardize)


def _reference(x: Series, y: Series, params: Parameters) -> float:
    return reference_tiot(x, y, params.p, params.standardize, params.root)


def _traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        triangle=params.root or params.p == 1.0,
        unequal_length=True,
        multivariate=True,
        uses_times=True,
        uses_weights=True,
    )


SPEC = MetricSpec(
    name="tiot",
    pair=_pair,
    params=Parameters,
    traits=_traits,
    prepare=_prepare,
    reference=_reference,
    summary="Exact optimal transport of values and times, at the balance between them that costs most.",
    citation="Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025.",
)


def tiot(x: ArrayLike, y: ArrayLike, p: float = 2.0, standardize: bool = True, root: bool = True) -> float:
    """Time-integrated optimal transport between two series.

    ``(max over w in [0, 1] of min over couplings P of <w A + (1 - w) B, P>) ** (1 / p)`` with
    ``A[i, j] = |x_i - y_j| ** p`` between the values and ``B[i, j] = |t_i - s_j| ** p`` between the times. It needs no
    balance to be tuned and is a metric. The weights of each series are divided by their sum.

    Parameters
    ----------
    x, y : array_like or Series
        Two series, of any lengths, with the same number of features.
    p : float, default 2.0
        Exponent of the ground costs, at least 1.
    standardize : bool, default True
        Z-score the values of each series (per feature, population standard deviation) and its times; a constant
        feature becomes 0. Every time counts the same there, whatever its weight.
    root : bool, default True
        Take the p-th root, which makes it a metric.

    Returns
    -------
    float

    References
    ----------
    Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025. Definition in Section 2,
    metric axioms in Theorem 2.3.

    Examples
    --------
    >>> import stotmetrics
    >>> round(stotmetrics.tiot([0.0, 0.0, 1.0], [0.0, 1.0, 0.0], standardize=False), 6)
    0.57735
    """
    return SPEC.bind(p=p, standardize=standardize, root=root)(x, y)
