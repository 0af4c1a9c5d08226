"""Spatio-temporal alignments: soft-DTW whose cost is the unbalanced Sinkhorn divergence of two frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import InvalidSeriesError
from ..kernels import _softdtw
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.result import GradBatch, PairGradient, Result, grad_batch_of
from ..spec.traits import Traits
from ..transport.divergences import Frames, Problem, cross_terms, divergence, polish, self_terms, spread
from ..transport.ground_cost import Ground, as_ground, default_ground
from ..transport.kept import kept
from ..transport.panels import panels_of
from ..transport.single_precision import LEAST_POINTS
from ..transport.wide_range import FINEST
from . import value_costs

# Beyond it an exponential leaves the range of a double, and what it stands for is lost.
_HIGHEST = 700.0
_LOST = 0.5 * math.exp(_HIGHEST)


@dataclass(frozen=True)
class Parameters:
    """The parameters of sta."""

    gamma: float = parameter(0.1, low=0)
    epsilon: float | str = parameter(
        "median",
        kind=float,
        low=0,
        low_open=True,
        allow=("median",),
    )
    rho: float = parameter(1.0, low=0, low_open=True, allow=(math.inf,))
    ground: Ground | None = parameter(  # noqa: RUF009 -- a field, as all of them
        None,
        allow=(None,),
        convert=as_ground,
    )
    signed: str = parameter(
        "refuse",
        choices=("refuse", "abs", "split"),
    )
    tol: float = parameter(1e-6, low=0, low_open=True)
    max_iter: int = parameter(10_000, low=1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A series, its parts as histograms and their self terms. ``key`` orders two series whichever comes first."""

    series: Series
    problem: Problem
    positive: bool
    parts: tuple[Frames, ...]
    key: tuple[int, bytes]


def traits(params: Parameters) -> Traits:
    positive = params.ground is None or params.ground.positive
    return Traits(
        symmetric=True,
        # At gamma > 0 soft-DTW rewards that many alignments are good: it is negative between equal series.
        zero_self=params.gamma == 0 and positive,
        nonnegative=params.gamma == 0 and positive,
        # Next to a frame without mass the value is a root of high order of what mass there is.
        continuous=params.signed == "refuse",
        unequal_length=True,
        releases_gil=True,
        multivariate=True,
        # Split parts have points without mass, where the slope of KL is infinite; balanced, mass cannot change.
        differentiable=params.gamma > 0 and params.signed != "split" and bool(np.isfinite(params.rho)),
        needs_mass=params.signed == "refuse",
        compares_frames=True,
    )


def prepare(series: Series, params: Parameters) -> Prepared:
    ground = ground_of(series, params)
    problem = _problem(ground, params.epsilon, params.rho, params.tol, params.max_iter)
    masses = histograms(series.values, params.signed)
    if math.isinf(params.rho):
        for mass in masses:
            _refuse_unequal_mass(mass.sum(axis=1))
    parts = tuple(self_terms(problem, mass) for mass in masses)
    return Prepared(series, problem, ground.positive, parts, (len(series), series.values.tobytes()))


def ground_of(series: Series, params: Parameters) -> Ground:
    """The ground of the parameters, or the one that the frames of a series suggest."""
    if params.ground is None:
        return default_ground(tuple(int(k) for k in series.frame_shape or (series.dim,)))
    if params.ground.size != series.dim:
        raise InvalidSeriesError(
            f"the ground of sta has {params.ground.size} points, but a frame of the series has {series.dim}; "
            "pass a ground with one point for each value of a frame"
        )
    return params.ground


def histograms(values: FloatArray, signed: str) -> list[FloatArray]:
    """The non-negative parts that stand for signed values."""
    if signed == "abs":
        return [np.abs(values)]
    if signed == "split":
        return [np.maximum(values, 0.0), np.maximum(-values, 0.0)]
    return [values]


@kept(2**28, lambda problem: problem.nbytes)
def _problem(ground: Ground, epsilon: float | str, rho: float, tol: float, max_iter: int) -> Problem:
    wanted = ground.epsilon() if isinstance(epsilon, str) else epsilon
    # Costs in units of a smaller one have no digits left behind the point, and no certificate holds. What costs a
    # thousand times rho moves nothing.
    strength = max(wanted, FINEST * min(sum(map(spread, ground.costs)), 1e3 * rho))
    # Half the tolerance is the cross term's, a quarter each self term's half: they add up to tol.
    panels = panels_of(ground.costs, strength) if math.isfinite(rho) and ground.size >= LEAST_POINTS else None
    kernels = ground.kernels(strength)
    return Problem(ground.costs, strength, rho, tol / 2, max_iter, kernels, panels=panels, raised=strength - wanted)


def pair(x: Prepared, y: Prepared, params: Parameters) -> Result:
    costs = costs_of(x, y)
    alone = costs[0]
    extras = {
        "cost": lambda: alone.value,
        "alignment": lambda: _softdtw.value_and_alignment(alone.value, params.gamma)[1],
        "path": lambda: value_costs.cheapest_path(alone.value),
    }
    bounds = [cost.bounds(params.gamma) for cost in costs]
    return Result(
        float(np.mean([value for value, _ in bounds])),
        converged=all(cost.converged for cost in costs),
        n_iter=max(cost.sweeps for cost in costs),
        gap=float(np.mean([gap for _, gap in bounds])),
        extras=extras if len(costs) == 1 else None,
    )


def costs_of(x: Prepared, y: Prepared) -> "list[_Cost]":
    """The cost matrix of each part of two series."""
    return [_Cost(x, y, part) for part in range(len(x.parts))]


class _Cost:
    """The cost matrix of one part of two series, with its certificate."""

    def __init__(self, x: Prepared, y: Prepared, part: int) -> None:
        left, right = x.parts[part], y.parts[part]
        if np.isinf(x.problem.rho):
            _refuse_unequal_mass(np.concatenate([left.total, right.total]))
        # Both orders of a pair solve the same problems, so that the distance is symmetric to the last digit.
        swap = y.key < x.key
        first, second = (right, left) if swap else (left, right)
        cross = cross_terms(x.problem, first, second, potentials=False)
        value, error = divergence(first, second, cross, positive=x.positive)
        self.swapped = swap
        self.value: FloatArray = np.ascontiguousarray(value.T if swap else value)
        self.error: FloatArray = np.ascontiguousarray(error.T if swap else error)
        self.converged = bool(cross.converged.all() and left.converged.all() and right.converged.all())
        self.sweeps = int(max(cross.sweeps.max(), left.sweeps.max(), right.sweeps.max()))

    def bounds(self, gamma: float) -> tuple[float, float]:
        """soft-DTW and its certified error: it grows with every cost, so it lies between those at both ends."""
        value = _oriented(self.value, gamma, self.swapped)
        low, high = (_oriented(self.value + sign * self.error, gamma, self.swapped) for sign in (-1, 1))
        return value, float(np.maximum(high - value, value - low))


def _oriented(cost: FloatArray, gamma: float, swapped: bool) -> float:
    return _softdtw.value(np.ascontiguousarray(cost.T) if swapped else cost, gamma)


def _refuse_unequal_mass(totals: FloatArray) -> None:
    low, high = totals.min(), totals.max()
    if high - low > 1e-9 * high:
        raise InvalidSeriesError(
            f"sta with rho=inf compares frames of equal mass; got masses from {low:g} to {high:g}; "
            "divide each frame by its sum, or give a finite rho"
        )


def gradients(
    left: Sequence[Prepared], right: Sequence[Prepared], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    return grad_batch_of([_gradient(left[i], right[j], params) for i, j in zip(rows, cols, strict=True)], side)


def _gradient(x: Prepared, y: Prepared, params: Parameters) -> PairGradient:
    for prepared, name in ((x, "x"), (y, "y")):
        if not prepared.parts[0].mass.all():
            t, p = (int(k) for k in np.argwhere(prepared.parts[0].mass == 0)[0])
            raise InvalidSeriesError(
                f"{name} has no mass at time index {t}, point {p}, where the gradient of sta is infinite; "
                "add a small background to every frame"
            )
    problem = _tight(x, y)
    left, right = (self_terms(problem, side.parts[0].mass, side.parts[0].u) for side in (x, y))
    cross = cross_terms(problem, left, right)
    value, error = divergence(left, right, cross, positive=x.positive)
    total, alignment = _softdtw.value_and_alignment(value, params.gamma)
    low, high = (_softdtw.value(value + sign * error, params.gamma) for sign in (-1, 1))
    own_x, own_y, cross = polish(problem, left, right, cross)
    slope_x = slopes(problem, own_x[:, None, :], cross.u[cross.state])
    slope_y = slopes(problem, own_y[None, :, :], cross.v[cross.state])
    grad_x, grad_y = (np.einsum("ij,ijp->" + out, alignment, s) for out, s in (("ip", slope_x), ("jp", slope_y)))
    if params.signed == "abs":
        grad_x, grad_y = np.sign(x.series.values) * grad_x, np.sign(y.series.values) * grad_y
    # Rounding may keep the tight problem from its own tolerance; it must at least keep the promise of the value.
    solved = cross.converged & left.converged[:, None] & right.converged[None, :]
    allowed = 2 * x.problem.allowed(left.total[:, None], right.total[None, :])
    known = all(float(np.abs(slope).max()) < _LOST * problem.rho for slope in (slope_x, slope_y))
    converged = known and bool((solved | (error <= allowed)).all())
    return PairGradient(total, grad_x, grad_y, converged, max(high - total, total - low))


def slopes(problem: Problem, own: FloatArray, cross: FloatArray) -> FloatArray:
    """Gradient of S in the masses of one side: ``rho (exp(-f_xx / rho) - exp(-f_xy / rho))``."""
    ratio = problem.epsilon / problem.rho
    # Where the sweeps ran out a potential may be anything; the gradient is then one that has not converged.
    own, cross = (np.exp(np.minimum(-ratio * potential, _HIGHEST)) for potential in (own, cross))
    return np.asarray(problem.rho * (own - cross))


def _tight(x: Prepared, y: Prepared) -> Problem:
    """The problem solved until its potentials are as good as the value was: a gap is quadratic in their error."""
    floor = 1e-14 * (1 + x.problem.rho)
    return replace(x.problem, tol=max(min(x.problem.tol, 1.0) ** 2, floor), follow=False)


SPEC = MetricSpec(
    name="sta",
    pair=pair,
    params=Parameters,
    traits=traits,
    prepare=prepare,
    # No block: the problems of one pair are a batch already, and sharing it with other pairs would let them touch its
    # last digits.
    gradients=gradients,
    reference="stotmetrics.reference.sta:sta",
    summary="Aligns two series of histograms over space: soft-DTW of the unbalanced Sinkhorn divergence.",
    citation="Janati, Cuturi, Gramfort, Spatio-Temporal Alignments, AISTATS 2020",
)


def sta(
    x: npt.ArrayLike | Series,
    y: npt.ArrayLike | Series,
    gamma: float = 0.1,
    epsilon: float | str = "median",
    rho: float = 1.0,
    ground: Ground | npt.ArrayLike | None = None,
    signed: str = "refuse",
    tol: float = 1e-6,
    max_iter: int = 10_000,
) -> float:
    """Spatio-temporal alignment: soft-DTW whose cost is the unbalanced Sinkhorn divergence of two frames.

    A shift in time and a shift in space both change it smoothly, and by how far they go.

    Parameters
    ----------
    x, y : array_like of shape (T, P) or (T, H, W), or Series
        A non-negative histogram at each time. Frames need not have the same mass, and lengths may differ.
    gamma : float, default 0.1
        Smoothing of the soft minimum, in units of the divergence; 0 is hard DTW.
    epsilon : float or "median", default "median"
        Entropic regularisation, in units of the ground cost. ``"median"`` is ``10 / P`` times the median of all P x P
        entries of the cost, the published choice. Below 1e-13 of the spread of the cost (or of 1000 rho) it counts
        as that, and what that changes at most is part of the gap.
    rho : float, default 1
        Weight of the KL marginal penalty, in units of the ground cost; ``inf`` is balanced transport, which asks for
        frames of equal mass. The published choice is 1 for a cost whose median is 1.
    ground : Ground or array_like, optional
        What it costs to move mass: a Ground, a (P, P) cost matrix or (P, k) coordinates. A square symmetric matrix with
        a zero diagonal is the cost itself; any other array holds coordinates, and the cost is the squared Euclidean
        distance. Both are used as they are. None puts the points on a line, or on the pixels of a frame, and divides
        the squared distances by their median.
    signed : {"refuse", "abs", "split"}, default "refuse"
        What becomes of negative values: an error, their absolute value, or the mean of the values of the positive and
        of the negative parts.
    tol : float, default 1e-6
        Certified error of each divergence between two frames, as a part of the larger of their masses: the unit of the
        data does not matter.
    max_iter : int, default 10000
        Sweeps of one Sinkhorn problem at most.

    Returns
    -------
    float
        It can be negative at ``gamma > 0``, also between equal series.

    Raises
    ------
    InvalidSeriesError
        If a series cannot be used: negative where ``signed`` refuses it, of another size than the ground, or at
        ``rho=inf`` of unequal masses.
    InvalidParameterError
        If a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` is reached before ``tol``.

    See Also
    --------
    softdtw : the same alignment of values that have no place in space.

    Notes
    -----
    ``sta(x, y) = dtw_gamma(C)``, ``C[i, j] = S(x_i, y_j)``, ``S(x, y) = W(x, y) - (W(x, x) + W(y, y)) / 2`` and
    ``W(x, y) = min_P epsilon KL(P | K) + rho KL(P 1 | x) + rho KL(P^T 1 | y)`` with ``K = exp(-M / epsilon)``.

    References
    ----------
    Janati, Cuturi, Gramfort, *Spatio-Temporal Alignments: Optimal transport through space and time*, AISTATS 2020,
    definition 3.

    Examples
    --------
    >>> import numpy as np
    >>> import stotmetrics
    >>> still = np.full((4, 10), 0.01)
    >>> x, near, far = still.copy(), still.copy(), still.copy()
    >>> x[1, 2] = near[2, 3] = far[2, 8] = 1.0
    >>> bool(stotmetrics.sta(x, near) < stotmetrics.sta(x, far))
    True
    """
    bound = bind(SPEC, gamma=gamma, epsilon=epsilon, rho=rho, ground=ground, signed=signed, tol=tol, max_iter=max_iter)
    return bound(x, y)
