"""Lower bounds of distances, and the envelopes behind those of dynamic time warping."""

from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InvalidParameterError
from ..series import read_series
from ..spec.admission import as_sets
from ..spec.bound import BoundMetric, Metric, get_metric, metric_comes_last


def lower_bound(x: Any, y: Any, metric: Metric = "softdtw", **params: Any) -> float:
    """A number that is never above the distance of two series, in a fraction of its time.

    Under ``dtw`` and ``softdtw`` it is LB_Improved with both corners exact, as in LB_Kim: x against the envelope of y
    (LB_Keogh), and y against the envelope of what is left; in the band, and for unequal lengths too. For soft-DTW the
    logarithm of the number of alignments times gamma is taken off. Under the transport metrics it is what transport of
    values and of times on lines costs.

    Parameters
    ----------
    x, y, metric, **params
        See :func:`distance`.

    Returns
    -------
    float
        At least 0 where the metric is never negative; -inf where nothing is known, as at ``gamma="median"``.

    Raises
    ------
    NotImplementedError
        If the metric has no lower bounds; see also :func:`distance`.

    References
    ----------
    Lemire, *Faster Retrieval with a Two-Pass Dynamic-Time-Warping Lower Bound*, Pattern Recognition 2009.
    Keogh, Ratanamahatana, *Exact Indexing of Dynamic Time Warping*, KAIS 2005.

    Examples
    --------
    >>> import stotmetrics
    >>> x, y = [0.0, 1.0, 5.0, 1.0], [0.0, 2.0, 2.0, 0.0]
    >>> round(stotmetrics.lower_bound(x, y, metric="dtw"), 6), stotmetrics.dtw(x, y)
    (10.0, 11.0)
    """
    metric_comes_last("lower_bound(x, y, metric={})", x, y)
    bound = _with_bounds(get_metric(metric, **params))
    left, right = bound.accept_pair(x, y)
    at = np.zeros(1, dtype=np.intp)
    return float(bound.lower_bounds([bound.prepare(left)], [bound.prepare(right)], at, at)[0])


def lower_bounds(X: Any, Y: Any = None, metric: Metric = "softdtw", **params: Any) -> FloatArray:
    """Lower bounds of all distances between two sets of series, or within one.

    Parameters
    ----------
    X : sequence of series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        See :func:`as_dataset`; lengths may differ where the metric allows.
    Y : the same, optional
        By default ``X`` itself.
    metric, **params
        See :func:`distance`.

    Returns
    -------
    array of shape (n, m)
        Entry by entry at most :func:`pairwise`, and what :func:`lower_bound` says of each pair. It need not be
        symmetric where the metric is: the larger of the two orders is a bound as well.

    Raises
    ------
    NotImplementedError
        If the metric has no lower bounds; see also :func:`pairwise`.

    Examples
    --------
    >>> import stotmetrics
    >>> X = [[0.0, 1.0, 5.0, 1.0], [0.0, 2.0, 2.0, 0.0]]
    >>> stotmetrics.lower_bounds(X, metric="dtw").round(6)
    array([[ 0., 10.],
           [10.,  0.]])
    """
    metric_comes_last("lower_bounds(X, Y, metric={})", X, Y)
    bound = _with_bounds(get_metric(metric, **params))
    left, right = as_sets(X, Y, bound.traits, bound.name)
    rows = bound.prepare_all(left)
    columns = rows if right is None else bound.prepare_all(right)
    bounds = np.empty((len(rows), len(columns)))
    every = np.arange(len(rows), dtype=np.intp)
    for j in range(len(columns)):
        bounds[:, j] = bound.lower_bounds(rows, columns, every, np.full_like(every, j))
    return bounds


def envelope(x: Any, band: int | None = None) -> tuple[FloatArray, FloatArray]:
    """The range of a series around each time: what LB_Keogh measures another series against.

    Parameters
    ----------
    x : array_like of shape (T,) or (T, d), or Series
        One series.
    band : int, optional
        How many times to either side count, as the Sakoe-Chiba radius of ``dtw``; None: all.

    Returns
    -------
    lower, upper : array of shape (T, d)
        The smallest and the largest value within ``band`` of each time.

    Raises
    ------
    InvalidSeriesError
        If x cannot be used.
    InvalidParameterError
        If ``band`` is no integer >= 0.

    References
    ----------
    Keogh, Ratanamahatana, *Exact Indexing of Dynamic Time Warping*, KAIS 2005.

    Examples
    --------
    >>> import stotmetrics
    >>> lower, upper = stotmetrics.envelope([0.0, 1.0, 5.0, 1.0], band=1)
    >>> lower.ravel().tolist(), upper.ravel().tolist()
    ([0.0, 0.0, 1.0, 1.0], [1.0, 5.0, 5.0, 5.0])
    """
    from scipy.ndimage import maximum_filter1d, minimum_filter1d  # longer to import than an envelope may take

    if band is not None and (isinstance(band, bool) or not isinstance(band, (int, np.integer)) or band < 0):
        raise InvalidParameterError(f"band must be an integer >= 0, or None for the whole series; got {band!r}")
    values = read_series(x, "x").values
    reach = len(values) - 1 if band is None else min(int(band), len(values) - 1)
    # Beyond an end the filters repeat its value, which is in the window anyway.
    low, high = (
        of_window(values, size=2 * reach + 1, axis=0, mode="nearest")
        for of_window in (minimum_filter1d, maximum_filter1d)
    )
    return low, high


def _with_bounds(metric: BoundMetric) -> BoundMetric:
    if metric.spec.lower_bounds is None:
        raise NotImplementedError(f"{metric.name} has no lower bounds; only distance, solve and pairwise serve it")
    return metric
