"""The plan behind an adapted distance: how mass moves between two processes, step by step."""

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels._transport import Workspace
from .path_laws import PathLaw


@dataclass(frozen=True, eq=False, slots=True)
class Kernel:
    """One step of a bicausal plan: from pairs of nodes at one time to pairs of nodes at the next.

    Parameters
    ----------
    from_x, from_y : int array of shape (k,)
        The nodes at the time before; 0 and 0 at the first time, where nothing is known.
    to_x, to_y : int array of shape (k,)
        The nodes at this time.
    probability : array of shape (k,)
        The conditional probability of each move; those of one pair ``(from_x, from_y)`` add up to one.
    """

    from_x: IntArray
    from_y: IntArray
    to_x: IntArray
    to_y: IntArray
    probability: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class BicausalPlan:
    """An optimal bicausal plan between two processes.

    At every time it moves from a pair of nodes to a pair of their children, by a transport plan between the two
    conditional laws: neither process sees the future of the other. Nodes are numbered in increasing order of what was
    seen; pairs that the plan does not reach are left out.

    Parameters
    ----------
    kernels : tuple of Kernel
        One for each time.
    values_x, values_y : tuple of arrays of shape (nodes, d)
        At each time, the value that each node stands for.
    paths_x, paths_y : int array of shape (T, N)
        The node that each path passes at each time; -1 for a path without weight.

    Examples
    --------
    >>> import stotmetrics
    >>> known = [[-0.1, 0.1], [-1.0, 1.0]]  # the first step tells the second
    >>> plan = stotmetrics.solve(known, [[0.0, 0.0], [-1.0, 1.0]], metric="aot", cells=None).coupling
    >>> plan.first
    array([[0.5],
           [0.5]])
    >>> plan.joint(1)
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """

    kernels: tuple[Kernel, ...]
    values_x: tuple[FloatArray, ...]
    values_y: tuple[FloatArray, ...]
    paths_x: IntArray
    paths_y: IntArray

    @property
    def first(self) -> FloatArray:
        """The plan at the first time, shape (nodes of x, nodes of y)."""
        return self.joint(0)

    def joint(self, t: int) -> FloatArray:
        """The law of the pair of nodes at time t, shape (nodes of x, nodes of y)."""
        law = np.ones((1, 1))
        for kernel, left, right in zip(self.kernels[: t + 1], self.values_x, self.values_y, strict=False):
            after = np.zeros((len(left), len(right)))
            moved = law[kernel.from_x, kernel.from_y] * kernel.probability
            np.add.at(after, (kernel.to_x, kernel.to_y), moved)
            law = after
        return law


def bicausal_plan(x: PathLaw, y: PathLaw, costs: list[FloatArray]) -> BicausalPlan:
    """The plan, from the costs of each pair of nodes at each time, all that follows included."""
    work = Workspace()
    reached = np.zeros((1, 2), dtype=np.intp)
    kernels = []
    for t, cost in enumerate(costs):
        parts = [_step(work, x, y, t, int(i), int(j), cost) for i, j in reached]
        kernels.append(Kernel(*(np.concatenate(columns) for columns in zip(*parts, strict=True))))
        reached = np.unique(np.column_stack([kernels[-1].to_x, kernels[-1].to_y]), axis=0)
    values_x, values_y = (tuple(law.value[law.nodes(t)] for t in range(len(costs))) for law in (x, y))
    return BicausalPlan(tuple(kernels), values_x, values_y, _all_paths(x), _all_paths(y))


def _step(
    work: Workspace, x: PathLaw, y: PathLaw, t: int, i: int, j: int, cost: FloatArray
) -> tuple[IntArray, IntArray, IntArray, IntArray, FloatArray]:
    """Transport between the children of nodes i and j of the layer before time t."""
    a, b = (slice(*law.first[law.layer[t] + node : law.layer[t] + node + 2]) for law, node in ((x, i), (y, j)))
    rows, columns = x.child[a], y.child[b]
    orders = [np.arange(len(side), dtype=np.intc) for side in (rows, columns)]
    work.transport(
        np.ascontiguousarray(cost[np.ix_(rows, columns)]), x.share[a], orders[0], y.share[b], orders[1], False
    )
    k, l, mass = work.coupling()  # noqa: E741 -- the children of i and j
    return np.full(len(k), i), np.full(len(k), j), rows[k], columns[l], mass


def _all_paths(law: PathLaw) -> IntArray:
    paths = np.full((len(law.path), law.count), -1, dtype=np.intp)
    paths[:, law.support] = law.path
    return paths
