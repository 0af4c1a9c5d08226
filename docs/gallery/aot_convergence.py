"""How the adapted distance between sample paths tends to that between their laws, and what transport does instead.

Two Gaussian processes, for which the adapted distance has a closed form: white noise and an autoregression.

Run: python docs/gallery/aot_convergence.py --out build/gallery
Writes aot_convergence.csv (steps, estimate, paths, mean, standard deviation, closed form) and aot_convergence.png.
"""

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics

ESTIMATES = {
    "full history": {},
    "Markovian": {"markovian": True},
    "grid": {"quantizer": "grid"},
    "as they are": {"cells": None},
}


def autoregression(coefficient: float, steps: int) -> np.ndarray:
    """The Cholesky factor of the covariance of an autoregression of order one."""
    times = np.arange(steps)
    return np.tril(coefficient ** np.maximum(times[:, None] - times, 0).astype(float))


def closed_form(L: np.ndarray, M: np.ndarray) -> float:
    """The adapted distance, p = 2, of centred Gaussian laws with these Cholesky factors."""
    return float(np.sqrt((L**2).sum() + (M**2).sum() - 2 * np.abs((L * M).sum(axis=0)).sum()))


def estimates(L: np.ndarray, M: np.ndarray, paths: int, repeats: int, **params: object) -> list[float]:
    found = []
    for seed in range(repeats):
        noises = (np.random.default_rng([seed, k]).normal(size=(len(L), paths)) for k in range(2))
        x, y = (factor @ noise for factor, noise in zip((L, M), noises, strict=True))
        found.append(stotmetrics.distance(x, y, metric="aot", **params))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--paths", type=int, nargs="+", default=[30, 100, 300, 1000, 3000])
    options.add_argument("--most-as-they-are", type=int, default=1000, help="paths beyond which cells=None is left out")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    rows = []
    for axis, steps in zip(axes, (3, 5), strict=True):
        L, M = autoregression(0.0, steps), autoregression(0.9, steps)
        truth = closed_form(L, M)
        for (name, params), style in zip(ESTIMATES.items(), ("o-", "s-", "^-", "x--"), strict=True):
            counts = [n for n in given.paths if name != "as they are" or n <= given.most_as_they_are]
            samples = [estimates(L, M, n, given.repeats, **params) for n in counts]
            means, spreads = np.mean(samples, axis=1), np.std(samples, axis=1)
            axis.errorbar(counts, means, spreads, fmt=style, capsize=3, label=name)
            rows += [(steps, name, *row, truth) for row in zip(counts, means, spreads, strict=True)]
        axis.axhline(truth, color="k", lw=1, label="closed form")
        axis.set(xscale="log", xlabel="sample paths N", ylabel="adapted distance", title=f"{steps} times")
    axes[0].legend()
    with (given.out / "aot_convergence.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("steps", "estimate", "paths", "mean", "deviation", "closed_form"), *rows])
    figure.savefig(given.out / "aot_convergence.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
