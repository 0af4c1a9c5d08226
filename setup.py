"""Build the Cython kernels. Everything else about the package is in pyproject.toml.

``STOTMETRICS_DEBUG=1`` builds with bounds checks, for the debug test run; any other word names a build of its own.
"""

import os
import shutil
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

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
    # What kernels keep between calls belongs to one thread, or is read and set in one step: in a Python without the
    # interpreter's lock, importing them leaves it off.
    "freethreading_compatible": True,
}

# Infinities are data in these kernels, so -ffast-math must never appear here. -Wpsabi is about vectors as arguments of
# real calls; ours are all inlined.
MATH = ("-fno-math-errno", "-fno-trapping-math")
UNIX = ["-O3", *MATH, "-Wall", "-Wno-unused-function", "-Wno-psabi", "-g" if DEBUG else "-g0"]
# The vector types are those of gcc and clang: on Windows, clang-cl, which Visual Studio brings, builds the kernels.
CLANG_CL = ["/O2", *(f"/clang:{flag}" for flag in MATH), "-Wno-unused-function", "-Wno-unknown-argument"]
FLAGS = {"unix": UNIX, "mingw32": UNIX, "msvc": CLANG_CL}
# In the order of gcc's first scheduler, with less moved out of loops and counters that need not wrap, the chains of
# these kernels overlap better, by 5 to 10 %; those of others do not. clang has an order of its own, and would say so.
ORDER = ["-fschedule-insns", "-fsched-pressure", "-fno-tree-pre", "-fno-wrapv", "-Wno-ignored-optimization-argument"]
ORDERED = "stotmetrics.kernels._softdtw"


class BuildKernels(build_ext):
    """Cython when there is something to build, not for the metadata; flags by compiler, known only by then."""

    def build_extensions(self) -> None:
        translated = cythonize(
            self.extensions, build_dir=f"{BUILD}/cython", compiler_directives=DIRECTIVES, force=self.force
        )
        sources = {extension.name: extension.sources for extension in translated}
        kind = self.compiler.compiler_type
        for extension in self.extensions:
            extension.sources = sources[extension.name]
            flags = FLAGS.get(kind, UNIX)
            ordered = kind != "msvc" and extension.name.startswith(ORDERED)
            extension.extra_compile_args = [*flags, *ORDER] if ordered else flags
        if kind == "msvc":
            self._take_clang_cl()
        super().build_extensions()

    def _take_clang_cl(self) -> None:
        if not self.compiler.initialized:
            self.compiler.initialize()
        beside = Path(os.environ.get("VCINSTALLDIR", ""), "Tools", "Llvm", "x64", "bin", "clang-cl.exe")
        compiler = shutil.which("clang-cl") or (str(beside) if beside.is_file() else None)
        if compiler is None:
            raise CompileError(
                "the kernels need clang-cl, since Microsoft's compiler has no vector types: install the component "
                "'C++ Clang tools for Windows' of Visual Studio, or LLVM, or build with --compiler=mingw32"
            )
        self.compiler.cc = compiler


def extensions() -> list[Extension]:
    headers = [header.as_posix() for header in sorted(KERNELS.glob("*.h"))]
    return [
        Extension(
            ".".join(source.with_suffix("").parts),
            [source.as_posix()],
            include_dirs=[KERNELS.as_posix()],
            depends=headers,
        )
        for source in sorted(KERNELS.glob("*.pyx"))
    ]


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildKernels},
    options={"build": {"build_base": BUILD}, "build_ext": {"parallel": os.cpu_count()}},
)
