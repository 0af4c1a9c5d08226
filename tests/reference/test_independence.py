"""References share nothing with production: not an import, so not a fault either, and nothing of their price."""

import ast
import math
import subprocess
import sys
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
import pytest

import stotmetrics
from stotmetrics import reference
from stotmetrics.metrics import value_costs
from stotmetrics.reference.interface import Answer, root_of
from stotmetrics.spec import registry
from stotmetrics.spec.bound import bind
from stotmetrics.testing import iter_checks
from stotmetrics.transport import point_clouds

FOLDER = Path(reference.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
FOREIGN = {"numpy", "scipy", "mpmath"} | sys.stdlib_module_names
BUILT_IN = sorted(
    entry.name for entry in metadata.entry_points(group=registry.GROUP) if entry.value.startswith("stotmetrics.")
)

# --- imports ---


def imported(module):
    """What a module imports, as (levels up, name)."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is None:
            yield from ((node.level, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_reference_imports_numpy_scipy_and_other_references_only(module):
    others = {other.stem for other in MODULES}
    for level, name in imported(module):
        first = name.partition(".")[0]
        assert first in FOREIGN if level == 0 else (level == 1 and first in others), f"{module.name} imports {name}"


def test_every_built_in_metric_says_where_its_reference_is():
    assert BUILT_IN
    for name in BUILT_IN:
        spec = stotmetrics.get_metric(name).spec
        assert spec.reference == f"stotmetrics.reference.{name}:{name}"
        assert callable(getattr(import_module(f"stotmetrics.reference.{name}"), name))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_distance_imports_neither_its_reference_nor_the_slow_parts_of_scipy(name):
    # The paper's algorithm does not end at a small epsilon.
    params = "epsilon=1.0" if name == "etiot_hbcd" else ""
    call = f"stotmetrics.distance([0.0, 1.0], [1.0, 2.0], metric={name!r}, {params})"
    program = f"import sys, stotmetrics; {call}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"stotmetrics.metrics.{name}" in loaded
    assert not loaded & {"stotmetrics.reference", *(f"scipy.{p}" for p in ("optimize", "sparse", "spatial", "special"))}


# --- answers ---


def test_a_reference_may_answer_with_a_number_a_result_or_anything_with_a_value_and_a_gap():
    x = stotmetrics.as_series([0.0, 1.0])

    def answer(given):
        spec = stotmetrics.MetricSpec(name="own", pair=lambda x, y, params: 0.0, reference=lambda x, y, params: given)
        return bind(spec).reference(x, x)

    number, named = answer(np.float64(2.0)), answer(Answer(3.0, 0.5))
    assert (number.value, number.gap, number.converged) == (2.0, None, True)
    assert (named.value, named.gap) == (3.0, 0.5)
    own = stotmetrics.Result(4.0, converged=False)
    assert answer(own) is own


def test_the_root_of_an_answer_holds_the_roots_of_all_that_it_may_be():
    value, gap = root_of(Answer(4.0, 1.0), 2.0)
    assert value == 2.0
    assert gap == 2.0 - math.sqrt(3.0)
    assert root_of(Answer(0.0, 1e-12), 2.0) == (0.0, 1e-6)
    assert root_of(Answer(0.5, 0.25), 1.0) == (0.5, 0.25)


# --- faults ---


def verdict(name, max_examples, **fixed):
    """What the kit says when it compares a metric with its reference; it stops at the first fault."""
    spec = stotmetrics.get_metric(name).spec
    checks = iter_checks(spec, params=fixed, max_examples=max_examples, max_length=4)
    (check,) = (check for check in checks if check.name == "agrees_with_reference")
    return check.run(shrink=False)


def assert_caught(name, **fixed):
    outcome = verdict(name, 300, **fixed)
    assert outcome.status == "failed"
    assert "but the reference says" in outcome.message


def test_sound_metrics_are_not_caught():
    assert verdict("taot", 20, standardize=True).status == "passed"
    assert verdict("opw", 20).status == "passed"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, "sample deviation") for name in ("taot", "tlp", "tiot", "etiot")),
        *(("taot", fault) for fault in ("no centre", "all columns as one")),
    ],
)
def test_a_fault_in_the_z_score_is_caught(monkeypatch, name, fault):
    sound = point_clouds.zscore_and_deviations
    faulty = {
        "sample deviation": lambda z, c: z * math.sqrt(1 - 1 / len(c)),
        "no centre": lambda z, c: z + 0.1 * c.mean(axis=0),
        "all columns as one": lambda z, c: (c - c.mean()) / (c.std() or 1.0),
    }

    def broken(columns, exact=False):
        scores, deviations = sound(columns, exact)
        return faulty[fault](scores, columns), deviations

    monkeypatch.setattr(point_clouds, "zscore_and_deviations", broken)
    assert_caught(name, standardize=True)


@pytest.mark.parametrize("name", ["taot", "tlp"])
def test_a_fault_in_the_costs_of_atoms_is_caught(monkeypatch, name):
    sound = point_clouds.powers
    monkeypatch.setattr(point_clouds, "powers", lambda x, y, p: sound(x, y, p + 0.01))
    assert_caught(name)


def test_a_fault_in_the_costs_of_the_alignment_kernel_is_caught(monkeypatch):
    gak = import_module("stotmetrics.metrics.gak")
    sound = gak.minus_log_kernels
    monkeypatch.setattr(gak, "minus_log_kernels", lambda *args: sound(*args[:-1], 1.01 * args[-1]))
    assert_caught("gak")


@pytest.mark.parametrize("name", ["softdtw_sharp", "opw"])
def test_a_fault_in_the_squared_costs_is_caught(monkeypatch, name):
    sound = value_costs.squared_euclidean
    monkeypatch.setattr(value_costs, "squared_euclidean", lambda x, y: sound(x[:, :1], y[:, :1]))
    assert_caught(name)


@pytest.mark.parametrize("name", ["softdtw", "softdtw_divergence", "softdtw_sharp"])
def test_a_fault_in_the_median_is_caught(monkeypatch, name):
    monkeypatch.setattr(value_costs, "median", lambda C: float(C.mean()))
    assert_caught(name, gamma="median")


@pytest.mark.parametrize("name", ["taot", "tlp", "tiot", "etiot"])
def test_a_fault_in_the_weights_is_caught(monkeypatch, name):
    sound = point_clouds.prepare_cloud

    def even(series, standardize):
        cloud = sound(series, standardize)
        return replace(cloud, weights=np.full(cloud.size, 1.0 / cloud.size), uniform=True)

    monkeypatch.setattr(import_module(f"stotmetrics.metrics.{name}"), "prepare_cloud", even)
    assert_caught(name)


def test_a_fault_in_the_ground_of_frames_is_caught(monkeypatch):
    sta = import_module("stotmetrics.metrics.sta")
    monkeypatch.setattr(sta, "default_ground", stotmetrics.Ground.grid)
    assert_caught("sta")
