"""Put each fault of ``faults.toml`` into a copy of the project, compile what it touches, and see whether tests notice.

``python seeded_faults.py``; ``--only _network`` takes those whose file or words match that. A fault that keeps the
tests busy for ``--patience`` seconds of the processor counts as noticed, however loaded the machine is.
"""

import argparse
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from functools import partial
from pathlib import Path

from project import ENVIRONMENT, KERNELS, copy_project

FAULTS = tomllib.loads(Path(__file__).with_name("faults.toml").read_text())
# What waits without working ends after this many times the patience.
LOAD = 10


def compile_module(project: Path, module: str) -> None:
    """Compile one kernel with the project's own setup.py, in a folder where it is the only one."""
    with tempfile.TemporaryDirectory() as name:
        alone = Path(name)
        shutil.copytree(project / "stotmetrics", alone / "stotmetrics", ignore=shutil.ignore_patterns("*.so"))
        # A third of the time to compile, and the tests must hold at any level.
        (alone / "setup.py").write_text((project / "setup.py").read_text().replace('"-O3"', '"-O1"'))
        for source in (alone / KERNELS).glob("*.pyx"):
            if source.stem != module:
                source.unlink()
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
        done = subprocess.run(command, cwd=alone, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{module} does not compile\n{done.stderr[-4000:]}")
        for built in (alone / KERNELS).glob("*.so"):
            shutil.copy(built, project / KERNELS)


def first_failure(project: Path, tests: list[str], patience: int) -> str:
    """The first test that fails, or an empty string."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *tests]
    # The kernel ends what has had its time; a second later it no longer asks.
    limit = partial(resource.setrlimit, resource.RLIMIT_CPU, (patience, patience + 1))
    try:
        done = subprocess.run(
            command,
            cwd=project,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=LOAD * patience,
            check=False,
            preexec_fn=limit,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LOAD * patience} s"
    if done.returncode == 0:
        return ""
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"no end after {patience} s of the processor"
    told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return told[0].partition(" - ")[0] if told else f"exit {done.returncode}"


def judge(project: Path, fault: dict, patience: int) -> str:
    """What noticed the fault, or an empty string. The copy is whole again afterwards."""
    path = project / fault["file"]
    whole, modules = path.read_text(), [project / KERNELS / module for module in fault["build"]]
    kept = {built: built.read_bytes() for module in modules for built in module.parent.glob(f"{module.name}.*.so")}
    if whole.count(fault["old"]) != 1:
        raise SystemExit(f"{fault['file']}: the text of a seeded fault occurs {whole.count(fault['old'])} times")
    path.write_text(whole.replace(fault["old"], fault["new"]))
    try:
        for module in fault["build"]:
            compile_module(project, module)
        return first_failure(project, FAULTS["tests"][fault["tests"]], patience)
    finally:
        path.write_text(whole)
        for built, content in kept.items():
            built.unlink()
            built.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="faults whose file or words match this regular expression")
    parser.add_argument("--patience", type=int, default=300, help="seconds of the processor for the tests of a fault")
    words = parser.parse_args()
    faults = [fault for fault in FAULTS["fault"] if re.search(words.only, fault["file"] + " " + fault["breaks"])]
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        project = Path(name)
        copy_project(project)
        for group in sorted({fault["tests"] for fault in faults}):
            if failure := first_failure(project, FAULTS["tests"][group], words.patience):
                raise SystemExit(f"a test fails without any fault: {failure}")
        survived = []
        for fault in faults:
            start = time.perf_counter()
            noticed = judge(project, fault, words.patience)
            why = fault.get("survives", "NOT EXPLAINED")
            end = f"killed by {noticed}" if noticed else f"SURVIVED: {why}"
            print(f"{fault['file']}: {fault['breaks']}\n    {end} ({time.perf_counter() - start:.0f} s)", flush=True)
            if not noticed:
                survived.append("survives" in fault)
    unexplained = survived.count(False)
    killed = len(faults) - len(survived)
    print(f"{len(faults)} faults: {killed} killed, {len(survived)} survived; {unexplained} not explained")
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
