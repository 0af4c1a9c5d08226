"""How entropic TiOT tends to TiOT, and how long both take (Figure 3 of the TiOT paper).

Run: python docs/gallery/tiot_epsilon.py --out build/gallery
Writes tiot_epsilon.csv (epsilon, value, error, w, error of w) and tiot_runtime.csv (length, seconds), and
tiot_epsilon.png.
"""

import argparse
import csv
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics


def walks(length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=length).cumsum(), rng.normal(size=length).cumsum()


def seconds_of(name: str, length: int, **params: float) -> float:
    times = []
    for seed in range(3):
        x, y = walks(length, seed)
        start = time.perf_counter()
        stotmetrics.solve(x, y, metric=name, **params)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lengths", type=int, nargs="+", default=[50, 100, 200, 300, 500])
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    x, y = walks(200)
    exact = stotmetrics.solve(x, y, metric="tiot", root=False)
    values = []
    for epsilon in np.logspace(0, -4, 13):
        found = stotmetrics.solve(x, y, metric="etiot", epsilon=float(epsilon), root=False)
        values.append((epsilon, found.value, abs(found.value - exact.value), found.w, abs(found.w - exact.w)))
    names = (("tiot", {}), ("etiot", {"epsilon": 0.1}), ("etiot", {"epsilon": 0.01}))
    times = [(length, *(seconds_of(name, length, **params) for name, params in names)) for length in given.lengths]
    with (given.out / "tiot_epsilon.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("epsilon", "value", "error", "w", "error_w"), *values])
    with (given.out / "tiot_runtime.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("length", "tiot", "etiot_0.1", "etiot_0.01"), *times])
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    table, clock = np.array(values), np.array(times)
    left.loglog(table[:, 0], table[:, 2], "o-", label="value")
    left.loglog(table[:, 0], np.maximum(table[:, 4], 1e-12), "s-", label="w")
    left.set(xlabel="epsilon", ylabel="distance from exact TiOT")
    left.legend()
    for column, (name, params) in enumerate(names, 1):
        right.loglog(
            clock[:, 0],
            clock[:, column],
            "o-",
            label=", ".join([name, *(f"{key} {value}" for key, value in params.items())]),
        )
    right.set(xlabel="length", ylabel="seconds a pair")
    right.legend()
    figure.savefig(given.out / "tiot_epsilon.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
