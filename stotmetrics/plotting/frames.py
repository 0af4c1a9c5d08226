"""Frames of mass over space, and the plan that moves one onto another: on pixels and on meshes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, real_array
from ..errors import InvalidParameterError
from .style import ORANGE, SHADES, axes, strongest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_frame_plan(
    plan: Any,
    a: Any,
    b: Any,
    *,
    ax: "Axes | None" = None,
    threshold: float = 0.1,
    max_links: int = 300,
) -> "Axes":
    """Two frames of pixels, and arrows for the mass that moves from the one to the other.

    Parameters
    ----------
    plan : array_like of shape (H W, H W)
        Mass moved from each pixel of ``a`` (row) to each of ``b``, pixels row by row, as
        :func:`stotmetrics.transport.sinkhorn_unbalanced` returns it.
    a, b : array_like of shape (H, W)
        The frame before, as shades, and after, as contours.
    ax : matplotlib axes, optional
        Where to draw; by default a new figure.
    threshold : float, default 0.1
        Entries of the plan below this share of the largest are not drawn.
    max_links : int, default 300
        Of more, the strongest are drawn.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidParameterError
        If the shapes do not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from stotmetrics.plotting import plot_frame_plan
    >>> a, b = np.zeros((4, 4)), np.zeros((4, 4))
    >>> a[0, 0] = b[3, 3] = 1.0
    >>> plan = np.outer(a, b)
    >>> plot_frame_plan(plan, a, b).get_aspect()
    1.0
    """
    moved, before, after = real_array(plan, "plan"), real_array(a, "a"), real_array(b, "b")
    if before.ndim != 2 or before.shape != after.shape:
        raise InvalidParameterError(f"a and b must be frames of one shape (H, W); got {before.shape}, {after.shape}")
    if moved.shape != (before.size, before.size):
        raise InvalidParameterError(
            f"plan must have a row and a column for each of the {before.size} pixels; got shape {moved.shape}"
        )
    ax = axes(ax)
    ax.imshow(before, cmap=SHADES, interpolation="nearest")
    if np.ptp(after) > 0 and min(after.shape) > 1:
        ax.contour(after, levels=3, colors="white", linewidths=0.8)
    rows, cols = np.indices(before.shape)
    points = np.stack([cols.ravel(), rows.ravel()], axis=1).astype(np.float64)
    _draw_arrows(ax, points, moved, threshold, max_links)
    ax.set(xticks=[], yticks=[])
    return ax


def plot_mesh(
    vertices: Any,
    faces: Any,
    values: Any,
    *,
    plan: Any = None,
    ax: "Axes | None" = None,
    elevation: float = 20.0,
    azimuth: float = -60.0,
    threshold: float = 0.1,
    max_links: int = 300,
) -> "Axes":
    """Values on the vertices of a mesh, seen from one side, with arrows for the mass that a plan moves.

    Parameters
    ----------
    vertices : array_like of shape (P, 3)
        Coordinates.
    faces : array_like of int, shape (F, 3)
        The corners of each triangle.
    values : array_like of shape (P,)
        A frame: one value for each vertex.
    plan : array_like of shape (P, P), optional
        Mass moved from each vertex (row) to each. Arrows from or to the far side are not drawn.
    ax : matplotlib axes, optional
        Where to draw (ordinary axes, not 3-D ones); by default a new figure.
    elevation, azimuth : float, default 20 and -60
        Where it is seen from, in degrees above the xy-plane and around the z-axis.
    threshold, max_links
        See :func:`plot_frame_plan`.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InvalidParameterError
        If the shapes do not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from stotmetrics.plotting import plot_mesh
    >>> corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> ax = plot_mesh(corners, [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]], [0.0, 1.0, 2.0, 3.0])
    """
    from matplotlib.collections import PolyCollection

    points, mass = real_array(vertices, "vertices"), real_array(values, "values")
    corners = _faces(faces, points, mass)
    flat, depth = _seen_from(points, elevation, azimuth)
    # From back to front, so that what is near covers what is far.
    order = np.argsort(depth[corners].mean(axis=1), kind="stable")
    ax = axes(ax)
    skin = PolyCollection(flat[corners[order]], array=mass[corners[order]].mean(axis=1), cmap=SHADES)
    skin.set(edgecolor="face", linewidth=0.3, clim=(float(mass.min()), float(mass.max())))
    ax.add_collection(skin)
    if plan is not None:
        moved = real_array(plan, "plan")
        if moved.shape != (len(points), len(points)):
            raise InvalidParameterError(
                f"plan must have a row and a column for each of the {len(points)} vertices; got shape {moved.shape}"
            )
        near = depth >= np.median(depth)
        _draw_arrows(ax, flat, np.where(near[:, None] & near[None, :], moved, 0.0), threshold, max_links)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.axis("off")
    return ax


def _faces(faces: Any, points: FloatArray, mass: FloatArray) -> Any:
    corners = np.asarray(faces)
    if points.ndim != 2 or points.shape[1] != 3:
        raise InvalidParameterError(f"vertices must be coordinates of shape (P, 3); got shape {points.shape}")
    if corners.ndim != 2 or corners.shape[1] != 3 or corners.dtype.kind not in "iu":
        raise InvalidParameterError(f"faces must be integers of shape (F, 3); got {corners.dtype}, {corners.shape}")
    if corners.min() < 0 or corners.max() >= len(points):
        raise InvalidParameterError(f"faces must name vertices from 0 to {len(points) - 1}; got up to {corners.max()}")
    if mass.shape != (len(points),):
        raise InvalidParameterError(f"values must be {len(points)} numbers, one a vertex; got shape {mass.shape}")
    return corners


def _seen_from(points: FloatArray, elevation: float, azimuth: float) -> tuple[FloatArray, FloatArray]:
    """Coordinates on the screen, (P, 2), and how near to the eye each point is."""
    up, around = np.deg2rad(elevation), np.deg2rad(azimuth)
    eye = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    right = np.array([-np.sin(around), np.cos(around), 0.0])
    return points @ np.stack([right, np.cross(eye, right)], axis=1), points @ eye


def _draw_arrows(ax: "Axes", points: FloatArray, plan: FloatArray, threshold: float, most: int) -> None:
    # What stays is no arrow, and must not hide what moves.
    moving = np.where(np.eye(len(plan), dtype=np.bool_), 0.0, plan)
    rows, cols, strength = strongest(moving, threshold, most)
    if len(rows):
        start, way = points[rows], points[cols] - points[rows]
        arrows = ax.quiver(
            *start.T, *way.T, angles="xy", scale_units="xy", scale=1.0, color=ORANGE, width=0.004, zorder=3
        )
        arrows.set_alpha((0.25 + 0.75 * strength).tolist())
