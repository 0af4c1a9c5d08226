"""What a result says beside its value: certificates, plans, potentials, alignments; and that a batch says the same."""

import pickle

import numpy as np
import pytest

import stotmetrics
from stotmetrics.metrics import etiot, taot
from stotmetrics.metrics.dtw_bounds import soft_bounds
from stotmetrics.reference import softdtw as reference
from stotmetrics.reference.tiot import tiot_program
from stotmetrics.spec.result import rooted, rooted_all
from stotmetrics.transport.matrix_free import LongProblem
from stotmetrics.transport.point_clouds import cost_matrices, powers, prepare_cloud

RNG = np.random.default_rng(11)
X = stotmetrics.as_series(
    RNG.normal(size=(6, 2)), times=[0.0, 0.5, 2.0, 2.5, 4.0, 7.0], weights=[1.0, 2.0, 0.0, 0.5, 1.0, 3.0]
)
Y = stotmetrics.as_series(RNG.normal(size=(5, 2)), times=[0.0, 1.0, 1.5, 4.0, 5.0], weights=[0.3, 0.0, 0.2, 0.4, 0.1])
A = X.weights / X.weights.sum()
B = Y.weights / Y.weights.sum()
ON = np.ix_(A > 0, B > 0)

CLOUDS = [
    ("taot", {"omega": 0.4}),
    ("taot", {"omega": 0.4, "scale": "median"}),
    ("taot", {"w": 0.3, "epsilon": 0.2}),
    ("tiot", {}),
    ("tiot", {"p": 3.0}),
    ("etiot", {"epsilon": 0.1}),
    ("etiot", {"epsilon": 0.1, "p": 3.0}),
    ("tlp", {"lam": 3.0}),
]

FIRST = np.zeros(1, dtype=np.intp)


def mixture(name, params, result, every=False):
    """The cost matrix between the atoms that have mass, or between all of them, by its definition."""
    p = params.get("p", 2.0)
    x, y = (prepare_cloud(s, name != "tlp") for s in (X, Y))
    of_values, of_times = cost_matrices(x, y, p)
    if every:
        unit = np.median(of_values + params["omega"] * of_times) if params.get("scale") == "median" else 1.0
        of_values = powers(x.all_values, y.all_values, p) / unit
        of_times = powers(x.all_times[:, None], y.all_times[:, None], p) / unit
        params = {**params, "scale": None}
    if name in ("tiot", "etiot"):
        return result.w * of_values + (1 - result.w) * of_times
    if name == "tlp":
        return of_values + of_times / params["lam"]
    w = params.get("w")
    cost = of_values + params["omega"] * of_times if w is None else w * of_values + (1 - w) * of_times
    return cost / np.median(cost) if params.get("scale") == "median" else cost


def relative_entropy(plan):
    return (plan[ON] * np.log(plan[ON] / np.outer(A, B)[ON])).sum()


@pytest.mark.parametrize(
    ("name", "params", "long"),
    [(*case, False) for case in CLOUDS] + [(*case, True) for case in CLOUDS if case[0] == "etiot"],
    ids=str,
)
def test_plan_and_potentials_explain_the_value(name, params, long, monkeypatch):
    if long:
        monkeypatch.setattr(etiot, "LONG", 4)
    result = stotmetrics.solve(X, Y, metric=name, **params)
    cost, epsilon = mixture(name, params, result), params.get("epsilon", 0.0)
    assert result.converged
    assert 0 <= result.gap <= 1e-8
    # From so few atoms the long way leaves none out, and its start may need no step.
    assert result.n_iter >= (0 if long else 1)
    plan = result.plan
    np.testing.assert_allclose(plan.sum(axis=1), A, atol=1e-7)
    np.testing.assert_allclose(plan.sum(axis=0), B, atol=1e-7)
    assert (plan >= 0).all()
    moved = (plan[ON] * cost).sum()
    rooted = name != "taot"
    assert moved == pytest.approx(result.value ** params.get("p", 2.0) if rooted else result.value, rel=1e-6)
    assert result.objective == pytest.approx(moved + (epsilon * relative_entropy(plan) if epsilon else 0.0), rel=1e-6)
    if name in ("taot", "tlp"):
        np.testing.assert_allclose(result.cost[ON], cost, rtol=1e-12)
        np.testing.assert_allclose(result.cost, mixture(name, params, result, every=True), rtol=1e-12)
    if name == "tlp":
        return
    f, g = result.potentials
    assert A @ f + B @ g == pytest.approx(result.objective, rel=1e-6)
    slack = cost - f[A > 0][:, None] - g[B > 0]
    if epsilon:
        gibbs = np.outer(A, B)[ON] * np.exp(-slack / epsilon)
        np.testing.assert_allclose(plan[ON], gibbs, atol=1e-5)
    else:
        assert slack.min() >= -1e-9
        # Atoms without mass have potentials too: the largest ones that are feasible.
        assert np.isfinite(f).all() and np.isfinite(g).all()
        everywhere = mixture(name, params, result, every=True)
        assert (f[:, None] + g <= everywhere + 1e-9).all()
        assert (f >= (everywhere - g).min(axis=1) - 1e-9)[A == 0].all()


def test_w_of_tiot_is_that_of_the_linear_program():
    of_values, of_times = cost_matrices(prepare_cloud(X, True), prepare_cloud(Y, True), 2.0)
    value, w, _ = tiot_program(of_values, of_times, A[A > 0], B[B > 0])
    result = stotmetrics.solve(X, Y, metric="tiot")
    assert 0 < w < 1
    assert result.w == pytest.approx(w, abs=1e-9)
    assert result.objective == pytest.approx(value, rel=1e-9)


def test_objective_of_opw_is_its_regularised_cost():
    x, y = (stotmetrics.as_series(s.values, weights=s.weights) for s in (X, Y))
    result = stotmetrics.solve(x, y, metric="opw", moment=2.0, epsilon=0.5)
    whole = reference.squared_euclidean(X.values, Y.values)
    np.testing.assert_allclose(result.cost, whole, rtol=1e-12)
    plan, values = result.plan[ON], whole[ON]
    assert plan.sum() == pytest.approx(result.plan.sum(), rel=1e-12)
    i, j = (np.flatnonzero(A > 0)[:, None] + 1) / len(A), (np.flatnonzero(B > 0) + 1) / len(B)
    off, width = i - j, 1 / len(A) ** 2 + 1 / len(B) ** 2
    cost = values + 0.5 * off**2 / width / 2 + 2.0 * (1 - 1 / (off**2 + 1))
    assert result.value == pytest.approx((plan * values).sum(), rel=1e-9)
    entropy = (plan * np.log(plan / np.outer(A[A > 0], B[B > 0]))).sum()
    assert result.objective == pytest.approx((plan * cost).sum() + 0.5 * entropy, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "gamma"), [("dtw", 0.0), ("softdtw", 0.0), ("softdtw", 0.7), ("softdtw", "median"), ("softdtw_sharp", 0.7)]
)
@pytest.mark.parametrize("band", [None, 0])
def test_alignment_is_that_of_the_definition(name, gamma, band):
    params = {"band": band} if name == "dtw" else {"band": band, "gamma": gamma}
    # Backwards, the best path leaves the band.
    result = stotmetrics.solve(X.values, Y.values[::-1], metric=name, **params)
    cost = reference.squared_euclidean(X.values, Y.values[::-1])
    np.testing.assert_allclose(result.cost, cost, rtol=1e-12)
    number = float(np.median(cost)) if gamma == "median" else gamma
    _, expected = reference.enumerate_paths(reference.banded(cost, band), number)
    np.testing.assert_allclose(result.alignment, expected, atol=1e-12)


def test_alignment_and_cost_of_the_divergence_are_those_of_its_first_term():
    result = stotmetrics.solve(X.values, Y.values, metric="softdtw_divergence", gamma=0.7)
    first = stotmetrics.solve(X.values, Y.values, metric="softdtw", gamma=0.7)
    np.testing.assert_array_equal(result.alignment, first.alignment)
    np.testing.assert_array_equal(result.cost, first.cost)


SHORT = [
    ("taot", {"epsilon": 1e-3}),
    ("etiot", {"epsilon": 1e-3, "max_iter": 1}),
    ("etiot", {"epsilon": 1e-3, "max_iter": 1, "p": 1.0}),
    ("opw", {"epsilon": 1e-3, "max_iter": 1}),
    ("sta", {"signed": "abs", "epsilon": 1e-2, "tol": 1e-12, "max_iter": 2}),
]


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize(("name", "params"), SHORT, ids=str)
def test_where_the_iterations_run_out_result_and_batch_say_so(name, params, monkeypatch):
    monkeypatch.setattr(taot, "MAX_ITER", 1)
    if params.get("p") == 1.0:
        monkeypatch.setattr(etiot, "LONG", 4)
    metric = stotmetrics.get_metric(name, **params)
    uses = metric.traits.uses_weights
    prepared = [metric.prepare(s if uses else stotmetrics.as_series(s.values)) for s in (X, Y)]
    result = metric.pair(*prepared)
    batch = metric.block(prepared[:1], prepared[1:], np.array([0]), np.array([0]))
    assert not result.converged
    assert not batch.converged[0]
    assert result.gap == pytest.approx(batch.gap[0], rel=1e-9)
    assert result.gap > 1e-9


BLOCKS = [
    ("dtw", {"squared": False}),
    ("dtw", {"band": 1}),
    ("softdtw", {"gamma": "median"}),
    ("softdtw_divergence", {"gamma": "median", "band": 1}),
    ("softdtw_sharp", {"band": 1}),
    ("taot", {}),
    ("taot", {"epsilon": 0.1}),
    ("tiot", {}),
    ("tiot", {"root": False}),
    ("etiot", {"epsilon": 0.1}),
    ("etiot", {"epsilon": 1e-3, "max_iter": 1}),
    ("etiot_hbcd", {"epsilon": 0.1}),
    # Powers that need a unit of their own.
    *(("tiot", {"p": 100.0, "root": root}) for root in (True, False)),
    *(("etiot", {"p": 100.0, "root": root, "epsilon": 0.1}) for root in (True, False)),
    ("taot", {"p": 100.0}),
    ("tlp", {"p": 100.0}),
]


@pytest.mark.parametrize(("name", "params"), BLOCKS, ids=str)
def test_a_batch_says_of_each_pair_what_its_result_says(name, params):
    metric = stotmetrics.get_metric(name, **params)
    uses = metric.traits.uses_weights
    prepared = [metric.prepare(s if uses else stotmetrics.as_series(s.values)) for s in (X, Y)]
    rows, cols = np.array([0, 1, 0]), np.array([1, 0, 0])
    batch, loop = metric.block(prepared, prepared, rows, cols), metric.loop(prepared, prepared, rows, cols)
    np.testing.assert_allclose(batch.values, loop.values, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(np.ones(3, bool) if batch.converged is None else batch.converged, loop.converged)
    if not np.isnan(loop.gap).any():
        np.testing.assert_allclose(batch.gap, loop.gap, atol=1e-13)
        np.testing.assert_array_equal(batch.n_iter, loop.n_iter)


def test_atoms_without_mass_have_the_same_potentials_from_the_solver_without_matrices(monkeypatch):
    short = stotmetrics.solve(X, Y, metric="etiot", epsilon=0.1)
    monkeypatch.setattr(etiot, "LONG", 4)
    long = stotmetrics.solve(X, Y, metric="etiot", epsilon=0.1)
    # One constant may move from f to g.
    shift = short.potentials[0][0] - long.potentials[0][0]
    np.testing.assert_allclose(long.potentials[0] + shift, short.potentials[0], atol=1e-5)
    np.testing.assert_allclose(long.potentials[1] - shift, short.potentials[1], atol=1e-5)


def test_gap_of_opw_is_below_its_tolerance():
    x, y = (stotmetrics.as_series(s.values, weights=s.weights) for s in (X, Y))
    result = stotmetrics.solve(x, y, metric="opw", tol=1e-7)
    assert 0 <= result.gap <= 1e-7 * max(1.0, result.objective)


@pytest.mark.parametrize(("name", "matrices"), [("etiot", False), ("etiot_hbcd", True)])
def test_long_series_are_solved_without_matrices_by_the_rule_of_the_gap_alone(name, matrices, monkeypatch):
    called = []
    monkeypatch.setattr(etiot, "LONG", 4)
    monkeypatch.setattr(etiot, "LongProblem", lambda *args: called.append(args) or LongProblem(*args))
    stotmetrics.distance(X, Y, metric=name, epsilon=0.5)
    assert (not called) == matrices


def test_gap_behind_a_root_is_what_the_gap_before_it_is_worth():
    assert rooted(4.0, 0.5, 2.0) == (2.0, 2.0 - np.sqrt(3.5))
    assert rooted(0.0, 0.25, 2.0) == (0.0, 0.5)
    assert rooted(4.0, 0.5, 1.0) == (4.0, 0.5)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_many_roots_are_those_of_each_value_to_the_last_bit(p):
    rng = np.random.default_rng(0)
    values, gaps = rng.exponential(size=(2, 500)) * 10.0 ** rng.integers(-200, 200, size=500)
    values[:5] = -1e-20
    many = np.transpose(rooted_all(values, gaps, p))
    np.testing.assert_array_equal(many, [rooted(v, g, p) for v, g in zip(values.tolist(), gaps.tolist(), strict=True)])


def test_what_is_not_abandoned_says_what_its_result_says():
    for name in ("tiot", "etiot"):
        metric = stotmetrics.get_metric(name)
        x, y = metric.prepare(X), metric.prepare(Y)
        whole, batch = metric.pair(x, y), metric.block([x], [y], FIRST, FIRST, np.array([1e9]))
        assert (batch.values[0], batch.gap[0], batch.n_iter[0], batch.converged[0], batch.abandoned[0]) == (
            *(whole.value, whole.gap, whole.n_iter),
            *(True, False),
        )


def test_lower_bound_of_taot_is_exact_where_both_lines_agree():
    # Increasing values at increasing times: one coupling is best for both.
    x = stotmetrics.as_series([0.0, 1.0, 4.0])
    y = stotmetrics.as_series([2.0, 3.0, 9.0], times=[0.0, 3.0, 4.0])
    for params in ({}, {"w": 0.3}, {"scale": "median"}):
        metric = stotmetrics.get_metric("taot", standardize=False, **params)
        sides = [metric.prepare(s) for s in (x, y)]
        (bound,) = metric.lower_bounds(sides[:1], sides[1:], FIRST, FIRST)
        assert bound == pytest.approx(metric(x, y), rel=1e-11)
        assert bound < metric(x, y)


def test_iterations_of_sta_are_the_most_of_the_pair_and_both_self_terms():
    quick, slow_one = np.array([[1.0, 0.0, 0.0]]), np.array([[1.0, 1e-9, 1.0]])
    params = {"ground": [0.0, 1.0, 5.0], "epsilon": 0.01, "rho": 100.0, "tol": 1e-12}
    metric = stotmetrics.get_metric("sta", **params)
    for x, y in ((quick, slow_one), (slow_one, quick)):
        sides = [metric.prepare(stotmetrics.as_series(s)) for s in (x, y)]
        own = [int(side.parts[0].sweeps.max()) for side in sides]
        assert metric.pair(*sides).n_iter >= max(own)


@pytest.mark.parametrize("name", ["taot", "tlp"])
def test_exact_transport_takes_one_solve(name):
    assert stotmetrics.solve(X, Y, metric=name).n_iter == 1


def test_gap_of_the_reference_of_tiot_is_in_the_unit_of_its_costs():
    for size in (1.0, 1e4):
        x, y = (stotmetrics.as_series(size * s.values, times=size * s.times) for s in (X, Y))
        answer = stotmetrics.get_metric("tiot", standardize=False, root=False).reference(x, y)
        assert 1e-16 * answer.value <= answer.gap <= 1e-9 * answer.value


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_etiot_abandons_only_what_exact_transport_proves_too_far(seed, root):
    x, y = (stotmetrics.as_series(s) for s in np.random.default_rng(seed).normal(size=(2, 7)))
    metric = stotmetrics.get_metric("etiot", epsilon=0.01, root=root)
    sides = [metric.prepare(s) for s in (x, y)]
    value, exact = metric(x, y), stotmetrics.tiot(x, y, root=root)

    def abandoned(metric, cutoff):
        given_up = metric.block(sides[:1], sides[1:], FIRST, FIRST, np.array([cutoff])).abandoned
        return given_up is not None and bool(given_up[0])

    assert not abandoned(metric, value * (1 + 1e-9))
    assert abandoned(metric, 0.98 * exact)
    # The paper's values may end anywhere near the saddle point: nothing is proved about them.
    assert not abandoned(stotmetrics.get_metric("etiot_hbcd", epsilon=0.01, root=root), 0.1 * exact)


def test_cost_is_what_was_given_or_compared():
    C = np.array([[0.0, 1.0], [2.0, 0.5]])
    np.testing.assert_array_equal(stotmetrics.softdtw_from_cost(C).cost, C)
    frames = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert stotmetrics.solve(*frames, metric="sta", signed="abs").available == ("cost", "alignment", "path")
    # Two cost matrices are averaged: neither is that of the value.
    assert stotmetrics.solve(*frames, metric="sta", signed="split").available == ()


@pytest.mark.parametrize("band", [None, 0, 2])
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_lower_bounds_of_the_soft_family_are_those_of_the_band_less_the_self_terms(band, gamma):
    x, y = (stotmetrics.as_series(s) for s in np.random.default_rng(5).normal(size=(2, 8)))
    only = np.zeros(1, dtype=np.intp)
    wanted = soft_bounds([x], [y], only, only, gamma, band)[0]
    for name in ("softdtw", "softdtw_divergence"):
        metric = stotmetrics.get_metric(name, gamma=gamma, band=band)
        sides = [metric.prepare(s) for s in (x, y)]
        own = sum(stotmetrics.softdtw(s, s, gamma, band) for s in (x, y)) / 2 if name == "softdtw_divergence" else 0.0
        bounds = metric.spec.lower_bounds(sides[:1], sides[1:], only, only, metric.params)
        assert bounds[0] == pytest.approx(wanted - own, rel=1e-12)


@pytest.mark.parametrize("name", ["tiot", "etiot", "etiot_hbcd"])
@pytest.mark.parametrize("root", [True, False])
def test_value_is_what_the_plan_costs_at_its_w(name, root):
    epsilon = {} if name == "tiot" else {"epsilon": 0.2}
    result = stotmetrics.solve(X, Y, metric=name, p=3.0, root=root, **epsilon)
    x, y = prepare_cloud(X, True), prepare_cloud(Y, True)
    A, B = powers(x.all_values, y.all_values, 3.0), powers(x.all_times[:, None], y.all_times[:, None], 3.0)
    moved = float((result.plan * (result.w * A + (1 - result.w) * B)).sum())
    assert (result.value**3 if root else result.value) == pytest.approx(moved, rel=1e-12)


def test_an_extra_beyond_the_range_of_a_double_says_so():
    x, y = np.array([0.0, 1e200]), np.array([1e200, -1e200])
    solved = stotmetrics.solve(x, x, metric="softdtw_divergence")
    assert solved.value == 0.0
    for result in (solved, pickle.loads(pickle.dumps(solved))):
        with pytest.raises(FloatingPointError, match="the cost of this result leaves the range of a double"):
            result.cost  # noqa: B018
    wide = stotmetrics.solve(x, y, metric="tiot", standardize=False)
    assert np.isfinite(wide.value) and np.isfinite(wide.plan).all()
    with pytest.raises(FloatingPointError, match="the objective of this result"):
        wide.objective  # noqa: B018


def test_a_gap_that_is_no_number_is_an_error_and_no_result():
    spec = stotmetrics.MetricSpec(name="lost", pair=lambda x, y, params: stotmetrics.Result(1.0, gap=np.nan))
    with pytest.raises(FloatingPointError, match="gave a gap of nan"):
        stotmetrics.solve([1.0], [2.0], spec)
