"""
Irregular times and missing samples
===================================

Transport compares clouds of (time, value) points. No grid is needed, so nothing has to be filled in: drop what is
missing and say when the others were taken.
"""

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics

rng = np.random.default_rng(0)
grid = np.linspace(0, 1, 80)


def shape(t, center):
    return np.exp(-(((t - center) / 0.08) ** 2)) - 0.5 * np.exp(-(((t - center - 0.2) / 0.08) ** 2))


# %%
# The same pair, whole and with two thirds of the samples gone. Missing values are NaN in the data;
# ``missing="drop"`` keeps the times of the others.

x, y = shape(grid, 0.3), shape(grid, 0.5)
x_gaps = np.where(rng.random(80) < 1 / 3, x, np.nan)
y_gaps = np.where(rng.random(80) < 1 / 3, y, np.nan)
x_few = stotmetrics.as_series(x_gaps, times=grid, missing="drop")
y_few = stotmetrics.as_series(y_gaps, times=grid, missing="drop")
x_all, y_all = (stotmetrics.as_series(values, times=grid) for values in (x, y))
print(f"{len(x_all)} and {len(y_all)} samples, then {len(x_few)} and {len(y_few)}")

figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True, layout="constrained")
for ax, pair in zip(axes, ((x_all, y_all), (x_few, y_few)), strict=True):
    result = stotmetrics.solve(*pair, metric="tiot", standardize=False)
    result.plot(ax=ax)
    ax.set_title(f"tiot = {result.value:.3f}, w = {result.w:.2f}")

# %%
# How far the distance strays as samples go missing: TiOT on what is left, and TiOT after a linear interpolation onto
# the whole grid. Twenty draws at each share; the shaded band is the middle half.

shares = np.linspace(0.1, 0.9, 9)
values = np.empty((len(shares), 20, 2))
whole = stotmetrics.tiot(x_all, y_all, standardize=False)
for k, share in enumerate(shares):
    for draw in range(20):
        keep = [np.sort(rng.choice(80, round(80 * (1 - share)), replace=False)) for _ in range(2)]
        few = [stotmetrics.as_series(s[kept], times=grid[kept]) for s, kept in zip((x, y), keep, strict=True)]
        filled = [np.interp(grid, grid[kept], s[kept]) for s, kept in zip((x, y), keep, strict=True)]
        filled = [stotmetrics.as_series(s, times=grid) for s in filled]
        values[k, draw] = [stotmetrics.tiot(*pair, standardize=False) / whole for pair in (few, filled)]

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for column, (name, style) in enumerate((("nothing filled in", "-"), ("interpolated", "--"))):
    low, middle, high = np.quantile(values[:, :, column], (0.25, 0.5, 0.75), axis=1)
    (line,) = ax.plot(shares, middle, style, label=name)
    ax.fill_between(shares, low, high, color=line.get_color(), alpha=0.2)
ax.axhline(1, color="k", lw=0.5)
ax.set(xlabel="share of samples that are missing", ylabel="tiot, relative to the whole series", ylim=(0, None))
ax.legend()

# %%
# Samples count alike, wherever they are. If a burst of samples should not outweigh a lone one, give ``weights`` such
# as the time that each stands for:

gaps = np.gradient(x_few.times)
weighted = stotmetrics.as_series(x_few.values, times=x_few.times, weights=gaps)
print(f"unweighted {stotmetrics.tiot(x_few, y_few, standardize=False):.4f}")
print(f"weighted   {stotmetrics.tiot(weighted, y_few, standardize=False):.4f}")
