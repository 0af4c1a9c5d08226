"""Grounds from outside: a square array is a valid cost or it is refused, and the refusal says what to do."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics.errors import InvalidParameterError
from stotmetrics.transport.ground_cost import Ground, as_ground

POINTS = np.random.default_rng(0).normal(size=(5, 3)) + 10.0
SQUARED = ((POINTS[:, None] - POINTS[None]) ** 2).sum(axis=2)


def rounded_distances():
    """Distances by the expansion of the square, as scikit-learn takes them between two copies."""
    norms = (POINTS**2).sum(axis=1)
    distances = np.sqrt(np.abs(norms[:, None] - 2 * POINTS @ POINTS.T + norms[None]))
    # What a diagonal holds depends on the processor; scikit-learn's holds 1e-8 times the norms.
    return distances + np.diag([0.0, 2e-7, 0.0, 1e-8, 0.0])


def with_entry(i, j, value):
    cost = SQUARED.copy()
    cost[i, j] = value
    return cost


@pytest.mark.parametrize(
    ("square", "wrong"),
    [
        (rounded_distances(), r"its diagonal must be exactly 0, and holds \S+ at \[\d, \d\]"),
        (SQUARED + 1e-12 * np.eye(5), "its diagonal must be exactly 0"),
        (with_entry(0, 1, SQUARED[0, 1] * (1 + 1e-7)), "a cost must be symmetric"),
        (with_entry(2, 3, -1e-15), "a cost must be non-negative"),
        (POINTS[:3], "its diagonal must be exactly 0"),
        ([[5.0]], "its diagonal must be exactly 0"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "a cost must be symmetric"),
    ],
)
def test_a_square_array_that_is_no_cost_is_refused_with_both_ways_out(square, wrong):
    for call in (
        lambda: as_ground("ground", square),
        lambda: stotmetrics.distance(np.ones((2, len(square))), np.ones((2, len(square))), "sta", ground=square),
    ):
        with pytest.raises(InvalidParameterError, match=wrong) as caught:
            call()
        assert "Ground.from_cost" in str(caught.value) and "Ground.from_points" in str(caught.value)


def test_from_cost_cleans_rounding():
    cleaned = Ground.from_cost(rounded_distances()).cost()
    np.testing.assert_allclose(cleaned, np.sqrt(SQUARED), atol=1e-6)
    for cost in (cleaned, Ground.from_cost(with_entry(2, 3, SQUARED[2, 3] * (1 + 1e-8))).cost()):
        assert not np.diag(cost).any() and (cost == cost.T).all() and (cost >= 0).all()
    assert as_ground("ground", cleaned) == Ground.from_cost(cleaned)
    single = rounded_distances().astype(np.float32) + np.float32(1e-4)
    assert not np.diag(Ground.from_cost(single).cost()).any()


def test_from_cost_leaves_a_valid_cost_as_it_is():
    np.testing.assert_array_equal(Ground.from_cost(SQUARED).cost(), SQUARED)
    kept = SQUARED + np.eye(5)  # staying costs something: unusual, and said on purpose
    np.testing.assert_array_equal(Ground.from_cost(kept).cost(), kept)
    huge = np.array([[0.0, 1.7e308], [1.7e308, 0.0]])
    np.testing.assert_array_equal(Ground.from_cost(huge).cost(), huge)


@pytest.mark.parametrize("make", [Ground.from_cost, lambda M: as_ground("ground", M)])
def test_forbidden_pairs_and_sparse_costs_say_what_to_do(make):
    with pytest.raises(InvalidParameterError, match=r"got inf at \[0, 1\].*two hemispheres.*large finite cost"):
        make(with_entry(0, 1, np.inf))
    sparse = pytest.importorskip("scipy.sparse").csr_array(SQUARED)
    with pytest.raises(InvalidParameterError, match=r"sparse.*two hemispheres.*large finite cost"):
        make(sparse)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "ground of kind None is unknown"),
        ({"kind": ["cost"]}, "is unknown; known: 'cost', 'points', 'grid'"),
        ({"kind": "points"}, "needs 'points' and 'p' too"),
        ({"kind": "grid", "shape": [2], "spacing": [1.0], "p": 2, "scale": "big"}, "scale of a ground must be"),
        ({"kind": "grid", "shape": 2, "spacing": {}, "p": 2}, "spacing of a grid"),
    ],
)
def test_a_configuration_that_is_none_is_refused(config, message):
    with pytest.raises(InvalidParameterError, match=message):
        as_ground("ground", config)


def test_numpy_numbers_are_numbers():
    wanted = Ground.grid((2, 3), spacing=(1.0, 2.0), p=1.0)
    assert Ground.grid(np.array([2, 3]), spacing=np.array([1.0, 2.0]), p=np.int64(1)) == wanted
    assert Ground.grid((np.int32(2), np.int64(3)), spacing=(np.float32(1), 2), p=np.float32(1)) == wanted


@pytest.mark.parametrize(
    "call",
    [
        lambda: Ground.from_points(POINTS, p=np.inf),
        lambda: Ground.from_points(POINTS, p=True),
        lambda: Ground.from_points(POINTS, p=np.complex128(2)),
        lambda: Ground.from_points(POINTS * 1e200, p=2),
        lambda: Ground.grid((3,), p=np.inf),
        lambda: Ground.grid((3, True)),
        lambda: Ground.grid((300,), p=400),
        lambda: Ground.grid((3,), spacing=np.inf),
        lambda: Ground.grid((3,)).rho("most"),
        lambda: Ground.grid((3,)).rho(np.nan),
    ],
)
def test_numbers_out_of_range_are_refused(call):
    with np.errstate(all="raise"), pytest.raises(InvalidParameterError):
        call()


def test_far_and_near_points_keep_their_distances():
    wanted = np.sqrt(SQUARED)
    for scale in (1e-200, 1.0, 1e200):
        np.testing.assert_allclose(Ground.from_points(POINTS * scale, p=1).cost(), wanted * scale, rtol=1e-12)
