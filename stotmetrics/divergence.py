"""Sinkhorn divergences between the frames of two series: self terms once per series, all cross terms in one batch.

Values here leave out the constant ``epsilon * sum(K)`` of W, which cancels in the divergence. An error is a certified
bound: half the distance between a dual and a primal value, of which the value is the middle.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .kernels import _sinkhorn
from .result import BoolArray, FloatArray, IntArray

# Columns of one product: enough for BLAS to run at speed, few enough for the iterates to stay in the cache.
_COLUMNS = 128
# Beyond this cost / epsilon a kernel underflows, and the solution is approached from larger epsilon.
_STEEP = 500.0
_STEP = 4.0


@dataclass(frozen=True, slots=True)
class Problem:
    """A ground cost with its regularisation: what all problems of one metric share.

    ``costs`` holds one matrix, or one symmetric matrix per axis of a grid; ``tol`` bounds the error of each value W.
    """

    costs: tuple[FloatArray, ...]
    epsilon: float
    rho: float
    tol: float
    max_iter: int
    kernels: tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]
    depth: int = 5
    spread: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spread", float(sum(cost.max() - cost.min() for cost in self.costs)))

    @property
    def constants(self) -> dict[str, Any]:
        """What a certificate needs to know."""
        return {"epsilon": self.epsilon, "rho": self.rho, "spread": self.spread}

    @property
    def limits(self) -> dict[str, Any]:
        """What an iteration needs to know."""
        return {**self.constants, "tol": self.tol, "max_iter": self.max_iter, "depth": self.depth}

    def path(self, mass: float) -> "Iterator[Problem]":
        """Problems of falling epsilon that lead to a steep one; nothing where the kernel is harmless."""
        epsilon, stages = self.epsilon * _STEP, []
        while self.spread / epsilon > _STEEP / 5 and self.spread / self.epsilon > _STEEP:
            stages.append(epsilon)
            epsilon *= _STEP
        for epsilon in reversed(stages):
            costs = tuple(cost / epsilon for cost in self.costs)
            kernels = tuple(np.exp(-cost) for cost in costs), costs
            loose = max(self.tol, 0.01 * epsilon * mass)
            yield replace(self, epsilon=epsilon, kernels=kernels, tol=loose, max_iter=min(100, self.max_iter))


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one series with the solutions of their symmetric problems.

    ``leader[i]`` is an earlier frame whose solution is good enough for frame i, or i itself.
    """

    mass: FloatArray
    logmass: FloatArray
    u: FloatArray
    logku: FloatArray
    value: FloatArray
    error: FloatArray
    sweeps: IntArray
    converged: BoolArray
    leader: IntArray

    @property
    def total(self) -> FloatArray:
        """Mass of each frame."""
        return self.mass.sum(axis=1)


@dataclass(frozen=True, slots=True)
class Cross:
    """The solutions of all problems (x_i, y_j), each array of leading shape (n, m)."""

    value: FloatArray
    error: FloatArray
    sweeps: IntArray
    converged: BoolArray
    u: FloatArray
    v: FloatArray


def self_terms(problem: Problem, mass: FloatArray, u: FloatArray | None = None) -> Frames:
    """Solve (x_i, x_i) for every frame, from the potentials ``u`` (in units of epsilon) if they are known."""
    logmass = _sinkhorn.log_mass(mass)
    u = _blank(logmass) if u is None else u.copy()
    for stage in problem.path(float(mass.sum(axis=1).max())):
        u = _symmetric(stage, mass, logmass, u)[0] * (stage.epsilon / max(stage.epsilon / _STEP, problem.epsilon))
        u = _masked(u, logmass)
    u, logku, dual, gap, sweeps, converged = _symmetric(problem, mass, logmass, u)
    everyone = np.arange(len(mass))
    frames = Frames(mass, logmass, u, logku, dual + gap / 2, gap / 2, sweeps, converged, everyone)
    return replace(frames, leader=_leaders(problem, frames))


def cross_terms(problem: Problem, x: Frames, y: Frames) -> Cross:
    """Solve (x_i, y_j) for every i and j.

    Leaders are solved first. The potentials of two leaders are tried on the frames they stand for: a certificate costs
    no product with the kernel, and where it holds nothing is left to do.
    """
    n, m, size = len(x.mass), len(y.mass), (x.mass.shape[1], y.mass.shape[1])
    u, logku = np.empty((n * m, size[0])), np.empty((n * m, size[1]))
    v, logkv = np.empty((n * m, size[1])), np.empty((n * m, size[0]))
    value, error = np.empty(n * m), np.empty(n * m)
    sweeps, converged = np.zeros(n * m, dtype=np.intp), np.ones(n * m, dtype=np.bool_)
    every = np.arange(n * m, dtype=np.intp)
    rows, cols = np.divmod(every, m)
    lead = x.leader[rows] * m + y.leader[cols]

    def settle(which: IntArray, start: FloatArray) -> None:
        for k in range(0, len(which), _COLUMNS):
            part = which[k : k + _COLUMNS]
            sides = (x.mass, x.logmass, y.mass, y.logmass, rows[part], cols[part])
            found = solve_batch(problem, *sides, start[k : k + _COLUMNS])
            u[part], v[part], logku[part], logkv[part], dual, gap, sweeps[part], converged[part] = found
            value[part], error[part] = dual + gap / 2, gap / 2

    first = np.flatnonzero(lead == every)
    settle(first, y.u[cols[first]])
    others = np.flatnonzero(lead != every)
    if len(others):
        state: Any = (u, logku, lead[others], v, logkv, lead[others])
        dual, gap = _sinkhorn.certify(
            x.mass, x.logmass, y.mass, y.logmass, rows[others], cols[others], *state, **problem.constants
        )
        value[others], error[others] = dual + gap / 2, gap / 2
        u[others], v[others] = u[lead[others]], v[lead[others]]
        late = others[~(error[others] <= problem.tol)]
        settle(late, v[late])
    shape = (n, m)
    return Cross(
        value.reshape(shape),
        error.reshape(shape),
        sweeps.reshape(shape),
        converged.reshape(shape),
        u.reshape(*shape, -1),
        v.reshape(*shape, -1),
    )


def divergence(x: Frames, y: Frames, cross: Cross, *, positive: bool) -> tuple[FloatArray, FloatArray]:
    """The matrix ``S(x_i, y_j)`` and a certified bound on its error.

    Equal frames are at distance 0, exactly. ``positive`` says that K is positive semi-definite: then S is not negative.
    """
    value = cross.value - 0.5 * (x.value[:, None] + y.value[None, :])
    error = cross.error + 0.5 * (x.error[:, None] + y.error[None, :])
    if positive:
        value = np.maximum(value, 0.0)
    for i, j in np.argwhere(x.total[:, None] == y.total[None, :]):
        if np.array_equal(x.mass[i], y.mass[j]):
            value[i, j] = error[i, j] = 0.0
    return value, error


def solve_batch(
    problem: Problem,
    x: FloatArray,
    logx: FloatArray,
    y: FloatArray,
    logy: FloatArray,
    rows: IntArray,
    cols: IntArray,
    v: FloatArray,
) -> tuple[Any, ...]:
    """Solve (x[rows[k]], y[cols[k]]) from the potentials v[k]: see the kernel for what it returns."""
    sides = (x, logx, y, logy, rows, cols)
    v = _masked(v, logy[cols])
    for stage in problem.path(float(max(x.sum(axis=1).max(), y.sum(axis=1).max()))):
        v = _solve(stage, *sides, v)[1]
        v = _masked(v * (stage.epsilon / max(stage.epsilon / _STEP, problem.epsilon)), logy[cols])
    return _solve(problem, *sides, v)


def _solve(problem: Problem, *sides: Any) -> tuple[Any, ...]:
    kernels, costs = problem.kernels
    return _sinkhorn.solve(kernels, costs, *sides, **problem.limits)


def _symmetric(problem: Problem, mass: FloatArray, logmass: FloatArray, u: FloatArray) -> tuple[Any, ...]:
    return _sinkhorn.solve_symmetric(*problem.kernels, mass, logmass, u, **problem.limits)


def _blank(logmass: FloatArray) -> FloatArray:
    return np.where(logmass > _sinkhorn.log_mass(np.zeros(1)), 0.0, logmass)


def _masked(v: FloatArray, logmass: FloatArray) -> FloatArray:
    """A fresh copy of potentials in which points without mass have none."""
    none = _sinkhorn.log_mass(np.zeros(1))
    return np.where(logmass > none, np.where(v > 0.1 * none, v, 0.0), none)


def _leaders(problem: Problem, frames: Frames) -> IntArray:
    """For each frame the most recent leader whose potentials certify it, or itself."""
    found = np.arange(len(frames.mass), dtype=np.intp)
    recent: list[int] = []
    for i in range(len(frames.mass)):
        candidates = np.array(recent, dtype=np.intp)
        here = np.full(len(candidates), i, dtype=np.intp)
        sides: Any = (frames.mass, frames.logmass, frames.mass, frames.logmass, here, here)
        state: Any = (frames.u, frames.logku, candidates, frames.u, frames.logku, candidates)
        _, gap = _sinkhorn.certify(*sides, *state, **problem.constants)
        good = np.flatnonzero(gap <= problem.tol)
        if len(good):
            found[i] = candidates[good[0]]
            recent.remove(int(found[i]))
        recent = [int(found[i]), *recent][:16]
    return found
