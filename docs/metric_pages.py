"""A page for each metric of the package, written from its SPEC, and the tables that help to choose one."""

import re
import warnings
from itertools import chain
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpydoc.docscrape import NumpyDocString

import stotmetrics
from stotmetrics import Traits
from stotmetrics.plotting import plot_matrix
from stotmetrics.spec import registry
from stotmetrics.spec.bound import bind

OFFERS = {
    "prepare": "work done once per series",
    "block": "many pairs at once, with early abandoning where it pays",
    "gradients": "gradients of many pairs",
    "lower_bounds": "cheap lower bounds of many pairs",
    "reference": "independent reference implementation",
}

# The guide that explains a metric; others have their own page alone.
GUIDES = {
    "softdtw": ("softdtw", "softdtw_divergence", "softdtw_sharp", "dtw"),
    "sta": ("sta",),
    "aot": ("aot",),
    "tiot": ("taot", "tiot", "etiot", "etiot_hbcd"),
}
FAMILIES = {
    "Alignments in time": ("dtw", "softdtw", "softdtw_divergence", "softdtw_sharp", "gak"),
    "Alignments in space and time": ("sta",),
    "Processes, given by sample paths": ("aot",),
    "Transport of values and times": ("tiot", "etiot", "etiot_hbcd", "taot", "tlp", "opw", "otw"),
    "Time by time": ("euclidean",),
}


def write(folder):
    """Write one page a metric, the index of them and the tables; drop pages of metrics that are gone."""
    entries = [entry for entry in registry.catalogue() if entry.distribution.startswith("stotmetrics ")]
    specs = [loaded(entry) for entry in entries]
    pages = {f"{spec.name}.md": page(spec) for spec in specs}
    pages["index.md"] = index(specs)
    pages |= {"_decision.md": decision(specs), "_axioms.md": axioms(specs), "_invariances.md": invariances(specs)}
    folder.mkdir(exist_ok=True)
    for stale in {path.name for path in folder.glob("*.md")} - set(pages):
        Path(folder, stale).unlink()
    for name, text in pages.items():
        path = Path(folder, name)
        # An unchanged page keeps its time, so that a second build has nothing to do.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for spec in specs:
        picture(spec, Path(folder, f"{spec.name}.png"))


def loaded(entry):
    if entry.spec is None:
        raise entry.error
    return entry.spec


def index(specs):
    known = {spec.name: spec for spec in specs}
    families = {family: [name for name in names if name in known] for family, names in FAMILIES.items()}
    rest = sorted(set(known) - set(chain(*families.values())))
    parts = ["# The metrics", "Which one? [Choosing a metric](../choosing.md) has the tables."]
    for family, names in {**families, **({"Others": rest} if rest else {})}.items():
        rows = [(f"[{name}]({name}.md)", known[name].summary, cited(known[name])) for name in names]
        parts += [f"## {family}", table(("metric", "what it measures", "source"), rows)]
    names = "\n".join(chain(*families.values(), rest))
    return "\n\n".join(parts) + f"\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def cited(spec):
    """Authors and year, short enough for a table."""
    year = re.findall(r"\b(?:19|20)\d\d\b", spec.citation)
    authors = re.match(r"(?:[A-Z]\w+, )*[A-Z]\w+(?=[.,:])", spec.citation)
    return f"{authors[0]}, {year[-1]}" if authors and year else spec.citation


def page(spec):
    metric = bind(spec)
    parts = [f"# {spec.name}", spec.summary]
    guide = next((guide for guide, names in GUIDES.items() if spec.name in names), None)
    links = [f"[the guide](../guides/{guide}.md)"] if guide else []
    links += ["[choosing a metric](../choosing.md)", "[conventions that differ](../conventions.md)"]
    parts += [f"See also {', '.join(links)}."]
    parts += [f"```{{image}} {spec.name}.png\n:alt: distances under {spec.name} between bumps, dips and steps\n```"]
    parts += ["*All pairs of twelve series, bumps, dips and steps at different times, at the default parameters.*"]
    if spec.parameters:
        rows = [
            (f"`{name}`", f"`{getattr(metric.params, name)!r}`", words(known.wants), known.doc)
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


def words(wants):
    """A range as a sentence has it.

    >>> words("a number > 0 and <= 1e+300 or 'median'")
    "a number above 0 or 'median'"
    """
    wants = re.sub(r" (and )?<= 1e\+300", "", wants)
    for sign, word in ((">=", "at least"), ("<=", "at most"), (">", "above"), ("<", "below")):
        wants = re.sub(rf"(?<!\w){re.escape(sign)} ?(?=[-\d.])", f"{word} ", wants)
    return wants


def claims(spec, traits):
    rows = []
    for trait in NumpyDocString(Traits.__doc__)["Parameters"]:
        value = getattr(traits, trait.name)
        rows.append((f"`{trait.name}`", told(value), " ".join(trait.desc)))
    when = "At the default parameters" if callable(spec.traits) else "At all parameters"
    return f"{when}; the tests of the package verify each.\n\n{table(('trait', spec.name, 'meaning'), rows)}"


def told(value):
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}"


QUESTIONS = {
    "times of its own": lambda spec, traits: traits.uses_times,
    "weights": lambda spec, traits: traits.uses_weights,
    "lengths may differ": lambda spec, traits: traits.unequal_length,
    "frames over space": lambda spec, traits: traits.compares_frames,
    "sample paths": lambda spec, traits: traits.compares_paths,
    "gradient": lambda spec, traits: any_setting(spec, lambda t: t.differentiable),
    "0 to itself": lambda spec, traits: any_setting(spec, lambda t: t.zero_self),
    "triangle": lambda spec, traits: any_setting(spec, lambda t: t.triangle),
    "search spares pairs": lambda spec, traits: spec.lower_bounds is not None,
}


def any_setting(spec, claim):
    """True at the default parameters, else the first setting of one parameter that has the claim, else False."""
    if claim(bind(spec).traits):
        return True
    return next((f"`{setting}`" for setting, traits in settings(spec) if claim(traits)), False)


def settings(spec):
    """Every setting of one parameter that can be named in a word or two, with the claims there."""
    for name, known in spec.parameters.items():
        values = [True, False] if known.kind is bool else [*known.choices, *known.allow]
        if known.kind in (int, float) and known.convert is None:
            values += [known.low] if np.isfinite(known.low) and not known.low_open else []
            values += [1.0] if known.kind is float else []
        for value in values:
            try:
                yield (
                    f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}",
                    bind(spec, **{name: value}).traits,
                )
            except ValueError:
                continue


def decision(specs):
    rows = []
    for spec in specs:
        traits = bind(spec).traits
        cells = [answer(spec, traits) for answer in QUESTIONS.values()]
        rows.append((f"[{spec.name}](metrics/{spec.name}.md)", *(c if isinstance(c, str) else told(c) for c in cells)))
    return table(("metric", *QUESTIONS), rows) + "\n"


def axioms(specs):
    rows = []
    for spec in specs:
        known = [
            ("at its defaults", bind(spec).traits),
            *((f"`{setting}`", traits) for setting, traits in settings(spec)),
        ]
        full = [setting for setting, traits in known if traits.metric_axioms]
        pseudo = [
            setting
            for setting, traits in known
            if traits.symmetric and traits.zero_self and traits.triangle and not traits.metric_axioms
        ]
        if "at its defaults" in full:
            full = ["at its defaults"]
        if "at its defaults" in pseudo:
            pseudo = ["at its defaults"]
        if full or pseudo:
            told = (", ".join(dict.fromkeys(listed)) or "no" for listed in (full, pseudo))
            rows.append((f"[{spec.name}](metrics/{spec.name}.md)", *told))
    return table(("metric", "all axioms", "all but that different series are apart"), rows) + "\n"


# What is done to both series, or to the second alone.
CHANGES = {
    "values + 3": lambda x, t: (x + 3.0, t),
    "values x 10": lambda x, t: (10.0 * x, t),
    "times + 100": lambda x, t: (x, t + 100.0),
    "times x 10": lambda x, t: (x, 10.0 * t),
    "backwards": lambda x, t: (x[::-1].copy(), t[-1] + t[0] - t[::-1]),
}


def invariances(specs):
    """What a change of both series, or of one of them, does to a distance: computed for one pair."""
    times = np.array([0.0, 1.0, 2.5, 3.0, 4.5, 5.0, 7.0, 7.5])
    pair = [
        np.stack([np.exp(-((times - c) ** 2) / 2), 0.4 * np.exp(-((times - c - 2.0) ** 2))], axis=1) + 0.1
        for c in (2.0, 4.2)
    ]
    rows = []
    for spec in specs:
        metric = bind(spec)
        effects = [
            " / ".join(effect(metric, pair, times, change, both) for both in (True, False))
            for change in CHANGES.values()
        ]
        rows.append((f"[{spec.name}](metrics/{spec.name}.md)", *(f if f != "– / –" else "–" for f in effects)))
    return table(("metric", *CHANGES), rows) + "\n"


def effect(metric, pair, times, change, both):
    def value(*series):
        uses = metric.traits.uses_times
        x, y = (stotmetrics.as_series(values, times=t if uses else None) for values, t in series)
        with warnings.catch_warnings():
            # A loose stopping rule is a trait of its own.
            warnings.simplefilter("ignore", stotmetrics.ConvergenceWarning)
            return metric(x, y)

    x, y = ((values, times) for values in pair)
    changed = (change(*x) if both else x), change(*y)
    if not metric.traits.uses_times and np.array_equal(changed[1][0], y[0]):
        return "–"
    before, after = value(x, y), value(*changed)
    if np.isclose(after, before, rtol=1e-6, atol=1e-12):
        return "same"
    return next((f"x {factor}" for factor in (10, 100) if np.isclose(after, factor * before, rtol=1e-6)), "changes")


def picture(spec, path):
    """All pairs of a few series under a metric; drawn once, and again when the code of the metric is newer."""
    code = Path(spec.pair.__code__.co_filename)
    if path.exists() and path.stat().st_mtime > max(code.stat().st_mtime, Path(__file__).stat().st_mtime):
        return
    t, centers = np.linspace(0, 1, 40), (0.25, 0.4, 0.55, 0.7)
    shapes = {
        "bump": lambda c: np.exp(-(((t - c) / 0.07) ** 2)),
        "dip": lambda c: 1.0 - np.exp(-(((t - c) / 0.07) ** 2)),
        "step": lambda c: 1.0 / (1.0 + np.exp(-(t - c) / 0.03)),
    }
    X = np.array([shape(c) for shape in shapes.values() for c in centers])
    if bind(spec).traits.compares_frames:
        # A frame is a place on a line: the value is where the mass lies.
        places = np.linspace(0, 1, 16)
        X = np.exp(-(((X[:, :, None] - places) / 0.08) ** 2)) + 1e-3
    if bind(spec).traits.compares_paths:
        # Eight sample paths of each, in noise that grows.
        noise = np.random.default_rng(0).normal(scale=0.05, size=(40, 8)).cumsum(axis=0)
        X = X[:, ::8, None] + noise[::8]
    with mpl.rc_context({"font.size": 9}), warnings.catch_warnings():
        warnings.simplefilter("ignore", stotmetrics.ConvergenceWarning)
        figure = Figure(figsize=(4.4, 4.0), layout="constrained")
        D = stotmetrics.pairwise(X, metric=bind(spec))
        plot_matrix((D + D.T) / 2, [name for name in shapes for _ in centers], ax=figure.subplots())
        figure.savefig(path, dpi=110)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
