"""The ground of STA: what it costs to move mass from one support point to another."""

from __future__ import annotations

import hashlib
import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, finite_array, is_sparse, real_array
from ..errors import InvalidParameterError
from .kept import kept
from .point_clouds import powers

Kernels = tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]

# A grid is the only ground whose cost is not one matrix: it is the sum over its axes of one small matrix each.
_MAX_AXES = 3

# What the configuration of each kind of ground holds.
_CONFIGS = {"cost": ("cost",), "points": ("points", "p"), "grid": ("shape", "spacing", "p")}


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
            Finite, non-negative, symmetric. Rounding is cleaned: a diagonal, an asymmetry or a negative entry that is
            within 1e-6 of the largest cost (1e-3 in single precision) becomes zero.

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
        cost = _finite_cost(M)
        if cost.shape[0] != cost.shape[1]:
            raise InvalidParameterError(f"ground cost must be square, shape (P, P); got shape {cost.shape}")
        rounding = _rounding(M) * float(np.abs(cost).max())
        if cost.min() < -rounding:
            i, j = np.unravel_index(int(cost.argmin()), cost.shape)
            raise InvalidParameterError(f"ground cost must be non-negative; got {cost[i, j]:g} at [{i}, {j}]")
        error = np.abs(cost - cost.T)
        if error.max() > rounding:
            i, j = np.unravel_index(int(error.argmax()), cost.shape)
            raise InvalidParameterError(
                f"ground cost must be symmetric; got {cost[i, j]:g} at [{i}, {j}] and {cost[j, i]:g} at [{j}, {i}]; "
                "pass (M + M.T) / 2"
            )
        cost = np.maximum(cost, 0.0)
        cost[np.diag_indices_from(cost)] = np.where(np.diag(cost) <= rounding, 0.0, np.diag(cost))
        cost = np.where(cost == cost.T, cost, 0.5 * cost + 0.5 * cost.T)
        return Ground((cost,), {"kind": "cost"}, positive=False, scale=1.0)

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
        config = {"kind": "points", "points": points.tolist(), "p": power}
        return Ground((_in_range(powers(points, points, power)),), config, positive=power <= 2, scale=1.0)

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
        sides: tuple[Any, ...] = _as_tuple(shape, 1)
        if not 1 <= len(sides) <= _MAX_AXES or not all(_is_positive(k, Integral) for k in sides):
            raise InvalidParameterError(f"shape of a grid must be 1 to {_MAX_AXES} positive integers; got {shape!r}")
        steps: tuple[Any, ...] = _as_tuple(spacing, len(sides))
        if len(steps) != len(sides) or not all(_is_positive(step) for step in steps):
            raise InvalidParameterError(
                f"spacing of a grid must be a positive number, or one for each of its {len(sides)} axes; "
                f"got {spacing!r}"
            )
        sides, steps, power = tuple(int(k) for k in sides), tuple(float(step) for step in steps), _exponent(p)
        costs = []
        for side, step in zip(sides, steps, strict=True):
            line = np.arange(side, dtype=np.float64)[:, None] * step
            costs.append(_in_range(powers(line, line, power)))
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
            levels, times = np.unique(cost, return_counts=True)
            values, counts = np.add.outer(values, levels).ravel(), np.multiply.outer(counts, times).ravel()
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
        if not _is_positive(kept) or kept >= 1:
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
        # An entry of the kernel may vanish: that is its limit.
        with np.errstate(under="ignore", over="ignore"):
            costs = tuple(np.ascontiguousarray(cost / epsilon) for cost in self.costs)
            return tuple(np.exp(-cost) for cost in costs), costs

    def to_config(self) -> dict[str, Any]:
        """The ground as JSON-ready data, which a ``ground`` parameter takes in turn."""
        if self._config["kind"] == "cost":
            return {"kind": "cost", "cost": self.costs[0].tolist()}
        return {**self._config, "scale": self._scale}

    @staticmethod
    def from_config(config: dict[str, Any]) -> Ground:
        """The inverse of :meth:`to_config`."""
        kind, scale = config.get("kind"), config.get("scale", 1.0)
        if not isinstance(kind, str) or kind not in _CONFIGS:
            raise InvalidParameterError(f"ground of kind {kind!r} is unknown; known: {', '.join(map(repr, _CONFIGS))}")
        missing = [key for key in _CONFIGS[kind] if key not in config]
        if missing:
            raise InvalidParameterError(f"ground of kind {kind!r} needs {' and '.join(map(repr, missing))} too")
        if not _is_positive(scale):
            raise InvalidParameterError(f"scale of a ground must be a positive number; got {scale!r}")
        if kind == "cost":
            return Ground.from_cost(config["cost"])
        if kind == "points":
            ground = Ground.from_points(config["points"], config["p"])
        else:
            ground = Ground.grid(config["shape"], config["spacing"], config["p"])
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

    A square array is a cost matrix, and must be a valid one: finite, non-negative, exactly zero on the diagonal and
    symmetric. Any other array holds coordinates, one row for each point, and the cost is the squared distance.
    """
    if isinstance(value, Ground):
        return value
    if isinstance(value, dict):
        return Ground.from_config(value)
    wanted = f"{name} must be None, a Ground, a (P, P) cost matrix or (P, k) coordinates"
    if is_sparse(value):
        raise InvalidParameterError(
            f"{wanted}; got a sparse one, whose missing entries would be costs of zero; {_WAYS_APART}"
        )
    try:
        array = real_array(value, name)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{wanted}; {error}") from error
    if array.ndim not in (1, 2) or array.size == 0:
        raise InvalidParameterError(f"{wanted}; got shape {array.shape}")
    if array.ndim == 1 or array.shape[0] != array.shape[1]:
        return Ground.from_points(array)
    _refuse_doubtful(array, name)
    return Ground.from_cost(array)


def _refuse_doubtful(array: FloatArray, name: str) -> None:
    """Refuse a square array that is no valid cost: is it a cost that went wrong, or are these coordinates?"""
    _refuse_infinite(array, name)
    if np.isnan(array).any():
        i, j = (int(k) for k in np.argwhere(np.isnan(array))[0])
        raise InvalidParameterError(f"{name} must be finite; got nan at [{i}, {j}]")
    if np.diag(array).any():
        i = int(np.argmax(np.abs(np.diag(array))))
        wrong = f"its diagonal must be exactly 0, and holds {array[i, i]:g} at [{i}, {i}]"
    elif array.min() < 0:
        i, j = (int(k) for k in np.unravel_index(int(array.argmin()), array.shape))
        wrong = f"a cost must be non-negative, and it holds {array[i, j]:g} at [{i}, {j}]"
    elif not np.allclose(array, array.T, rtol=1e-9, atol=0):
        i, j = (int(k) for k in np.unravel_index(int(np.abs(array - array.T).argmax()), array.shape))
        wrong = f"a cost must be symmetric, and it holds {array[i, j]!r} at [{i}, {j}], {array[j, i]!r} at [{j}, {i}]"
    else:
        return
    raise InvalidParameterError(
        f"{name} is a square array but no cost matrix: {wrong}; if it is a cost up to rounding, pass "
        "Ground.from_cost(M), which cleans it; if its rows are coordinates, pass Ground.from_points(xyz)"
    )


_WAYS_APART = (
    "where no mass can pass between two parts of space, such as two hemispheres, compare each part by itself and add "
    "the values, or give these pairs a large finite cost, such as 100 times the largest one within a part"
)


def _refuse_infinite(array: FloatArray, name: str) -> None:
    if np.isinf(array).any():
        i, j = (int(k) for k in np.argwhere(np.isinf(array))[0])
        raise InvalidParameterError(f"{name} must be finite; got {array[i, j]} at [{i}, {j}]; {_WAYS_APART}")


def _finite_cost(M: Any) -> FloatArray:
    if is_sparse(M):
        raise InvalidParameterError(
            f"ground cost must be a dense array; got a sparse one, whose missing entries would be zero; {_WAYS_APART}"
        )
    array = real_array(M, "ground cost")
    if array.ndim == 2:
        _refuse_infinite(array, "ground cost")
    return finite_array(array, "ground cost", 2)


def _rounding(M: Any) -> float:
    """What counts as rounding, relative to the largest cost: distances taken from products lose half of the digits."""
    dtype = getattr(M, "dtype", None)
    return 1e-3 if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < 8 else 1e-6


def _in_range(cost: FloatArray) -> FloatArray:
    if not np.isfinite(cost).all():
        raise InvalidParameterError(
            "ground points lie so far apart that their cost exceeds the range of a double; rescale them or lower p"
        )
    return cost


@kept(2**26, lambda ground: sum(cost.nbytes for cost in ground.costs))
def default_ground(shape: tuple[int, ...]) -> Ground:
    """Points on a line, or the pixels of a frame: squared distances divided by their median."""
    return Ground.grid(shape).normalized()


def _as_tuple(x: Any, times: int) -> tuple[Any, ...]:
    """The items of a sequence; a single item as often as it is wanted."""
    several = isinstance(x, (tuple, list)) or (isinstance(x, np.ndarray) and x.ndim == 1)
    return tuple(x) if several else (x,) * times


def _is_positive(x: Any, kind: Any = Real) -> bool:
    return isinstance(x, kind) and not isinstance(x, (bool, np.bool_)) and bool(0 < x < math.inf)


def _exponent(p: Any) -> float:
    if not _is_positive(p) or p < 1:
        raise InvalidParameterError(f"p must be a number >= 1; got {p!r}")
    return float(p)
