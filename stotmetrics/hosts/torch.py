"""Losses between batches of series for PyTorch, with the values and the gradients of the kernels of this package."""

from typing import Any

import torch
from torch import Tensor

from ..errors import InvalidParameterError
from ..spec.bound import BoundMetric, Metric
from ._batches import Lengths, check_range, check_shapes, loss_metric, read_lengths, values_and_slopes


class SeriesLoss(torch.nn.Module):
    """A differentiable metric between the series of two batches, one pair for each place in the batch.

    Values and gradients are computed and reduced in double precision on the CPU. The loss comes back on the device of
    the input, in the wider precision of input and target, and each gradient as the batch it belongs to. Half precision
    gives a loss in single precision, as losses have under ``torch.autocast``; integers give torch's default precision.
    ``torch.func.grad``, ``vjp``, ``jacrev`` and ``vmap`` go through; a gradient of the gradient and forward mode do not
    exist. In a model that is compiled, wrap the loss in ``torch.compiler.disable``.

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
    FloatingPointError
        If a value or a gradient is beyond the range of single precision, where that is wanted.

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
        self.metric = loss_metric(metric, reduction, params)
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
        for name, batch in (("input", input), ("target", target)):
            if not isinstance(batch, Tensor):
                raise InvalidParameterError(f"{name} must be a tensor, as torch.tensor(x); got {type(batch).__name__}")
            if batch.is_complex():
                raise InvalidParameterError(f"{name} must hold real numbers; got dtype {batch.dtype}")
        check_shapes(input.shape, target.shape)
        lengths = (
            read_lengths(input_lengths, input.shape, "input"),
            read_lengths(target_lengths, target.shape, "target"),
        )
        moves = torch.is_grad_enabled() and input.requires_grad, torch.is_grad_enabled() and target.requires_grad
        values: Tensor = _PairwiseValues.apply(input, target, self.metric, lengths, moves)[0]
        if self.reduction != "none":
            values = values.mean() if self.reduction == "mean" else values.sum()
        return values.to(input.device, _precision(input, target))

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


def _precision(source: Tensor, target: Tensor) -> torch.dtype:
    """That of the loss."""
    common = torch.promote_types(source.dtype, target.dtype)
    # As integers the values would lose what follows the point; in half precision most of them overflow.
    return torch.promote_types(common, torch.float32) if common.is_floating_point else torch.get_default_dtype()


class _PairwiseValues(torch.autograd.Function):
    """The values of the pairs of two batches in double precision; their gradients are found on the way, and kept."""

    @staticmethod
    def forward(
        source: Tensor,
        target: Tensor,
        metric: BoundMetric,
        lengths: tuple[list[int], list[int]],
        moves: tuple[bool, bool],
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, y = (batch.detach().to("cpu", torch.float64).numpy() for batch in (source, target))
        values, slopes = values_and_slopes(metric, x, y, lengths, moves, stacklevel=3)
        precision = _precision(source, target)
        for numbers, what in ((values, "a value"), *((own, "a gradient") for own in slopes if own is not None)):
            check_range(metric, numbers, torch.finfo(precision).max, what, str(precision))
        # A side that does not move has no gradients.
        left, right = (torch.empty(0) if own is None else torch.as_tensor(own) for own in slopes)
        return torch.as_tensor(values), left, right

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        _, left, right = output
        ctx.mark_non_differentiable(left, right)
        ctx.save_for_backward(left, right)
        ctx.like = inputs[:2]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        left, right = (
            (slope * grad.reshape(-1, *[1] * (slope.ndim - 1))).to(like) if needed else None
            for slope, like, needed in zip(ctx.saved_tensors, ctx.like, ctx.needs_input_grad)
        )
        return left, right, None, None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        source: Tensor,
        target: Tensor,
        metric: BoundMetric,
        lengths: tuple[list[int], list[int]],
        moves: tuple[bool, bool],
    ) -> tuple[tuple[Tensor, ...], tuple[int, int, int]]:
        """One batch of all pairs of all batches."""
        count = info.batch_size
        batches = [
            batch.expand(count, *batch.shape) if dim is None else batch.movedim(dim, 0)
            for batch, dim in zip((source, target), in_dims)
        ]
        moves = moves[0] or source.requires_grad, moves[1] or target.requires_grad
        parts = _PairwiseValues.apply(
            *(batch.flatten(0, 1) for batch in batches), metric, tuple(own * count for own in lengths), moves
        )
        whole = tuple(part.unflatten(0, (count, -1)) if len(part) else part.expand(count, 0) for part in parts)
        return whole, (0, 0, 0)
