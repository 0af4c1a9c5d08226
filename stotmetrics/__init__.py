"""Spatio-temporal and optimal-transport metrics for time series."""

from typing import TYPE_CHECKING, Any

from .api import distance, get_metric, list_metrics, pairwise, solve, value_and_grad
from .errors import (
    ConvergenceWarning,
    DuplicateMetricError,
    InvalidParameterError,
    InvalidSeriesError,
    MetricLoadError,
    UnknownMetricError,
)
from .parameters import parameter
from .registry import register, unregister
from .result import Batch, Result
from .series import Series, as_dataset, as_series
from .spec import BoundMetric, MetricSpec
from .traits import Traits

if TYPE_CHECKING:
    from .averaging import Barycenter, barycenter
    from .gammas import sta_over_gamma
    from .ground import Ground
    from .metrics.dtw import dtw
    from .metrics.etiot import etiot
    from .metrics.softdtw import softdtw, softdtw_from_cost
    from .metrics.softdtw_divergence import softdtw_divergence
    from .metrics.softdtw_sharp import softdtw_sharp
    from .metrics.sta import sta
    from .metrics.taot import taot
    from .metrics.tiot import tiot
    from .neighbors import Neighbors, kneighbors
    from .versions import show_versions

__version__ = "0.1.0"

# Public names that load a metric or a kernel, and the module each comes from: imported when first asked for.
_LAZY = {
    "Barycenter": ".averaging",
    "Ground": ".ground",
    "barycenter": ".averaging",
    "dtw": ".metrics.dtw",
    "Neighbors": ".neighbors",
    "etiot": ".metrics.etiot",
    "kneighbors": ".neighbors",
    "show_versions": ".versions",
    "softdtw": ".metrics.softdtw",
    "softdtw_divergence": ".metrics.softdtw_divergence",
    "softdtw_from_cost": ".metrics.softdtw",
    "softdtw_sharp": ".metrics.softdtw_sharp",
    "sta": ".metrics.sta",
    "sta_over_gamma": ".gammas",
    "taot": ".metrics.taot",
    "tiot": ".metrics.tiot",
}

__all__ = [
    "Barycenter",
    "Batch",
    "BoundMetric",
    "ConvergenceWarning",
    "DuplicateMetricError",
    "Ground",
    "InvalidParameterError",
    "InvalidSeriesError",
    "MetricLoadError",
    "MetricSpec",
    "Neighbors",
    "Result",
    "Series",
    "Traits",
    "UnknownMetricError",
    "as_dataset",
    "as_series",
    "barycenter",
    "distance",
    "dtw",
    "etiot",
    "get_metric",
    "kneighbors",
    "list_metrics",
    "pairwise",
    "parameter",
    "register",
    "show_versions",
    "softdtw",
    "softdtw_divergence",
    "softdtw_from_cost",
    "softdtw_sharp",
    "solve",
    "sta",
    "sta_over_gamma",
    "taot",
    "tiot",
    "unregister",
    "value_and_grad",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
