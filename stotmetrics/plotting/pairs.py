"""One pair of series: links, cost matrices, expected alignments."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InvalidParameterError
from ..series import Series
from ..spec.result import Result
from .style import (
    ORANGE,
    SHADES,
    X_LINE,
    Y_LINE,
    axes,
    channel_of,
    check_shape,
    curves_of,
    draw_links,
    matrix_of,
    pair_of,
    strongest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("links", "cost", "alignment")


def plot_result(result: Result, kind: str | None = None, *, ax: "Axes | None" = None, **how: Any) -> "Axes":
    """Draw what a result knows about its two series; :meth:`stotmetrics.Result.plot` is the same.

    Parameters
    ----------
    result : Result
        From :func:`stotmetrics.solve`.
    kind : {"links", "cost", "alignment"}, optional
        :func:`plot_alignment`, :func:`plot_cost_matrix` or :func:`plot_expected_alignment`. By default links between
        series of one channel, and the cost matrix of others.
    ax : matplotlib axes, optional
        Where to draw; by default a new figure.
    **how
        Passed on.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidParameterError
        If the kind is unknown, or the metric does not offer what it draws.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import stotmetrics
    >>> from stotmetrics.plotting import plot_result
    >>> result = stotmetrics.solve([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], metric="tiot")
    >>> plot_result(result).get_xlabel()
    'time'
    """
    if kind is None:
        single = result.series is not None and all(series.dim == 1 for series in result.series)
        kind = "links" if single else "cost"
    plots = (plot_alignment, plot_cost_matrix, plot_expected_alignment)
    drawings: dict[str, Callable[..., Axes]] = dict(zip(KINDS, plots, strict=True))
    if kind not in drawings:
        raise InvalidParameterError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}")
    return drawings[kind](result, ax=ax, **how)


def plot_alignment(
    result: Any,
    x: Any = None,
    y: Any = None,
    *,
    ax: "Axes | None" = None,
    channel: int | None = None,
    offset: float | None = None,
    threshold: float = 0.1,
    max_links: int = 500,
) -> "Axes":
    """Two series one above the other, with lines between the times that are matched.

    Parameters
    ----------
    result : Result or array_like of shape (n, m)
        A result of :func:`stotmetrics.solve` whose metric has a plan or an alignment, or such a matrix.
    x, y : array_like of shape (T,) or (T, d), or Series, optional
        The two series; by default those of the result.
    ax : matplotlib axes, optional
        Where to draw; by default a new figure.
    channel : int, optional
        Which channel to draw of series that have several.
    offset : float, optional
        How far x is lifted above y, in the unit of the values; by default so far that they do not touch.
    threshold : float, default 0.1
        Entries below this share of the largest are not drawn.
    max_links : int, default 500
        Of more, the strongest are drawn.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidParameterError
        If the result has neither a plan nor an alignment, or the series do not fit it.

    References
    ----------
    Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025, Figure 1.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import stotmetrics
    >>> from stotmetrics.plotting import plot_alignment
    >>> result = stotmetrics.solve([0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0], metric="softdtw", gamma=0.1)
    >>> len(plot_alignment(result).lines)
    2
    """
    coupling = matrix_of(result, "plan", "alignment")
    left, right = pair_of(result, x, y)
    check_shape(coupling, left, right)
    upper, lower = channel_of(left, channel, "x"), channel_of(right, channel, "y")
    if offset is None:
        offset = float(lower.max() - upper.min()) + 0.25 * float(max(np.ptp(upper), np.ptp(lower), 1e-300))
    ax = axes(ax)
    rows, cols, strength = strongest(coupling, threshold, max_links)
    starts = np.stack([left.times[rows], upper[rows] + offset], axis=1)
    ends = np.stack([right.times[cols], lower[cols]], axis=1)
    draw_links(ax, starts, ends, strength)
    ax.plot(left.times, upper + offset, label="x", **X_LINE)
    ax.plot(right.times, lower, label="y", **Y_LINE)
    ax.set(xlabel="time", yticks=[])
    ax.legend(loc="best", frameon=False)
    return ax


def plot_cost_matrix(
    result: Any,
    x: Any = None,
    y: Any = None,
    *,
    ax: "Axes | None" = None,
    coupling: Any = None,
    threshold: float = 0.1,
) -> "Axes":
    """The cost matrix of two series, the alignment or plan on it, and the series on its sides.

    Parameters
    ----------
    result : Result or array_like of shape (n, m)
        A result whose metric has a cost matrix, or the matrix. Of a result without one, the plan is shaded.
    x, y : array_like, or Series, optional
        The series for the left and the upper side; by default those of the result.
    ax : matplotlib axes, optional
        Where to draw the matrix; room for the sides is taken from it.
    coupling : array_like of shape (n, m), optional
        What is drawn on the cost; by default the alignment or plan of the result.
    threshold : float, default 0.1
        Entries of the coupling below this share of the largest are not drawn.

    Returns
    -------
    matplotlib axes
        Those of the matrix.

    Raises
    ------
    InvalidParameterError
        If the result has no matrix, or the series do not fit it.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import stotmetrics
    >>> from stotmetrics.plotting import plot_cost_matrix
    >>> result = stotmetrics.solve([0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0], metric="dtw")
    >>> plot_cost_matrix(result).get_title()
    'cost'
    """
    name = next((n for n in ("cost", "plan") if isinstance(result, Result) and n in result.available), "cost")
    matrix = matrix_of(result, name)
    if coupling is None and isinstance(result, Result) and name == "cost":
        coupling = next((getattr(result, n) for n in ("alignment", "plan") if n in result.available), None)
    ax = _sided(matrix, result, x, y, ax, name)
    if coupling is not None:
        on_top = matrix_of(coupling)
        if on_top.shape != matrix.shape:
            raise InvalidParameterError(f"coupling must have the shape of the cost, {matrix.shape}; got {on_top.shape}")
        rows, cols, strength = strongest(on_top, threshold, on_top.size)
        # White around each spot: seen on the darkest cells and on the brightest.
        spots = ax.scatter(cols, rows, s=18 * strength + 2, color=ORANGE, edgecolors="white", linewidths=0.4, zorder=3)
        spots.set_alpha(np.clip(0.25 + 0.75 * strength, 0, 1).tolist())
    return ax


def plot_expected_alignment(result: Any, x: Any = None, y: Any = None, *, ax: "Axes | None" = None) -> "Axes":
    """How likely each pair of times is matched, as shades, with the series on the sides.

    Parameters
    ----------
    result : Result or array_like of shape (n, m)
        A result whose metric has an alignment or a plan, or such a matrix.
    x, y : array_like, or Series, optional
        The series for the left and the upper side; by default those of the result.
    ax : matplotlib axes, optional
        Where to draw the matrix; room for the sides is taken from it.

    Returns
    -------
    matplotlib axes
        Those of the matrix.

    Raises
    ------
    InvalidParameterError
        If the result has neither, or the series do not fit it.

    References
    ----------
    Cuturi, Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017, Figure 2.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import stotmetrics
    >>> from stotmetrics.plotting import plot_expected_alignment
    >>> result = stotmetrics.solve([0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0], metric="softdtw", gamma=1.0)
    >>> plot_expected_alignment(result).get_title()
    'expected alignment'
    """
    has_plan = isinstance(result, Result) and "alignment" not in result.available
    matrix = matrix_of(result, "alignment", "plan")
    return _sided(matrix, result, x, y, ax, "plan" if has_plan else "expected alignment")


def _sided(matrix: FloatArray, result: Any, x: Any, y: Any, ax: "Axes | None", title: str) -> "Axes":
    """A shaded matrix, a row for each time of x and a column for each of y, with the series on its sides if known."""
    known = x is not None or y is not None or (isinstance(result, Result) and result.series is not None)
    series = pair_of(result, x, y) if known else None
    if series is not None:
        check_shape(matrix, *series)
    ax = axes(ax)
    # A match that is forbidden has an infinite cost: it stays white.
    ax.imshow(np.where(np.isfinite(matrix), matrix, np.nan), cmap=SHADES, aspect="auto", interpolation="nearest")
    if series is None:
        ax.set(title=title, xlabel="times of y", ylabel="times of x")
    else:
        _draw_sides(ax, *series, title)
    return ax


def _draw_sides(ax: "Axes", left: Series, top: Series, title: str) -> None:
    # Insets are part of the axes: a layout leaves room for them.
    above = ax.inset_axes((0.0, 1.03, 1.0, 0.28), sharex=ax)
    beside = ax.inset_axes((-0.31, 0.0, 0.28, 1.0), sharey=ax)
    above.plot(np.arange(len(top)), curves_of(top), **Y_LINE)
    beside.plot(-curves_of(left), np.arange(len(left)), **X_LINE)
    for side in (above, beside):
        side.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        side.spines[:].set_visible(False)
    ax.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    ax.set(title=title, xlabel="times of y")
    ax.title.set_visible(False)
    above.set_title(title)
    beside.set_ylabel("times of x")
