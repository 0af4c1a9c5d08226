"""Series as weighted clouds of (value, time) atoms, and the two cost matrices between clouds.

What taot, tiot and etiot share. A coupling moves all the mass of one cloud onto the other, so the weights of each
series are divided by their sum: only their proportions matter. Atoms of weight zero take no part in any coupling;
they are left out here and return as zero rows of a plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..kernels._clouds import Stack
from ..series import Series


@dataclass(frozen=True, eq=False)
class Cloud:
    """The atoms of one series that carry mass.

    Parameters
    ----------
    values : array of shape (n, d)
        Standardised values, C-contiguous.
    times : array of shape (n,)
        Standardised times, increasing.
    weights : array of shape (n,)
        Positive masses that sum to one.
    support : array of shape (n,)
        The index of each atom in its series.
    all_values : array of shape (T, d)
        The values of the whole series, atoms of weight zero included.
    all_times : array of shape (T,)
        The times of the whole series.
    order : array of shape (n,)
        The atoms in increasing order of their first feature.
    uniform : bool
        Whether all atoms have the same mass.
    deviations : array of shape (d,), optional
        What the values were divided by, inf for a constant feature; None if they are as given.
    """

    values: FloatArray
    times: FloatArray
    weights: FloatArray
    support: IntArray
    all_values: FloatArray
    all_times: FloatArray
    order: npt.NDArray[np.intc]
    uniform: bool
    deviations: FloatArray | None = None

    @property
    def size(self) -> int:
        """Number of atoms."""
        return len(self.times)

    @property
    def length(self) -> int:
        """The length of the series."""
        return len(self.all_times)

    @cached_property
    def low(self) -> FloatArray:
        """The least value of each feature, then the first time, shape (d + 1,)."""
        return np.append(self.values.min(axis=0), self.times[0])

    @cached_property
    def high(self) -> FloatArray:
        """The largest value of each feature, then the last time, shape (d + 1,)."""
        return np.append(self.values.max(axis=0), self.times[-1])

    @cached_property
    def sorted_values(self) -> tuple[FloatArray, FloatArray]:
        """Every feature in increasing order, shape (d, n), and the masses in the same orders."""
        orders = np.argsort(self.values.T, axis=1, kind="stable")
        return np.take_along_axis(self.values.T, orders, axis=1), self.weights[orders]


# Differences of larger numbers may leave the range of a double.
_HUGE = 2.0**1022
# Cells of a matrix that are filled at once.
_AT_ONCE = 2**22
# Squares between these keep all their digits.
_SMALL, _LARGE = 2.0**-900, 2.0**900


def prepare_cloud(series: Series, standardize: bool) -> Cloud:
    """The cloud of a series; with ``standardize``, values (per feature) and times are z-scored first."""
    values, times, weights, deviations = series.values, series.times, series.weights, None
    if standardize:
        values, deviations = zscore_and_deviations(values)
        times = zscore(times[:, None], exact=True)[:, 0]
    support = np.flatnonzero(weights > 0)
    mass = weights[support]
    # Dividing by the largest first keeps the sum finite whatever the scale of the weights.
    mass = mass / mass.max()
    return Cloud(
        values=np.ascontiguousarray(values[support]),
        times=np.ascontiguousarray(times[support]),
        weights=mass / mass.sum(),
        support=support,
        all_values=values,
        all_times=times,
        order=np.argsort(values[support, 0], kind="stable").astype(np.intc),
        uniform=bool((mass == 1.0).all()),
        deviations=deviations,
    )


def stack_clouds(clouds: Sequence[Cloud]) -> Stack:
    """The clouds one behind the other, for kernels that solve many pairs in one call."""
    at = np.array([0, *accumulate(cloud.size for cloud in clouds)], dtype=np.intp)
    each = [(cloud.values, cloud.times, cloud.weights, cloud.order) for cloud in clouds]
    values, times, weights, order = each[0] if len(each) == 1 else map(np.concatenate, zip(*each, strict=True))
    return Stack(values, times, weights, order, at, np.array([cloud.uniform for cloud in clouds], dtype=np.uint8))


def zscore(columns: FloatArray, exact: bool = False) -> FloatArray:
    """Zero mean and unit population standard deviation of every column; a constant column becomes zero.

    A deviation of a few last digits counts as constant, unless the columns are said to be exact, as times are.
    """
    return zscore_and_deviations(columns, exact)[0]


def zscore_and_deviations(columns: FloatArray, exact: bool = False) -> tuple[FloatArray, FloatArray]:
    """:func:`zscore`, and the standard deviations in the unit of the columns: inf where a column is constant."""
    unit = 1.0
    with np.errstate(under="ignore"):
        largest = np.abs(columns).max(axis=0)
        if (largest > _HUGE).any():  # differences leave the range of a double; a power of two loses nothing
            columns, largest, unit = columns / 4.0, largest / 4.0, 4.0
        # Centred first, by differences from the first row: whatever offset all rows share is gone before anything is
        # rounded, as that of times counted from 1970 in microseconds.
        shifted = columns - columns[0]
        # Scaled by the largest difference next: squares of huge or tiny ones leave the range of a double.
        spread = np.abs(shifted).max(axis=0)
        scaled = shifted / np.where(spread > 0, spread, 1.0)
        centred = scaled - scaled.mean(axis=0)
        deviation = np.sqrt((centred**2).mean(axis=0))
        # Rounding alone leaves a deviation of a few last digits in a column that is constant.
        constant = deviation * spread <= (0.0 if exact else 8 * np.finfo(np.float64).eps) * largest
        with np.errstate(over="ignore"):
            own = np.where(constant, np.inf, unit * (deviation * spread))
        return np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation)), own


def cost_matrices(x: Cloud, y: Cloud, p: float) -> tuple[FloatArray, FloatArray]:
    """``A[i, j] = |x_i - y_j|**p`` between the values and ``B[i, j] = |t_i - s_j|**p`` between the times."""
    return powers(x.values, y.values, p), powers(x.times[:, None], y.times[:, None], p)


def powers(x: FloatArray, y: FloatArray, p: float) -> FloatArray:
    """Euclidean distances between the rows of x and of y, to the power p; inf beyond the range of a double."""
    rows = max(1, _AT_ONCE // len(y))
    # What underflows is zero next to the largest entry, and what overflows is told by the caller.
    with np.errstate(all="ignore"):
        scale = 1.0 if x.shape[1] == 1 else _scale_of_squares(x, y)
        if len(x) <= rows:
            return _powers(x, y, p, scale)
        # Some rows at a time: between two of them Ctrl-C is heard, and no second matrix is held.
        whole = np.empty((len(x), len(y)))
        for start in range(0, len(x), rows):
            whole[start : start + rows] = _powers(x[start : start + rows], y, p, scale)
        return whole


def _powers(x: FloatArray, y: FloatArray, p: float, scale: float) -> FloatArray:
    if x.shape[1] == 1:
        distance = np.abs(x - y.T)
        return distance * distance if p == 2.0 else distance**p
    # One difference per feature, not a product of norms: d(x, x) must come out as exactly 0.
    squared = _squared(x, y, scale)
    power = squared if p == 2.0 else squared ** (p / 2.0)
    return power if scale == 1.0 else power * np.float64(scale) ** p


def _scale_of_squares(x: FloatArray, y: FloatArray) -> float:
    """1, or where squares of differences leave the range that distances keep, a power of two that brings them back."""
    reach = np.maximum(x.max(axis=0), y.max(axis=0)) - np.minimum(x.min(axis=0), y.min(axis=0))
    if _SMALL < float(reach @ reach) < _LARGE:
        return 1.0
    farthest = float(reach.max(initial=0.0))
    return 2.0 ** float(np.floor(np.log2(farthest))) if 0.0 < farthest < np.inf else 1.0


def _squared(x: FloatArray, y: FloatArray, scale: float) -> FloatArray:
    squared = np.zeros((len(x), len(y)))
    for column in range(x.shape[1]):
        difference = x[:, column, None] - y[None, :, column]
        squared += (difference if scale == 1.0 else difference / scale) ** 2
    return squared


def spread_plan(plan: FloatArray, x: Cloud, y: Cloud) -> FloatArray:
    """The plan between two clouds as a plan between their series: zero where an atom has no mass."""
    full = np.zeros((x.length, y.length))
    full[np.ix_(x.support, y.support)] = plan
    return full


def dense_plan(coupling: tuple[IntArray, IntArray, FloatArray], x: Cloud, y: Cloud) -> FloatArray:
    """The plan between two clouds from its rows, columns and masses."""
    rows, columns, masses = coupling
    plan = np.zeros((x.size, y.size))
    plan[rows, columns] = masses
    return plan


def spread_pairs(coupling: tuple[IntArray, IntArray, FloatArray], x: Cloud, y: Cloud) -> IntArray:
    """The pairs of times (k, 2) of two series between which a coupling of their clouds moves mass."""
    rows, columns, _ = coupling
    return np.stack([x.support[rows], y.support[columns]], axis=1)


def spread_cost(x: Cloud, y: Cloud, cost: Callable[[FloatArray, FloatArray], FloatArray], p: float) -> FloatArray:
    """``cost(A, B)`` between all atoms of two series, those without mass too."""
    A = powers(x.all_values, y.all_values, p)
    return cost(A, powers(x.all_times[:, None], y.all_times[:, None], p))


def spread_potentials(
    f: FloatArray,
    g: FloatArray,
    x: Cloud,
    y: Cloud,
    cost: Callable[[FloatArray, FloatArray], FloatArray],
    p: float,
    epsilon: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """The potentials between two clouds as potentials between their series.

    The dual says nothing about an atom without mass; it gets the (soft) minimum that the condition of optimality gives
    an atom of however little mass. ``cost(A, B)`` mixes the two cost matrices.
    """
    if x.length == x.size and y.length == y.size:
        return f, g
    C = spread_cost(x, y, cost, p)
    f_all, g_all = np.empty(x.length), np.empty(y.length)
    f_all[:] = _soft_minimum(C[:, y.support] - g, y.weights, epsilon)
    f_all[x.support] = f
    if epsilon == 0:
        # Against all of x, so that the dual stays feasible between two atoms without mass.
        g_all[:] = (C - f_all[:, None]).min(0)
    else:
        g_all[:] = _soft_minimum((C[x.support] - f[:, None]).T, x.weights, epsilon)
    g_all[y.support] = g
    return f_all, g_all


def _soft_minimum(slack: FloatArray, weights: FloatArray, epsilon: float) -> FloatArray:
    """``-epsilon log sum_j weights_j exp(-slack_ij / epsilon)``, and the minimum at its limit."""
    least = slack.min(axis=1)
    if epsilon == 0:
        return least
    with np.errstate(over="ignore", under="ignore"):  # far above the least there is nothing
        shares = np.exp(-(slack - least[:, None]) / epsilon)
        return least - epsilon * np.log(shares @ weights)
