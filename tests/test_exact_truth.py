"""Values against arithmetic without rounding: fractions for linear programs, forty digits for entropic problems."""

from fractions import Fraction
from itertools import pairwise, permutations, product

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.reference.softdtw import alignments
from stotmetrics.transport import sinkhorn_divergence, sinkhorn_unbalanced2
from stotmetrics.transport.ground_cost import Ground

SEEDS = st.integers(0, 2**32 - 1)
DIGITS = 40
few = settings(max_examples=max(5, settings().max_examples // 4))


# --- transport as a flow, in fractions ---


def optimal_plan(cost, supply, demand):
    """The plan of least cost by successive shortest paths; exact for fractions, however degenerate."""
    n, m = len(supply), len(demand)
    flow = {cell: Fraction(0) for cell in product(range(n), range(m))}
    left, wanted = list(supply), list(demand)
    while any(left):
        # Bellman-Ford over sources i and sinks n + j; a cell that carries mass may be taken back.
        away = [Fraction(0) if i < n and left[i] > 0 else None for i in range(n + m)]
        before: list = [None] * (n + m)
        for _ in range(n + m):
            for (i, j), carried in flow.items():
                for start, end, price in ((i, n + j, cost[i][j]), (n + j, i, -cost[i][j])):
                    if away[start] is None or (start >= n and carried == 0):
                        continue
                    if away[end] is None or away[start] + price < away[end]:
                        away[end], before[end] = away[start] + price, start
        end = min((n + j for j in range(m) if wanted[j] > 0 and away[n + j] is not None), key=lambda k: away[k])
        path = [end]
        while before[path[-1]] is not None:
            path.append(before[path[-1]])
        path.reverse()
        steps = [(a, b - n, 1) if a < n else (b, a - n, -1) for a, b in pairwise(path)]
        amount = min([left[path[0]], wanted[end - n], *(flow[i, j] for i, j, sign in steps if sign < 0)])
        for i, j, sign in steps:
            flow[i, j] += sign * amount
        left[path[0]] -= amount
        wanted[end - n] -= amount
    return flow


def priced(plan, cost):
    return sum((mass * cost[i][j] for (i, j), mass in plan.items()), Fraction(0))


def exact_tiot(A, B, a, b):
    """``max_w min_P <w A + (1 - w) B, P>``: the lines of plans at both ends, and of each plan at a crossing below."""

    def solved(w):
        mixed = [[w * A[i][j] + (1 - w) * B[i][j] for j in range(len(b))] for i in range(len(a))]
        plan = optimal_plan(mixed, a, b)
        return priced(plan, A), priced(plan, B)

    low, high = solved(Fraction(0)), solved(Fraction(1))
    if low[0] <= low[1]:
        return low[1], Fraction(0)
    if high[0] >= high[1]:
        return high[0], Fraction(1)
    while True:
        # Where w a + (1 - w) b of both lines meet.
        slopes = low[0] - low[1], high[0] - high[1]
        w = (high[1] - low[1]) / (slopes[0] - slopes[1])
        top = low[1] + w * slopes[0]
        new = solved(w)
        if w * new[0] + (1 - w) * new[1] == top:
            return top, w
        low, high = (new, high) if new[0] > new[1] else (low, new)


def draw(seed, most=5):
    """Two measures of integers: values, times, and weights whose sums are powers of two, all exact in a double."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(2):
        n = int(rng.integers(1, most + 1))
        values, times = rng.integers(-9, 10, n), np.cumsum(rng.integers(1, 4, n))
        cuts = np.sort(rng.choice(np.arange(1, 64), n - 1, replace=False))
        weights = np.diff(np.concatenate([[0], cuts, [64]]))
        drawn.append((values.tolist(), times.tolist(), [Fraction(int(w), 64) for w in weights]))
    return drawn


def as_series(values, times, weights):
    return stotmetrics.as_series([float(v) for v in values], times=times, weights=[float(w) for w in weights])


def costs(x, y, p):
    A = [[Fraction(abs(v - u)) ** p for u in y[0]] for v in x[0]]
    B = [[Fraction(abs(s - t)) ** p for t in y[1]] for s in x[1]]
    return A, B


@given(SEEDS, st.sampled_from([1, 2, 3]), st.sampled_from([0, 1, 5]))
def test_transport_equals_rational_arithmetic(seed, p, omega):
    x, y = draw(seed)
    A, B = costs(x, y, p)
    mixed = [[u + omega * v for u, v in zip(*rows, strict=True)] for rows in zip(A, B, strict=True)]
    truth = float(priced(optimal_plan(mixed, x[2], y[2]), mixed))
    value = stotmetrics.distance(as_series(*x), as_series(*y), metric="taot", p=p, omega=omega, standardize=False)
    assert value == pytest.approx(truth, rel=1e-13, abs=1e-13)


@given(SEEDS, st.sampled_from([1, 2, 3]))
def test_tiot_equals_rational_arithmetic(seed, p):
    x, y = draw(seed)
    A, B = costs(x, y, p)
    value, _ = exact_tiot(A, B, x[2], y[2])
    result = stotmetrics.solve(as_series(*x), as_series(*y), metric="tiot", p=p, standardize=False, root=False)
    assert result.value == pytest.approx(float(value), rel=1e-13, abs=1e-13)
    # At the weight that was found, in fractions: no transport is cheaper than the value.
    w = Fraction(float(result.w))
    mixed = [[w * u + (1 - w) * v for u, v in zip(*rows, strict=True)] for rows in zip(A, B, strict=True)]
    at_w = priced(optimal_plan(mixed, x[2], y[2]), mixed)
    assert float(at_w) == pytest.approx(float(value), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_transport_in_fractions_is_that_of_the_best_permutation(seed):
    """What judges is judged: equal weights, all permutations."""
    rng = np.random.default_rng(seed)
    C = [[Fraction(int(c)) for c in row] for row in rng.integers(0, 20, (4, 4))]
    best = min(sum(C[i][j] for i, j in enumerate(order)) for order in permutations(range(4)))
    assert priced(optimal_plan(C, [Fraction(1)] * 4, [Fraction(1)] * 4), C) == best


# --- soft-DTW: all alignments, forty digits ---


def all_alignments(x, y, gamma):
    """The alignments of two series, what each costs above the cheapest, its weight, and what the cheapest costs."""
    paths = list(alignments(len(x), len(y)))
    sums = [mpmath.fsum((x[i] - y[j]) ** 2 for i, j in path) for path in paths]
    least = min(sums)
    return paths, [total - least for total in sums], [mpmath.exp((least - total) / gamma) for total in sums], least


def precisely(*values):
    return [[mpmath.mpf(v) for v in value] for value in values]


@given(SEEDS, st.sampled_from([1e-6, 0.01, 1.0, 100.0, 1e6]), st.sampled_from([1e-3, 1.0, 1e3]))
def test_softdtw_and_its_gradient_equal_forty_digits_over_all_alignments(seed, gamma, scale):
    rng = np.random.default_rng(seed)
    n, m = (int(k) for k in rng.integers(1, 5, 2))
    x, y = scale * rng.normal(size=n), scale * rng.normal(size=m)
    with mpmath.workdps(DIGITS):
        X, Y = precisely(x, y)
        paths, _, weights, least = all_alignments(X, Y, mpmath.mpf(gamma))
        partition = mpmath.fsum(weights)
        value = float(least - mpmath.mpf(gamma) * mpmath.log(partition))
        slopes = [mpmath.mpf(0)] * n
        for path, weight in zip(paths, weights, strict=True):
            for i, j in path:
                slopes[i] += 2 * (X[i] - Y[j]) * weight / partition
        slopes = [float(s) for s in slopes]
    computed, of_x, _ = stotmetrics.value_and_grad(x, y, metric="softdtw", gamma=gamma)
    # A value may cancel against gamma log D.
    assert computed == pytest.approx(value, rel=1e-12, abs=1e-13 * (gamma + scale**2))
    assert stotmetrics.softdtw(x, y, gamma=gamma) == pytest.approx(value, rel=1e-12, abs=1e-13 * (gamma + scale**2))
    # Where gamma is far below the costs, their last digit moves the weights of the alignments.
    digit = 2.0**-50 * max(1.0, scale**2 / gamma)
    np.testing.assert_allclose(of_x[:, 0], slopes, rtol=1e-11, atol=scale * max(1e-11, 100 * digit))


# The exponential domain, and the log domain of a band.
@pytest.mark.parametrize("band", [None, 9])
@given(SEEDS, st.sampled_from([1e-12, 1e-9, 1e-6, 1e-3, 0.1, 1.0, 100.0, 1e6, 1e200]), st.booleans())
def test_the_expected_cost_and_its_gradient_equal_forty_digits_at_any_gamma(band, seed, gamma, ties):
    rng = np.random.default_rng(seed)
    n, m = (int(k) for k in rng.integers(2, 6, 2))
    # Halves, of which many alignments cost the same; else no two do.
    x, y = (rng.integers(-4, 5, k) / 2 if ties else rng.normal(size=k) for k in (n, m))
    with mpmath.workdps(DIGITS):
        X, Y = precisely(x, y)
        paths, excess, weights, least = all_alignments(X, Y, mpmath.mpf(gamma))
        partition = mpmath.fsum(weights)
        shares = [weight / partition for weight in weights]
        mean = mpmath.fsum(share * more for share, more in zip(shares, excess, strict=True))
        slopes = [[mpmath.mpf(0)] * k for k in (n, m)]
        for path, share, more in zip(paths, shares, excess, strict=True):
            moved = share * (1 - (more - mean) / gamma)
            for i, j in path:
                slopes[0][i] += 2 * (X[i] - Y[j]) * moved
                slopes[1][j] -= 2 * (X[i] - Y[j]) * moved
        value, slopes = float(least + mean), [np.array([float(s) for s in side]) for side in slopes]
        costs = sorted({*excess})[:2]
    computed, *of = stotmetrics.value_and_grad(x, y, metric="softdtw_sharp", gamma=gamma, band=band)
    assert computed == pytest.approx(value, rel=1e-13)
    assert stotmetrics.distance(x, y, metric="softdtw_sharp", gamma=gamma, band=band) == pytest.approx(value, rel=1e-13)
    # Only between alignments of one cost does rounding move the weights by its share of gamma: without them, and where
    # gamma is no part of what the others cost more, nothing is lost.
    lonely = not ties and len(costs) > 1 and costs[1] > 100 * gamma
    loss = 0.0 if lonely else 1e-15 * float(max(excess) + least) / gamma
    for side, expected in zip(of, slopes, strict=True):
        np.testing.assert_allclose(side[:, 0], expected, rtol=0, atol=(1e-13 + loss) * (1 + abs(expected).max()))


# --- unbalanced transport: the fixed point in forty digits ---


def precise_unbalanced(x, y, M, epsilon, rho):
    """W by its closed form at the fixed point, without the constant ``epsilon |K|``; zero masses take no part."""
    x, y, epsilon, rho = [mpmath.mpf(v) for v in x], [mpmath.mpf(v) for v in y], mpmath.mpf(epsilon), mpmath.mpf(rho)
    K = [[mpmath.exp(-mpmath.mpf(c) / epsilon) for c in row] for row in M]
    omega, n, m = rho / (rho + epsilon), len(x), len(y)
    a, b = [mpmath.mpf(1)] * n, [mpmath.mpf(1)] * m
    while True:
        old = a
        a = [(x[i] / mpmath.fsum(K[i][j] * b[j] for j in range(m))) ** omega for i in range(n)]
        b = [(y[j] / mpmath.fsum(K[i][j] * a[i] for i in range(n))) ** omega for j in range(m)]
        if all(abs(u - v) <= mpmath.mpf(10) ** (5 - DIGITS) * abs(u) for u, v in zip(a, old, strict=True)):
            break
    mass = mpmath.fsum(a[i] * K[i][j] * b[j] for i in range(n) for j in range(m))
    return -(epsilon + 2 * rho) * mass + rho * (mpmath.fsum(x) + mpmath.fsum(y))


@few
@given(SEEDS, st.sampled_from([0.2, 1.0, 5.0]), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([1e-6, 1.0, 1e6]))
def test_unbalanced_transport_equals_forty_digits(seed, epsilon, rho, mass):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    x, y, points = mass * rng.uniform(0.1, 2, n), mass * rng.uniform(0.1, 2, n), rng.uniform(0, 2, (n, 2))
    M = ((points[:, None] - points) ** 2).sum(2)
    with mpmath.workdps(DIGITS):
        xy, xx, yy = (precise_unbalanced(*pair, M, epsilon, rho) for pair in ((x, y), (x, x), (y, y)))
        truth, total = float(xy - (xx + yy) / 2), float(xy)
    largest = max(x.sum(), y.sum())
    value = sinkhorn_unbalanced2(
        x, y, M, epsilon, rho, reg_type="entropy", returnCost="total", stopThr=1e-12, numItermax=10_000
    )
    # With all ones as the reference, the constant is epsilon n^2.
    scale = largest * (epsilon + 2 * rho) + epsilon * n * n
    assert value == pytest.approx(total + epsilon * n * n, abs=1e-11 * scale)
    S = sinkhorn_divergence(x, y, M, epsilon, rho, stopThr=1e-12, numItermax=10_000)
    assert truth - 1e-11 * scale <= S <= truth + 1e-11 * scale
    ground = {"ground": Ground.from_cost(M), "epsilon": epsilon, "rho": rho, "tol": 1e-10, "gamma": 0.0}
    result = stotmetrics.solve(x[None], y[None], metric="sta", **ground)
    assert abs(result.value - truth) <= result.gap + 1e-12 * scale
    assert result.gap <= 1e-10 * largest + 1e-12 * abs(truth)


# --- entropic TiOT: the saddle point in forty digits ---


def precise_etiot(A, B, a, b, epsilon):
    """<C_w, P> at the saddle point, and the objective: the slope of the concave inner minimum has its root there."""
    n, m = len(a), len(b)
    epsilon = mpmath.mpf(epsilon)

    def plan(w):
        K = [[mpmath.exp(-(w * A[i][j] + (1 - w) * B[i][j]) / epsilon) for j in range(m)] for i in range(n)]
        u = [mpmath.mpf(1)] * n
        while True:
            v = [b[j] / mpmath.fsum(K[i][j] * u[i] for i in range(n)) for j in range(m)]
            old, u = u, [a[i] / mpmath.fsum(K[i][j] * v[j] for j in range(m)) for i in range(n)]
            if all(abs(s - t) <= mpmath.mpf(10) ** (5 - DIGITS) * abs(s) for s, t in zip(u, old, strict=True)):
                return [[u[i] * K[i][j] * v[j] for j in range(m)] for i in range(n)]

    def cost(P, C):
        return mpmath.fsum(P[i][j] * C[i][j] for i in range(n) for j in range(m))

    def slope(w):
        P = plan(w)
        return cost(P, A) - cost(P, B)

    if slope(mpmath.mpf(0)) <= 0:
        w = mpmath.mpf(0)
    elif slope(mpmath.mpf(1)) >= 0:
        w = mpmath.mpf(1)
    else:
        w = mpmath.findroot(slope, (0, 1), solver="anderson", tol=1e-50, maxsteps=60)
    P = plan(w)
    value = w * cost(P, A) + (1 - w) * cost(P, B)
    entropy = mpmath.fsum(P[i][j] * mpmath.log(P[i][j] / (a[i] * b[j])) for i in range(n) for j in range(m))
    return value, value + epsilon * entropy


@few
@given(SEEDS, st.sampled_from([2.0, 20.0, 200.0]))
def test_etiot_equals_forty_digits(seed, epsilon):
    x, y = draw(seed, most=3)
    with mpmath.workdps(DIGITS):
        A, B = ([[mpmath.mpf(c.numerator) for c in row] for row in C] for C in costs(x, y, 1))
        a, b = ([mpmath.mpf(w.numerator) / w.denominator for w in side[2]] for side in (x, y))
        value, objective = (float(v) for v in precise_etiot(A, B, a, b, epsilon))
    result = stotmetrics.solve(
        as_series(*x), as_series(*y), metric="etiot", p=1, epsilon=epsilon, standardize=False, tol=1e-13
    )
    assert abs(result.objective - objective) <= result.gap + 1e-13 * max(1.0, objective)
    # The objective is flat at the saddle point, so that the value is good to the root of the gap.
    assert result.value == pytest.approx(value, abs=1e-7 * max(1.0, value))
