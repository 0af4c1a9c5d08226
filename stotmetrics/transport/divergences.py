"""Sinkhorn divergences between the frames of two series: self terms once per series, all cross terms in one batch.

Values here leave out the constant ``epsilon * sum(K)`` of W, which cancels in the divergence. An error is a certified
bound: half the distance between a dual and a primal value, of which the value is the middle.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..kernels import _sinkhorn
from .panels import Panels
from .single_precision import Singles, approach

# Columns of one product: enough for BLAS to run at speed, few enough for the iterates to stay in the cache.
_COLUMNS = 128
# On a grid the matrices are small: as many columns as stay in the cache with all that is remembered of them.
_CACHED = 2**14
# Points of the problems that potentials are found for in single precision at once.
_PREPARED = 2**18
# Beyond this cost / epsilon a kernel underflows, and the solution is approached from larger epsilon.
_STEEP = 500.0
_STEP = 4.0
_POLISH = 10
# The kernels' stand-in for the logarithm of no mass.
_NONE = float(_sinkhorn.log_mass(np.zeros(1))[0])


@dataclass(frozen=True, slots=True)
class Problem:
    """A ground cost with its regularisation: what all problems of one metric share.

    ``costs`` holds one matrix, or one symmetric matrix per axis of a grid; ``tol`` bounds the error of each W as a
    part of the larger of its two masses, and ``stop`` what the last sweep left over (see the kernel).
    ``rho`` is the penalty of both sides, or of the first where ``rho_y`` is given; only the first may then be infinite.
    ``panels`` is the kernel in single precision, where potentials may be found in it first; ``rho`` is finite then.
    ``raised`` is by how much epsilon is larger than what was asked for.
    ``follow`` lets a frame take the potentials of another that certify its value; else only equal frames share them.
    """

    costs: tuple[FloatArray, ...]
    epsilon: float
    rho: float
    tol: float
    max_iter: int
    kernels: tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]
    depth: int = 5
    symmetric: bool = True
    follow: bool = True
    stop: float = math.inf
    rho_y: float | None = None
    panels: Panels | None = None
    raised: float = 0.0
    spread: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spread", float(sum(map(spread, self.costs))))

    @property
    def nbytes(self) -> int:
        """Bytes of the kernels, in both precisions."""
        kernels = sum(matrix.nbytes for matrices in self.kernels for matrix in matrices)
        return kernels + (self.panels.nbytes if self.panels is not None else 0)

    @property
    def constants(self) -> dict[str, Any]:
        """What a certificate needs to know."""
        return {"epsilon": self.epsilon, "rho": self.rho, "spread": self.spread}

    @property
    def limits(self) -> dict[str, Any]:
        """What an iteration needs to know."""
        return {
            **self.constants,
            "tol": self.tol,
            "stop": self.stop,
            "max_iter": self.max_iter,
            "depth": self.depth,
            "symmetric": self.symmetric,
        }

    def leading(self) -> "Problem":
        """Twice as strict: what is left of the tolerance is for the frames that follow a leader."""
        return replace(self, tol=0.5 * self.tol)

    def allowed(self, *masses: FloatArray) -> FloatArray:
        """The error that each value may have."""
        return np.asarray(self.tol * reduce(np.maximum, masses))

    def certain(
        self, dual: FloatArray, gap: FloatArray, left: FloatArray, right: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Values and errors of a dual and its gap, and what holds whatever the potentials: where those overflow.

        At potentials of zero the dual is ``-epsilon sum(K)``, and to move nothing costs ``rho`` times both masses.
        """
        lost = ~np.isfinite(dual + gap)
        if lost.any() and math.isfinite(self.rho):
            low = -self.epsilon * math.prod(float(kernel.sum()) for kernel in self.kernels[0])
            dual = np.where(lost, low, dual)
            gap = np.where(lost, self.rho * (left + right) - low, gap)
        error = gap / 2
        if self.raised > 0:
            error = error + self.raised * self._most_entropy(np.maximum(left, right))
        return dual + gap / 2, error

    def _most_entropy(self, mass: FloatArray) -> FloatArray:
        """The most that ``sum(P log P - P)`` can be, in size, for plans of so much mass."""
        entries = sum(math.log(cost.size) for cost in self.costs)
        return mass * (1.0 + entries + np.abs(np.log(np.where(mass > 0, mass, 1.0))))

    def path(self) -> "Iterator[tuple[Problem, float]]":
        """Problems of falling epsilon that lead to a steep one; nothing where the kernel is harmless.

        With each comes the factor that takes its potentials, in units of its epsilon, to those of the next.
        """
        epsilon, stages = self.epsilon * _STEP, []
        while self.spread / epsilon > _STEEP / 5 and self.spread / self.epsilon > _STEEP:
            stages.append(epsilon)
            epsilon *= _STEP
        for epsilon in reversed(stages):
            costs = tuple(cost / epsilon for cost in self.costs)
            kernels = tuple(np.exp(-cost) for cost in costs), costs
            # On the way the value alone counts, whatever the last sweep is to leave over.
            loose = max(self.tol if math.isfinite(self.tol) else 0.0, 0.01 * epsilon)
            limits: Any = {"tol": loose, "stop": math.inf, "max_iter": min(100, self.max_iter), "panels": None}
            stage = replace(self, epsilon=epsilon, kernels=kernels, **limits)
            yield stage, epsilon / max(epsilon / _STEP, self.epsilon)


def spread(cost: FloatArray) -> float:
    """Between the least and the largest cost that is not forbidden."""
    low, high = float(cost.min()), float(cost.max())
    return high - low if math.isfinite(high) else float(np.ptp(cost[np.isfinite(cost)]))


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one series with the solutions of their symmetric problems.

    ``leader[i]`` is an earlier frame whose solution is good enough for frame i, or i itself; equal frames have equal
    ``digest``.
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
    digest: IntArray

    @property
    def total(self) -> FloatArray:
        """Mass of each frame."""
        return self.mass.sum(axis=1)


@dataclass(frozen=True, slots=True)
class Cross:
    """The solutions of all problems (x_i, y_j): arrays (n, m); the potentials of (i, j) are at ``state[i, j]``."""

    value: FloatArray
    error: FloatArray
    sweeps: IntArray
    converged: BoolArray
    state: IntArray
    u: FloatArray
    v: FloatArray


def self_terms(problem: Problem, mass: FloatArray, u: FloatArray | None = None) -> Frames:
    """Solve (x_i, x_i) for every frame, from the potentials ``u`` (in units of epsilon) if they are known."""
    logmass = _sinkhorn.log_mass(mass)
    u = _masked(np.zeros(mass.shape), logmass) if u is None else u.copy()
    for stage, factor in problem.path():
        u = _masked(_symmetric(stage, mass, logmass, u)[0] * factor, logmass)
    u, logku, dual, gap, sweeps, converged = _symmetric(problem.leading(), mass, logmass, u)
    everyone = np.arange(len(mass), dtype=np.intp)
    digests = [hashlib.blake2b(frame.tobytes(), digest_size=8).digest() for frame in mass]
    digest = np.frombuffer(b"".join(digests), dtype=np.int64)
    total = mass.sum(axis=1)
    value, error = problem.certain(dual, gap, total, total)
    frames = Frames(mass, logmass, u, logku, value, error, sweeps, converged, everyone, digest)
    return replace(frames, leader=_leaders(problem, frames))


def cross_terms(problem: Problem, x: Frames, y: Frames, *, potentials: bool = True) -> Cross:
    """Solve (x_i, y_j) for every i and j; without ``potentials`` the result may have none.

    Leaders are solved first. The potentials of two leaders are tried on the frames they stand for: a certificate costs
    no product with the kernel, and where it holds nothing is left to do.
    """
    n, m = len(x.mass), len(y.mass)
    rows, cols = np.divmod(np.arange(n * m, dtype=np.intp), m)
    lead = x.leader[rows] * m + y.leader[cols]
    first = np.flatnonzero(lead == np.arange(n * m))
    others = np.flatnonzero(lead != np.arange(n * m))
    state, value, error = np.empty(n * m, dtype=np.intp), np.empty(n * m), np.empty(n * m)
    allowed = problem.allowed(x.total[rows], y.total[cols])
    sweeps, converged = np.zeros(n * m, dtype=np.intp), np.ones(n * m, dtype=np.bool_)
    keep = potentials or len(others) > 0
    u, v, logku, logkv, dual, gap, sweeps[first], converged[first] = _solve_pairs(
        problem.leading(), x, y, rows[first], cols[first], (x.u, y.u), (rows[first], cols[first]), keep=keep
    )
    value[first], error[first] = problem.certain(dual, gap, x.total[rows[first]], y.total[cols[first]])
    state[first] = np.arange(len(first))
    if len(others):
        known = state[others] = state[lead[others]]
        sides: Any = (x.mass, x.logmass, y.mass, y.logmass, rows[others], cols[others])
        states: Any = (u, logku, known, v, logkv, known)
        dual, gap = _sinkhorn.certify(*sides, *states, **problem.constants)
        value[others], error[others] = problem.certain(dual, gap, x.total[rows[others]], y.total[cols[others]])
        late = others[~(error[others] <= allowed[others])]
        if len(late):
            late_u, late_v, _, _, dual, gap, sweeps[late], converged[late] = _solve_pairs(
                problem, x, y, rows[late], cols[late], (u, v), (state[late], state[late])
            )
            late_value, late_error = problem.certain(dual, gap, x.total[rows[late]], y.total[cols[late]])
            # Where the sweeps ran out on the way down from a larger epsilon, a leader may have known better.
            better = late_error <= error[late]
            value[late[better]], error[late[better]] = late_value[better], late_error[better]
            state[late[better]] = len(u) + np.arange(int(better.sum()))
            u, v = np.concatenate([u, late_u[better]]), np.concatenate([v, late_v[better]])
    # A leader that missed its stricter goal may have reached the one that counts.
    converged |= error <= allowed
    table = (n, m)
    return Cross(
        value.reshape(table),
        error.reshape(table),
        sweeps.reshape(table),
        converged.reshape(table),
        state.reshape(table),
        u,
        v,
    )


def polish(problem: Problem, x: Frames, y: Frames, cross: Cross) -> tuple[FloatArray, FloatArray, Cross]:
    """A few sweeps beyond the certificate: potentials of x, of y, and of their cross terms.

    A gap is quadratic in the error of the potentials, so that rounding hides the last half of their digits from it.
    """
    more = replace(problem, tol=0.0, max_iter=_POLISH)
    own_x, own_y = (_symmetric(more, side.mass, side.logmass, side.u.copy())[0] for side in (x, y))
    _, first = np.unique(cross.state, return_index=True)
    rows, cols = (index.astype(np.intp) for index in np.divmod(first, cross.state.shape[1]))
    u, v = _in_parts(more, (x.mass, x.logmass, y.mass, y.logmass), rows, cols, cross.v)[:2]
    return own_x, own_y, replace(cross, u=u, v=v)


def _solve_pairs(
    problem: Problem,
    x: Frames,
    y: Frames,
    rows: IntArray,
    cols: IntArray,
    known: tuple[FloatArray, FloatArray],
    at: Any,
    *,
    keep: bool = True,
) -> tuple[Any, ...]:
    """Solve (x[rows[k]], y[cols[k]]) from the potentials (u[at[0][k]], v[at[1][k]]) that are ``known``.

    One side of them is enough. The heavier frame takes the place of y, whose potentials are iterated: the way from a
    light one's is up to twice as long. ``keep``: the potentials, and the logarithms of their products.
    """
    mass, logmass = np.concatenate([x.mass, y.mass]), np.concatenate([x.logmass, y.logmass])
    sides = (mass, logmass, mass, logmass)
    singles = None if problem.panels is None else Singles.of(problem.panels, mass, logmass)
    batches = []
    for part in _parts(len(rows), _columns(problem) if singles is None else _prepared(problem)):
        here, there = rows[part], cols[part] + len(x.mass)
        swapped = x.total[rows[part]] > y.total[cols[part]]
        light, heavy = np.where(swapped, there, here), np.where(swapped, here, there)
        start = np.where(swapped[:, None], known[0][at[0][part]], known[1][at[1][part]])
        solution = (
            _kept(_solve_batch(problem, sides, light, heavy, start), keep)
            if singles is None
            else _solve_in_both(problem, singles, sides, light, heavy, start, keep)
        )
        if keep:
            for first in (0, 2):
                ours, theirs = solution[first : first + 2]
                ours[swapped], theirs[swapped] = theirs[swapped], ours[swapped]
        batches.append(solution)
    return _joined(batches)


def _solve_in_both(
    problem: Problem, singles: Singles, sides: Any, rows: IntArray, cols: IntArray, v: FloatArray, keep: bool
) -> tuple[Any, ...]:
    """Solve in single precision as far as that goes, and finish in double."""
    start = _masked(v, sides[3][cols])
    better, sweeps, near = approach(
        singles,
        rows,
        cols,
        start,
        epsilon=problem.epsilon,
        rho=problem.rho,
        tol=problem.tol,
        max_iter=problem.max_iter,
        depth=problem.depth,
    )
    # What single precision gave up is no better a start than the potentials that a larger epsilon leads to: they save
    # two thirds of the sweeps.
    near &= (singles.total[rows] > 0) & (singles.total[cols] > 0)
    left = replace(problem, max_iter=problem.max_iter - int(sweeps.max(initial=0)))
    if near.all():
        solution = _in_parts(left, sides, rows, cols, better, near=True, keep=keep)
        return (*solution[:6], solution[6] + sweeps, solution[7])
    groups = [group for group in (np.flatnonzero(near), np.flatnonzero(~near)) if len(group)]
    starts = np.where(near[:, None], better, start)
    parts = [
        _in_parts(left, sides, rows[group], cols[group], starts[group], near=bool(near[group[0]]), keep=keep)
        for group in groups
    ]
    back = np.argsort(np.concatenate(groups), kind="stable")
    solution = tuple(array[back] if len(array) else array for array in _joined(parts))
    return (*solution[:6], solution[6] + sweeps, solution[7])


def _in_parts(
    problem: Problem,
    sides: Any,
    rows: IntArray,
    cols: IntArray,
    v: FloatArray,
    *,
    near: bool = False,
    keep: bool = True,
) -> tuple[Any, ...]:
    """``_solve_batch`` a few columns at a time."""
    parts = _parts(len(rows), _columns(problem))
    return _joined([_kept(_solve_batch(problem, sides, rows[k], cols[k], v[k], near=near), keep) for k in parts])


def _parts(count: int, step: int) -> list[slice]:
    return [slice(k, k + step) for k in range(0, max(count, 1), step)]


def _joined(batches: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    return batches[0] if len(batches) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


def _kept(solution: tuple[Any, ...], keep: bool) -> tuple[Any, ...]:
    """A solution, or what is left of it without its potentials."""
    return solution if keep else (*(array[:0] for array in solution[:4]), *solution[4:])


def _columns(problem: Problem) -> int:
    return _COLUMNS if len(problem.costs) == 1 else max(1, _CACHED // _points(problem))


def _prepared(problem: Problem) -> int:
    """Problems that single precision takes on at once: on coarse grounds many of them stay in the cache."""
    return max(_columns(problem), _PREPARED // _points(problem))


def _points(problem: Problem) -> int:
    return math.prod(len(cost) for cost in problem.costs)


def divergence(x: Frames, y: Frames, cross: Cross, *, positive: bool) -> tuple[FloatArray, FloatArray]:
    """The matrix ``S(x_i, y_j)`` and a certified bound on its error.

    Equal frames are at distance 0, exactly. ``positive`` says that K is positive semi-definite: then S is not negative.
    """
    value = cross.value - 0.5 * (x.value[:, None] + y.value[None, :])
    error = cross.error + 0.5 * (x.error[:, None] + y.error[None, :])
    if positive:
        value = np.maximum(value, 0.0)
    equal = x.digest[:, None] == y.digest[None, :]
    value[equal] = error[equal] = 0.0
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
    return _solve_batch(problem, (x, logx, y, logy), rows, cols, v)


def _solve_batch(
    problem: Problem, sides: Any, rows: IntArray, cols: IntArray, v: FloatArray, *, near: bool = False
) -> tuple[Any, ...]:
    """``near`` says that v is close to the solution, so that no larger epsilon need lead to it."""
    logy = sides[3][cols]
    v = _masked(v, logy)
    for stage, factor in () if near else problem.path():
        v = _masked(_solve(stage, *sides, rows, cols, v)[1] * factor, logy)
    return _solve(problem, *sides, rows, cols, v)


def _solve(problem: Problem, *sides: Any) -> tuple[Any, ...]:
    kernels, costs = problem.kernels
    return _sinkhorn.solve(kernels, costs, *sides, **problem.limits, rho_y=problem.rho_y)


def _symmetric(problem: Problem, mass: FloatArray, logmass: FloatArray, u: FloatArray) -> tuple[Any, ...]:
    return _sinkhorn.solve_symmetric(*problem.kernels, mass, logmass, u, **problem.limits)


def _masked(v: FloatArray, logmass: FloatArray) -> FloatArray:
    """A fresh copy of potentials in which points without mass have none."""
    return np.where(logmass > _NONE, np.where(v > 0.1 * _NONE, v, 0.0), _NONE)


def _leaders(problem: Problem, frames: Frames) -> IntArray:
    """For each frame the most recent leader whose potentials certify it, or itself."""
    if not problem.follow:
        _, first, inverse = np.unique(frames.digest, return_index=True, return_inverse=True)
        return np.asarray(first[inverse], dtype=np.intp)
    leaders = np.arange(len(frames.mass), dtype=np.intp)
    allowed = problem.allowed(frames.total)
    recent: list[int] = []
    for i in range(len(frames.mass)):
        candidates = np.array(recent, dtype=np.intp)
        here = np.full(len(candidates), i, dtype=np.intp)
        sides: Any = (frames.mass, frames.logmass, frames.mass, frames.logmass, here, here)
        state: Any = (frames.u, frames.logku, candidates, frames.u, frames.logku, candidates)
        _, gap = _sinkhorn.certify(*sides, *state, **problem.constants)
        good = np.flatnonzero(0.5 * gap <= allowed[i])
        if len(good):
            leaders[i] = candidates[good[0]]
            recent.remove(int(leaders[i]))
        recent = [int(leaders[i]), *recent][:16]
    return leaders
