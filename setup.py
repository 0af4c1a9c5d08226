"""Build the Cython kernels. Everything else about the package is in pyproject.toml.

``STOTMETRICS_DEBUG=1`` builds with bounds checks, for the debug test run; any other word names a build of its own.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KIND = os.environ.get("STOTMETRICS_DEBUG", "")
DEBUG = KIND not in ("", "0")
KERNELS = Path("stotmetrics", "kernels")

# Apart, so that no kind of build ever picks up another's objects.
BUILD = f"build/debug-{KIND}" if DEBUG else "build"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "binding": True,
    "embedsignature": False,
}

# Infinities are data in these kernels, so -ffast-math must never appear here. -Wpsabi is about vectors as arguments of
# real calls; ours are all inlined.
FLAGS = [
    *("-O3", "-fno-math-errno", "-fno-trapping-math"),
    *("-Wall", "-Wno-unused-function", "-Wno-psabi"),
    "-g" if DEBUG else "-g0",
]


def extensions() -> list[Extension]:
    headers = [header.as_posix() for header in sorted(KERNELS.glob("*.h"))]
    return [
        Extension(
            ".".join(source.with_suffix("").parts),
            [source.as_posix()],
            include_dirs=[KERNELS.as_posix()],
            extra_compile_args=FLAGS,
            depends=headers,
        )
        for source in sorted(KERNELS.glob("*.pyx"))
    ]


setup(
    ext_modules=cythonize(extensions(), build_dir=f"{BUILD}/cython", compiler_directives=DIRECTIVES),
    options={"build": {"build_base": BUILD}, "build_ext": {"parallel": os.cpu_count()}},
)
