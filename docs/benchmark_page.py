"""The page of benchmarks, written from one run: nothing on it is typed by hand.

``tox -e bench`` ends with ``python docs/benchmark_page.py RUN.json``, which keeps of pytest-benchmark's report what the
page needs, in ``docs/benchmarks.json``. The build of the documentation turns that into tables and pictures.
"""

import json
import os
import platform
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

from matplotlib.figure import Figure

KEPT = Path(__file__).with_name("benchmarks.json")
PEERS = ("stotmetrics", "numpy", "scipy", "tslearn", "aeon", "dtaidistance", "tsdistances", "POT", "torch")
OURS = ("stotmetrics", "kneighbors")
# A parameter that makes a line of a plot, and what it is called there.
SCALES = {"length": "length", "count": "number of series"}


def keep(report):
    """Of a report of pytest-benchmark: machine, versions, and the group, parameters and median of each benchmark."""
    run = json.loads(Path(report).read_text(encoding="utf-8"))
    cpu = run["machine_info"].get("cpu", {})
    versions = {"python": platform.python_version()}
    for name in PEERS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    kept = {
        "machine": {
            "processor": cpu.get("brand_raw", platform.machine()),
            "cores": os.cpu_count(),
            "system": platform.system(),
        },
        "versions": versions,
        "date": run["datetime"][:10],
        "benchmarks": [
            {
                "group": benchmark["group"] or benchmark["name"],
                "file": benchmark["fullname"].partition("::")[0].rpartition("/")[2],
                "params": benchmark["params"] or {},
                "median": benchmark["stats"]["median"],
                "rounds": benchmark["stats"]["rounds"],
                "extra": benchmark["extra_info"],
            }
            for benchmark in run["benchmarks"]
        ],
    }
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def write(docs):
    """Write ``benchmarks.md`` and its pictures into the folder of the documentation."""
    run = json.loads(KEPT.read_text(encoding="utf-8"))
    folder = Path(docs, "benchmarks")
    folder.mkdir(exist_ok=True)
    parts = [INTRODUCTION, machine(run)]
    groups = defaultdict(list)
    for benchmark in run["benchmarks"]:
        groups[benchmark["group"]].append(benchmark)
    for k, (group, members) in enumerate(groups.items()):
        scale = scale_of(members)
        parts.append(f"## {group}")
        if scale:
            picture = f"group{k}.svg"
            draw(members, scale, folder / picture)
            parts.append(f"```{{image}} {picture}\n:alt: {group}, seconds by {SCALES[scale]}\n```")
        parts.append(by_scale(members, scale) if scale else plain(members))
        parts.append(f"*{members[0]['file']}*")
    page = folder / "index.md"
    text = "\n\n".join(parts) + "\n"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def scale_of(members):
    """The parameter that grows within a group, if there is one."""
    return next(
        (scale for scale in SCALES if len({benchmark["params"].get(scale) for benchmark in members} - {None}) > 1), None
    )


INTRODUCTION = """# Benchmarks

Every figure is the median of several rounds of one run, `tox -e bench`, in which the peers ran too, one thread each
unless a name says otherwise. In brackets is how many times longer a peer took. Compare within a table: another machine
has other seconds."""


def machine(run):
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    told = run["machine"]
    return f"Run on {run['date']}: {told['processor']}, {told['cores']} cores, {told['system']}; {versions}."


def who(benchmark):
    """Whose code ran: the parameter of that name, or all parameters that are no scale."""
    params = benchmark["params"]
    for name in ("whose", "way", "metric"):
        if name in params:
            return str(params[name])
    return ", ".join(str(value) for name, value in params.items() if name not in SCALES) or "stotmetrics"


def plain(members):
    named = [(who(benchmark), benchmark) for benchmark in members]
    ours = next((benchmark["median"] for name, benchmark in named if name in OURS), None)
    rows = []
    for name, benchmark in sorted(named, key=lambda pair: pair[1]["median"]):
        notes = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in benchmark["extra"].items())
        rows.append((name, seconds(benchmark["median"], ours if name not in OURS else None), notes))
    return table(("", "seconds", "notes"), rows)


def by_scale(members, scale):
    sizes = sorted({benchmark["params"][scale] for benchmark in members})
    names = list(dict.fromkeys(who(benchmark) for benchmark in members))
    medians = {(who(benchmark), benchmark["params"][scale]): benchmark["median"] for benchmark in members}
    ours = next((name for name in names if name in OURS), None)
    rows = [
        (
            name,
            *(
                seconds(medians[name, size], medians.get((ours, size)) if name != ours else None)
                if (name, size) in medians
                else "–"
                for size in sizes
            ),
        )
        for name in names
    ]
    return table((SCALES[scale], *sizes), rows)


def seconds(median, ours=None):
    """A time in words, and how many times longer than ours it is."""
    unit, factor = next((u, f) for u, f, least in UNITS if median >= least)
    told = f"{median * factor:.3g} {unit}"
    return told if ours is None else f"{told} ({median / ours:.3g} x)"


UNITS = (("s", 1, 1.0), ("ms", 1e3, 1e-3), ("µs", 1e6, 0.0))


def draw(members, scale, path):
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    ax = figure.subplots()
    names = list(dict.fromkeys(who(benchmark) for benchmark in members))
    for k, name in enumerate(names):
        points = sorted(
            (benchmark["params"][scale], benchmark["median"]) for benchmark in members if who(benchmark) == name
        )
        style = {"lw": 2.2, "color": "k"} if name in OURS else {"lw": 1.4, "linestyle": ("--", "-.", ":")[k % 3]}
        ax.loglog(*zip(*points, strict=True), marker="os^Dv<>P*X"[k % 10], markersize=4, label=name, **style)
    sizes = sorted({benchmark["params"][scale] for benchmark in members})
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_xticks([], minor=True)
    ax.set(xlabel=SCALES[scale], ylabel="seconds")
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    # The same bytes for the same run.
    figure.savefig(path, metadata={"Date": None})


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    keep(sys.argv[1])
