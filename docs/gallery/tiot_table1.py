"""1-NN error rates under TiOT, exact and entropic, on sets of the UCR archive (Table 1, Figure 4 of the TiOT paper).

Run: python docs/gallery/tiot_table1.py --data FOLDER [--sets CBF ...] [--epsilon 0.01 ...] [--paper]
FOLDER holds NAME.npz files (X_train, y_train, X_test, y_test). Writes tiot_table1.csv, a row for each set and metric:
error, seconds, pairs, pairs solved; and tiot_table1.png, the error over epsilon. --paper adds the paper's own stopping
rule, which takes long.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics


def classify(data: Any, n_jobs: int, metric: str, **params: Any) -> tuple[float, float, int, int]:
    start = time.perf_counter()
    found = stotmetrics.kneighbors(data["X_train"], data["X_test"], metric, n_jobs=n_jobs, **params)
    seconds = time.perf_counter() - start
    wrong = data["y_train"][found.indices[:, 0]] != data["y_test"]
    return float(wrong.mean()), seconds, found.pairs, found.solved


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--sets", nargs="+", help="names; by default all files of the folder")
    options.add_argument("--epsilon", type=float, nargs="+", default=[0.01])
    options.add_argument("--paper", action="store_true", help="also with the paper's stopping rule")
    options.add_argument("--n-jobs", type=int, default=2)
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    names = given.sets or sorted(path.stem for path in given.data.glob("*.npz"))
    cases: list[tuple[str, dict[str, Any]]] = [("tiot", {})]
    for rule in ("gap", "paper") if given.paper else ("gap",):
        cases += [("etiot", {"epsilon": epsilon, "stopping": rule, "root": False}) for epsilon in given.epsilon]
    figure, axis = plt.subplots(figsize=(8, 5))
    with (given.out / "tiot_table1.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("dataset", "metric", "epsilon", "stopping", "error", "seconds", "pairs", "solved"))
        for colour, name in enumerate(names):
            data = np.load(given.data / f"{name}.npz")
            curve = []
            for metric, params in cases:
                found = classify(data, given.n_jobs, metric, **params)
                row = (name, metric, params.get("epsilon", 0), params.get("stopping", ""), *found)
                writer.writerow(row)
                file.flush()
                print(*row, flush=True)
                if params.get("stopping") == "gap":
                    curve.append((params["epsilon"], found[0]))
                elif metric == "tiot":
                    axis.axhline(found[0], color=f"C{colour}", lw=0.8, ls=":")
            axis.plot(*np.array(curve).T, "o-", color=f"C{colour}", label=name)
    axis.set(xlabel="epsilon (dotted: exact)", ylabel="1-NN error")
    axis.legend()
    figure.savefig(given.out / "tiot_table1.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
