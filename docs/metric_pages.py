"""A page for each metric of the package, written from its SPEC."""

from pathlib import Path

from numpydoc.docscrape import NumpyDocString

import stotmetrics
from stotmetrics import Traits
from stotmetrics.spec import registry
from stotmetrics.spec.bound import bind

OFFERS = {
    "prepare": "work done once per series",
    "block": "many pairs at once, with early abandoning where it pays",
    "gradients": "gradients of many pairs",
    "lower_bounds": "cheap lower bounds of many pairs",
    "reference": "independent reference implementation",
}


def write(folder):
    """Write one page a metric and the index of them; drop pages of metrics that are gone."""
    entries = [entry for entry in registry.catalogue() if entry.distribution.startswith("stotmetrics ")]
    pages = {f"{entry.name}.md": page(loaded(entry)) for entry in entries}
    pages["index.md"] = index([entry.spec for entry in entries])
    folder.mkdir(exist_ok=True)
    for stale in {path.name for path in folder.glob("*.md")} - set(pages):
        Path(folder, stale).unlink()
    for name, text in pages.items():
        path = Path(folder, name)
        # An unchanged page keeps its time, so that a second build has nothing to do.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def loaded(entry):
    if entry.spec is None:
        raise entry.error
    return entry.spec


def index(specs):
    names = "\n".join(spec.name for spec in specs)
    rows = [(f"[{spec.name}]({spec.name}.md)", spec.summary, spec.citation) for spec in specs]
    lines = table(("metric", "what it measures", "source"), rows)
    return f"# The metrics\n\n{lines}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def page(spec):
    metric = bind(spec)
    parts = [f"# {spec.name}", spec.summary]
    if spec.parameters:
        rows = [
            (f"`{name}`", f"`{getattr(metric.params, name)!r}`", known.wants, known.doc)
            for name, known in spec.parameters.items()
        ]
        parts += ["## Parameters", table(("name", "default", "legal values", "meaning"), rows)]
    parts += ["## Claims", claims(spec, metric.traits)]
    home = "stotmetrics" if spec.name in stotmetrics.__all__ else spec.pair.__module__
    parts += ["## Function", f"```{{eval-rst}}\n.. autofunction:: {home}.{spec.name}\n```"]
    offers = [f"{meaning} (`{name}`)" for name, meaning in OFFERS.items() if getattr(spec, name) is not None]
    parts += ["## Behind it", "- " + "\n- ".join(["one pair (`pair`)", *offers])]
    parts += ["## Source", spec.citation]
    return "\n\n".join(parts) + "\n"


def claims(spec, traits):
    rows = []
    for trait in NumpyDocString(Traits.__doc__)["Parameters"]:
        value = getattr(traits, trait.name)
        told = "no" if value is None else ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"
        rows.append((f"`{trait.name}`", " ".join(trait.desc), told))
    when = "At the default parameters" if callable(spec.traits) else "At all parameters"
    return f"{when}; the tests of the package verify each.\n\n{table(('trait', 'meaning', spec.name), rows)}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
