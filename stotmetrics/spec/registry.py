"""Metric names and where they come from: entry points of installed packages, and the running session."""

import difflib
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import DuplicateMetricError, MetricLoadError, UnknownMetricError
from .metric import API_VERSION, MetricSpec, spec_of_function

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "stotmetrics.metrics"

_loaded: dict[str, MetricSpec] = {}
_registered: dict[str, MetricSpec] = {}
# Held where a name is looked for and then taken.
_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared name: its distribution, and its spec or the reason why there is none."""

    name: str
    distribution: str
    spec: MetricSpec | None
    error: Exception | None


def names() -> list[str]:
    """All names, sorted; imports no metric."""
    return sorted({*_declared(), *_registered})


def find(name: str) -> MetricSpec:
    """The spec of a name; loads one entry point, once."""
    known = _registered.get(name) or _loaded.get(name)
    if known is not None:
        return known
    claims = _declared().get(name, []) if isinstance(name, str) else []
    if not claims:
        raise UnknownMetricError(_unknown(name))
    if len(claims) > 1:
        owners = " and ".join(_owner(claim) for claim in claims)
        raise DuplicateMetricError(f"metric {name!r} is claimed by {owners}; uninstall one of them")
    return _loaded.setdefault(name, _load(claims[0]))


def register(
    metric: MetricSpec | Callable[[Any, Any], float], *, name: str | None = None, replace: bool = False
) -> MetricSpec:
    """Make a metric known by name in this session.

    Parameters
    ----------
    metric : MetricSpec or function
        The metric, or a function ``f(x, y) -> float`` of two arrays, which becomes a metric that claims nothing. An
        installed package declares a MetricSpec in the entry-point group ``stotmetrics.metrics`` instead.
    name : str, optional
        The name of a function; by default its own.
    replace : bool, default False
        Whether a metric registered before under this name gives way, as when a notebook cell runs again.

    Returns
    -------
    MetricSpec
        The spec that was registered, so that the function serves in an expression.

    Raises
    ------
    DuplicateMetricError
        If the name belongs to an installed metric, or was registered before and ``replace`` is False.
    TypeError
        If it is neither a MetricSpec nor a function, or a MetricSpec is given another name.

    Examples
    --------
    >>> import numpy as np
    >>> import stotmetrics
    >>> spec = stotmetrics.register(lambda x, y: abs(x.mean() - y.mean()), name="gap_of_means", replace=True)
    >>> stotmetrics.distance([0.0, 2.0], [3.0, 5.0], metric="gap_of_means")
    3.0
    """
    if isinstance(metric, MetricSpec):
        if name not in (None, metric.name):
            raise TypeError(f"this MetricSpec is called {metric.name!r}; name={name!r} is for plain functions")
        spec = metric
    elif callable(metric) and not isinstance(metric, type):
        spec = spec_of_function(metric, name)
    else:
        raise TypeError(f"register takes a MetricSpec or a function f(x, y) -> float; got {type(metric).__name__}")
    claims = _declared().get(spec.name)
    if claims:
        raise DuplicateMetricError(f"metric {spec.name!r} is installed by {_owner(claims[0])}; choose another name")
    with _turn:
        if spec.name in _registered and not replace:
            raise DuplicateMetricError(f"metric {spec.name!r} is registered already; pass replace=True to replace it")
        _registered[spec.name] = spec
    return spec


def unregister(name: str) -> None:
    """Forget a metric of this session.

    Parameters
    ----------
    name : str
        The name it was registered under.

    Raises
    ------
    UnknownMetricError
        If no metric was registered under it.

    Examples
    --------
    >>> import stotmetrics
    >>> _ = stotmetrics.register(lambda x, y: 0.0, name="of_no_use")
    >>> stotmetrics.unregister("of_no_use")
    >>> "of_no_use" in stotmetrics.list_metrics()
    False
    """
    if _registered.pop(name, None) is None:
        raise UnknownMetricError(f"metric {name!r} was not registered in this session")


def is_declared(spec: MetricSpec) -> bool:
    """Whether a fresh process would find this very spec by its name, whatever was loaded in this one."""
    if spec.name in _registered:
        return False
    claims = _declared().get(spec.name, [])
    # The module of a spec that is at hand is loaded.
    return len(claims) == 1 and getattr(sys.modules.get(claims[0].module), claims[0].attr, None) is spec


def owner_of(spec: MetricSpec) -> str:
    """The distribution that declares this very spec, with its version; empty for a metric of the session."""
    return _owner(_declared()[spec.name][0]) if is_declared(spec) else ""


def catalogue() -> list[Entry]:
    """Every declared and registered metric with its spec, or with the error that asking for it raises."""
    entries = []
    for name, claims in sorted(_declared().items()):
        owner = " and ".join(_owner(claim) for claim in claims)
        try:
            entries.append(Entry(name, owner, find(name), None))
        except (DuplicateMetricError, MetricLoadError) as error:
            entries.append(Entry(name, owner, None, error))
    entries += [Entry(name, "this session", spec, None) for name, spec in sorted(_registered.copy().items())]
    return entries


def _declared() -> dict[str, list["EntryPoint"]]:
    """Name -> entry points. Read afresh each time: a package may be installed while a notebook runs."""
    # Imported here: it takes as long as everything else of this package.
    from importlib import metadata

    points: dict[str, list[EntryPoint]] = defaultdict(list)
    for point in metadata.entry_points(group=GROUP):
        points[point.name].append(point)
    return dict(points)


def _load(point: "EntryPoint") -> MetricSpec:
    where = f"metric {point.name!r} of {_owner(point)} ({point.value})"
    try:
        spec = point.load()
    except Exception as error:
        raise MetricLoadError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(spec, MetricSpec):
        raise MetricLoadError(f"{where} must be a MetricSpec; got {type(spec).__name__}")
    if spec.name != point.name:
        raise MetricLoadError(f"{where} calls itself {spec.name!r}; the entry point and the spec must agree")
    if spec.api_version > API_VERSION:
        raise MetricLoadError(
            f"{where} needs version {spec.api_version} of the metric interface, this stotmetrics has {API_VERSION}; "
            "upgrade stotmetrics"
        )
    return spec


def _owner(point: "EntryPoint") -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


def _unknown(name: object) -> str:
    if not isinstance(name, str):
        return f"a metric is asked for by its name, a string; got {type(name).__name__}"
    known = names()
    if not known:
        return f"no metric is called {name!r}, and no entry points are found at all; reinstall stotmetrics"
    close = difflib.get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(repr(c) for c in close)}?" if close else f"known: {', '.join(known)}"
    from multiprocessing import current_process  # longer to import than a name takes to find

    if current_process().name != "MainProcess":
        hint += "; what another process registered is not known in this one: pass the function or the MetricSpec itself"
    return f"no metric is called {name!r}; {hint}"
