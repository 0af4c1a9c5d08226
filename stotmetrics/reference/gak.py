"""The global alignment kernel by its recursion, without logarithms: Cuturi (2011).

Products of local kernels leave the range of a double after a few samples; decimal numbers have exponents enough.
"""

import decimal
from decimal import Decimal
from typing import Any

from .interface import FloatArray, TimeSeries

WIDE = decimal.Context(prec=40, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)


def gak(x: TimeSeries, y: TimeSeries, params: Any) -> float:
    """``sqrt(2 - 2 k(x, y))``, or ``-log k(x, y)``, with the kernel normalised to ``k(x, x) = 1``."""
    with decimal.localcontext(WIDE):
        cross, own_x, own_y = (kernel(a.values, b.values, params.sigma) for a, b in ((x, y), (x, x), (y, y)))
        similarity = min(Decimal(1), cross / (own_x * own_y).sqrt())
        return float(-similarity.ln() if params.form == "log" else (2 - 2 * similarity).sqrt())


def kernel(x: FloatArray, y: FloatArray, sigma: float) -> Decimal:
    """``k(x, y) = sum over alignments of the product of local kernels``, not normalised.

    ``K[i, j] = kappa[i, j] (K[i-1, j-1] + K[i-1, j] + K[i, j-1])`` with ``kappa = g / (2 - g)`` and
    ``g = exp(-|x_i - y_j|^2 / (2 sigma^2))``.
    """
    with decimal.localcontext(WIDE):
        width = 2 * Decimal(sigma) ** 2
        above = [Decimal(1)] + [Decimal(0)] * len(y)
        for a in x:
            row = [Decimal(0)]
            for j, b in enumerate(y):
                g = (-Decimal(float((a - b) @ (a - b))) / width).exp()
                row.append(g / (2 - g) * (above[j] + above[j + 1] + row[j]))
            above = row
        return above[-1]
