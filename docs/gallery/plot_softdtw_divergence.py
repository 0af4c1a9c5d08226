"""
Soft-DTW and its divergence
===========================

Soft-DTW is negative between equal series, and its minimum is not at the series itself. Its divergence puts both
right.
"""

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics

t = np.linspace(0, 1, 60)
x = np.exp(-(((t - 0.5) / 0.1) ** 2))

# %%
# The distance from a copy that is scaled: where is it least? Under soft-DTW with a large gamma, away from the series
# itself: a flatter series has more cheap alignments.

scales = np.linspace(0, 1.6, 41)
scaled = [s * x for s in scales]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharex=True)
for ax, metric in zip(axes, ("softdtw", "softdtw_divergence"), strict=True):
    for gamma, style in ((0.01, "-"), (0.1, "--"), (1.0, "-.")):
        values = stotmetrics.pairwise([x], scaled, metric=metric, gamma=gamma)[0]
        (line,) = ax.plot(scales, values - values.min(), style, label=f"gamma = {gamma:g}")
        ax.plot(scales[values.argmin()], 0, "o", color=line.get_color())
    ax.axvline(1, color="k", lw=0.5)
    ax.set(title=metric, xlabel="scale of the copy", ylabel="above its least value")
axes[0].legend()

for gamma in (0.01, 0.1, 1.0):
    own = stotmetrics.softdtw(x, x, gamma=gamma)
    divergence = stotmetrics.softdtw_divergence(x, x, gamma=gamma)
    print(f"gamma {gamma:>4}: softdtw(x, x) = {own:8.3f}, divergence = {divergence:.3f}")

# %%
# As a loss this matters: descending from noise, soft-DTW ends at a series that is too flat, the divergence at the
# series.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
start = 0.1 * np.random.default_rng(0).normal(size=60)
for ax, metric in zip(axes, ("softdtw", "softdtw_divergence"), strict=True):
    center = stotmetrics.barycenter([x], metric=metric, gamma=0.3, init=start)
    ax.plot(x, label="wanted")
    ax.plot(center.values, "--", label="found")
    ax.set(title=metric, xlabel="time")
axes[0].legend()

# %%
# The divergence is not a metric either: no triangle inequality, and values a little below zero exist. See
# :doc:`the guide </guides/softdtw>`.
