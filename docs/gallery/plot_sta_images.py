"""
Aligning two series of images
=============================

Two series of frames, of different lengths: a spot that crosses the frame, and a slower one on a path beside the
first. STA compares each frame with each by what it costs to move the one onto the other, and aligns the series along
the cheapest path. This is Figure 1 of Janati, Cuturi, Gramfort (2020).
"""

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics
from stotmetrics.plotting import plot_frame_plan
from stotmetrics.transport import sinkhorn_unbalanced

SIDE = 12


def spot(row, column):
    grid = np.indices((SIDE, SIDE))
    frame = np.exp(-((grid[0] - row) ** 2 + (grid[1] - column) ** 2) / 3)
    return frame / frame.sum() + 1e-5


x = np.array([spot(3, 2 + 7 * s) for s in np.linspace(0, 1, 5)])
y = np.array([spot(6, 2 + 7 * s**1.5) for s in np.linspace(0, 1, 6)])

figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for row, (name, frames) in enumerate((("x", x), ("y", y))):
    for k, ax in enumerate(axes[row]):
        ax.axis("off")
        if k < len(frames):
            ax.imshow(frames[k], cmap="cividis", vmax=x.max())
            ax.set_title(f"{name}, t = {k}", fontsize="small")

# %%
# The cost between frames, and the alignment: at gamma 0 one path, at a larger gamma a mean over many.

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, gamma in zip(axes, (0.0, 0.3), strict=True):
    result = stotmetrics.solve(x, y, metric="sta", gamma=gamma)
    result.plot("cost", ax=ax)
    ax.set_xlabel(f"times of y (gamma = {gamma:g}, sta = {result.value:.3f})")

# %%
# What moves between two matched frames: the plan of unbalanced transport on the grid of pixels.

ground = stotmetrics.Ground.grid((SIDE, SIDE)).normalized()
plan = sinkhorn_unbalanced(x[2].ravel(), y[2].ravel(), ground.cost(), reg=0.02, reg_m=1.0)
figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
plot_frame_plan(plan, x[2], y[2], ax=ax)

# %%
# **Beside the paper.** The same picture with series of our own; in the paper it explains the notation.
