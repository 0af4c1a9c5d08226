"""OPW: transport between the samples of two series that prefers to keep their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.result import GradBatch, PairGradient, Result, grad_batch_of
from ..spec.traits import Traits
from ..transport.entropic import solve_entropic
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


def order_cost(x: Samples, y: Samples, params: Parameters) -> FloatArray:
    """What leaving the diagonal costs: ``epsilon l^2 / (2 sigma^2) - lambda1 / ((i/N - j/M)^2 + 1)``, from 0 up."""
    off = x.places[:, None] - y.places
    distance = off / np.sqrt(1.0 / x.length**2 + 1.0 / y.length**2)
    return params.epsilon * distance**2 / (2 * params.sigma**2) + params.moment * (1.0 - 1.0 / (off**2 + 1.0))


def pair(x: Samples, y: Samples, params: Parameters) -> Result:
    distances = costs.squared_euclidean(x.values, y.values)
    cost = distances + order_cost(x, y, params)
    solution = solve_entropic(cost, x.weights, y.weights, params.epsilon, params.tol, params.max_iter)
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


def gradient(x: Samples, y: Samples, params: Parameters) -> PairGradient:
    distances = costs.squared_euclidean(x.values, y.values)
    order = order_cost(x, y, params)
    cost = distances + order
    limits = params.epsilon, params.tol, params.max_iter
    solved, converged, slopes = solved_with_slopes(cost, x, y, *limits, fixed=order)
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
