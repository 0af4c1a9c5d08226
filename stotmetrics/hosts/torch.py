"""Losses between batches of series for PyTorch, with the values and the gradients of the kernels of this package."""

import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..errors import ConvergenceWarning, InvalidParameterError
from ..series import Series
from ..spec.admission import check_pair, check_series
from ..spec.bound import BoundMetric, Metric, get_metric

_REDUCTIONS = ("mean", "sum", "none")

Lengths: TypeAlias = Any | Sequence[int] | None


class SeriesLoss(torch.nn.Module):
    """A differentiable metric between the series of two batches, one pair for each place in the batch.

    Values and gradients are computed in double precision on the CPU, and come back in the precision and on the device
    of the input. A gradient of the gradient is not available.

    Parameters
    ----------
    metric : str, MetricSpec or BoundMetric
        A metric with a gradient.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.
    **params
        Parameters of the metric.

    Raises
    ------
    NotImplementedError
        If the metric has no gradient at these parameters.
    InvalidParameterError
        If a parameter or the reduction is none.

    Examples
    --------
    >>> import torch
    >>> from stotmetrics.hosts.torch import SeriesLoss
    >>> x = torch.tensor([[3.0, 0.0]], requires_grad=True)
    >>> loss = SeriesLoss("euclidean")(x, torch.tensor([[0.0, 4.0]]))
    >>> loss.backward()
    >>> loss.item(), x.grad.tolist()
    (5.0, [[0.6000000238418579, -0.800000011920929]])
    """

    def __init__(self, metric: Metric, *, reduction: str = "mean", **params: Any) -> None:
        super().__init__()
        if reduction not in _REDUCTIONS:
            raise InvalidParameterError(f"reduction must be 'mean', 'sum' or 'none'; got {reduction!r}")
        self.metric = get_metric(metric, **params)
        self.metric.require_gradient()
        self.reduction = reduction

    def forward(
        self,
        input: Tensor,  # noqa: A002  what every loss of PyTorch calls it
        target: Tensor,
        input_lengths: Lengths = None,
        target_lengths: Lengths = None,
    ) -> Tensor:
        """The loss.

        Parameters
        ----------
        input, target : tensor of shape (B, T), (B, T, d) or (B, T, H, W)
            Batches of B series each; their lengths may differ where the metric allows.
        input_lengths, target_lengths : sequence or tensor of B integers, optional
            How many times of each series count; what lies behind is padding, and has no gradient. By default all.

        Returns
        -------
        Tensor
            A number, or one for each pair if ``reduction="none"``.

        Raises
        ------
        InvalidSeriesError, InvalidParameterError
            If the batches or the lengths cannot be used.
        """
        if input.ndim != target.ndim or input.ndim not in (2, 3, 4) or len(input) != len(target) or not len(input):
            raise InvalidParameterError(
                "input and target must have shape (B, T), (B, T, d) or (B, T, H, W) with the same B >= 1; "
                f"got {tuple(input.shape)} and {tuple(target.shape)}"
            )
        lengths = _lengths(input_lengths, input, "input"), _lengths(target_lengths, target, "target")
        values: Tensor = _PairwiseValues.apply(input, target, self.metric, lengths)
        if self.reduction == "none":
            return values
        return values.mean() if self.reduction == "mean" else values.sum()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.metric!r}, reduction={self.reduction!r}"


class SoftDTWLoss(SeriesLoss):
    """Soft-DTW of each pair; it can be negative, see :class:`SoftDTWDivergenceLoss`.

    Parameters
    ----------
    gamma : float, default 1.0
        Smoothing of the minimum, in the unit of the squared values; > 0.
    band : int, optional
        Sakoe-Chiba radius around the rescaled diagonal, in steps of the shorter series.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.

    Raises
    ------
    NotImplementedError
        At ``gamma=0``, where there is no gradient.

    References
    ----------
    Cuturi, Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017.

    Examples
    --------
    >>> import torch
    >>> from stotmetrics.hosts.torch import SoftDTWLoss
    >>> x = torch.tensor([[0.0]], requires_grad=True)
    >>> SoftDTWLoss()(x, torch.tensor([[2.0]])).backward()
    >>> x.grad
    tensor([[-4.]])
    """

    def __init__(self, gamma: float = 1.0, band: int | None = None, *, reduction: str = "mean") -> None:
        super().__init__("softdtw", reduction=reduction, gamma=gamma, band=band)


class SoftDTWDivergenceLoss(SeriesLoss):
    """Soft-DTW of each pair less half of its self terms: zero, and stationary, where input and target are equal.

    Parameters
    ----------
    gamma : float, default 1.0
        Smoothing of the minimum, in the unit of the squared values; > 0.
    band : int, optional
        Sakoe-Chiba radius around the rescaled diagonal, in steps of the shorter series.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.

    Raises
    ------
    NotImplementedError
        At ``gamma=0``, where there is no gradient.

    References
    ----------
    Blondel, Mensch, Vert, *Differentiable Divergences between Time Series*, AISTATS 2021.

    Examples
    --------
    >>> import torch
    >>> from stotmetrics.hosts.torch import SoftDTWDivergenceLoss
    >>> x = torch.tensor([[0.0, 1.0, 3.0]])
    >>> SoftDTWDivergenceLoss()(x, x).item()
    0.0
    """

    def __init__(self, gamma: float = 1.0, band: int | None = None, *, reduction: str = "mean") -> None:
        super().__init__("softdtw_divergence", reduction=reduction, gamma=gamma, band=band)


class STALoss(SeriesLoss):
    """Spatio-temporal alignment of each pair of series of positive frames, (B, T, d) or images (B, T, H, W).

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.
    **params
        Parameters of :func:`stotmetrics.sta`.

    Notes
    -----
    Every point of a frame needs some mass: where there is none the gradient is infinite.

    References
    ----------
    Janati, Cuturi, Gramfort, *Spatio-Temporal Alignments: Optimal transport through space and time*, AISTATS 2020.

    Examples
    --------
    >>> import torch
    >>> from stotmetrics.hosts.torch import STALoss
    >>> x = torch.rand(2, 4, 3, dtype=torch.float64) + 0.1
    >>> STALoss(gamma=0.1, reduction="none")(x, x + 0.1).shape
    torch.Size([2])
    """

    def __init__(self, *, reduction: str = "mean", **params: Any) -> None:
        super().__init__("sta", reduction=reduction, **params)


class TiOTLoss(SeriesLoss):
    """Time-integrated optimal transport of each pair of series, exact.

    The times of a series are 0, 1, 2, ... A loss without a balance to tune; its gradient is one of several where plans
    tie, and zero between equal series.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.
    **params
        Parameters of :func:`stotmetrics.tiot`. A forecast needs ``standardize=False``: z-scores forget its level and
        its scale.

    References
    ----------
    Nguyen, Chu, Toh. *Time-integrated Optimal Transport: A Robust Minimax Framework*, 2025.

    Examples
    --------
    >>> import torch
    >>> from stotmetrics.hosts.torch import TiOTLoss
    >>> x = torch.tensor([[0.0, 3.0]], requires_grad=True)
    >>> loss = TiOTLoss(standardize=False, root=False)(x, torch.tensor([[0.0, 1.0]]))
    >>> loss.backward()
    >>> loss.item(), x.grad.tolist()
    (2.0, [[0.0, 2.0]])
    """

    def __init__(self, *, reduction: str = "mean", **params: Any) -> None:
        super().__init__("tiot", reduction=reduction, **params)


class ETiOTLoss(SeriesLoss):
    """Entropic time-integrated optimal transport of each pair of series, smooth in both.

    The times of a series are 0, 1, 2, ... The value is that of :func:`stotmetrics.etiot`, the cost of the plan without
    its entropy, and the gradient is that of the value.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the values of the batch.
    **params
        Parameters of :func:`stotmetrics.etiot`. A forecast needs ``standardize=False``: z-scores forget its level and
        its scale.

    References
    ----------
    Nguyen, Chu, Toh. *Time-integrated Optimal Transport: A Robust Minimax Framework*, 2025.

    Examples
    --------
    >>> import torch
    >>> from stotmetrics.hosts.torch import ETiOTLoss
    >>> x = torch.tensor([[0.0, 3.0, 1.0]], dtype=torch.float64)
    >>> loss = ETiOTLoss(epsilon=0.1, reduction="none")
    >>> torch.autograd.gradcheck(loss, (x.requires_grad_(), x.detach() ** 2))
    True
    """

    def __init__(self, *, reduction: str = "mean", **params: Any) -> None:
        super().__init__("etiot", reduction=reduction, **params)


class _PairwiseValues(torch.autograd.Function):
    """The values of the pairs of two batches; their gradients are found on the way, and kept for ``backward``."""

    @staticmethod
    def forward(
        ctx: Any, source: Tensor, target: Tensor, metric: BoundMetric, lengths: tuple[list[int], list[int]]
    ) -> Tensor:
        left = _series(source, lengths[0], metric, "input")
        right = _series(target, lengths[1], metric, "target")
        for k, (x, y) in enumerate(zip(left, right, strict=True)):
            check_pair(x, y, metric.traits, metric.name, f"input[{k}]", f"target[{k}]")
        pairs = np.arange(len(left), dtype=np.intp)
        sets = metric.prepare_all(left), metric.prepare_all(right)
        moves = source.requires_grad, target.requires_grad
        if any(moves):
            side = "both" if all(moves) else "left" if moves[0] else "right"
            batch: Any = metric.gradients(*sets, pairs, pairs, side)  # type: ignore[arg-type]
            slopes = [
                _padded(own, like) if wanted else None
                for own, like, wanted in zip((batch.left, batch.right), (source, target), moves, strict=True)
            ]
            ctx.save_for_backward(*slopes)
        else:
            batch = metric.block(*sets, pairs, pairs)
        failed = 0 if batch.converged is None else int((~batch.converged).sum())
        if failed:
            warnings.warn(
                f"{metric.name} did not converge for {failed} of {len(pairs)} pairs; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        return torch.as_tensor(batch.values).to(source)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        left, right = (
            None if slope is None else slope * grad.reshape(-1, *[1] * (slope.ndim - 1)).to(slope)
            for slope in ctx.saved_tensors
        )
        return left, right, None, None


def _series(batch: Tensor, lengths: list[int], metric: BoundMetric, name: str) -> list[Series]:
    """The series of a batch, in double precision, without their padding."""
    values = np.array(batch.detach().to("cpu", torch.float64).numpy(), order="C")
    frame_shape = values.shape[2:] if values.ndim == 4 else None
    if values.size == 0 or not np.isfinite(values).all():
        read = [metric.accept(values[k, :length], f"{name}[{k}]") for k, length in enumerate(lengths)]
        return [Series(own.values, frame_shape=frame_shape) for own in read]
    # Read at once, a batch of numbers leaves each series no doubt but its traits.
    values.flags.writeable = False
    values = values.reshape(*values.shape[:2], -1)
    series = [Series(values[k, :length], frame_shape=frame_shape) for k, length in enumerate(lengths)]
    for k, own in enumerate(series):
        check_series(own, metric.traits, metric.name, f"{name}[{k}]")
    return series


def _padded(slopes: list[Any], like: Tensor) -> Tensor:
    """The gradients as one batch, zero on what was padding."""
    if len({len(slope) for slope in slopes}) == 1 and len(slopes[0]) == like.shape[1]:
        return torch.as_tensor(np.stack(slopes).reshape(tuple(like.shape))).to(like)
    whole = np.zeros(tuple(like.shape))
    for k, slope in enumerate(slopes):
        whole[k, : len(slope)] = slope.reshape(len(slope), *like.shape[2:])
    return torch.as_tensor(whole).to(like)


def _lengths(given: Lengths, batch: Tensor, name: str) -> list[int]:
    count, longest = len(batch), batch.shape[1]
    if given is None:
        return [longest] * count
    lengths = [int(length) for length in given]
    if len(lengths) != count or not all(1 <= length <= longest for length in lengths):
        raise InvalidParameterError(
            f"{name}_lengths must be {count} integers from 1 to {longest}, one for each series; got {lengths}"
        )
    return lengths
