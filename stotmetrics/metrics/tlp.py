"""TLp: transport between signals, in which mass moves in time and in value."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from ..clouds import Cloud, cost_matrices, dense_plan, prepare_cloud, spread_plan
from ..kernels._transport import Workspace
from ..parameters import parameter
from ..reference.taot import reference_taot
from ..result import Result
from ..series import Series
from ..spec import MetricSpec, Traits


@dataclass(frozen=True)
class Parameters:
    """Parameters of tlp."""

    p: float = parameter(2.0, doc="exponent of the ground cost, and of the root", low=1.0)
    lam: float = parameter(1.0, doc="lambda: the times count 1 / lambda against the values", low=1e-100, high=1e100)
    standardize: bool = parameter(False, doc="z-score the values (per feature) and the times of each series")


def prepare(series: Series, params: Parameters) -> Cloud:
    return prepare_cloud(series, params.standardize)


def pair(x: Cloud, y: Cloud, params: Parameters) -> Result:
    A, B = cost_matrices(x, y, params.p)
    cost = A + B / params.lam
    work = Workspace()
    status, value, below, _ = work.transport(cost, x.weights, x.order, y.weights, y.order, x.uniform and y.uniform)
    coupling, root = work.coupling(), 1.0 / params.p
    found = max(0.0, value) ** root
    return Result(
        found,
        converged=status == 0,
        n_iter=1,
        gap=max(0.0, found - max(0.0, below) ** root),
        extras={
            "plan": lambda: spread_plan(dense_plan(coupling, x, y), x, y),
            "objective": lambda: value,
            "cost": lambda: cost,
        },
    )


def reference(x: Series, y: Series, params: Parameters) -> float:
    cost = reference_taot(x, y, 1.0 / params.lam, 0.0, None, params.p, params.standardize)
    return float(max(0.0, cost) ** (1.0 / params.p))


SPEC = MetricSpec(
    name="tlp",
    pair=pair,
    params=Parameters,
    traits=Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        triangle=True,
        unequal_length=True,
        multivariate=True,
        uses_times=True,
        time_invariant=True,
        uses_weights=True,
    ),
    prepare=prepare,
    reference=reference,
    summary="Transport between signals that moves mass in time and in value, at a fixed exchange rate; a metric.",
    citation="Thorpe, Park, Kolouri, Rohde, Slepčev. A Transportation Lp Distance for Signal Analysis. JMIV 2017.",
)


def tlp(x: ArrayLike, y: ArrayLike, p: float = 2.0, lam: float = 1.0, standardize: bool = False) -> float:
    r"""Transportation Lp distance between two series.

    :math:`(\min_P \sum_{ij} (|x_i - y_j|^p + |t_i - s_j|^p / \lambda) P_{ij})^{1/p}` over the couplings P of the
    weights, which are divided by their sum. It is a metric: it compares signals as Lp does, and may move mass in time.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Two series, of any lengths, with the same number of features.
    p : float, default 2.0
        Exponent of the ground cost, and of the root; at least 1.
    lam : float, default 1.0
        The times count 1 / lam against the values: small, and mass stays where it is; large, and time is free.
    standardize : bool, default False
        Z-score the values of each series (per feature, population standard deviation) and its times.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Thorpe, Park, Kolouri, Rohde, Slepčev. *A Transportation Lp Distance for Signal Analysis*, Journal of Mathematical
    Imaging and Vision, 2017.

    Examples
    --------
    >>> from stotmetrics.metrics.tlp import tlp
    >>> tlp([0.0, 2.0], [0.0, 2.0])
    0.0
    >>> round(tlp([0.0, 0.0, 3.0], [0.0, 3.0, 0.0], p=1.0), 6)
    0.666667
    """
    return SPEC.bind(p=p, lam=lam, standardize=standardize)(x, y)
