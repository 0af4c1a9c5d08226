"""Steps in single precision lead near the maximiser; what is told of it is found and certified in double."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stotmetrics.kernels._entropic import ABOVE, Workspace
from stotmetrics.reference.entropic import EntropicTransport

ROUGH, SMOOTH = "rough", "smooth"


def problem(seed, kind, n, m):
    """Costs of values and of times, of walks or of waves, and masses."""
    rng = np.random.default_rng(seed)
    t, s = np.linspace(0.0, 3.0, n), np.linspace(0.0, 3.0, m)
    waves = np.sin(np.add.outer(rng.random(2), np.linspace(0.0, 9.0, max(n, m))))
    x, y = rng.normal(size=waves.shape) if kind == ROUGH else waves
    a, b = rng.uniform(0.1, 1.0, n), rng.uniform(0.1, 1.0, m)
    return np.subtract.outer(x[:n], y[:m]) ** 2, np.subtract.outer(t, s) ** 2, a / a.sum(), b / b.sum()


SIZES = [(32, 32), (33, 47), (64, 65), (100, 33)]


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("epsilon", [0.01, 0.03, 0.1])
def test_a_few_steps_in_double_precision_are_left(n, m, epsilon):
    A, B, a, b = problem(n, SMOOTH, n, m)
    work = Workspace()
    status, value, objective, gap, _, steps = work.saddle(A, B, a, b, epsilon, 1e-9, 100)
    assert status == 0
    assert work.single > 0
    assert steps - work.single <= 6
    assert gap <= 1e-9 * max(1.0, objective)
    assert gap <= 2e-3 * value
    status, _, _, gap, steps = work.sinkhorn(A, a, b, epsilon, 1e-9, 100)
    assert status == 0
    assert work.single > 0
    assert steps - work.single <= 6
    assert gap <= 1e-9


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("epsilon", [0.003, 0.01, 0.1])
def test_costs_of_noise_end_as_they_do_without_a_start(n, m, epsilon):
    """Single precision may lead nowhere there."""
    A, B, a, b = problem(n, ROUGH, n, m)
    status, _, objective, gap, *_ = Workspace().saddle(A, B, a, b, epsilon, 1e-9, 300)
    assert status == 0
    assert gap <= 1e-9 * max(1.0, objective)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_values_and_potentials_are_those_of_the_twin(n, m):
    for kind in (ROUGH, SMOOTH):
        A, _, a, b = problem(m, kind, n, m)
        work, independent = Workspace(), EntropicTransport(A, a, b)
        f, g = independent.potentials(0.05)
        status, value, *_ = work.sinkhorn(A, a, b, 0.05, 1e-11, 100)
        assert status == 0
        assert work.single > 0 or kind == ROUGH
        assert value == pytest.approx(float((A * independent.coupling(f, g, 0.05)).sum()), rel=1e-7)
        ours_f, ours_g = work.potentials()
        np.testing.assert_allclose(ours_f + ours_g.mean(), f + g.mean(), atol=1e-6)
        np.testing.assert_allclose(ours_g - ours_g.mean(), g - g.mean(), atol=1e-6)


def test_double_precision_starts_where_single_has_nothing_to_win():
    """Few columns; exponents that leave single precision no digits; an epsilon that is large already."""
    for n, m, epsilon in ((60, 31, 0.01), (60, 50, 1e-4), (60, 50, 1.0), (400, 350, 0.05)):
        A, B, a, b = problem(0, SMOOTH, n, m)
        work = Workspace()
        status, *_ = work.saddle(A, B, a, b, epsilon, 1e-9, 200)
        assert status == 0
        assert work.single == 0


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_no_more_steps_are_taken_than_allowed(most):
    A, B, a, b = problem(1, SMOOTH, 50, 40)
    *_, gap, _, steps = Workspace().saddle(A, B, a, b, 0.01, 1e-12, most)
    assert steps <= most
    assert np.isfinite(gap)


@pytest.mark.parametrize("least", [1e-12, 1e-40, 1e-300])
def test_masses_beyond_single_precision_are_no_obstacle(least):
    A, B, a, b = problem(2, SMOOTH, 50, 40)
    a, b = a.copy(), b.copy()
    a[3], b[5] = least, least
    status, value, _, gap, _, _ = Workspace().saddle(A, B, a / a.sum(), b / b.sum(), 0.02, 1e-9, 300)
    assert status == 0
    assert gap <= 1e-8 * max(1.0, value)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([ROUGH, SMOOTH]),
    st.integers(32, 48),
    st.integers(32, 48),
    st.floats(-2.5, -1.0),
    st.floats(0.5, 1.2),
)
def test_what_is_given_up_after_a_start_lies_above_its_cutoff(seed, kind, n, m, power, share):
    A, _, a, b = problem(seed, kind, n, m)
    epsilon = 10.0**power
    independent = EntropicTransport(A, a, b)
    value = float((A * independent.coupling(*independent.potentials(epsilon), epsilon)).sum())
    status, bound, *_ = Workspace().sinkhorn(A, a, b, epsilon, 1e-9, 200, share * value)
    if status == ABOVE:
        assert share * value < bound <= value * (1 + 1e-7) + 1e-9
    else:
        assert share >= 1.0 - 1e-6 or bound == pytest.approx(value, rel=1e-6, abs=1e-9)
