"""Table 1 of the TiOT paper with every parameter selected on the training set, by scikit-learn's tools alone.

Run: python docs/gallery/tiot_table1_selected.py --data FOLDER [--sets CBF ...] [--columns etiot ...] [--published FILE]
FOLDER holds NAME.npz files (X_train, y_train, X_test, y_test). Writes tiot_table1_selected.csv, a row for each set and
column: what was selected, its error on the training set and on the test set, seconds by the clock and of the processor,
and the published error if FILE (a CSV with the columns dataset, ED, DTW, eTAOT and eTiOT) has one.

The columns are those of the paper and two it leaves out: the Euclidean distance; DTW with the window learned by
leave-one-out; entropic TAOT, with omega by leave-one-out under exact TAOT and then epsilon by 3-fold cross-validation;
entropic TiOT, converged, with epsilon by 3-fold cross-validation, and by the stopping rule of the paper at that epsilon
(or, as "etiot_hbcd_cv", at one of its own: nothing bounds its values, so that takes hours on sets of hundreds of
series); exact TiOT, which has nothing to select. Folds and the points of a grid share their distances by the parameter
memory of the estimator, and what was solved at a smaller epsilon spares most pairs at the next.
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
FIELDS = ("dataset", "column", "selected", "training_error", "error", "published", "seconds", "processor_seconds")

Chosen = dict[str, dict[str, Any]]
"""What the columns of a set before this one selected."""


def leave_one_out(model: Any, X: Any, y: Any) -> float:
    """The accuracy on the training set, each series by the others: its neighbours are never itself."""
    nearest = model.kneighbors(return_distance=False)[:, 0]
    return float((model.classes_[model.y_[nearest]] == y).mean())


def select(data: Any, model: Any, grid: list[dict[str, Any]], *, folds: int | None) -> GridSearchCV:
    """The best parameters by so many folds, or by leave-one-out; of equal ones the first."""
    everything = np.arange(len(data["y_train"]))
    cv = [(everything, everything)] if folds is None else StratifiedKFold(folds)
    scoring = leave_one_out if folds is None else None
    search = GridSearchCV(model, {"metric_params": grid}, cv=cv, scoring=scoring)
    return search.fit(data["X_train"], data["y_train"])


def euclidean(data: Any, model: Any, chosen: Chosen) -> GridSearchCV:
    return select(data, model.set_params(metric="euclidean", memory=None), [{}], folds=None)


def dtw(data: Any, model: Any, chosen: Chosen) -> GridSearchCV:
    length = data["X_train"].shape[1]
    bands = sorted({int(np.ceil(length * percent / 100)) for percent in range(101)})
    return select(data, model.set_params(metric="dtw", memory=None), [{"band": band} for band in bands], folds=None)


def etaot(data: Any, model: Any, chosen: Chosen) -> GridSearchCV:
    by_omega = select(data, model.set_params(metric="taot"), [{"omega": omega} for omega in OMEGAS], folds=None)
    omega = by_omega.best_params_["metric_params"]["omega"]
    by_epsilon = [{"omega": omega, "epsilon": epsilon, "scale": "median"} for epsilon in EPSILONS]
    return select(data, model, by_epsilon, folds=3)


def entropic(metric: str) -> Callable[[Any, Any, Chosen], GridSearchCV]:
    def column(data: Any, model: Any, chosen: Chosen) -> GridSearchCV:
        grid = [{"epsilon": epsilon, "root": False} for epsilon in EPSILONS]
        return select(data, model.set_params(metric=metric), grid, folds=3)

    return column


def by_the_rule(data: Any, model: Any, chosen: Chosen) -> Any:
    """At the epsilon that convergence selected, so that the two columns differ in the rule alone."""
    params = chosen.get("etiot", {"epsilon": EPSILONS[0], "root": False})
    return model.set_params(metric="etiot_hbcd", metric_params=params).fit(data["X_train"], data["y_train"])


def tiot(data: Any, model: Any, chosen: Chosen) -> GridSearchCV:
    return select(data, model.set_params(metric="tiot", memory=None), [{}], folds=None)


# What a column is called, how it is selected, and the column of the paper to stand beside.
COLUMNS: dict[str, tuple[Callable[[Any, Any, Chosen], Any], str]] = {
    "euclidean": (euclidean, "ED"),
    "dtw": (dtw, "DTW"),
    "etaot": (etaot, "eTAOT"),
    "etiot": (entropic("etiot"), ""),
    "etiot_hbcd": (by_the_rule, "eTiOT"),
    "tiot": (tiot, ""),
    "etiot_hbcd_cv": (entropic("etiot_hbcd"), "eTiOT"),
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
    usual = [column for column in COLUMNS if column != "etiot_hbcd_cv"]
    options.add_argument("--columns", nargs="+", default=usual, choices=list(COLUMNS))
    options.add_argument("--published", type=Path)
    options.add_argument("--memory", help="a folder for distances, to go on where a run was stopped")
    options.add_argument("--n-jobs", type=int, default=2)
    options.add_argument("--out", type=Path, default=Path("build/gallery"))
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    published = read_published(given.published)
    table = given.out / "tiot_table1_selected.csv"
    with tempfile.TemporaryDirectory() as folder, table.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(FIELDS)
        for name in given.sets or sorted(path.stem for path in given.data.glob("*.npz")):
            data, chosen = np.load(given.data / f"{name}.npz"), {}
            for column in given.columns:
                select_in, beside = COLUMNS[column]
                start, processor = time.perf_counter(), time.process_time()
                model = KNeighborsTimeSeriesClassifier(memory=given.memory or folder, n_jobs=given.n_jobs)
                selected = select_in(data, model, chosen)
                searched = isinstance(selected, GridSearchCV)
                best = selected.best_estimator_ if searched else selected
                error = 1.0 - float(best.score(data["X_test"], data["y_test"]))
                seconds = time.perf_counter() - start, time.process_time() - processor
                training = 1.0 - selected.best_score_ if searched else ""
                chosen[column] = best.metric_params
                words = " ".join(f"{key}={value}" for key, value in chosen[column].items())
                row = (name, column, words, training, error, published.get(name, {}).get(beside, ""))
                writer.writerow((*row, *(round(spent, 1) for spent in seconds)))
                out.flush()
                print(*row, *(f"{spent:.1f} s" for spent in seconds), flush=True)


if __name__ == "__main__":
    main()
