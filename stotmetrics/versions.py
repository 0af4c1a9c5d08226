"""What a bug report needs to know."""

import platform
import sys
from importlib import import_module, metadata

_LIBRARIES = ("stotmetrics", "numpy", "scipy", "POT", "scikit-learn", "joblib", "threadpoolctl", "tqdm")
_HOSTS = ("tslearn", "aeon", "torch", "matplotlib", "distributed")

# The loops of each family run in a module of this name.
_FAMILIES = {
    "soft-DTW": "_softdtw",
    "Sinkhorn": "_sinkhorn",
    "single Sinkhorn": "_sinkhorn_single",
    "Gibbs plans": "_entropic",
    "single Gibbs plans": "_entropic_single",
    "pricing": "_network",
    "HBCD": "_hbcd",
    "differences": "_differences",
}


def kernel_builds() -> dict[str, str]:
    """The build of every family of kernels that runs in this process: ``baseline``, ``avx2`` or ``avx512``.

    It is the widest that the processor has, or the one that the environment variable ``STOTMETRICS_CPU`` names.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> from stotmetrics.versions import kernel_builds
    >>> sorted(kernel_builds())
    ['Gibbs plans', 'HBCD', 'Sinkhorn', 'differences', 'pricing', 'single Gibbs plans', 'single Sinkhorn', 'soft-DTW']
    """
    modules = {family: import_module(f".kernels.{name}", __package__) for family, name in _FAMILIES.items()}
    return {family: module.running() for family, module in modules.items()}


def versions() -> dict[str, str]:
    """Versions of stotmetrics, of what it stands on, and which build of each kernel this processor runs.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> from stotmetrics.versions import versions
    >>> versions()["stotmetrics"]
    '0.1.0'
    """
    builds = ", ".join(f"{family} {build}" for family, build in kernel_builds().items())
    report = {"python": sys.version.split()[0], "platform": platform.platform(), "kernels": builds}
    for name in (*_LIBRARIES, *_HOSTS):
        try:
            report[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            report[name] = "not installed"
    return report


def show_versions() -> None:
    """Print :func:`versions`, for a bug report.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.show_versions()  # doctest: +ELLIPSIS
            python: ...
    """
    for name, version in versions().items():
        print(f"{name:>14}: {version}")
