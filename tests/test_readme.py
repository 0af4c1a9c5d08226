"""The README and the guides keep their word: examples print what is shown, commands are the ones that are run."""

import doctest
import re
from pathlib import Path
from types import ModuleType

import pytest

import stotmetrics
from stotmetrics import cli
from stotmetrics.spec.registry import catalogue
from stotmetrics.testing import check_metric

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_the_examples_print_what_the_page_shows(page):
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_pages_with_examples_are_found():
    assert {"quickstart.md", "faq.md", "own-metric.md"} <= {page.name for page in PAGES}


def test_the_metric_of_all_six_functions_keeps_what_it_claims():
    page = (ROOT / "docs" / "guides" / "own-metric.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module = ModuleType("ends")
    exec(compile(source, "ends.py", "exec"), vars(module))
    spec = vars(module)["SPEC"]
    offers = (spec.prepare, spec.block, spec.gradients, spec.lower_bounds, spec.reference)
    assert None not in offers
    check_metric(spec, max_examples=5, expected_failures={"pickles": "a module of this test alone"})
    X = [[0.0, 1.0, 2.0], [5.0, 0.0], [0.0, 9.0, 2.5]]
    assert stotmetrics.kneighbors(X[1:], X[:1], metric=spec).indices.tolist() == [[1]]


def test_the_main_job_begins_as_the_page_shows(capsys):
    assert cli.main(["classify"]) == 0
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"```text\n(data set .*?)\nseconds .*?```", README, re.DOTALL)[1].splitlines()
    assert printed[: len(shown)] == shown


# What each of the first five minutes needs.
NEEDS = {"tslearn": "tslearn", "MNE": "mne", "POT": "ot", "PyTorch": "torch", "a metric of your own": "stotmetrics"}
MINUTES = {
    match[1]: match.groups()[1:]
    for match in re.finditer(
        r"^With \*\*(.+?)\*\*.*?```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL | re.MULTILINE
    )
}


def test_there_are_first_minutes_for_everyone():
    assert set(MINUTES) == set(NEEDS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("whose", MINUTES)
def test_the_first_five_minutes_print_what_the_page_shows(whose, capsys, fresh_registry):
    pytest.importorskip(NEEDS[whose], reason=f"{NEEDS[whose]} is not installed")
    code, shown = MINUTES[whose]
    exec(compile(code, whose, "exec"), {})
    assert capsys.readouterr().out == shown


def test_continuous_integration_runs_the_test_command_of_the_page():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert f"\n{commands[1]}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_table_tells_the_traits_of_every_metric_of_the_package():
    rows = {}
    for line in README.splitlines():
        if match := re.match(r"\| `(\w+)` \|", line):
            rows[match[1]] = [cell.strip() for cell in line.split("|")[3:7]]
    own = {entry.name for entry in catalogue() if entry.distribution.startswith("stotmetrics ")}
    assert set(rows) == own
    for name, told in rows.items():
        traits = stotmetrics.get_metric(name).traits
        pseudo = traits.symmetric and traits.zero_self and traits.triangle
        axioms = "yes" if traits.metric_axioms else "pseudometric" if pseudo else "no"
        claims = (traits.unequal_length, traits.multivariate, traits.differentiable)
        assert told == [axioms, *("yes" if claim else "no" for claim in claims)], name


def test_every_link_of_the_page_into_the_project_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
