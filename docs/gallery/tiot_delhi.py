"""A year of daily temperatures in Delhi against the year some days later (Figure 2 of the TiOT paper).

Run: python docs/gallery/tiot_delhi.py --data DailyDelhiClimateTrain.csv [--published tiot_delhi_lags.csv]
Writes tiot_delhi.csv (lag, tiot, w, W2 at w = 0.2, 0.5, 0.8) and tiot_delhi.png; says the largest difference from the
published figures where they are given.
"""

import argparse
import csv
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics

YEAR, MIXTURES = 365, (0.2, 0.5, 0.8)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="CSV file with a column meantemp")
    options.add_argument("--published", type=Path, help="CSV file: lag, tiot, W2 at three w")
    options.add_argument("--step", type=int, default=1, help="every so many lags")
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with given.data.open() as file:
        temperature = np.array([float(row["meantemp"]) for row in csv.DictReader(file)])
    lags = range(0, min(730, len(temperature) - YEAR + 1), given.step)
    year = temperature[:YEAR]
    rows, seconds = [], 0.0
    for lag in lags:
        later = temperature[lag : lag + YEAR]
        start = time.perf_counter()
        tiot = stotmetrics.solve(year, later, metric="tiot")
        seconds += time.perf_counter() - start
        fixed = [max(stotmetrics.taot(year, later, w=w), 0.0) ** 0.5 for w in MIXTURES]
        rows.append([lag, tiot.value, tiot.w, *fixed])
    print(f"{len(rows)} lags, {seconds:.1f} s for TiOT")
    if given.published:
        with given.published.open() as file:
            published = np.array([[float(v) for v in row] for row in list(csv.reader(file))[1:]])
        ours = np.array(rows)[:, [0, 1, 3, 4, 5]]
        error = np.abs(ours - published[ours[:, 0].astype(int)])[:, 1:].max(axis=0)
        print("largest difference from the published figures: TiOT {:.2e}, W2 {:.2e} {:.2e} {:.2e}".format(*error))
    with (given.out / "tiot_delhi.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("lag", "tiot", "w", *(f"W2_w{w}" for w in MIXTURES)), *rows])
    table = np.array(rows)
    figure, axis = plt.subplots(figsize=(8, 4))
    axis.plot(table[:, 0], table[:, 1], "k", lw=2, label="TiOT")
    for column, w in enumerate(MIXTURES, 3):
        axis.plot(table[:, 0], table[:, column], lw=1, label=f"W2, w = {w}")
    axis.set(xlabel="lag in days", ylabel="distance")
    axis.legend(loc="lower center", fontsize="small")
    figure.savefig(given.out / "tiot_delhi.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
