"""What the estimators for scikit-learn share: reading series as scikit-learn hands them over, and the metric."""

import numbers
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_memory, validate_data

from ..api import pairwise
from ..arrays import FloatArray, is_integer, real_array
from ..engine.remembered import remembering
from ..errors import InvalidParameterError, InvalidSeriesError
from ..series import Series
from ..spec.admission import check_sets, read_set
from ..spec.bound import BoundMetric, get_metric
from ..spec.parameters import shown


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
        params = {} if self.metric_params is None else self.metric_params
        if not isinstance(params, Mapping):
            raise InvalidParameterError(
                f"metric_params must be a mapping, as {{'epsilon': 0.1}}, or None; got {shown(params)}"
            )
        return get_metric(self.metric, **params)

    def _read(self, X: Any, metric: BoundMetric, *, reset: bool) -> list[Series]:
        """Series that the metric can take; the columns of a table must be those of ``fit``."""
        if is_table(X):
            if isinstance(X, np.ma.MaskedArray):
                X = real_array(X, "X", InvalidSeriesError)  # scikit-learn would read what the mask hides
            dated = _dated_rows(X) if metric.traits.uses_times else None
            X = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=False)
            X = X if dated is None else dated
        elif reset:
            # What a table left behind is not true of a list of series.
            for left in ("n_features_in_", "feature_names_in_"):
                if hasattr(self, left):
                    delattr(self, left)
        series = read_set(X, "X", metric.traits)
        check_sets(series, series, metric.traits, metric.name, ("X", "X"))
        return series

    def _folder(self) -> Path | None:
        """Where ``memory`` keeps distances, if anywhere."""
        location = None if self.memory is None else check_memory(self.memory).location
        return None if location is None else Path(location)

    @contextmanager
    def _remembering(self, metric: BoundMetric) -> Iterator[BoundMetric]:
        """The metric; with ``memory``, it solves only the pairs that no fold, grid point or run has solved before."""
        folder = self._folder()
        if folder is None:
            yield metric
            return
        with remembering(metric, folder) as known:
            yield known

    def _matrix(self, X: Sequence[Series], Y: Sequence[Series] | None, metric: BoundMetric) -> FloatArray:
        """All distances."""
        with self._remembering(metric) as known:
            return pairwise(X, Y, known, n_jobs=self.n_jobs)


def is_table(X: Any) -> bool:
    """Whether X is for scikit-learn to read: one number a cell, and not a set of series that says so itself.

    Sets are sequences of series, arrays of more than two axes or of objects, and frames with an index (instance, time).
    """
    if sparse.issparse(X):
        return True
    if isinstance(X, (list, tuple)) or not (hasattr(X, "shape") or hasattr(X, "__array__")):
        return False
    if getattr(getattr(X, "index", None), "nlevels", 1) > 1:
        return False
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    return len(shape) <= 2 and not (len(shape) == 1 and getattr(getattr(X, "dtype", None), "kind", "") == "O")


def _dated_rows(X: Any) -> list[Any] | None:
    """The rows of a table whose columns are dates or durations: its series, with these times."""
    columns = getattr(X, "columns", None)
    if getattr(getattr(columns, "dtype", None), "kind", "") not in ("m", "M"):
        return None
    return [X.iloc[k] for k in range(len(X))]


def check_int(value: Any, name: str, low: int, high: int | None = None, why: str = "") -> int:
    """An integer argument of an estimator, or an error that calls it as the user does."""
    if not is_integer(value) or value < low or (high is not None and value > high):
        wanted = f"from {low} to {high}" if high is not None else f">= {low}"
        raise InvalidParameterError(f"{name} must be an integer {wanted}{why}; got {shown(value)}")
    return int(value)


def is_number(value: Any, *, positive: bool) -> bool:
    """Whether a value is a finite real number above zero, or from zero up."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return 0.0 < float(value) < np.inf or (not positive and value == 0)


def values_of(series: Series) -> FloatArray:
    """The values as they came: (T,) of one channel, (T, d), or (T, H, W)."""
    if series.frame_shape is not None:
        return series.values.reshape(len(series), *series.frame_shape)
    return series.values[:, 0] if series.dim == 1 else series.values
