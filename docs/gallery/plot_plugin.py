"""
A plugin, from nothing to checked
=================================

A metric of your own in a file, its claims checked, its neighbours found, and what turns it into a package.
"""

from dataclasses import dataclass
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics
from stotmetrics import MetricSpec, Traits, parameter
from stotmetrics.plotting import plot_matrix
from stotmetrics.testing import check_metric

# %%
# The idea: two series are alike if their energy is spread alike over frequencies, whenever things happen. One
# function of two series, and one that is worth computing once per series.


@dataclass(frozen=True)
class Parameters:
    """Parameters of spectral."""

    bands: int = parameter(16, doc="how many bands of frequencies", kind=int, low=1)


def prepare(series, params):
    """The share of each band in the energy, added up from low to high: (bands, d)."""
    centered = series.values - series.values.mean(axis=0)
    energy = np.abs(np.fft.rfft(centered, axis=0)) ** 2
    edges = np.linspace(0, len(energy), params.bands + 1).astype(int)
    shares = np.array([energy[a:b].sum(axis=0) for a, b in pairwise(edges)])
    total = shares.sum(axis=0)
    return np.cumsum(shares / np.where(total > 0, total, 1.0), axis=0)


def pair(x, y, params):
    """Transport on a line is the area between two cumulative sums."""
    return float(np.abs(x - y).mean())


SPEC = MetricSpec(
    name="spectral",
    pair=pair,
    prepare=prepare,
    params=Parameters,
    traits=Traits(
        symmetric=True, zero_self=True, nonnegative=True, triangle=True, unequal_length=True, multivariate=True
    ),
    summary="Transport between the energies of two series over frequencies.",
)

# %%
# Each claim is a promise that the engine relies on. The kit tries to break them.

report = check_metric(SPEC, raises=False, max_examples=10)
print("broken:", report.failures or "nothing")

# %%
# What if we had claimed too much? A power of a distance loses the triangle inequality, and the kit says so with a
# case to paste.


def squared(x, y, params):
    return pair(x, y, params) ** 2


boastful = MetricSpec(name="boastful", pair=squared, prepare=prepare, params=Parameters, traits=SPEC.traits)
report = check_metric(boastful, raises=False, max_examples=40)
print("broken:", report.failures)

# %%
# Registered, every function of the package finds it by name.

stotmetrics.register(SPEC, replace=True)
rng = np.random.default_rng(0)
t = np.linspace(0, 1, 128)
pitches = np.repeat([4, 12, 24], 6)
X = np.array([np.sin(2 * np.pi * (f * t + rng.random())) + 0.3 * rng.normal(size=128) for f in pitches])
figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
plot_matrix(stotmetrics.pairwise(X, metric="spectral"), [f"{f} Hz" for f in pitches], ax=ax)

# %%
# In a package, put the code into ``yourpackage/spectral.py`` and declare it:
#
# .. code-block:: toml
#
#    [project.entry-points."stotmetrics.metrics"]
#    spectral = "yourpackage.spectral:SPEC"
#
# Then it is there for whoever installs the package, on the command line too (``stotmetrics classify --metric
# spectral``), and ``stotmetrics check spectral`` runs the kit. ``tests/plugin`` in the source of this package is such
# a package.

stotmetrics.unregister("spectral")
