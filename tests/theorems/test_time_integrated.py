"""Entropic TiOT near TiOT: the limit of Theorem 2.9 of Time-integrated Optimal Transport (2025), as finite bounds."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.testing.strategies import clouds

EPSILONS = (1.0, 0.1, 0.01, 0.001)
PAIRS = st.tuples(clouds(max_length=5, zeros=False), clouds(max_length=5, zeros=False))
POWERS = st.sampled_from([1.0, 2.0])


def entropy(weights):
    return float(-(weights * np.log(weights)).sum())


def read(cloud):
    return stotmetrics.as_series(cloud.values, times=cloud.times, weights=cloud.weights)


def solutions(pair, p):
    """Exact and entropic solutions of one pair, and what the regulariser can cost: the smaller entropy."""
    x, y = (read(cloud) for cloud in pair)
    exact = stotmetrics.solve(x, y, metric="tiot", p=p, standardize=False, root=False)
    entropic = [
        stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, p=p, standardize=False, root=False)
        for epsilon in EPSILONS
    ]
    return x, y, exact, entropic, min(entropy(cloud.weights) for cloud in pair)


@given(PAIRS, POWERS)
def test_theorem_2_9_the_entropic_value_tends_to_the_exact_one(pair, p):
    """0 <= KL(P | a b') <= H bounds the distance from the limit by epsilon H at every epsilon."""
    _, _, exact, entropic, most = solutions(pair, p)
    scale = 1e-8 * max(1.0, exact.value)
    for epsilon, result in zip(EPSILONS, entropic, strict=True):
        assert exact.value - scale <= result.objective <= exact.value + epsilon * most + scale
        assert abs(result.value - exact.value) <= epsilon * most + scale


@given(PAIRS, POWERS)
def test_theorem_2_9_the_entropic_weight_tends_to_the_exact_ones(pair, p):
    """w of epsilon is epsilon H-optimal for the exact problem, so it tends to w* where that is unique."""
    x, y, exact, entropic, most = solutions(pair, p)
    for epsilon, result in zip(EPSILONS, entropic, strict=True):
        at_w = stotmetrics.distance(x, y, metric="taot", w=float(result.w), p=p, standardize=False)
        assert at_w >= exact.value - epsilon * most - 1e-8 * max(1.0, exact.value)


@given(PAIRS, POWERS)
def test_theorem_2_9_the_entropic_plan_tends_to_optimal_ones(pair, p):
    """Whatever the weight, the plan of epsilon costs no more than the exact value and epsilon H."""
    x, y, exact, entropic, most = solutions(pair, p)
    A, B = (
        np.linalg.norm(x.values[:, None] - y.values, axis=2) ** p,
        np.abs(x.times[:, None] - y.times) ** p,
    )
    for epsilon, result in zip(EPSILONS, entropic, strict=True):
        worst = max((A * result.plan).sum(), (B * result.plan).sum())
        scale = 1e-8 * max(1.0, exact.value)
        assert exact.value - scale <= worst <= exact.value + epsilon * most + scale


@given(PAIRS, POWERS)
def test_theorem_2_9_the_plan_tends_to_the_independent_one_as_epsilon_grows(pair, p):
    """``epsilon KL(P | a b') <= |C|``, and Pinsker's inequality makes it a distance."""
    x, y = (read(cloud) for cloud in pair)
    independent = np.outer(x.weights, y.weights) / (x.weights.sum() * y.weights.sum())
    largest = max(np.linalg.norm(x.values[:, None] - y.values, axis=2).max(), np.abs(x.times[:, None] - y.times).max())
    for epsilon in (1e2, 1e4, 1e6):
        plan = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon, p=p, standardize=False).plan
        assert np.abs(plan - independent).sum() <= np.sqrt(2 * largest**p / epsilon) + 1e-9


@given(PAIRS, POWERS)
def test_the_regularised_objective_is_nondecreasing_in_epsilon(pair, p):
    _, _, exact, entropic, _ = solutions(pair, p)
    objectives = [result.objective for result in entropic]
    for larger, smaller in pairwise(objectives):
        assert smaller <= larger + 1e-8 * max(1.0, exact.value)


@given(PAIRS, st.sampled_from([1.0, 2.0, 3.0]), st.integers(0, 10))
def test_tiot_is_at_least_every_transport_at_a_fixed_weight(pair, p, tenth):
    x, y = (read(cloud) for cloud in pair)
    exact = stotmetrics.distance(x, y, metric="tiot", p=p, standardize=False, root=False)
    fixed = stotmetrics.distance(x, y, metric="taot", w=tenth / 10, p=p, standardize=False)
    assert exact >= fixed - 1e-9 * max(1.0, fixed)
