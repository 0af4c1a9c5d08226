"""What the estimators for scikit-learn share: reading series as scikit-learn hands them over, and the metric."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_memory, validate_data

from ..api import pairwise
from ..arrays import FloatArray
from ..series import Series
from ..spec.admission import check_sets, read_set
from ..spec.bound import BoundMetric, get_metric


class SeriesEstimator(BaseEstimator):
    """An estimator of series under a metric.

    ``X`` is an array of shape (n, T), (n, T, d) or (n, T, H, W), a table with one series a row, or a list of series
    whose lengths may differ. An array (n, T) or a table has the same number of columns at ``fit`` and later, as
    everywhere in scikit-learn; series of other lengths come in a list.
    """

    metric: Any
    metric_params: Mapping[str, Any] | None
    n_jobs: int | None
    memory: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _bind(self) -> BoundMetric:
        return get_metric(self.metric, **(self.metric_params or {}))

    def _read(self, X: Any, metric: BoundMetric, *, reset: bool) -> list[Series]:
        """Series that the metric can take; the columns of a table must be those of ``fit``."""
        if is_table(X):
            X = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=False)
        elif reset:
            # What a table left behind is not true of a list of series.
            for left in ("n_features_in_", "feature_names_in_"):
                if hasattr(self, left):
                    delattr(self, left)
        series = read_set(X, "X", metric.traits)
        check_sets(series, series, metric.traits, metric.name, ("X", "X"))
        return series

    def _matrix(self, X: Sequence[Series], Y: Sequence[Series] | None, metric: BoundMetric) -> FloatArray:
        """All distances; kept by ``memory`` between the points of a grid and between runs."""
        if self.memory is None:
            return pairwise(X, Y, metric, n_jobs=self.n_jobs)
        cached = check_memory(self.memory).cache(_matrix, ignore=["n_jobs"])
        found: FloatArray = cached(_data(X), None if Y is None else _data(Y), metric.config(), metric, self.n_jobs)
        return found


def is_table(X: Any) -> bool:
    """Whether X is for scikit-learn to read: anything but a list of series and arrays of more than two axes."""
    if sparse.issparse(X):
        return True
    if isinstance(X, (list, tuple)):
        return False
    return len(X.shape if hasattr(X, "shape") else np.asarray(X).shape) <= 2


def values_of(series: Series) -> FloatArray:
    """The values as they came: (T,) of one channel, (T, d), or (T, H, W)."""
    if series.frame_shape is not None:
        return series.values.reshape(len(series), *series.frame_shape)
    return series.values[:, 0] if series.dim == 1 else series.values


def _data(series: Sequence[Series]) -> list[tuple[Any, ...]]:
    """Everything that decides the distances of a set, in a form that has a digest."""
    return [
        (
            one.values,
            one.times if one.has_times else None,
            one.weights if one.has_weights else None,
            one.frame_shape,
            one.path_weights,
        )
        for one in series
    ]


def _matrix(
    X: list[tuple[Any, ...]],
    Y: list[tuple[Any, ...]] | None,
    config: Mapping[str, Any],
    metric: BoundMetric,
    n_jobs: int | None,
) -> FloatArray:
    left, right = ([Series(*one) for one in data] if data is not None else None for data in (X, Y))
    return pairwise(left, right, metric, n_jobs=n_jobs)
