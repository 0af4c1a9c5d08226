"""The line that each host needs, beside the nearest thing of its own, in one run: processor seconds, one thread.

``pytest tests/benchmarks/test_host_lines.py --benchmark-only --benchmark-timer=time.process_time``; neighbours through
every host are in ``test_hosts.py``.
"""

import numpy as np
import pytest

import stotmetrics
from stotmetrics.hosts import pot
from stotmetrics.hosts.sklearn import PairwiseDistances

# numba compiles while it runs, and hosts warn of what they pass on.
pytestmark = pytest.mark.filterwarnings("ignore")

PAIRS, LENGTH = 20, 100
WALKS = np.random.default_rng(0).normal(size=(2, PAIRS, LENGTH)).cumsum(axis=2)
LEFT, RIGHT = (WALKS - WALKS.mean(axis=2, keepdims=True)) / WALKS.std(axis=2, keepdims=True)


def scipy_rows(whose):
    from scipy.spatial.distance import cdist

    metric = "euclidean" if whose == "host" else stotmetrics.get_metric("euclidean").flat()
    return lambda: cdist(LEFT, RIGHT, metric=metric)


def pot_plan(whose):
    import ot

    x, y = LEFT[0], RIGHT[0]
    if whose == "stotmetrics":
        return lambda: pot.solve(x, y, "taot", standardize=False).value

    def own():
        points = [np.stack([series, np.arange(float(LENGTH))], axis=1) for series in (x, y)]
        return ot.emd2([], [], ot.dist(*points))

    return own


def torch_loss(whose):
    torch = pytest.importorskip("torch")
    from stotmetrics.hosts.torch import SoftDTWLoss

    torch.set_num_threads(1)
    x, y = (torch.tensor(batch[:, :, None], dtype=torch.float64, requires_grad=True) for batch in (LEFT, RIGHT))
    if whose == "stotmetrics":
        loss = SoftDTWLoss(gamma=1.0)
    else:
        pytest.importorskip("tslearn", minversion="0.10")
        from tslearn.metrics import SoftDTWLossPyTorch

        own = SoftDTWLossPyTorch(gamma=1.0)

        def loss(x, y):
            return own(x, y).mean()

    def both_ways():
        x.grad = None
        loss(x, y).backward()
        return x.grad.numpy()

    return both_ways


def jax_loss(whose):
    jax = pytest.importorskip("jax")
    from stotmetrics.hosts.jax import series_loss

    if whose == "host":
        pytest.skip("JAX has no distance of series")
    slope = jax.jit(jax.grad(series_loss("softdtw", gamma=1.0)))
    return lambda: np.asarray(slope(LEFT, RIGHT))


def density(whose):
    from sklearn.cluster import HDBSCAN

    rows = np.concatenate([LEFT, RIGHT])
    if whose == "host":
        return lambda: HDBSCAN(min_cluster_size=3, metric="euclidean").fit(rows).labels_
    step = PairwiseDistances("euclidean")
    return lambda: HDBSCAN(min_cluster_size=3, metric="precomputed").fit(step.fit_transform(rows)).labels_


LINES = {
    "SciPy, cdist of flat rows": (scipy_rows, 1e-12),
    "POT, exact plan of one pair": (pot_plan, 1e-9),
    "PyTorch, soft-DTW forward and backward": (torch_loss, 1e-3),
    "JAX, gradient of soft-DTW": (jax_loss, None),
    "HDBSCAN on a matrix": (density, 0.0),
}


@pytest.mark.parametrize("whose", ["host", "stotmetrics"])
@pytest.mark.parametrize("line", LINES)
def test_line(benchmark, line, whose):
    make, tolerance = LINES[line]
    call = make(whose)
    result = call()
    if whose == "stotmetrics" and tolerance is not None:
        np.testing.assert_allclose(result, make("host")(), rtol=tolerance, atol=tolerance)
    benchmark.group = line
    benchmark.pedantic(call, rounds=5, warmup_rounds=1)
