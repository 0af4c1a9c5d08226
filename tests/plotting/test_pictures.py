"""Every picture beside the one that a person has looked at.

``tox -e plots`` compares. ``tox -e plots -- --mpl-generate-path=tests/plotting/baseline`` makes new ones to look at.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.spatial import ConvexHull

import stotmetrics
from stotmetrics import plotting
from stotmetrics.transport import sinkhorn_unbalanced

pytest.importorskip("pytest_mpl", reason="pytest-mpl, which compares pictures, is not installed (tox -e plots)")
mpl.use("Agg")

picture = pytest.mark.mpl_image_compare(savefig_kwargs={"dpi": 50}, tolerance=6, style="default")


def bump(center, length=40):
    t = np.linspace(0, 1, length)
    return np.exp(-(((t - center) / 0.08) ** 2)) - 0.6 * np.exp(-(((t - center - 0.25) / 0.08) ** 2))


def shifted(count=6, sign=1.0):
    rng = np.random.default_rng(3)
    return [sign * bump(c) + 0.05 * rng.normal(size=40) for c in rng.uniform(0.2, 0.5, count)]


def canvas(width=4, height=3):
    return plt.subplots(figsize=(width, height), layout="constrained")


@picture
@pytest.mark.parametrize("metric", ["tiot", "dtw"])
def test_links(metric):
    figure, ax = canvas()
    stotmetrics.solve(bump(0.25), bump(0.5), metric=metric).plot(ax=ax)
    return figure


@picture
def test_links_between_irregular_times():
    figure, ax = canvas()
    times = np.sort(np.random.default_rng(0).uniform(0, 39, 25))
    x = stotmetrics.as_series(np.interp(times, np.arange(40), bump(0.25)), times=times)
    stotmetrics.solve(x, bump(0.5), metric="tiot").plot(ax=ax)
    return figure


@picture
def test_cost_matrix_with_alignment():
    figure, ax = canvas(4, 4)
    stotmetrics.solve(bump(0.25), bump(0.5), metric="softdtw", gamma=0.1).plot("cost", ax=ax)
    return figure


@picture
def test_expected_alignment():
    figure, ax = canvas(4, 4)
    stotmetrics.solve(bump(0.25), bump(0.5), metric="softdtw", gamma=1.0).plot("alignment", ax=ax)
    return figure


@picture
@pytest.mark.parametrize("metric", ["tiot", "etiot"])
def test_weight(metric):
    figure, ax = canvas()
    plotting.plot_weight(bump(0.25), bump(0.5), metric, ax=ax)
    return figure


@picture
def test_frame_plan():
    figure, ax = canvas(4, 4)
    grid = np.indices((12, 12))
    a, b = (np.exp(-((grid[0] - r) ** 2 + (grid[1] - c) ** 2) / 3) for r, c in ((3, 3), (7, 8)))
    points = grid.reshape(2, -1).T / 11
    M = ((points[:, None] - points[None, :]) ** 2).sum(axis=2)
    plan = sinkhorn_unbalanced(a.ravel(), b.ravel(), M, reg=0.005, reg_m=1.0)
    plotting.plot_frame_plan(plan, a, b, ax=ax)
    return figure


@picture
def test_mesh_with_plan():
    figure, ax = canvas(4, 4)
    k = np.arange(300)
    z, angle = 1 - 2 * (k + 0.5) / 300, np.pi * (1 + 5**0.5) * k
    vertices = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    a, b = (np.exp(-((vertices - np.array(at)) ** 2).sum(axis=1) / 0.05) for at in ((0.6, -0.6, 0.5), (0.0, -0.9, 0.4)))
    M = ((vertices[:, None] - vertices[None, :]) ** 2).sum(axis=2)
    plan = sinkhorn_unbalanced(a, b, M, reg=0.01, reg_m=1.0)
    plotting.plot_mesh(vertices, ConvexHull(vertices).simplices, a, plan=plan, ax=ax)
    return figure


@picture
def test_matrix_of_a_metric_that_is_negative_and_not_zero_on_the_diagonal():
    figure, ax = canvas(4, 4)
    X, labels = [*shifted(), *shifted(sign=-1.0)], ["up"] * 6 + ["down"] * 6
    plotting.plot_matrix(stotmetrics.pairwise(X, metric="softdtw", gamma=0.5), labels, ax=ax)
    return figure


@picture
def test_barycenter_with_its_cluster():
    figure, ax = canvas()
    X = shifted()
    plotting.plot_barycenter(X, stotmetrics.barycenter(X, metric="softdtw", gamma=0.1), ax=ax)
    return figure


@picture
def test_nearest_neighbour_explained():
    figure, ax = canvas(4, 3.5)
    X, labels = [*shifted(), *shifted(sign=-1.0)], ["up"] * 6 + ["down"] * 6
    plotting.plot_neighbor(bump(0.4), X, labels, "tiot", ax=ax)
    return figure
