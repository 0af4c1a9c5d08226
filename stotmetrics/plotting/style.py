"""What every picture shares: axes, colours that all eyes tell apart and that differ in print, links between points."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, real_array
from ..errors import InvalidParameterError
from ..series import Series, as_series
from ..spec.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008); the first two differ in lightness too.
BLUE, ORANGE, GREEN, PINK, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#7F7F7F"
CLASSES = (BLUE, ORANGE, GREEN, PINK, SKY, "#E69F00", "#000000")

# The same order in grey as in colour.
SHADES = "cividis"

# x is solid and y is dashed, whatever the colours.
X_LINE: dict[str, Any] = {"color": BLUE, "linestyle": "-", "linewidth": 1.8}
Y_LINE: dict[str, Any] = {"color": ORANGE, "linestyle": (0, (5, 1)), "linewidth": 1.8}

# Channels that are drawn one by one; of more, their sum.
MOST_CHANNELS = 6


def axes(ax: "Axes | None") -> "Axes":
    """The axes that were given, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'stotmetrics[plot]'") from error
    return plt.subplots(layout="constrained")[1]


def pair_of(result: Any, x: Any, y: Any) -> tuple[Series, Series]:
    """The two series that were given, or else those that the result is about."""
    if (x is None) != (y is None):
        raise InvalidParameterError(f"x and y belong together; got only {'y' if x is None else 'x'}")
    if x is not None:
        return as_series(x, name="x"), as_series(y, name="y")
    known = result.series if isinstance(result, Result) else None
    if known is None:
        raise InvalidParameterError("x and y must be given: only a result of solve(...) knows its series")
    return known


def matrix_of(result: Any, *names: str) -> FloatArray:
    """A matrix that was given, or the first of these that the result has."""
    if not isinstance(result, Result):
        matrix = real_array(result, "result")
        if matrix.ndim != 2 or matrix.size == 0:
            raise InvalidParameterError(
                f"result must be a Result of solve(...) or a matrix of shape (n, m); got shape {matrix.shape}"
            )
        return matrix
    for name in names:
        if name in result.available:
            return np.asarray(getattr(result, name), dtype=np.float64)
    have = ", ".join(result.available) or "none"
    raise InvalidParameterError(f"result must have {' or '.join(names)}; its metric offers: {have}")


def check_shape(matrix: FloatArray, x: Series, y: Series) -> None:
    """Refuse a matrix that is not about these two series."""
    if matrix.shape != (len(x), len(y)):
        raise InvalidParameterError(
            f"x and y must have as many times as the matrix has rows and columns, {matrix.shape}; "
            f"got {len(x)} and {len(y)}"
        )


def channel_of(series: Series, channel: int | None, name: str) -> FloatArray:
    """The values of one channel, (T,)."""
    if channel is None:
        if series.dim > 1:
            raise InvalidParameterError(
                f"channel must be given, from 0 to {series.dim - 1}: {name} has {series.dim} channels, "
                "and links join points of one curve"
            )
        channel = 0
    if not (isinstance(channel, (int, np.integer)) and 0 <= channel < series.dim):
        raise InvalidParameterError(f"channel must be an integer from 0 to {series.dim - 1}; got {channel!r}")
    return series.values[:, channel]


def curves_of(series: Series) -> FloatArray:
    """What is drawn beside a matrix: the channels, or the total of a frame, (T, k)."""
    if series.frame_shape is None and series.dim <= MOST_CHANNELS:
        return series.values
    return series.values.sum(axis=1, keepdims=True)


def strongest(matrix: FloatArray, threshold: float, most: int) -> tuple[Any, Any, FloatArray]:
    """Rows, columns and strength in (0, 1] of the entries worth drawing, the strongest last."""
    if not (np.isreal(threshold) and 0 <= threshold < 1):
        raise InvalidParameterError(f"threshold must be a number from 0 to below 1; got {threshold!r}")
    top = float(matrix.max())
    if top <= 0:
        none = np.empty(0, dtype=np.intp)
        return none, none, np.empty(0)
    rows, cols = np.nonzero(matrix > threshold * top)
    strength = matrix[rows, cols] / top
    order = np.argsort(strength, kind="stable")[-most:]
    return rows[order], cols[order], strength[order]


def draw_links(ax: "Axes", starts: FloatArray, ends: FloatArray, strength: FloatArray, **how: Any) -> None:
    """Lines between points (k, 2), the stronger the darker and the wider."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    colors = np.tile(to_rgba(how.pop("color", GREY)), (len(strength), 1))
    colors[:, 3] = 0.15 + 0.75 * strength
    lines = np.stack([starts, ends], axis=1)
    ax.add_collection(
        LineCollection(list(lines), colors=colors, linewidths=0.4 + 0.8 * strength, zorder=how.pop("zorder", 1), **how)
    )
