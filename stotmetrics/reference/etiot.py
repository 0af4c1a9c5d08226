"""Entropic TiOT by Newton's method on its dual, which is smooth and jointly concave in (f, g, w).

``D(f, g, w) = <a, f> + <b, g> - epsilon * sum_ij a_i b_j exp((f_i + g_j - C_ij) / epsilon) + epsilon`` with
``C = B + w (A - B)``; its plan is ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)``.
"""

from dataclasses import dataclass

import numpy as np
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

    def solve(self, epsilon: float, steps: int = 60) -> Saddle:
        """Follow the maximiser while the regularisation shrinks from the scale of the costs to ``epsilon``."""
        f, g, w = np.zeros(len(self.a)), np.zeros(len(self.b)), 0.5
        stage = max(epsilon, float(max(self.A.max(), self.B.max())))
        while True:
            f, g = self.sweep(g, w, stage)
            for _ in range(steps):
                moved = self.newton(f, g, w, stage)
                if moved is None:
                    break
                f, g, w = moved
            if stage == epsilon:
                return self.saddle(f, g, w, epsilon)
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

    def newton(
        self, f: FloatArray, g: FloatArray, w: float, epsilon: float
    ) -> tuple[FloatArray, FloatArray, float] | None:
        """One damped step, or None when the dual cannot be raised any more."""
        n, m = self.A.shape
        P, D = self.plan(f, g, w, epsilon), self.A - self.B
        gradient = np.concatenate([self.a - P.sum(1), self.b - P.sum(0), [(D * P).sum()]])
        hessian = np.zeros((n + m + 1, n + m + 1))
        hessian[:n, :n], hessian[n:-1, n:-1] = np.diag(P.sum(1)), np.diag(P.sum(0))
        hessian[:n, n:-1] = P
        hessian[:n, -1], hessian[n:-1, -1] = -(P * D).sum(1), -(P * D).sum(0)
        hessian = np.triu(hessian) + np.triu(hessian, 1).T
        hessian[-1, -1] = (P * D * D).sum()
        # (1, -1, 0) changes nothing: only sums f_i + g_j count. Filling that direction makes the matrix regular.
        null = np.concatenate([np.ones(n), -np.ones(m), [0.0]])
        hessian += np.outer(null, null) / (n + m)
        outwards = (w == 0.0 and gradient[-1] <= 0) or (w == 1.0 and gradient[-1] >= 0)
        free = n + m if outwards else n + m + 1
        step = np.zeros(n + m + 1)
        step[:free] = epsilon * np.linalg.lstsq(hessian[:free, :free], gradient[:free], rcond=1e-15)[0]
        if not 0.0 <= w + step[-1] <= 1.0:
            # The best w is on the border: go there, and let f and g follow.
            step[-1] = float(np.clip(w + step[-1], 0.0, 1.0) - w)
            right = epsilon * gradient[:-1] - hessian[:-1, -1] * step[-1]
            step[:-1] = np.linalg.lstsq(hessian[:-1, :-1], right, rcond=1e-15)[0]
        gain = float(gradient @ step)
        if gain <= 1e-24 * epsilon:
            return None
        start, size = self.dual(f, g, w, epsilon), 1.0
        while size > 1e-6:
            to = f + size * step[:n], g + size * step[n:-1], float(np.clip(w + size * step[-1], 0.0, 1.0))
            # So close to the maximum the dual changes by less than its rounding, and the full step is safe.
            if self.dual(*to, epsilon) > start or gain < 1e-10 * epsilon:
                return to
            size /= 2.0
        return None

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
