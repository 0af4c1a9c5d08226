"""Every parameter of every metric, whatever is handed to it: a plain value, or one of our errors."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

import stotmetrics
from stotmetrics import InvalidParameterError, parameter
from stotmetrics.spec.metric import MetricSpec
from stotmetrics.spec.parameters import make, shown

KNOWN = [
    (name, key)
    for name in stotmetrics.list_metrics()
    for key in stotmetrics.get_metric(name).spec.parameters
    if stotmetrics.get_metric(name).spec.pair.__module__.startswith("stotmetrics.")
]


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no words")

    __hash__ = None


EXOTIC = [
    [],
    {},
    {1: 2},
    set(),
    [1.0],
    {"kind": ["cost"]},
    np.array([1.0, 2.0]),
    np.array(["a"]),
    object(),
    Unprintable(),
    lambda: 0,
    1j,
    np.complex128(1),
    b"1",
    "no such word",
    10**400,
    -(10**400),
    Fraction(10**400, 1),
    math.nan,
    np.float64(np.nan),
    np.datetime64("2024-01-01"),
    float,
]


@pytest.mark.parametrize("exotic", EXOTIC, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(("name", "key"), KNOWN)
def test_what_is_no_value_is_refused_in_one_line(name, key, exotic):
    if key == "ground" and np.shape(exotic) in ((1,), (2,)) and not isinstance(exotic, dict):
        pytest.skip("coordinates")
    with pytest.raises(InvalidParameterError) as caught:
        stotmetrics.get_metric(name, **{key: exotic})
    assert str(caught.value).startswith(key) and "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("infinite", [math.inf, -math.inf, np.float32(np.inf)])
@pytest.mark.parametrize(("name", "key"), KNOWN)
def test_infinity_is_refused_where_it_means_nothing(name, key, infinite):
    if (name, key) == ("sta", "rho") and infinite > 0:
        assert stotmetrics.get_metric(name, rho=infinite).params.rho == math.inf
        return
    with pytest.raises(InvalidParameterError, match=rf"^{key} must be "):
        stotmetrics.get_metric(name, **{key: infinite})


@pytest.mark.parametrize(("name", "key"), KNOWN)
def test_numbers_of_numpy_are_those_of_python(name, key):
    default = getattr(stotmetrics.get_metric(name).params, key)
    forms = {bool: (np.bool_,), int: (np.int8, np.uint64, np.array), float: (np.float64, np.array), str: (np.str_,)}
    for form in forms.get(type(default), ()):
        value = 3 if type(default) is int else default
        given, plain = (stotmetrics.get_metric(name, **{key: setting}) for setting in (form(value), value))
        assert given == plain and hash(given) == hash(plain)
        assert type(getattr(given.params, key)) is type(default)
        assert given.config() == plain.config()


@pytest.mark.parametrize("key", ["max_iter", "band", "window"])
def test_a_count_that_no_kernel_can_hold_is_refused(key):
    for name in (name for name, known in KNOWN if known == key):
        largest = stotmetrics.get_metric(name, **{key: 2**31 - 1})
        x = np.array([[1.0, 2.0], [3.0, 1.0]])
        assert math.isfinite(largest(x, x + 1))
        with pytest.raises(InvalidParameterError, match="beyond 2147483647"):
            stotmetrics.get_metric(name, **{key: 2**31})


def test_a_conversion_that_fails_in_any_way_is_a_refusal():
    def fail(name, value):
        raise {"key": KeyError, "type": TypeError, "range": OverflowError}[value]("deep inside")

    @dataclasses.dataclass(frozen=True)
    class Parameters:
        odd: object = parameter(0, doc="anything", convert=fail)
        listed: object = parameter(0, doc="anything", convert=lambda name, value: [value])

    for word in ("key", "type", "range", "none"):
        with pytest.raises(InvalidParameterError, match=r"^odd must be anything; got"):
            make("m", Parameters, {"odd": word, "listed": 1})

    @dataclasses.dataclass(frozen=True)
    class Listed:
        listed: object = parameter(0, doc="anything", convert=lambda name, value: [value])

    with pytest.raises(InvalidParameterError, match="unhashable"):
        make("m", Listed, {})
    assert isinstance(MetricSpec(name="m", pair=lambda x, y, p: 0.0).params, type)


def test_a_value_is_shown_in_one_short_line():
    assert shown(np.zeros(3)) == "array([0., 0., 0.])"
    assert shown(Unprintable()) == "a Unprintable"
    assert len(shown(list(range(1000)))) < 120 and "\n" not in shown(np.zeros((9, 9)))
