"""
A tslearn pipeline made fast by one line
========================================

The code stays as it is; one line before it sends tslearn's DTW and soft-DTW through the kernels of this package.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from tslearn.clustering import TimeSeriesKMeans
from tslearn.metrics import cdist_dtw, cdist_soft_dtw
from tslearn.neighbors import KNeighborsTimeSeriesClassifier

from stotmetrics.hosts.tslearn import patched_tslearn

rng = np.random.default_rng(0)
t = np.linspace(0, 1, 100)
y = np.repeat([0, 1, 2], 10)
X = np.array([np.sin(2 * np.pi * ((2 + k) * t + rng.random())) + 0.2 * rng.normal(size=100) for k in y])[:, :, None]


def matrices():
    return cdist_dtw(X), cdist_soft_dtw(X, gamma=0.1)


def neighbours():
    return KNeighborsTimeSeriesClassifier(n_neighbors=1, metric="dtw").fit(X[::2], y[::2]).predict(X[1::2])


def kmeans():
    model = TimeSeriesKMeans(3, metric="softdtw", metric_params={"gamma": 0.1}, max_iter=3, random_state=0)
    return model.fit_predict(X)


def seconds(job):
    begin = time.perf_counter()
    return job(), time.perf_counter() - begin


# numba compiles at the first call; that is not counted.
cdist_dtw(X[:2])
cdist_soft_dtw(X[:2])
KNeighborsTimeSeriesClassifier(n_neighbors=1, metric="dtw").fit(X[:2], y[:2]).predict(X[:1])
TimeSeriesKMeans(1, metric="softdtw", max_iter=1).fit(X[:2])

# %%
# Before, and with the line. ``patch_tslearn()`` at the top of a script does the same for the rest of it.

JOBS = {"two matrices": matrices, "1-NN under DTW": neighbours, "k-means under soft-DTW": kmeans}
rows = []
for name, job in JOBS.items():
    before, slow = seconds(job)
    with patched_tslearn():
        after, fast = seconds(job)
    same = all(np.allclose(a, b, atol=1e-6) for a, b in zip(np.atleast_1d(before), np.atleast_1d(after), strict=True))
    rows.append((name, slow, fast))
    print(f"{name:<24} {slow:7.3f} s, {fast:7.3f} s: {slow / fast:5.1f} times faster, the same answer: {same}")

# %%

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
places = np.arange(len(rows))
ax.barh(places - 0.2, [row[1] for row in rows], 0.4, label="tslearn", hatch="//")
ax.barh(places + 0.2, [row[2] for row in rows], 0.4, label="with the patch")
ax.set(yticks=places, yticklabels=[row[0] for row in rows], xscale="log", xlabel="seconds")
ax.legend()
