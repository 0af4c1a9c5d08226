"""OPW: transport between the samples of two series that prefers to keep their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..kernels import _opw
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch, PairGradient, Result, grad_batch_of
from ..spec.traits import Traits
from ..transport.entropic import VANISHING, solve_entropic
from ..transport.entropic_slopes import solved_with_slopes
from . import value_costs as costs


@dataclass(frozen=True)
class Parameters:
    """Parameters of opw."""

    moment: float = parameter(50.0, low=0.0, high=1e4)
    epsilon: float = parameter(0.1, low=1e-3)
    sigma: float = parameter(1.0, low=0.01, high=1e4)
    tol: float = parameter(1e-9, low=0.0, low_open=True)
    max_iter: int = parameter(200, low=1)


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a series that carry mass: values, places in (0, 1], weights; and the series they are part of."""

    values: FloatArray
    places: FloatArray
    weights: FloatArray
    support: IntArray
    series: Series

    @property
    def length(self) -> int:
        """The length of the series."""
        return len(self.series)


def prepare(series: Series, params: Parameters) -> Samples:
    kept = np.flatnonzero(series.weights > 0)
    weights = series.weights[kept] / series.weights[kept].max()
    places = (kept + 1) / len(series)
    return Samples(np.ascontiguousarray(series.values[kept]), places, weights / weights.sum(), kept, series)


def cost_matrices(x: Samples, y: Samples, params: Parameters) -> tuple[FloatArray, FloatArray]:
    """The squared distances, which the value counts, and what leaving the diagonal costs."""
    order = _opw.order_costs(x.places, x.length, y.places, y.length, params.moment, params.epsilon, params.sigma)
    return costs.squared_euclidean(x.values, y.values), order


def pair(x: Samples, y: Samples, params: Parameters) -> Result:
    distances, order = cost_matrices(x, y, params)
    solution = solve_entropic(distances + order, x.weights, y.weights, params.epsilon, params.tol, params.max_iter)
    plan = solution.plan()

    def whole_plan() -> FloatArray:
        whole = np.zeros((x.length, y.length))
        whole[np.ix_(x.support, y.support)] = plan
        return whole

    return Result(
        float((plan * distances).sum()),
        converged=solution.converged,
        n_iter=solution.steps,
        gap=solution.gap,
        extras={
            "plan": whole_plan,
            "objective": lambda: solution.objective,
            "cost": lambda: costs.squared_euclidean(x.series.values, y.series.values),
        },
    )


def stack(samples: Sequence[Samples]) -> tuple[FloatArray, FloatArray, FloatArray, IntArray, FloatArray]:
    """Values, places and weights one behind the other, where each series starts, with the end at the end; lengths."""
    at = np.zeros(len(samples) + 1, dtype=np.intp)
    np.cumsum([len(of_series.weights) for of_series in samples], out=at[1:])
    values, places, weights = (
        np.concatenate([getattr(of_series, name) for of_series in samples]) for name in ("values", "places", "weights")
    )
    return values, places, weights, at, np.array([of_series.length for of_series in samples], dtype=np.float64)


def block(
    left: Sequence[Samples],
    right: Sequence[Samples],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    x, y = packed(left, stack), packed(right, stack)
    statuses, values, gaps, steps = _opw.values(
        *x, *y, rows, cols, params.moment, params.epsilon, params.sigma, params.tol, params.max_iter, VANISHING
    )
    converged = statuses == 0
    for k in np.flatnonzero(statuses < 0):
        at_limit = pair(left[rows[k]], right[cols[k]], params)
        values[k], gaps[k], steps[k], converged[k] = at_limit.value, at_limit.gap, at_limit.n_iter, at_limit.converged
    return Batch(values, converged=converged, gap=gaps, n_iter=steps)


def gradient(x: Samples, y: Samples, params: Parameters) -> PairGradient:
    distances, order = cost_matrices(x, y, params)
    limits = params.epsilon, params.tol, params.max_iter
    solved, converged, slopes = solved_with_slopes(distances + order, x, y, *limits, fixed=order)
    left, right = np.zeros_like(x.series.values), np.zeros_like(y.series.values)
    left[x.support], right[y.support] = costs.squared_euclidean_vjp(x.values, y.values, slopes)
    return PairGradient(float((solved.plan() * distances).sum()), left, right, converged, solved.gap)


def gradients(
    left: Sequence[Samples], right: Sequence[Samples], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    return grad_batch_of([gradient(left[i], right[j], params) for i, j in zip(rows, cols, strict=True)], side)


SPEC = MetricSpec(
    name="opw",
    pair=pair,
    block=block,
    params=Parameters,
    traits=Traits(
        symmetric=True,
        nonnegative=True,
        continuous=True,
        value_invariant=True,
        unequal_length=True,
        multivariate=True,
        differentiable=True,
        uses_weights=True,
        releases_gil=True,
    ),
    prepare=prepare,
    gradients=gradients,
    reference="stotmetrics.reference.opw:opw",
    summary="Entropic transport of the samples of two series that is drawn to the diagonal, so that order is kept.",
    citation="Su, Hua. Order-preserving Wasserstein Distance for Sequence Matching. CVPR 2017.",
)


def opw(
    x: ArrayLike,
    y: ArrayLike,
    moment: float = 50.0,
    epsilon: float = 0.1,
    sigma: float = 1.0,
    tol: float = 1e-9,
    max_iter: int = 200,
) -> float:
    r"""Order-preserving Wasserstein distance between two series.

    :math:`\langle D, T \rangle` with :math:`D_{ij} = \|x_i - y_j\|^2` and the plan T that minimises
    :math:`\langle D, T \rangle - \lambda_1 I(T) + \lambda_2 KL(T \,|\, P)`. The inverse difference moment
    :math:`I(T) = \sum_{ij} T_{ij} / ((i/N - j/M)^2 + 1)` and the prior P, Gaussian in the distance from the diagonal,
    hold the plan to the order of the samples. The value of equal series is not zero.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        The lengths may differ.
    moment : float, default 50.0
        Weight of the inverse difference moment, which favours the diagonal. The :math:`\lambda_1` of the authors.
    epsilon : float, default 0.1
        Entropic regularisation towards a Gaussian around the diagonal. The :math:`\lambda_2` of the authors.
    sigma : float, default 1.0
        Width of that Gaussian, in samples.
    tol : float, default 1e-9
        Stop when the certified gap of the objective is below this (times the objective where that exceeds 1).
    max_iter : int, default 200
        Most Newton steps. The authors stop after 20 plain sweeps instead.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` is reached before ``tol``.

    References
    ----------
    Su, Hua. *Order-preserving Wasserstein Distance for Sequence Matching*, CVPR 2017.

    Examples
    --------
    >>> from stotmetrics.metrics.opw import opw
    >>> up, down = [0.0, 1.0, 2.0], [2.0, 1.0, 0.0]
    >>> opw(up, up) < opw(up, down)
    True
    """
    return bind(SPEC, moment=moment, epsilon=epsilon, sigma=sigma, tol=tol, max_iter=max_iter)(x, y)
