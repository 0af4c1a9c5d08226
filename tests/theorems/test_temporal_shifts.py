"""Soft-DTW sees shifts in time: the statements of Spatio-Temporal Alignments (2020), sections on Delannoy numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.reference.softdtw import alignments, log_delannoy, squared_euclidean
from stotmetrics.testing.strategies import shifted_series

C = 1 + math.sqrt(2)
SHARES = st.sampled_from([1.0, 0.5, 0.1, 0.01])


def phi(m, i):
    return 1 - ((1 - 1 / C) * (i - 1) + 1 / C) / (m + i - 1)


def psi(m, i):
    return 1 + (1 - 1 / C) * (i - 1) / m


def largest_gamma(x):
    """The bound of Prop. 2 on gamma: mu / log(3 T D(T, T))."""
    cost, T = squared_euclidean(x, x), len(x)
    return cost[cost > 0].min() / (math.log(3 * T) + log_delannoy(T, T))


def rise(drawn, gamma):
    """``dtw(x, x shifted by k) - dtw(x, x)``."""
    x = drawn.x
    return stotmetrics.softdtw(x, drawn.shifted, gamma=gamma) - stotmetrics.softdtw(x, x, gamma=gamma)


def bracket(m, m_end, k):
    return log_delannoy(m, m) + log_delannoy(m_end, m_end) - log_delannoy(m + k, m) - log_delannoy(m_end - k, m_end)


def fluctuations(x):
    """First and last 1-based index at which x fluctuates: x_i differs from x_(i+1)."""
    changes = np.flatnonzero(x[1:, 0] != x[:-1, 0]) + 1
    return changes[0], changes[-1]


@given(shifted_series())
def test_definition_1_a_copy_moved_by_k_is_a_temporal_shift(drawn):
    """Every part of the definition, for the series that the statements below draw."""
    x, y, k = drawn.x[:, 0], drawn.shifted[:, 0], drawn.k
    (on, off), moved = fluctuations(drawn.x), fluctuations(drawn.shifted)
    assert moved == (on + k, off + k)
    assert (on, len(x) - off) == (drawn.m, drawn.m_end)
    assert len(set(x[:on]) | set(y[: on + k])) == 1
    assert len(set(x[off:]) | set(y[off + k :])) == 1
    assert (x[on - 1 : off] == y[on - 1 + k : off + k]).all()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 7), (7, 1), (2, 2), (5, 9), (30, 40), (400, 400)])
def test_definition_2_delannoy_numbers_obey_their_recursion(n, m):
    """In integers, however large: D(m, n) = D(m, n-1) + D(m-1, n) + D(m-1, n-1)."""
    row = [1] * m
    for _ in range(n - 1):
        above, row = row, [1]
        for j in range(1, m):
            row.append(row[-1] + above[j] + above[j - 1])
    assert log_delannoy(n, m) == pytest.approx(math.log(row[-1]), rel=1e-12)
    assert stotmetrics.softdtw([0.0] * n, [0.0] * m) == pytest.approx(-math.log(row[-1]), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (3, 3), (4, 5), (6, 3)])
def test_delannoy_numbers_count_the_alignments(n, m):
    assert sum(1 for _ in alignments(n, m)) == round(math.exp(log_delannoy(n, m)))


@pytest.mark.parametrize("m", [*range(1, 30), 100, 400])
def test_lemma_1_delannoy_numbers_grow_by_at_most_c_squared(m):
    assert log_delannoy(m + 1, m + 1) <= 2 * math.log(C) + log_delannoy(m, m)


@pytest.mark.parametrize("m", range(1, 25))
def test_proposition_3_neighbouring_delannoy_numbers_bound_each_other(m):
    for i in range(1, 25):
        rounding = 1e-12 * log_delannoy(m + 1, m + i)
        if phi(m, i) > 0:
            assert math.log(C * phi(m, i)) + log_delannoy(m, m + i - 1) >= log_delannoy(m, m + i) - rounding
        assert math.log(C * psi(m, i)) + log_delannoy(m, m + i) <= log_delannoy(m + 1, m + i) + rounding


@pytest.mark.parametrize("m", range(1, 12))
def test_proposition_4_the_bracket_exceeds_the_sum_of_logarithms(m):
    for m_end in range(2, 12):
        for k in range(1, m_end):
            below = sum(math.log(psi(m_end - i, i) / phi(m, i)) for i in range(1, k + 1))
            assert bracket(m, m_end, k) >= below - 1e-10


@settings(max_examples=3 * settings().max_examples)
@given(shifted_series(), SHARES)
def test_proposition_2_a_shift_costs_at_least_the_logarithm_of_the_lost_alignments(drawn, share):
    T = len(drawn.x)
    gamma = share * largest_gamma(drawn.x)
    below = gamma * bracket(drawn.m, drawn.m_end, drawn.k) - gamma / (3 * T)
    assert rise(drawn, gamma) >= below - 1e-12


@settings(max_examples=3 * settings().max_examples)
@given(shifted_series(), SHARES)
def test_theorem_1_a_shift_costs_at_least_quadratically(drawn, share):
    T, k = len(drawn.x), drawn.k
    gamma = share * largest_gamma(drawn.x)
    alpha = (2 - math.sqrt(2)) / 2 * (1 / drawn.m_end + 1 / (drawn.m + drawn.m_end))
    rho = (3 * math.sqrt(2) - 4) / (3 * T)
    assert rise(drawn, gamma) >= gamma * (alpha * k * (k - 1) + rho * k) - 1e-12


@given(shifted_series())
def test_hard_dtw_is_blind_to_shifts(drawn):
    assert stotmetrics.softdtw(drawn.x, drawn.shifted, gamma=0.0) == 0.0


def test_a_longer_shift_costs_more():
    """The consequence for which the theorem is there: the value orders copies by how far they moved."""
    pulse = np.array([0.0] * 3 + [1.0, 2.0, 1.0] + [0.0] * 9)
    gamma = largest_gamma(pulse[:, None])
    values = [stotmetrics.softdtw(pulse, np.roll(pulse, k), gamma=gamma) for k in range(8)]
    assert values == sorted(values)
