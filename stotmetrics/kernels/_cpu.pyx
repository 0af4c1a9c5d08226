"""Which build of the kernels runs: one choice for all of them, the widest that the processor has unless told otherwise.

``STOTMETRICS_CPU=baseline|avx2|avx512`` is looked at once, when the first kernel is imported.
"""

from ._simd cimport simd_count, simd_has_avx512, simd_name, simd_runs

import os
import warnings


cdef int chosen = 0

# There is no build for AVX-512 alone: that word runs the widest build that there is.
_WORDS = ("baseline", "avx2", "avx512")


def builds():
    """Names of the builds that this processor runs, the widest first."""
    return [simd_name(k).decode() for k in reversed(range(simd_count)) if simd_runs(k)]


def build():
    """Name of the build that runs."""
    return simd_name(chosen).decode()


def use_build(str name):
    """Run another build from now on, in every kernel and thread."""
    global chosen
    here = builds()
    if name not in _WORDS:
        raise ValueError(f"the build of the kernels (STOTMETRICS_CPU) is one of {', '.join(_WORDS)}; got {name!r}")
    if name == "avx512" and simd_has_avx512():
        message = f"there is no AVX-512 build of the kernels: {here[0]!r} runs instead"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        name = here[0]
    if name not in here:
        raise ValueError(
            f"this processor does not run the build {name!r} of the kernels (STOTMETRICS_CPU); "
            f"it runs {', '.join(here)}"
        )
    for k in range(simd_count):
        if simd_name(k).decode() == name:
            chosen = k


use_build(os.environ.get("STOTMETRICS_CPU") or builds()[0])
