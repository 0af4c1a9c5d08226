"""Gibbs kernels in single precision, laid out for products, on a ground and on coarser ones.

Where neighbours along an axis lie well within the reach of the kernel, two points taken together make a ground of half
as many on that axis: their masses add up, and their costs to others are averaged. Its solution is a good start for the
finer one, and costs a fraction; see :mod:`~stotmetrics.transport.single_precision`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..kernels import _sinkhorn_single

SingleArray = npt.NDArray[np.float32]

# Columns of one product with a matrix: enough for the matrix to be read from memory once for many of them.
_COLUMNS = 128
# On a grid every problem is multiplied by itself: as many as stay in the cache with all that they remember.
_CACHED = 2**14
# The largest cost between neighbours, in units of epsilon, at which two of them may be taken together.
_NEAR = 0.5
# Points that an axis keeps: below, a sweep costs no less.
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Panels:
    """A symmetric Gibbs kernel ``exp(-cost / epsilon)`` in single precision, laid out for products.

    ``axes`` holds the kernel of the last axis, scaled, in panels of rows, and of every other axis its cost over
    epsilon; ``shape`` the points of each axis, ``sides`` the same with the last one padded. ``coarser`` is the same
    ground with fewer points, where that makes sense.
    """

    axes: tuple[SingleArray, ...]
    shape: tuple[int, ...]
    sides: tuple[int, ...]
    coarser: Coarser | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all axes, and of the coarser grounds."""
        return sum(axis.nbytes for axis in self.axes) + (self.coarser.nbytes if self.coarser else 0)

    def padded(self, array: npt.NDArray[np.floating], fill: float) -> SingleArray:
        """Rows of P numbers in single precision, the last axis of each filled up."""
        blocks = np.full((len(array), *self.sides), fill, dtype=np.float32)
        blocks[..., : self.shape[-1]] = array.reshape(len(array), *self.shape)
        return blocks.reshape(len(array), -1)

    def trimmed(self, array: SingleArray) -> SingleArray:
        """The inverse of :meth:`padded`."""
        blocks = array.reshape(len(array), *self.sides)[..., : self.shape[-1]]
        return np.ascontiguousarray(blocks).reshape(len(array), -1)

    @property
    def columns(self) -> int:
        """Problems to sweep together."""
        return _COLUMNS if len(self.shape) == 1 else max(1, _CACHED // math.prod(self.sides))


@dataclass(frozen=True, slots=True)
class Coarser:
    """A ground with fewer points: its kernel, and ``axes``, the kernel from its points to those of the finer ``shape``.

    ``steps``: of each axis how many points of it one of a coarser one stands for, 2 or 1; the last may be alone.
    """

    panels: Panels
    axes: tuple[SingleArray, ...]
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of both kernels."""
        return sum(axis.nbytes for axis in self.axes) + self.panels.nbytes

    def together(self, what: np.ufunc, fine: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What ``what`` makes of the points taken together, for rows of numbers on the finer ground."""
        blocks = fine.reshape(-1, *self.shape)
        for axis, (size, step) in enumerate(zip(self.shape, self.steps, strict=True), start=1):
            if step == 2:
                before = (slice(None),) * axis
                odd, even = blocks[(*before, slice(1, None, 2))], blocks[(*before, slice(0, None, 2))].copy()
                pairs = even[(*before, slice(size // 2))]
                what(pairs, odd, out=pairs)
                blocks = even
        return blocks.reshape(len(fine), -1)


def panels_of(costs: tuple[FloatArray, ...], epsilon: float) -> Panels:
    """Lay out the kernel of a ground cost that is the sum over axes of one symmetric matrix each."""
    shape = tuple(len(cost) for cost in costs)
    coarser = _coarser(costs, shape, epsilon)
    return Panels(_laid_out(costs, epsilon), shape, _sides(shape), coarser)


def _coarser(costs: tuple[FloatArray, ...], shape: tuple[int, ...], epsilon: float) -> Coarser | None:
    steps = tuple(2 if _smooth(cost, epsilon) else 1 for cost in costs)
    if max(steps) == 1:
        return None
    across = tuple(_averaged(cost, step) for cost, step in zip(costs, steps, strict=True))
    among = tuple(_averaged(cost.T, step) for cost, step in zip(across, steps, strict=True))
    return Coarser(panels_of(among, epsilon), _laid_out(across, epsilon), shape, steps)


def _smooth(cost: FloatArray, epsilon: float) -> bool:
    """Whether the kernel hardly tells neighbours apart."""
    return len(cost) >= 2 * _SHORTEST and float(np.diagonal(cost, 1).max()) <= _NEAR * epsilon


def _averaged(cost: FloatArray, step: int) -> FloatArray:
    """Of every row, the means of so many columns each."""
    first = np.arange(0, cost.shape[1], step)
    return np.asarray(np.add.reduceat(cost, first, axis=1) / np.diff(first, append=cost.shape[1]))


def _laid_out(costs: tuple[FloatArray, ...], epsilon: float) -> tuple[SingleArray, ...]:
    """A kernel from the points of the columns of ``costs`` to those of its rows."""
    panel, lanes = _sinkhorn_single.padding()
    axes = []
    for cost in costs[:-1]:
        lines = np.zeros((len(cost), _up_to(cost.shape[1], lanes)), dtype=np.float32)
        # No sum of three of them may leave the range.
        lines[:, : cost.shape[1]] = np.minimum(cost / epsilon, 1e30)
        axes.append(lines.ravel())
    last = costs[-1]
    rows, columns = _up_to(len(last), panel), _up_to(last.shape[1], panel)
    scale = _sinkhorn_single.scale_of(math.prod(cost.shape[1] for cost in costs[:-1]) * columns, len(costs))
    kernel = np.zeros((rows, columns), dtype=np.float32)
    with np.errstate(under="ignore"):
        kernel[: len(last), : last.shape[1]] = np.exp(scale - last / epsilon)
    # Numbers below the normal ones are slow, and wrong by more than they are worth.
    kernel[kernel < np.finfo(np.float32).tiny] = 0.0
    axes.append(np.ascontiguousarray(kernel.reshape(-1, panel, columns).transpose(0, 2, 1)).ravel())
    return tuple(axes)


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-1], _up_to(shape[-1], _sinkhorn_single.padding()[0]))


def _up_to(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
