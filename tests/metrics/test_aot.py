"""aot against its linear program, closed forms, and the laws of adapted transport."""

import math
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import as_paths
from stotmetrics.reference.aot import bicausal_program
from stotmetrics.reference.transport import transport_program

POWERS = st.sampled_from([1.0, 1.5, 2.0, 3.0])
RNG = np.random.default_rng(18)


def tree(seed, steps, paths, levels=3, d=1):
    """Paths whose values at each time are among a few levels, so that many share a past; with weights."""
    rng = np.random.default_rng(seed)
    places = np.cumsum(rng.uniform(0.2, 1.0, size=(steps, levels, d)), axis=1) - rng.normal(size=(steps, 1, d))
    values = np.stack([level[rng.integers(levels, size=paths)] for level in places])
    return values, rng.uniform(0.1, 1.0, size=paths)


def read(drawn):
    values, weights = drawn
    return as_paths(values, weights=weights)


def leaves(drawn):
    """The distinct paths (n, T, d) and their masses."""
    values, weights = drawn
    paths, at = np.unique(np.moveaxis(values, 0, 1), axis=0, return_inverse=True)
    masses = np.bincount(at.reshape(-1), weights=weights)
    return paths, masses / masses.sum()


SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def pairs(draw, steps=(1, 2, 3), paths=(1, 2, 3, 5, 7), dims=(1, 2)):
    seed, length, d = draw(SEEDS), draw(st.sampled_from(steps)), draw(st.sampled_from(dims))
    return tuple(tree(seed + k, length, draw(st.sampled_from(paths)), d=d) for k in range(2))


def adapted(x, y, **params):
    return stotmetrics.distance(x, y, metric="aot", **{"cells": None, **params})


def transport(left, right, p):
    """``W_p ** p`` between the laws of the paths, which may look ahead."""
    (X, a), (Y, b) = leaves(left), leaves(right)
    cost = (np.linalg.norm(X[:, None] - Y[None], axis=-1) ** p).sum(axis=-1)
    return transport_program(cost, a, b)


# --- truth ---


@given(pairs(), POWERS)
def test_value_is_the_linear_program_over_bicausal_couplings(pair, p):
    (X, a), (Y, b) = map(leaves, pair)
    truth = bicausal_program(X, a, Y, b, p)
    value = adapted(*map(read, pair), p=p, root=False)
    assert value == pytest.approx(truth, rel=1e-7, abs=1e-9)


@given(pairs(), POWERS)
def test_value_is_at_least_that_of_transport_that_may_look_ahead(pair, p):
    value = adapted(*map(read, pair), p=p, root=False)
    assert value >= transport(*pair, p) - 1e-9 * (1 + value)


@pytest.mark.parametrize(("n", "m"), [(1, 7), (7, 1), (2, 2), (2, 31), (31, 2), (2, 40), (40, 2), (5, 6), (30, 50)])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("p", [1.0, 2.0, 2.5])
def test_one_step_is_transport(n, m, d, p):
    x, y = (
        (rng.normal(size=(1, count, d)), rng.uniform(0.1, 1.0, size=count))
        for rng, count in ((np.random.default_rng(n + 100 * m), n), (np.random.default_rng(m), m))
    )
    assert adapted(read(x), read(y), p=p, root=False) == pytest.approx(transport(x, y, p), rel=1e-7)


@pytest.mark.parametrize("width", [2, 3, 12, 40])
def test_the_first_of_two_steps_solves_any_size_of_problem(width):
    # Every first value has two of the `width` second values after it.
    rng = np.random.default_rng(width)
    pair = []
    for _ in range(2):
        first = np.repeat(rng.normal(size=width), 2)
        pair.append((np.stack([first, rng.normal(size=2 * width)])[..., None], rng.uniform(0.1, 1, 2 * width)))
    p = 2.0
    (x, a), (y, b) = pair

    def given_first(values, weights, first):
        inside = values[0, :, 0] == first
        return as_paths(values[1:, inside], weights=weights[inside]), weights[inside].sum()

    left, right = ([given_first(v, w, f) for f in np.unique(v[0])] for v, w in ((x, a), (y, b)))
    ahead = np.array([[adapted(u, v, p=p, root=False) for v, _ in right] for u, _ in left])
    cost = np.abs(np.unique(x[0])[:, None] - np.unique(y[0])) ** p + ahead
    truth = transport_program(cost, np.array([w for _, w in left]) / a.sum(), np.array([w for _, w in right]) / b.sum())
    assert adapted(*map(read, pair), p=p, root=False) == pytest.approx(truth, rel=1e-7)


def test_processes_that_are_near_but_reveal_their_end_early_are_far():
    # A payment of a thousandth tells which way the second goes.
    told, untold = [[-1e-3, 1e-3], [-1.0, 1.0]], [[0.0, 0.0], [-1.0, 1.0]]
    pair = [(np.array(v)[..., None], np.ones(2)) for v in (told, untold)]
    assert transport(*pair, 1.0) == pytest.approx(1e-3)
    assert adapted(told, untold, p=1.0) == pytest.approx(1.001, rel=1e-12)
    assert adapted(told, untold, p=2.0) == pytest.approx(math.sqrt(2.0 + 1e-6), rel=1e-12)


def cholesky_distance(L, M):
    """The adapted distance of centred Gaussian laws with these Cholesky factors, p = 2."""
    return math.sqrt((L**2).sum() + (M**2).sum() - 2 * np.abs((L * M).sum(axis=0)).sum())


def autoregression(phi, steps):
    """The Cholesky factor of an AR(1) process that starts at its first innovation."""
    times = np.arange(steps)
    return np.tril(float(phi) ** np.maximum(times[:, None] - times, 0))


def estimate(L, M, paths, seed, **params):
    x, y = (
        factor @ np.random.default_rng([seed, k]).normal(size=(len(factor), paths)) for k, factor in enumerate((L, M))
    )
    return stotmetrics.distance(x, y, metric="aot", **params)


@pytest.mark.parametrize("steps", [3, 5])
@pytest.mark.parametrize("markovian", [False, True])
def test_value_of_autoregressions_is_near_the_closed_form(steps, markovian):
    L, M = autoregression(0.2, steps), 1.5 * autoregression(0.9, steps)
    value = np.mean([estimate(L, M, 1000, seed, markovian=markovian) for seed in range(3)])
    assert value == pytest.approx(cholesky_distance(L, M), rel=0.04)


def test_the_estimate_converges_to_the_closed_form():
    L, M = autoregression(0.0, 2), autoregression(0.9, 2)
    truth = cholesky_distance(L, M)
    errors = [
        np.mean([abs(estimate(L, M, paths, seed) - truth) for seed in range(4)]) for paths in (30, 300, 3000, 10000)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * truth


# --- laws ---


@given(pairs(), POWERS)
def test_time_consistency_the_value_is_transport_of_first_values_and_of_what_follows(pair, p):
    if len(pair[0][0]) == 1:
        return
    sides = []
    for values, weights in pair:
        firsts, at = np.unique(values[0], axis=0, return_inverse=True)
        at = at.reshape(-1)
        rest = [as_paths(values[1:, at == k], weights=weights[at == k]) for k in range(len(firsts))]
        sides.append((firsts, rest, np.bincount(at, weights=weights) / weights.sum()))
    (u, after_u, a), (v, after_v, b) = sides
    cost = np.linalg.norm(u[:, None] - v, axis=-1) ** p
    cost += np.array([[adapted(after_x, after_y, p=p, root=False) for after_y in after_v] for after_x in after_u])
    value = adapted(*map(read, pair), p=p, root=False)
    assert value == pytest.approx(transport_program(cost, a, b), rel=1e-7, abs=1e-9)


@given(SEEDS, st.sampled_from([1, 2, 3]), POWERS)
def test_triangle_inequality_between_trees(seed, steps, p):
    x, y, z = (read(tree(seed + k, steps, 6)) for k in range(3))
    direct, first, second = (
        stotmetrics.solve(*pair, metric="aot", cells=None, p=p) for pair in ((x, z), (x, y), (y, z))
    )
    slack = 1e-9 + direct.gap + first.gap + second.gap
    assert direct.value <= first.value + second.value + slack


@given(SEEDS, st.sampled_from(["kmeans", "grid"]), st.booleans(), st.sampled_from([None, 2, 3, "auto"]))
def test_weights_are_repetitions(seed, quantizer, markovian, cells):
    rng = np.random.default_rng(seed)
    values, times = rng.normal(size=(3, 6)).round(1), rng.integers(1, 4, size=6)
    y = rng.normal(size=(3, 9)).round(1)
    # The number of paths decides how many cells are made by default.
    cells = 2 if cells == "auto" else cells
    params = {"quantizer": quantizer, "markovian": markovian, "cells": cells}
    once = adapted(as_paths(values, weights=times), y, **params)
    assert adapted(np.repeat(values, times, axis=1), y, **params) == pytest.approx(once, rel=1e-9, abs=1e-7)


def test_a_path_without_weight_takes_no_part():
    values, y = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 4))
    weights = np.array([0.0, 1.0, 2.0, 0.0, 1.0])
    result = stotmetrics.solve(as_paths(values, weights=weights), y, metric="aot", cells=None)
    kept = as_paths(values[:, weights > 0], weights=weights[weights > 0])
    assert result.value == adapted(kept, y)
    assert (result.coupling.paths_x[:, weights == 0] == -1).all()


@given(SEEDS, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.sampled_from(["kmeans", "grid"]), st.sampled_from([1, 2]))
def test_value_follows_the_unit_and_forgets_a_common_offset(seed, scale, offset, quantizer, d):
    x, y = (np.random.default_rng([seed, k]).normal(size=(3, 20, d)) for k in range(2))
    before = adapted(x, y, cells=3, quantizer=quantizer)
    after = adapted(scale * x + offset, scale * y + offset, cells=3, quantizer=quantizer)
    assert after == pytest.approx(scale * before, rel=1e-7)


@given(SEEDS, POWERS)
def test_a_chain_told_by_all_its_paths_needs_no_history(seed, p):
    """All paths of a Markov chain with their probabilities: Markovian nodes and full history say the same."""
    rng = np.random.default_rng(seed)

    def chain(states, steps):
        values = np.sort(rng.normal(size=(steps, states)), axis=1)
        start, moves = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), size=(steps - 1, states))
        index = np.indices((states,) * steps).reshape(steps, -1)
        mass = start[index[0]]
        for t in range(1, steps):
            mass = mass * moves[t - 1, index[t - 1], index[t]]
        return as_paths(np.take_along_axis(values, index, axis=1), weights=mass)

    x, y = chain(3, 3), chain(2, 3)
    full = adapted(x, y, p=p, root=False)
    assert adapted(x, y, p=p, root=False, markovian=True) == pytest.approx(full, rel=1e-9)


def test_history_matters_where_the_chain_forgets():
    # Both pass 0 at the middle; only one remembers where it came from.
    remembers = np.array([[-1.0, 1.0], [0.0, 0.0], [-1.0, 1.0]])
    forgets = np.array([[-1.0, -1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 1.0, -1.0, 1.0]])
    remembers = as_paths(remembers)
    assert adapted(remembers, forgets, markovian=True) == 0.0
    assert adapted(remembers, forgets) == pytest.approx(math.sqrt(2.0))


@given(
    SEEDS,
    st.sampled_from([1.0, 7.0, 30.0, 200.0, 700.0, 5000.0]),
    st.sampled_from([1.0, 10.0, 1e6]),
    st.sampled_from([1, 2]),
)
def test_a_moved_process_is_as_far_as_it_was_moved(seed, p, reach, d):
    """However far apart others are: then the power of what it was moved vanishes beside theirs."""
    x = np.random.default_rng(seed).normal(size=(4, 6, d)) * reach
    move = np.eye(d)[0] * 3.0
    result = stotmetrics.solve(x, x + move, metric="aot", cells=None, p=p)
    assert result.value == pytest.approx(3.0 * 4 ** (1 / p), rel=1e-9)
    assert result.converged
    plan, total = result.coupling, 0.0
    for t in range(4):
        joint, apart = plan.joint(t), np.linalg.norm(plan.values_x[t][:, None] - plan.values_y[t], axis=-1)
        total += (joint[joint > 0] * (apart[joint > 0] / 3.0) ** p).sum()
    assert total == pytest.approx(4.0, rel=1e-6)


@given(SEEDS, st.sampled_from([10.0, 50.0, 200.0, 700.0]), st.sampled_from([1, 2]))
def test_large_exponents_settle_and_say_how_far_they_may_be_off(seed, p, d):
    """Where p is large, the pairs that are matched cost next to nothing beside the farthest, and rounding of those is
    what the gap is about."""
    x, y = (read(tree(seed + k, 3, 12, levels=6, d=d)) for k in range(2))
    forth, back = (stotmetrics.solve(*pair, metric="aot", cells=None, p=p) for pair in ((x, y), (y, x)))
    assert forth.converged and back.converged
    assert abs(back.value - forth.value) <= forth.gap + back.gap + 1e-9 * forth.value
    assert stotmetrics.solve(x, x, metric="aot", cells=None, p=p, root=False).value == 0.0


def test_weights_beyond_each_other_are_no_weights():
    values = RNG.normal(size=(2, 4))
    paths = as_paths(values, weights=[1e300, 1e-320, 1e-30, 1e300])
    assert adapted(paths, values) == pytest.approx(adapted(as_paths(values[:, [0, 3]]), values), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_no_unit_leaves_the_range_of_numbers(scale):
    x, y = RNG.normal(size=(2, 3, 40))
    for cells in (None, 3):
        assert adapted(scale * x, scale * y, cells=cells) == pytest.approx(scale * adapted(x, y, cells=cells), rel=1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, 40.0, 300.0])
@pytest.mark.parametrize(("root", "d"), [(True, 1), (False, 1), (True, 2)])
def test_a_pair_is_worth_the_same_among_others(p, root, d):
    """Of values near each other and far beyond range: near ones vanish in the unit of the farthest of their paths."""
    rng = np.random.default_rng(int(p))
    base = rng.normal(size=(3, 4, d))
    lone = base.copy()
    lone[:, 0] += 1e12
    processes = [base, base + 1e-9, lone, lone + 1e-3, 1e-200 * base, 1e300 * base, -1.5e308 * np.sign(base)]
    series = [as_paths(values) for values in processes]
    metric = stotmetrics.get_metric("aot", cells=None, p=p, root=root)
    prepared = [metric.prepare(x) for x in series]
    rows, cols = (side.astype(np.intp) for side in np.indices((len(series),) * 2).reshape(2, -1))
    together = metric.spec.block(prepared, prepared, rows, cols, metric.params)
    alone = [metric.spec.pair(prepared[i], prepared[j], metric.params) for i, j in zip(rows, cols, strict=True)]
    np.testing.assert_array_equal(together.values, [result.value for result in alone])
    np.testing.assert_array_equal(together.gap, [result.gap for result in alone])
    np.testing.assert_array_equal(together.n_iter, [result.n_iter for result in alone])
    np.testing.assert_array_equal(together.converged, [result.converged for result in alone])


# --- the plan ---


@given(pairs(paths=(2, 4, 7)), POWERS, st.booleans())
def test_the_plan_explains_the_value_and_does_not_look_ahead(pair, p, markovian):
    x, y = map(read, pair)
    result = stotmetrics.solve(x, y, metric="aot", cells=None, p=p, markovian=markovian, root=False)
    plan, steps = result.coupling, len(pair[0][0])
    assert len(plan.kernels) == len(plan.values_x) == len(plan.values_y) == steps
    total = 0.0
    for t, kernel in enumerate(plan.kernels):
        joint = plan.joint(t)
        for axis, paths, series, values in (
            (1, plan.paths_x, x, plan.values_x[t]),
            (0, plan.paths_y, y, plan.values_y[t]),
        ):
            shares = series.path_weights / series.path_weights.sum()
            wanted = np.bincount(paths[t], weights=shares, minlength=len(values))
            np.testing.assert_allclose(joint.sum(axis=axis), wanted, atol=1e-12)
        apart = np.linalg.norm(plan.values_x[t][:, None] - plan.values_y[t], axis=-1)
        total += (joint * apart**p).sum()
        assert_moves_as_either_process_does(kernel, plan, t, x, y)
    assert total == pytest.approx(result.value, rel=1e-9, abs=1e-12)
    np.testing.assert_array_equal(plan.first, plan.joint(0))


def assert_moves_as_either_process_does(kernel, plan, t, x, y):
    """Given a pair of nodes, the next node of x has the law that it has given the node of x alone; so has that of y."""
    sides = ((kernel.from_x, kernel.to_x, plan.paths_x, x), (kernel.from_y, kernel.to_y, plan.paths_y, y))
    for i, j in set(zip(kernel.from_x.tolist(), kernel.from_y.tolist(), strict=True)):
        here = (kernel.from_x == i) & (kernel.from_y == j)
        for (_, to, paths, series), node in zip(sides, (i, j), strict=True):
            before = np.zeros(paths.shape[1], dtype=int) if t == 0 else paths[t - 1]
            weights = series.path_weights * (before == node)
            wanted = np.bincount(paths[t], weights=weights / weights.sum())
            moved = np.bincount(to[here], weights=kernel.probability[here], minlength=len(wanted))
            np.testing.assert_allclose(moved, wanted, atol=1e-12)


def test_nodes_are_told_by_their_values():
    x = [[2.0, 1.0, 1.0], [5.0, 4.0, 3.0]]
    plan = stotmetrics.solve(x, x, metric="aot", cells=None).coupling
    assert plan.values_x[0].tolist() == [[1.0], [2.0]]
    assert plan.values_x[1].tolist() == [[3.0], [4.0], [5.0]]
    assert plan.paths_x.tolist() == [[1, 0, 0], [2, 1, 0]]
    np.testing.assert_allclose(plan.joint(1), np.eye(3) / 3)


def test_result_says_how_far_it_may_be_from_the_truth():
    x, y = RNG.normal(size=(2, 4, 200))
    result = stotmetrics.solve(x, y, metric="aot")
    assert result.converged
    assert 0 <= result.gap <= 1e-12 * result.value
    assert result.n_iter > 4
    assert result.available == ("coupling",)


# --- what comes in ---


def test_more_times_than_paths_are_asked_about():
    x, y = RNG.normal(size=(2, 9, 4))
    with pytest.warns(stotmetrics.AxisWarning, match=r"pass x\.swapaxes\(0, 1\) where the paths are rows"):
        value = stotmetrics.aot(x, y)
    assert stotmetrics.aot(as_paths(x), as_paths(y)) == value
    with pytest.warns(stotmetrics.AxisWarning, match="more times than paths"):
        stotmetrics.pairwise([x, y], metric="aot")
    with pytest.warns(stotmetrics.AxisWarning, match="more times than paths"):
        stotmetrics.pairwise(RNG.normal(size=(2, 4, 3, 2)), metric="aot")
    # Other metrics read many times of a few channels every day.
    assert math.isfinite(stotmetrics.tiot(x, y))


def test_the_number_of_paths_may_differ_and_that_of_times_not():
    x, y = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 8))
    matrix = stotmetrics.pairwise([x, y], metric="aot")
    assert matrix[0, 1] == pytest.approx(stotmetrics.aot(x, y))
    near = stotmetrics.kneighbors([x, y], [x + 1e-3], metric="aot")
    assert near.indices.tolist() == [[0]]
    with pytest.raises(stotmetrics.InvalidSeriesError, match="equal length; got x of length 3 and y of length 2"):
        stotmetrics.aot(x, y[:2])
    with pytest.raises(stotmetrics.InvalidSeriesError, match=r"the paths of x and of y .* got 1 and 2"):
        stotmetrics.aot(x, RNG.normal(size=(3, 4, 2)))
    with pytest.raises(stotmetrics.InvalidSeriesError, match="must have the same number of channels"):
        stotmetrics.pairwise([x, y], metric="tiot")


def test_the_bound_of_marginals_is_that_of_transport_at_each_time():
    (x, a), (y, b) = tree(3, 3, 7), tree(4, 3, 5)
    metric = stotmetrics.get_metric("aot", cells=None, p=1.5, root=False)
    prepared = [metric.prepare(read(process)) for process in ((x, a), (y, b))]
    process, other = np.zeros(1, dtype=np.intp), np.ones(1, dtype=np.intp)
    wanted = sum(transport((x[t : t + 1], a), (y[t : t + 1], b), 1.5) for t in range(3))
    assert metric.lower_bounds(prepared, prepared, process, other)[0] == pytest.approx(wanted, rel=1e-9)


def test_nearest_processes_are_those_of_brute_force():
    train = [RNG.normal(size=(3, n)) + shift for n, shift in ((20, 0.0), (30, 0.5), (25, 4.0), (20, 8.0))]
    queries = [RNG.normal(size=(3, 22)) + 0.2, RNG.normal(size=(3, 30)) + 7.0]
    neighbors = stotmetrics.kneighbors(train, queries, metric="aot")
    wanted = np.argmin(stotmetrics.pairwise(queries, train, metric="aot"), axis=1)
    assert neighbors.indices[:, 0].tolist() == wanted.tolist()
    assert neighbors.solved < len(train) * len(queries)


def test_weights_are_those_of_paths():
    x = RNG.normal(size=(3, 3))
    with pytest.raises(stotmetrics.InvalidSeriesError, match=r"as_paths\(x, weights=\.\.\.\) gives each path one"):
        stotmetrics.aot(stotmetrics.as_series(x, weights=[1.0, 2.0, 3.0]), x)
    weighted = as_paths(x, weights=[1.0, 2.0, 3.0])
    assert repr(weighted) == "Series(shape=(3, 3), path_weights given)"
    with pytest.raises(stotmetrics.InvalidSeriesError, match="tiot does not compare sample paths, but x has weights"):
        stotmetrics.tiot(weighted, x)
    with pytest.raises(stotmetrics.InvalidSeriesError, match=r"weights of the paths of x must have shape \(3,\)"):
        as_paths(x, weights=[1.0, 2.0])
    with pytest.raises(stotmetrics.InvalidSeriesError, match="weights of the paths of x must be non-negative"):
        as_paths(x, weights=[1.0, -2.0, 1.0])
    with pytest.raises(stotmetrics.InvalidSeriesError, match="has weights of its paths already"):
        as_paths(weighted, weights=[1.0, 1.0, 1.0])
    assert as_paths(weighted) is weighted
    with pytest.raises(stotmetrics.InvalidSeriesError, match="aot does not use times"):
        stotmetrics.aot(stotmetrics.as_series(x, times=[0.0, 1.0, 3.0]), x)


def test_weights_of_paths_are_part_of_a_series(tmp_path):
    values = RNG.normal(size=(3, 4))
    equal, unequal = (as_paths(values, weights=w) for w in ([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]))
    assert pickle.loads(pickle.dumps(unequal)).path_weights.tolist() == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(AttributeError):
        unequal.path_weights = None
    stotmetrics.pairwise([equal, values], metric="aot", out=tmp_path / "d.npy")
    with pytest.raises(FileExistsError, match="a run with another series"):
        stotmetrics.pairwise([unequal, values], metric="aot", out=tmp_path / "d.npy")


def test_an_index_keeps_the_weights_of_paths(tmp_path):
    weighted = as_paths(RNG.normal(size=(3, 4)), weights=[1.0, 2.0, 0.0, 4.0])
    several = as_paths(RNG.normal(size=(3, 5, 2)), weights=np.arange(5.0))
    for train in ([weighted, RNG.normal(size=(3, 6))], [RNG.normal(size=(3, 4, 2)), several]):
        index = stotmetrics.NeighborIndex(train, "aot")
        index.save(tmp_path / "index.npz")
        again = stotmetrics.NeighborIndex.load(tmp_path / "index.npz")
        wanted = stotmetrics.pairwise(train, metric="aot")
        for loaded in (index, again):
            near = loaded.kneighbors(train, k=2)
            np.testing.assert_array_equal(np.take_along_axis(wanted, near.indices, axis=1), near.distances)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_workers_see_the_weights_of_paths(n_jobs):
    train = [as_paths(RNG.normal(size=(3, n)), weights=RNG.uniform(size=n)) for n in (5, 6, 7)]
    wanted = [[stotmetrics.aot(x, y) for y in train] for x in train]
    with joblib.parallel_config(backend="loky"):
        matrix = stotmetrics.pairwise(train, metric="aot", n_jobs=n_jobs)
    np.testing.assert_allclose(matrix, wanted, rtol=1e-12, atol=1e-12)


def test_more_pairs_than_memory_holds_are_refused_by_the_way_out(monkeypatch):
    x = RNG.normal(size=(2, 400, 2))
    monkeypatch.setattr("os.sysconf", lambda name: 1000)  # a million bytes
    with pytest.raises(MemoryError, match="take fewer cells, or markovian=True"):
        adapted(x, x)
