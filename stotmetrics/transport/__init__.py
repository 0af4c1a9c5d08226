"""Entropic transport on any cost matrix, with POT's names and signatures: it converges, or says that it did not."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pot import sinkhorn, sinkhorn2, sinkhorn_divergence, sinkhorn_unbalanced, sinkhorn_unbalanced2

__all__ = ["sinkhorn", "sinkhorn2", "sinkhorn_divergence", "sinkhorn_unbalanced", "sinkhorn_unbalanced2"]


# Imported when first asked for: metrics use other modules of this package, and a first distance should not wait.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import pot

    value = getattr(pot, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
