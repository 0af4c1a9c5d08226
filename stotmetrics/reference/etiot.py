"""Entropic TiOT by bisection over w, and by Newton's method on the dual in (f, g) at each w.

``D(f, g, w) = <a, f> + <b, g> - epsilon * sum_ij a_i b_j exp((f_i + g_j - C_ij) / epsilon) + epsilon`` with
``C = B + w (A - B)``; its plan is ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from ..clouds import cost_matrices, prepare_cloud
from ..result import FloatArray
from ..series import Series


def reference_etiot(x: Series, y: Series, epsilon: float, p: float, standardize: bool, root: bool) -> float:
    """The value of entropic TiOT between two series, ``<C_w, P>`` at the saddle point."""
    cx, cy = prepare_cloud(x, standardize), prepare_cloud(y, standardize)
    A, B = cost_matrices(cx, cy, p)
    value = EntropicProblem(A, B, cx.weights, cy.weights).solve(epsilon).value
    return value ** (1.0 / p) if root else value


@dataclass(frozen=True)
class Saddle:
    """The saddle point of an entropic problem."""

    value: float
    objective: float
    gap: float
    w: float
    f: FloatArray
    g: FloatArray
    plan: FloatArray


@dataclass(frozen=True)
class EntropicProblem:
    """``max_w min_P <C_w, P> + epsilon KL(P | a b')`` over w in [0, 1] and the couplings P of (a, b)."""

    A: FloatArray
    B: FloatArray
    a: FloatArray
    b: FloatArray

    def solve(self, epsilon: float) -> Saddle:
        """Bisect the slope of the concave g(w), which falls with w."""

        def slope(w: float) -> float:
            return float(((self.A - self.B) * self.plan(*self.potentials(w, epsilon), w, epsilon)).sum())

        if slope(0.0) <= 0:
            w = 0.0
        elif slope(1.0) >= 0:
            w = 1.0
        else:
            w = float(brentq(slope, 0.0, 1.0, xtol=1e-15, rtol=1e-14))
        return self.saddle(*self.potentials(w, epsilon), w, epsilon)

    def potentials(self, w: float, epsilon: float, steps: int = 300) -> tuple[FloatArray, FloatArray]:
        """Follow the maximiser in (f, g) while the regularisation shrinks from the scale of the costs."""
        f, g = np.zeros(len(self.a)), np.zeros(len(self.b))
        stage = max(epsilon, float(self.cost(w).max()))
        while True:
            f, g = self.sweep(g, w, stage)
            for _ in range(steps):
                moved = self.newton(f, g, w, stage)
                if moved is None:
                    break
                f, g = moved
            if stage == epsilon:
                return f, g
            stage = max(epsilon, stage / 4.0)

    def cost(self, w: float) -> FloatArray:
        """``C_w``."""
        return w * self.A + (1.0 - w) * self.B

    def plan(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> FloatArray:
        """The plan of the potentials; its marginals are (a, b) only at the maximum."""
        with np.errstate(over="ignore"):
            plan: FloatArray = self.a[:, None] * self.b * np.exp((f[:, None] + g - self.cost(w)) / epsilon)
        return plan

    def dual(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> float:
        """``D(f, g, w)``."""
        return float(self.a @ f + self.b @ g - epsilon * self.plan(f, g, w, epsilon).sum() + epsilon)

    def sweep(self, g: FloatArray, w: float, epsilon: float) -> tuple[FloatArray, FloatArray]:
        """Maximise over f, then over g."""
        C = self.cost(w)
        f = -epsilon * logsumexp((g - C) / epsilon, b=self.b, axis=1)
        g = -epsilon * logsumexp((f[:, None] - C) / epsilon, b=self.a[:, None], axis=0)
        return f, g

    def newton(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> tuple[FloatArray, FloatArray] | None:
        """One damped step in (f, g), or None at the maximum."""
        P = self.plan(f, g, w, epsilon)
        gradient = np.concatenate([self.a - P.sum(1), self.b - P.sum(0)])
        hessian = np.block([[np.diag(P.sum(1)), P], [P.T, np.diag(P.sum(0))]])
        step = epsilon * np.linalg.lstsq(hessian, gradient, rcond=1e-13)[0]
        gain = float(gradient @ step)
        if np.abs(gradient).sum() <= 1e-14:
            return None
        start, size = self.dual(f, g, w, epsilon), 1.0
        while size > 1e-6:
            to = f + size * step[: len(f)], g + size * step[len(f) :]
            # So close to the maximum the dual changes by less than its rounding, and the full step is safe.
            if self.dual(*to, w, epsilon) > start or 0 <= gain < 1e-10 * epsilon:
                return to
            size /= 2.0
        return self.sweep(g, w, epsilon)

    def saddle(self, f: FloatArray, g: FloatArray, w: float, epsilon: float) -> Saddle:
        """The value with its certificate: what a true coupling near the plan costs, against the dual."""
        P = self.plan(f, g, w, epsilon)
        P *= np.minimum(1.0, self.a / P.sum(1))[:, None]
        P *= np.minimum(1.0, self.b / P.sum(0))
        left, right = self.a - P.sum(1), self.b - P.sum(0)
        if left.sum() > 0:
            P += np.outer(left, right) / left.sum()
        density = P / (self.a[:, None] * self.b)
        entropy = float((P * np.log(np.where(density > 0, density, 1.0))).sum())
        # Minimax: for a coupling P, no saddle value lies above max_w <C_w, P> + epsilon KL(P).
        above = max(float((self.A * P).sum()), float((self.B * P).sum())) + epsilon * entropy
        below = self.dual(f, g, w, epsilon)
        return Saddle(float((self.cost(w) * P).sum()), below, above - below, w, f, g, P)
