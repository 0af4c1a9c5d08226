"""Handwriting told apart while it is written: 7 letters, 20 jittered copies of each, as 64 x 64 frames at 10 times.

    python -m pip install Hershey-Fonts
    python docs/gallery/handwriting.py [--copies 20] [--side 64] [--n-jobs 2] [--out handwriting]

The pen follows the single strokes of a Hershey font. Every copy has its own slant, size, place and tempo; a frame
shows the ink of one tenth of the time. Prints a table (silhouette and leave-one-out 1-NN error against the letter, for
``sta`` and ``softdtw`` at gamma 0 and 0.1) and saves the matrices.
"""

import argparse
import runpy
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

import stotmetrics

LETTERS = "abcdegs"
TIMES = 10
GAMMAS = (0.0, 0.1)
FINE = 2000


def trajectory(font, letter):
    """The way of the pen over the paper, FINE points of equal distance: (FINE, 2)."""
    points = []
    for stroke in font.strokes_for_text(letter):
        stroke = np.asarray(list(stroke), dtype=float)
        for a, b in pairwise(stroke):
            steps = np.linspace(0, 1, 50, endpoint=False)[:, None]
            points.append(a + steps * (b - a))
    points = np.concatenate(points)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0).max()
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, length[-1], FINE)
    return np.stack([np.interp(at, length, points[:, k]) for k in range(2)], axis=1)


def write(path, rng, side):
    """One jittered copy as frames (TIMES, side, side), each of the ink of one tenth of the time."""
    angle, stretch = rng.normal(0, 0.12), 1 + rng.normal(0, 0.08, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ((path - path.mean(axis=0)) * stretch) @ turn.T
    points = (0.5 + 0.55 * points + rng.normal(0, 0.03, 2)) * (side - 1)
    # A tempo of its own: time as a smooth increasing function of the way.
    speed = np.exp(np.cumsum(rng.normal(0, 0.03, FINE)))
    clock = np.cumsum(speed) / speed.sum()
    frames = np.zeros((TIMES, side, side))
    cells = np.clip(np.rint(points), 0, side - 1).astype(int)
    np.add.at(frames, (np.minimum((clock * TIMES).astype(int), TIMES - 1), cells[:, 1], cells[:, 0]), 1.0 / FINE)
    blurred = np.array([gaussian_filter(frame, side / 64) for frame in frames])
    return blurred / blurred.sum(axis=(1, 2), keepdims=True) + 1e-3 / side**2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--epsilon", type=float, default=0.01, help="in units of the median cost")
    parser.add_argument("--tol", type=float, default=1e-4, help="certified error of each divergence")
    parser.add_argument("--out", default="handwriting", help="prefix of the files to write")
    args = parser.parse_args()
    try:
        from HersheyFonts import HersheyFonts
    except ImportError:
        raise SystemExit("the letters come from a font: python -m pip install Hershey-Fonts") from None

    font = HersheyFonts()
    font.load_default_font("futural")
    rng = np.random.default_rng(0)
    paths = [trajectory(font, letter) for letter in LETTERS]
    X = np.array([write(path, rng, args.side) for path in paths for _ in range(args.copies)])
    labels = np.repeat(np.arange(len(LETTERS)), args.copies)
    pairs = len(X) * (len(X) + 1) // 2
    print(f"{len(X)} letters, {pairs} pairs, {pairs * TIMES**2} divergences on {args.side} x {args.side} points")

    brain = runpy.run_path(str(Path(__file__).with_name("brain.py")))
    begin = time.perf_counter()
    by_gamma = stotmetrics.sta_over_gamma(
        X, gammas=GAMMAS, epsilon=args.epsilon, tol=args.tol, n_jobs=args.n_jobs, progress=brain["Report"](TIMES**2)
    )
    took = time.perf_counter() - begin
    matrices = {f"sta, gamma={gamma:g}": D for gamma, D in zip(GAMMAS, by_gamma, strict=True)}
    for gamma in GAMMAS:
        D = stotmetrics.pairwise(X, metric="softdtw", gamma=gamma, n_jobs=args.n_jobs)
        matrices[f"softdtw, gamma={gamma:g}"] = D
    print(f"sta at both gammas: {took / 60:.2f} min, {took / (pairs * TIMES**2) * 1e3:.3f} ms a problem\n")
    print("| matrix | silhouette | 1-NN error |")
    print("|---|---|---|")
    for name, D in matrices.items():
        print(f"| {name} | {brain['silhouette'](D, labels):.3f} | {brain['one_nn_error'](D, labels):.3f} |")
    named = {name.replace(", ", "_"): D for name, D in matrices.items()}
    np.savez_compressed(f"{args.out}.npz", labels=labels, **named)


if __name__ == "__main__":
    main()
