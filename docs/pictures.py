"""The picture of the README and of the start page: ``python docs/pictures.py``."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import stotmetrics

t = np.linspace(0, 1, 60)


def shape(early, late):
    return np.exp(-(((t - early) / 0.06) ** 2)) - 0.6 * np.exp(-(((t - late) / 0.06) ** 2))


x, y = shape(0.25, 0.45), shape(0.50, 0.70)
cases = {
    "dtw: any delay is free": ("dtw", {}),
    "transport, too rigid (w = 0.05)": ("taot", {"w": 0.05}),
    "transport, too free (w = 0.98)": ("taot", {"w": 0.98}),
    "tiot: no weight to choose": ("tiot", {}),
}
figure = Figure(figsize=(13, 3.2), layout="constrained")
for ax, (title, (metric, params)) in zip(figure.subplots(1, 4, sharey=True), cases.items(), strict=True):
    stotmetrics.solve(x, y, metric=metric, **params).plot(ax=ax)
    ax.set_title(title)
    ax.get_legend().set_visible(ax.get_subplotspec().is_first_col())
figure.savefig(Path(__file__).with_name("_static") / "alignments.png", dpi=90)
