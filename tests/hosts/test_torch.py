"""Losses for PyTorch: values and gradients of the kernels, exact in double precision."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics import ConvergenceWarning, InvalidParameterError, InvalidSeriesError

torch = pytest.importorskip("torch")
from stotmetrics.hosts.torch import (  # noqa: E402
    ETiOTLoss,
    SeriesLoss,
    SoftDTWDivergenceLoss,
    SoftDTWLoss,
    STALoss,
    TiOTLoss,
)


def batch(*shape, seed=0, low=None, dtype=torch.float64, grad=True):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=generator, dtype=torch.float64)
    values = values if low is None else values.abs() + low
    return values.to(dtype).requires_grad_(grad)


LOSSES = {
    "softdtw": (SoftDTWLoss(gamma=0.5, reduction="none"), None),
    "softdtw in a band": (SoftDTWLoss(gamma=0.5, band=1, reduction="none"), None),
    "divergence": (SoftDTWDivergenceLoss(gamma=0.5, reduction="none"), None),
    "sta": (STALoss(gamma=0.1, reduction="none", tol=1e-12), 0.2),
    "tiot": (TiOTLoss(reduction="none"), None),
    "tiot as it is": (TiOTLoss(reduction="none", standardize=False, root=False), None),
    "etiot": (ETiOTLoss(reduction="none", epsilon=0.1, tol=1e-14), None),
    "gak": (SeriesLoss("gak", reduction="none", sigma=3.0), None),
    "logarithm of gak": (SeriesLoss("gak", reduction="none", form="log"), None),
    "opw": (SeriesLoss("opw", reduction="none", epsilon=0.5, tol=1e-14), None),
    "etiot as it is": (ETiOTLoss(reduction="none", epsilon=0.3, standardize=False, p=3.0, tol=1e-14), None),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("moves", ["both", "input", "target"])
def test_gradients_are_exact_in_double_precision(name, moves):
    loss, low = LOSSES[name]
    x = batch(2, 4, 2, low=low, grad=moves != "target")
    y = batch(2, 5, 2, low=low, seed=1, grad=moves != "input")
    assert torch.autograd.gradcheck(loss, (x, y), eps=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_values_are_those_of_the_metric(name):
    loss, low = LOSSES[name]
    x, y = batch(3, 6, 2, low=low, grad=False), batch(3, 4, 2, low=low, seed=1, grad=False)
    expected = [loss.metric(a.numpy(), b.numpy()) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(loss(x, y).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(loss(x.requires_grad_(), y).detach().numpy(), expected, rtol=1e-9)


def test_single_precision_in_and_out_double_inside():
    x, y = batch(3, 50, dtype=torch.float32), batch(3, 50, seed=1, dtype=torch.float32, grad=False)
    value = SoftDTWLoss(gamma=0.1)(x, y)
    value.backward()
    assert value.dtype == torch.float32 and x.grad.dtype == torch.float32
    own = stotmetrics.get_metric("softdtw", gamma=0.1)
    pairs = [own.value_and_grad(a.numpy(), b.numpy()) for a, b in zip(x.detach(), y, strict=True)]
    assert value.item() == pytest.approx(np.mean([v for v, _, _ in pairs]), rel=1e-7)
    np.testing.assert_allclose(x.grad.numpy(), np.stack([g[:, 0] for _, g, _ in pairs]) / 3, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reductions(reduction):
    x, y = batch(4, 5), batch(4, 6, seed=1)
    each = SoftDTWLoss(reduction="none")(x, y)
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    torch.testing.assert_close(SoftDTWLoss(reduction=reduction)(x, y), expected)


@pytest.mark.parametrize("loss", [SoftDTWLoss(reduction="none"), ETiOTLoss(reduction="none", epsilon=0.1)])
def test_padding_counts_for_nothing(loss):
    x, y = batch(3, 7, 2), batch(3, 6, 2, seed=1, grad=False)
    lengths, others = [7, 2, 5], torch.tensor([1, 6, 4])
    values = loss(x, y, lengths, others)
    values.sum().backward()
    for k in range(3):
        alone = x.detach()[k : k + 1, : lengths[k]].clone().requires_grad_()
        value = loss(alone, y[k : k + 1, : others[k]])
        value.sum().backward()
        torch.testing.assert_close(values[k], value[0])
        torch.testing.assert_close(x.grad[k, : lengths[k]], alone.grad[0])
        assert not x.grad[k, lengths[k] :].any()


def test_images():
    x, y = batch(2, 3, 2, 2, low=0.2), batch(2, 3, 2, 2, low=0.2, seed=1, grad=False)
    loss = STALoss(gamma=0.1)
    loss(x, y).backward()
    slope = stotmetrics.value_and_grad(x[0].detach().numpy(), y[0].numpy(), metric="sta", gamma=0.1)[1]
    np.testing.assert_allclose(x.grad[0].reshape(3, 4).numpy(), slope / 2, rtol=1e-10)


@pytest.mark.parametrize(
    "loss",
    [
        SoftDTWDivergenceLoss(gamma=0.1),
        TiOTLoss(standardize=False, p=1.0),
        ETiOTLoss(standardize=False, root=False, epsilon=0.05),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_a_forecaster_learns(loss):
    torch.manual_seed(0)
    time = torch.linspace(0.0, 6.0, 40)
    shifts = torch.rand(32, 1) * 6.0
    series = torch.sin(time + shifts)
    past, future = series[:, :28], series[:, 28:]
    model = torch.nn.Sequential(torch.nn.Linear(28, 16), torch.nn.Tanh(), torch.nn.Linear(16, 12))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    seen = []
    for _ in range(120):
        optimizer.zero_grad()
        value = loss(model(past), future)
        value.backward()
        optimizer.step()
        seen.append(value.item())
    assert seen[-1] < 0.05 * seen[0]


def test_any_metric_with_a_gradient_is_a_loss():
    x, y = batch(2, 5), batch(2, 5, seed=1)
    torch.testing.assert_close(SeriesLoss("euclidean", reduction="none")(x, y), (x - y).norm(dim=1))
    assert torch.autograd.gradcheck(SeriesLoss(stotmetrics.get_metric("euclidean")), (x, y))
    assert "euclidean(), reduction='mean'" in repr(SeriesLoss("euclidean"))
    with pytest.raises(NotImplementedError, match="no gradient"):
        SoftDTWLoss(gamma=0.0)
    with pytest.raises(NotImplementedError, match="no gradient"):
        SeriesLoss("dtw")


def test_a_gradient_of_the_gradient_is_refused():
    x, y = batch(1, 4), batch(1, 4, seed=1)
    slope = torch.autograd.grad(SoftDTWLoss()(x, y), x, create_graph=True)[0]
    with pytest.raises(RuntimeError, match=r"does not require grad|once_differentiable"):
        slope.sum().backward()


def test_what_cannot_be_used_is_refused():
    with pytest.raises(InvalidParameterError, match="reduction must be"):
        SoftDTWLoss(reduction="max")
    with pytest.raises(InvalidParameterError, match="with the same B >= 1"):
        SoftDTWLoss()(batch(2, 3), batch(3, 3))
    with pytest.raises(InvalidParameterError, match="input_lengths must be 2 integers from 1 to 3"):
        SoftDTWLoss()(batch(2, 3), batch(2, 3), [3, 4])
    with pytest.raises(InvalidSeriesError, match=r"input\[0\] and target\[0\] must have the same number of channels"):
        SoftDTWLoss()(batch(1, 3, 2), batch(1, 3, 3))
    with pytest.raises(InvalidSeriesError, match=r"input\[1\] must hold at least one value; got only NaN"):
        SoftDTWLoss()(torch.tensor([[1.0], [float("nan")]]), batch(2, 1))


def test_the_wider_precision_comes_out_and_each_gradient_as_its_batch():
    x, y = batch(2, 5, dtype=torch.float32), batch(2, 4, seed=1)
    for source, target in ((x, y), (y, x)):
        loss = SoftDTWLoss()(source, target)
        assert loss.dtype == torch.float64
        loss.backward()
    assert (x.grad.dtype, y.grad.dtype) == (torch.float32, torch.float64)
    assert SoftDTWLoss()(x.half(), x.bfloat16()).dtype == torch.float32


def test_integers_are_read_exactly_and_lose_nothing():
    x, y = torch.tensor([[0, 3, 1]]), torch.tensor([[1, 2]], dtype=torch.uint8)
    expected = stotmetrics.softdtw([0, 3, 1], [1, 2])
    values = SoftDTWLoss(reduction="none")(x, y)
    assert values.dtype == torch.get_default_dtype()
    assert values.item() == pytest.approx(expected, rel=1e-6)
    assert expected != round(expected)
    past = batch(1, 3)
    SoftDTWLoss()(past, y).backward()
    assert past.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "lengths", [[2.5, 3], [True, True], "23", 3, torch.tensor(3), torch.tensor([[2], [3]]), [0, 3], [float("nan"), 3]]
)
def test_lengths_are_whole_numbers_one_for_each_series(lengths):
    x, y = batch(2, 3), batch(2, 3, seed=1)
    with pytest.raises(InvalidParameterError, match="target_lengths must be 2 integers from 1 to 3"):
        SoftDTWLoss()(x, y, target_lengths=lengths)


@pytest.mark.parametrize("lengths", [(2, 3), np.array([2, 3]), torch.tensor([2.0, 3.0]), torch.tensor([2, 3])])
def test_lengths_come_in_any_container(lengths):
    x, y = batch(2, 3), batch(2, 3, seed=1)
    torch.testing.assert_close(SoftDTWLoss()(x, y, lengths), SoftDTWLoss()(x, y, [2, 3]))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # what the compiler says of its own tensors
def test_a_compiled_model_goes_around_the_loss():
    torch.manual_seed(0)
    model, loss = torch.nn.Linear(4, 4), torch.compiler.disable(SoftDTWLoss(gamma=0.5))
    x, y = torch.randn(3, 4), torch.randn(3, 4)

    def step(x, y):
        return loss(2.0 * model(x), y) + 1.0

    compiled = torch.compile(step, backend="eager")(x, y)
    torch.testing.assert_close(compiled, step(x, y))
    compiled.backward()
    assert model.weight.grad.abs().sum() > 0


def test_what_is_no_batch_of_real_numbers_is_refused_by_name():
    x = batch(2, 3)
    with pytest.raises(InvalidParameterError, match="target must be a tensor"):
        SoftDTWLoss()(x, [[1.0]])
    with pytest.raises(InvalidParameterError, match=r"input must hold real numbers; got dtype torch\.complex128"):
        SoftDTWLoss()(x.to(torch.complex128), x)
    with pytest.raises(NotImplementedError, match="meta"):
        SoftDTWLoss()(x.detach().to("meta"), x)


def test_a_pair_that_does_not_converge_says_so():
    x, y = batch(1, 3, 3, low=0.2), batch(1, 3, 3, low=0.2, seed=1)
    with pytest.warns(ConvergenceWarning, match="sta did not converge for 1 of 1 pairs"):
        STALoss(gamma=0.1, max_iter=1, tol=1e-14)(x, y)


@pytest.mark.filterwarnings("ignore:`torch.jit")  # what torch's own rules for forward mode are written in
@pytest.mark.parametrize("name", LOSSES)
def test_the_transforms_of_functions_go_through(name):
    loss, low = LOSSES[name]
    x, y = batch(3, 4, 2, low=low, grad=False), batch(3, 4, 2, seed=1, low=low, grad=False)
    moving = x.clone().requires_grad_()
    values = loss(moving, y)
    slopes = torch.autograd.grad(values.sum(), moving)[0]

    def alone(x, y):
        return loss(x[None], y[None])[0]

    torch.testing.assert_close(torch.func.grad(lambda x: loss(x, y).sum())(x), slopes)
    torch.testing.assert_close(torch.func.vmap(alone)(x, y), values.detach())
    torch.testing.assert_close(torch.func.vmap(alone, in_dims=(0, None))(x, y[0])[0], values.detach()[0])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(alone))(x, y), slopes)
    torch.testing.assert_close(torch.func.grad(lambda x: torch.func.vmap(alone)(x, y).sum())(x), slopes)
    jacobian = torch.func.jacrev(loss)(x, y)
    torch.testing.assert_close(jacobian[range(3), range(3)], slopes)
    assert jacobian[0, 1].abs().max() == 0
    with pytest.raises(RuntimeError, match="jvp"):
        torch.func.jacfwd(loss)(x, y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_a_loss_in_single_precision(dtype):
    x, y = torch.full((2, 5), 300.0, dtype=dtype, requires_grad=True), torch.zeros(2, 5, dtype=dtype)
    loss = SoftDTWLoss()(x, y)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(stotmetrics.softdtw(np.full(5, x[0, 0].item()), np.zeros(5)), rel=1e-6)
    assert loss.item() > torch.finfo(torch.float16).max
    loss.backward()
    assert x.grad.dtype == dtype
    assert 0 < x.grad.min() <= x.grad.max() < torch.inf


def test_a_scaled_loss_keeps_gradients_that_half_precision_cannot_hold():
    """What a gradient scaler is for: the factor meets the gradient before it is rounded."""
    x = torch.full((1, 3), 1e-3, dtype=torch.float16, requires_grad=True)
    y = torch.full((1, 3), 1.001e-3, dtype=torch.float16)
    exact = x.detach().double().requires_grad_()
    for moving in (x, exact):
        (SoftDTWLoss()(moving, y) * 2.0**10).backward()
    assert exact.grad.abs().max() < 2.0**10 * 100 * torch.finfo(torch.float16).smallest_normal
    torch.testing.assert_close(x.grad, exact.grad.half())


def test_what_single_precision_cannot_hold_is_an_error():
    x, y = torch.full((1, 3), 1e20, requires_grad=True), torch.zeros(1, 3)
    with pytest.raises(FloatingPointError, match=r"softdtw: a value of 3e\+40 is beyond the range of torch.float32"):
        SoftDTWLoss()(x, y)
    assert torch.isfinite(SoftDTWLoss()(x.double(), y.double()))
    with pytest.raises(FloatingPointError, match="a gradient of"):
        SeriesLoss("gak", form="log", sigma=1e-22)(1e-24 * x, y)
