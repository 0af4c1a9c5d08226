"""Factors of small matrices against LAPACK, on every build."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics.kernels import _cpu
from stotmetrics.kernels import _factor_small as kernel


@pytest.fixture(params=_cpu.builds(), autouse=True)
def build(request):
    before = _cpu.build()
    _cpu.use_build(request.param)
    yield request.param
    _cpu.use_build(before)


def test_the_build_runs(build):
    assert kernel.running() == build


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1e-6, 1.0, 1e6]))
def test_solutions_are_those_of_lapack(seed, n, m, scale):
    rng = np.random.default_rng(seed)
    P, sides = scale * rng.uniform(size=(n, m)), rng.normal(size=(2, m))
    # A multiple of the columns' products: far from singular.
    diagonal = (1.0 + rng.uniform(size=m)) * (P.T @ P).sum(axis=1)
    A = np.diag(diagonal) - P.T @ P
    solved = kernel.solutions(P, diagonal, sides)
    assert solved is not None
    for z, side in zip(solved, sides, strict=True):
        np.testing.assert_allclose(z, np.linalg.solve(A, side), rtol=0, atol=1e-11 * abs(z).max())
        # Backward stable, as LAPACK's is.
        assert abs(A @ z - side).max() <= 1e-13 * m * abs(A).max() * abs(z).max()


@pytest.mark.parametrize("m", [1, 7, 8, 9, 16, 23, 24, 25, 160])
def test_any_size_has_its_tail(m):
    rng = np.random.default_rng(m)
    P, diagonal = rng.uniform(size=(m + 3, m)), np.full(m, 2.0 * m * (m + 3))
    A, sides = np.diag(diagonal) - P.T @ P, np.eye(m)[[0, -1]]
    solved = kernel.solutions(P, diagonal, sides)
    assert solved is not None
    np.testing.assert_allclose(solved, np.linalg.solve(A, sides.T).T, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("m", [1, 5, 8, 20])
@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan])
def test_what_is_not_positive_has_no_factor(m, bad):
    for at in range(m):
        diagonal = np.ones(m)
        diagonal[at] = bad
        assert kernel.solutions(np.zeros((2, m)), diagonal, np.ones((2, m))) is None
