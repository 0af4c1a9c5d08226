"""STA: its definition, its laws, and the published divergences."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import stotmetrics
from stotmetrics import ConvergenceWarning, InvalidSeriesError
from stotmetrics.kernels import _softdtw
from stotmetrics.metrics.sta import costs_of
from stotmetrics.reference import sinkhorn as reference
from stotmetrics.testing import strategies
from stotmetrics.transport.ground_cost import Ground


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    """Products this small do not gain from threads, and idle ones spin."""
    with threadpool_limits(1, user_api="blas"):
        yield


def series(seed, T=4, P=6, zeros=0.0):
    rng = np.random.default_rng(seed)
    x = rng.random((T, P)) + 0.01
    x[rng.random((T, P)) < zeros] = 0.0
    return x


def cost(x, y, **params):
    return stotmetrics.solve(x, y, metric="sta", **params).cost


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.1, 2.0]), st.sampled_from([0.3, 1.0]))
@settings(max_examples=settings().max_examples // 2)
def test_value_is_that_of_the_reference(seed, gamma, rho):
    x, y = series(seed, 3, 5, zeros=0.3), series(seed + 1, 2, 5)
    metric = stotmetrics.get_metric("sta", gamma=gamma, rho=rho, tol=1e-9)
    wanted = metric.reference(stotmetrics.as_series(x), stotmetrics.as_series(y)).value
    result = metric.solve(x, y)
    assert abs(result.value - wanted) <= result.gap + 1e-9
    assert result.gap <= 1e-9 * (len(x) + len(y))


POINTS = np.random.default_rng(3).random((6, 2))
GROUNDS = [
    Ground.from_cost(np.linalg.norm(POINTS[:, None] - POINTS, axis=2)),
    Ground.from_points(POINTS, p=1.5),
    Ground.from_points(POINTS).normalized(),
    Ground.grid((2, 3), spacing=(1.0, 0.4), p=1.5),
    Ground.grid((3, 2), spacing=(0.3, 0.7)).normalized(),
]


@pytest.mark.parametrize("ground", GROUNDS, ids=repr)
def test_value_on_any_ground_is_that_of_the_reference(ground):
    shape = ground.shape if ground.to_config()["kind"] == "grid" else (6,)
    x, y = (stotmetrics.as_series(series(seed, 3).reshape(3, *shape)) for seed in range(2))
    metric = stotmetrics.get_metric("sta", ground=ground, epsilon=0.1, tol=1e-9)
    assert metric.solve(x, y).value == pytest.approx(metric.reference(x, y).value, abs=1e-7)


def test_a_gradient_has_converged_where_it_keeps_the_promise_of_the_value():
    """It aims at the square of the tolerance, which four sweeps do not reach."""
    metric = stotmetrics.get_metric("sta", tol=1e-6, max_iter=4)
    x, y = (metric.prepare(stotmetrics.as_series(series(seed))) for seed in range(2))
    batch = metric.gradients([x], [y], np.array([0]), np.array([0]), "left")
    assert batch.converged.all()
    assert 1e-11 < batch.gap[0] < 2e-5
    assert batch.values[0] == pytest.approx(stotmetrics.sta(series(0), series(1), tol=1e-12), abs=batch.gap[0])


@given(strategies.frames(max_length=4, shape=4), strategies.frames(max_length=4, shape=4))
def test_divergence_is_symmetric_zero_at_equality_and_not_negative(x, y):
    forth, back = (stotmetrics.solve(*pair, metric="sta") for pair in ((x, y), (y, x)))
    assert forth.value == back.value
    np.testing.assert_allclose(forth.cost, back.cost.T, rtol=0, atol=2e-6)
    assert forth.cost.min() >= 0.0
    np.testing.assert_array_equal(np.diag(cost(x, x)), 0.0)


@given(strategies.frames(max_length=3, shape=5), strategies.ground_costs(5))
def test_divergence_is_above_minus_its_certified_error_with_a_definite_kernel(x, M):
    metric = stotmetrics.get_metric("sta", ground=Ground.from_cost(M), gamma=0.0, tol=1e-7)
    result = metric.solve(x, x[::-1].copy())
    assert result.cost.min() >= -1e-7


@given(st.integers(0, 1000))
@settings(max_examples=settings().max_examples // 2)
def test_divergence_counts_the_masses_of_the_plans(seed):
    """Prop. 6 of the paper."""
    x, y = series(seed, 1, 6), series(seed + 1, 1, 6)
    ground = Ground.grid((6,)).normalized()
    epsilon, rho, M = 0.3, 0.8, ground.cost()

    def mass(a, b):
        return reference.plan(*reference.potentials(a[0], b[0], M, epsilon, rho), M, epsilon).sum()

    expected = (epsilon + 2 * rho) * ((mass(x, x) + mass(y, y)) / 2 - mass(x, y))
    value = cost(x, y, epsilon=epsilon, rho=rho, tol=1e-9)[0, 0]
    assert value == pytest.approx(expected, abs=2e-9)


def test_published_divergences_of_the_cortex(shared):
    figures = np.load(shared / "reference" / "sta_cortex_pairs.npz")
    distance = np.load(shared / "data" / "brain" / "cortex642.npz")["geodesic_distance"]
    ground = Ground.from_cost(distance**2).normalized()
    frames = np.ascontiguousarray(figures["frames"])
    for name in ("0_1", "0_2", "0_4"):
        i, j = map(int, name.split("_"))
        result = stotmetrics.solve(
            frames[i],
            frames[j],
            metric="sta",
            gamma=float(figures["gammas"][3]),
            ground=ground,
            epsilon=10 / 642,
            tol=2e-8,
        )
        np.testing.assert_allclose(result.cost, figures[f"S_{name}"], rtol=0, atol=1e-7)
        assert result.value == pytest.approx(figures[f"sta_{name}"][3], abs=1e-6)
        for gamma, expected in zip(figures["gammas"], figures[f"sta_{name}"], strict=True):
            assert _softdtw.value(result.cost, float(gamma)) == pytest.approx(expected, abs=1e-6)


def test_default_epsilon_is_the_published_one():
    ground = Ground.grid((6,)).normalized()
    x, y = series(0), series(1)
    assert stotmetrics.sta(x, y) == stotmetrics.sta(x, y, epsilon=10 / 6, ground=ground)


def test_frames_live_on_their_pixels():
    frames = np.random.default_rng(0).random((2, 3, 4, 5))
    expected = stotmetrics.sta(
        frames[0].reshape(3, 20), frames[1].reshape(3, 20), ground=Ground.grid((4, 5)).normalized()
    )
    assert stotmetrics.sta(frames[0], frames[1]) == expected


def test_value_does_not_depend_on_the_order_of_the_points_or_the_axes_of_a_grid():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3, 4, 5))
    params = {"gamma": 0.1, "tol": 1e-9}
    plain = stotmetrics.sta(x, y, **params)
    flipped = stotmetrics.sta(np.ascontiguousarray(x.swapaxes(1, 2)), np.ascontiguousarray(y.swapaxes(1, 2)), **params)
    assert flipped == pytest.approx(plain, abs=1e-7)
    order = rng.permutation(20)
    M = Ground.grid((4, 5)).normalized().cost()
    x, y = x.reshape(3, 20), y.reshape(3, 20)
    shuffled = stotmetrics.sta(x[:, order], y[:, order], ground=M[np.ix_(order, order)], epsilon=0.5, **params)
    assert shuffled == pytest.approx(stotmetrics.sta(x, y, ground=M, epsilon=0.5, **params), abs=1e-7)


def test_grows_with_the_shift_in_space_and_in_time():
    still = np.full((9, 30), 1e-3)

    def peak(t, place):
        x = still.copy()
        x[t, place] += 1.0
        return x

    x = peak(2, 5)
    in_space = [stotmetrics.sta(x, peak(2, 5 + k), gamma=0.0, epsilon=0.02) for k in (0, 1, 4, 12)]
    in_time = [stotmetrics.sta(x, peak(2 + k, 5), gamma=0.05, epsilon=0.02) for k in (0, 1, 3, 5)]
    assert np.all(np.diff(in_space) > 0)
    assert np.all(np.diff(in_time) > 0)


def test_zero_frames_are_legal_and_cost_their_mass():
    x, y = np.zeros((2, 5)), series(1, 3, 5)
    result = stotmetrics.solve(x, y, metric="sta", gamma=0.0, rho=0.7)
    assert np.isfinite(result.value) and result.converged
    expected = [0.7 * f.sum() - reference_self(f) / 2 for f in y]
    np.testing.assert_allclose(result.cost, [expected] * 2, atol=2e-6)
    assert stotmetrics.sta(x, x, gamma=0.0) == 0.0


def reference_self(frame):
    M = Ground.grid((5,)).normalized().cost()
    return reference.value(frame, frame, M, 2.0, 0.7) - 2.0 * np.exp(-M / 2.0).sum()


def test_signed_values():
    x, y = np.random.default_rng(0).normal(size=(2, 3, 6))
    with pytest.raises(InvalidSeriesError, match="non-negative"):
        stotmetrics.sta(x, y)
    assert stotmetrics.sta(x, y, signed="abs") == stotmetrics.sta(abs(x), abs(y))
    parts = [stotmetrics.sta(np.maximum(s * x, 0), np.maximum(s * y, 0)) for s in (1, -1)]
    assert stotmetrics.sta(x, y, signed="split") == pytest.approx(np.mean(parts))
    assert stotmetrics.sta(abs(x), abs(y), signed="abs") == stotmetrics.sta(abs(x), abs(y))


def test_balanced_is_the_limit_and_refuses_unequal_masses():
    x, y = series(0, zeros=0.3), series(1)
    with pytest.raises(InvalidSeriesError, match="rho=inf compares frames of equal mass; got masses from"):
        stotmetrics.sta(x, y, rho=np.inf)
    x, y = x / x.sum(1, keepdims=True), y / y.sum(1, keepdims=True)
    balanced = stotmetrics.sta(x, y, rho=np.inf, tol=1e-9)
    assert stotmetrics.sta(x, y, rho=1e4, tol=1e-9) == pytest.approx(balanced, abs=1e-3)
    assert stotmetrics.sta(x, x, rho=np.inf, gamma=0.0) == 0.0


def test_ground_of_another_size_is_refused():
    message = "ground of sta has 5 points, but a frame of the series has 6; pass a ground with one point for each value"
    with pytest.raises(InvalidSeriesError, match=message):
        stotmetrics.sta(series(0), series(1), ground=Ground.grid((5,)))


def test_config_round_trips_with_a_ground():
    metric = stotmetrics.get_metric("sta", ground=np.arange(6.0), gamma=0.3)
    again = stotmetrics.BoundMetric.from_config(metric.config())
    assert again == metric and hash(again) == hash(metric)
    assert again(series(0), series(1)) == metric(series(0), series(1))


def test_an_iteration_that_is_cut_short_says_so_and_its_gap_holds():
    x, y = series(0), series(1)
    exact = stotmetrics.solve(x, y, metric="sta", epsilon=0.05, tol=1e-10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = stotmetrics.solve(x, y, metric="sta", epsilon=0.05, tol=1e-10, max_iter=2)
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert not result.converged and result.n_iter == 2
    assert abs(result.value - exact.value) <= result.gap + exact.gap
    # The gap is what the certified costs allow, on both sides.
    assert 1e-6 < result.gap < 10


def test_value_does_not_depend_on_the_batch_or_the_threads():
    X = [series(k, 3 + k % 2, 6, zeros=0.2) for k in range(5)]
    matrix = stotmetrics.pairwise(X, metric="sta", n_jobs=1)
    two = stotmetrics.pairwise(X, metric="sta", n_jobs=2)
    np.testing.assert_array_equal(matrix, two)
    np.testing.assert_array_equal(matrix[1:4, 1:4], stotmetrics.pairwise(X[1:4], metric="sta"))
    assert matrix[0, 3] == pytest.approx(stotmetrics.sta(X[0], X[3]), abs=1e-6)


@pytest.mark.parametrize("signed", ["refuse", "abs"])
@pytest.mark.parametrize("rho", [0.5, 5.0])
def test_gradient_is_that_of_finite_differences(signed, rho):
    x, y = series(0, 3, 5), series(1, 4, 5)
    if signed == "abs":
        x[1] *= -1.0
    params = {"gamma": 0.3, "rho": rho, "signed": signed, "epsilon": 0.2, "tol": 1e-7}
    value, grad_x, grad_y = stotmetrics.value_and_grad(x, y, metric="sta", **params)
    assert value == pytest.approx(stotmetrics.sta(x, y, **params), abs=1e-5)
    exact = {**params, "tol": 1e-13}
    for array, grad, at in ((x, grad_x, (1, 2)), (x, grad_x, (2, 0)), (y, grad_y, (3, 4)), (y, grad_y, (0, 1))):
        step, keep = 1e-4, array[at]
        ends = []
        for sign in (1, -1):
            array[at] = keep + sign * step
            with warnings.catch_warnings():
                # As exact as rounding allows, which is less than it asks for.
                warnings.simplefilter("ignore", ConvergenceWarning)
                ends.append(stotmetrics.sta(x, y, max_iter=300, **exact))
        array[at] = keep
        assert grad[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7, rel=1e-6)


def test_gradient_vanishes_between_equal_frames_only():
    """Prop. 8 of the paper: the only stationary points are the equal ones."""
    x, y = series(0, 1, 6), series(1, 1, 6)
    _, grad_x, grad_y = stotmetrics.value_and_grad(x, x.copy(), metric="sta", tol=1e-8)
    np.testing.assert_allclose(grad_x, 0, atol=1e-6)
    np.testing.assert_allclose(grad_y, 0, atol=1e-6)
    assert abs(stotmetrics.value_and_grad(x, y, metric="sta")[1]).max() > 1e-2


def test_gradient_where_there_is_no_mass_is_refused():
    x, y = series(0), series(1)
    x[1, 2] = 0.0
    with pytest.raises(InvalidSeriesError, match=r"x has no mass at time index 1, point 2, .* add a small"):
        stotmetrics.value_and_grad(x, y, metric="sta")
    with pytest.raises(InvalidSeriesError, match="y has no mass at time index 1, point 2"):
        stotmetrics.value_and_grad(y, x, metric="sta")


def test_several_gammas_are_the_matrices_of_each():
    X = [series(k, 3 + k % 2, 6, zeros=0.2) for k in range(4)]
    gammas = [0.0, 0.1, 1.0]
    matrices = stotmetrics.sta_over_gamma(X, gammas=gammas, n_jobs=2, rho=0.5)
    for gamma, matrix in zip(gammas, matrices, strict=True):
        np.testing.assert_array_equal(matrix, stotmetrics.pairwise(X, metric="sta", gamma=gamma, rho=0.5))
    between = stotmetrics.sta_over_gamma(X[:1], X[1:], gammas=gammas[:1])
    np.testing.assert_array_equal(between[0], stotmetrics.pairwise(X[:1], X[1:], metric="sta", gamma=0.0))


@given(st.integers(0, 1000))
@settings(max_examples=settings().max_examples // 2)
def test_moved_mass_lies_between_the_bounds_of_lemma_2(seed):
    x, y = series(seed, 1, 6)[0], series(seed + 1, 1, 6)[0]
    M, epsilon, rho = Ground.grid((6,)).normalized().cost(), 0.4, 0.9
    mass = reference.plan(*reference.potentials(x, y, M, epsilon, rho), M, epsilon).sum()
    kappa, power = np.exp(-M.max() / rho), 2 + epsilon / rho
    product = x.sum() * y.sum()
    assert kappa * product <= mass**power * (1 + 1e-12)
    assert mass**power <= 6 ** (2 * (1 + epsilon / rho)) * product


def test_divergence_is_coercive():
    """Prop. 7 of the paper: it grows without bound with either mass."""
    x, y = series(0, 1), series(1, 1)
    values = [cost(x * factor, y)[0, 0] for factor in (1.0, 1e1, 1e2, 1e3)]
    assert np.all(np.diff(values) > 0)
    assert values[-1] > 10 * values[1]


@given(strategies.frames(max_length=3, shape=6), strategies.frames(max_length=3, shape=6))
@settings(max_examples=settings().max_examples // 2)
def test_divergence_is_at_least_a_distance_between_the_scalings_of_the_self_terms(x, y):
    """Weak duality at the potentials of the self terms: S(x, y) >= epsilon / 2 |a - b|_K^2. The guide tells of it."""
    M, epsilon, rho = Ground.grid((6,)).normalized().cost(), 0.4, 0.9
    K = np.exp(-M / epsilon)

    def scalings(frames):
        return np.array([np.exp(reference.potentials(frame, frame, M, epsilon, rho)[0] / epsilon) for frame in frames])

    a, b = scalings(x), scalings(y)
    below = epsilon / 2 * np.array([[(u - v) @ K @ (u - v) for v in b] for u in a])
    result = stotmetrics.solve(x, y, metric="sta", epsilon=epsilon, rho=rho, ground=Ground.from_cost(M), tol=1e-9).cost
    assert (below <= result + 1e-6 * (1 + result)).all()


def test_both_orders_of_a_pair_are_equal_to_the_last_digit():
    for seed in range(5):
        x, y = series(seed, 4, 6, zeros=0.2), series(seed + 50, 5, 6, zeros=0.2)
        assert stotmetrics.sta(x, y, gamma=0.3) == stotmetrics.sta(y, x, gamma=0.3)


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
def test_gap_is_the_larger_side_of_what_the_errors_of_the_costs_allow():
    metric = stotmetrics.get_metric("sta", gamma=0.3, epsilon=0.05, tol=1e-10, max_iter=2)
    x, y = (metric.prepare(stotmetrics.as_series(series(seed))) for seed in (0, 1))
    (cost,) = costs_of(x, y)
    value, gap = cost.bounds(0.3)
    low, high = (_softdtw.value(cost.value + sign * cost.error, 0.3) for sign in (-1.0, 1.0))
    assert cost.error.max() > 1e-6
    assert value == pytest.approx(_softdtw.value(cost.value, 0.3), rel=1e-12)
    assert gap == pytest.approx(max(high - value, value - low), rel=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 0.2])
def test_alignment_is_that_of_the_cost(gamma):
    result = stotmetrics.solve(series(0), series(1), metric="sta", gamma=gamma)
    alone = stotmetrics.softdtw_from_cost(result.cost, gamma)
    assert result.value == pytest.approx(alone.value, rel=1e-12)
    np.testing.assert_allclose(result.alignment, alone.alignment, atol=1e-12)


def test_a_tolerance_beyond_all_masses_asks_for_nothing_more():
    x, y = np.random.default_rng(0).random((2, 3, 4)) + 0.1
    value, grad_x, grad_y = stotmetrics.value_and_grad(x, y, metric="sta", tol=1e200)
    assert np.isfinite(value) and np.isfinite(grad_x).all() and np.isfinite(grad_y).all()


@pytest.mark.parametrize("far", [1e3, 1e5, 1e7, 1e12])
@pytest.mark.parametrize("seed", range(4))
def test_on_a_ground_far_above_epsilon_every_point_is_alone(far, seed):
    """Nothing moves: each point is a problem of two numbers, P_ii = (x_i y_i)^k, k = rho / (epsilon + 2 rho)."""
    rng = np.random.default_rng(seed)
    places, epsilon, rho = rng.standard_normal((7, 2)), 0.1, 1.0
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(-1))
    ground = Ground.from_cost(far * apart / apart[apart > 0].min())
    x, y = (rng.integers(0, 3, (T, 7)) / 2.0 for T in (5, 1))
    y[0, 1:] = 0.0
    power = rho / (epsilon + 2 * rho)
    wanted = (epsilon + 2 * rho) / 2 * ((x[:, None] ** power - y[None] ** power) ** 2).sum(-1)
    for first, second, expected in ((x, y, wanted), (y, x, wanted.T)):
        result = stotmetrics.solve(first, second, metric="sta", gamma=0.0, epsilon=epsilon, rho=rho, ground=ground)
        assert result.converged
        np.testing.assert_allclose(result.cost, expected, atol=1e-5)


def test_unequal_masses_within_one_series_are_refused_on_every_path():
    x = series(3)
    x[0] *= 2.0
    metric = stotmetrics.get_metric("sta", gamma=0.0, rho=np.inf)
    read = stotmetrics.as_series(x)
    for call in (lambda: metric(x, x), lambda: stotmetrics.pairwise([x], metric=metric), lambda: metric.prepare(read)):
        with pytest.raises(InvalidSeriesError, match="equal mass"):
            call()


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(12))
def test_the_gap_holds_at_a_vanishing_epsilon_and_wherever_the_sweeps_run_out(seed):
    # A certificate of garbage is worse than none: costs of 1e18 epsilon have no digits behind the point.
    rng = np.random.default_rng(seed)
    points, epsilon, sweeps = int(rng.integers(2, 7)), 10.0 ** rng.uniform(-20, -8), int(rng.integers(1, 90))
    x = 10 * rng.random((4, points)) * (rng.random((4, points)) < 0.6)
    y = np.repeat(20 * rng.random((1, points)), 3, axis=0)
    short, long = (
        stotmetrics.solve(x, y, metric="sta", epsilon=epsilon, gamma=0.0, max_iter=most, tol=tol)
        for most, tol in ((sweeps, 1e-6), (100_000, 1e-8))
    )
    assert abs(short.value - long.value) <= short.gap + long.gap + 1e-9
    assert np.isfinite(short.cost).all()


@pytest.mark.filterwarnings("ignore::stotmetrics.ConvergenceWarning")
@pytest.mark.parametrize("seed", [158, 211, 222, 259, 264, 283])
def test_a_gradient_is_one_where_some_frames_keep_the_potentials_of_another_and_some_find_better_ones(seed):
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.random((1, 4)) + 0.1, 3, 0) * 10.0 ** rng.uniform(-3, 3)
    y = 10.0 ** rng.uniform(-6, 3, (7, 4))
    epsilon, sweeps, rho = 10.0 ** rng.uniform(-3, 3), int(rng.integers(1, 300)), 10.0 ** rng.uniform(-3, 1)
    keys = {"epsilon": epsilon, "max_iter": sweeps, "rho": rho, "tol": 10.0 ** rng.uniform(-8, -1)}
    value, *slopes = stotmetrics.value_and_grad(x, y, metric="sta", **keys)
    assert value == pytest.approx(stotmetrics.sta(x, y, **keys), rel=1e-3)
    for slope, series in zip(slopes, (x, y), strict=True):
        assert slope.shape == series.shape and np.isfinite(slope).all()


@pytest.mark.parametrize("tol", [1e-6, 9e-3])
def test_a_gradient_that_is_lost_at_a_vanishing_epsilon_is_told(tol):
    x = np.array(
        [
            [[1.2936299812393013, 1.2716327882198548], [0.6525402980956747, 2.6883648080063627]],
            [[0.34951957954057267, 0.17112715130641595], [2.773192104276246, 1.5104140184619208]],
            [[0.3507580884519749, 1.3977255877265766], [0.26528619502900125, 2.568997103816242]],
            [[3.370293024890979, 0.5978773922486615], [1.2693307819264832, 0.10986131423297346]],
        ]
    )
    with pytest.warns(stotmetrics.ConvergenceWarning):
        value, grad_x, grad_y = stotmetrics.value_and_grad(
            x, 1.001 * x, metric="sta", epsilon=3e-27, tol=tol, max_iter=86
        )
    assert np.isfinite(value) and np.isfinite(grad_x).all() and np.isfinite(grad_y).all()
