"""GAK: the global alignment kernel, as a distance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..errors import InvalidParameterError
from ..kernels import _softdtw, _softdtw_many
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.parameters import parameter
from ..spec.prepared import packed
from ..spec.result import Batch, GradBatch, PairGradient, Result, grad_batch_of, rooted_all
from ..spec.traits import Traits
from . import value_costs as costs
from .dtw_bounds import stacks

# What the recursion of the kernel can lose: relative to its logarithm, and for each step of an alignment.
_EPS = float(np.finfo(np.float64).eps)
_ROUNDING, _ROUNDING_OF_A_STEP = 32 * _EPS, 2 * _EPS
# Exponents are cut here, where the kernel has long been 0; an alignment can still add them up.
_FAR = 1e290
# Below, squares that matter leave the range of a double.
_QUICK = 1e-140
# Pairs that a search hands over at once: no bound tells which to prefer.
_TOGETHER = 16
_ALONE = np.zeros(1, dtype=np.intp)


@dataclass(frozen=True)
class Parameters:
    """Parameters of gak."""

    sigma: float = parameter(1.0, low=0.0, high=1e100, low_open=True)
    form: str = parameter(
        "feature",
        choices=("feature", "log"),
    )


def minus_log_kernels(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, sigma: float
) -> FloatArray:
    """``-log k(x, y)``: soft-DTW at gamma = 1 of the cost ``q + log(2 - e^-q)``, ``q = |.|^2 / (2 sigma^2)``."""
    x, x_at, y, y_at, rows, cols = stacks(left, right, rows, cols)
    if sigma <= _QUICK:
        return _any_range(x, x_at, y, y_at, rows, cols, sigma)
    values, far = _softdtw_many.minus_log_kernels(x, x_at, y, y_at, rows, cols, 2.0 * sigma * sigma)
    if far.any():
        values[far] = _any_range(x, x_at, y, y_at, rows[far], cols[far], sigma)
    return values


def _any_range(
    x: FloatArray, x_at: IntArray, y: FloatArray, y_at: IntArray, rows: IntArray, cols: IntArray, sigma: float
) -> FloatArray:
    """The same, pair by pair, whatever the size of differences and sigma."""
    # Differences are multiplied by an even power of two, half of it at a time: no step leaves the range of numbers.
    half = -(-math.frexp(sigma)[1] // 2)
    scale, unit = math.ldexp(1.0, -half), math.ldexp(math.ldexp(sigma, -half), -half)
    factor = 0.5 / (unit * unit)
    return _softdtw.minus_log_kernels(x, x_at, y, y_at, rows, cols, scale, factor, _FAR)


def own_terms(series: Sequence[Series], sigma: float) -> FloatArray:
    """``-log k(x, x)`` of a set, side by side."""
    each = np.arange(len(series), dtype=np.intp)
    return minus_log_kernels(series, series, each, each, sigma)


def pair(x: Series, y: Series, params: Parameters) -> Result:
    batch = block([x], [y], _ALONE, _ALONE, params)
    assert batch.gap is not None
    return Result(float(batch.values[0]), gap=float(batch.gap[0]))


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    cross = minus_log_kernels(left, right, rows, cols, params.sigma)
    own_x, own_y = (packed(side, own_terms, params.sigma) for side in (left, right))
    own_x, own_y = own_x[rows], own_y[cols]
    # -log of the kernel normalised to k(x, x) = 1; at least 0 because the kernel is positive definite.
    log_form = np.maximum(0.0, cross - 0.5 * (own_x + own_y))
    error = _ROUNDING * np.maximum.reduce([np.ones(len(rows)), np.abs(cross), np.abs(own_x), np.abs(own_y)])
    error += _ROUNDING_OF_A_STEP * (packed(left, _lengths)[rows] + packed(right, _lengths)[cols])
    if params.form == "log":
        if (log_form >= _FAR).any():
            raise InvalidParameterError(
                f"sigma of gak is too small for the logarithm of the kernel of these series to be a number; got "
                f"{params.sigma:g}; give a larger one, or form='feature'"
            )
        return Batch(log_form, gap=error)
    with np.errstate(under="ignore"):
        # Where the kernel is 0, no error of its logarithm matters.
        kernel, high = np.exp(-log_form), np.exp(-np.maximum(log_form - error, 0.0))
        square = -2.0 * np.expm1(-log_form)
    gap = 2.0 * np.maximum(high - kernel, np.minimum(error, kernel))
    values, gaps = rooted_all(square, gap, 2.0)
    return Batch(values, gap=gaps)


def _log_slopes(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradients of ``-log k(x, y)`` in values that are counted in units of sigma."""
    with np.errstate(over="ignore"):
        squares = costs.squared_euclidean(x, y)
    q = np.minimum(0.5 * squares, _FAR)
    near = np.exp(-q)
    expected = _softdtw.value_and_alignment(q + np.log(2.0 - near), 1.0, -1)[1]
    # Of the cost of two values, q + log(2 - exp(-q)), in their square.
    return costs.squared_euclidean_vjp(x, y, expected / (2.0 - near))


def gradients(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    batch = block(left, right, rows, cols, params)
    assert batch.gap is not None
    # A self term moves with both of its arguments, which are one series: twice one gradient, halved.
    own_left, own_right = (
        {k: _log_slopes(*[of_series[k].values / params.sigma] * 2)[0] for k in np.unique(wanted).tolist()}
        for of_series, wanted in ((left, rows), (right, cols))
    )
    pairs = []
    for value, gap, i, j in zip(batch.values, batch.gap, rows.tolist(), cols.tolist(), strict=True):
        in_x, in_y = _log_slopes(left[i].values / params.sigma, right[j].values / params.sigma)
        factor = 1.0
        if params.form == "feature":
            # Of sqrt(2 - 2 k) in -log k; zero between series that the kernel does not tell apart.
            factor = (1.0 - 0.5 * value * value) / value if value > 0 else 0.0
        scale = factor / params.sigma
        pairs.append(PairGradient(value, scale * (in_x - own_left[i]), scale * (in_y - own_right[j]), True, gap))
    return grad_batch_of(pairs, side)


def _lengths(series: Sequence[Series]) -> FloatArray:
    return np.array([len(x) for x in series], dtype=np.float64)


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
        differentiable=True,
        releases_gil=True,
    )


SPEC = MetricSpec(
    name="gak",
    pair=pair,
    block=block,
    lanes=_TOGETHER,
    params=Parameters,
    traits=traits,
    gradients=gradients,
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
        "feature" is the distance in the feature space, at most the square root of 2; "log" is minus the logarithm of
        the kernel, which tells far series apart but has no triangle inequality.

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
