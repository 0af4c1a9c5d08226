"""Spatio-temporal and optimal-transport metrics for time series."""

from typing import TYPE_CHECKING, Any

# The packages of what is imported when first asked for: Python may not find one that another thread is about to finish.
from . import engine as engine
from . import kernels as kernels
from . import metrics as metrics
from . import transport as transport
from .api import alignment_path, distance, list_metrics, pairwise, solve, value_and_grad
from .errors import (
    AxisWarning,
    ConvergenceWarning,
    DuplicateMetricError,
    InvalidParameterError,
    InvalidSeriesError,
    MetricLoadError,
    UnknownMetricError,
)
from .paths import as_paths
from .series import Series, as_series
from .series_sets import as_dataset
from .spec.bound import BoundMetric, get_metric
from .spec.metric import MetricSpec
from .spec.parameters import parameter
from .spec.registry import register, unregister
from .spec.result import Batch, GradBatch, Result
from .spec.traits import Traits

if TYPE_CHECKING:
    from .engine.barycenters import Barycenter, barycenter
    from .engine.bounds import envelope, lower_bound, lower_bounds
    from .engine.matrix_shards import merge_shards
    from .engine.neighbors import NeighborIndex, Neighbors, kneighbors
    from .metrics.aot import aot
    from .metrics.dtw import dtw
    from .metrics.etiot import etiot
    from .metrics.etiot_hbcd import etiot_hbcd
    from .metrics.euclidean import euclidean
    from .metrics.gak import gak
    from .metrics.opw import opw
    from .metrics.otw import otw
    from .metrics.softdtw import softdtw, softdtw_from_cost
    from .metrics.softdtw_divergence import softdtw_divergence
    from .metrics.softdtw_sharp import softdtw_sharp
    from .metrics.sta import sta
    from .metrics.sta_sweep import sta_over_gamma
    from .metrics.taot import taot
    from .metrics.tiot import tiot
    from .metrics.tlp import tlp
    from .transport.ground_cost import Ground
    from .versions import show_versions

__version__ = "0.1.0"

# Public names that load a metric or a kernel, and the module each comes from: imported when first asked for.
_LAZY = {
    "Barycenter": ".engine.barycenters",
    "Ground": ".transport.ground_cost",
    "NeighborIndex": ".engine.neighbors",
    "Neighbors": ".engine.neighbors",
    "aot": ".metrics.aot",
    "barycenter": ".engine.barycenters",
    "dtw": ".metrics.dtw",
    "envelope": ".engine.bounds",
    "etiot": ".metrics.etiot",
    "etiot_hbcd": ".metrics.etiot_hbcd",
    "euclidean": ".metrics.euclidean",
    "gak": ".metrics.gak",
    "kneighbors": ".engine.neighbors",
    "lower_bound": ".engine.bounds",
    "lower_bounds": ".engine.bounds",
    "merge_shards": ".engine.matrix_shards",
    "opw": ".metrics.opw",
    "otw": ".metrics.otw",
    "show_versions": ".versions",
    "softdtw": ".metrics.softdtw",
    "softdtw_divergence": ".metrics.softdtw_divergence",
    "softdtw_from_cost": ".metrics.softdtw",
    "softdtw_sharp": ".metrics.softdtw_sharp",
    "sta": ".metrics.sta",
    "sta_over_gamma": ".metrics.sta_sweep",
    "taot": ".metrics.taot",
    "tiot": ".metrics.tiot",
    "tlp": ".metrics.tlp",
}

__all__ = [
    "AxisWarning",
    "Barycenter",
    "Batch",
    "BoundMetric",
    "ConvergenceWarning",
    "DuplicateMetricError",
    "GradBatch",
    "Ground",
    "InvalidParameterError",
    "InvalidSeriesError",
    "MetricLoadError",
    "MetricSpec",
    "NeighborIndex",
    "Neighbors",
    "Result",
    "Series",
    "Traits",
    "UnknownMetricError",
    "alignment_path",
    "aot",
    "as_dataset",
    "as_paths",
    "as_series",
    "barycenter",
    "distance",
    "dtw",
    "envelope",
    "etiot",
    "etiot_hbcd",
    "euclidean",
    "gak",
    "get_metric",
    "kneighbors",
    "list_metrics",
    "lower_bound",
    "lower_bounds",
    "merge_shards",
    "opw",
    "otw",
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
    "tlp",
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
