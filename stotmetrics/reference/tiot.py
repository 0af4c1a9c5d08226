"""TiOT as its linear program.

[TiOT] Nguyen, Chu, Toh, Time-integrated Optimal Transport (2025), Section 2: the dual in (u, v, w) of
``max_w min_P <w A + (1 - w) B, P>``.
"""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from ..arrays import FloatArray
from ..series import Series
from ..spec.result import Result, rooted
from ..transport.point_clouds import cost_matrices, prepare_cloud
from .coupling import coupling_near

# Of the largest cost, what rounding leaves of a sum of them.
ROUNDING = 1e-15


def reference_tiot(x: Series, y: Series, p: float, standardize: bool, root: bool) -> Result:
    """The value of TiOT between two series."""
    cx, cy = prepare_cloud(x, standardize), prepare_cloud(y, standardize)
    A, B = cost_matrices(cx, cy, p)
    value, _, gap = tiot_program(A, B, cx.weights, cy.weights)
    value, gap = rooted(max(value, 0.0), gap, p if root else 1.0)
    return Result(value, gap=gap)


def tiot_program(A: FloatArray, B: FloatArray, a: FloatArray, b: FloatArray) -> tuple[float, float, float]:
    """Maximise ``<a, u> + <b, v>`` over u, v and w in [0, 1] with ``u_i + v_j + w (B - A)_ij <= B_ij``.

    Returns the value, a maximising w and a certified bound on the error of the value.
    """
    n, m = A.shape
    # The program is solved in units of the largest cost, since the solver's tolerances are absolute.
    scale = max(A.max(), B.max())
    if scale == 0:
        return 0.0, 0.0, 0.0
    A, B = A / scale, B / scale
    rows = sparse.kron(sparse.eye(n), np.ones((m, 1)))
    columns = sparse.kron(np.ones((n, 1)), sparse.eye(m))
    constraints = sparse.hstack([rows, columns, sparse.csr_matrix((B - A).reshape(-1, 1))], format="csr")
    bounds = [(None, None)] * (n + m) + [(0.0, 1.0)]
    found = linprog(-np.concatenate([a, b, [0.0]]), A_ub=constraints, b_ub=B.ravel(), bounds=bounds, method="highs")
    if found.status != 0:
        raise RuntimeError(f"HiGHS: {found.message}")
    # HiGHS keeps the constraints to a tolerance. Weak duality: potentials that keep them, and a true plan.
    v, w = found.x[n : n + m], float(found.x[-1])
    below = a @ (w * A + (1.0 - w) * B - v).min(axis=1) + b @ v
    P = coupling_near(np.maximum(-found.ineqlin.marginals, 0.0).reshape(n, m), a, b)
    above = max((A * P).sum(), (B * P).sum())
    return float(below) * scale, w, (max(float(above - below), 0.0) + ROUNDING) * scale


def transport_program(C: FloatArray, a: FloatArray, b: FloatArray) -> float:
    """``min <C, P>`` over the couplings P of (a, b), as a linear program."""
    n, m = C.shape
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye(m))
    # One constraint is implied by the others; keeping it would ask for marginals equal to the last bit.
    constraints = sparse.vstack([rows, columns], format="csr")[:-1]
    scale = C.max() or 1.0
    found = linprog((C / scale).ravel(), A_eq=constraints, b_eq=np.concatenate([a, b])[:-1], method="highs")
    if found.status != 0:
        raise RuntimeError(f"HiGHS: {found.message}")
    return float(found.fun) * scale
