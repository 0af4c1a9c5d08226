"""
Distances between processes from sample paths
=============================================

Adapted transport compares two processes by plans that do not look ahead. From sample paths it is estimated after
their values are put into cells, and tends to the distance of the laws as their number grows. For two Gaussian
processes, white noise and an autoregression, that distance has a closed form.

``--paths 30 100 300 1000 3000 --repeats 5`` is the full version.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics

options = argparse.ArgumentParser()
options.add_argument("--paths", type=int, nargs="+", default=[30, 100, 300, 1000])
options.add_argument("--most-as-they-are", type=int, default=300, help="paths beyond which cells=None is left out")
options.add_argument("--repeats", type=int, default=3)
given = options.parse_known_args()[0]
ESTIMATES = {
    "full history": {},
    "Markovian": {"markovian": True},
    "grid": {"quantizer": "grid"},
    "as they are": {"cells": None},
}


def autoregression(coefficient, steps):
    """The Cholesky factor of the covariance of an autoregression of order one."""
    times = np.arange(steps)
    return np.tril(coefficient ** np.maximum(times[:, None] - times, 0).astype(float))


def closed_form(L, M):
    """The adapted distance, p = 2, of centred Gaussian laws with these Cholesky factors."""
    return float(np.sqrt((L**2).sum() + (M**2).sum() - 2 * np.abs((L * M).sum(axis=0)).sum()))


def estimates(L, M, paths, **params):
    distances = []
    for seed in range(given.repeats):
        noises = (np.random.default_rng([seed, k]).normal(size=(len(L), paths)) for k in range(2))
        x, y = (factor @ noise for factor, noise in zip((L, M), noises, strict=True))
        distances.append(stotmetrics.distance(x, y, metric="aot", **params))
    return distances


# %%
# Paths of the two processes: alike at each time, and yet different for anyone who has to decide on the way, since the
# past of the second tells something about its future.

steps = 5
draw = np.random.default_rng(0)
figure, axes = plt.subplots(1, 2, figsize=(10, 3), sharey=True, layout="constrained")
for ax, coefficient in zip(axes, (0.0, 0.9), strict=True):
    ax.plot(autoregression(coefficient, steps) @ draw.normal(size=(steps, 20)), color="C0", alpha=0.5)
    ax.set(xlabel="time", title=f"autoregression with coefficient {coefficient:g}")

# %%
# Taken as they are, sample paths never share a past: the first value tells the whole future, and the estimate does
# not tend to the distance of the laws.

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, steps in zip(axes, (3, 5), strict=True):
    L, M = autoregression(0.0, steps), autoregression(0.9, steps)
    for (name, params), style in zip(ESTIMATES.items(), ("o-", "s-", "^-", "x--"), strict=True):
        counts = [n for n in given.paths if name != "as they are" or n <= given.most_as_they_are]
        samples = [estimates(L, M, n, **params) for n in counts]
        ax.errorbar(counts, np.mean(samples, axis=1), np.std(samples, axis=1), fmt=style, capsize=3, label=name)
    ax.axhline(closed_form(L, M), color="k", lw=1, label="closed form")
    ax.set(xscale="log", xlabel="sample paths N", ylabel="adapted distance", title=f"{steps} times")
axes[0].legend()
