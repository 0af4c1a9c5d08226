"""Ground costs: what they hold, what they refuse, and that they are equal by content."""

import json
import pickle

import numpy as np
import pytest

from stotmetrics.errors import InvalidParameterError
from stotmetrics.transport.ground_cost import Ground, as_ground, default_ground

RNG = np.random.default_rng(0)
POINTS = RNG.random((6, 2))
SQUARED = ((POINTS[:, None] - POINTS[None]) ** 2).sum(2)
GROUNDS = [
    Ground.from_cost(SQUARED),
    Ground.from_points(POINTS),
    Ground.from_points(POINTS, p=1),
    Ground.grid((2, 3)),
    Ground.grid((2, 3), spacing=(1.0, 0.5), p=1.5),
    Ground.grid((2, 3, 2)).normalized(),
    Ground.from_points(POINTS).normalized(),
]


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
def test_grid_is_the_squared_distance_of_its_points(shape):
    points = np.stack([axis.ravel() for axis in np.indices(shape)], axis=1) * np.arange(1, len(shape) + 1)
    ground = Ground.grid(shape, spacing=tuple(float(k + 1) for k in range(len(shape))))
    np.testing.assert_allclose(ground.cost(), Ground.from_points(points).cost())
    assert ground.size == len(points) and ground.shape == shape


@pytest.mark.parametrize("ground", GROUNDS, ids=repr)
def test_median_mean_and_spread_are_those_of_the_whole_matrix(ground):
    M = ground.cost()
    assert ground.median() == pytest.approx(np.median(M))
    assert ground.mean() == pytest.approx(M.mean())
    assert ground.spread == pytest.approx(M.max() - M.min())
    assert ground.epsilon() == pytest.approx(10 / len(M) * np.median(M))


@pytest.mark.parametrize("ground", GROUNDS, ids=repr)
def test_round_trips_through_json_and_pickle(ground):
    for copy in (
        as_ground("ground", json.loads(json.dumps(ground.to_config()))),
        pickle.loads(pickle.dumps(ground)),
    ):
        assert copy == ground and hash(copy) == hash(ground) and repr(copy) == repr(ground)
        assert copy.positive == ground.positive
        for ours, theirs in zip(copy.costs, ground.costs, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_equal_by_content():
    assert len(set(GROUNDS)) == len(GROUNDS)
    assert Ground.from_cost(SQUARED) == Ground.from_cost(SQUARED.copy()) != Ground.from_cost(2 * SQUARED)
    assert Ground.grid((2, 3)) != Ground.grid((3, 2))
    assert Ground.grid((2, 3)) != "grid"


def test_kernel_is_the_exponential_of_the_cost():
    ground = Ground.grid((2, 3))
    kernels, costs = ground.kernels(0.7)
    np.testing.assert_allclose(np.kron(*kernels), np.exp(-ground.cost() / 0.7))
    np.testing.assert_allclose(costs[1], ground.costs[1] / 0.7)


def test_normalized_has_median_one():
    for ground in GROUNDS[:5]:
        assert ground.normalized().median() == pytest.approx(1.0)
    assert Ground.grid((1,)).normalized().median() == 0.0
    mostly_zero = np.zeros((4, 4))
    mostly_zero[0, 1] = mostly_zero[1, 0] = 4.0
    assert Ground.from_cost(mostly_zero).normalized().mean() == pytest.approx(1.0)
    assert default_ground((4, 4)).median() == pytest.approx(1.0)


def test_rho_keeps_the_fraction_of_the_mass_it_says():
    ground = Ground.from_cost(SQUARED)
    assert np.exp(-SQUARED.max() / (2 * ground.rho(0.3))) == pytest.approx(0.3)
    with pytest.raises(InvalidParameterError, match=r"kept must be a number between 0 and 1; got 1\.5"):
        ground.rho(1.5)


def test_an_array_is_a_cost_where_it_can_be_one_and_coordinates_otherwise():
    assert as_ground("ground", SQUARED) == Ground.from_cost(SQUARED)
    assert as_ground("ground", POINTS) == Ground.from_points(POINTS)
    assert as_ground("ground", [0.0, 1.0, 3.0]) == Ground.from_points([[0.0], [1.0], [3.0]])
    assert as_ground("ground", GROUNDS[0]) is GROUNDS[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ground.from_cost(np.ones((2, 3))), r"must be square, shape \(P, P\); got shape \(2, 3\)"),
        (lambda: Ground.from_cost([[0, -1], [-1, 0]]), r"non-negative; got -1 at \[0, 1\]"),
        (lambda: Ground.from_cost([[0, 1], [2, 0]]), r"symmetric; got 1 at \[0, 1\] and 2 at \[1, 0\]; pass"),
        (lambda: Ground.from_cost([[0, np.nan], [1, 0]]), r"finite; got nan at \[0, 1\]"),
        (lambda: Ground.from_cost([1.0, 2.0]), r"must have 2 axes and hold something; got shape \(2,\)"),
        (lambda: Ground.from_points([["a"]]), "real numbers"),
        (lambda: Ground.from_points(POINTS, p=0.5), "p must be a number >= 1; got 0.5"),
        (lambda: Ground.grid((2, 0)), "1 to 3 positive integers; got"),
        (lambda: Ground.grid((2, 2, 2, 2)), "1 to 3 positive integers; got"),
        (lambda: Ground.grid((2, 2), spacing=(1.0,)), "one for each of its 2 axes; got"),
        (lambda: Ground.grid((2, 2), spacing=-1.0), "positive number"),
        (lambda: as_ground("ground", "mesh"), "ground must be None, a Ground, .* convert text to numbers"),
        (lambda: as_ground("ground", np.zeros((2, 2, 2))), r"got shape \(2, 2, 2\)"),
        (lambda: as_ground("ground", {"kind": "mesh"}), "'mesh' is unknown"),
    ],
)
def test_refusals_say_what_is_wanted_and_what_came(make, message):
    with pytest.raises(InvalidParameterError, match=message):
        make()


def test_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        GROUNDS[0].costs[0][0, 0] = 1.0
