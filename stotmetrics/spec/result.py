"""What a computation returns: one ``Result`` for a pair, one ``Batch`` for many."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..series import Series

# Held while a result gets a lock of its own.
_turns = threading.Lock()


class Result:
    """The value of a metric on one pair, and what is known about it.

    Parameters
    ----------
    value : float
        The value of the metric.
    converged : bool, default True
        Whether the solver reached its tolerance. Closed-form metrics always do.
    n_iter : int, default 0
        Iterations the solver took, in its own unit (sweeps, steps or transport solves).
    gap : float, optional
        A certified bound on the error of the value; for taot, etiot and opw with ``epsilon > 0`` on that of the
        regularised objective, which the solver optimises. None where the metric has no such bound.
    extras : mapping of str to callable or array, optional
        What else the metric can say (``alignment``, ``path``, ``masses``, ``plan``, ``w``, ``potentials``,
        ``objective``, ``cost``, ``coupling``), each computed when it is first asked for; an array, which was given, is
        handed out as it is.

    Examples
    --------
    >>> import stotmetrics
    >>> result = stotmetrics.solve([0.0, 1.0, 2.0], [0.0, 2.0], metric="softdtw", gamma=0.1)
    >>> result.available
    ('alignment', 'path', 'cost')
    >>> result.alignment.shape
    (3, 2)
    """

    __slots__ = ("_extras", "_turn", "converged", "gap", "n_iter", "series", "value")

    def __init__(
        self,
        value: float,
        *,
        converged: bool = True,
        n_iter: int = 0,
        gap: float | None = None,
        extras: Mapping[str, Callable[[], Any] | FloatArray] | None = None,
    ) -> None:
        self.value = float(value)
        self.converged = bool(converged)
        self.n_iter = int(n_iter)
        self.gap = None if gap is None else float(gap)
        # The two series it is about, where it is the answer about a single pair.
        self.series: tuple[Series, Series] | None = None
        self._extras: dict[str, Any] = dict(extras or {})
        self._turn: threading.RLock | None = None

    @property
    def available(self) -> tuple[str, ...]:
        """Names of the extras this result carries."""
        return tuple(self._extras)

    @property
    def alignment(self) -> FloatArray:
        """Expected alignment, shape (n, m): the gradient of the value in the cost matrix."""
        return self._extra("alignment")  # type: ignore[no-any-return]

    @property
    def path(self) -> IntArray:
        """Pairs of times (i, j) in order, shape (k, 2): one cheapest alignment, or the pairs between which mass moves.

        Looking back from the end of an alignment, where steps tie the diagonal one is taken first, then that from the
        time of x before, as in tslearn and aeon. Soft-DTW has the alignment of hard DTW, which is its most probable.
        """
        return self._extra("path")  # type: ignore[no-any-return]

    @property
    def masses(self) -> FloatArray:
        """The mass that moves between each pair of ``path``, shape (k,)."""
        return self._extra("masses")  # type: ignore[no-any-return]

    @property
    def plan(self) -> FloatArray:
        """Transport plan, shape (n, m): mass moved from each time of x to each time of y."""
        return self._extra("plan")  # type: ignore[no-any-return]

    @property
    def w(self) -> float:
        """Maximising weight of the values against the times."""
        return self._extra("w")  # type: ignore[no-any-return]

    @property
    def potentials(self) -> tuple[FloatArray, FloatArray]:
        """Dual potentials (f, g), shapes (n,) and (m,)."""
        return self._extra("potentials")  # type: ignore[no-any-return]

    @property
    def objective(self) -> float:
        """Optimal value of the problem that the solver solved, regularisation included, without the root."""
        return self._extra("objective")  # type: ignore[no-any-return]

    @property
    def cost(self) -> FloatArray:
        """Cost matrix between the times of x and of y, shape (n, m)."""
        return self._extra("cost")  # type: ignore[no-any-return]

    @property
    def coupling(self) -> Any:
        """Bicausal plan between two processes, step by step; see :func:`stotmetrics.aot`."""
        return self._extra("coupling")

    def plot(self, kind: str | None = None, *, ax: "Axes | None" = None, **how: Any) -> "Axes":
        """Draw the alignment, the plan or the cost of the two series (extra ``plot``).

        Parameters
        ----------
        kind : {"links", "cost", "alignment"}, optional
            Lines between the times that are matched, the cost matrix with the alignment or plan on it, or the expected
            alignment as shades. By default links between series of one channel, and the cost matrix of others.
        ax : matplotlib axes, optional
            Where to draw; by default a new figure.
        **how
            See :func:`stotmetrics.plotting.plot_alignment`, :func:`~stotmetrics.plotting.plot_cost_matrix` and
            :func:`~stotmetrics.plotting.plot_expected_alignment`.

        Returns
        -------
        matplotlib axes
        """
        # The only word of this floor about one above: a picture is found by name when it is asked for.
        drawn: Axes = import_module("stotmetrics.plotting").plot_result(self, kind, ax=ax, **how)
        return drawn

    def _extra(self, name: str) -> Any:
        if name not in self._extras:
            have = ", ".join(self.available) or "none"
            raise AttributeError(f"this result has no {name}; its metric offers: {have}")
        with self._own_turn():
            extra = self._extras[name]
            if callable(extra):
                extra = extra()
                if not _is_in_range(extra):
                    extra = _OutOfRange(name)
                self._extras[name] = extra
        return extra() if isinstance(extra, _OutOfRange) else extra

    def _own_turn(self) -> threading.RLock:
        """Extras are found in what the solver left behind, which is no place for two threads; one may ask for another.

        Made when it is needed: a lock takes as long to make as a result, most of which are asked for nothing.
        """
        with _turns:
            if self._turn is None:
                self._turn = threading.RLock()
            return self._turn

    def __getstate__(self) -> dict[str, Any]:
        # Extras are closures until they are asked for: a pickle carries their values.
        extras: dict[str, Any] = {}
        for name in self._extras:
            try:
                extras[name] = self._extra(name)
            except FloatingPointError:
                extras[name] = _OutOfRange(name)
        return {
            "value": self.value,
            "converged": self.converged,
            "n_iter": self.n_iter,
            "gap": self.gap,
            "series": self.series,
            "_extras": extras,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._turn = None

    def __repr__(self) -> str:
        gap = "" if self.gap is None else f", gap={self.gap:.3g}"
        return f"Result(value={self.value!r}, converged={self.converged}, n_iter={self.n_iter}{gap})"


@dataclass(frozen=True, slots=True)
class _OutOfRange:
    """An extra that no double can hold."""

    name: str

    def __call__(self) -> Any:
        raise FloatingPointError(
            f"the {self.name} of this result leaves the range of a double for finite series; rescale their values"
        )


def _is_in_range(extra: Any) -> bool:
    """Whether numbers are numbers."""
    arrays = extra if isinstance(extra, tuple) else (extra,)
    return all(np.isfinite(array).all() for array in arrays if isinstance(array, (float, np.ndarray)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Values of a metric on k pairs, as a ``block`` function returns them.

    Parameters
    ----------
    values : array of shape (k,)
        The value of each pair.
    converged : bool array of shape (k,), optional
        None: all of them converged.
    gap : array of shape (k,), optional
        Certified bound on the error of each value, as in :class:`Result`.
    n_iter : int array of shape (k,), optional
        Iterations of each pair.
    abandoned : bool array of shape (k,), optional
        Pairs that certainly lie above their cutoff and were not solved to the end: their values mean nothing. None:
        every pair was solved.
    """

    values: FloatArray
    converged: BoolArray | None = None
    gap: FloatArray | None = None
    n_iter: IntArray | None = None
    abandoned: BoolArray | None = None


@dataclass(frozen=True, slots=True)
class GradBatch:
    """Values and gradients of a metric on k pairs, as a ``gradients`` function returns them.

    Parameters
    ----------
    values : array of shape (k,)
        The value of each pair.
    left, right : list of k arrays, optional
        The gradient of each value in the values of its left and of its right series, each shaped (T, d). None where
        the side was not asked for.
    converged : bool array of shape (k,), optional
        None: all of them converged.
    gap : array of shape (k,), optional
        Certified bound on the error of each value.
    """

    values: FloatArray
    left: list[FloatArray] | None = None
    right: list[FloatArray] | None = None
    converged: BoolArray | None = None
    gap: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class PairGradient:
    """The value of one pair with its certified error, and its gradients in both series."""

    value: float
    left: FloatArray
    right: FloatArray
    converged: bool = True
    gap: float = 0.0


def grad_batch_of(pairs: Sequence[PairGradient], side: str) -> GradBatch:
    """Gradients of single pairs side by side, of the sides asked for."""
    return GradBatch(
        np.array([pair.value for pair in pairs], dtype=np.float64),
        None if side == "right" else [pair.left for pair in pairs],
        None if side == "left" else [pair.right for pair in pairs],
        converged=np.array([pair.converged for pair in pairs], dtype=np.bool_),
        gap=np.array([pair.gap for pair in pairs], dtype=np.float64),
    )


def batch_of(results: Sequence[Result]) -> Batch:
    """Single results side by side."""
    return Batch(
        np.array([r.value for r in results], dtype=np.float64),
        converged=np.array([r.converged for r in results], dtype=np.bool_),
        gap=np.array([np.nan if r.gap is None else r.gap for r in results], dtype=np.float64),
        n_iter=np.array([r.n_iter for r in results], dtype=np.intp),
    )


def joined(parts: Sequence[Batch]) -> Batch:
    """Batches one behind the other."""
    if len(parts) == 1:
        return parts[0]

    def column(name: str, without: Any) -> Any:
        columns = [getattr(part, name) for part in parts]
        if all(known is None for known in columns):
            return None
        each = zip(parts, columns, strict=True)
        return np.concatenate([np.full(len(p.values), without) if known is None else known for p, known in each])

    return Batch(
        np.concatenate([part.values for part in parts]),
        converged=column("converged", True),
        gap=column("gap", np.nan),
        n_iter=column("n_iter", 0),
        abandoned=column("abandoned", False),
    )


def rooted(value: float, gap: float, p: float) -> tuple[float, float]:
    """The p-th root of a value, and what its gap is worth there: an error next to zero is much larger behind it."""
    if p == 1.0:
        return value, gap
    low, middle, high = (_root(max(v, 0.0), p) for v in (value - gap, value, value + gap))
    return middle, max(high - middle, middle - low)


def _root(value: float, p: float) -> float:
    # To the last digit, as NumPy's of a whole array.
    return math.sqrt(value) if p == 2.0 else value ** (1.0 / p)


def rooted_all(values: npt.ArrayLike, gaps: npt.ArrayLike, p: float) -> tuple[FloatArray, FloatArray]:
    """:func:`rooted` of many values."""
    value, gap = (np.asarray(side, dtype=np.float64) for side in (values, gaps))
    if p == 1.0:
        return value.copy(), gap.copy()
    if p == 2.0:
        with np.errstate(invalid="ignore"):
            low, middle, high = (np.sqrt(np.maximum(v, 0.0)) for v in (value - gap, value, value + gap))
            return middle, np.maximum(high - middle, middle - low)
    pairs = [rooted(v, g, p) for v, g in zip(value.tolist(), gap.tolist(), strict=True)]
    roots, slacks = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return roots, slacks


def unrooted(cutoff: FloatArray | None, p: float, pairs: int) -> FloatArray:
    """What values without the root must exceed for their roots to exceed a cutoff for certain; inf without one."""
    if cutoff is None:
        return np.full(pairs, np.inf)
    # A little above: a tie is solved to the end.
    return np.asarray(cutoff if p == 1.0 else np.maximum(cutoff, 0.0) ** p) * (1.0 + 1e-9)
