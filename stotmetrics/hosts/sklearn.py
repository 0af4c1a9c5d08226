"""Estimators for scikit-learn that take any metric, and metrics for its own estimators."""

from ._sklearn_clusters import TimeSeriesKMeans, TimeSeriesKMedoids
from ._sklearn_matrices import DistanceKernel, PairwiseDistances, as_matrix, as_metric
from ._sklearn_neighbors import KNeighborsTimeSeriesClassifier, KNeighborsTimeSeriesRegressor

__all__ = [
    "DistanceKernel",
    "KNeighborsTimeSeriesClassifier",
    "KNeighborsTimeSeriesRegressor",
    "PairwiseDistances",
    "TimeSeriesKMeans",
    "TimeSeriesKMedoids",
    "as_matrix",
    "as_metric",
]
