"""The kit applied to a metric of another package, wrapped in five lines."""

from dataclasses import dataclass

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
