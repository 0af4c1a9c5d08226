"""Entropic TiOT between long series, without storing a matrix.

The potentials of a thinned pair of series extend to all atoms by the condition of optimality; from there Newton's
method needs few steps, each solved by conjugate gradients on products with the plan.
"""

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels._entropic import Workspace, certificate
from ..kernels._matrixfree import Plan
from .point_clouds import Cloud, powers

# The thinned series have about this many atoms.
COARSE = 400


@dataclass(frozen=True, slots=True)
class State:
    """Potentials and w, with the sums of their plan."""

    f: FloatArray
    g: FloatArray
    w: float
    rows: FloatArray
    row_products: FloatArray
    columns: FloatArray
    column_products: FloatArray
    curvature: float
    dual: float

    @property
    def slope(self) -> float:
        """The derivative of the dual in w."""
        return float(self.row_products.sum())


@dataclass(frozen=True, slots=True)
class Solution:
    """The saddle point; as the kernel for shorter series returns it."""

    status: int
    value: float
    objective: float
    gap: float
    w: float
    steps: int
    f: FloatArray
    g: FloatArray


class LongProblem:
    """max over w of min over couplings P of <w A + (1 - w) B, P> + epsilon KL(P | a b')."""

    def __init__(self, x: Cloud, y: Cloud, p: float, epsilon: float) -> None:
        self.x, self.y, self.p, self.epsilon = x, y, p, epsilon
        self.log_a, self.log_b = np.log(x.weights), np.log(y.weights)
        self.plan = Plan(x.values, x.times, y.values, y.times, p)

    def solve(self, tol: float, max_iter: int) -> Solution:
        """Newton steps until the certified gap is reached."""
        state = self.sweep(self.evaluate(*self.start(max_iter)))
        steps = 0
        value, gap = self.certify(state)
        while gap > tol * max(1.0, abs(state.dual)) + 4e-13 * self.epsilon and steps < max_iter:
            steps += 1
            further = self.newton(state)
            if further is None:
                further = self.sweep(state)
                if further.dual <= state.dual:
                    break
            state = further
            value, gap = self.certify(state)
        status = int(gap > tol * max(1.0, abs(state.dual)) + 4e-13 * self.epsilon)
        return Solution(status, value, state.dual, gap, state.w, steps, state.f, state.g)

    def start(self, max_iter: int) -> tuple[FloatArray, FloatArray, float]:
        """Potentials of the thinned problem, extended to all atoms."""
        (i, a), (j, b) = thin(self.x), thin(self.y)
        x, y, u, v = self.x.values[i], self.y.values[j], self.x.times[i], self.y.times[j]
        work = Workspace()
        work.etiot(x, u, a, y, v, b, self.p, self.epsilon, 1e-6, max_iter)
        f, g = work.potentials()
        w = work.w()
        f_all = self.extend(g, b, self.x, y, v, w)
        g_all = self.extend(f, a, self.y, x, u, w)
        return f_all, g_all, w

    def extend(
        self, known: FloatArray, mass: FloatArray, onto: Cloud, values: FloatArray, times: FloatArray, w: float
    ) -> FloatArray:
        """The soft minimum over the thinned side at every atom of ``onto``, some rows at a time."""
        from scipy.special import logsumexp  # longer to import than a distance may take

        parts = []
        for k in range(0, onto.size, 1000):
            C = w * powers(onto.values[k : k + 1000], values, self.p)
            C += (1.0 - w) * powers(onto.times[k : k + 1000, None], times[:, None], self.p)
            parts.append(-self.epsilon * logsumexp((known - C) / self.epsilon, b=mass, axis=1))
        return np.concatenate(parts)

    def exponents(self, f: FloatArray, g: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What the kernel adds up in its exponent."""
        return f / self.epsilon + self.log_a, g / self.epsilon + self.log_b

    def evaluate(self, f: FloatArray, g: FloatArray, w: float) -> State:
        """The sums of the plan, and the dual value."""
        sums = self.plan.sums(*self.exponents(f, g), w, self.epsilon)
        dual = float(self.x.weights @ f + self.y.weights @ g - self.epsilon * (sums[0].sum() - 1.0))
        return State(f, g, w, *sums, dual)

    def sweep(self, state: State) -> State:
        """Maximise over g, then over f."""
        g = state.g + self.epsilon * np.log(self.y.weights / state.columns)
        rows = self.plan.sums(*self.exponents(state.f, g), state.w, self.epsilon)[0]
        f = state.f + self.epsilon * np.log(self.x.weights / rows)
        return self.evaluate(f, g, state.w)

    def newton(self, state: State) -> State | None:
        """One damped step; None if the dual cannot be raised."""
        epsilon, r = self.epsilon, state.rows
        gap_f, gap_g = self.x.weights - r, self.y.weights - state.columns
        # P' diag(1 / r) applied to two vectors: as products with the plan of x and y exchanged.
        back = self.transposed(state, np.stack([gap_f / r, state.row_products / r]))
        right, q = gap_g - back[0], back[1] - state.column_products
        solved, forward = self.conjugate_gradients(state, np.stack([right, q]))
        top = state.slope + float((state.row_products * gap_f / r).sum()) - float(q @ solved[0])
        bottom = state.curvature - float((state.row_products**2 / r).sum()) - float(q @ solved[1])
        w_step = float(np.clip(epsilon * top / max(bottom, 1e-14 * state.curvature + 1e-300), -state.w, 1 - state.w))
        g_step = epsilon * solved[0] - w_step * solved[1]
        f_step = (epsilon * (gap_f - forward[0]) + w_step * (forward[1] + state.row_products)) / r
        gain = float(gap_f @ f_step + gap_g @ g_step) + state.slope * w_step
        size = 1.0
        while size > 1e-4:
            w = float(np.clip(state.w + size * w_step, 0.0, 1.0))
            to = self.evaluate(state.f + size * f_step, state.g + size * g_step, w)
            if to.dual >= state.dual + 1e-4 * size * gain or (
                gain < 1e-7 * epsilon and to.dual >= state.dual - 1e-12 * (1.0 + abs(state.dual))
            ):
                return to
            size /= 2.0
        return None

    def transposed(self, state: State, vectors: FloatArray) -> FloatArray:
        """P' v for each of the vectors v."""
        other = Plan(self.y.values, self.y.times, self.x.values, self.x.times, self.p)
        alpha, beta = self.exponents(state.f, state.g)
        return other.products(beta, alpha, state.w, self.epsilon, state.columns, vectors)[0]

    def conjugate_gradients(
        self, state: State, right: FloatArray, rtol: float = 1e-4, most: int = 300
    ) -> tuple[FloatArray, FloatArray]:
        """Solve (diag(columns) - P' diag(1 / rows) P) z = right for each row of ``right``; also returns P z."""
        exponents = self.exponents(state.f, state.g)
        scale = state.columns
        z, image = np.zeros_like(right), np.zeros((len(right), self.x.size))
        residual = right - right.sum(axis=1, keepdims=True) * scale / scale.sum()
        along = residual / scale
        weight = (residual * along).sum(axis=1)
        target = rtol**2 * weight
        for _ in range(most):
            if (weight <= target).all():
                break
            forward, back = self.plan.products(
                *exponents, state.w, self.epsilon, state.rows, np.ascontiguousarray(along)
            )
            applied = scale * along - back
            curvature = (along * applied).sum(axis=1)
            active = (weight > target) & (curvature > 0)
            length = np.where(active, weight / np.where(curvature > 0, curvature, 1.0), 0.0)[:, None]
            z += length * along
            image += length * forward
            residual = residual - length * applied
            fresh = (residual / scale * residual).sum(axis=1)
            turn = np.where(active, fresh / np.where(weight > 0, weight, 1.0), 0.0)[:, None]
            along = np.where(active[:, None], residual / scale + turn * along, 0.0)
            weight = np.where(active, fresh, 0.0)
        return z, image

    def certify(self, state: State) -> tuple[float, float]:
        """(value at a true coupling next to the plan, what that costs, regularised, less the dual value)."""
        epsilon, a, b = self.epsilon, self.x.weights, self.y.weights
        u = np.minimum(1.0, a / state.rows)
        alpha, beta = self.exponents(state.f, state.g)
        columns = self.plan.sums(alpha + np.log(u), beta, state.w, epsilon)[2]
        v = np.minimum(1.0, b / columns)
        rest_b = np.maximum(b - v * columns, 0.0)
        mass, of_a, of_b, rest_times_a, rest_times_b = self.plan.costs(
            alpha + np.log(u), beta + np.log(v), state.w, epsilon, rest_b
        )
        rest_a, rest = np.maximum(a - mass, 0.0), float(rest_b.sum())
        entropy = float(mass @ (state.f + epsilon * np.log(u)) + (v * columns) @ (state.g + epsilon * np.log(v)))
        for left, whole in ((rest_a, a), (rest_b, b)) if rest > 0 else ():
            lacking = left > 0
            entropy += epsilon * float((left[lacking] * np.log(left[lacking] / whole[lacking])).sum())
        return certificate(
            kept=float(mass.sum()),
            rest=rest,
            of_a=float(of_a.sum()),
            of_b=float(of_b.sum()),
            rest_a=float(rest_a @ rest_times_a),
            rest_b=float(rest_a @ rest_times_b),
            entropy=entropy,
            w=state.w,
            epsilon=epsilon,
            dual=state.dual,
        )

    def dense_plan(self, solution: Solution) -> FloatArray:
        """The plan as a matrix, for those who have the memory; its marginals are right to the gap."""
        alpha, beta = self.exponents(solution.f, solution.g)
        C = solution.w * powers(self.x.values, self.y.values, self.p)
        C += (1.0 - solution.w) * powers(self.x.times[:, None], self.y.times[:, None], self.p)
        C /= -self.epsilon
        C += alpha[:, None]
        C += beta
        return np.exp(C, out=C)


def thin(cloud: Cloud) -> tuple[IntArray, FloatArray]:
    """About ``COARSE`` atoms, evenly spread over the order of times, each with the mass of its neighbourhood."""
    edges = np.unique(np.linspace(0, cloud.size, COARSE + 1).astype(np.intp))
    return (edges[:-1] + edges[1:]) // 2, np.add.reduceat(cloud.weights, edges[:-1])
