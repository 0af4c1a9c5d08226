"""Optimal transport as its linear program."""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .interface import FloatArray


def transport_program(C: FloatArray, a: FloatArray, b: FloatArray) -> float:
    """``min <C, P>`` over the couplings P of (a, b), as a linear program."""
    n, m = C.shape
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye(m))
    # One constraint is implied by the others; keeping it would ask for marginals equal to the last bit.
    constraints = sparse.vstack([rows, columns], format="csr")[:-1]
    scale = C.max() or 1.0
    solved = linprog((C / scale).ravel(), A_eq=constraints, b_eq=np.concatenate([a, b])[:-1], method="highs")
    if solved.status != 0:
        raise RuntimeError(f"HiGHS: {solved.message}")
    return float(solved.fun) * scale
