"""The reference implementation of entropic transport against its optimality conditions and a peer."""

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics.reference.entropic import EntropicTransport
from stotmetrics.reference.etiot import EntropicProblem


def problem(seed, scale):
    """Costs with many ties, as those of drawn series, and some atoms without mass."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 8, size=2)
    x, y = (np.round(rng.normal(size=k) * 2) / 2 for k in (n, m))
    a, b = (rng.integers(0, 4, size=k) * rng.choice([1.0, 0.3], size=k) for k in (n, m))
    a[0], b[-1] = a[0] + 1, b[-1] + 1
    return EntropicTransport(scale * (x[:, None] - y) ** 2, a / a.sum(), b / b.sum())


@given(st.integers(0, 2**32 - 1), st.floats(-1, 6))
def test_plan_has_the_marginals_however_sharp(seed, decades):
    transport = problem(seed, 10.0**decades)
    f, g = transport.potentials(1.0)
    P = transport.plan(f, g, 1.0)
    # The exponent is a difference of numbers this large, which rounding leaves so much of.
    allowed = 1e-14 * max(1.0, np.abs(f).max(), np.abs(g).max()) * 10
    assert np.abs(P.sum(1) - transport.a).sum() <= allowed
    assert np.abs(P.sum(0) - transport.b).sum() <= allowed
    coupling = transport.coupling(f, g, 1.0)
    np.testing.assert_allclose(coupling.sum(1), transport.a, rtol=0, atol=1e-15)
    np.testing.assert_allclose(coupling.sum(0), transport.b, rtol=0, atol=1e-15)


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 10))
def test_plan_is_that_of_pot(seed, epsilon):
    transport = problem(seed, 1.0)
    # POT warns of the logarithm of weights of zero.
    rows, columns = transport.a > 0, transport.b > 0
    a, b, C = transport.a[rows], transport.b[columns], transport.C[np.ix_(rows, columns)]
    peer = ot.sinkhorn(a, b, C, epsilon, method="sinkhorn_log", stopThr=1e-14, numItermax=100_000)
    plan = transport.coupling(*transport.potentials(epsilon), epsilon)
    np.testing.assert_allclose(plan[np.ix_(rows, columns)], peer, rtol=0, atol=1e-11)
    assert plan.sum() == pytest.approx(peer.sum())


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.3, 5.0]))
def test_reference_for_the_saddle_point_certifies_it(seed, epsilon):
    transport = problem(seed, 1.0)
    rows, columns = transport.a > 0, transport.b > 0
    A = transport.C[np.ix_(rows, columns)]
    saddle = EntropicProblem(A, A.T.sum() / (1 + A), transport.a[rows], transport.b[columns]).solve(epsilon)
    scale = max(1.0, saddle.value, epsilon)
    assert -1e-10 * scale <= saddle.gap <= 1e-10 * scale
    assert 0 <= saddle.w <= 1
    assert saddle.value <= saddle.objective + 1e-10 * scale
    assert len(saddle.f) == rows.sum() and len(saddle.g) == columns.sum()
    np.testing.assert_allclose(saddle.plan.sum(1), transport.a[rows], rtol=0, atol=1e-14)
