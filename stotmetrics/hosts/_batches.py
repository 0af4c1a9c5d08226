"""What the losses of all hosts share: batches of arrays read as series, and their values and gradients as arrays."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import ConvergenceWarning, InvalidParameterError
from ..series import Series
from ..spec.admission import check_pair, check_series
from ..spec.bound import BoundMetric, Metric, get_metric
from ..spec.parameters import shown

REDUCTIONS = ("mean", "sum", "none")

Lengths = Any
"""A sequence or array of integers, one for each series of a batch, or None."""


def loss_metric(metric: Metric, reduction: str, params: dict[str, Any]) -> BoundMetric:
    """The metric of a loss: it has a gradient, and the reduction is one."""
    if reduction not in REDUCTIONS:
        raise InvalidParameterError(f"reduction must be 'mean', 'sum' or 'none'; got {reduction!r}")
    bound = get_metric(metric, **params)
    bound.require_gradient()
    return bound


def check_shapes(source: Sequence[int], target: Sequence[int]) -> None:
    """Refuse two shapes that are none of two batches."""
    if len(source) != len(target) or len(source) not in (2, 3, 4) or source[0] != target[0] or not source[0]:
        raise InvalidParameterError(
            "input and target must have shape (B, T), (B, T, d) or (B, T, H, W) with the same B >= 1; "
            f"got {tuple(source)} and {tuple(target)}"
        )


def read_lengths(given: Lengths, shape: Sequence[int], name: str) -> list[int]:
    """How many times of each series of a batch count."""
    count, longest = shape[0], shape[1]
    if given is None:
        return [longest] * count
    # A tensor of whole numbers, in any precision, is as good as a list of integers.
    numbers = np.asarray(given.tolist() if hasattr(given, "tolist") else given)
    whole = numbers.dtype.kind in "iuf" and bool((numbers == np.floor(numbers)).all())
    if numbers.shape != (count,) or not whole or not all(1 <= length <= longest for length in numbers.tolist()):
        raise InvalidParameterError(
            f"{name}_lengths must be {count} integers from 1 to {longest}, one for each series; got {shown(given)}"
        )
    return [int(length) for length in numbers.tolist()]


def values_and_slopes(
    metric: BoundMetric,
    source: FloatArray,
    target: FloatArray,
    lengths: tuple[list[int], list[int]],
    moves: tuple[bool, bool],
    stacklevel: int,
) -> tuple[FloatArray, list[FloatArray | None]]:
    """The value of each pair, and its gradients in the sides that move, each shaped as its batch and None otherwise."""
    left, right = _series(source, lengths[0], metric, "input"), _series(target, lengths[1], metric, "target")
    for k, (x, y) in enumerate(zip(left, right, strict=True)):
        check_pair(x, y, metric.traits, metric.name, f"input[{k}]", f"target[{k}]")
    pairs = np.arange(len(left), dtype=np.intp)
    sets = metric.prepare_all(left), metric.prepare_all(right)
    slopes: list[FloatArray | None] = [None, None]
    if any(moves):
        batch: Any = metric.gradients(*sets, pairs, pairs, "both" if all(moves) else "left" if moves[0] else "right")
        for side, own in enumerate((batch.left, batch.right)):
            slopes[side] = _padded(own, (source, target)[side].shape) if moves[side] else None
    else:
        batch = metric.block(*sets, pairs, pairs)
    failed = 0 if batch.converged is None else int((~batch.converged).sum())
    if failed:
        warnings.warn(
            f"{metric.name} did not converge for {failed} of {len(pairs)} pairs; raise max_iter or tol",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    return batch.values, slopes


def check_range(metric: BoundMetric, numbers: FloatArray, limit: float, what: str, precision: str) -> None:
    """Refuse finite numbers that a narrower precision would turn into infinity."""
    largest = float(np.abs(numbers).max(initial=0.0))
    if limit < largest < np.inf:
        raise FloatingPointError(
            f"{metric.name}: {what} of {largest:.3g} is beyond the range of {precision}; give input and target in "
            "double precision, or their values in a larger unit"
        )


def _series(batch: FloatArray, lengths: list[int], metric: BoundMetric, name: str) -> list[Series]:
    """The series of a batch, without their padding."""
    values = np.array(batch, dtype=np.float64, order="C")
    frame_shape = values.shape[2:] if values.ndim == 4 else None
    if values.size == 0 or not np.isfinite(values).all():
        read = [metric.accept(values[k, :length], f"{name}[{k}]") for k, length in enumerate(lengths)]
        return [Series(own.values, frame_shape=frame_shape) for own in read]
    # Read at once, a batch of numbers leaves each series no doubt but its traits.
    values.flags.writeable = False
    values = values.reshape(*values.shape[:2], -1)
    series = [Series(values[k, :length], frame_shape=frame_shape) for k, length in enumerate(lengths)]
    for k, own in enumerate(series):
        check_series(own, metric.traits, metric.name, f"{name}[{k}]")
    return series


def _padded(slopes: list[FloatArray], shape: Sequence[int]) -> FloatArray:
    """The gradients as one batch, zero on what was padding."""
    if all(len(slope) == shape[1] for slope in slopes):
        return np.stack(slopes).reshape(tuple(shape))
    whole = np.zeros(tuple(shape))
    for k, slope in enumerate(slopes):
        whole[k, : len(slope)] = slope.reshape(len(slope), *shape[2:])
    return whole
