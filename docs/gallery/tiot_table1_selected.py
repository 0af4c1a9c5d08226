"""Table 1 of the TiOT paper with every parameter selected on the training set, by scikit-learn's tools alone.

Run: python docs/gallery/tiot_table1_selected.py --data FOLDER [--sets CBF ...] [--columns etiot ...] [--published FILE]
FOLDER holds NAME.npz files (X_train, y_train, X_test, y_test). Writes tiot_table1_selected.csv, a row for each set and
column: what was selected, its error on the training set and on the test set, seconds, and the published error if FILE
(a CSV with the columns dataset, ED, DTW, eTAOT and eTiOT) has one.

The columns are those of the paper and two it leaves out: the Euclidean distance; DTW with the window learned by
leave-one-out; entropic TAOT, with omega by leave-one-out and then epsilon by 3-fold cross-validation; entropic TiOT,
converged and by the stopping rule of the paper, with epsilon by 3-fold cross-validation; exact TiOT, which has nothing
to select. Where there are folds, they share their distances by the parameter memory of the estimator.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from stotmetrics.hosts.sklearn import KNeighborsTimeSeriesClassifier

EPSILONS = [round(0.01 * k, 2) for k in range(1, 11)]
OMEGAS = [round(0.1 * k, 1) for k in range(1, 10)] + [float(k) for k in range(1, 11)]
FIELDS = ("dataset", "column", "selected", "training_error", "error", "published", "seconds")


def leave_one_out(model: Any, X: Any, y: Any) -> float:
    """The accuracy on the training set, each series by the others: its neighbours are never itself."""
    nearest = model.kneighbors(return_distance=False)[:, 0]
    return float((model.classes_[model.y_[nearest]] == y).mean())


def select(data: Any, model: Any, grid: list[dict[str, Any]], *, folds: int | None) -> GridSearchCV:
    """The best parameters by so many folds, or by leave-one-out; of equal ones the first."""
    everything = np.arange(len(data["y_train"]))
    cv = [(everything, everything)] if folds is None else StratifiedKFold(folds)
    scoring = leave_one_out if folds is None else None
    found = GridSearchCV(model, {"metric_params": grid}, cv=cv, scoring=scoring)
    return found.fit(data["X_train"], data["y_train"])


def euclidean(data: Any, model: Any) -> GridSearchCV:
    return select(data, model.set_params(metric="euclidean", memory=None), [{}], folds=None)


def dtw(data: Any, model: Any) -> GridSearchCV:
    length = data["X_train"].shape[1]
    bands = sorted({int(np.ceil(length * percent / 100)) for percent in range(101)})
    return select(data, model.set_params(metric="dtw", memory=None), [{"band": band} for band in bands], folds=None)


def etaot(data: Any, model: Any) -> GridSearchCV:
    model.set_params(metric="taot")
    by_omega = [{"omega": omega, "epsilon": EPSILONS[-1], "scale": "median"} for omega in OMEGAS]
    omega = select(data, model, by_omega, folds=None).best_params_["metric_params"]["omega"]
    by_epsilon = [{"omega": omega, "epsilon": epsilon, "scale": "median"} for epsilon in EPSILONS]
    return select(data, model, by_epsilon, folds=3)


def entropic(metric: str) -> Callable[[Any, Any], GridSearchCV]:
    def column(data: Any, model: Any) -> GridSearchCV:
        grid = [{"epsilon": epsilon, "root": False} for epsilon in EPSILONS]
        return select(data, model.set_params(metric=metric), grid, folds=3)

    return column


def tiot(data: Any, model: Any) -> GridSearchCV:
    return select(data, model.set_params(metric="tiot", memory=None), [{}], folds=None)


# What a column is called, how it is selected, and the column of the paper to stand beside.
COLUMNS: dict[str, tuple[Callable[[Any, Any], GridSearchCV], str]] = {
    "euclidean": (euclidean, "ED"),
    "dtw": (dtw, "DTW"),
    "etaot": (etaot, "eTAOT"),
    "etiot": (entropic("etiot"), ""),
    "etiot_hbcd": (entropic("etiot_hbcd"), "eTiOT"),
    "tiot": (tiot, ""),
}


def read_published(path: Path | None) -> dict[str, dict[str, str]]:
    # The paper shortens these names.
    longer = {"ProximalPhalanxOC": "ProximalPhalanxOutlineCorrect", "MiddlePhalanxOC": "MiddlePhalanxOutlineCorrect"}
    if path is None:
        return {}
    with path.open(newline="") as file:
        return {longer.get(row["dataset"], row["dataset"]): row for row in csv.DictReader(file)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--sets", nargs="+", help="names; by default all files of the folder")
    options.add_argument("--columns", nargs="+", default=list(COLUMNS), choices=list(COLUMNS))
    options.add_argument("--published", type=Path)
    options.add_argument("--memory", help="a folder for distances, to go on where a run was stopped")
    options.add_argument("--n-jobs", type=int, default=2)
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    published = read_published(given.published)
    with tempfile.TemporaryDirectory() as folder, (given.out / "tiot_table1_selected.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(FIELDS)
        for name in given.sets or sorted(path.stem for path in given.data.glob("*.npz")):
            data = np.load(given.data / f"{name}.npz")
            for column in given.columns:
                how, beside = COLUMNS[column]
                start = time.perf_counter()
                model = KNeighborsTimeSeriesClassifier(memory=given.memory or folder, n_jobs=given.n_jobs)
                found = how(data, model)
                error = 1.0 - accuracy(found, data)
                seconds = time.perf_counter() - start
                chosen = " ".join(f"{key}={value}" for key, value in found.best_params_["metric_params"].items())
                row = (name, column, chosen, 1.0 - found.best_score_, error, published.get(name, {}).get(beside, ""))
                writer.writerow((*row, round(seconds, 1)))
                out.flush()
                print(*row, f"{seconds:.1f} s", flush=True)


def accuracy(found: GridSearchCV, data: Any) -> float:
    """The accuracy on the test set of the model that was selected."""
    return float(found.best_estimator_.score(data["X_test"], data["y_test"]))


if __name__ == "__main__":
    main()
