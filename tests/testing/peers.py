"""What the conformance kit says of the distances of aeon and of tslearn, as a table for the documentation.

Each becomes a metric in five lines. It is given the claims that its package makes (aeon says of each whether it is
symmetric and takes unequal lengths) or that its name makes: a distance is not negative, and 0 between equal series.

Run: python tests/testing/peers.py --out docs/peers.md
"""

import argparse
import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path

from stotmetrics import MetricSpec, Traits
from stotmetrics.testing import check_metric

# Distances of words, not of series: they take what a transformation of aeon has made of series.
SYMBOLIC = ("dft_sfa", "paa_sax", "sax", "sfa")
# Metrics by the papers that define them.
AXIOMS = ("euclidean", "manhattan", "minkowski", "erp", "twe", "msm")
# No distances in this sense: soft minima may be negative, and are not 0 between equal series.
SOFT = ("soft_dtw", "gamma_soft_dtw")
# The same metric under another call, or no function of two series.
SKIPPED_OF_TSLEARN = ("lb_keogh",)


@dataclass(frozen=True)
class Aeon:
    """A distance of aeon, which takes (channels, time)."""

    name: str

    def __call__(self, x, y, params):
        distance = importlib.import_module("aeon.distances").__dict__[f"{self.name}_distance"]
        return float(distance(x.values.T.copy(), y.values.T.copy()))


@dataclass(frozen=True)
class Tslearn:
    """A distance of tslearn, which takes (time, channels); of a similarity in [0, 1], what is missing to 1."""

    name: str
    similarity: bool = False

    def __call__(self, x, y, params):
        found = float(importlib.import_module("tslearn.metrics").__dict__[self.name](x.values, y.values))
        return 1.0 - found if self.similarity else found


def of_aeon():
    """Every distance of aeon between series, with the claims that aeon makes of it."""
    distances = importlib.import_module("aeon.distances._distance").DISTANCES
    for one in distances:
        name = one["name"]
        if name not in SYMBOLIC:
            traits = Traits(
                symmetric=one["symmetric"],
                unequal_length=one["unequal_support"],
                multivariate=True,
                zero_self=name not in SOFT,
                nonnegative=name not in SOFT,
                triangle=name in AXIOMS,
            )
            yield MetricSpec(name=f"aeon_{name}", pair=Aeon(name), traits=traits)


TSLEARN = {
    "dtw": False,
    "ctw": False,
    "frechet": False,
    "soft_dtw": False,
    "soft_dtw_normalized": False,
    "gamma_soft_dtw": None,
    "gak": True,
    "lcss": True,
}


def of_tslearn():
    """Every function of two series in tslearn.metrics that gives a number."""
    for name, similarity in TSLEARN.items():
        if similarity is not None:
            soft = name in SOFT
            traits = Traits(
                symmetric=True, unequal_length=True, multivariate=True, zero_self=not soft, nonnegative=not soft
            )
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
    kept = ", ".join(f"`{name}`" for name in report.weaker) or ""
    return f"| `{spec.name.partition('_')[2]}` | {claimed} | {broken} | {kept} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path)
    options.add_argument("--only", nargs="+")
    options.add_argument("--verbose", action="store_true")
    given = options.parse_args()
    for specs in (of_aeon(), of_tslearn()):
        for spec in specs:
            if given.only and spec.name not in given.only:
                continue
            report = judge(spec)
            print(row(spec, report), f"{report.seconds:.0f}s", flush=True)
            if given.verbose:
                for outcome in report.outcomes:
                    if outcome.status != "passed":
                        print("   ", outcome.check.name, outcome.status, outcome.message[:200], flush=True)
                        print("       ", outcome.counterexample.replace("\n", "\n        ")[:900], flush=True)


if __name__ == "__main__":
    main()
