"""A true coupling near a plan whose marginals rounding or a tolerance left a little off."""

import numpy as np

from .interface import FloatArray


def coupling_near(P: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """A coupling of (a, b): both marginals of the plan P cut to what they may be, and the rest spread."""
    P = P * share(a, P.sum(1))[:, None]
    P *= share(b, P.sum(0))
    left, right = a - P.sum(1), b - P.sum(0)
    if left.sum() > 0:
        P += np.outer(left, right) / left.sum()
    return P


def share(wanted: FloatArray, marginal: FloatArray) -> FloatArray:
    """What to keep of ``marginal`` so that no entry exceeds ``wanted``."""
    return np.minimum(1.0, wanted / np.where(marginal > 0, marginal, 1.0))
