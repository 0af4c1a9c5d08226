"""What soft-DTW says about shifts: the results of Janati, Cuturi and Gramfort (2020) as executable statements."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.reference.softdtw import log_delannoy

C = 1 + np.sqrt(2)
L = log_delannoy


def phi(m, i):
    return 1 - ((1 - 1 / C) * (i - 1) + 1 / C) / (m + i - 1)


def psi(m, i):
    return 1 + (1 - 1 / C) * (i - 1) / m


@pytest.mark.parametrize("m", range(1, 60))
def test_lemma_1_delannoy_numbers_on_the_diagonal_grow_by_c_squared_at_most(m):
    assert L(m + 1, m + 1) <= 2 * np.log(C) + L(m, m) + 1e-12


@given(st.integers(1, 60), st.integers(1, 60))
def test_proposition_3_bounds_neighbouring_delannoy_numbers(m, i):
    assert np.log(C * phi(m, i)) + L(m, m + i - 1) >= L(m, m + i) - 1e-12
    assert np.log(C * psi(m, i)) + L(m, m + i) <= L(m + 1, m + i) + 1e-12


@given(st.integers(1, 40), st.integers(1, 40))
def test_delannoy_numbers_are_symmetric_and_follow_their_recursion(m, n):
    assert L(m, n) == pytest.approx(L(n, m), rel=1e-13)
    total = np.logaddexp(np.logaddexp(L(m, n + 1), L(m + 1, n)), L(m, n))
    assert L(m + 1, n + 1) == pytest.approx(total, rel=1e-13)


@st.composite
def fluctuations(draw):
    """A series that fluctuates between two constant ends, a legal shift, and a gamma within the theorem's range."""
    before, after = draw(st.integers(1, 12)), draw(st.integers(3, 14))
    middle = draw(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]), min_size=1, max_size=10))
    x = np.concatenate([np.zeros(before), middle, np.full(after, middle[-1])])
    moving = np.flatnonzero(np.diff(x))
    assume(len(moving) > 0)
    # 1-based: the first and the last index that differ from their successors.
    on, off = int(moving[0]) + 1, int(moving[-1]) + 1
    m, rest = on, len(x) - off
    assume(rest >= 2)
    k = draw(st.integers(1, rest - 1))
    gaps = np.subtract.outer(x, x) ** 2
    smallest = gaps[gaps > 0].min()
    share = draw(st.sampled_from([1.0, 0.5, 1e-3]))
    gamma = share * smallest / (np.log(3 * len(x)) + L(len(x), len(x)))
    shifted = np.concatenate([np.full(k, x[0]), x[:-k]])
    return x, shifted, m, rest, k, gamma


def difference(x, shifted, gamma):
    return stotmetrics.softdtw(x, shifted, gamma) - stotmetrics.softdtw(x, x, gamma)


@given(fluctuations())
def test_proposition_2_a_shift_costs_at_least_its_lost_alignments(drawn):
    x, shifted, m, rest, k, gamma = drawn
    bracket = L(m, m) + L(rest, rest) - L(m + k, m) - L(rest - k, rest)
    bound = gamma * bracket - gamma / (3 * len(x))
    assert difference(x, shifted, gamma) >= bound - 1e-12 * (1 + abs(bound))


@given(fluctuations())
def test_proposition_4_the_lost_alignments_grow_with_the_shift(drawn):
    _, _, m, rest, k, _ = drawn
    bracket = L(m, m) + L(rest, rest) - L(m + k, m) - L(rest - k, rest)
    assert bracket >= sum(np.log(psi(rest - i, i) / phi(m, i)) for i in range(1, k + 1)) - 1e-10


@given(fluctuations())
def test_theorem_1_softdtw_grows_quadratically_with_the_shift(drawn):
    x, shifted, m, rest, k, gamma = drawn
    alpha = (2 - np.sqrt(2)) / 2 * (1 / rest + 1 / (m + rest))
    rho = (3 * np.sqrt(2) - 4) / (3 * len(x))
    bound = gamma * alpha * k * (k - 1) + gamma * rho * k
    assert difference(x, shifted, gamma) >= bound - 1e-12 * (1 + bound)


@given(fluctuations())
def test_hard_dtw_is_blind_to_shifts(drawn):
    x, shifted, *_ = drawn
    assert stotmetrics.softdtw(x, shifted, gamma=0.0) == 0
