"""
Letters told apart while they are written
=========================================

Handwriting as frames: each shows the ink of one part of the time. Copies differ in slant, size, place and tempo. This
is the kind of Figures 6 and 7 of Janati, Cuturi, Gramfort (2020).

The page draws four letters of our own as splines. ``docs/gallery/handwriting.py`` has seven letters of a font, 20
copies of each and frames of 64 x 64.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from sklearn.manifold import TSNE

import stotmetrics

# The way of the pen, from the first point to the last: (x, y) with y downwards.
LETTERS = {
    "c": [(0.8, 0.2), (0.5, 0.1), (0.2, 0.5), (0.5, 0.9), (0.8, 0.8)],
    "e": [(0.2, 0.5), (0.8, 0.5), (0.5, 0.1), (0.2, 0.5), (0.5, 0.9), (0.8, 0.8)],
    "s": [(0.8, 0.2), (0.5, 0.1), (0.3, 0.3), (0.5, 0.5), (0.7, 0.7), (0.5, 0.9), (0.2, 0.8)],
    "v": [(0.1, 0.1), (0.3, 0.5), (0.5, 0.9), (0.7, 0.5), (0.9, 0.1)],
}
TIMES, SIDE, COPIES = 6, 16, 7


def write(letter, rng):
    """Frames (TIMES, SIDE, SIDE) of one copy."""
    corners = np.array(LETTERS[letter]) - 0.5
    way = CubicSpline(np.linspace(0, 1, len(corners)), corners)(np.linspace(0, 1, 600))
    angle, stretch = rng.normal(0, 0.12), 1 + rng.normal(0, 0.08, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    cells = np.clip(np.rint((0.5 + way * stretch @ turn.T + rng.normal(0, 0.03, 2)) * (SIDE - 1)), 0, SIDE - 1)
    # A tempo of its own.
    clock = np.cumsum(np.exp(np.cumsum(rng.normal(0, 0.03, 600))))
    frame_of = np.minimum((clock / clock[-1] * TIMES).astype(int), TIMES - 1)
    frames = np.zeros((TIMES, SIDE, SIDE))
    np.add.at(frames, (frame_of, cells[:, 1].astype(int), cells[:, 0].astype(int)), 1.0)
    frames = np.array([gaussian_filter(frame, 0.7) for frame in frames])
    return frames / frames.sum(axis=(1, 2), keepdims=True) + 1e-5


rng = np.random.default_rng(0)
X = np.array([write(letter, rng) for letter in LETTERS for _ in range(COPIES)])
labels = np.repeat(list(LETTERS), COPIES)

figure, axes = plt.subplots(2, TIMES, figsize=(9, 3.2), layout="constrained")
for row in range(2):
    for t, ax in enumerate(axes[row]):
        ax.imshow(X[COPIES + row, t], cmap="cividis")
        ax.axis("off")
figure.suptitle("two copies of the letter e")

# %%
# STA on the grid of pixels: the ground cost is never formed, a product with its kernel is one small product per axis.

matrices = {
    "softdtw, gamma 0.1": stotmetrics.pairwise(X, metric="softdtw", gamma=0.1),
    "sta, gamma 0.1": stotmetrics.pairwise(X, metric="sta", gamma=0.1, epsilon=0.02, tol=1e-3, n_jobs=2),
}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for ax, (name, D) in zip(axes, matrices.items(), strict=True):
    shifted = D - D.min()
    np.fill_diagonal(shifted, 0.0)
    spots = TSNE(metric="precomputed", init="random", random_state=0, perplexity=6).fit_transform(shifted)
    for letter, marker in zip(LETTERS, "os^D", strict=True):
        ax.scatter(*spots[labels == letter].T, marker=marker, s=24, label=letter)
    nearest = (D + np.diag(np.full(len(D), np.inf))).argmin(axis=1)
    error = float(np.mean(labels[nearest] != labels))
    ax.set(title=f"{name}\n1-NN error {error:.2f}", xticks=[], yticks=[])
axes[0].legend()

# %%
# **Beside the paper.** Its letters are recordings of one writer, which are not shipped here. Four letters as
# different as these are apart under both; copies of one letter lie much closer together under STA, to which ink one
# pixel aside is near, while to soft-DTW it is as far as ink anywhere. The paper's seven letters mix under soft-DTW.
