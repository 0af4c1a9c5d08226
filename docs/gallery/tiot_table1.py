"""1-NN error rates under TiOT, exact and entropic, on sets of the UCR archive (Table 1, Figure 4 of the TiOT paper).

Run: python docs/gallery/tiot_table1.py --data FOLDER [--sets CBF ...] [--epsilon 0.01 ...]
     [--entropic etiot etiot_hbcd] [--published FILE]
FOLDER holds NAME.npz files (X_train, y_train, X_test, y_test). Writes tiot_table1.csv, a row for each set and metric:
error, seconds, pairs, pairs solved, and the published error if FILE (a CSV with the columns dataset, epsilon and eTiOT)
has one; and tiot_table1.png, the error over epsilon. etiot_hbcd stops by the rule of the paper: nothing bounds
its values, so it solves every pair.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics

COLUMNS = ("dataset", "metric", "epsilon", "error", "seconds", "pairs", "solved", "published")
STYLES = {"etiot": "o-", "etiot_hbcd": "x--", "published": "s:"}


def classify(data: Any, n_jobs: int, metric: str, **params: Any) -> tuple[float, float, int, int]:
    start = time.perf_counter()
    nearest = stotmetrics.kneighbors(data["X_train"], data["X_test"], metric, n_jobs=n_jobs, **params)
    seconds = time.perf_counter() - start
    wrong = data["y_train"][nearest.indices[:, 0]] != data["y_test"]
    return float(wrong.mean()), seconds, nearest.pairs, nearest.solved


def read_published(path: Path | None) -> dict[tuple[str, float], float]:
    if path is None:
        return {}
    with path.open(newline="") as file:
        return {(row["dataset"], float(row["epsilon"])): float(row["eTiOT"]) for row in csv.DictReader(file)}


def draw(rows: list[tuple[Any, ...]], path: Path) -> None:
    names = sorted({row[0] for row in rows})
    figure, axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3.4), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        mine = [row for row in rows if row[0] == name]
        for rule, style in STYLES.items():
            column, metric = (7, "etiot") if rule == "published" else (3, rule)
            points = {row[2]: row[column] for row in mine if row[1] == metric}
            points = {epsilon: error for epsilon, error in sorted(points.items()) if error != ""}
            if points:
                axis.plot(list(points), list(points.values()), style, label=rule)
        axis.axhline(next(row[3] for row in mine if row[1] == "tiot"), color="k", lw=0.8, label="tiot")
        axis.set(title=name, xlabel="epsilon", ylabel="1-NN error")
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--sets", nargs="+", help="names; by default all files of the folder")
    options.add_argument("--epsilon", type=float, nargs="+", default=[0.01])
    options.add_argument("--entropic", nargs="+", default=["etiot"], choices=("etiot", "etiot_hbcd"))
    options.add_argument("--published", type=Path)
    options.add_argument("--n-jobs", type=int, default=2)
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    published = read_published(given.published)
    cases: list[tuple[str, dict[str, Any]]] = [("tiot", {})]
    for metric in given.entropic:
        cases += [(metric, {"epsilon": epsilon, "root": False}) for epsilon in given.epsilon]
    rows: list[tuple[Any, ...]] = []
    with (given.out / "tiot_table1.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name in given.sets or sorted(path.stem for path in given.data.glob("*.npz")):
            data = np.load(given.data / f"{name}.npz")
            for metric, params in cases:
                epsilon = params.get("epsilon", 0.0)
                outcome = classify(data, given.n_jobs, metric, **params)
                rows.append((name, metric, epsilon, *outcome, published.get((name, epsilon), "")))
                writer.writerow(rows[-1])
                file.flush()
                print(*rows[-1], flush=True)
    draw(rows, given.out / "tiot_table1.png")


if __name__ == "__main__":
    main()
