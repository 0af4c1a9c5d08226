"""A name says what it holds: none is given that would fit anything."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EMPTY = {"found", "one", "thing", "things", "stuff"}
FOLDERS = ("stotmetrics", "tests", "docs", "packaging")


def files():
    return [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
    ]


def names_given(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)) | ast.MatchAs(name=str(name)):
                yield name, node.lineno


def empty_names(source):
    return sorted({(line, name) for name, line in names_given(ast.parse(source)) if name.strip("_").lower() in EMPTY})


def test_no_name_fits_anything():
    names = {path: empty_names((ROOT / path).read_text(encoding="utf-8")) for path in files()}
    assert {path: places for path, places in names.items() if places} == {}


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "for one in x: pass",
        "def f(one): pass",
        "def found(): pass",
        "class Found: pass",
        "self.found = 1",
        "import numpy as one",
        "[0 for one in x]",
        "(found := 1)",
        "try: pass\nexcept OSError as found: pass",
    ],
)
def test_every_way_to_give_a_name_is_seen(source):
    assert empty_names(source)
