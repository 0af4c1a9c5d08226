"""What a metric is: data about it and its functions, and the same bound to parameters."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from . import parameters
from .errors import ConvergenceWarning
from .parameters import NoParameters, Parameter
from .result import Batch, FloatArray, IntArray, Result
from .series import Series, as_series, check_pair, check_series
from .traits import NO_CLAIMS
from .traits import Traits as Traits  # a spec is written with both

API_VERSION = 1

# Values, gradients in the left series and in the right series of many pairs.
GradBatch = tuple[FloatArray, list[FloatArray], list[FloatArray]]


@dataclass(frozen=True)
class MetricSpec:
    """A metric as a row of data; no base class to inherit from.

    Parameters
    ----------
    name : str
        The name it is found by.
    pair : callable
        ``pair(x, y, params) -> float or Result`` for two prepared series.
    params : type
        A frozen dataclass whose fields are declared with :func:`stotmetrics.parameter`.
    traits : Traits or callable
        The claims, or a function of the parameters that returns them.
    prepare : callable, optional
        ``prepare(series, params) -> object``, called once per series. By default a series is its own preparation.
    block : callable, optional
        ``block(left, right, rows, cols, params) -> Batch``: the values of the pairs ``(left[rows[k]], right[cols[k]])``
        of prepared series. By default a loop of ``pair``.
    grad : callable, optional
        ``grad(x, y, params) -> (value, grad_x, grad_y)`` for prepared series, each gradient of shape (T, d).
    grad_block : callable, optional
        ``grad_block(left, right, rows, cols, params) -> (values, grads_left, grads_right)``: ``grad`` of many pairs,
        indexed as in ``block``; the gradients are lists with one array for each pair. By default a loop of ``grad``.
    reference : callable, optional
        ``reference(x, y, params) -> float or Result`` for two Series: the slow twin, written to be read beside the
        paper. A Result may say, in its ``gap``, how far rounding and tolerances may leave it from the truth.
    lower_bound : callable, optional
        ``lower_bound(x, y, params) -> float`` for two prepared series: never above the value.
    lower_bounds : callable, optional
        ``lower_bounds(left, right, rows, cols, params) -> array``: ``lower_bound`` of many pairs, indexed as in
        ``block``. A search for nearest neighbours then solves its candidates in blocks instead of one by one.
    abandon : callable, optional
        ``abandon(x, y, params, cutoff)`` for two prepared series: what ``pair`` returns, or None as soon as the value
        is known to lie above ``cutoff``.
    summary : str
        One sentence: what it measures.
    citation : str
        Authors, title, venue, year.
    api_version : int
        The version of this interface it was written for.

    Examples
    --------
    >>> import numpy as np
    >>> from stotmetrics import MetricSpec, Traits
    >>> spec = MetricSpec(
    ...     name="lastvalue",
    ...     pair=lambda x, y, params: abs(x.values[-1, 0] - y.values[-1, 0]),
    ...     traits=Traits(symmetric=True, zero_self=True, nonnegative=True, triangle=True, unequal_length=True),
    ... )
    >>> spec.bind()([0.0, 1.0], [5.0, 3.0, 4.0])
    3.0
    """

    name: str
    pair: Callable[[Any, Any, Any], Result | float]
    params: type = NoParameters
    traits: Traits | Callable[[Any], Traits] = NO_CLAIMS
    prepare: Callable[[Series, Any], Any] | None = None
    block: Callable[[Sequence[Any], Sequence[Any], IntArray, IntArray, Any], Batch] | None = None
    grad: Callable[[Any, Any, Any], tuple[float, FloatArray, FloatArray]] | None = None
    grad_block: Callable[[Any, Any, IntArray, IntArray, Any], GradBatch] | None = None
    reference: Callable[[Series, Series, Any], Result | float] | None = None
    lower_bound: Callable[[Any, Any, Any], float] | None = None
    lower_bounds: Callable[[Any, Any, IntArray, IntArray, Any], FloatArray] | None = None
    abandon: Callable[[Any, Any, Any, float], Result | float | None] | None = None
    summary: str = ""
    citation: str = ""
    api_version: int = API_VERSION

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"the name of a metric must be a valid identifier; got {self.name!r}")
        if not callable(self.pair):
            raise TypeError(f"metric {self.name!r}: pair must be callable; got {self.pair!r}")
        if self.lower_bounds is not None and self.lower_bound is None:
            raise TypeError(f"metric {self.name!r}: lower_bounds are those of lower_bound, which is missing")
        if not (isinstance(self.traits, Traits) or callable(self.traits)):
            raise TypeError(f"metric {self.name!r}: traits must be Traits or a function of the parameters")
        parameters.describe(self.params)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Name -> range and meaning of each parameter."""
        return parameters.describe(self.params)

    def bind(self, **params: Any) -> "BoundMetric":
        """Fix the parameters; each is checked here, once."""
        return BoundMetric(self, parameters.make(self.name, self.params, params))


class BoundMetric:
    """A metric with its parameters: a callable ``m(x, y) -> float`` for any host that takes a function.

    It pickles by name, compares equal to another with the same name and parameters, and round-trips through
    ``config()`` and ``from_config`` as JSON. Made by :func:`stotmetrics.get_metric`.

    Examples
    --------
    >>> import stotmetrics
    >>> metric = stotmetrics.get_metric("softdtw", gamma=0.0)
    >>> metric([0.0, 1.0], [0.0, 1.0, 1.0])
    0.0
    >>> stotmetrics.BoundMetric.from_config(metric.config()) == metric
    True
    """

    __slots__ = ("_params", "_spec", "_traits")

    def __init__(self, spec: MetricSpec, params: Any) -> None:
        self._spec = spec
        self._params = params
        self._traits = spec.traits if isinstance(spec.traits, Traits) else _traits_at(spec.traits, params)

    @property
    def spec(self) -> MetricSpec:
        """The metric without its parameters."""
        return self._spec

    @property
    def name(self) -> str:
        """The name of the metric."""
        return self._spec.name

    @property
    def params(self) -> Any:
        """The parameters, a frozen dataclass."""
        return self._params

    @property
    def traits(self) -> Traits:
        """The claims of the metric at these parameters."""
        return self._traits

    def __call__(self, x: Any, y: Any) -> float:
        return self.solve(x, y).value

    def solve(self, x: Any, y: Any) -> Result:
        """The value for two series, and what is known about it; warns once if the solver did not converge."""
        left, right = self.accept(x, "x"), self.accept(y, "y")
        check_pair(left, right, self._traits, self.name)
        prepared = self.prepare(left)
        result = self.pair(prepared, prepared if right is left else self.prepare(right))
        if not result.converged:
            gap = "" if result.gap is None else f", error at most {result.gap:.3g}"
            warnings.warn(
                f"{self.name} did not converge in {result.n_iter} iterations{gap}; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=3,
            )
        return result

    def value_and_grad(self, x: Any, y: Any) -> tuple[float, FloatArray, FloatArray]:
        """The value and its gradients in the values of x and of y, each shaped (T, d)."""
        if self._spec.grad is None or not self._traits.differentiable:
            raise NotImplementedError(f"{self.name} has no gradient at {self!r}")
        left, right = self.accept(x, "x"), self.accept(y, "y")
        check_pair(left, right, self._traits, self.name)
        return self._spec.grad(self.prepare(left), self.prepare(right), self._params)

    def accept(self, x: Any, name: str) -> Series:
        """Read one series and check it against the traits; ``name`` is what an error calls it."""
        series = as_series(x, name=name)
        check_series(series, self._traits, self.name, name)
        return series

    def prepare(self, series: Series) -> Any:
        """What is worth computing once per series."""
        return series if self._spec.prepare is None else self._spec.prepare(series, self._params)

    def pair(self, x: Any, y: Any) -> Result:
        """The result for two prepared series."""
        return self._finite(self._spec.pair(x, y, self._params))

    def pair_below(self, x: Any, y: Any, cutoff: float) -> Result | None:
        """The result for two prepared series, or None where the metric noticed early that it lies above the cutoff."""
        if self._spec.abandon is None:
            return self.pair(x, y)
        found = self._spec.abandon(x, y, self._params, cutoff)
        return None if found is None else self._finite(found)

    def _finite(self, found: Result | float) -> Result:
        result = found if isinstance(found, Result) else Result(found)
        if not math.isfinite(result.value):
            raise FloatingPointError(f"{self!r} gave {result.value} for finite series; rescale their values")
        return result

    def block(self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray) -> Batch:
        """The values of the pairs ``(left[rows[k]], right[cols[k]])`` of prepared series."""
        if self._spec.block is None:
            return self.loop(left, right, rows, cols)
        batch = self._spec.block(left, right, rows, cols, self._params)
        if not np.isfinite(batch.values).all():
            bad = batch.values[~np.isfinite(batch.values)][0]
            raise FloatingPointError(f"{self!r} gave {bad} for finite series; rescale their values")
        return batch

    def loop(self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray) -> Batch:
        """``block`` one pair at a time: what a batched kernel must agree with."""
        results = [self.pair(left[i], right[j]) for i, j in zip(rows, cols, strict=True)]
        return Batch(
            np.array([r.value for r in results], dtype=np.float64),
            converged=np.array([r.converged for r in results], dtype=np.bool_),
            gap=np.array([np.nan if r.gap is None else r.gap for r in results], dtype=np.float64),
            n_iter=np.array([r.n_iter for r in results], dtype=np.intp),
        )

    def grad_block(self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray) -> GradBatch:
        """Values and gradients of the pairs ``(left[rows[k]], right[cols[k]])`` of prepared series."""
        if self._spec.grad is None or not self._traits.differentiable:
            raise NotImplementedError(f"{self.name} has no gradient at {self!r}")
        if self._spec.grad_block is not None:
            return self._spec.grad_block(left, right, rows, cols, self._params)
        found = [self._spec.grad(left[i], right[j], self._params) for i, j in zip(rows, cols, strict=True)]
        return np.array([value for value, _, _ in found]), [x for _, x, _ in found], [y for _, _, y in found]

    def config(self) -> dict[str, Any]:
        """Name and parameters as JSON-ready data."""
        return {"metric": self.name, "params": parameters.to_config(self._params)}

    @staticmethod
    def from_config(config: dict[str, Any]) -> "BoundMetric":
        """The inverse of :meth:`config`."""
        from .registry import find

        return find(config["metric"]).bind(**config["params"])

    def __reduce__(self) -> tuple[Any, ...]:
        from .registry import is_declared

        # A metric of the running session is unknown to a fresh process: it travels whole.
        if is_declared(self._spec):
            return _from_name, (self.name, self._params)
        return BoundMetric, (self._spec, self._params)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundMetric):
            return NotImplemented
        return self._spec == other._spec and self._params == other._params

    def __hash__(self) -> int:
        return hash((self.name, self._params))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self._params, name)!r}" for name in self._spec.parameters)
        return f"{self.name}({inside})"


@lru_cache(maxsize=256)
def _traits_at(traits: Callable[[Any], Traits], params: Any) -> Traits:
    return traits(params)


def _from_name(name: str, params: Any) -> BoundMetric:
    from .registry import find

    return BoundMetric(find(name), params)
