"""Build the Cython kernels. Everything else about the package is in pyproject.toml.

``STOTMETRICS_DEBUG=1`` builds with bounds checks, for the debug test run.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("STOTMETRICS_DEBUG", "") not in ("", "0")

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "binding": True,
    "embedsignature": False,
}

# Infinities are data in these kernels, so -ffast-math must never appear here.
FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wno-unused-function"]


def extensions() -> list[Extension]:
    sources = sorted(Path("stotmetrics", "kernels").glob("*.pyx"))
    return [
        Extension(
            ".".join(source.with_suffix("").parts),
            [source.as_posix()],
            extra_compile_args=FLAGS,
            depends=[header.as_posix() for header in sorted(source.parent.glob("*.h"))],
        )
        for source in sources
    ]


setup(ext_modules=cythonize(extensions(), compiler_directives=DIRECTIVES, force=DEBUG))
