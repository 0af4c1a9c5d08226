"""Sets of series: a matrix with its dendrogram, a barycenter with its cluster, a nearest neighbour explained."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, real_array
from ..engine.barycenters import Barycenter
from ..engine.neighbors import kneighbors
from ..errors import InvalidParameterError
from ..series import as_series
from ..series_sets import as_dataset
from ..spec.bound import Metric, get_metric
from .pairs import plot_alignment
from .style import CLASSES, GREY, ORANGE, SHADES, axes, channel_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METHODS = ("average", "single", "complete", "weighted")


def plot_matrix(D: Any, labels: Any = None, *, ax: "Axes | None" = None, method: str = "average") -> "Axes":
    """A distance matrix, its rows in the order of a dendrogram that is drawn above it.

    Distances may be negative, and the diagonal need not be zero: the clustering looks at what lies off the diagonal,
    and these methods merge in the same order when one number is added to all of it.

    Parameters
    ----------
    D : array_like of shape (n, n)
        A symmetric matrix, as from :func:`stotmetrics.pairwise`.
    labels : sequence of n labels, optional
        A class for each series, drawn as a stripe of colours with a legend.
    ax : matplotlib axes, optional
        Where to draw the matrix; room for the dendrogram is taken from it.
    method : {"average", "single", "complete", "weighted"}, default "average"
        How clusters are merged, as :func:`scipy.cluster.hierarchy.linkage` has them. The methods that need Euclidean
        distances (``"ward"``, ``"centroid"``, ``"median"``) are not offered.

    Returns
    -------
    matplotlib axes
        Those of the matrix.

    Raises
    ------
    InvalidParameterError
        If D is no symmetric matrix of finite numbers, or labels do not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import stotmetrics
    >>> from stotmetrics.plotting import plot_matrix
    >>> D = stotmetrics.pairwise([[0.0, 1.0], [0.0, 1.1], [3.0, 0.0]], metric="softdtw", gamma=1.0)
    >>> ax = plot_matrix(D, labels=["up", "up", "down"])
    """
    from scipy.cluster.hierarchy import dendrogram, linkage

    matrix = _symmetric(D)
    if method not in METHODS:
        raise InvalidParameterError(f"method must be one of {', '.join(map(repr, METHODS))}; got {method!r}")
    kinds = _labels(labels, len(matrix))
    upper = matrix[np.triu_indices(len(matrix), 1)]
    shift = float(min(upper.min(), 0.0))
    tree = linkage(upper - shift, method=method)
    ax = axes(ax)
    # Insets are part of the axes: a layout leaves room for them.
    above = ax.inset_axes((0.0, 1.02, 1.0, 0.28))
    drawn = dendrogram(tree, ax=above, no_labels=True, color_threshold=0.0, above_threshold_color=GREY)
    order = drawn["leaves"]
    above.axis("off")
    shades = ax.imshow(matrix[np.ix_(order, order)], cmap=SHADES, aspect="auto", interpolation="nearest")
    ax.figure.colorbar(shades, cax=ax.inset_axes((1.03, 0.0, 0.04, 1.0)))
    ax.set(xticks=[], yticks=[], xlabel="series, in the order of the dendrogram")
    if kinds is not None:
        _draw_stripe(ax, ax.inset_axes((-0.06, 0.0, 0.04, 1.0)), kinds[order])
    return ax


def plot_barycenter(
    X: Any, center: Any, *, ax: "Axes | None" = None, channel: int | None = None, color: str = ORANGE
) -> "Axes":
    """A barycenter over the series that it stands for.

    Parameters
    ----------
    X : sequence of series
        See :func:`stotmetrics.as_dataset`.
    center : Barycenter, array_like of shape (T,) or (T, d), or Series
        From :func:`stotmetrics.barycenter`, or any series.
    ax : matplotlib axes, optional
        Where to draw; by default a new figure.
    channel : int, optional
        Which channel to draw of series that have several.
    color : str, default vermilion
        Of the barycenter.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        If a series cannot be used, or the channel does not exist.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import stotmetrics
    >>> from stotmetrics.plotting import plot_barycenter
    >>> X = [[0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]]
    >>> len(plot_barycenter(X, stotmetrics.barycenter(X, metric="softdtw", gamma=0.1)).lines)
    3
    """
    series = as_dataset(X, name="X")
    middle = as_series(center.values if isinstance(center, Barycenter) else center, name="center")
    ax = axes(ax)
    faint = max(0.15, min(0.6, 4.0 / len(series)))
    for i, member in enumerate(series):
        # Where lengths differ, from the first time to the last of the barycenter.
        values = channel_of(member, channel, f"X[{i}]")
        ax.plot(_stretched(len(member), len(middle)), values, color=GREY, alpha=faint, lw=1)
    ax.plot(np.arange(len(middle)), channel_of(middle, channel, "center"), color=color, linewidth=2.5)
    ax.set(xlabel="time")
    return ax


def plot_neighbor(
    query: Any,
    X: Any,
    labels: Any = None,
    metric: Metric = "tiot",
    *,
    ax: "Axes | None" = None,
    channel: int | None = None,
    **params: Any,
) -> "Axes":
    """Why a query has the neighbour that it has: the two series, what is matched, the distance, and the weight.

    Parameters
    ----------
    query : array_like of shape (T,) or (T, d), or Series
        The series asked about.
    X : sequence of series
        The training set.
    labels : sequence of labels, optional
        A class for each training series. Then the distance to the nearest series of another class is told too: the
        nearer it is, the less certain is the answer.
    metric : str, MetricSpec or BoundMetric, default "tiot"
        A metric that has a plan or an alignment.
    ax : matplotlib axes, optional
        Where to draw; by default a new figure.
    channel : int, optional
        Which channel to draw of series that have several.
    **params
        Parameters of the metric.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        If a series cannot be used, the metric has nothing to draw, or labels do not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from stotmetrics.plotting import plot_neighbor
    >>> X = [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0]]
    >>> plot_neighbor([0.0, 0.0, 1.0, 0.1], X, ["bump", "bump", "dip"]).get_title().splitlines()[0]
    'nearest: X[0], bump'
    """
    series = as_dataset(X, name="X")
    kinds = _labels(labels, len(series))
    bound = get_metric(metric, **params)
    asked = as_series(query, name="query")
    nearest = int(kneighbors(series, [asked], bound).indices[0, 0])
    result = bound.solve(asked, series[nearest])
    ax = plot_alignment(result, asked, series[nearest], ax=ax, channel=channel)
    said = [f"{bound.name} = {result.value:.4g}"]
    if "w" in result.available:
        said.append(f"w = {result.w:.2f}")
    name = f"X[{nearest}]"
    if kinds is not None:
        name += f", {kinds[nearest]}"
        others = np.flatnonzero(kinds != kinds[nearest])
        if len(others):
            second = kneighbors([series[i] for i in others], [asked], bound)
            rival = int(others[second.indices[0, 0]])
            said.append(f"next class: {kinds[rival]}, {second.distances[0, 0]:.4g}")
    ax.set_title(f"nearest: {name}\n{', '.join(said)}", fontsize="medium")
    for line, label in zip(ax.lines, ("query", name), strict=True):
        line.set_label(label)
    ax.legend(loc="best", frameon=False)
    return ax


def _symmetric(D: Any) -> FloatArray:
    matrix = real_array(D, "D")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise InvalidParameterError(f"D must be a square matrix of two series or more; got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InvalidParameterError("D must hold finite numbers; a matrix that is still being written holds NaN")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * float(np.abs(matrix).max())):
        raise InvalidParameterError("D must be symmetric; pass (D + D.T) / 2 where the difference does not matter")
    return np.asarray((matrix + matrix.T) / 2, dtype=np.float64)


def _labels(labels: Any, n: int) -> Any:
    if labels is None:
        return None
    kinds = np.asarray(labels)
    if kinds.shape != (n,):
        raise InvalidParameterError(f"labels must be {n}, one for each series; got shape {kinds.shape}")
    return kinds


def _draw_stripe(ax: "Axes", side: "Axes", kinds: Any) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    classes, codes = np.unique(kinds, return_inverse=True)
    many = len(classes) > len(CLASSES)
    colors = colormaps[SHADES](np.linspace(0, 1, len(classes))) if many else CLASSES[: len(classes)]
    side.imshow(codes[:, None], cmap=ListedColormap(colors), aspect="auto", vmin=-0.5, vmax=len(classes) - 0.5)
    side.set(xticks=[], yticks=[])
    patches = [Patch(color=color, label=str(kind)) for color, kind in zip(colors, classes, strict=True)]
    ax.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=4, frameon=False)


def _stretched(length: int, onto: int) -> FloatArray:
    return np.linspace(0.0, onto - 1.0, length) if length > 1 else np.zeros(1, dtype=np.float64)
