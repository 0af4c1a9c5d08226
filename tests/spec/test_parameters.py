"""Parameters know their range and refuse what lies outside."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from stotmetrics import InvalidParameterError, MetricSpec, parameter
from stotmetrics.spec.parameters import describe, make


@dataclass(frozen=True)
class Parameters:
    gamma: float = parameter(1.0, doc="smoothing", low=0.0, allow=("median",))
    rho: float = parameter(1.0, doc="penalty", low=0.0, low_open=True, allow=(math.inf,))
    n: int = parameter(1, doc="any count", low=1)
    k: int = parameter(3, doc="count", low=1, high=9)
    root: bool = parameter(True, doc="root")
    mode: str = parameter("abs", doc="mode", choices=("abs", "split"))
    epsilon: float | None = parameter(None, kind=float, doc="regularisation", low=0.0, allow=(None,))


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("gamma", 2, 2.0),
        ("gamma", np.float32(0.5), 0.5),
        ("gamma", "median", "median"),
        ("rho", math.inf, math.inf),
        ("gamma", np.array(0.5), 0.5),
        ("gamma", Fraction(1, 2), 0.5),
        ("k", np.int64(4), 4),
        ("root", np.False_, False),
        ("mode", "split", "split"),
        ("epsilon", None, None),
        ("epsilon", 0, 0.0),
    ],
)
def test_legal_values_become_plain_python(name, value, kept):
    got = getattr(make("m", Parameters, {name: value}), name)
    assert got == kept
    assert type(got) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gamma", -1, r"gamma must be a number >= 0 or 'median'; got -1"),
        ("gamma", math.nan, r"got nan"),
        ("gamma", math.inf, r"gamma must be a number >= 0 or 'median'; got inf, which is infinite"),
        ("gamma", 10**400, r"got 10+\.\.\. \(int\), which is infinite"),
        ("gamma", {}, r"got \{\}"),
        ("n", 2**31, r"n must be an integer >= 1; got 2147483648, which is beyond 2147483647"),
        ("gamma", "mean", r"got 'mean'"),
        ("gamma", True, r"got True"),
        ("gamma", None, r"got None"),
        ("gamma", [1.0], r"got \[1.0\]"),
        ("rho", 0, r"rho must be a number > 0 or inf; got 0"),
        ("k", 2.0, r"k must be an integer >= 1 and <= 9; got 2.0"),
        ("k", 10, r"got 10"),
        ("root", 1, r"root must be True or False; got 1"),
        ("mode", "square", r"mode must be 'abs' or 'split'; got 'square'"),
        ("epsilon", "no", r"epsilon must be a number >= 0 or None; got 'no'"),
    ],
)
def test_illegal_values_are_refused_by_name(name, value, message):
    with pytest.raises(InvalidParameterError, match=message):
        make("m", Parameters, {name: value})


def test_unknown_parameters_are_refused_with_the_valid_names():
    with pytest.raises(
        TypeError, match=r"m has no parameter 'gama', did you mean 'gamma'\?; valid parameters: gamma, rho"
    ):
        make("m", Parameters, {"gama": 1.0})


def test_a_field_without_a_meaning_takes_that_of_the_function_of_the_metric(monkeypatch):
    def spread(x, y, width=1.0, p=2.0, count=1):
        """Spread.

        Parameters
        ----------
        x, y : array_like
            Two series.
        width, p : float, default 1.0
            Width at :func:`half` of ``p``, at
            0.5 of it. What follows is not told.

        Returns
        -------
        count : float
            Not this one.
        """

    def pair(x, y, params):
        return 0.0

    @dataclass(frozen=True)
    class Spread:
        width: float = parameter(1.0)
        p: float = parameter(2.0, doc="its own")
        count: int = parameter(1)

    def told(spec):
        return {name: known.doc for name, known in spec.parameters.items()}

    assert told(MetricSpec(name="spread", pair=pair, params=Spread)) == {"width": "", "p": "its own", "count": ""}
    monkeypatch.setitem(globals(), "spread", spread)
    spec = MetricSpec(name="spread", pair=pair, params=Spread)
    assert told(spec) == {"width": "Width at half of p, at 0.5 of it", "p": "its own", "count": ""}
    monkeypatch.setattr(spread, "__doc__", None)
    assert told(spec) == {"width": "", "p": "its own", "count": ""}


def test_a_field_without_a_range_is_a_mistake_of_the_author():
    @dataclass(frozen=True)
    class Bare:
        p: float = 1.0

    with pytest.raises(TypeError, match=r"Bare.p must be declared with stotmetrics.parameter"):
        describe(Bare)
    with pytest.raises(TypeError, match="needs kind"):
        parameter(None, doc="no kind")
