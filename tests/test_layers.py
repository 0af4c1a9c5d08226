"""Imports run down the house only: no circle, no arrow back up, hosts imported by their own modules alone."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "stotmetrics"

# From the ground up. A module imports from its own floor and from those below.
FLOORS = [
    {"errors", "kernels"},
    {"arrays"},
    {"containers"},
    {"series", "series_sets", "paths", "datasets", "textfiles", "timestamps", "versions"},
    {"spec"},
    {"transport"},
    {"engine"},
    {"metrics"},
    {"api"},
    {"testing", "plotting"},
    {"hosts"},
    {"cli", "__main__"},
]
HEIGHT = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HOSTS = {"sklearn", "tslearn", "aeon", "jax", "torch", "ot", "sktime"}
# Data sets are read from the package that brings them.
BRINGS_DATA = {"datasets"}
PICTURES = {"matplotlib", "mpl_toolkits"}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path, *, top_level_only=False):
    """Absolute dotted names that a module imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ("stotmetrics", *path.relative_to(PACKAGE).parts[:-1])
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def own_rooms(path):
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("stotmetrics.") and name.count(".") > 0}


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_module_imports_from_its_own_floor_or_below(path):
    if room_of(path) == "reference":
        return
    here = HEIGHT[room_of(path)]
    above = {room for room in own_rooms(path) if room in HEIGHT and HEIGHT[room] > here}
    assert above == set()
    assert "reference" not in own_rooms(path)


@pytest.mark.parametrize("path", sorted((PACKAGE / "reference").glob("*.py")), ids=lambda p: p.name)
def test_a_reference_implementation_imports_nothing_of_production(path):
    assert own_rooms(path) <= {"reference"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_the_modules_of_a_host_import_it(path):
    imported = {name.split(".")[0] for name in imports_of(path)} & HOSTS
    if room_of(path) not in {"hosts", *BRINGS_DATA}:
        assert imported == set()


def test_storage_and_clusters_are_imported_where_they_are_used_alone():
    users = {name: {"engine/zarr_store.py"} if name == "zarr" else set() for name in ("zarr", "dask", "distributed")}
    for path in modules():
        for library in {name.split(".")[0] for name in imports_of(path)} & set(users):
            assert path.relative_to(PACKAGE).as_posix() in users[library], library


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_matplotlib_is_imported_to_draw_and_only_then(path):
    def imported(**how):
        return {name.split(".")[0] for name in imports_of(path, **how)} & PICTURES

    assert imported(top_level_only=True) == set()
    # A type is no import, and the command line writes the file.
    if room_of(path) not in {"plotting", "cli"} and path.name != "result.py":
        assert imported() == set()


def test_there_is_no_circle_of_imports():
    files = {".".join(("stotmetrics", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in modules()}
    graph = {}
    for name, path in files.items():
        wanted = set(imports_of(path))
        # ``from .spec import registry`` names a module, ``from .spec.registry import find`` something in one.
        graph[name] = {
            other for other in files if other in wanted or any(w.rpartition(".")[0] == other for w in wanted)
        }
        graph[name].discard(name)
    done, path_here = set(), []

    def walk(name):
        assert name not in path_here, " -> ".join([*path_here[path_here.index(name) :], name])
        if name not in done:
            path_here.append(name)
            for other in sorted(graph[name]):
                walk(other)
            path_here.pop()
            done.add(name)

    for name in sorted(graph):
        walk(name)


def test_every_room_has_its_floor():
    assert {room_of(path) for path in modules()} - {"reference"} <= set(HEIGHT)


def test_the_picture_of_the_house_shows_every_module_of_its_wings():
    page = (PACKAGE.parent / "docs" / "contributing.md").read_text(encoding="utf-8")
    picture = page.partition("```text\n")[2].partition("```")[0]
    words = set(re.findall(r"\w+", picture))
    wings = ("engine", "transport", "spec")
    own = {path.stem for path in modules() if room_of(path) in wings and path.stem != "__init__"}
    assert own | {room_of(path) for path in modules()} - {"versions", "__main__"} <= words
    # A name between dots is that of a module.
    told = set(re.findall(r"\w+(?= ·)|(?<=· )\w+", picture))
    assert told <= {path.stem for path in modules()}
