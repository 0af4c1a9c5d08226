"""
Four groups of brain activity
=============================

Activity that peaks in one of two regions at one of two times. Soft-DTW compares frames vertex by vertex, so it cannot
know that two vertices are neighbours; STA moves mass over the surface. With gamma above 0 it tells the two times
apart too. These are Figures 4 and 5 of Janati, Cuturi, Gramfort (2020).

The page runs on a sphere of 162 vertices with 8 samples a group. The paper's experiment, on 642 vertices of the
cortex with 50 samples a group, is ``docs/gallery/brain.py --data FOLDER``; it takes minutes.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import ConvexHull
from sklearn.manifold import TSNE

import stotmetrics
from stotmetrics import Ground
from stotmetrics.plotting import plot_matrix, plot_mesh

TIMES, SAMPLES, VERTICES = 20, 8, 162


def sphere(count):
    """Points spread evenly over the sphere, the triangles between them, and the distances along the surface."""
    k = np.arange(count)
    z, angle = 1 - 2 * (k + 0.5) / count, np.pi * (1 + 5**0.5) * k
    points = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    return points, ConvexHull(points).simplices, np.arccos(np.clip(points @ points.T, -1, 1))


vertices, faces, geodesic = sphere(VERTICES)
ground = Ground.from_cost(geodesic**2 * (1 - np.eye(VERTICES))).normalized()

# Two regions and two times.
centers = {"V1": [0.35, -0.9, 0.3], "MT": [0.9, 0.3, 0.3]}
regions = {
    name: np.argsort(np.linalg.norm(vertices - np.array(at) / np.linalg.norm(at), axis=1))[:14]
    for name, at in centers.items()
}
GROUPS = [("V1", 5), ("V1", 15), ("MT", 5), ("MT", 15)]

rng = np.random.default_rng(0)
in_time = np.exp(-((np.arange(TIMES)[:, None] - np.arange(TIMES)[None, :]) ** 2.0))
in_space = np.exp(-ground.cost() / 0.02)
X, labels = [], []
for region, time in GROUPS:
    for vertex in rng.choice(regions[region], SAMPLES):
        X.append(rng.uniform(1, 3) * np.outer(in_time[time], in_space[vertex]) + 1e-3)
        labels.append(f"{region}, t = {time}")
X, labels = np.array(X), np.array(labels)

figure, axes = plt.subplots(2, 4, figsize=(9, 4.6), layout="constrained")
for row, sample in enumerate((0, 3 * SAMPLES)):
    for ax, t in zip(axes[row], (4, 5, 14, 15), strict=True):
        plot_mesh(vertices, faces, np.sqrt(X[sample, t]), ax=ax, azimuth=-40)
        ax.set_title(f"{labels[sample]}\nframe {t}", fontsize="small")

# %%
# All pairs, under soft-DTW and STA, without and with smoothing. STA at several gammas shares its transport problems.

GAMMAS = (0.0, 0.1)
matrices = {f"softdtw, gamma {g:g}": stotmetrics.pairwise(X, metric="softdtw", gamma=g) for g in GAMMAS}
by_gamma = stotmetrics.sta_over_gamma(
    X, gammas=GAMMAS, ground=ground, epsilon=10 / VERTICES, rho=1.0, tol=1e-4, n_jobs=2
)
matrices |= {f"sta, gamma {g:g}": D for g, D in zip(GAMMAS, by_gamma, strict=True)}


def one_nn_error(D, kinds):
    """Leave-one-out."""
    return float(np.mean(kinds[(D + np.diag(np.full(len(D), np.inf))).argmin(axis=1)] != kinds))


region = np.array([label[:2] for label in labels])
print("1-NN error against         region  group")
for name, D in matrices.items():
    print(f"{name:<22}  {one_nn_error(D, region):>10.3f} {one_nn_error(D, labels):>6.3f}")

# %%
# The maps: under STA with smoothing the four groups lie apart.

figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
for ax, (name, D) in zip(axes, matrices.items(), strict=True):
    # t-SNE asks for distances: shifted so that none is negative.
    shifted = D - D.min()
    np.fill_diagonal(shifted, 0.0)
    spots = TSNE(metric="precomputed", init="random", random_state=0, perplexity=8).fit_transform(shifted)
    for group, marker in zip(dict.fromkeys(labels), "os^D", strict=True):
        ax.scatter(*spots[labels == group].T, marker=marker, s=24, label=group)
    ax.set(title=name, xticks=[], yticks=[])
axes[0].legend(fontsize="x-small")

# %%

figure, ax = plt.subplots(figsize=(6, 6), layout="constrained")
plot_matrix(matrices["sta, gamma 0.1"], labels, ax=ax)

# %%
# **Beside the paper.** The same order: soft-DTW makes out no groups (where its nearest neighbour is in the right
# region, it is at the very same vertex), STA without smoothing tells regions apart but no times, STA with smoothing
# all four groups. On the cortex the full script gives the paper's picture.
