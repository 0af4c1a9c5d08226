"""Losses between batches of series for JAX, with the values and the gradients of the kernels of this package."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..spec.bound import BoundMetric, Metric
from ._batches import Lengths, check_range, check_shapes, loss_metric, read_lengths, values_and_slopes

_REDUCE: dict[str, Callable[[Any], Any]] = {"mean": jnp.mean, "sum": jnp.sum, "none": lambda values: values}


def series_loss(metric: Metric, *, reduction: str = "mean", **params: Any) -> Callable[..., jax.Array]:
    """A differentiable metric between the series of two batches, one pair for each place in the batch.

    Values and gradients are computed in double precision on the CPU, by a callback, and come back in the precision of
    the input: the loss works under ``jax.grad`` and ``jax.jit``. A gradient of the gradient is not available.

    Parameters
    ----------
    metric : str, MetricSpec or BoundMetric
        A metric with a gradient, as "softdtw", "softdtw_divergence", "sta", "tiot" or "etiot".
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.
    **params
        Parameters of the metric.

    Returns
    -------
    callable
        ``loss(input, target, input_lengths=None, target_lengths=None)``, of batches (B, T), (B, T, d) or (B, T, H, W);
        the lengths are B integers each, and what lies behind is padding. The value is a number, or one for each pair if
        ``reduction="none"``.

    Raises
    ------
    NotImplementedError
        If the metric has no gradient at these parameters.
    InvalidParameterError
        If a parameter or the reduction is none.

    Examples
    --------
    >>> import jax
    >>> from stotmetrics.hosts.jax import series_loss
    >>> loss = series_loss("euclidean")
    >>> jax.grad(loss)(jax.numpy.array([[3.0, 0.0]]), jax.numpy.array([[0.0, 4.0]])).tolist()
    [[0.6000000238418579, -0.800000011920929]]
    """
    bound = loss_metric(metric, reduction, params)

    def loss(
        input: Any,  # noqa: A002  as the losses of PyTorch call it
        target: Any,
        input_lengths: Lengths = None,
        target_lengths: Lengths = None,
    ) -> jax.Array:
        source, target = jnp.asarray(input), jnp.asarray(target)
        check_shapes(source.shape, target.shape)
        # In half precision most values overflow.
        dtype = jnp.promote_types(jnp.result_type(source, target, float), jnp.float32)
        lengths = tuple(
            jnp.asarray(read_lengths(given, batch.shape, name) if not isinstance(given, jax.core.Tracer) else given)
            for given, batch, name in ((input_lengths, source, "input"), (target_lengths, target, "target"))
        )
        return _REDUCE[reduction](_values(bound, source.astype(dtype), target.astype(dtype), *lengths))

    return loss


def _values_alone(metric: BoundMetric, x: jax.Array, y: jax.Array, n: jax.Array, m: jax.Array) -> jax.Array:
    def compute(x: Any, y: Any, n: Any, m: Any) -> Any:
        return _computed(metric, x, y, n, m, (False, False))[0]

    return jax.pure_callback(compute, jax.ShapeDtypeStruct(x.shape[:1], x.dtype), x, y, n, m, vmap_method="sequential")


def _values_and_slopes(metric: BoundMetric, x: jax.Array, y: jax.Array, n: jax.Array, m: jax.Array) -> Any:
    def compute(x: Any, y: Any, n: Any, m: Any) -> Any:
        return _computed(metric, x, y, n, m, (True, True))

    wanted = tuple(jax.ShapeDtypeStruct(shape, x.dtype) for shape in (x.shape[:1], x.shape, y.shape))
    values, *slopes = jax.pure_callback(compute, wanted, x, y, n, m, vmap_method="sequential")
    return values, slopes


def _computed(metric: BoundMetric, x: Any, y: Any, n: Any, m: Any, moves: tuple[bool, bool]) -> tuple[Any, ...]:
    source, target = np.asarray(x), np.asarray(y)
    lengths = read_lengths(n, source.shape, "input"), read_lengths(m, target.shape, "target")
    values, slopes = values_and_slopes(metric, source, target, lengths, moves, stacklevel=2)
    numbers = [part for part in (values, *slopes) if part is not None]
    for part, what in zip(numbers, ("a value", "a gradient", "a gradient"), strict=False):
        check_range(metric, part, float(np.finfo(source.dtype).max), what, str(source.dtype))
    return tuple(part.astype(source.dtype) for part in numbers)


def _back(metric: BoundMetric, slopes: Any, grad: jax.Array) -> tuple[Any, ...]:
    left, right = (slope * grad.reshape(-1, *[1] * (slope.ndim - 1)) for slope in slopes)
    return left, right, None, None


_values = jax.custom_vjp(_values_alone, nondiff_argnums=(0,))
_values.defvjp(_values_and_slopes, _back)
