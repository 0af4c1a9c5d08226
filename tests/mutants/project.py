"""A copy of the project to break things in."""

import os
import shutil
from pathlib import Path

import stotmetrics.kernels

ROOT = Path(__file__).resolve().parents[2]
KERNELS = Path("stotmetrics", "kernels")

# The same examples for every mutant, and one thread.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ENVIRONMENT = {**os.environ, **THREADS, "HYPOTHESIS_PROFILE": "mutants"}


def copy_project(folder: Path) -> None:
    """The sources and the tests, with the compiled kernels of the installed package."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "build", "*.egg-info")
    for name in ("stotmetrics", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder)
    for module in Path(stotmetrics.kernels.__path__[0]).glob("*.so"):
        shutil.copy(module, folder / KERNELS)
