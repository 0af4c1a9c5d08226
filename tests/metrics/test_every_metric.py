"""What holds for each built-in metric and parameter: its claims, the arguments of its function, its reference.

A claim that is lost is a law that the conformance kit no longer asks for.
"""

import inspect
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import stotmetrics
from stotmetrics import Traits

ANY_SHAPE = {"unequal_length", "multivariate"}
FREE = {"releases_gil"}
DIVERGENCE = {"symmetric", "zero_self", "nonnegative"}
PSEUDOMETRIC = {*DIVERGENCE, "triangle"}
METRIC = {*PSEUDOMETRIC, "separates"}
CLOUD = {*ANY_SHAPE, "uses_times", "time_invariant", "uses_weights", "differentiable"}
SQUARE = 1.0 - np.eye(4)
INDEFINITE = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) ** 3.0

# The mathematics of each: nothing more is true, nothing less is claimed.
CLAIMS = [
    ("dtw", {}, DIVERGENCE | ANY_SHAPE | FREE),
    ("softdtw", {}, {"symmetric", "differentiable"} | ANY_SHAPE | FREE),
    ("softdtw", {"gamma": 0.0}, DIVERGENCE | ANY_SHAPE | FREE),
    ("softdtw", {"gamma": "median"}, {"symmetric"} | ANY_SHAPE | FREE),
    ("softdtw_divergence", {}, {"symmetric", "zero_self", "differentiable"} | ANY_SHAPE | FREE),
    ("softdtw_divergence", {"gamma": 0.0}, DIVERGENCE | ANY_SHAPE | FREE),
    ("softdtw_divergence", {"gamma": "median"}, {"symmetric", "zero_self"} | ANY_SHAPE | FREE),
    ("softdtw_sharp", {}, {"symmetric", "nonnegative", "differentiable"} | ANY_SHAPE | FREE),
    ("softdtw_sharp", {"gamma": 0.0}, DIVERGENCE | ANY_SHAPE | FREE),
    ("softdtw_sharp", {"gamma": "median"}, {"symmetric", "nonnegative"} | ANY_SHAPE | FREE),
    ("sta", {}, {"symmetric", "differentiable", "needs_mass"} | ANY_SHAPE | FREE | {"compares_frames"}),
    ("sta", {"gamma": 0.0}, {"needs_mass"} | DIVERGENCE | ANY_SHAPE | FREE | {"compares_frames"}),
    ("sta", {"gamma": 0.0, "ground": INDEFINITE}, {"symmetric", "needs_mass"} | ANY_SHAPE | FREE | {"compares_frames"}),
    ("sta", {"gamma": 0.0, "signed": "abs"}, DIVERGENCE | ANY_SHAPE | FREE | {"compares_frames"}),
    ("sta", {"signed": "abs"}, {"symmetric", "differentiable"} | ANY_SHAPE | FREE | {"compares_frames"}),
    ("sta", {"signed": "split"}, {"symmetric"} | ANY_SHAPE | FREE | {"compares_frames"}),
    ("sta", {"rho": np.inf}, {"symmetric", "needs_mass"} | ANY_SHAPE | FREE | {"compares_frames"}),
    ("taot", {}, DIVERGENCE | CLOUD | FREE),
    ("taot", {"p": 1.0}, PSEUDOMETRIC | CLOUD | FREE),
    ("taot", {"p": 1.0, "standardize": False}, METRIC | CLOUD | FREE),
    ("taot", {"p": 1.0, "standardize": False, "omega": 0.0}, PSEUDOMETRIC | CLOUD | FREE),
    ("taot", {"p": 1.0, "standardize": False, "w": 0.5}, METRIC | CLOUD | FREE),
    ("taot", {"p": 1.0, "standardize": False, "w": 1.0}, PSEUDOMETRIC | CLOUD | FREE),
    ("taot", {"p": 1.0, "scale": "median"}, DIVERGENCE | CLOUD | FREE),
    ("taot", {"p": 1.0, "epsilon": 0.1}, {"symmetric", "nonnegative"} | CLOUD | FREE),
    ("tiot", {}, PSEUDOMETRIC | CLOUD | FREE),
    ("tiot", {"standardize": False}, METRIC | CLOUD | FREE),
    ("tiot", {"root": False}, DIVERGENCE | CLOUD | FREE),
    ("tiot", {"root": False, "p": 1.0}, PSEUDOMETRIC | CLOUD | FREE),
    ("etiot", {}, {"symmetric", "nonnegative"} | CLOUD | FREE),
    ("etiot_hbcd", {}, ({"nonnegative"} | CLOUD | FREE) - {"differentiable"}),
    ("tlp", {}, METRIC | CLOUD | FREE),
    ("tlp", {"standardize": True}, PSEUDOMETRIC | CLOUD | FREE),
    ("gak", {}, PSEUDOMETRIC | ANY_SHAPE | {"releases_gil", "differentiable"}),
    ("gak", {"form": "log"}, DIVERGENCE | ANY_SHAPE | {"releases_gil", "differentiable"}),
    ("opw", {}, {"symmetric", "nonnegative", "uses_weights", "differentiable"} | ANY_SHAPE | FREE),
    ("otw", {}, METRIC | {"multivariate", "releases_gil"}),
    ("otw", {"waste": 0.0}, PSEUDOMETRIC | {"multivariate", "releases_gil"}),
    ("aot", {}, PSEUDOMETRIC | {"multivariate", "compares_paths"} | FREE),
    ("aot", {"root": False}, DIVERGENCE | {"multivariate", "compares_paths"} | FREE),
    ("aot", {"root": False, "p": 1.0}, PSEUDOMETRIC | {"multivariate", "compares_paths"} | FREE),
    ("euclidean", {}, METRIC | {"multivariate", "differentiable"} | FREE),
]


@pytest.mark.parametrize(("name", "params", "claims"), CLAIMS, ids=[f"{name}-{list(p)}" for name, p, _ in CLAIMS])
def test_claims_are_those_of_the_mathematics(name, params, claims):
    metric = stotmetrics.get_metric(name, **params)
    spec = metric.spec
    traits = spec.traits if isinstance(spec.traits, Traits) else spec.traits(metric.params)
    assert traits == metric.traits
    units = {"continuous": False, "value_invariant": False, "unit_free": False, "degree": None}
    assert replace(traits, **units) == Traits(**dict.fromkeys(claims, True))


SHIFTS, SMOOTH, OWN_UNITS = {"value_invariant"}, {"continuous"}, {"unit_free"}
RAW = {"standardize": False}

# What other units and origins, and small changes, do to each.
UNITS = [
    ("dtw", {}, SHIFTS | SMOOTH, 2.0),
    ("dtw", {"squared": False}, SHIFTS | SMOOTH, 1.0),
    *((name, {}, SHIFTS | SMOOTH, None) for name in ("softdtw", "softdtw_divergence", "softdtw_sharp")),
    *((name, {"gamma": 0.0}, SHIFTS | SMOOTH, 2.0) for name in ("softdtw", "softdtw_divergence", "softdtw_sharp")),
    *((name, {"gamma": "median"}, SHIFTS | SMOOTH, 2.0) for name in ("softdtw", "softdtw_divergence", "softdtw_sharp")),
    ("aot", {}, SHIFTS, 1.0),
    ("aot", {"p": 3.0, "root": False}, SHIFTS, 3.0),
    ("euclidean", {}, SHIFTS | SMOOTH, 1.0),
    # Paths are sorted into cells, which a small change may move one across.
    ("gak", {}, SHIFTS | SMOOTH, None),
    ("opw", {}, SHIFTS | SMOOTH, None),
    ("otw", {}, SMOOTH, 1.0),
    ("sta", {}, SMOOTH, None),
    ("sta", {"signed": "abs"}, set(), None),
    ("taot", {}, SHIFTS | OWN_UNITS, None),
    ("taot", {"scale": "median"}, SHIFTS | OWN_UNITS, None),
    ("taot", {"scale": "median", **RAW}, SHIFTS, None),
    ("taot", {"p": 3.0, **RAW}, SHIFTS | SMOOTH, 3.0),
    ("taot", {"epsilon": 0.1, **RAW}, SHIFTS | SMOOTH, None),
    ("tiot", {}, SHIFTS | OWN_UNITS, None),
    ("tiot", {"p": 3.0, **RAW}, SHIFTS | SMOOTH, 1.0),
    ("tiot", {"p": 3.0, "root": False, **RAW}, SHIFTS | SMOOTH, 3.0),
    ("tlp", {}, SHIFTS | SMOOTH, 1.0),
    ("tlp", {"standardize": True}, SHIFTS | OWN_UNITS, None),
    ("etiot", {}, SHIFTS | OWN_UNITS, None),
    ("etiot", RAW, SHIFTS | SMOOTH, None),
    ("etiot_hbcd", {}, SHIFTS | OWN_UNITS, None),
    ("etiot_hbcd", RAW, SHIFTS, None),
]


@pytest.mark.parametrize(("name", "params", "claims", "degree"), UNITS, ids=[f"{n}-{list(p)}" for n, p, _, _ in UNITS])
def test_units_are_those_of_the_mathematics(name, params, claims, degree):
    traits = stotmetrics.get_metric(name, **params).traits
    assert {claim for claim in SHIFTS | SMOOTH | OWN_UNITS if getattr(traits, claim)} == claims
    assert traits.degree == degree


def test_every_built_in_metric_has_its_claims_listed():
    assert {name for name, _, _ in CLAIMS} == {name for name, *_ in UNITS}
    assert {name for name, _, _ in CLAIMS} == {name for name in stotmetrics.list_metrics() if own(name)}


def own(name):
    return stotmetrics.get_metric(name).spec.pair.__module__.startswith("stotmetrics.")


# One value other than the default for each parameter.
OTHERS = {
    "dtw": {"squared": False, "band": 0},
    "softdtw": {"gamma": 0.3, "band": 0},
    "softdtw_divergence": {"gamma": 0.3, "band": 0},
    "softdtw_sharp": {"gamma": 0.3, "band": 0},
    "sta": {
        "gamma": 0.3,
        "epsilon": 0.2,
        "rho": 0.5,
        "ground": SQUARE,
        "signed": "abs",
        "tol": 1e-2,
        "max_iter": 2,
    },
    "taot": {"omega": 0.3, "epsilon": 0.2, "scale": "median", "p": 1.5, "standardize": False, "w": 0.3},
    "tiot": {"p": 1.5, "standardize": False, "root": False},
    "etiot": {
        "epsilon": 0.2,
        "p": 1.5,
        "standardize": False,
        "root": False,
        "tol": 10.0,
        "max_iter": 1,
    },
    "etiot_hbcd": {
        "epsilon": 0.2,
        "p": 1.5,
        "standardize": False,
        "root": False,
        "tol": 1.0,
        "max_iter": 1,
    },
    "tlp": {"p": 1.5, "lam": 5.0, "standardize": True},
    "gak": {"sigma": 2.0, "form": "log"},
    "opw": {"moment": 5.0, "epsilon": 0.5, "sigma": 2.0, "tol": 10.0, "max_iter": 1},
    "otw": {"waste": 2.0, "window": 1},
    "aot": {"p": 1.5, "cells": 3, "quantizer": "grid", "markovian": True, "root": False},
}
# As many times of as few paths are asked about.
PATHS_IN_ROWS = pytest.mark.filterwarnings("ignore:aot reads an array:stotmetrics.errors.AxisWarning")
# Five frames with some mass on four points.
X, Y = np.random.default_rng(5).uniform(0.1, 2.0, size=(2, 5, 4)).round(1)


@PATHS_IN_ROWS
@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize(("name", "param"), [(name, param) for name, others in OTHERS.items() for param in others])
def test_the_function_of_a_metric_hands_every_parameter_on(name, param):
    function = getattr(import_module(f"stotmetrics.metrics.{name}"), name)
    other = {param: OTHERS[name][param]}
    x = X - 0.5 if param == "signed" else X  # negative values are refused by default
    wanted = stotmetrics.distance(x, Y, metric=name, **other)
    assert function(x, Y, **other) == wanted
    # Newton's last step for etiot lands below any tolerance.
    assert param == "signed" or (name, param) == ("etiot", "tol") or wanted != function(x, Y)


# The paper's algorithm does not end at its default epsilon here.
@PATHS_IN_ROWS
@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize("name", OTHERS)
def test_the_function_of_a_metric_has_the_parameters_and_defaults_of_its_spec(name):
    function = getattr(import_module(f"stotmetrics.metrics.{name}"), name)
    defaults = stotmetrics.get_metric(name).params
    _, _, *taken = inspect.signature(function).parameters.values()
    assert {p.name: p.default for p in taken} == {field: getattr(defaults, field) for field in OTHERS[name]}
    assert function(X, Y) == stotmetrics.distance(X, Y, metric=name)


def accepted(name, values, times, weights):
    """A series with all that the metric looks at."""
    traits = stotmetrics.get_metric(name).traits
    return stotmetrics.as_series(
        values, times=times if traits.uses_times else None, weights=weights if traits.uses_weights else None
    )


COMPARED = [(name, param) for name, others in OTHERS.items() for param in others if param not in ("tol", "max_iter")]


@pytest.mark.parametrize(("name", "param"), COMPARED)
def test_value_is_that_of_the_reference_at_every_parameter(name, param):
    # The paper's algorithm does not end at a small epsilon.
    params = {"epsilon": 0.2} if name.startswith("etiot") else {}
    metric = stotmetrics.get_metric(name, **{**params, param: OTHERS[name][param]})
    x = accepted(name, X - 0.5 if param == "signed" else X, [0.0, 1.0, 1.5, 4.0, 6.0], [1.0, 2.0, 1.0, 0.5, 3.0])
    y = accepted(name, Y, [0.5, 1.0, 2.5, 3.0, 9.0], [0.2, 0.3, 0.1, 0.1, 0.3])
    # The solvers of sta stop at a tolerance, and the values of etiot are right to the root of one.
    assert metric(x, y) == pytest.approx(metric.reference(x, y).value, rel=3e-5, abs=1e-7)


def test_every_built_in_metric_is_a_function_of_the_package():
    for name in filter(own, stotmetrics.list_metrics()):
        function = getattr(stotmetrics, name)
        assert name in stotmetrics.__all__
        assert stotmetrics.get_metric(function).spec is stotmetrics.get_metric(name).spec
