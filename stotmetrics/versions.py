"""What a bug report needs to know."""

import platform
import sys
from importlib import metadata

_LIBRARIES = ("stotmetrics", "numpy", "scipy", "POT", "scikit-learn", "joblib", "threadpoolctl", "tqdm")
_HOSTS = ("tslearn", "aeon", "torch", "matplotlib", "distributed")


def versions() -> dict[str, str]:
    """Versions of stotmetrics, of what it stands on, and which kernels this processor runs.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> from stotmetrics.versions import versions
    >>> versions()["stotmetrics"]
    '0.1.0'
    """
    from .kernels._softdtw import cpu_variant

    found = {"python": sys.version.split()[0], "platform": platform.platform(), "kernels": cpu_variant()}
    for name in (*_LIBRARIES, *_HOSTS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


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
