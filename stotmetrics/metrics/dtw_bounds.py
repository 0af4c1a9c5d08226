"""What softdtw and dtw share: series one behind the other, and lower bounds that cost no alignment."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..arrays import FloatArray, IntArray
from ..kernels import _envelope, _softdtw
from ..series import Series
from ..spec.prepared import PreparedSet, packed

# How many pairs the kernels align side by side, one in each lane of a vector register.
LANES = 8

# Series that are looked at in less time than it takes to choose among them.
_FEW = 100


def radius_of(band: int | None) -> int:
    """The kernels' name for no band is -1, and beyond the longest series a radius makes no difference."""
    return -1 if band is None else min(band, 2**40)


def stack(series: Sequence[Series]) -> tuple[FloatArray, IntArray]:
    """All values one behind the other, and where each series starts, with the end at the end."""
    at = np.zeros(len(series) + 1, dtype=np.intp)
    np.cumsum([member.values.shape[0] for member in series], out=at[1:])
    return np.concatenate([member.values for member in series]), at


def stacks(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray
) -> tuple[FloatArray, IntArray, FloatArray, IntArray, IntArray, IntArray]:
    """What a kernel takes of the pairs ``(left[rows[k]], right[cols[k]])``: both stacks, and the pairs counted in them.

    A kernel looks at each series of a stack once per call. Of sets that are much larger than the call only those that
    it needs are handed over.
    """
    x, x_at, rows = _used(*packed(left, stack), rows)
    y, y_at, cols = _used(*packed(right, stack), cols)
    return x, x_at, y, y_at, rows, cols


def _used(values: FloatArray, at: IntArray, chosen: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    if len(at) <= 2 * len(chosen) or len(at) <= _FEW:
        return values, at, chosen
    used, own = np.unique(chosen, return_inverse=True)
    lengths = at[used + 1] - at[used]
    own_at = np.zeros(len(used) + 1, dtype=np.intp)
    np.cumsum(lengths, out=own_at[1:])
    index = np.repeat(at[used] - own_at[:-1], lengths) + np.arange(own_at[-1])
    return values[index], own_at, np.asarray(own, dtype=np.intp)


def hard_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, band: int | None
) -> FloatArray:
    """What hard DTW costs at least on the pairs ``(left[rows[k]], right[cols[k]])``; -inf where that overflows."""
    return soft_bounds(left, right, rows, cols, 0.0, band)


def soft_bounds(
    left: Sequence[Series], right: Sequence[Series], rows: IntArray, cols: IntArray, gamma: float, band: int | None
) -> FloatArray:
    """The same for soft-DTW: where none of N alignments costs less than c, the soft minimum is at least c - γ log N."""
    (x, x_at), (y, y_at) = packed(left, stack), packed(right, stack)
    radius, low, high = radius_of(band), None, None
    # Without a band a range is found as quickly as it is read.
    if band is not None and isinstance(right, PreparedSet):
        low, high = right.kept((_envelope.envelopes, radius), lambda: _envelope.envelopes(y, y_at, radius))
    bounds = _envelope.bounds(x, x_at, y, y_at, rows, cols, radius, low, high)
    n, m = np.diff(x_at)[rows], np.diff(y_at)[cols]
    # Rounding of a sum of so many squares may lift a bound that is attained above the value.
    terms = (n + m) * x.shape[1] + 8
    bounds *= 1.0 - 4.0 * np.finfo(np.float64).eps * terms
    # Squares of differences below 1e-154 are rounded to multiples of the least number.
    bounds = np.maximum(bounds - terms * np.finfo(np.float64).smallest_subnormal, 0.0)
    if gamma > 0:
        # The same of a sum of exponentials, in units of gamma.
        rounding = 8.0 * np.finfo(np.float64).eps * (n + m)
        with np.errstate(over="ignore"):  # -inf is a bound too
            bounds -= gamma * (log_paths(n, m, band) + rounding)
    return np.where(np.isfinite(bounds), bounds, -np.inf)


# Cells in a row that take as long as the bound of its point: of hard DTW, and with exponentials.
_HARD_CELLS, _SOFT_CELLS = 32.0, 5.0


def effort_of(n: float, m: float, hard: bool, band: int | None) -> float:
    """How many times as long as its bound a pair of these lengths takes side by side with others."""
    cells = max(n, m) if band is None else min(max(n, m), 2.0 * band + max(n, m) / min(n, m))
    return cells / (_HARD_CELLS if hard else _SOFT_CELLS)


def log_paths(n: IntArray, m: IntArray, band: int | None) -> FloatArray:
    """Logarithms of the numbers of alignments of n with m points, or a little more.

    Give the steps of an alignment the weights u, v and u v, with u + v + u v = 1: those of a random walk, which comes
    by the last cell with probability D(n, m) u^(n-1) v^(m-1). So log D(n, m) <= -(n-1) log u - (m-1) log v; the u that
    makes this least gives the formula below.
    """
    a, b = np.maximum(n - 1.0, 1e-300), np.maximum(m - 1.0, 1e-300)
    logs = a * np.arcsinh(b / a) + b * np.arcsinh(a / b)
    logs = np.where((n == 1) | (m == 1), 0.0, logs * (1.0 + 1e-12))
    if band is not None:
        # A band leaves less. Counting it takes a recursion, which pays where many pairs share their lengths.
        for length in np.unique(n[n == m]):
            logs[(n == length) & (m == length)] = _log_banded_paths(int(length), band)
    return logs


@lru_cache(maxsize=256)
def _log_banded_paths(length: int, band: int) -> float:
    still = np.zeros((length, 1))
    return -_softdtw.pair_value(still, still, 1.0, radius_of(band)) * (1.0 + 1e-12)
