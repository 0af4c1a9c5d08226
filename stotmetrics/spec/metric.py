"""What a metric is: a row of data about it, with its functions."""

import reprlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from ..arrays import FloatArray, IntArray
from ..series import Series
from . import parameters
from .parameters import NoParameters, Parameter
from .result import Batch, GradBatch, Result
from .traits import NO_CLAIMS, Traits

API_VERSION = 1

Side = Literal["left", "right", "both"]


@runtime_checkable
class Answer(Protocol):
    """A number that says how far it may be from the truth."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def gap(self) -> float | None:
        """A bound on its error, if there is one."""


Reference = Callable[[Series, Series, Any], Answer | float]

# Keywords of the functions that pass a metric's parameters on: no parameter of a metric may hide behind one.
RESERVED = frozenset(
    {
        *("metric", "metric_params", "x", "y", "X", "Y", "X_train", "X_query", "side"),
        *(
            "k",
            "n_jobs",
            "out",
            "overwrite",
            "condensed",
            "dtype",
            "progress",
            "max_memory",
            "shard",
            "weights",
            "init",
        ),
    }
)


@dataclass(frozen=True)
class MetricSpec:
    """A metric as a row of data; no base class to inherit from.

    Only ``name`` and ``pair`` are required; what is missing is derived from ``pair`` or done without.

    Parameters
    ----------
    name : str
        The name it is found by.
    pair : callable
        ``pair(x, y, params) -> float or Result`` for two prepared series.
    params : type
        A frozen dataclass whose fields are declared with :func:`stotmetrics.parameter`. A field without ``doc`` means
        what the numpydoc docstring of the metric's own function says of it first: the function of the metric's name
        in the module of ``pair``.
    traits : Traits or callable
        The claims, or a function of the parameters that returns them.
    prepare : callable, optional
        ``prepare(series, params) -> object``, called once per series. By default a series is its own preparation.
    block : callable, optional
        ``block(left, right, rows, cols, params, cutoff=None) -> Batch``: the values of the pairs
        ``(left[rows[k]], right[cols[k]])`` of prepared series. With ``cutoff``, one number for each pair, a pair whose
        value certainly lies above may be abandoned, and the Batch says so. By default a loop of ``pair``.
    gradients : callable, optional
        ``gradients(left, right, rows, cols, params, side) -> GradBatch``: values and gradients of the same pairs, in
        the values of the left series, of the right series, or (``side="both"``) of both.
    lower_bounds : callable, optional
        ``lower_bounds(left, right, rows, cols, params) -> array``: for each of the same pairs a number that is never
        above its value, and much cheaper. A search for nearest neighbours then solves only what can matter.
    reference : callable or str, optional
        ``reference(x, y, params) -> float or Result`` for two Series: the reference implementation, slow and written
        to be read beside the paper; or where to import it from, ``"package.module:function"``, when it is asked for.
        A Result, or any object with a ``value`` and a ``gap``, may say in its gap how far rounding and tolerances may
        leave it from the truth.
    lanes : int, default 1
        How many pairs ``block`` computes side by side. A search hands it at least so many at a time; at 1 it hands
        over one pair after another, each with the newest cutoff.
    effort : function, optional
        ``effort(n, m, params) -> float``: how many times as long as its lower bound a pair of these lengths takes in a
        block. A search leaves out bounds that do not pay. By default they are taken to.
    summary : str
        One sentence: what it measures.
    citation : str
        Authors, title, venue, year.
    api_version : int
        The version of this interface it was written for.

    Raises
    ------
    ValueError
        If the name is no identifier, or a parameter has a name that functions such as ``pairwise`` use themselves.
    TypeError
        If a function, the traits or the parameters are of the wrong type.

    Examples
    --------
    >>> from stotmetrics import MetricSpec, Traits, pairwise
    >>> spec = MetricSpec(
    ...     name="lastvalue",
    ...     pair=lambda x, y, params: abs(x.values[-1, 0] - y.values[-1, 0]),
    ...     traits=Traits(symmetric=True, zero_self=True, nonnegative=True, triangle=True, unequal_length=True),
    ... )
    >>> pairwise([[0.0, 1.0], [5.0, 3.0, 4.0]], metric=spec)
    array([[0., 3.],
           [3., 0.]])
    """

    name: str
    pair: Callable[[Any, Any, Any], Result | float]
    params: type = NoParameters
    traits: Traits | Callable[[Any], Traits] = NO_CLAIMS
    prepare: Callable[[Series, Any], Any] | None = None
    block: Callable[..., Batch] | None = None
    gradients: Callable[[Sequence[Any], Sequence[Any], IntArray, IntArray, Any, Side], GradBatch] | None = None
    lower_bounds: Callable[[Sequence[Any], Sequence[Any], IntArray, IntArray, Any], FloatArray] | None = None
    reference: Reference | str | None = None
    lanes: int = 1
    effort: Callable[[float, float, Any], float] | None = None
    summary: str = ""
    citation: str = ""
    api_version: int = API_VERSION

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"the name of a metric must be a valid identifier; got {self.name!r}")
        if not callable(self.pair):
            raise TypeError(f"metric {self.name!r}: pair must be callable; got {self.pair!r}")
        for optional in ("prepare", "block", "gradients", "lower_bounds", "effort"):
            function = getattr(self, optional)
            if function is not None and not callable(function):
                raise TypeError(f"metric {self.name!r}: {optional} must be callable or None; got {function!r}")
        if not (self.reference is None or callable(self.reference) or _names_an_object(self.reference)):
            raise TypeError(
                f"metric {self.name!r}: reference must be callable or 'package.module:function'; got {self.reference!r}"
            )
        if not (isinstance(self.traits, Traits) or callable(self.traits)):
            raise TypeError(f"metric {self.name!r}: traits must be Traits or a function of the parameters")
        reserved = sorted(RESERVED & set(parameters.describe(self.params)))
        if reserved:
            raise ValueError(
                f"metric {self.name!r}: a parameter cannot be called {' or '.join(map(repr, reserved))}, "
                "which functions such as pairwise use themselves; choose another name"
            )

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Name -> range and meaning of each parameter."""
        known = parameters.describe(self.params)
        if all(parameter.doc for parameter in known.values()):
            return known
        module = sys.modules.get(getattr(self.pair, "__module__", None) or "")
        said = parameters.meanings(getattr(module, self.name, None).__doc__)
        return {name: replace(known[name], doc=known[name].doc or said.get(name, "")) for name in known}


def load_reference(spec: MetricSpec) -> Reference | None:
    """The reference implementation of a metric, imported now if the spec only says where it is."""
    if not isinstance(spec.reference, str):
        return spec.reference
    module, _, name = spec.reference.partition(":")
    function: Reference = getattr(import_module(module), name)
    return function


@dataclass(frozen=True)
class Calls:
    """The ``pair`` of a plain function, which is handed values: (T,) of one channel, (T, d) or (T, H, W) of more."""

    function: Callable[[Any, Any], float]

    def __call__(self, x: Series, y: Series, params: NoParameters) -> float:
        value: Any = self.function(_plain(x), _plain(y))
        try:
            if np.ndim(value) == 0:
                return float(value)
        except (TypeError, ValueError):
            pass  # told below, by what it is
        called = getattr(self.function, "__name__", type(self.function).__name__)
        what = f"shape {np.shape(value)}" if isinstance(value, np.ndarray) else reprlib.repr(value)
        raise TypeError(f"a function of two series must return a number; {called} gave {what}")


def spec_of_function(function: Callable[..., Any], name: str | None = None) -> MetricSpec:
    """A function ``f(x, y) -> float`` as a metric that claims nothing; that of a metric module is the metric itself."""
    own = getattr(sys.modules.get(getattr(function, "__module__", None) or ""), "SPEC", None)
    called = getattr(function, "__name__", type(function).__name__)
    if isinstance(own, MetricSpec) and own.name == called and name is None:
        return own
    if name is None:
        name = called if called.isidentifier() else "function"
    # What the function cannot take is for the function to refuse.
    takes_all = Traits(unequal_length=True, multivariate=True)
    doc = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    return MetricSpec(name=name, pair=Calls(function), traits=takes_all, summary=doc)


def _plain(series: Series) -> FloatArray:
    if series.frame_shape is not None:
        return series.values.reshape(len(series), *series.frame_shape)
    return series.values[:, 0] if series.dim == 1 else series.values


def _names_an_object(text: object) -> bool:
    return isinstance(text, str) and text.count(":") == 1 and not text.startswith(":") and not text.endswith(":")
