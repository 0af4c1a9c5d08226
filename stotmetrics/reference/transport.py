"""Optimal transport as its linear program."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .coupling import coupling_near
from .interface import FloatArray

# Of the largest cost, what rounding leaves of a sum of them.
ROUNDING = 1e-15


def transport_program(C: FloatArray, a: FloatArray, b: FloatArray) -> float:
    """``min <C, P>`` over the couplings P of (a, b), as a linear program."""
    scale = C.max() or 1.0
    return float(_solved(C / scale, a, b).fun) * scale


def transport_with_gap(C: FloatArray, a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """The same, by a true coupling, and a bound on its error: HiGHS keeps constraints to a tolerance."""
    scale = C.max() or 1.0
    if min(C.shape) == 1:
        return float(a @ C @ b), ROUNDING * scale
    C = C / scale
    solved = _solved(C, a, b)
    P = coupling_near(np.maximum(solved.x, 0.0).reshape(C.shape), a, b)
    v = np.append(solved.eqlin.marginals[len(a) :], 0.0)
    above, below = (C * P).sum(), a @ (C - v).min(axis=1) + b @ v
    return float(above) * scale, (max(float(above - below), 0.0) + ROUNDING) * scale


def _solved(C: FloatArray, a: FloatArray, b: FloatArray) -> Any:
    n, m = C.shape
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye(m))
    # One constraint is implied by the others; keeping it would ask for marginals equal to the last bit.
    constraints = sparse.vstack([rows, columns], format="csr")[:-1]
    solved = linprog(C.ravel(), A_eq=constraints, b_eq=np.concatenate([a, b])[:-1], method="highs")
    if solved.status != 0:
        raise RuntimeError(f"HiGHS: {solved.message}")
    return solved
