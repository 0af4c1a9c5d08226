"""The kit applied to a metric of another package, wrapped in five lines."""

import importlib.util
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from stotmetrics import MetricSpec, Traits, parameter
from stotmetrics.testing import check_metric

aeon = pytest.importorskip("aeon.distances", reason="aeon is not installed (extra aeon)")


@dataclass(frozen=True)
class Gamma:
    gamma: float = parameter(1.0, doc="smoothing of the minimum", low=0.0, low_open=True)


def aeon_softdtw(x, y, params):
    return aeon.soft_dtw_distance(x.values.T.copy(), y.values.T.copy(), gamma=params.gamma)


WARPS = Traits(symmetric=True, unequal_length=True, multivariate=True)


def test_kit_reports_the_special_case_of_aeon_for_equal_series_and_its_absolute_value():
    spec = MetricSpec(name="aeon_softdtw", pair=aeon_softdtw, params=Gamma, traits=WARPS)
    report = check_metric(spec, max_examples=10, max_length=4, raises=False)
    assert report.failures == ["continuity"]
    # A soft-DTW is negative somewhere and not zero at x = y: that aeon's never is shows what it does.
    assert {"zero_on_the_diagonal", "nonnegativity", "separation"} <= set(report.weaker)


ROOT = Path(__file__).resolve().parents[2]


def judged():
    """The script that judges the distances of other packages."""
    spec = importlib.util.spec_from_file_location("peers", ROOT / "tests" / "testing" / "peers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_a_row_for_every_distance_of_the_releases_that_it_names():
    pytest.importorskip("tslearn", reason="tslearn is not installed (extra tslearn)")
    page = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
    if f"aeon {version('aeon')}" not in page.replace("\n", " "):
        pytest.skip("the page is about another release of aeon")
    peers = judged()
    for host, specs in (("aeon", peers.of_aeon()), ("tslearn", peers.of_tslearn())):
        (part,) = [part for part in page.split("\n## ") if part.startswith(f"{host}\n")]
        rows = re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE)
        assert sorted(rows) == sorted(spec.name.removeprefix(f"{host}_") for spec in specs)


def test_new_rows_take_the_place_of_old_ones():
    page = "# A\n\n## aeon\n\n|---|---|---|---|\n| `old` | |\n\nwords\n\n## tslearn\n\n|---|---|---|---|\n| `dtw` |\n"
    assert judged().updated(page, {"aeon_new": "| `new` | x |"}) == page.replace("| `old` | |", "| `new` | x |")
