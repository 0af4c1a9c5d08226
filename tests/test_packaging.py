"""What is installed: compiled, typed, light to import, and at the oldest versions it claims."""

import configparser
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import stotmetrics

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(stotmetrics.__file__).parent
KERNELS = sorted(source.stem for source in (ROOT / "stotmetrics" / "kernels").glob("*.pyx"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_tests_import_what_is_installed_not_the_folder_they_are_run_from():
    distribution = importlib.metadata.distribution("stotmetrics")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    assert (ROOT / "stotmetrics" if editable else distribution.locate_file("stotmetrics")) == PACKAGE


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_is_compiled_and_has_its_types_beside_it(kernel):
    spec = importlib.util.find_spec(f"stotmetrics.kernels.{kernel}")
    assert spec is not None, "not built"
    compiled = Path(spec.origin)
    assert compiled.name.removeprefix(kernel) in EXTENSION_SUFFIXES
    assert compiled.with_name(f"{kernel}.pyi").is_file()


def test_the_package_says_that_it_is_typed_and_brings_the_headers_of_its_kernels():
    assert (PACKAGE / "py.typed").is_file()
    wanted = {header.name for header in (ROOT / "stotmetrics" / "kernels").glob("*.h")}
    assert wanted == {header.name for header in (PACKAGE / "kernels").glob("*.h")}


def test_importing_the_package_imports_nothing_optional_and_no_metric():
    program = "import json, sys, stotmetrics; print(json.dumps(sorted(sys.modules)))"
    # -I: neither the folder it is run in nor the environment decides what is found.
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout)
    heavy = {
        "aeon",
        "jax",
        "joblib",
        "matplotlib",
        "numba",
        "ot",
        "pandas",
        "scipy",
        "sklearn",
        "torch",
        "tqdm",
        "tslearn",
    }
    assert not heavy & {name.partition(".")[0] for name in modules}
    assert not [name for name in modules if name.startswith(("stotmetrics.metrics.", "stotmetrics.kernels."))]


@pytest.mark.parametrize(("metric", "more"), [("softdtw", set()), ("tiot", set()), ("etiot", {"scipy"})])
def test_a_first_distance_imports_what_it_needs_and_no_oracle(metric, more):
    program = (
        "import json, sys, stotmetrics; stotmetrics.distance([0.0, 1.0, 2.0], [0.0, 2.0, 1.0], metric=sys.argv[1]); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program, metric], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout))
    heavy = {"joblib", "matplotlib", "numba", "ot", "pandas", "scipy", "sklearn", "torch", "tqdm", "tslearn"}
    assert heavy & {name.partition(".")[0] for name in modules} <= more
    assert not modules & {"scipy.optimize", "scipy.sparse", "scipy.spatial", "scipy.stats", "stotmetrics.transport.pot"}


def test_every_public_name_can_be_asked_for():
    for name in stotmetrics.__all__:
        assert getattr(stotmetrics, name) is not None
    assert set(stotmetrics.__all__) <= set(dir(stotmetrics))


def test_the_oldest_versions_that_are_tested_are_the_ones_that_are_claimed():
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    tested = dict(line.split("==") for line in tox["testenv:oldest"]["deps"].split())
    extras = PROJECT["optional-dependencies"]
    claimed = dict(line.split(">=") for line in PROJECT["dependencies"] + extras["test"] if ">=" in line)
    assert tested == claimed
