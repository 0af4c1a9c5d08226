"""The ground of STA: what it costs to move mass from one support point to another."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, finite_array, real_array
from ..errors import InvalidParameterError

Kernels = tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]

# A grid is the only ground whose cost is not one matrix: it is the sum over its axes of one small matrix each.
_MAX_AXES = 3


class Ground:
    """A ground cost between P support points. Immutable; equal and hashed by content; built once and passed around.

    Made by :meth:`from_cost`, :meth:`from_points` or :meth:`grid`.

    Examples
    --------
    >>> import stotmetrics
    >>> ground = stotmetrics.Ground.grid((4, 5))
    >>> ground
    Ground.grid(shape=(4, 5), spacing=(1.0, 1.0), p=2.0)
    >>> ground.size, ground.median()
    (20, 5.0)
    """

    __slots__ = ("_config", "_digest", "_scale", "costs", "positive")

    def __init__(self, costs: tuple[FloatArray, ...], config: dict[str, Any], positive: bool, scale: float) -> None:
        digest = hashlib.sha256(repr([config["kind"], scale, *(cost.shape for cost in costs)]).encode())
        for cost in costs:
            digest.update(np.ascontiguousarray(cost).tobytes())
            cost.flags.writeable = False
        #: One symmetric matrix per axis; the cost between two points is the sum over the axes.
        self.costs = costs
        #: Whether ``exp(-M / epsilon)`` is known to be positive semi-definite: then no divergence is negative.
        self.positive = positive
        self._config = config
        self._scale = scale
        self._digest = digest.digest()

    @staticmethod
    def from_cost(M: npt.ArrayLike) -> Ground:
        """The cost matrix itself.

        Parameters
        ----------
        M : array_like of shape (P, P)
            Finite, non-negative, symmetric.

        Returns
        -------
        Ground

        Raises
        ------
        InvalidParameterError
            Naming the first entry that is wrong.

        Examples
        --------
        >>> import stotmetrics
        >>> stotmetrics.Ground.from_cost([[0.0, 3.0], [3.0, 0.0]])
        Ground.from_cost(<2 points>)
        """
        cost = finite_array(M, "ground cost", 2)
        if cost.shape[0] != cost.shape[1]:
            raise InvalidParameterError(f"ground cost must be square, shape (P, P); got shape {cost.shape}")
        if cost.min() < 0:
            i, j = np.unravel_index(int(cost.argmin()), cost.shape)
            raise InvalidParameterError(f"ground cost must be non-negative; got {cost[i, j]:g} at [{i}, {j}]")
        error = np.abs(cost - cost.T)
        if error.max() > 1e-9 * cost.max():
            i, j = np.unravel_index(int(error.argmax()), cost.shape)
            raise InvalidParameterError(
                f"ground cost must be symmetric; got {cost[i, j]:g} at [{i}, {j}] and {cost[j, i]:g} at [{j}, {i}]; "
                "pass (M + M.T) / 2"
            )
        return Ground((0.5 * (cost + cost.T),), {"kind": "cost"}, positive=False, scale=1.0)

    @staticmethod
    def from_points(xyz: npt.ArrayLike, p: float = 2.0) -> Ground:
        """Euclidean distances between points, to the power p.

        Parameters
        ----------
        xyz : array_like of shape (P, k) or (P,)
            Coordinates.
        p : float, default 2
            Exponent of the distance, at least 1.

        Returns
        -------
        Ground

        Raises
        ------
        InvalidParameterError
            If the coordinates are not finite, or p is out of its range.

        Examples
        --------
        >>> import stotmetrics
        >>> stotmetrics.Ground.from_points([[0.0, 0.0], [3.0, 4.0]], p=1).cost()
        array([[0., 5.],
               [5., 0.]])
        """
        points = finite_array(xyz, "ground points", 1, 2)
        points = points.reshape(len(points), -1)
        power = _exponent(p)
        squared = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
        config = {"kind": "points", "points": points.tolist(), "p": power}
        return Ground((squared ** (power / 2),), config, positive=power <= 2, scale=1.0)

    @staticmethod
    def grid(shape: tuple[int, ...], spacing: float | tuple[float, ...] = 1.0, p: float = 2.0) -> Ground:
        """The points of a regular grid: a line, the pixels of a frame, the voxels of a volume.

        The cost is the sum over the axes of ``|step * spacing| ** p``: squared Euclidean distance at ``p = 2``. A
        product with its kernel is one small product per axis, and the P x P matrix is never formed.

        Parameters
        ----------
        shape : tuple of 1 to 3 int
            Points along each axis, in the order of a frame's axes.
        spacing : float or tuple of float, default 1
            Distance between neighbours, for each axis.
        p : float, default 2
            Exponent, at least 1.

        Returns
        -------
        Ground

        Raises
        ------
        InvalidParameterError
            If an argument is out of its range.
        """
        sides = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        if not 1 <= len(sides) <= _MAX_AXES or not all(isinstance(k, int | np.integer) and k > 0 for k in sides):
            raise InvalidParameterError(f"shape of a grid must be 1 to {_MAX_AXES} positive integers; got {shape!r}")
        steps = tuple(spacing) if isinstance(spacing, tuple | list) else (spacing,) * len(sides)
        if len(steps) != len(sides) or not all(_is_positive(step) for step in steps):
            raise InvalidParameterError(
                f"spacing of a grid must be a positive number, or one for each of its {len(sides)} axes; "
                f"got {spacing!r}"
            )
        sides, steps, power = tuple(int(k) for k in sides), tuple(float(step) for step in steps), _exponent(p)
        costs = []
        for side, step in zip(sides, steps, strict=True):
            line = np.arange(side) * step
            costs.append(np.abs(line[:, None] - line[None, :]) ** power)
        config = {"kind": "grid", "shape": list(sides), "spacing": list(steps), "p": power}
        return Ground(tuple(costs), config, positive=power <= 2, scale=1.0)

    def normalized(self) -> Ground:
        """The same ground with its cost divided by its :meth:`median`, as the published settings assume.

        If the median is 0, because most pairs of points coincide, the mean takes its place.
        """
        scale = self.median() or self.mean() or 1.0
        return Ground(tuple(c / scale for c in self.costs), self._config, self.positive, self._scale * scale)

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return tuple(len(cost) for cost in self.costs)

    @property
    def size(self) -> int:
        """The number P of support points."""
        return math.prod(self.shape)

    @property
    def spread(self) -> float:
        """The largest cost minus the smallest."""
        return float(sum(cost.max() - cost.min() for cost in self.costs))

    def median(self) -> float:
        """Median of all P x P entries of the cost matrix, the zeros of its diagonal included."""
        if len(self.costs) == 1:
            return float(np.median(self.costs[0]))
        values, counts = np.zeros(1), np.ones(1, dtype=np.int64)
        for cost in self.costs:
            found, times = np.unique(cost, return_counts=True)
            values, counts = np.add.outer(values, found).ravel(), np.multiply.outer(counts, times).ravel()
        order = np.argsort(values)
        below = np.cumsum(counts[order])
        total = int(below[-1])
        middle = [values[order[np.searchsorted(below, k, side="right")]] for k in ((total - 1) // 2, total // 2)]
        return float(np.mean(middle))

    def mean(self) -> float:
        """Mean of all P x P entries of the cost matrix."""
        return float(sum(cost.mean() for cost in self.costs))

    def epsilon(self) -> float:
        """The published regularisation, ``10 / P`` times the median cost."""
        return 10.0 / self.size * (self.median() or self.mean() or 1.0)

    def rho(self, kept: float) -> float:
        """The penalty ``-max(M) / (2 log kept)`` that keeps a fraction of the mass across the largest cost.

        Parameters
        ----------
        kept : float
            Fraction of the mass, strictly between 0 and 1.

        Returns
        -------
        float

        Raises
        ------
        InvalidParameterError
            If ``kept`` lies outside.
        """
        if not 0 < kept < 1:
            raise InvalidParameterError(f"kept must be a number between 0 and 1; got {kept!r}")
        return float(-sum(cost.max() for cost in self.costs) / (2 * math.log(kept)))

    def cost(self) -> FloatArray:
        """The whole cost matrix, shape (P, P)."""
        matrix = self.costs[0]
        for cost in self.costs[1:]:
            matrix = (matrix[:, None, :, None] + cost[None, :, None, :]).reshape(
                len(matrix) * len(cost), len(matrix) * len(cost)
            )
        return matrix

    def kernels(self, epsilon: float) -> Kernels:
        """``exp(-M / epsilon)`` and ``M / epsilon``, one matrix per axis each."""
        return _kernels(self, epsilon)

    def to_config(self) -> dict[str, Any]:
        """The ground as JSON-ready data, which a ``ground`` parameter takes in turn."""
        if self._config["kind"] == "cost":
            return {"kind": "cost", "cost": self.costs[0].tolist()}
        return {**self._config, "scale": self._scale}

    @staticmethod
    def from_config(config: dict[str, Any]) -> Ground:
        """The inverse of :meth:`to_config`."""
        kind, scale = config.get("kind"), config.get("scale", 1.0)
        if kind == "cost":
            return Ground.from_cost(config["cost"])
        if kind == "points":
            ground = Ground.from_points(config["points"], config["p"])
        elif kind == "grid":
            ground = Ground.grid(tuple(config["shape"]), tuple(config["spacing"]), config["p"])
        else:
            raise InvalidParameterError(f"ground of kind {kind!r} is unknown; known: 'cost', 'points', 'grid'")
        if scale == 1.0:
            return ground
        return Ground(tuple(cost / scale for cost in ground.costs), ground._config, ground.positive, scale)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ground) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return Ground, (self.costs, self._config, self.positive, self._scale)

    def __repr__(self) -> str:
        if self._config["kind"] != "grid":
            made = f"Ground.from_{self._config['kind']}(<{self.size} points>)"
        else:
            inside = (f"{key}={tuple(v) if isinstance(v, list) else v!r}" for key, v in list(self._config.items())[1:])
            made = f"Ground.grid({', '.join(inside)})"
        return made if self._scale == 1.0 else f"{made}/{self._scale:g}"


def as_ground(name: str, value: Any) -> Ground:
    """Read the ``ground`` parameter of a metric.

    A square symmetric matrix with a zero diagonal is a cost matrix; any other array holds coordinates, one row for
    each point, and the cost is the squared Euclidean distance.
    """
    if isinstance(value, Ground):
        return value
    if isinstance(value, dict):
        return Ground.from_config(value)
    try:
        array = real_array(value, name)
    except InvalidParameterError as error:
        raise InvalidParameterError(
            f"{name} must be None, a Ground, a (P, P) cost matrix or (P, k) coordinates; {error}"
        ) from error
    if array.ndim == 2 and array.shape[0] == array.shape[1] and not np.diag(array).any():
        if np.allclose(array, array.T, rtol=1e-9, atol=0):
            return Ground.from_cost(array)
    if array.ndim not in (1, 2) or array.size == 0:
        raise InvalidParameterError(
            f"{name} must be None, a Ground, a (P, P) cost matrix or (P, k) coordinates; got shape {array.shape}"
        )
    return Ground.from_points(array)


@lru_cache(maxsize=64)
def default_ground(shape: tuple[int, ...]) -> Ground:
    """Points on a line, or the pixels of a frame: squared distances divided by their median."""
    return Ground.grid(shape).normalized()


@lru_cache(maxsize=4)
def _kernels(ground: Ground, epsilon: float) -> Kernels:
    costs = tuple(np.ascontiguousarray(cost / epsilon) for cost in ground.costs)
    return tuple(np.exp(-cost) for cost in costs), costs


def _is_positive(x: Any) -> bool:
    return isinstance(x, int | float | np.number) and bool(0 < x < math.inf)


def _exponent(p: Any) -> float:
    if not _is_positive(p) or p < 1:
        raise InvalidParameterError(f"p must be a number >= 1; got {p!r}")
    return float(p)
