"""Which build of the kernels runs: one choice for all of them, the widest that the processor has unless told otherwise.

``STOTMETRICS_CPU=baseline|avx2|avx512`` is looked at once, when the first kernel is imported.
"""

from ._simd cimport simd_choose, simd_count, simd_follow, simd_name, simd_running, simd_runs

import os


cdef int chosen = 0
simd_follow(&chosen)

# Those that any machine may be asked for, and those that were compiled: a test compiles one more, see _simd.h.
_WORDS = tuple(dict.fromkeys(["baseline", "avx2", "avx512", *(simd_name(k).decode() for k in range(simd_count))]))


def builds():
    """Names of the builds that this processor runs, the widest first."""
    return [simd_name(k).decode() for k in reversed(range(simd_count)) if simd_runs(k)]


def build():
    """Name of the build that runs."""
    return simd_running().decode()


def use_build(str name):
    """Run another build from now on, in every kernel and thread."""
    here = builds()
    if name not in _WORDS:
        raise ValueError(f"the build of the kernels (STOTMETRICS_CPU) is one of {', '.join(_WORDS)}; got {name!r}")
    if name not in here:
        raise ValueError(
            f"this processor does not run the build {name!r} of the kernels (STOTMETRICS_CPU); "
            f"it runs {', '.join(here)}"
        )
    for k in range(simd_count):
        if simd_name(k).decode() == name:
            simd_choose(&chosen, k)


use_build(os.environ.get("STOTMETRICS_CPU") or builds()[0])
