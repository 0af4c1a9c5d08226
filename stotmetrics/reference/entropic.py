"""Entropic transport by Newton's method on its dual.

``D(f, g) = <a, f> + <b, g> - epsilon * sum_ij a_i b_j exp((f_i + g_j - C_ij) / epsilon) + epsilon``; its plan is
``P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from .coupling import coupling_near
from .interface import FloatArray

# L1 error of the marginals at which Newton's method ends: what rounding leaves of them.
MARGINAL_TOL = 1e-14


@dataclass(frozen=True)
class EntropicTransport:
    """``min_P <C, P> + epsilon KL(P | a b')`` over the couplings P of (a, b), for a cost C from zero up."""

    C: FloatArray
    a: FloatArray
    b: FloatArray

    def potentials(self, epsilon: float, steps: int = 100) -> tuple[FloatArray, FloatArray]:
        """Follow the maximiser in (f, g) while the regularisation shrinks from the scale of the costs."""
        f, g = np.zeros(len(self.a)), np.zeros(len(self.b))
        stage = max(epsilon, float(self.C.max()))
        before = stage, g
        while True:
            f, g = self.sweep(g, stage)
            for _ in range(steps):
                moved = self.newton(f, g, stage)
                if moved is None:
                    break
                f, g = moved
            if stage == epsilon:
                return f, g
            # Potentials tend to straight lines in the regularisation as it vanishes.
            (last, h), before = before, (stage, g)
            stage = max(epsilon, stage / 4.0)
            if last > before[0]:
                g = g + (before[0] - stage) / (last - before[0]) * (g - h)

    def plan(self, f: FloatArray, g: FloatArray, epsilon: float) -> FloatArray:
        """The plan of the potentials; its marginals are (a, b) only at the maximum."""
        mass = self.a[:, None] * self.b
        # Between two atoms without mass the exponent may be anything.
        exponent = np.where(mass > 0, (f[:, None] + g - self.C) / epsilon, -np.inf)
        with np.errstate(over="ignore"):
            plan: FloatArray = mass * np.exp(exponent)
        return plan

    def coupling(self, f: FloatArray, g: FloatArray, epsilon: float) -> FloatArray:
        """A true coupling near the plan of the potentials."""
        return coupling_near(self.plan(f, g, epsilon), self.a, self.b)

    def dual(self, f: FloatArray, g: FloatArray, epsilon: float) -> float:
        """``D(f, g)``."""
        return float(self.a @ f + self.b @ g - epsilon * self.plan(f, g, epsilon).sum() + epsilon)

    def sweep(self, g: FloatArray, epsilon: float) -> tuple[FloatArray, FloatArray]:
        """Maximise over f, then over g."""
        f = -epsilon * logsumexp((g - self.C) / epsilon, b=self.b, axis=1)
        g = -epsilon * logsumexp((f[:, None] - self.C) / epsilon, b=self.a[:, None], axis=0)
        return f, g

    def newton(self, f: FloatArray, g: FloatArray, epsilon: float) -> tuple[FloatArray, FloatArray] | None:
        """One damped step in (f, g), or None at the maximum."""
        P = self.plan(f, g, epsilon)
        gradient = np.concatenate([self.a - P.sum(1), self.b - P.sum(0)])
        # Of a potential much larger than the regularisation, rounding leaves that much less.
        if np.abs(gradient).sum() <= MARGINAL_TOL * max(1.0, np.abs(f).max() / epsilon, np.abs(g).max() / epsilon):
            return None
        hessian = np.block([[np.diag(P.sum(1)), P], [P.T, np.diag(P.sum(0))]])
        step = epsilon * np.linalg.lstsq(hessian, gradient, rcond=1e-13)[0]
        gain = float(gradient @ step)
        start, size = self.dual(f, g, epsilon), 1.0
        while size > 1e-6:
            to = f + size * step[: len(f)], g + size * step[len(f) :]
            reached = self.dual(*to, epsilon)
            # So close to the maximum the dual changes by less than its rounding, and the full step is safe.
            if reached > start or (0 <= gain < 1e-10 * epsilon and np.isfinite(reached)):
                return to
            size /= 2.0
        return self.sweep(g, epsilon)
