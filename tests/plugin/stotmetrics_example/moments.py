"""A metric in Python alone: the difference of means and of spreads."""

from dataclasses import dataclass

import numpy as np

from stotmetrics import MetricSpec, Series, Traits, parameter


@dataclass(frozen=True)
class Parameters:
    """Parameters of moments."""

    spread: float = parameter(1.0, doc="weight of the standard deviations against the means", low=0.0, high=1e6)


def prepare(series: Series, params: Parameters) -> np.ndarray:
    """What is needed of one series, computed once."""
    weights = series.weights / series.weights.sum()
    mean = weights @ series.values
    deviation = np.sqrt(weights @ (series.values - mean) ** 2)
    return np.concatenate([mean, params.spread * deviation])


def pair(x: np.ndarray, y: np.ndarray, params: Parameters) -> float:
    """The Euclidean distance of means and spreads."""
    return float(np.linalg.norm(x - y))


SPEC = MetricSpec(
    name="moments",
    pair=pair,
    params=Parameters,
    traits=Traits(
        symmetric=True,
        zero_self=True,
        nonnegative=True,
        triangle=True,
        unequal_length=True,
        multivariate=True,
        uses_weights=True,
    ),
    prepare=prepare,
    summary="Difference of the means and of the standard deviations of two series.",
)
