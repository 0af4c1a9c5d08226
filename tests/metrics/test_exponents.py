"""An exponent below 1 makes no metric: it is refused by name, wherever one is asked for."""

import pytest

import stotmetrics


@pytest.mark.parametrize("name", ["tiot", "etiot", "taot", "tlp"])
def test_exponents_below_one_are_refused(name):
    with pytest.raises(stotmetrics.InvalidParameterError, match="p must be"):
        stotmetrics.get_metric(name, p=0.999)
    assert stotmetrics.get_metric(name, p=1.0).params.p == 1.0
