"""A metric with its own compiled block: the area between two series of equal length."""

from collections.abc import Sequence

import numpy as np

from stotmetrics import Batch, MetricSpec, Series, Traits
from stotmetrics.spec.parameters import NoParameters

from . import _area


def pair(x: Series, y: Series, params: NoParameters) -> float:
    """One pair: what the block must agree with."""
    return float(np.abs(x.values - y.values).sum() / len(x))


def block(
    left: Sequence[Series], right: Sequence[Series], rows: np.ndarray, cols: np.ndarray, params: NoParameters
) -> Batch:
    """Many pairs at once; the lengths of all series are equal, because the traits do not claim otherwise."""
    out = np.empty(len(rows))
    _area.areas(np.stack([s.values for s in left]), np.stack([s.values for s in right]), rows, cols, out)
    return Batch(out)


def lower_bound(x: Series, y: Series, params: NoParameters) -> float:
    """The difference of the means is never more than the area."""
    return float(np.abs((x.values - y.values).mean(axis=0)).sum())


SPEC = MetricSpec(
    name="area",
    pair=pair,
    traits=Traits(symmetric=True, zero_self=True, nonnegative=True, triangle=True, multivariate=True),
    block=block,
    lower_bound=lower_bound,
    summary="Area between two series of equal length, per unit of time.",
)
