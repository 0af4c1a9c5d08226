"""The seeded faults of ``tests/mutants``, and the tests that judge mutants, still fit the code."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KERNELS = ROOT / "stotmetrics" / "kernels"
FAULTS = tomllib.loads((ROOT / "tests" / "mutants" / "faults.toml").read_text())


def read_for(module: str) -> set[Path]:
    """What is compiled into a kernel: its source, and the declarations and headers that it asks for."""
    sources, open_ = set(), [KERNELS / f"{module}.pyx"]
    while open_:
        path = open_.pop()
        if path in sources or not path.exists():
            continue
        sources.add(path)
        text = path.read_text()
        open_ += [KERNELS / f"{name}.pxd" for name in re.findall(r"^from \.(\w+) cimport", text, re.MULTILINE)]
        open_ += [KERNELS / name for name in re.findall(r'"(\w+\.h)"', text)]
        open_.append(path.with_suffix(".pxd"))
    return sources


@pytest.mark.parametrize("fault", FAULTS["fault"], ids=[f["breaks"][:40] for f in FAULTS["fault"]])
def test_a_seeded_fault_has_one_place_in_the_code_and_is_built_into_it(fault):
    assert (ROOT / fault["file"]).read_text().count(fault["old"]) == 1
    assert fault["old"] != fault["new"]
    for module in fault["build"]:
        # A fault in what a kernel does not read changes nothing, and would pass for one that lives.
        assert ROOT / fault["file"] in read_for(module)
    for test in FAULTS["tests"][fault["tests"]]:
        assert (ROOT / test).exists()


def test_every_kernel_that_computes_has_a_seeded_fault():
    kernels = {path.stem for path in KERNELS.glob("*.pyx")}
    assert kernels - {module for fault in FAULTS["fault"] for module in fault["build"]} == {
        "_cpu",
        "_interrupt",
        "_linalg",
    }


def test_what_judges_mutants_is_there():
    mutmut = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    words = mutmut["pytest_add_cli_args"]
    deselected = [word.removeprefix("--deselect=") for word in words if word.startswith("--deselect=")]
    for test in mutmut["pytest_add_cli_args_test_selection"] + deselected:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists()
        assert not name or f"def {name}(" in (ROOT / path).read_text()
