"""GAK: the global alignment kernel, as a distance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray
from ..errors import InvalidParameterError
from ..kernels import _softdtw
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec
from ..spec.parameters import parameter
from ..spec.result import Result, rooted
from ..spec.traits import Traits
from . import value_costs as costs

# What the recursion of the kernel can lose, relative to its logarithm.
_ROUNDING = 32 * float(np.finfo(np.float64).eps)
# Exponents are cut here, where the kernel has long been 0; an alignment can still add them up.
_FAR = 1e290
# Values up to here have squares.
_SQUARABLE = 1e150


@dataclass(frozen=True)
class Parameters:
    """Parameters of gak."""

    sigma: float = parameter(1.0, doc="width of the Gaussian of two values", low=0.0, high=1e100, low_open=True)
    form: str = parameter(
        "feature",
        doc="'feature': the distance in the kernel's feature space; 'log': minus the logarithm of the kernel",
        choices=("feature", "log"),
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A series and ``-log k(x, x)``."""

    values: FloatArray
    own: float


def exponents(x: FloatArray, y: FloatArray, sigma: float) -> FloatArray:
    """``|x_i - y_j|^2 / (2 sigma^2)``, at most ``_FAR``: no square on the way leaves the range of numbers."""
    share, power = math.frexp(sigma)
    with np.errstate(over="ignore", under="ignore"):
        # Multiplied by a power of two, values keep all their digits.
        left, right = (np.ldexp(values, -power) for values in (x, y))
        if max(np.abs(left).max(), np.abs(right).max()) < _SQUARABLE:
            squares = costs.squared_euclidean(left, right)
        else:
            squares = (np.ldexp(x[:, None, :] - y[None, :, :], -power) ** 2).sum(axis=2)
        return np.minimum(squares / (2 * share * share), _FAR)


def minus_log_kernel(x: FloatArray, y: FloatArray, sigma: float) -> float:
    """``-log k(x, y)``: soft-DTW at gamma = 1 of the cost ``q + log(2 - e^-q)``, ``q = |.|^2 / (2 sigma^2)``."""
    q = exponents(x, y, sigma)
    with np.errstate(under="ignore"):
        return _softdtw.value(q + np.log(2.0 - np.exp(-q)), 1.0)


def prepare(series: Series, params: Parameters) -> Prepared:
    return Prepared(series.values, minus_log_kernel(series.values, series.values, params.sigma))


def pair(x: Prepared, y: Prepared, params: Parameters) -> Result:
    cross = minus_log_kernel(x.values, y.values, params.sigma)
    # -log of the kernel normalised to k(x, x) = 1; at least 0 because the kernel is positive definite.
    log_form = max(0.0, cross - 0.5 * (x.own + y.own))
    error = _ROUNDING * max(1.0, abs(cross), abs(x.own), abs(y.own))
    if params.form == "log":
        if log_form >= _FAR:
            raise InvalidParameterError(
                f"sigma of gak is too small for the logarithm of the kernel of these series to be a number; got "
                f"{params.sigma:g}; give a larger one, or form='feature'"
            )
        return Result(log_form, gap=error)
    # Where the kernel is 0, no error of its logarithm matters.
    kernel_value, high = math.exp(-log_form), math.exp(-max(log_form - error, 0.0))
    value, gap = rooted(-2.0 * math.expm1(-log_form), 2.0 * max(high - kernel_value, min(error, kernel_value)), 2.0)
    return Result(value, gap=gap)


def traits(params: Parameters) -> Traits:
    return Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        triangle=params.form == "feature",
        continuous=True,
        value_invariant=True,
        unequal_length=True,
        multivariate=True,
    )


SPEC = MetricSpec(
    name="gak",
    pair=pair,
    params=Parameters,
    traits=traits,
    prepare=prepare,
    reference="stotmetrics.reference.gak:gak",
    summary="Distance of two series in the feature space of the global alignment kernel, which adds up all alignments.",
    citation="Cuturi. Fast Global Alignment Kernels. ICML 2011.",
)


def gak(x: ArrayLike, y: ArrayLike, sigma: float = 1.0, form: str = "feature") -> float:
    r"""Distance between two series under the global alignment kernel.

    The kernel is the sum over all alignments of the product of local kernels :math:`g / (2 - g)`, with
    :math:`g = \exp(-\|x_i - y_j\|^2 / (2 \sigma^2))`, normalised to :math:`k(x, x) = 1`. It is positive definite, so
    :math:`\sqrt{2 - 2 k(x, y)}` is a distance.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        The lengths may differ.
    sigma : float, default 1.0
        Width of the Gaussian of two values, in their unit.
    form : {"feature", "log"}, default "feature"
        "feature" is the distance in the feature space, at most the square root of 2; "log" is
        :math:`-\log k(x, y)`, which tells far series apart but has no triangle inequality.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Cuturi. *Fast Global Alignment Kernels*, ICML 2011.

    Examples
    --------
    >>> from stotmetrics.metrics.gak import gak
    >>> gak([0.0, 1.0], [0.0, 1.0])
    0.0
    >>> round(gak([0.0, 1.0, 2.0], [0.0, 2.0], form="log"), 6)
    0.632782
    """
    return bind(SPEC, sigma=sigma, form=form)(x, y)
