"""Norms of differences of rows: beside exact sums, and where squares leave the range."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stotmetrics.kernels import _cpu, _differences


def pairs(n, m):
    return (side.astype(np.intp) for side in np.indices((n, m)).reshape(2, -1))


@pytest.mark.parametrize("length", [1, 3, 15, 16, 17, 47, 64, 100])
def test_sums_beside_exact_ones(length, build):
    rng = np.random.default_rng(length)
    x, y = rng.normal(size=(3, length)), rng.normal(size=(4, length))
    rows, cols = pairs(3, 4)
    norms = _differences.euclidean(x, y, rows, cols)
    moved, waste = length // 3, 0.3
    warped = _differences.warping(x, y, rows, cols, moved, waste)
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        gaps = [Fraction(float(a)) - Fraction(float(b)) for a, b in zip(x[i], y[j], strict=True)]
        assert norms[k] == pytest.approx(math.sqrt(sum(gap**2 for gap in gaps)), rel=1e-15 * (2 + length / 8))
        sizes = [abs(gap) for gap in gaps]
        expected = float(sum(sizes[:moved])) + waste * float(sum(sizes[moved:]))
        assert warped[k] == pytest.approx(expected, rel=1e-15 * (2 + length / 8))


@given(st.data())
def test_a_pair_has_the_same_norm_in_any_company(data):
    """A rectangle of pairs, parts of one, rows whose columns differ, pairs in any order."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    length = data.draw(st.integers(1, 40))
    x, y = rng.normal(size=(6, length)), rng.normal(size=(7, length))
    height, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    rows, cols = pairs(height, width)
    for k in data.draw(st.lists(st.integers(0, height * width - 1), max_size=2)):
        cols[k] = rng.integers(7)
    keep = slice(*sorted(data.draw(st.tuples(*[st.integers(0, height * width)] * 2))))
    rows, cols = np.ascontiguousarray(rows[keep]), np.ascontiguousarray(cols[keep])
    if data.draw(st.booleans()):
        order = rng.permutation(len(rows))
        rows, cols = rows[order], cols[order]
    each = [(rows[k : k + 1], cols[k : k + 1]) for k in range(len(rows))]
    alone = [_differences.euclidean(x, y, *pair)[0] for pair in each]
    np.testing.assert_array_equal(_differences.euclidean(x, y, rows, cols), alone)
    alone = [_differences.warping(x, y, *pair, length // 2, 0.7)[0] for pair in each]
    np.testing.assert_array_equal(_differences.warping(x, y, rows, cols, length // 2, 0.7), alone)


@pytest.mark.parametrize("unit", [5e-324, 1e-300, 1e-160, 1e-140, 1.0, 1e149, 1e150, 1e200, 1e306])
def test_norms_of_any_size(unit, build):
    x = unit * np.array([[3.0, 0.0, *[0.0] * 30]])
    y = unit * np.array([[0.0, 4.0, *[0.0] * 30]])
    alone = np.zeros(1, dtype=np.intp)
    np.testing.assert_allclose(_differences.euclidean(x, y, alone, alone), [5 * unit], rtol=1e-15)
    assert _differences.euclidean(x, x, alone, alone)[0] == 0.0


def test_all_builds_add_in_one_order():
    """Those that multiply and add in one step have the same last digit."""
    rng = np.random.default_rng(0)
    x, rows, cols = rng.normal(size=(20, 77)), *pairs(20, 20)
    by_build, now = {}, _differences.running()
    try:
        for build in _cpu.builds():
            _cpu.use_build(build)
            by_build[build] = _differences.euclidean(x, x, rows, cols), _differences.warping(x, x, rows, cols, 70, 0.5)
    finally:
        _cpu.use_build(now)
    wide = [numbers for build, numbers in by_build.items() if build != "baseline"]
    for norms, warped in wide[1:]:
        np.testing.assert_array_equal(norms, wide[0][0])
        np.testing.assert_array_equal(warped, wide[0][1])
    # Sizes are added alone.
    for _, warped in by_build.values():
        np.testing.assert_array_equal(warped, next(iter(by_build.values()))[1])
