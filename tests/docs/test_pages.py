"""What writes the pages: links that lead nowhere are found, tables say what the run and the metrics say."""

import ast
import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest

import stotmetrics
from stotmetrics.spec import registry
from stotmetrics.spec.bound import bind

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("matplotlib", reason="matplotlib, which draws the pages' pictures, is not installed (extra plot)")


def page_writer(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_that_lead_nowhere_are_found(tmp_path):
    links = page_writer("check_links")
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="b.html#gone">x</a><img src="no.png">')
    (tmp_path / "b.html").write_text('<p id="here"><a href="https://example.org/absent">x</a><a href="c.html">x</a>')
    broken = [(path.name, link) for path, link in links.broken(tmp_path)]
    assert broken == [("a.html", "b.html#gone"), ("a.html", "no.png"), ("b.html", "c.html")]
    assert links.main(tmp_path) == 1


def report(tmp_path):
    def run(group, median, **params):
        stats = {"median": median, "rounds": 3}
        return {
            "group": group,
            "name": "n",
            "fullname": "x/test_a.py::n",
            "params": params,
            "stats": stats,
            "extra_info": {},
        }

    benchmarks = [
        run("by length", 0.002, whose="stotmetrics", length=10),
        run("by length", 0.004, whose="stotmetrics", length=20),
        run("by length", 0.02, whose="peer", length=10),
        run("alone", 2.5, whose="peer"),
        run("alone", 5.0, whose="stotmetrics"),
    ]
    run = {"machine_info": {"node": "secret", "cpu": {"brand_raw": "A processor"}}, "datetime": "2026-01-02T03:04:05"}
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**run, "benchmarks": benchmarks}))
    return path


def test_the_page_of_benchmarks_has_the_medians_of_the_run_and_their_ratios(tmp_path, monkeypatch):
    page = page_writer("benchmark_page")
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept.json")
    page.keep(report(tmp_path))
    assert "secret" not in page.KEPT.read_text()
    page.write(tmp_path)
    text = (tmp_path / "benchmarks" / "index.md").read_text()
    assert "| length | 10 | 20 |" in text
    assert "| stotmetrics | 2 ms | 4 ms |" in text
    assert "| peer | 20 ms (10 x) | – |" in text
    assert "| peer | 2.5 s (0.5 x) |  |" in text
    assert "A processor" in text
    assert (tmp_path / "benchmarks" / "group0.svg").exists()


@pytest.fixture(scope="module")
def metric_pages():
    pytest.importorskip("numpydoc", reason="numpydoc, which reads the docstrings, is not installed (extra docs)")
    return page_writer("metric_pages")


OWN = [entry.spec for entry in registry.catalogue() if entry.distribution.startswith("stotmetrics ")]


def cells(text):
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| [")
    ]
    return {re.match(r"\[(\w+)\]", row[0])[1]: row[1:] for row in rows}


def test_the_table_of_axioms_names_settings_that_have_them(metric_pages):
    told = cells(metric_pages.axioms(OWN))
    for spec in OWN:
        full = told.get(spec.name, ["no"])[0]
        for setting in re.findall(r"`(\w+)=([^`]+)`", full):
            name, value = setting
            assert bind(spec, **{name: ast.literal_eval(value)}).traits.metric_axioms
        assert (full == "at its defaults") == bind(spec).traits.metric_axioms


def test_the_table_of_invariances_knows_the_z_score(metric_pages):
    told = cells(metric_pages.invariances(OWN))
    assert told["tiot"][:4] == ["same / same"] * 4
    assert told["dtw"][:2] == ["same / changes", "x 100 / changes"]
    assert told["dtw"][2:4] == ["–", "–"]
    assert told["tlp"][2] == "same / changes"


def test_legal_values_are_words(metric_pages):
    assert metric_pages.words("a number > 0 and <= 1e+300 or 'median'") == "a number above 0 or 'median'"
    assert metric_pages.words("an integer >= 1 or None") == "an integer at least 1 or None"
    for spec in OWN:
        for known in spec.parameters.values():
            assert not re.search(r"[<>]", metric_pages.words(known.wants))


def test_every_version_that_is_written_down_is_the_one_of_the_package():
    version = stotmetrics.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"version = {{{version}}}" in (ROOT / "docs" / "cite.md").read_text()
    assert f'version: "{version}"' in (ROOT / "packaging" / "conda" / "recipe.yaml").read_text()
    assert f"## {version}" in (ROOT / "docs" / "changelog.md").read_text()


def test_the_conda_recipe_asks_for_what_the_package_asks_for():
    recipe = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text()
    run = set(re.findall(r"^ +- ([a-z-]+) (>=[\d.]+)$", recipe[recipe.index("run:") :], re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {tuple(re.match(r"([a-z-]+)(>=.+)", line).groups()) for line in project["dependencies"]}
    assert run - {("python", project["requires-python"])} == wanted


def test_every_fault_of_the_guide_to_long_runs_names_tests_that_there_are():
    page = (ROOT / "docs" / "guides" / "overnight.md").read_text(encoding="utf-8")
    table = page.partition("| fault | what happens | held by |\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(table) >= 15
    for row in table:
        named = re.findall(r"`(test_\w+)::(test_\w+)`", row.rpartition(" | ")[2])
        assert named, row
        for file, test in named:
            (path,) = (ROOT / "tests").glob(f"*/{file}.py")
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (file, test)
