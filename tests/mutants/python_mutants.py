"""Mutants of the Python files: mutmut on a copy of the project, all of what it makes or a sample of it.

``python python_mutants.py --size 600 --seed 0``. What mutmut mutates and which tests judge it is in ``pyproject.toml``.
Every survivor is printed with what it changes; those listed in ``explained.toml`` with the reason why it may live.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

from project import ENVIRONMENT, copy_project

EXPLAINED = Path(__file__).with_name("explained.toml")

# What mutmut's exit codes mean; every other one is a kill (the tests failed, or the process died).
SURVIVED, NO_TESTS, TIMEOUT = {0}, {5, 33}, {-24, 24, 36, 152, 255}


def mutmut(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"mutmut {words[0]} failed\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def exit_codes(folder: Path) -> dict[str, int | None]:
    """Name of each mutant -> what became of it, None if it was not judged."""
    codes: dict[str, int | None] = {}
    for file in sorted((folder / "mutants" / "stotmetrics").rglob("*.meta")):
        codes.update(json.loads(file.read_text())["exit_code_by_key"])
    return codes


def fate(code: int) -> str:
    if code in SURVIVED:
        return "survived"
    if code in NO_TESTS:
        return "no tests"
    return "timeout" if code in TIMEOUT else "killed"


def change(folder: Path, name: str) -> tuple[str, str]:
    """The lines that a mutant takes away and puts in their place."""
    lines = mutmut(folder, "show", name).splitlines()
    gone = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    come = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    return "\n".join(gone), "\n".join(come)


def explain(function: str, gone: str, come: str) -> str | None:
    """Why a mutant may live, if somebody has looked at it."""
    told = tomllib.loads(EXPLAINED.read_text())
    for entry in told.get("mutant", []):
        if entry["function"] == function and entry["old"] == gone and come in entry["new"]:
            return entry["why"]
    for kind in told["kind"]:
        if re.search(kind["old"], gone) and re.search(kind["new"], come):
            return kind["why"]
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=0, help="how many mutants to draw; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave it")
    words = parser.parse_args()

    folder = words.keep or Path(tempfile.mkdtemp(prefix="mutants-"))
    if not (folder / "stotmetrics").exists():
        folder.mkdir(exist_ok=True, parents=True)
        copy_project(folder)
    # One mutant, so that mutmut makes them all and learns which test reaches which function.
    mutmut(folder, "run", "--max-children", "1", "stotmetrics.metrics.dtw.x_pair__mutmut_1")
    names = [name for name in exit_codes(folder) if words.only in name]
    drawn = random.Random(words.seed).sample(names, words.size) if 0 < words.size < len(names) else names
    mutmut(folder, "run", "--max-children", words.workers, *drawn)

    codes = exit_codes(folder)
    fates = {name: fate(code) for name in drawn if (code := codes[name]) is not None}
    unexplained = 0
    for name in sorted(name for name, end in fates.items() if end in ("survived", "no tests")):
        function = name.removeprefix("stotmetrics.").partition("__mutmut_")[0].replace(".x_", ".")
        gone, come = change(folder, name)
        reason = explain(function, gone, come)
        unexplained += reason is None
        print(f"\n{function}: {fates[name]}: {reason or 'NOT EXPLAINED'}\n- {gone}\n+ {come}")
    counts = Counter(fates.values())
    print(
        f"\n{len(names)} mutants, {len(fates)} judged (seed {words.seed}): {dict(counts)}; {unexplained} not explained"
    )
    if words.keep is None:
        shutil.rmtree(folder)
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
