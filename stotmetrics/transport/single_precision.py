"""Sinkhorn potentials found in single precision, which leaves double precision one sweep and the certificate.

No value depends on how good they are: by weak duality the dual value of any potentials is a lower bound, the plan that
belongs to them an upper one, and the kernel computes both in double precision.

Nor does rounding cost much. After half a sweep the gap between the two is ``rho sum w h(d)``: ``w`` is the target
``y exp(-g / rho)``, ``d`` the logarithm of the plan's marginal over it, zero at the optimum, and
``h(d) = d e^d - e^d + 1 = sum_{k >= 2} d^k / (k (k - 2)!) <= d^2 / 2 e^|d|``. Potentials ``v = g / epsilon`` that are
off by ``delta`` at most move the logarithms of ``K e^v`` by ``delta`` and those of the other side by ``omega delta``:
``|d| <= (1 / omega + omega) delta``. Single precision keeps ``v``, at most a few hundred, to about 2e-5, so the gap is
1e-9 of the mass, whatever else was rounded on the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import BoolArray, FloatArray, IntArray
from ..kernels import _sinkhorn_single

_Array = npt.NDArray[np.float32]

# Points from which the work of the sweeps outweighs that of going to another precision and back.
LEAST_POINTS = 96
# A goal, as a part of the mass, that rounding leaves in reach: see above.
_FINEST = 1e-8
# Sweeps after which what is left is left to double precision.
_SWEEPS = 200
# Columns of one product with a matrix: enough for the matrix to be read from memory once for many of them.
_COLUMNS = 128
# On a grid every problem is multiplied by itself: as many as stay in the cache with all that they remember.
_CACHED = 2**14
# What the kernel takes for the logarithm of no mass.
_NONE = -1e30


@dataclass(frozen=True, slots=True)
class Panels:
    """A symmetric Gibbs kernel ``exp(-cost / epsilon)`` in single precision, laid out for products.

    ``axes`` holds the kernel of the last axis, scaled, in panels of rows, and of every other axis its cost over
    epsilon; ``shape`` the points of each axis, ``sides`` the same with the last one padded.
    """

    axes: tuple[_Array, ...]
    shape: tuple[int, ...]
    sides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all axes."""
        return sum(axis.nbytes for axis in self.axes)

    def padded(self, array: FloatArray, fill: float) -> _Array:
        """Rows of P numbers in single precision, the last axis of each filled up."""
        blocks = np.full((len(array), *self.sides), fill, dtype=np.float32)
        blocks[..., : self.shape[-1]] = array.reshape(len(array), *self.shape)
        return blocks.reshape(len(array), -1)

    def trimmed(self, array: _Array) -> FloatArray:
        """The inverse of :meth:`padded`, in double precision."""
        blocks = array.reshape(len(array), *self.sides)[..., : self.shape[-1]]
        return np.ascontiguousarray(blocks, dtype=np.float64).reshape(len(array), -1)

    @property
    def columns(self) -> int:
        """Problems to sweep together."""
        return _COLUMNS if len(self.shape) == 1 else max(1, _CACHED // math.prod(self.sides))


def panels_of(costs: tuple[FloatArray, ...], epsilon: float) -> Panels:
    """Lay out the kernel of a ground cost that is the sum over axes of one symmetric matrix each."""
    panel, lanes = _sinkhorn_single.padding()
    shape = tuple(len(cost) for cost in costs)
    wide = _up_to(shape[-1], panel)
    sides = (*shape[:-1], wide)
    axes = []
    for cost in costs[:-1]:
        lines = np.zeros((len(cost), _up_to(len(cost), lanes)), dtype=np.float32)
        # No sum of three of them may leave the range.
        lines[:, : len(cost)] = np.minimum(cost / epsilon, 1e30)
        axes.append(lines.ravel())
    scale = _sinkhorn_single.scale_of(math.prod(sides), len(costs))
    kernel = np.zeros((wide, wide), dtype=np.float32)
    with np.errstate(under="ignore"):
        kernel[: shape[-1], : shape[-1]] = np.exp(scale - costs[-1] / epsilon)
    # Numbers below the normal ones are slow, and wrong by more than they are worth.
    kernel[kernel < np.finfo(np.float32).tiny] = 0.0
    axes.append(np.ascontiguousarray(kernel.reshape(-1, panel, wide).transpose(0, 2, 1)).ravel())
    return Panels(tuple(axes), shape, sides)


def _up_to(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


@dataclass(frozen=True, slots=True)
class Singles:
    """Histograms in single precision: rows of masses and of their logarithms."""

    panels: Panels
    mass: _Array
    logmass: _Array
    total: FloatArray

    @staticmethod
    def of(panels: Panels, mass: FloatArray, logmass: FloatArray) -> Singles:
        """Those of double precision, rounded."""
        # Masses too small for single precision are none; their logarithms say that they are some.
        with np.errstate(under="ignore", over="ignore"):
            return Singles(panels, panels.padded(mass, 0.0), panels.padded(logmass, _NONE), mass.sum(axis=1))


def approach(
    histograms: Singles,
    rows: IntArray,
    cols: IntArray,
    v: FloatArray,
    *,
    epsilon: float,
    rho: float,
    tol: float,
    max_iter: int,
    depth: int,
) -> tuple[FloatArray, IntArray, BoolArray]:
    """Better potentials than v, the sweeps that they took, and whether they are as good as ``tol`` asks.

    Parameters
    ----------
    histograms : Singles
    rows, cols : arrays of shape (k,)
        Which of them each problem is between.
    v : array of shape (k, P)
        Potentials of the second histogram of each, in units of epsilon, to start from.
    epsilon, rho, tol, max_iter, depth
        See :class:`~stotmetrics.transport.divergences.Problem`.

    Returns
    -------
    v : array of shape (k, P)
        In double precision; where the last is False perhaps no better than it was.
    sweeps : array of shape (k,)
    solved : array of shape (k,)
    """
    panels = histograms.panels
    goal = max(tol, _FINEST) * np.maximum(histograms.total[rows], histograms.total[cols])
    start = panels.padded(v, _NONE)
    limit = min(_SWEEPS, max_iter // 2)
    sweeps, solved = np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows), dtype=np.bool_)
    for k in range(0, len(rows) if limit else 0, panels.columns):
        part = slice(k, k + panels.columns)
        sweeps[part], solved[part] = _sinkhorn_single.approach(
            panels.axes,
            panels.sides,
            histograms.mass,
            histograms.logmass,
            histograms.mass,
            histograms.logmass,
            rows[part],
            cols[part],
            start[part],
            goal[part],
            epsilon=epsilon,
            rho=rho,
            max_iter=limit,
            depth=depth,
        )
    return panels.trimmed(start), sweeps, solved
