"""Sharp soft-DTW: the expected cost of an alignment, without its entropy."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..kernels import _softdtw, _softdtw_many
from ..series import Series
from ..spec.bound import bind
from ..spec.metric import MetricSpec, Side
from ..spec.result import Batch, GradBatch, Result
from ..spec.traits import Traits
from . import value_costs as costs
from .dtw_bounds import LANES, hard_bounds, radius_of, stacks
from .softdtw import Parameters, gamma_of, gammas_of, split

# Cells in one product.
_AT_ONCE = 2**24
# Below this part of the value gamma is less than the rounding of what alignments cost: which count does not move.
_NO_DIGITS = 1e-15
_ALONE = np.zeros(1, dtype=np.intp)


def alignment_and_cost(x: Series, y: Series, params: Parameters) -> tuple[FloatArray, FloatArray]:
    cost = costs.squared_euclidean(x.values, y.values)
    gamma = gamma_of(x, y, params.gamma)
    return _softdtw.value_and_alignment(cost, gamma, radius_of(params.band))[1], cost


def expected(alignment: FloatArray, cost: FloatArray) -> float:
    """``sum(alignment * cost)``, some rows at a time: between two of them Ctrl-C is heard."""
    rows = max(1, _AT_ONCE // cost.shape[1])
    if rows >= len(cost):
        return float(np.vdot(alignment, cost))
    return float(sum(np.vdot(alignment[k : k + rows], cost[k : k + rows]) for k in range(0, len(cost), rows)))


def pair(x: Series, y: Series, params: Parameters) -> Result:
    return Result(
        float(block([x], [y], _ALONE, _ALONE, params).values[0]),
        extras={
            "alignment": lambda: alignment_and_cost(x, y, params)[0],
            "path": lambda: costs.cheapest_path(costs.scale_free_costs(x.values, y.values), radius_of(params.band)),
            "cost": lambda: costs.squared_euclidean(x.values, y.values),
        },
    )


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: IntArray,
    cols: IntArray,
    params: Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    if params.band is not None:
        values, left_out = np.empty(len(rows)), np.arange(len(rows))
    else:
        gammas = gammas_of(left, right, rows, cols, params.gamma)
        values, _, _, left_out = _softdtw_many.expected_costs(*stacks(left, right, rows, cols), gammas)
    for k in left_out.tolist():
        alignment, cost = alignment_and_cost(left[rows[k]], right[cols[k]], params)
        # Where all sums of costs leave the range of a double there is no alignment, and no mean.
        values[k] = expected(alignment, cost) if alignment.any() else np.inf
    return Batch(values)


def lower_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters
) -> FloatArray:
    # A mean over alignments is no less than the least of them, whatever gamma.
    return hard_bounds(left, right, rows, cols, params.band)


def gradients(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, params: Parameters, side: Side
) -> GradBatch:
    if params.band is not None:
        solved = [gradient(left[i], right[j], params) for i, j in zip(rows, cols, strict=True)]
        return GradBatch(np.array([value for value, *_ in solved]), [x for _, x, _ in solved], [y for *_, y in solved])
    x, x_at, y, y_at, i, j = stacks(left, right, rows, cols)
    gammas = gammas_of(left, right, rows, cols, params.gamma)
    values, grad_x, grad_y, left_out = _softdtw_many.expected_costs(x, x_at, y, y_at, i, j, gammas, True)
    assert grad_x is not None
    assert grad_y is not None
    slopes_x, slopes_y = split(grad_x, x_at, i), split(grad_y, y_at, j)
    for k in left_out.tolist():
        values[k], slopes_x[k], slopes_y[k] = gradient(left[rows[k]], right[cols[k]], params)
    return GradBatch(values, slopes_x, slopes_y)


def gradient(x: Series, y: Series, params: Parameters) -> tuple[float, FloatArray, FloatArray]:
    cost = costs.squared_euclidean(x.values, y.values)
    gamma = gamma_of(x, y, params.gamma)
    # d<E, C> = <E, dC> + <dE, C>, and the derivative of E in C is a symmetric operator.
    value, alignment, moved = _softdtw.alignment_jvp(cost, gamma, cost, radius_of(params.band))
    if gamma < _NO_DIGITS * abs(value):
        moved[...] = 0.0
    mean = expected(alignment, cost) if np.isfinite(value) else value
    return mean, *costs.squared_euclidean_vjp(x.values, y.values, alignment + moved)


def traits(params: Parameters) -> Traits:
    hard = params.gamma == 0
    return Traits(
        symmetric=True,
        zero_self=hard,
        nonnegative=True,
        unequal_length=True,
        releases_gil=True,
        continuous=True,
        value_invariant=True,
        degree=2.0 if hard or params.gamma == "median" else None,
        multivariate=True,
        differentiable=not hard and params.gamma != "median",
    )


SPEC = MetricSpec(
    name="softdtw_sharp",
    params=Parameters,
    pair=pair,
    block=block,
    gradients=gradients,
    reference="stotmetrics.reference.softdtw_sharp:softdtw_sharp",
    lower_bounds=lower_bounds,
    lanes=LANES,
    traits=traits,
    summary="Expected cost of an alignment drawn from the soft-DTW distribution: soft-DTW without its entropy.",
    citation="Blondel, Mensch, Vert, Differentiable Divergences between Time Series, AISTATS 2021",
)


def softdtw_sharp(x: npt.ArrayLike, y: npt.ArrayLike, gamma: float | str = 1.0, band: int | None = None) -> float:
    r"""Sharp soft-DTW, :math:`\langle E, C \rangle` with the expected alignment E of soft-DTW.

    Not negative, and at least the hard DTW; not zero at ``x = y``.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        The lengths may differ.
    gamma : float or "median", default 1.0
        Smoothing of the alignment, in the unit of the squared values; 0 is hard DTW. "median" takes the median of the
        cost matrix of the two series.
    band : int, optional
        Sakoe-Chiba radius around the rescaled diagonal, in steps of the shorter series.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    References
    ----------
    Blondel, Mensch, Vert, *Differentiable Divergences between Time Series*, AISTATS 2021.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.distance([0.0, 1.0, 2.0], [0.0, 2.0], metric="softdtw_sharp", gamma=0.0)
    1.0
    """
    return bind(SPEC, gamma=gamma, band=band)(x, y)
