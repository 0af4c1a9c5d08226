"""What the options of a command say: the metric, its parameters, a grid of them."""

import argparse
import ast
import contextlib
import json
from itertools import product
from typing import Any

from .. import datasets
from ..errors import InvalidParameterError
from ..spec.bound import BoundMetric, get_metric


def bound(options: argparse.Namespace, **more: Any) -> BoundMetric:
    """The metric of ``--metric`` with the parameters of ``--param``, and some more."""
    try:
        return get_metric(options.metric, **{**params(options), **more})
    except TypeError as error:
        # An unknown parameter name is a programmer's TypeError in Python; here it is a word mistyped.
        raise InvalidParameterError(str(error)) from error


def params(options: argparse.Namespace) -> dict[str, Any]:
    """What ``--param`` says."""
    values: dict[str, Any] = {}
    for text in options.param:
        name, value = _assignment("--param", text)
        if name in values:
            raise InvalidParameterError(f"--param gives {name} twice; give it once, or its values to --grid")
        values[name] = parse_value(value)
    return values


def grid(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The combinations of what ``--grid`` says; none without it."""
    given, values = params(options), {}
    for text in options.grid:
        name, several = _assignment("--grid", text)
        if name in given or name in values:
            raise InvalidParameterError(f"--grid gives {name}, which is given already; give it once")
        values[name] = [parse_value(value) for value in split(several)]
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())] if values else []


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise InvalidParameterError(f"{option} must be name=value; got {text!r}")
    return name, value


def split(text: str) -> list[str]:
    """The values of ``--grid``: parted by commas that stand in no bracket.

    Examples
    --------
    >>> from stotmetrics.cli.options import split
    >>> split("0.1,[1, 2],None")
    ['0.1', '[1, 2]', 'None']
    """
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def parse_value(text: str) -> Any:
    """The value of ``--param name=value``: a Python literal, a JSON word, ``@file.npy`` or else the text itself.

    Examples
    --------
    >>> from stotmetrics.cli import parse_value
    >>> [parse_value(text) for text in ("0.1", "inf", "None", "true", "median")]
    [0.1, inf, None, True, 'median']
    """
    if text.startswith("@"):
        return datasets.load_array(text[1:])
    if text in ("inf", "-inf", "nan"):
        return float(text)
    for read in (ast.literal_eval, json.loads):
        # Python's own parser has a limit of its own for each kind of nonsense.
        with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return read(text)
    return text
