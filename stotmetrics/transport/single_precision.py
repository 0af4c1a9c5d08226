"""Sinkhorn potentials found in single precision, which leaves double precision one sweep and the certificate.

No value depends on how good they are: by weak duality the dual value of any potentials is a lower bound, the plan that
belongs to them an upper one, and the kernel computes both in double precision.

Nor does rounding cost much. After half a sweep the gap between the two is ``rho sum w h(d)``: ``w`` is the target
``y exp(-g / rho)``, ``d`` the logarithm of the plan's marginal over it, zero at the optimum, and
``h(d) = d e^d - e^d + 1 = sum_{k >= 2} d^k / (k (k - 2)!) <= d^2 / 2 e^|d|``. Potentials ``v = g / epsilon`` that are
off by ``delta`` at most move the logarithms of ``K e^v`` by ``delta`` and those of the other side by ``omega delta``:
``|d| <= (1 / omega + omega) delta``. Single precision keeps ``v``, at most a few hundred, to about 2e-5, so the gap is
1e-9 of the mass, whatever else was rounded on the way.

Most sweeps are made on coarser grounds, where there are any. The potentials of one side there give those of the other
on the finer points by one product, which are as smooth as those of the solution: three sweeps of twelve are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..kernels import _sinkhorn, _sinkhorn_single
from .panels import Coarser, Panels, SingleArray

# Points from which the work of the sweeps outweighs that of going to another precision and back.
LEAST_POINTS = 96
# A goal, as a part of the mass, that rounding leaves in reach: see above.
_FINEST = 1e-8
# And on a coarser ground, where points were taken together.
_COARSE = 1e-4
# Sweeps after which what is left is left to double precision.
_SWEEPS = 200
# What the kernel takes for the logarithm of no mass.
_NONE = -1e30


@dataclass(frozen=True, slots=True)
class Singles:
    """Histograms in single precision: rows of masses and of their logarithms, and the same on a coarser ground."""

    panels: Panels
    mass: SingleArray
    logmass: SingleArray
    total: FloatArray
    coarser: Singles | None

    @staticmethod
    def of(panels: Panels, mass: FloatArray, logmass: FloatArray) -> Singles:
        """Those of double precision, rounded."""
        coarser = None
        # Masses too small for single precision are none; their logarithms say that they are some.
        with np.errstate(under="ignore", over="ignore"):
            masses, logarithms = panels.padded(mass, 0.0), panels.padded(logmass, _NONE)
            if panels.coarser:
                together = panels.coarser.together(np.add, mass)
                coarser = Singles.of(panels.coarser.panels, together, _sinkhorn.log_mass(together))
        return Singles(panels, masses, logarithms, mass.sum(axis=1), coarser)


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
    rates = {"epsilon": epsilon, "rho": rho, "max_iter": min(_SWEEPS, max_iter // 2), "depth": depth}
    start = histograms.panels.padded(v, _NONE)
    _, sweeps, solved = _descend(histograms, rows, cols, start, tol, rates)
    return histograms.panels.trimmed(start).astype(np.float64), sweeps, solved


def _descend(
    histograms: Singles, rows: IntArray, cols: IntArray, v: SingleArray, tol: float, rates: dict[str, Any]
) -> tuple[SingleArray, IntArray, BoolArray]:
    """Overwrite v as far as single precision goes, from the coarsest ground up; the potentials of the other side."""
    panels, coarse = histograms.panels, histograms.coarser
    goal = max(tol, _FINEST) * np.maximum(histograms.total[rows], histograms.total[cols])
    u, sweeps, solved = np.empty_like(v), np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows), dtype=np.bool_)
    if not rates["max_iter"]:
        return u, sweeps, solved
    if coarse is not None and panels.coarser is not None:
        _start_from(panels.coarser, coarse, histograms, rows, cols, v, tol, rates)
    sides = (histograms.mass, histograms.logmass)
    for k in range(0, len(rows), panels.columns):
        part = slice(k, k + panels.columns)
        sweeps[part], solved[part] = _sinkhorn_single.approach(
            panels.axes, panels.sides, *sides, *sides, rows[part], cols[part], u[part], v[part], goal[part], **rates
        )
    return u, sweeps, solved


def _start_from(
    level: Coarser,
    coarse: Singles,
    histograms: Singles,
    rows: IntArray,
    cols: IntArray,
    v: SingleArray,
    tol: float,
    rates: dict[str, Any],
) -> None:
    """Overwrite v by what the solution of a coarser ground makes of it, where it has one."""
    fine = histograms.panels
    # A potential is omega log y and something smooth, of which one of the points taken together knows enough.
    omega = np.float32(rates["rho"] / (rates["rho"] + rates["epsilon"]))
    smooth = level.together(np.maximum, fine.trimmed(v - omega * histograms.logmass[cols]))
    logmass = coarse.logmass[cols]
    start = np.where(logmass > 0.1 * _NONE, coarse.panels.padded(smooth, 0.0) + omega * logmass, np.float32(_NONE))
    u, _, solved = _descend(coarse, rows, cols, start, max(tol, _COARSE), rates)
    better = v[solved]
    _sinkhorn_single.refine(
        level.axes,
        coarse.panels.sides,
        fine.sides,
        u[solved],
        histograms.mass,
        histograms.logmass,
        cols[solved],
        better,
        epsilon=rates["epsilon"],
        rho=rates["rho"],
    )
    v[solved] = better
