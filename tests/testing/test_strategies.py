"""The strategies draw what they promise, and reach the hard cases."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from stotmetrics import MetricSpec
from stotmetrics.spec.bound import bind
from stotmetrics.spec.parameters import parameter
from stotmetrics.testing import strategies as our


@dataclass(frozen=True)
class _Parameters:
    gamma: float = parameter(1.0, doc="smoothing", low=0.0, allow=("median",))
    p: float = parameter(2.0, doc="exponent", low=1.0)
    share: float = parameter(0.5, doc="share", low=0.0, high=1.0, low_open=True)
    count: int = parameter(3, doc="count", low=1)
    root: bool = parameter(True, doc="root")
    mode: str = parameter("a", doc="mode", choices=("a", "b"))
    tol: float = parameter(1e-6, doc="tolerance", low=0.0, low_open=True)


SPEC = MetricSpec(name="drawn", pair=lambda x, y, params: 0.0, params=_Parameters)
quick = settings(max_examples=50, deadline=None)
deterministic = settings(max_examples=2000, derandomize=True, database=None, deadline=None)
unshrunk = settings(deterministic, phases=[Phase.generate])


@quick
@given(our.series(min_length=2, max_length=5, dims=st.integers(1, 3)))
def test_series_are_contiguous_float64_within_their_lengths(x):
    assert x.dtype == np.float64 and x.flags.c_contiguous
    assert 2 <= len(x) <= 5 and 1 <= x.shape[1] <= 3
    assert np.isfinite(x).all()


@quick
@given(our.series_pair(max_length=4, dims=2, unequal_length=False))
def test_pairs_of_equal_length_have_equal_shape(pair):
    assert pair[0].shape == pair[1].shape


@quick
@given(our.series_triple(max_length=4, dims=st.integers(1, 2)))
def test_triples_share_their_dimension(triple):
    assert len({x.shape[1] for x in triple}) == 1


@quick
@given(our.clouds(dims=2))
def test_clouds_have_increasing_times_and_weights_of_mass_one(cloud):
    assert (np.diff(cloud.times) > 0).all()
    assert (cloud.weights >= 0).all()
    assert cloud.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert len(cloud.values) == len(cloud.times) == len(cloud.weights)


@quick
@given(our.frames(shape=(2, 3)), our.frames(shape=5, zeros=False))
def test_frames_are_histograms_of_positive_mass(images, rows):
    assert images.shape[1:] == (2, 3) and rows.shape[1] == 5
    assert (images >= 0).all() and (images.sum(axis=(1, 2)) > 0).all()
    assert (rows > 0).all()


@quick
@given(our.shifted_series())
def test_shifted_series_are_constant_exactly_on_their_ends(drawn):
    x, moved = drawn.x[:, 0], drawn.shifted[:, 0]
    change = np.flatnonzero(np.diff(x)) + 1
    assert (change[0], len(x) - change[-1]) == (drawn.m, drawn.m_end)
    assert 1 <= drawn.k < drawn.m_end
    assert (moved[drawn.k :] == x[: len(x) - drawn.k]).all()
    assert (moved[: drawn.k] == x[0]).all()


@quick
@given(our.cost_matrices(rows=2, cols=st.integers(1, 3)), our.ground_costs(5))
def test_costs_are_nonnegative_and_ground_costs_vanish_only_on_the_diagonal(cost, ground):
    assert (cost >= 0).all() and cost.shape[0] == 2
    assert (ground == ground.T).all()
    assert ((ground == 0) == np.eye(5, dtype=bool)).all()


@quick
@given(our.params_of(SPEC, p=st.just(3.0)))
def test_parameters_lie_in_their_declared_ranges(drawn):
    made = bind(SPEC, **drawn).params
    assert made.p == 3.0 and made.tol == 1e-6
    assert made.gamma == "median" or made.gamma >= 0
    assert 0 < made.share <= 1


def test_parameters_shrink_to_their_defaults():
    assert find(our.params_of(SPEC), lambda drawn: True, settings=deterministic) == vars(_Parameters())


def test_parameters_reach_the_ends_of_their_ranges():
    for name, value in [
        ("gamma", 0.0),
        ("gamma", "median"),
        ("share", 1.0),
        ("count", 1),
        ("root", False),
        ("mode", "b"),
    ]:
        find(our.params_of(SPEC), lambda d, name=name, value=value: d[name] == value, settings=unshrunk)


def test_fixing_an_unknown_parameter_names_the_known_ones():
    with pytest.raises(TypeError, match="no parameter 'gama'; it has gamma, p"):
        our.params_of(SPEC, gama=1.0)


@pytest.mark.parametrize(
    "condition",
    [
        lambda x, y: len(x) == len(y) == 1,
        lambda x, y: len(x) > 1 and np.ptp(x) == 0,
        lambda x, y: len(x) > 1 and len(x) == len(y) and (x == y).all(),
        lambda x, y: len(x) == len(y) and 0 < abs(x - y).max() < 1e-8,
        lambda x, y: len(x) < len(y),
        lambda x, y: len(np.unique(x)) < len(x),
        lambda x, y: x.tolist() != y.tolist() and sorted(x.tolist()) == sorted(y.tolist()),
    ],
    ids=["single", "constant", "equal", "close", "unequal", "ties", "permuted"],
)
def test_pairs_reach_the_hard_cases(condition):
    find(our.series_pair(), lambda pair: condition(*pair), settings=unshrunk)
