"""Alignments of two series under exact TiOT, and under transport at fixed w (Figure 1 of the TiOT paper).

Run: python docs/gallery/tiot_alignments.py --out build/gallery
Writes tiot_alignments.csv (case, i, j, mass) and tiot_alignments.png.
"""

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics


def shapes(length: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """The same bump and dip, early in one series and late in the other."""
    t = np.linspace(0, 1, length)
    bump = [np.exp(-(((t - c) / 0.06) ** 2)) - 0.6 * np.exp(-(((t - c - 0.2) / 0.06) ** 2)) for c in (0.25, 0.5)]
    return bump[0], bump[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    out = options.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    x, y = shapes()
    tiot = stotmetrics.solve(x, y, metric="tiot")
    cases = {f"TiOT, w = {tiot.w:.2f}": tiot.plan}
    for w in (0.1, 0.5, 0.95):
        cases[f"OT at w = {w}"] = stotmetrics.solve(x, y, metric="taot", w=w).plan
    cases["eTiOT, epsilon = 0.05"] = stotmetrics.solve(x, y, metric="etiot", epsilon=0.05).plan
    figure, axes = plt.subplots(1, len(cases), figsize=(4 * len(cases), 3), sharey=True)
    rows = []
    for axis, (name, plan) in zip(axes, cases.items(), strict=True):
        axis.plot(x + 3, "k")
        axis.plot(y, "k")
        for i, j in zip(*np.nonzero(plan > 0.1 * plan.max()), strict=True):
            axis.plot([i, j], [x[i] + 3, y[j]], "C0", lw=0.6, alpha=float(plan[i, j] / plan.max()))
            rows.append((name, i, j, plan[i, j]))
        axis.set_title(name)
    with (out / "tiot_alignments.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("case", "i", "j", "mass"), *rows])
    figure.savefig(out / "tiot_alignments.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
