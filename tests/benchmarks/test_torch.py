"""Losses for PyTorch, forward and backward, beside dDTW in one run: medians, one thread.

``NUMBA_NUM_THREADS=1 pytest tests/benchmarks/test_torch.py --benchmark-only``; dDTW runs its fastest build for the CPU.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from stotmetrics.hosts.torch import ETiOTLoss, SoftDTWLoss, TiOTLoss  # noqa: E402

# numba compiles and the peers deprecate while they run.
pytestmark = pytest.mark.filterwarnings("ignore")

PAIRS, LENGTH = 200, 128
PRECISIONS = {"double": torch.float64, "single": torch.float32}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(dtype):
    walks = np.random.default_rng(0).normal(size=(2, PAIRS, LENGTH, 1)).cumsum(axis=2)
    walks = (walks - walks.mean(axis=2, keepdims=True)) / walks.std(axis=2, keepdims=True)
    return torch.tensor(walks[0], dtype=dtype, requires_grad=True), torch.tensor(walks[1], dtype=dtype)


def peer(dtype):
    SDTW = pytest.importorskip("ddtw").SDTW
    return SDTW(gamma=1.0, normalization="none", backend="cpu_numba", dtype_float=dtype)


def both_ways(loss, x, y):
    x.grad = None
    value = loss(x, y)
    value.backward()
    return value.item(), x.grad


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("whose", ["stotmetrics", "ddtw"])
def test_soft_dtw(benchmark, whose, precision):
    dtype = PRECISIONS[precision]
    x, y = draw(dtype)
    own = SoftDTWLoss(gamma=1.0)
    loss = own if whose == "stotmetrics" else peer(dtype)
    benchmark.group = f"soft-DTW, value and gradient of {PAIRS} pairs, {LENGTH} x {LENGTH}, {precision} precision"
    rounds = 15 if whose == "stotmetrics" else 3
    value, grad = benchmark.pedantic(both_ways, args=(loss, x, y), rounds=rounds, warmup_rounds=1)
    wanted, slope = both_ways(own, x, y)
    tolerance = 1e-9 if precision == "double" else 1e-3
    assert value == pytest.approx(wanted, rel=tolerance)
    torch.testing.assert_close(grad, slope, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("loss", [TiOTLoss(), ETiOTLoss(epsilon=0.1), ETiOTLoss(epsilon=0.01)], ids=repr)
def test_transport(benchmark, loss):
    x, y = draw(torch.float64)
    benchmark.group = f"transport, value and gradient of {PAIRS // 10} pairs, {LENGTH} x {LENGTH}"
    x = x.detach()[: PAIRS // 10].requires_grad_()
    benchmark.pedantic(both_ways, args=(loss, x, y[: PAIRS // 10]), rounds=3, warmup_rounds=1)
