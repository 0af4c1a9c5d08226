"""What a user asks for says what it takes, gives and raises, where it comes from, and shows it in a line that runs."""

import ast
import inspect
from types import FunctionType

import pytest

import stotmetrics
import stotmetrics.testing
import stotmetrics.transport
from stotmetrics.spec import registry

SECTIONS = ("Parameters", "Returns|Yields", "Raises", "Examples")


def of(module, names):
    members = [getattr(module, name) for name in names]
    return [member for member in members if isinstance(member, FunctionType)]


METRICS = [
    getattr(inspect.getmodule(registry.find(name).pair), name)
    for name in registry.names()
    if registry.find(name).pair.__module__.startswith("stotmetrics.metrics.")
]
FUNCTIONS = [
    *of(stotmetrics, stotmetrics.__all__),
    *of(stotmetrics.testing, stotmetrics.testing.__all__),
    *of(stotmetrics.transport, stotmetrics.transport.__all__),
    *METRICS,
]


def has(function, section):
    return any(f"{title}\n{'-' * len(title)}\n" in inspect.getdoc(function) for title in section.split("|"))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_docstring_has_every_section_that_applies(function):
    signature = inspect.signature(function)
    wanted = set(SECTIONS)
    if not signature.parameters:
        wanted -= {"Parameters", "Raises"}
    if signature.return_annotation in (None, "None"):
        wanted -= {"Returns|Yields"}
    assert not {section for section in wanted if not has(function, section)}
    undescribed = [name for name in signature.parameters if f"{name}" not in inspect.getdoc(function)]
    assert not undescribed


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_docstring_of_a_metric_names_its_source(metric):
    assert has(metric, "References")


def entries(docstring):
    """Name -> what stands behind its colon in the section "Parameters"."""
    section = inspect.cleandoc(docstring).partition("\nParameters\n----------\n")[2].partition("\n\n")[0]
    heads = [line.partition(" : ") for line in section.split("\n") if not line.startswith(" ")]
    return {name: told for names, _, told in heads for name in names.split(", ")}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_function_docstring_and_spec_of_a_metric_agree_on_its_parameters(metric):
    spec = registry.find(metric.__name__)
    signature = {name: p.default for name, p in list(inspect.signature(metric).parameters.items())[2:]}
    assert signature == {name: getattr(spec.params, name) for name in spec.parameters}
    told = entries(metric.__doc__)
    assert list(told) == ["x", "y", *signature]
    for name, default in signature.items():
        words = told[name].rpartition("default ")[2]
        assert default is None if words.endswith("optional") else ast.literal_eval(words) == default


@pytest.mark.parametrize("name", registry.names())
def test_every_parameter_has_a_meaning_in_one_plain_sentence(name):
    for parameter in registry.find(name).parameters.values():
        assert parameter.doc and not set("`\\\n") & set(parameter.doc) and not parameter.doc.endswith(".")
