"""Names: found by entry point, loaded one at a time, refused with the reason."""

import os
import subprocess
import sys

import pytest

from stotmetrics import (
    DuplicateMetricError,
    InvalidParameterError,
    MetricLoadError,
    MetricSpec,
    UnknownMetricError,
    distance,
    get_metric,
    list_metrics,
    pairwise,
    register,
    unregister,
)
from stotmetrics.spec import registry

LAST_GAP = """
from dataclasses import dataclass
from stotmetrics import MetricSpec, Traits, parameter

@dataclass(frozen=True)
class Parameters:
    scale: float = parameter(1.0, doc="unit of the values", low=0.0, low_open=True)

def pair(x, y, params):
    return abs(x.values[-1, 0] - y.values[-1, 0]) / params.scale

SPEC = MetricSpec(name="{name}", pair=pair, params=Parameters,
                  traits=Traits(symmetric=True, zero_self=True, nonnegative=True, triangle=True, unequal_length=True))
"""
BUILT_IN = {"softdtw", "sta", "taot", "tiot", "etiot"}


@pytest.fixture
def plugin(install, monkeypatch):
    monkeypatch.delitem(sys.modules, "last_gap", raising=False)
    return install("last-gap", {"last_gap": "last_gap:SPEC"}, {"last_gap": LAST_GAP.format(name="last_gap")})


def test_the_built_ins_are_declared_like_any_plugin():
    assert set(list_metrics()) >= BUILT_IN


@pytest.mark.usefixtures("plugin")
def test_a_plugin_is_found_by_name_and_takes_parameters():
    assert "last_gap" in list_metrics()
    assert distance([0.0, 1.0], [4.0], metric="last_gap", scale=3.0) == 1.0
    assert pairwise([[0.0], [2.0]], metric="last_gap").tolist() == [[0.0, 2.0], [2.0, 0.0]]


@pytest.mark.usefixtures("plugin")
def test_listing_imports_nothing():
    list_metrics()
    assert "last_gap" not in sys.modules


@pytest.mark.usefixtures("plugin")
def test_asking_for_one_metric_loads_no_other():
    get_metric("last_gap")
    assert set(registry._loaded) == {"last_gap"}


def test_a_bound_plugin_metric_reaches_a_fresh_process_by_name(plugin):
    code = (
        "import sys, pickle, stotmetrics\n"
        "metric = stotmetrics.get_metric('last_gap', scale=2.0)\n"
        "print(metric([1.0], [5.0]), 'last_gap' in stotmetrics.list_metrics())\n"
        "sys.stdout.flush(); sys.stdout.buffer.write(pickle.dumps(metric, protocol=0))"
    )
    path = os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    printed, _, pickled = done.stdout.partition(b"\n")
    assert printed == b"2.0 True"
    import pickle

    assert pickle.loads(pickled) == get_metric("last_gap", scale=2.0)


def test_a_broken_plugin_is_an_error_only_when_asked_for(install):
    install("broken", {"broken": "broken_plugin:SPEC"}, {"broken_plugin": "import no_such_library"})
    assert "broken" in list_metrics()
    with pytest.raises(
        MetricLoadError, match=r"metric 'broken' of broken 1.2 .* ModuleNotFoundError.*no_such_library"
    ) as info:
        get_metric("broken")
    assert isinstance(info.value, ImportError)
    assert isinstance(info.value.__cause__, ModuleNotFoundError)
    broken = {entry.name: entry for entry in registry.catalogue() if entry.distribution == "broken 1.2"}
    assert isinstance(broken["broken"].error, MetricLoadError)
    assert broken["broken"].spec is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("SPEC = 3", "must be a MetricSpec; got int"),
        (LAST_GAP.format(name="other"), "calls itself 'other'"),
        (
            LAST_GAP.format(name="odd") + "\nimport dataclasses\nSPEC = dataclasses.replace(SPEC, api_version=99)",
            "upgrade",
        ),
    ],
)
def test_an_entry_point_must_lead_to_a_spec_of_its_name(install, source, message):
    module = f"odd_{abs(hash(message))}"
    install("odd", {"odd": f"{module}:SPEC"}, {module: source})
    with pytest.raises(MetricLoadError, match=message):
        get_metric("odd")


def test_two_claims_to_a_name_are_an_error_naming_both(install):
    for owner in ("first-owner", "second-owner"):
        module = owner.replace("-", "_")
        install(owner, {"contested": f"{module}:SPEC"}, {module: LAST_GAP.format(name="contested")})
    with pytest.raises(DuplicateMetricError, match=r"'contested' is claimed by .*first-owner 1.2") as info:
        get_metric("contested")
    assert "second-owner 1.2" in str(info.value)
    assert list_metrics().count("contested") == 1
    (entry,) = [entry for entry in registry.catalogue() if entry.name == "contested"]
    assert isinstance(entry.error, DuplicateMetricError)


def test_a_plugin_cannot_take_the_name_of_a_built_in_silently(install):
    install("usurper", {"softdtw": "usurper:SPEC"}, {"usurper": LAST_GAP.format(name="softdtw")})
    with pytest.raises(DuplicateMetricError, match=r"usurper 1\.2"):
        get_metric("softdtw")


def test_an_unknown_name_says_what_is_close():
    with pytest.raises(UnknownMetricError, match=r"no metric is called 'soft_dtw'; did you mean 'softdtw'"):
        get_metric("soft_dtw")
    with pytest.raises(UnknownMetricError, match=r"known: .*tiot"):
        get_metric("zzzzzz")
    with pytest.raises(InvalidParameterError, match="series come first"):
        get_metric(3)


@pytest.mark.usefixtures("fresh_registry")
def test_register_serves_a_notebook_whose_cell_runs_twice():
    spec = MetricSpec(name="mine", pair=lambda x, y, params: 1.0)
    assert register(spec) is spec
    with pytest.raises(DuplicateMetricError, match="replace=True"):
        register(spec)
    register(MetricSpec(name="mine", pair=lambda x, y, params: 2.0), replace=True)
    assert distance([0.0], [0.0], metric="mine") == 2.0
    assert [entry.distribution for entry in registry.catalogue() if entry.name == "mine"] == ["this session"]
    unregister("mine")
    with pytest.raises(UnknownMetricError):
        get_metric("mine")
    with pytest.raises(UnknownMetricError, match="not registered"):
        unregister("mine")


def test_register_respects_installed_names_and_takes_only_specs():
    with pytest.raises(DuplicateMetricError, match="installed by stotmetrics"):
        register(MetricSpec(name="tiot", pair=lambda x, y, params: 0.0))
    with pytest.raises(TypeError, match="takes a MetricSpec or a function"):
        register(3)
