"""
Means of series, and k-means
============================

The mean of delayed bumps is a smear. The series that has the least mean distance to all is a bump.
"""

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics
from stotmetrics.hosts.sklearn import TimeSeriesKMeans
from stotmetrics.plotting import plot_barycenter

rng = np.random.default_rng(0)
t = np.linspace(0, 1, 50)
SHAPES = {
    "bump": lambda c: np.exp(-(((t - c) / 0.06) ** 2)),
    "step": lambda c: 1 / (1 + np.exp(-(t - c) / 0.02)),
    "two bumps": lambda c: np.exp(-(((t - c + 0.15) / 0.05) ** 2)) + np.exp(-(((t - c - 0.15) / 0.05) ** 2)),
}
X, labels = [], []
for name, shape in SHAPES.items():
    for center in rng.uniform(0.35, 0.65, 8):
        X.append(shape(center) + 0.04 * rng.normal(size=50))
        labels.append(name)
X, labels = np.array(X), np.array(labels)

# %%
# The mean, and barycenters under three metrics. At a large gamma soft-DTW flattens the bump; its divergence does not,
# but takes up the noise of the series.

bumps = X[labels == "bump"]
figure, axes = plt.subplots(1, 4, figsize=(14, 3.2), sharey=True, layout="constrained")
plot_barycenter(bumps, bumps.mean(axis=0), ax=axes[0])
axes[0].set_title("mean")
for ax, (metric, gamma) in zip(
    axes[1:], (("softdtw", 0.01), ("softdtw", 1.0), ("softdtw_divergence", 1.0)), strict=True
):
    plot_barycenter(bumps, stotmetrics.barycenter(bumps, metric=metric, gamma=gamma), ax=ax)
    ax.set_title(f"{metric}, gamma = {gamma:g}", fontsize="medium")

# %%
# k-means moves the centres by the same barycenters: the estimator is scikit-learn's, the metric is ours.

model = TimeSeriesKMeans(n_clusters=3, metric="softdtw_divergence", metric_params={"gamma": 0.1}, random_state=0)
clusters = model.fit_predict(X)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), sharey=True, layout="constrained")
for k, ax in enumerate(axes):
    plot_barycenter(X[clusters == k], model.cluster_centers_[k], ax=ax)
    names, counts = np.unique(labels[clusters == k], return_counts=True)
    ax.set_title(", ".join(f"{count} x {name}" for name, count in zip(names, counts, strict=True)), fontsize="medium")
