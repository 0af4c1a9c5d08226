"""The seeded faults of ``tests/mutants``, and the tests that judge mutants, still fit the code."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FAULTS = tomllib.loads((ROOT / "tests" / "mutants" / "faults.toml").read_text())


@pytest.mark.parametrize("fault", FAULTS["fault"], ids=[f["breaks"][:40] for f in FAULTS["fault"]])
def test_a_seeded_fault_has_one_place_in_the_code(fault):
    assert (ROOT / fault["file"]).read_text().count(fault["old"]) == 1
    assert fault["old"] != fault["new"]
    for module in fault["build"]:
        assert (ROOT / "stotmetrics" / "kernels" / f"{module}.pyx").exists()
    for test in FAULTS["tests"][fault["tests"]]:
        assert (ROOT / test).exists()


def test_what_judges_mutants_is_there():
    mutmut = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    words = mutmut["pytest_add_cli_args"]
    deselected = [word.removeprefix("--deselect=") for word in words if word.startswith("--deselect=")]
    for test in mutmut["pytest_add_cli_args_test_selection"] + deselected:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists()
        assert not name or f"def {name}(" in (ROOT / path).read_text()
