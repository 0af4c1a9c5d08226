"""STA matrices at several gammas: the divergences of all frames are computed once for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray, finite_array
from ..engine.destination import Destination
from ..spec import parameters
from ..spec.admission import as_sets
from ..spec.bound import BoundMetric
from ..spec.result import Batch
from . import sta


def sta_over_gamma(
    X: Any,
    Y: Any = None,
    *,
    gammas: npt.ArrayLike,
    n_jobs: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    **params: Any,
) -> FloatArray:
    """Matrices of :func:`sta` at several gammas for little more than the price of one.

    Parameters
    ----------
    X, Y
        See :func:`pairwise`.
    gammas : array_like of float, one axis
        Smoothings of the soft minimum, each >= 0, in units of the divergence.
    n_jobs, progress
        See :func:`pairwise`.
    **params
        The other parameters of :func:`sta`.

    Returns
    -------
    array of shape (len(gammas), n, m)
        ``result[k]`` is ``pairwise(X, Y, metric="sta", gamma=gammas[k], **params)``.

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        See :func:`distance`.

    Warns
    -----
    ConvergenceWarning
        Once, as :func:`pairwise`.

    Examples
    --------
    >>> import numpy as np
    >>> import stotmetrics
    >>> X = np.random.default_rng(0).random((3, 4, 5))
    >>> stotmetrics.sta_over_gamma(X, gammas=[0.0, 0.1, 1.0]).shape
    (3, 3, 3)
    """
    # joblib and tqdm take longer to import than all the rest.
    from ..engine import tiles

    wanted = finite_array(gammas, "gammas", 1).tolist()
    smoothings = tuple(parameters.make("sta", sta.Parameters, {**params, "gamma": gamma}) for gamma in wanted)
    # The largest gamma makes the weakest claims, so that no entry is skipped that another gamma needs.
    weakest = max(smoothings, key=lambda smoothing: smoothing.gamma)
    bound = BoundMetric(replace(sta.SPEC, block=partial(_block, smoothings), gradients=None), weakest)
    left, right = as_sets(X, Y, bound.traits, bound.name)
    others = right or left
    destination = Destination(np.zeros((len(left), len(others), len(smoothings))))
    side = tiles.tile_side(tiles.entries_of_a_pair(left, others, bound), "pair")
    tiles.fill(bound, left, right, destination, side, n_jobs=n_jobs, progress=progress)
    return np.ascontiguousarray(np.moveaxis(destination.array, 2, 0))


def _block(
    smoothings: tuple[sta.Parameters, ...],
    left: Sequence[sta.Prepared],
    right: Sequence[sta.Prepared],
    rows: IntArray,
    cols: IntArray,
    params: sta.Parameters,
    cutoff: FloatArray | None = None,
) -> Batch:
    values = np.empty((len(rows), len(smoothings)))
    converged, gap = np.ones(len(rows), dtype=np.bool_), np.zeros(len(rows))
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        costs = sta.costs_of(left[i], right[j])
        converged[k] = all(cost.converged for cost in costs)
        for g, smoothing in enumerate(smoothings):
            bounds = [cost.bounds(smoothing.gamma) for cost in costs]
            values[k, g] = np.mean([value for value, _ in bounds])
            gap[k] = max(gap[k], float(np.mean([error for _, error in bounds])))
    return Batch(values, converged=converged, gap=gap)
