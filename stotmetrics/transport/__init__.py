"""Entropic transport on any cost matrix, with POT's names and signatures: it converges, or says that it did not."""

from .pot import sinkhorn, sinkhorn2, sinkhorn_divergence, sinkhorn_unbalanced, sinkhorn_unbalanced2

__all__ = ["sinkhorn", "sinkhorn2", "sinkhorn_divergence", "sinkhorn_unbalanced", "sinkhorn_unbalanced2"]
