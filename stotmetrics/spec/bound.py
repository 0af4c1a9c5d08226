"""A metric bound to its parameters: what every function of many pairs, and every host, works with."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from ..arrays import FloatArray, IntArray, in_any_host, real_array
from ..errors import ConvergenceWarning, InvalidParameterError, InvalidSeriesError
from ..series import NO_DOUBTS, Series, read_series
from . import parameters, registry
from .admission import check_pair, check_series, warn_of_doubts
from .metric import Answer, MetricSpec, Side, load_reference, spec_of_function
from .prepared import PreparedSet
from .result import Batch, GradBatch, Result, batch_of
from .traits import Traits

Answered = TypeVar("Answered")


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

    @property
    def has_gradient(self) -> bool:
        """Whether there are gradients at these parameters."""
        return self._spec.gradients is not None and self._traits.differentiable

    def __call__(self, x: Any, y: Any) -> float:
        return self.solve(x, y).value

    def solve(self, x: Any, y: Any) -> Result:
        """The value for two series, and what is known about it; warns once if the solver did not converge."""
        left, right = self.accept_pair(x, y)
        prepared = self.prepare(left)
        result = self.pair(prepared, prepared if right is left else self.prepare(right))
        result.series = left, right
        if not result.converged:
            self._warn(f"in {result.n_iter} iterations", result.gap)
        return result

    def value_and_grad(self, x: Any, y: Any) -> tuple[float, FloatArray, FloatArray]:
        """The value and its gradients in the values of x and of y, each shaped (T, d)."""
        self.require_gradient()
        left, right = self.accept_pair(x, y)
        batch = self.gradients([self.prepare(left)], [self.prepare(right)], _FIRST, _FIRST)
        assert batch.left is not None
        assert batch.right is not None
        if batch.converged is not None and not batch.converged[0]:
            self._warn("to a gradient", None if batch.gap is None else float(batch.gap[0]))
        return float(batch.values[0]), batch.left[0], batch.right[0]

    def accept(self, x: Any, name: str) -> Series:
        """Read one series and check it against the traits; ``name`` is what an error calls it."""
        series = read_series(x, name)
        check_series(series, self._traits, self.name, name)
        return series

    def accept_pair(self, x: Any, y: Any) -> tuple[Series, Series]:
        """Read two series that the metric can compare."""
        left, right = self.accept(x, "x"), self.accept(y, "y")
        check_pair(left, right, self._traits, self.name)
        if left.doubts is not NO_DOUBTS or right.doubts is not NO_DOUBTS:
            warn_of_doubts((left, right), self._traits, self.name)
        return left, right

    def prepare(self, series: Series) -> Any:
        """What is worth computing once per series."""
        return series if self._spec.prepare is None else self._prepare(self._spec.prepare, series)

    @in_any_host
    def _prepare(self, prepare: Callable[[Series, Any], Any], series: Series) -> Any:
        return self._within_memory(prepare, series, self._params)

    def prepare_all(self, series: Sequence[Series]) -> PreparedSet:
        """Each series prepared, as one set."""
        return PreparedSet(series if self._spec.prepare is None else map(self.prepare, series))

    @in_any_host
    def pair(self, x: Any, y: Any) -> Result:
        """The result for two prepared series."""
        value = self._within_memory(self._spec.pair, x, y, self._params)
        result = value if isinstance(value, Result) else Result(value)
        if not math.isfinite(result.value):
            raise self._out_of_scale(result.value)
        if result.gap is not None and not math.isfinite(result.gap):
            raise self._out_of_scale(result.gap, "a gap of ")
        return result

    @in_any_host
    def block(
        self,
        left: Sequence[Any],
        right: Sequence[Any],
        rows: IntArray,
        cols: IntArray,
        cutoff: FloatArray | None = None,
    ) -> Batch:
        """The values of the pairs ``(left[rows[k]], right[cols[k]])`` of prepared series.

        A pair that lies above its ``cutoff`` may come back abandoned.
        """
        if self._spec.block is None:
            return self.loop(left, right, rows, cols)
        batch = self._within_memory(self._spec.block, left, right, rows, cols, self._params, cutoff)
        solved = batch.values if batch.abandoned is None else batch.values[~batch.abandoned]
        if not np.isfinite(solved).all():
            raise self._out_of_scale(solved[~np.isfinite(solved)][0])
        if batch.gap is not None and not np.isfinite(batch.gap).all():
            raise self._out_of_scale(batch.gap[~np.isfinite(batch.gap)][0], "a gap of ")
        return batch

    def loop(self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray) -> Batch:
        """``block`` one pair at a time: what a batched kernel must agree with."""
        return batch_of([self.pair(left[i], right[j]) for i, j in zip(rows, cols, strict=True)])

    @in_any_host
    def gradients(
        self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray, side: Side = "both"
    ) -> GradBatch:
        """Values and gradients of the pairs ``(left[rows[k]], right[cols[k]])`` of prepared series."""
        self.require_gradient()
        assert self._spec.gradients is not None
        batch = self._within_memory(self._spec.gradients, left, right, rows, cols, self._params, side)
        if not np.isfinite(batch.values).all():
            raise self._out_of_scale(batch.values[~np.isfinite(batch.values)][0])
        for slopes in (batch.left, batch.right):
            if slopes and not np.isfinite(whole := np.concatenate(slopes)).all():
                raise self._out_of_scale(whole[~np.isfinite(whole)][0], "a gradient with ")
        return batch

    @in_any_host
    def lower_bounds(self, left: Sequence[Any], right: Sequence[Any], rows: IntArray, cols: IntArray) -> FloatArray:
        """For each pair of prepared series a number that is never above its value; -inf where nothing is known."""
        if self._spec.lower_bounds is None:
            return np.full(len(rows), -np.inf)
        bounds = self._spec.lower_bounds(left, right, rows, cols, self._params)
        return np.maximum(bounds, 0.0) if self._traits.nonnegative else bounds

    def reference(self, x: Series, y: Series) -> Result:
        """What the reference implementation says about two series: a number, or anything with a value and a gap."""
        function = load_reference(self._spec)
        if function is None:
            raise NotImplementedError(f"{self.name} has no reference implementation")
        answer = function(x, y, self._params)
        if isinstance(answer, Result):
            return answer
        return Result(answer.value, gap=answer.gap) if isinstance(answer, Answer) else Result(answer)

    def flat(self, d: int = 1) -> "FlatMetric":
        """This metric for hosts that hand over flat rows of ``T * d`` numbers, the d values of each time together."""
        return FlatMetric(self, d)

    def require_gradient(self) -> None:
        """Raise NotImplementedError where there are no gradients at these parameters."""
        if not self.has_gradient:
            raise NotImplementedError(
                f"{self.name} has no gradient at {self!r}; take a metric with the trait differentiable, such as "
                "'softdtw', 'tiot' or 'etiot'"
            )

    def config(self) -> dict[str, Any]:
        """Name and parameters as JSON-ready data."""
        return {"metric": self.name, "params": parameters.to_config(self._params)}

    @staticmethod
    def from_config(config: dict[str, Any]) -> "BoundMetric":
        """The inverse of :meth:`config`.

        Raises
        ------
        InvalidParameterError
            If ``config`` is no mapping of ``metric`` to a name and of ``params`` to a mapping, or a value is out of its
            range.
        UnknownMetricError
            If no metric has this name.
        TypeError
            If the metric has no such parameter.
        """
        name, params = (config.get(key) if isinstance(config, Mapping) else None for key in ("metric", "params"))
        if not (isinstance(name, str) and isinstance(params, Mapping)):
            raise InvalidParameterError(
                "config must be what config() gives, {'metric': a name, 'params': {parameter: value}}; "
                f"got {parameters.shown(config)}"
            )
        return bind(registry.find(name), **params)

    def _warn(self, how: str, gap: float | None) -> None:
        error = "" if gap is None else f", error at most {gap:.3g}"
        warnings.warn(
            f"{self.name} did not converge {how}{error}; raise max_iter or tol", ConvergenceWarning, stacklevel=4
        )

    def _within_memory(self, function: Callable[..., Answered], *args: Any) -> Answered:
        """What a function of the metric answers, or an error that says who wanted so much memory."""
        try:
            return function(*args)
        except MemoryError as error:
            raise MemoryError(
                f"{self!r} needs more memory than there is for series of these lengths"
                f"{f' ({error})' if str(error) else ''}; shorten them, as in x[::2], or take a metric whose memory is "
                "in proportion to the lengths, such as softdtw or tiot"
            ) from error

    def _out_of_scale(self, value: float, what: str = "") -> FloatingPointError:
        return FloatingPointError(f"{self!r} gave {what}{value} for finite series; rescale their values")

    def __reduce__(self) -> tuple[Any, ...]:
        # A metric of the running session is unknown to a fresh process: it travels whole.
        if registry.is_declared(self._spec):
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


@dataclass(frozen=True)
class FlatMetric:
    """A metric of flat rows, as ``scipy.spatial.distance.cdist``, ``ot.dist`` and scikit-learn hand them over.

    Parameters
    ----------
    metric : BoundMetric
        The metric.
    d : int, default 1
        Values at one time; a row holds those of the first time, then those of the second.

    Examples
    --------
    >>> import stotmetrics
    >>> from scipy.spatial.distance import cdist
    >>> dtw = stotmetrics.get_metric("dtw")
    >>> cdist([[0.0, 1.0, 1.0]], [[0.0, 0.0, 1.0], [0.0, 3.0, 0.0]], metric=dtw.flat())
    array([[0., 5.]])
    """

    metric: BoundMetric
    d: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.d, int) or isinstance(self.d, bool) or self.d < 1:
            raise InvalidParameterError(f"d must be an integer >= 1, the number of values at one time; got {self.d!r}")

    def __call__(self, x: Any, y: Any) -> float:
        return self.metric(self._rows(x, "x"), self._rows(y, "y"))

    def _rows(self, x: Any, name: str) -> Series:
        row = real_array(x, name, InvalidSeriesError)
        if row.ndim != 1 or len(row) % self.d:
            raise InvalidSeriesError(
                f"{name} must be a flat row of times times {self.d} values; got shape {row.shape}; "
                "say how many values a time has, as in metric.flat(d=2)"
            )
        # Told what its axes are, a series of one time is in no doubt about them.
        return Series(read_series(row.reshape(-1, self.d), name).values)


Metric = str | MetricSpec | BoundMetric | Callable[[Any, Any], float]

_FIRST = np.zeros(1, dtype=np.intp)


def bind(spec: MetricSpec, /, **params: Any) -> BoundMetric:
    """Fix the parameters of a metric; each is checked here, once."""
    return BoundMetric(spec, parameters.make(spec.name, spec.params, params))


def get_metric(metric: Metric, /, **params: Any) -> BoundMetric:
    """Find a metric and fix its parameters.

    Parameters
    ----------
    metric : str, MetricSpec, BoundMetric or function
        A name from :func:`list_metrics`, or a metric itself. A metric that is bound already takes no parameters. A
        function ``f(x, y) -> float`` of two arrays becomes a metric that claims nothing.
    **params
        Parameters of the metric; the others keep their defaults.

    Returns
    -------
    BoundMetric
        A callable ``m(x, y) -> float`` that pickles, compares and prints by name and parameters.

    Raises
    ------
    UnknownMetricError
        If no metric has this name; the message says what is close.
    DuplicateMetricError
        If two distributions claim the name.
    MetricLoadError
        If the metric is declared but its module cannot be loaded.
    InvalidParameterError
        If a parameter is out of its range, or ``metric`` is none of these.
    TypeError
        If the metric has no such parameter; the message lists the valid ones.

    Examples
    --------
    >>> import numpy as np
    >>> import stotmetrics
    >>> stotmetrics.get_metric("tiot", p=1)
    tiot(p=1.0, standardize=True, root=True)
    >>> stotmetrics.get_metric(lambda x, y: np.abs(x - y).max())([0.0, 1.0], [0.0, 3.0])
    2.0
    """
    if isinstance(metric, BoundMetric):
        if params:
            raise TypeError(f"{metric!r} has its parameters already; got also {', '.join(params)}")
        return metric
    if isinstance(metric, str):
        return bind(registry.find(metric), **params)
    if isinstance(metric, MetricSpec):
        return bind(metric, **params)
    if callable(metric) and not isinstance(metric, type):
        return bind(spec_of_function(metric), **params)
    raise InvalidParameterError(
        "metric must be a name, as list_metrics() has them, a MetricSpec, a bound metric or a function f(x, y); "
        f"got {type(metric).__name__}; series come first: distance(x, y, metric='softdtw')"
    )


def metric_comes_last(call: str, *series: Any) -> None:
    """Refuse a call that has the metric where a series belongs, and show the right one."""
    for argument in series:
        named = isinstance(argument, str) and argument in registry.names()
        if named or isinstance(argument, (MetricSpec, BoundMetric)):
            name = repr(argument) if named else "metric"
            raise TypeError(f"series come first and the metric after them: {call.format(name)}")


@lru_cache(maxsize=256)
def _traits_at(traits: Callable[[Any], Traits], params: Any) -> Traits:
    return traits(params)


def _from_name(name: str, params: Any) -> BoundMetric:
    return BoundMetric(registry.find(name), params)
