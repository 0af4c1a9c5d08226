"""A metric with its own compiled block: the area between two series of equal length."""

from collections.abc import Sequence

import numpy as np

from stotmetrics import Batch, MetricSpec, Series, Traits
from stotmetrics.spec.parameters import NoParameters
from stotmetrics.spec.prepared import packed

from . import _area


def pair(x: Series, y: Series, params: NoParameters) -> float:
    """One pair: what the block must agree with."""
    return float(np.abs(x.values - y.values).sum() / len(x))


def block(
    left: Sequence[Series],
    right: Sequence[Series],
    rows: np.ndarray,
    cols: np.ndarray,
    params: NoParameters,
    cutoff: np.ndarray | None = None,
) -> Batch:
    """Many pairs at once; the lengths of all series are equal, because the traits do not claim otherwise."""
    out = np.empty(len(rows))
    _area.areas(packed(left, stack), packed(right, stack), rows, cols, out)
    return Batch(out)


def stack(series: Sequence[Series]) -> np.ndarray:
    """The values of all series in one array, (n, T, d): made once for each set, not once for each block."""
    return np.stack([s.values for s in series])


def lower_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: np.ndarray, cols: np.ndarray, params: NoParameters
) -> np.ndarray:
    """The difference of the means is never more than the area."""
    means = [packed(side, stack).mean(axis=1) for side in (left, right)]
    return np.abs(means[0][rows] - means[1][cols]).sum(axis=1)


SPEC = MetricSpec(
    name="area",
    pair=pair,
    traits=Traits(symmetric=True, zero_self=True, separates=True, nonnegative=True, triangle=True, multivariate=True),
    block=block,
    lower_bounds=lower_bounds,
    summary="Area between two series of equal length, per unit of time.",
)
