"""Matrices on disk for the tests: a metric that is quick, runs that stop half way, and what is left of them."""

import sys

import cloudpickle
import numpy as np
import pytest

from stotmetrics import MetricSpec, Traits, pairwise

# A process that a worker is need not find this file: what it defines goes over as it is.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

X = np.arange(60.0)[:, None] ** 1.5
METRIC_TRAITS = Traits(symmetric=True, zero_self=True, unequal_length=True)
WANTED = np.abs(X - X.T)
PAIRS = 60 * 59 // 2


def gap(x, y, params):
    return float(abs(x.values.mean() - y.values.mean()))


SPEC = MetricSpec(name="gap", pair=gap, traits=METRIC_TRAITS)


class StopError(Exception):
    """The run ends here."""


def stop_after(tiles):
    """A callable for ``progress`` that ends the run after so many tiles."""
    told = []

    def tell(done, total):
        told.append(done)
        if len(told) > tiles:
            raise StopError

    return tell


def stopped(out, tiles=3, X=X, metric=SPEC, **how):
    """A run that ended after so many tiles."""
    with pytest.raises(StopError):
        pairwise(X, metric=metric, out=out, n_jobs=1, progress=stop_after(tiles), **how)


def computed(out, X=X, metric=SPEC, **how):
    """The matrix, and how many pairs this run solved."""
    told = []
    D = pairwise(X, metric=metric, out=out, progress=lambda done, total: told.append(done), **how)
    return D, told[-1] - told[0]


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
