"""The brain experiment of the STA paper: four groups of activations on a cortical mesh, told apart by region and time.

    python docs/gallery/brain.py --data DIR [--samples-per-group 50] [--n-jobs 2] [--out brain]

DIR holds ``brain/cortex642.npz`` with ``geodesic_distance (642, 642)``, ``mt_vertices`` and ``v1_vertices``. Every
sample is 20 frames on 642 vertices: one vertex of V1 or MT lights up at t = 5 or t = 15, smoothed over time and space.
Prints a table (silhouette and leave-one-out 1-NN error against the region and against the four groups, for ``sta`` and
``softdtw`` at gamma 0 and 0.1) and saves the matrices and, with matplotlib, a t-SNE picture.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

import stotmetrics
from stotmetrics import Ground

TIMES = 20
GAMMAS = (0.0, 0.1)
GROUPS = (("V1", 5), ("V1", 15), ("MT", 5), ("MT", 15))
SEEDS = (42, 43, 44, 45)


def read_cortex(data):
    """The squared geodesic distances divided by their median, and the vertices of the two regions."""
    with np.load(Path(data, "brain", "cortex642.npz")) as cortex:
        ground = Ground.from_cost(cortex["geodesic_distance"] ** 2).normalized()
        return ground, {"V1": cortex["v1_vertices"], "MT": cortex["mt_vertices"]}


def simulate(ground, regions, per_group):
    """Frames (4 * per_group, 20, 642), in the order of GROUPS; fewer samples are the first of each group of 50."""
    M = ground.cost()
    in_time = np.exp(-((np.arange(TIMES)[:, None] - np.arange(TIMES)[None, :]) ** 2.0))
    in_space = np.exp(-M / 0.01)
    samples = []
    for (region, t), seed in zip(GROUPS, SEEDS, strict=True):
        rng = np.random.RandomState(seed)
        count = max(50, per_group)
        vertices = rng.choice(regions[region], size=count)
        amplitudes = rng.rand(count) * 2 + 1
        for vertex, amplitude in zip(vertices[:per_group], amplitudes[:per_group], strict=True):
            samples.append(amplitude * np.outer(in_time[t], in_space[vertex]) + 1e-3)
    return np.array(samples)


def one_nn_error(D, labels):
    """Leave-one-out error of the nearest neighbour."""
    D = D + np.diag(np.full(len(D), np.inf))
    return float(np.mean(labels[D.argmin(axis=1)] != labels))


def silhouette(D, labels):
    """The silhouette of the matrix shifted to be non-negative, its diagonal set to zero."""
    shifted = D - min(D.min(), 0.0)
    np.fill_diagonal(shifted, 0.0)
    return float(silhouette_score(shifted, labels, metric="precomputed"))


class Report:
    """Print how far the matrix is, and when it will be done; once a minute."""

    def __init__(self, problems):
        self.problems, self.begin, self.last = problems, time.perf_counter(), 0.0

    def __call__(self, done, total):
        now = time.perf_counter() - self.begin
        if done and (now - self.last > 60 or done == total):
            self.last = now
            each = now / (done * self.problems) * 1e3
            print(
                f"  {done}/{total} pairs, {now / 60:.1f} of {now / done * total / 60:.1f} min, {each:.3f} ms a problem"
            )


def picture(matrices, labels, path):
    """One t-SNE map for each matrix."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(matrices), figsize=(4 * len(matrices), 4))
    for axis, (name, D) in zip(axes, matrices.items(), strict=True):
        shifted = D - min(D.min(), 0.0)
        np.fill_diagonal(shifted, 0.0)
        perplexity = min(30.0, (len(D) - 1) / 3)
        spots = TSNE(metric="precomputed", init="random", random_state=0, perplexity=perplexity).fit_transform(shifted)
        for k, (region, t) in enumerate(GROUPS):
            axis.scatter(*spots[labels == k].T, label=f"{region}, t={t}", s=12)
        axis.set(title=name, xticks=[], yticks=[])
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder that holds brain/cortex642.npz")
    parser.add_argument("--samples-per-group", type=int, default=50)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--tol", type=float, default=1e-6, help="certified error of each divergence")
    parser.add_argument("--out", default="brain", help="prefix of the files to write")
    args = parser.parse_args()

    ground, regions = read_cortex(args.data)
    X = simulate(ground, regions, args.samples_per_group)
    groups = np.repeat(np.arange(4), args.samples_per_group)
    region = groups // 2
    pairs = len(X) * (len(X) + 1) // 2
    print(f"{len(X)} samples, {pairs} pairs, {pairs * TIMES**2 / 1e6:.2f} million divergences on {ground.size} points")

    seconds, matrices = {}, {}
    begin = time.perf_counter()
    by_gamma = stotmetrics.sta_over_gamma(
        X,
        gammas=GAMMAS,
        ground=ground,
        epsilon=10 / ground.size,
        rho=1.0,
        tol=args.tol,
        n_jobs=args.n_jobs,
        progress=Report(TIMES**2),
    )
    seconds["sta"] = time.perf_counter() - begin
    for gamma, matrix in zip(GAMMAS, by_gamma, strict=True):
        matrices[f"sta, gamma={gamma:g}"] = matrix
    # An array of 642 columns and 20 rows alone might be 642 times of 20 channels; a series is what it says.
    series = [stotmetrics.as_series(frames) for frames in X]
    for gamma in GAMMAS:
        begin = time.perf_counter()
        matrices[f"softdtw, gamma={gamma:g}"] = stotmetrics.pairwise(
            series, metric="softdtw", gamma=gamma, n_jobs=args.n_jobs
        )
        seconds[f"softdtw, gamma={gamma:g}"] = time.perf_counter() - begin

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    each = seconds["sta"] / (pairs * TIMES**2) * 1e3
    print(f"sta at both gammas: {seconds['sta'] / 60:.2f} min, {each:.4f} ms a problem; peak memory {peak:.2f} GiB\n")
    print("| matrix | silhouette, region | silhouette, group | 1-NN error, region | 1-NN error, group | seconds |")
    print("|---|---|---|---|---|---|")
    for name, D in matrices.items():
        figures = [silhouette(D, region), silhouette(D, groups), one_nn_error(D, region), one_nn_error(D, groups)]
        took = seconds.get(name, seconds["sta"])
        print(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {took:.1f} |")
    named = {name.replace(", ", "_"): D for name, D in matrices.items()}
    np.savez_compressed(f"{args.out}.npz", groups=groups, **named)
    try:
        picture(matrices, groups, f"{args.out}.png")
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
