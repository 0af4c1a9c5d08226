"""What an entropic plan is worth: its objective in parts, the dual beside it, and what rounding may have cost."""

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, FloatArray

_EPS = float(np.finfo(np.float64).eps)
# What is left over where rounding alone moves the potentials.
_SETTLED = 1e-13
# Sums of a plan from here on have lost nothing below the range of a double.
_NORMAL = 1e-280
# Sweeps over the plan itself that may bring back what the rounding of its exponents has moved.
_SWEEPS = 20


@dataclass(frozen=True, slots=True)
class Solved:
    """One problem, solved, with the parts of its objective."""

    plan: FloatArray
    logu: FloatArray
    logv: FloatArray
    niter: int
    converged: bool
    err: float
    gap: float
    value: float
    value_linear: float
    value_reg: float
    value_mass: float


@dataclass(frozen=True, slots=True)
class Objective:
    """The masses of one side, and what a plan pays.

    ``level`` was taken out of every cost; ``kl`` says that the plan is compared with a measure: ``reference``, or the
    product of the masses.
    """

    a: FloatArray
    cost: FloatArray
    forbidden: BoolArray
    level: float
    reg: float
    rho_a: float
    rho_b: float
    kl: bool
    reference: FloatArray | None
    stop: float

    @property
    def balanced(self) -> bool:
        """Whether both marginals are kept."""
        return math.isinf(self.rho_a) and math.isinf(self.rho_b)

    @property
    def swaps(self) -> bool:
        """Whether sides change places: the solver makes its first one exact, and lets that one alone be balanced."""
        return math.isinf(self.rho_b) and not self.balanced

    def parts(
        self,
        movable: tuple[FloatArray, FloatArray],
        state: tuple[FloatArray, FloatArray],
        b: FloatArray,
        scaled: FloatArray,
        log_reference: FloatArray | None,
        niter: int,
        converged: bool,
    ) -> Solved:
        """A plan from its potentials ``state``, and what it is worth.

        ``movable`` are the masses that have somewhere to go, b all of one side, ``scaled`` the exponents of the kernel.
        """
        if not (movable[0].any() and movable[1].any()):
            movable = np.zeros_like(movable[0]), np.zeros_like(movable[1])
        u, v = (np.where(mass > 0, w, -np.inf) for mass, w in zip(movable, state, strict=True))
        anywhere = np.outer(movable[0] > 0, movable[1] > 0) & np.isfinite(scaled)
        some = None if anywhere.all() else anywhere
        finite_u, finite_v = (np.where(np.isneginf(w), 0.0, w) for w in (u, v))
        bare = _where(some, scaled)
        exponent = np.add.outer(finite_u, finite_v)
        exponent -= bare
        with np.errstate(under="ignore", over="ignore"):
            plan = _where(some, np.exp(exponent))
        gains = None
        if self.balanced and converged:
            plan, *gains = _settled(plan, self.a, b, max(self.stop, _SETTLED))
            finite_u, finite_v = finite_u + gains[0], finite_v + gains[1]
            u, v = u + gains[0], v + gains[1]
        price, of_rows, of_columns = _where(some, self.cost), plan.sum(axis=1), plan.sum(axis=0)
        mass, room = float(of_rows.sum()), np.empty_like(plan)

        def moved(amounts: FloatArray) -> float:
            """What the plan moves of these, added up in pairs."""
            with np.errstate(under="ignore"):
                return float(np.multiply(plan, amounts, out=room).sum())

        # The logarithms of the plan are its exponents.
        entropy = moved(exponent)
        if self.balanced:
            total = float(self.a.sum())
            if gains is not None:
                entropy += float(of_rows @ gains[0] + of_columns @ gains[1])
        else:
            known = float(self.a.sum() * b.sum()) if self.reference is None else float(self.reference.sum())
            total = known if self.kl else float(plan.size)
            entropy += total - mass
            if log_reference is not None:
                entropy -= moved(_where(some, log_reference))
        sides = (
            _Side(
                self.a,
                finite_u,
                movable[0] > 0,
                of_rows,
                _log_marginal(of_rows, exponent, some, 0),
                self.rho_a,
                self.reg,
            ),
            _Side(
                b,
                finite_v,
                movable[1] > 0,
                of_columns,
                _log_marginal(of_columns, exponent, some, 1),
                self.rho_b,
                self.reg,
            ),
        )
        linear, penalty = moved(price), sides[0].penalty + sides[1].penalty
        parts = (linear, self.reg * entropy, penalty)
        # How far rounding can take the sums: each exponent is off by its terms, each sum by the size of its own.
        size = 4.0 * mass + float(of_rows @ abs(finite_u) + of_columns @ abs(finite_v)) + 2.0 * moved(np.abs(bare))
        noise = 4 * _EPS * (self.reg * (size + total) + (moved(np.abs(price)) if price.min() < 0 else linear))
        noise += 4 * _EPS * (sides[0].size + sides[1].size)
        if math.isfinite(self.rho_a) and math.isfinite(self.rho_b):
            value, gap = sum(parts), sides[0].gap + sides[1].gap
        else:
            # The plan is not quite feasible: the dual is below the optimum whatever the marginals are.
            value = sides[0].dual + sides[1].dual + self.reg * (total - mass)
            gap = self.rounded(plan, b, price, room) - value if self.balanced else sides[0].gap + sides[1].gap
        kept = float(b.sum() if math.isinf(self.rho_b) else self.a.sum())
        value, linear = value + self.level * kept, linear + self.level * mass
        noise += 4 * _EPS * abs(self.level) * kept
        (v if self.swaps else u)[...] += self.level / self.reg
        err = sides[0].off + sides[1].off if self.balanced else max(sides[0].off, sides[1].off)
        if self.balanced:
            # Exponents of costs far above reg are rounded, and the marginals with them.
            converged = bool(converged) and err <= max(self.stop, _SETTLED)
        # All the sweeps that were asked for, and nothing but rounding left over.
        converged = bool(converged) or (self.stop == 0 and err <= _SETTLED)
        return Solved(plan, u, v, niter, converged, err, max(gap, 0.0) + noise, value, linear, *parts[1:])

    def rounded(self, plan: FloatArray, b: FloatArray, price: FloatArray, room: FloatArray) -> float:
        """The objective at a true coupling next to a plan: scaled down to the marginals, the rest spread as a product.

        It is infinite where the rest meets a forbidden entry: then there is no bound. ``room`` is overwritten.
        """
        with np.errstate(under="ignore"):
            shares = np.minimum(1.0, self.a / np.where(self.a > 0, plan.sum(axis=1), 1.0))
            coupling = np.multiply(plan, shares[:, None], out=room)
            sums = coupling.sum(axis=0)
            coupling *= np.minimum(1.0, b / np.where(sums > 0, sums, 1.0))
            left, right = (
                np.maximum(x - s, 0.0) for x, s in ((self.a, coupling.sum(axis=1)), (b, coupling.sum(axis=0)))
            )
            if right.sum() > 0:
                coupling += np.multiply.outer(left, right / right.sum())
        if self.forbidden.any() and (coupling[self.forbidden] > 4 * _EPS * self.a.sum()).any():
            return math.inf
        logs = np.where(coupling > 0, coupling, 1.0)
        np.log(logs, out=logs)
        logs *= self.reg
        logs += price
        with np.errstate(under="ignore"):
            logs *= coupling
        return float(logs.sum())


def _settled(plan: FloatArray, a: FloatArray, b: FloatArray, off: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A plan with marginals right to ``off``, and the logarithms of what its rows and columns gained.

    The rounding of exponents moves marginals; plain sweeps over the entries bring them back.
    """
    rows, columns = np.zeros(len(a)), np.zeros(len(b))
    for _ in range(_SWEEPS):
        of_rows, of_columns = plan.sum(axis=1), plan.sum(axis=0)
        if abs(of_rows - a).sum() + abs(of_columns - b).sum() <= off * a.sum():
            break
        gain = np.where((a > 0) & (of_rows > 0), a / np.where(of_rows > 0, of_rows, 1.0), 1.0)
        plan = plan * gain[:, None]
        rows += np.log(gain)
        of_columns = plan.sum(axis=0)
        gain = np.where((b > 0) & (of_columns > 0), b / np.where(of_columns > 0, of_columns, 1.0), 1.0)
        plan = plan * gain
        columns += np.log(gain)
    return plan, rows, columns


class _Side:
    """What one marginal of a plan says: its penalty, its share of the dual, of the gap, and of the error."""

    def __init__(
        self,
        mass: FloatArray,
        w: FloatArray,
        some: BoolArray,
        marginal: FloatArray,
        log_marginal: FloatArray,
        rho: float,
        reg: float,
    ) -> None:
        if math.isinf(rho):
            self.penalty, self.dual = 0.0, reg * float(mass @ w)
            self.size, self.gap = reg * float(mass @ abs(w)), 0.0
            missed, total = float(abs(marginal - mass).sum()), float(mass.sum())
            self.off = missed / total if total > 0 else 0.0
            return
        self.penalty = rho * _kl(marginal, mass)
        # What had nowhere to go pays in full, as if its potential were infinite.
        paid = np.where(some, -np.expm1(-w * (reg / rho)), 1.0)
        with np.errstate(under="ignore"):
            target = np.where(some, mass * np.exp(-w * (reg / rho)), 0.0)
        self.dual, self.gap = rho * float(mass @ paid), rho * _kl(marginal, target)
        self.size = rho * float((mass + marginal + target).sum() + mass @ abs(paid))
        # Of logarithms: early on both may lie below the range of a double. No sweep moves a row without entries.
        kept = some & np.isfinite(log_marginal)
        missed_by = log_marginal[kept] - (np.log(mass[kept]) - w[kept] * (reg / rho))
        self.off = float(abs(missed_by).max(initial=0.0))


def _where(some: BoolArray | None, numbers: FloatArray) -> FloatArray:
    """The numbers where there is anything, which None says of all, and 0 elsewhere."""
    return numbers if some is None else np.where(some, numbers, 0.0)


def _log_marginal(marginal: FloatArray, exponent: FloatArray, some: BoolArray | None, axis: int) -> FloatArray:
    """Logarithms of the marginal of a plan, -inf of nothing; from its exponents where it leaves the normal numbers."""
    normal = marginal > _NORMAL
    logs = np.log(np.where(normal, marginal, 1.0))
    for k in np.flatnonzero(~normal):
        at = (k, slice(None)) if axis == 0 else (slice(None), k)
        line = exponent[at] if some is None else exponent[at][some[at]]
        with np.errstate(under="ignore"):
            logs[k] = np.logaddexp.reduce(line) if len(line) else -np.inf
    return logs


def _kl(a: FloatArray, b: FloatArray) -> float:
    """KL(a | b); where b is 0, so is a but for rounding."""
    safe = np.where(b > 0, b, 1.0)
    with np.errstate(under="ignore"):
        return float((_x_log_y(a, np.where(b > 0, a, 1.0) / safe) - a + b).sum())


def _x_log_y(x: FloatArray, y: FloatArray) -> FloatArray:
    """``x log y``, and 0 where y is 0. SciPy's function takes longer to import than a distance may take."""
    return np.asarray(x * np.log(np.where(y > 0, y, 1.0)))
