"""aeon's own tests of distances with DTW and soft-DTW of this package in the place of its own.

``python tests/hosts/aeon_suite.py`` takes the tests that the installed aeon brings, for these distances. What this
package does not offer is left to aeon: its window, a share of the longer series; the Itakura parallelogram; sets in
other forms than (cases, channels, time) or a list; other channels in both series. Soft-DTW without its sign and zeros
on the diagonal of a set are aeon's too. ``--own`` replaces nothing.
"""

import functools
import sys
from pathlib import Path

import aeon
import aeon.distances._distance as table
import numpy as np
from stand_ins import Suite, import_all, run

from stotmetrics.hosts.aeon import as_distance, pairwise_distance

NAMES = {"dtw": "dtw", "soft_dtw": "softdtw"}


def _served(window=None, itakura_max_slope=None, **params):
    return window is None and itakura_max_slope is None


def distance(name, original):
    """``dtw_distance(x, y, ...)`` of aeon by the metric of that name."""

    @functools.wraps(original)
    def stand_in(x, y, *args, **params):
        if args or not _served(**params) or np.shape(x)[:-1] != np.shape(y)[:-1]:
            return original(x, y, *args, **params)
        return abs(as_distance(name, **_parameters(params))(x, y))

    return stand_in


def pairwise(name, original):
    """``dtw_pairwise_distance(X, y, ...)`` of aeon by the metric of that name."""

    @functools.wraps(original)
    def stand_in(X, y=None, *args, n_jobs=1, **params):
        if args or not _served(**params) or not all(map(_is_set, (X,) if y is None else (X, y))):
            return original(X, y, *args, n_jobs=n_jobs, **params)
        D = abs(pairwise_distance(X, y, method=name, **_parameters(params)))
        if y is None:
            np.fill_diagonal(D, 0.0)
        return D

    return stand_in


def _is_set(X):
    return isinstance(X, list) or np.ndim(X) == 3


def _parameters(params):
    return {key: value for key, value in params.items() if key not in ("window", "itakura_max_slope", "n_jobs")}


class OfTheseDistances(Suite):
    """Of the tests that aeon draws up for each of its distances, those of the ones that are replaced."""

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if _concerns(getattr(item, "callspec", None))]


def _concerns(callspec) -> bool:
    rows = [value for value in (callspec.params.values() if callspec else ()) if isinstance(value, dict)]
    return all(row.get("name", "dtw") in NAMES for row in rows)


def main(arguments: list[str]) -> int:
    own = "--own" in arguments
    rest = [argument for argument in arguments if argument != "--own"]
    import_all(aeon.distances)
    kinds = {"distance": distance, "pairwise_distance": pairwise}
    originals = {f"{theirs}_{kind}": getattr(aeon.distances, f"{theirs}_{kind}") for theirs in NAMES for kind in kinds}
    stand_ins = {
        f"{theirs}_{kind}": make(ours, originals[f"{theirs}_{kind}"])
        for theirs, ours in NAMES.items()
        for kind, make in kinds.items()
    }
    suite = OfTheseDistances("aeon", stand_ins, own)
    # aeon looks its functions up in a table.
    for row in table.DISTANCES:
        for kind in kinds:
            if (key := f"{row['name']}_{kind}") in stand_ins:
                row[kind] = getattr(aeon.distances, key)
    folder = Path(aeon.__file__).parent / "distances"
    return run(suite, folder, rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
