"""tiot at lengths where it starts from coarser scales: certified by POT's emd at its w, and by its own saddle point."""

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.kernels._transport import Workspace
from stotmetrics.transport.point_clouds import Cloud, cost_matrices, prepare_cloud, stack_clouds


def cloud(rng, length, d, tied, weighted):
    values = rng.normal(size=(length, d)).cumsum(axis=0)
    if tied:
        values = np.round(values / 3.0)
    weights = rng.integers(1, 5, length).astype(float) if weighted else None
    return prepare_cloud(stotmetrics.as_series(values, weights=weights), False)


def solve(x: Cloud, y: Cloud, p: float, cutoff: float = np.inf, work: Workspace | None = None):
    work, first = Workspace() if work is None else work, np.zeros(1, dtype=np.intp)
    told = work.tiots(stack_clouds([x]), stack_clouds([y]), first, first, p, np.array([cutoff]))
    return *(array[0] for array in told), work


def check(x: Cloud, y: Cloud, p: float, work: Workspace | None = None) -> float:
    """The value, once its plan, its potentials and emd at its w agree on it."""
    status, upper, lower, w, _, work = solve(x, y, p, work=work)
    A, B = cost_matrices(x, y, p)
    scale = max(A.max(), B.max(), 1.0)
    C = w * A + (1.0 - w) * B
    assert status == 0
    assert abs(upper - lower) <= 1e-13 * scale
    assert upper == pytest.approx(ot.emd2(x.weights, y.weights, C, numItermax=10**7), abs=1e-11 * scale)
    rows, columns, moved = work.coupling()
    np.testing.assert_allclose(np.bincount(rows, moved, x.size), x.weights, atol=1e-14)
    np.testing.assert_allclose(np.bincount(columns, moved, y.size), y.weights, atol=1e-14)
    # The saddle point: no w makes this plan cost more than the value, so no w has an optimum above it.
    dearer = max(moved @ A[rows, columns], moved @ B[rows, columns])
    assert dearer == pytest.approx(upper, abs=1e-12 * scale)
    f, g = work.potentials()
    assert (C - f[:, None] - g).min() >= -1e-13 * scale
    assert x.weights @ f + y.weights @ g == pytest.approx(lower, abs=1e-12 * scale)
    return upper


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 150),
    st.integers(1, 150),
    st.integers(1, 3),
    st.sampled_from([1.0, 2.0, 2.0, 3.5]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=settings().max_examples // 2)
def test_value_is_certified_at_any_pair_of_lengths(seed, n, m, d, p, tied, weighted):
    rng = np.random.default_rng(seed)
    check(cloud(rng, n, d, tied, weighted), cloud(rng, m, d, tied, weighted), p)


@pytest.mark.parametrize("shape", ["walks", "noise", "steps", "constant"])
@pytest.mark.parametrize("sizes", [(600, 600), (512, 300), (40, 700)])
def test_long_series_are_certified(shape, sizes):
    rng = np.random.default_rng(11)
    x, y = (
        {
            "walks": rng.normal(size=n).cumsum(),
            "noise": rng.normal(size=n),
            "steps": np.repeat(rng.integers(0, 3, n // 20 + 1), 20)[:n].astype(float),
            "constant": np.zeros(n),
        }[shape]
        for n in sizes
    )
    check(*(prepare_cloud(stotmetrics.as_series(v), True) for v in (x, y)), 2.0)


def test_the_bounds_meet_on_every_one_of_a_thousand_small_pairs():
    """A row that is left out at the end still has a use in one pair of a hundred, and its bounds stay apart."""
    rng = np.random.default_rng(3)
    work = Workspace()
    for n, m in zip(rng.integers(9, 20, 1000), rng.integers(17, 33, 1000), strict=True):
        x, y = cloud(rng, n, 2, False, True), cloud(rng, m, 2, False, True)
        status, upper, lower, *_ = solve(x, y, 2.0, work=work)
        assert status == 0
        assert upper == pytest.approx(lower, rel=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(17, 90), st.floats(0.3, 1.7))
@settings(max_examples=settings().max_examples // 2)
def test_a_pair_is_given_up_only_above_the_cutoff(seed, n, factor):
    rng = np.random.default_rng(seed)
    x, y = cloud(rng, n, 1, False, False), cloud(rng, n + 5, 1, False, True)
    value = solve(x, y, 2.0)[1]
    cutoff = factor * value
    status, upper, lower, *_ = solve(x, y, 2.0, cutoff)
    assert lower <= value * (1 + 1e-12)
    assert upper >= value * (1 - 1e-12)
    if status == 0:
        assert upper == pytest.approx(value, rel=1e-12)
    else:
        assert lower > cutoff


def test_a_workspace_serves_pairs_of_any_size_in_turn():
    rng = np.random.default_rng(5)
    work = Workspace()
    for n, m, d, p in [(100, 30, 1, 2.0), (5, 90, 2, 1.0), (200, 190, 3, 2.0), (1, 1, 1, 2.0), (64, 64, 1, 3.0)]:
        x, y = cloud(rng, n, d, False, False), cloud(rng, m, d, False, False)
        assert check(x, y, p, work) == check(x, y, p)


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 3))
def test_the_hierarchy_halves_every_range_along_an_axis(seed, n, d):
    rng = np.random.default_rng(seed)
    values, times = np.round(rng.normal(size=(n, d)), 1), np.arange(n) * 0.1
    order = stack_clouds([prepare_cloud(stotmetrics.as_series(values, times=times), False)]).tree
    assert sorted(order) == list(range(n))
    atoms = np.column_stack([values, times])[order]
    ranges = [(0, n)]
    while ranges:
        low, high = ranges.pop()
        if high - low > 1:
            middle = (low + high) // 2
            assert (atoms[low:middle].max(axis=0) <= atoms[middle:high].min(axis=0)).any()
            ranges += [(low, middle), (middle, high)]
