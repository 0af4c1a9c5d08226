"""The game of TiOT: transport as a function of the weight of the values."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import is_integer
from ..errors import InvalidParameterError
from ..spec.bound import get_metric
from .style import BLUE, GREY, ORANGE, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_weight(
    x: Any, y: Any, metric: str = "tiot", *, ax: "Axes | None" = None, n_weights: int = 41, **params: Any
) -> "Axes":
    """Transport at each fixed weight w of the values against the times, and the weight that TiOT takes.

    The curve is concave, and piecewise linear without entropy; TiOT, without its root, is its highest point.

    Parameters
    ----------
    x, y : array_like of shape (T,) or (T, d), or Series
        Two series.
    metric : {"tiot", "etiot"}, default "tiot"
        Exact, or with entropic regularisation: then the regularised objective is drawn.
    ax : matplotlib axes, optional
        Where to draw; by default a new figure.
    n_weights : int, default 41
        How many weights are tried.
    **params
        Parameters of the metric, such as ``p``, ``standardize`` or ``epsilon``.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidParameterError
        If the metric is another one, or a parameter is out of its range.

    References
    ----------
    Nguyen, Chu, Toh. Time-integrated Optimal Transport: A Robust Minimax Framework. 2025, Definition 2.1.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from stotmetrics.plotting import plot_weight
    >>> plot_weight([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]).get_xlabel()
    'weight w of the values'
    """
    if metric not in ("tiot", "etiot"):
        raise InvalidParameterError(f"metric must be 'tiot' or 'etiot', which choose a weight; got {metric!r}")
    if not (is_integer(n_weights) and n_weights >= 2):
        raise InvalidParameterError(f"n_weights must be an integer >= 2; got {n_weights!r}")
    bound = get_metric(metric, **params)
    result = bound.solve(x, y)
    fixed = {"p": bound.params.p, "standardize": bound.params.standardize}
    if metric == "etiot":
        fixed["epsilon"] = bound.params.epsilon
    weights = np.unique([*np.linspace(0.0, 1.0, n_weights), result.w])
    heights = [get_metric("taot", w=float(w), **fixed).solve(x, y).objective for w in weights]
    ax = axes(ax)
    ax.plot(weights, heights, color=BLUE, linewidth=1.8)
    ax.plot([result.w], [result.objective], "o", color=ORANGE, markersize=8, zorder=3)
    ax.axvline(result.w, color=GREY, linewidth=0.8, linestyle=":")
    ax.annotate(
        f"w* = {result.w:.3f}",
        (result.w, result.objective),
        textcoords="offset points",
        xytext=(8 if result.w < 0.6 else -8, -16),
        ha="left" if result.w < 0.6 else "right",
    )
    ax.set(xlabel="weight w of the values", ylabel="transport at fixed w", xlim=(-0.02, 1.02))
    ax.margins(y=0.12)
    return ax
