"""What the conformance kit says of the distances of aeon and of tslearn, as a table for the documentation.

Each becomes a metric in five lines. It is given the claims that its package makes (aeon says of each whether it is
symmetric and takes unequal lengths) or that its name makes: a distance is not negative, and 0 between equal series.

Run: python tests/testing/peers.py --out docs/peers.md
"""

import argparse
import importlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

from stotmetrics import MetricSpec, Traits
from stotmetrics.testing import check_metric

# Distances of words, not of series: they take what a transformation of aeon has made of series.
SYMBOLIC = ("dft_sfa", "paa_sax", "sax", "sfa")
# Metrics by the papers that define them.
AXIOMS = ("euclidean", "manhattan", "minkowski", "erp", "twe", "msm")
# They take second differences, and fail on less than three samples.
DERIVATIVES = ("ddtw", "wddtw")
# No distances in this sense: soft minima may be negative, and are not 0 between equal series.
SOFT = ("soft_dtw",)


@dataclass(frozen=True)
class Aeon:
    """A distance of aeon, which takes (channels, time)."""

    name: str

    def __call__(self, x, y, params):
        distance = importlib.import_module("aeon.distances._distance").DISTANCES_DICT[self.name]["distance"]
        return float(distance(x.values.T.copy(), y.values.T.copy()))


@dataclass(frozen=True)
class Tslearn:
    """A distance of tslearn, which takes (time, channels); of a similarity in [0, 1], what is missing to 1."""

    name: str
    similarity: bool = False

    def __call__(self, x, y, params):
        value = float(importlib.import_module("tslearn.metrics").__dict__[self.name](x.values, y.values))
        return 1.0 - value if self.similarity else value


def of_aeon():
    """Every distance of aeon between series, with the claims that aeon makes of it."""
    distances = importlib.import_module("aeon.distances._distance").DISTANCES
    for entry in distances:
        name = entry["name"]
        if name not in SYMBOLIC:
            traits = Traits(
                symmetric=entry["symmetric"],
                unequal_length=entry["unequal_support"],
                multivariate=True,
                zero_self=name not in SOFT,
                nonnegative=name not in SOFT,
                triangle=name in AXIOMS,
                min_length=3 if name in DERIVATIVES else 1,
            )
            yield MetricSpec(name=f"aeon_{name}", pair=Aeon(name), traits=traits)


# Functions of two series in tslearn.metrics, and whether they are similarities.
TSLEARN = {
    "dtw": False,
    "ctw": False,
    "frechet": False,
    "soft_dtw": False,
    "soft_dtw_normalized": False,
    "gak": True,
    "lcss": True,
}


def of_tslearn():
    """Every function of tslearn that gives a number for two series."""
    for name, similarity in TSLEARN.items():
        hard = name not in SOFT
        traits = Traits(symmetric=True, unequal_length=True, multivariate=True, zero_self=hard, nonnegative=hard)
        yield MetricSpec(name=f"tslearn_{name}", pair=Tslearn(name, similarity), traits=traits)


def judge(spec, max_examples=30):
    """The report of the kit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check_metric(spec, max_examples=max_examples, max_length=5, raises=False)


def row(spec, report):
    claims = ("symmetric", "zero_self", "nonnegative", "triangle", "unequal_length", "multivariate")
    claimed = ", ".join(name for name in claims if getattr(spec.traits, name))
    broken = ", ".join(f"`{name}`" for name in report.failures) or "nothing"
    kept = ", ".join(f"`{name}`" for name in report.weaker)
    return f"| `{spec.name.partition('_')[2]}` | {claimed} | {broken} | {kept} |"


def first(outcome):
    """The finding, and the example to paste."""
    return f"{outcome.check.name}: {outcome.message}\n{outcome.counterexample}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, help="the page whose tables get the rows")
    options.add_argument("--rows", type=Path, default=Path("build/peers.json"), help="what is judged already")
    options.add_argument("--only", nargs="+", help="names, such as aeon_dtw")
    given = options.parse_args()
    rows = json.loads(given.rows.read_text()) if given.rows.exists() else {}
    specs = {spec.name: spec for spec in (*of_aeon(), *of_tslearn())}
    for name in given.only or [name for name in specs if name not in rows]:
        report = judge(specs[name])
        rows[name] = row(specs[name], report)
        print(rows[name], f"{report.seconds:.0f} s", flush=True)
        for outcome in report.outcomes:
            if outcome.bad:
                print(first(outcome), flush=True)
        given.rows.parent.mkdir(parents=True, exist_ok=True)
        given.rows.write_text(json.dumps(rows, indent=1))
    if given.out:
        given.out.write_text(updated(given.out.read_text(), {name: rows[name] for name in specs if name in rows}))


def updated(page, rows):
    """The page with new rows in the tables under the heading of each host, in the order of the host."""
    parts = page.split("\n## ")
    for k, part in enumerate(parts):
        host = part.split("\n", 1)[0].split(" ")[0]
        own = [line for name, line in rows.items() if name.startswith(f"{host}_")]
        if own:
            lines = [line for line in part.splitlines() if not line.startswith("| `")]
            rule = lines.index("|---|---|---|---|")
            parts[k] = "\n".join([*lines[: rule + 1], *own, *lines[rule + 1 :], ""])
    return "\n## ".join(parts)


if __name__ == "__main__":
    main()
