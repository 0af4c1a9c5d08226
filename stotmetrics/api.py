"""Public functions: a metric by name, on a pair or on all pairs."""

import os
from collections.abc import Callable
from typing import Any

from .arrays import FloatArray
from .spec import registry
from .spec.admission import as_sets
from .spec.bound import Metric, get_metric, metric_comes_last
from .spec.result import Result


def list_metrics() -> list[str]:
    """Names of all metrics, built-in, installed and registered, sorted; imports none of them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import stotmetrics
    >>> {"etiot", "softdtw", "sta", "taot", "tiot"} <= set(stotmetrics.list_metrics())
    True
    """
    return registry.names()


def distance(x: Any, y: Any, metric: Metric = "softdtw", **params: Any) -> float:
    """The value of a metric on two series.

    Parameters
    ----------
    x, y : array_like of shape (T,), (T, d) or (T, H, W), or Series
        See :func:`as_series`, which also takes times and weights.
    metric : str, MetricSpec, BoundMetric or function, default "softdtw"
        See :func:`get_metric`.
    **params
        Parameters of the metric.

    Returns
    -------
    float

    Raises
    ------
    InvalidSeriesError
        If a series cannot be used; the message names the argument, what is wanted, what came, and the way out.
    InvalidParameterError
        If a parameter is out of its range; for an unknown name or parameter see :func:`get_metric`.
    TypeError
        If the metric comes before the series; the message shows the right call.
    FloatingPointError
        If the value is not finite, because the series are out of scale.

    Warns
    -----
    ConvergenceWarning
        If an iterative solver stopped before its tolerance.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.distance([0.0, 1.0, 2.0], [0.0, 2.0], metric="softdtw", gamma=0.0)
    1.0
    """
    metric_comes_last("distance(x, y, metric={})", x, y)
    return get_metric(metric, **params).solve(x, y).value


def solve(x: Any, y: Any, metric: Metric = "softdtw", **params: Any) -> Result:
    """The value of a metric on two series, and what its solver knows about it.

    Parameters
    ----------
    x, y, metric, **params
        See :func:`distance`.

    Returns
    -------
    Result
        ``value``, ``converged``, ``n_iter``, ``gap``, and where the metric has them ``alignment``, ``path``,
        ``masses``, ``plan``, ``w``, ``potentials``, ``objective``, ``cost``.

    Raises
    ------
    InvalidSeriesError, InvalidParameterError
        As :func:`distance`.

    Warns
    -----
    ConvergenceWarning
        If an iterative solver stopped before its tolerance.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.solve([0.0, 1.0, 2.0], [0.0, 2.0], metric="softdtw", gamma=0.0).alignment
    array([[1. , 0. ],
           [0.5, 0.5],
           [0. , 1. ]])
    """
    metric_comes_last("solve(x, y, metric={})", x, y)
    return get_metric(metric, **params).solve(x, y)


def alignment_path(x: Any, y: Any, metric: Metric = "softdtw", **params: Any) -> tuple[list[tuple[int, int]], float]:
    """Which times of one series belong to which of another, and the value of the metric.

    Parameters
    ----------
    x, y, metric, **params
        See :func:`distance`. The metric is one of alignments, as ``dtw``, those of the soft-DTW family and ``sta``, or
        one of exact transport, as ``tiot``.

    Returns
    -------
    path : list of pairs of int
        ``(i, j)`` in order: one alignment of least cost, from ``(0, 0)`` to the last times; or the pairs of a transport
        plan between which mass moves, whose masses are in ``solve(...).masses``. Looking back from the end of an
        alignment, where steps tie the diagonal one is taken first, then that from the time of x before. Soft-DTW and
        ``sta`` have many alignments at once: theirs is the most probable, that of least cost.
    value : float
        That of :func:`distance`.

    Raises
    ------
    NotImplementedError
        If the metric has no path; an entropic plan moves mass between all pairs. See also :func:`distance`.

    Warns
    -----
    ConvergenceWarning
        If an iterative solver stopped before its tolerance.

    See Also
    --------
    solve : the path as an array, the expected alignment, the plan.

    References
    ----------
    Sakoe, Chiba, *Dynamic Programming Algorithm Optimization for Spoken Word Recognition*, IEEE TASSP 1978.

    Examples
    --------
    >>> import stotmetrics
    >>> stotmetrics.alignment_path([0.0, 1.0, 5.0], [0.0, 2.0, 2.0, 5.0], metric="dtw")
    ([(0, 0), (1, 1), (1, 2), (2, 3)], 2.0)
    """
    metric_comes_last("alignment_path(x, y, metric={})", x, y)
    bound = get_metric(metric, **params)
    result = bound.solve(x, y)
    if "path" not in result.available:
        offers = ", ".join(result.available) or "nothing but its value"
        raise NotImplementedError(f"{bound!r} has no path; solve(x, y, metric) offers {offers}")
    return [(i, j) for i, j in result.path.tolist()], result.value


def value_and_grad(x: Any, y: Any, metric: Metric = "softdtw", **params: Any) -> tuple[float, FloatArray, FloatArray]:
    """The value of a differentiable metric and its gradients.

    Parameters
    ----------
    x, y, metric, **params
        See :func:`distance`.

    Returns
    -------
    value : float
    grad_x : array of shape (T_x, d)
        Gradient in the values of x.
    grad_y : array of shape (T_y, d)
        Gradient in the values of y.

    Raises
    ------
    NotImplementedError
        If the metric has no gradient at these parameters; see also :func:`distance`.

    Examples
    --------
    >>> import stotmetrics
    >>> value, grad_x, grad_y = stotmetrics.value_and_grad([0.0], [2.0], metric="softdtw", gamma=1.0)
    >>> value, grad_x.item(), grad_y.item()
    (4.0, -4.0, 4.0)
    """
    metric_comes_last("value_and_grad(x, y, metric={})", x, y)
    return get_metric(metric, **params).value_and_grad(x, y)


def pairwise(
    X: Any,
    Y: Any = None,
    metric: Metric = "softdtw",
    *,
    n_jobs: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    condensed: bool = False,
    dtype: Any = None,
    max_memory: int | str | None = None,
    shard: tuple[int, int] | None = None,
    **params: Any,
) -> FloatArray:
    """All distances between two sets of series, or within one.

    The result depends neither on ``n_jobs`` nor on the order in which the work is done.

    Parameters
    ----------
    X : sequence of series, or array of shape (n, T), (n, T, d) or (n, T, H, W)
        See :func:`as_dataset`; lengths may differ where the metric allows.
    Y : the same, optional
        By default ``X`` itself.
    metric : str, MetricSpec, BoundMetric or function, default "softdtw"
        See :func:`get_metric`.
    n_jobs : int, optional
        Workers, as joblib counts them: None is one unless a ``joblib.parallel_config`` says otherwise, -1 all cores.
    progress : bool or callable, default False
        True shows a bar with rate and remaining time; a callable is told ``(done, total)`` in pairs.
    out : path, optional
        A ``.npy`` file to write the matrix to while it is computed. If the run is stopped, the same call with the same
        arguments does the rest; once it is finished, the same call returns it. A journal beside it,
        ``matrix.npy.journal``, knows of which call it is and what is written: keep the two together. With zarr
        installed, also a ``.zarr`` folder, whose chunks are the tiles; what is not computed yet reads there as NaN.
    overwrite : bool, default False
        Whether a file ``out`` that is of another call, or was changed, gives way. It is replaced as soon as there is
        space for the new one.
    condensed : bool, default False
        The upper triangle alone, as :func:`scipy.spatial.distance.squareform` takes it. Only within one set, for a
        metric that claims to be symmetric and zero between a series and itself.
    dtype : {"float64", "float32"}, optional
        The type of the entries, by default float64. Distances are computed in float64 and then rounded.
    max_memory : int or str, optional
        Bytes, or text such as ``"4 GB"``, that the matrix and the series may take together. More is refused before
        it is taken.
    shard : (int, int), optional
        ``(3, 16)`` does the third sixteenth of the tiles, for array jobs on machines that share a folder. It is written
        beside ``out``, as ``matrix.shard-03-of-16.npy``, or into the Zarr store ``out`` that all shards fill, and
        resumed as a matrix is; :func:`merge_shards` makes the matrix of all shards.
    **params
        Parameters of the metric.

    Returns
    -------
    array of shape (n, m), or (n (n - 1) / 2,) if condensed
        If ``out`` is given, a memory map of the file that is copied where it is written to: the file stays as it is.
        Of a shard in a ``.npy`` file, the blocks of its tiles one behind the other; of a Zarr store, its array,
        read-only.

    Raises
    ------
    InvalidSeriesError
        Naming the series that cannot be used, as ``X[3]``; see also :func:`get_metric`.
    MemoryError
        If the matrix is larger than the memory of the machine and ``out`` is not given, or if ``max_memory`` is
        exceeded.
    FileExistsError
        If ``out`` exists and is not of the same call: other series, metric, code of the metric, parameters or version.
    OSError
        If ``out`` cannot be written: no space for all of it, no such folder, no permission, or another process is
        writing it (BlockingIOError). The message names the file, and nothing is left behind.

    Warns
    -----
    ConvergenceWarning
        Once: how many pairs did not converge, and the worst of them.

    Examples
    --------
    >>> import stotmetrics
    >>> X = [[0.0, 1.0, 2.0], [0.0, 2.0], [5.0, 5.0, 5.0, 5.0]]
    >>> stotmetrics.pairwise(X, metric="softdtw", gamma=0.0)
    array([[ 0.,  1., 59.],
           [ 1.,  0., 52.],
           [59., 52.,  0.]])
    """
    # joblib and tqdm take longer to import than all the rest.
    from .engine import output, tiles, workers

    metric_comes_last("pairwise(X, Y, metric={})", X, Y)
    bound = get_metric(metric, **params)
    left, right = as_sets(X, Y, bound.traits, bound.name)
    workers.check_jobs(n_jobs)
    side = output.side_for(out, bound, left, right)
    with output.open_destination(
        out,
        bound,
        left,
        right,
        side,
        condensed=condensed,
        dtype=dtype,
        overwrite=overwrite,
        max_memory=max_memory,
        shard=shard,
    ) as destination:
        tiles.fill(bound, left, right, destination, side, n_jobs=n_jobs, progress=progress)
    return destination.array
