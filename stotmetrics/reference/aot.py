"""Adapted optimal transport, by backward induction and as its linear program.

Pflug, Pichler, A distance for multistage stochastic optimization models (2012): a plan that does not look ahead moves,
from every pair of nodes, by a transport plan between what may come next.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from scipy.optimize import linprog

from .interface import Answer, FloatArray, TimeSeries, root_of
from .paths import Process, process_of
from .transport import transport_with_gap


def aot(x: TimeSeries, y: TimeSeries, params: Any) -> Answer:
    """The adapted distance between two processes, or its p-th power."""
    left, right = (process_of(series, params.cells, params.quantizer, params.markovian) for series in (x, y))
    power = backward_induction(left, right, params.p)
    return root_of(power, params.p) if params.root else power


def backward_induction(x: Process, y: Process, p: float) -> Answer:
    """The value of the roots, where that of two nodes at time t is a transport problem between their children k, l.

    ``V_t(i, j) = min over P of sum of P_kl (|x_k - y_l| ** p + V_(t+1)(k, l))``, and nothing after the last time.
    """
    ahead: dict[tuple[Hashable, Hashable], float] = {}
    gap = 0.0
    for t in reversed(range(len(x.steps))):
        here, worst = {}, 0.0
        for i, left in x.steps[t].items():
            for j, right in y.steps[t].items():
                cost = np.array(
                    [
                        [
                            float(np.linalg.norm(x.values[t][k] - y.values[t][l])) ** p + ahead.get((k, l), 0.0)
                            for l in right  # noqa: E741 -- k, l: children of i and j
                        ]
                        for k in left
                    ]
                )
                here[i, j], off = transport_with_gap(cost, np.array([*left.values()]), np.array([*right.values()]))
                worst = max(worst, off)
        # A mean passes the error of what follows on.
        ahead, gap = here, gap + worst
    return Answer(ahead[(), ()], gap)


def bicausal_program(X: FloatArray, a: FloatArray, Y: FloatArray, b: FloatArray, p: float) -> float:
    """The least ``sum over t of |x_t - y_t| ** p`` over the bicausal couplings of two trees, as one linear program.

    The trees are given by their paths, of shape (n, T, d) and (m, T, d), with masses a and b. Given its own past, a
    path is independent of the past of the other: ``P(x, y_1..t) = a(x | x_1..t) P(x_1..t, y_1..t)``, and the reverse.
    """
    n, m = len(X), len(Y)
    cost = (np.linalg.norm(X[:, None] - Y[None], axis=-1) ** p).sum(axis=-1)
    rows, wanted = [], []
    for i in range(n):
        rows.append(np.outer(np.arange(n) == i, np.ones(m)))
        wanted.append(a[i])
    for j in range(m):
        rows.append(np.outer(np.ones(n), np.arange(m) == j))
        wanted.append(b[j])
    for t in range(1, X.shape[1]):
        same_x, same_y = (np.array([[(u[:t] == v[:t]).all() for v in Z] for u in Z]) for Z in (X, Y))
        for i in range(n):
            for j in range(m):
                own = np.outer(np.arange(n) == i, same_y[j]) - a[i] / a[same_x[i]].sum() * np.outer(
                    same_x[i], same_y[j]
                )
                other = np.outer(same_x[i], np.arange(m) == j) - b[j] / b[same_y[j]].sum() * np.outer(
                    same_x[i], same_y[j]
                )
                rows += [own, other]
                wanted += [0.0, 0.0]
    scale = cost.max() or 1.0
    solved = linprog(cost.ravel() / scale, A_eq=np.array(rows).reshape(-1, n * m), b_eq=wanted, method="highs")
    if solved.status != 0:
        raise RuntimeError(f"HiGHS: {solved.message}")
    return float(solved.fun) * scale
