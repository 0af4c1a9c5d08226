"""The network simplex against POT's emd, HiGHS and brute force, on ties and degenerate masses above all."""

from itertools import permutations

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from stotmetrics.kernels._transport import Workspace
from stotmetrics.reference.transport import transport_program


def solve(C, a=None, b=None, work=None):
    n, m = C.shape
    uniform = a is None and b is None
    a = np.full(n, 1 / n) if a is None else a
    b = np.full(m, 1 / m) if b is None else b
    natural = np.arange(max(n, m), dtype=np.intc)
    work = Workspace() if work is None else work
    status, value, lower, _ = work.transport(C, a, natural[:n], b, natural[:m], uniform)
    assert status == 0
    return value, lower, work


def masses(rng, n, ties):
    a = rng.integers(1, 4, n).astype(float) if ties else rng.uniform(0.01, 1, n)
    return a / a.sum()


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.booleans(), st.booleans(), st.booleans())
def test_value_equals_the_linear_program(seed, n, m, tied_costs, tied_masses, uniform):
    rng = np.random.default_rng(seed)
    C = rng.integers(0, 3, (n, m)).astype(float) if tied_costs else rng.uniform(0, 1, (n, m))
    a, b = (None, None) if uniform else (masses(rng, n, tied_masses), masses(rng, m, tied_masses))
    value, lower, work = solve(C, a, b)
    a, b = np.full(n, 1 / n) if a is None else a, np.full(m, 1 / m) if b is None else b
    assert value == pytest.approx(transport_program(C, a, b), abs=1e-9)
    assert value == pytest.approx(ot.emd2(a, b, C), abs=1e-12)
    assert abs(value - lower) <= 1e-14 * max(1.0, C.max())
    rows, columns, moved = work.coupling()
    assert moved.min() > 0
    assert len(moved) <= n + m - 1
    np.testing.assert_allclose(np.bincount(rows, moved, n), a, atol=1e-15)
    np.testing.assert_allclose(np.bincount(columns, moved, m), b, atol=1e-15)
    f, g = work.potentials()
    assert (C - f[:, None] - g).min() >= -1e-15 * max(1.0, C.max()) * 8
    assert a @ f + b @ g == pytest.approx(value, abs=1e-13 * max(1.0, C.max()))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
def test_equal_masses_move_as_a_permutation(seed, n, tied):
    rng = np.random.default_rng(seed)
    C = rng.integers(0, 3, (n, n)).astype(float) if tied else rng.uniform(0, 1, (n, n))
    value, _, work = solve(C)
    assert value == pytest.approx(min(C[range(n), list(order)].mean() for order in permutations(range(n))), abs=1e-15)
    rows, columns, moved = work.coupling()
    assert sorted(rows) == sorted(columns) == list(range(n))
    assert (moved == 1.0 / n).all()


@pytest.mark.parametrize("kind", ["smooth", "random", "constant", "zero", "blocks"])
@pytest.mark.parametrize("sizes", [(200, 200), (150, 90), (1, 300), (64, 128)])
def test_larger_problems_equal_emd(kind, sizes):
    n, m = sizes
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=n).cumsum(), rng.normal(size=m).cumsum()
    C = {
        "smooth": (x[:, None] - y) ** 2,
        "random": rng.uniform(size=(n, m)),
        "constant": np.full((n, m), 3.0),
        "zero": np.zeros((n, m)),
        "blocks": np.kron(rng.integers(0, 2, (n // 2 + 1, m // 2 + 1)), np.ones((2, 2)))[:n, :m].copy(),
    }[kind]
    value, lower, _ = solve(C)
    expected = ot.emd2(np.full(n, 1 / n), np.full(m, 1 / m), C)
    assert value == pytest.approx(expected, rel=1e-11, abs=1e-13)
    assert abs(value - lower) <= 1e-13 * max(1.0, C.max())


def test_a_workspace_serves_problems_of_any_size_in_turn():
    rng = np.random.default_rng(3)
    work = Workspace()
    for n, m in [(5, 5), (40, 7), (2, 3), (60, 60), (1, 1)]:
        C = rng.uniform(size=(n, m))
        value, _, _ = solve(C, work=work)
        assert value == solve(C)[0]


def test_masses_of_very_different_sizes():
    a, b = np.array([1e-25, 1.0 - 1e-25, 1e-18]), np.array([0.5, 0.5 - 1e-12, 1e-12])
    C = np.array([[1.0, 2.0, 3.0], [4.0, 1.0, 2.0], [0.0, 1.0, 1.0]])
    value, lower, _ = solve(C, a, b)
    assert value == pytest.approx(transport_program(C, a, b), abs=1e-9)
    assert abs(value - lower) <= 1e-14


@pytest.mark.parametrize("seed", range(3))
def test_costs_that_differ_in_their_last_digits_alone_are_told_apart(seed):
    n = 40
    noise = np.random.default_rng(seed).random((n, n))
    value, lower, work = solve(1.0 + 1e-10 * noise)
    rows, columns, _ = work.coupling()
    best = noise[linear_sum_assignment(noise)].mean()
    # One unit in the last place of the costs is 2e-6 of the noise.
    assert noise[rows, columns].mean() == pytest.approx(best, abs=1e-4)
    assert value - lower <= 1e-14
