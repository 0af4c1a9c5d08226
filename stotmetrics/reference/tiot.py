"""TiOT as its linear program.

[TiOT] Nguyen, Chu, Toh, Time-integrated Optimal Transport (2025), Section 2: the dual in (u, v, w) of
``max_w min_P <w A + (1 - w) B, P>``.
"""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .atoms import atoms_of, value_and_time_costs
from .coupling import coupling_near
from .interface import Answer, FloatArray, TimeSeries, root_of

# Of the largest cost, what rounding leaves of a sum of them.
ROUNDING = 1e-15


def tiot(x: TimeSeries, y: TimeSeries, params: Any) -> Answer:
    """The value of TiOT between two series, or its p-th root."""
    left, right = atoms_of(x, params.standardize), atoms_of(y, params.standardize)
    A, B = value_and_time_costs(left, right, params.p)
    value, _, gap = tiot_program(A, B, left.weights, right.weights)
    power = Answer(max(value, 0.0), gap)
    return root_of(power, params.p) if params.root else power


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
    solved = linprog(-np.concatenate([a, b, [0.0]]), A_ub=constraints, b_ub=B.ravel(), bounds=bounds, method="highs")
    if solved.status != 0:
        raise RuntimeError(f"HiGHS: {solved.message}")
    # HiGHS keeps the constraints to a tolerance. Weak duality: potentials that keep them, and a true plan.
    v, w = solved.x[n : n + m], float(solved.x[-1])
    below = a @ (w * A + (1.0 - w) * B - v).min(axis=1) + b @ v
    P = coupling_near(np.maximum(-solved.ineqlin.marginals, 0.0).reshape(n, m), a, b)
    above = max((A * P).sum(), (B * P).sum())
    return float(below) * scale, w, (max(float(above - below), 0.0) + ROUNDING) * scale
