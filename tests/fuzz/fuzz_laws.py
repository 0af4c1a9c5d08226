"""What must hold of an answer, whatever was asked: cheap to check, and true without a reference."""

import math

import numpy as np

import stotmetrics
from stotmetrics.metrics.softdtw import gamma_of

RTOL = 1e-8


class BrokenLawError(AssertionError):
    """An answer that cannot be right."""


def require(condition, message):
    if not condition:
        raise BrokenLawError(message)


def close(a, b, allowed, what):
    require(abs(a - b) <= allowed, f"{what}: {a!r} and {b!r} differ by more than {allowed:.3g}")


def finite(x, what):
    """Every number in an answer is finite."""
    if isinstance(x, (tuple, list)):
        for part in x:
            finite(part, what)
    elif isinstance(x, dict):
        for name, part in x.items():
            finite(part, f"{what}[{name!r}]")
    elif isinstance(x, (int, float, np.ndarray, np.generic)):
        require(np.isfinite(np.asarray(x, dtype=float)).all(), f"{what} is not finite: {x!r}")


def is_loose(metric):
    """Whether a tolerance leaves more to the cost of an entropic plan than to its objective, of which the gap is."""
    return getattr(metric.params, "tol", 0.0) > 1e-6


def noise(metric, x, y, value):
    """What rounding may do to a value: a share of the largest number that goes into it."""
    size = abs(value)
    if metric.name == "softdtw_divergence":
        params = {"gamma": metric.params.gamma, "band": metric.params.band}
        parts = [stotmetrics.distance(a, b, "softdtw", **params) for a, b in ((x, y), (x, x), (y, y))]
        size = max(size, *map(abs, parts))
    size *= 1e6 if is_loose(metric) else 1.0
    largest = np.float64(max(np.abs(x.values).max(), np.abs(y.values).max(), 1.0))
    if metric.name == "softdtw_sharp":
        # Far from the best alignments probabilities below 2^-500 are nothing, and what they add to a mean is lost.
        return RTOL * size + 2.0**-490 * largest**2
    floor = 1e-290 * largest
    if metric.name.startswith("softdtw"):
        # A soft minimum is a logarithm in units of gamma.
        floor += 1e-14 * (len(x) + len(y)) * gamma_of(x, y, metric.params.gamma)
    return RTOL * size + floor


def solved(ns):
    """A result is finite with all its extras, inside its own bounds, and says what the value says."""
    metric, x, y, result = ns["metric"], ns["x"], ns["y"], ns["answer"]
    require(math.isfinite(result.value), f"value is {result.value!r}")
    require(result.gap is None or (math.isfinite(result.gap) and result.gap >= 0), f"gap is {result.gap!r}")
    require(result.n_iter >= 0, f"n_iter is {result.n_iter!r}")
    extras = {name: _extra(result, name, ns["moderate"]) for name in result.available}
    for name, extra in extras.items():
        finite(extra, name)
    if "w" in extras:
        require(0 <= result.w <= 1, f"w is {result.w!r}")
    if extras.get("alignment") is not None:
        require(result.alignment.min() >= 0 and result.alignment.max() <= 1 + 1e-6, "the alignment leaves [0, 1]")
    for name in ("alignment", "plan", "cost"):
        if isinstance(extras.get(name), np.ndarray):
            require(extras[name].shape == (len(x), len(y)), f"{name} of shape {extras[name].shape}")
    if isinstance(extras.get("plan"), np.ndarray) and metric.traits.uses_weights and result.converged:
        require(result.plan.min() >= 0, f"the plan holds {result.plan.min()!r}")
        off = max(abs(result.plan.sum(k) - s.weights / s.weights.sum()).sum() for k, s in ((1, x), (0, y)))
        # The paper's own rule looks at one marginal, to a tolerance of any size; its value is of the plan as it is.
        allowed = max(2.0, metric.params.tol) if metric.name == "etiot_hbcd" else 1e-6
        require(off <= allowed + 1e-9, f"the marginals of the plan are off by {off:.3g}")
    close(metric(x, y), result.value, 0.0, "distance and solve")


def _extra(result, name, moderate):
    """An extra, or None where it says that it leaves the range of a double."""
    try:
        return getattr(result, name)
    except FloatingPointError as error:
        require("rescale" in str(error) and not moderate, f"{name}: {error}")
        return None


def axioms(ns):
    """What the traits claim."""
    metric, x, y, result = ns["metric"], ns["x"], ns["y"], ns["answer"]
    traits, slack = metric.traits, noise(metric, x, y, result.value)
    gap = result.gap or 0.0
    if traits.nonnegative:
        require(result.value >= -slack - gap, f"value is {result.value!r}")
    if traits.symmetric:
        back = metric.solve(y, x)
        if back.converged and result.converged:
            close(back.value, result.value, slack + gap + (back.gap or 0.0), "d(y, x) and d(x, y)")
    if traits.zero_self:
        own = metric.solve(x, x)
        size = max(abs(result.value), float(np.abs(x.values).max()))
        close(own.value, 0.0, RTOL * size + (own.gap or 0.0), "d(x, x) and 0")
    bound = metric.lower_bounds([metric.prepare(x)], [metric.prepare(y)], *np.zeros((2, 1), dtype=np.intp))[0]
    require(not bound > result.value + slack + gap, f"the lower bound {bound!r} is above the value {result.value!r}")


# How parameters and value change when values and times are multiplied by c: (parameters, power of c in the value).
def _power(params):
    return params.get("p", 2.0)


SCALING = {
    "softdtw": lambda q, c: ({**q, "gamma": _times(q["gamma"], c, 2)}, 2),
    "softdtw_sharp": lambda q, c: ({**q, "gamma": _times(q["gamma"], c, 2)}, 2),
    "softdtw_divergence": lambda q, c: ({**q, "gamma": _times(q["gamma"], c, 2)}, 2),
    "dtw": lambda q, c: (q, 2 if q["squared"] else 1),
    "euclidean": lambda q, c: (q, 1),
    "otw": lambda q, c: (q, 1),
    "tlp": lambda q, c: ({**q, "standardize": False}, 1),
    "tiot": lambda q, c: ({**q, "standardize": False}, 1 if q["root"] else _power(q)),
    "taot": lambda q, c: (
        {**q, "standardize": False, "epsilon": 0.0},
        0 if q["scale"] == "median" else _power(q),
    ),
}


def _times(gamma, c, power):
    return gamma if isinstance(gamma, str) or gamma == 0 else float(gamma * c**power)


def homogeneous(ns):
    """In another unit of values and times the answer is that of the first unit, wherever a double can hold it."""
    metric, x, y = ns["metric"], ns["x"], ns["y"]
    rule = SCALING.get(metric.name)
    if rule is None:
        return
    given = {name: getattr(metric.params, name) for name in metric.spec.parameters}
    c = np.float64(2.0) ** int(ns["power"])
    params, power = rule(given, c)
    before = rule(given, 1.0)[0]
    arrays = [np.abs(a[a != 0]) for s in (x, y) for a in (s.values, s.times)]
    numbers = np.concatenate([*arrays, np.ones(1)])
    if not (numbers.min() * min(c, 1.0) > 1e-290 and numbers.max() * max(c, 1.0) < 1e290):
        return
    if power == 2 and not np.abs(np.concatenate([x.values, y.values])).max() * min(c, 1.0) > 1e-140:
        return  # squares underflow
    gammas = [q["gamma"] for q in (before, params) if isinstance(q.get("gamma"), float) and before["gamma"]]
    if not all(1e-290 < gamma < 1e290 for gamma in gammas):
        return
    if metric.traits.uses_times:
        x, y = (stotmetrics.Series(s.values, s.times, s.weights) for s in (x, y))
        scaled = [stotmetrics.Series(s.values * c, s.times * c, s.weights) for s in (x, y)]
    else:
        scaled = [stotmetrics.Series(s.values * c) for s in (x, y)]
    here, there = (_solve(metric.name, q, *pair) for q, pair in ((before, (x, y)), (params, scaled)))
    if here is None and there is None:
        return
    if params.get("scale") == "median":
        cost = None if here is None else _extra(here, "cost", False)
        if cost is None or np.median(cost) == 0:
            return  # a median of zero offers no unit, and the cost stays as it is
    k = int(ns["power"]) * power
    value = in_unit(here.value, k) if here is not None else in_unit(there.value, -k)
    if not (value == 0 or 1e-290 < abs(value) < 1e290):
        return
    if (here is None or there is None) and lost_in_a_unit(metric, x, y, c, power, value):
        return
    require(here is not None and there is not None, f"out of scale in one unit of the data, and not in c = {c!r} times")
    if here.converged and there.converged:
        slack = noise(stotmetrics.get_metric(metric.name, **params), *scaled, there.value)
        slack += in_unit(noise(stotmetrics.get_metric(metric.name, **before), x, y, here.value), k)
        slack += in_unit(here.gap or 0.0, k) + (there.gap or 0.0)
        close(there.value, in_unit(here.value, k), slack, f"d in a unit c = {c!r} and c^{power} d")


def lost_in_a_unit(metric, x, y, c, power, value):
    """Whether what a value is made of leaves the range of a double in one of the units.

    It may be the difference of two infinite terms; and a 0 where the other unit has no number may be one that vanished.
    """
    if metric.name.startswith("softdtw"):
        largest = float(np.abs(np.concatenate([x.values, y.values])).max())
        return largest * max(c, 1.0) > 1e140
    return value == 0 and abs(math.log2(c) * power) > 1000


def in_unit(value, exponent):
    """``value * 2**exponent``, also where that power alone leaves the range of a double."""
    whole = math.floor(exponent)
    try:
        return math.ldexp(float(value) * 2.0 ** (exponent - whole), whole)
    except OverflowError:
        return math.copysign(math.inf, value)


def _solve(name, params, x, y):
    try:
        return stotmetrics.get_metric(name, **params).solve(x, y)
    except FloatingPointError:
        return None


def graded(ns):
    """A gradient is finite and of the shape of its series, and its value is the value."""
    metric, x, y, (value, grad_x, grad_y) = ns["metric"], ns["x"], ns["y"], ns["answer"]
    finite((value, grad_x, grad_y), "value_and_grad")
    require(grad_x.shape == x.values.shape and grad_y.shape == y.values.shape, "a gradient of another shape")
    result = metric.solve(x, y)
    # Potentials good enough for a gradient are found in steps of their own, and the value at them has a gap of its own.
    alone = np.zeros(1, dtype=np.intp)
    batch = metric.gradients([metric.prepare(x)], [metric.prepare(y)], alone, alone)
    gaps = (result.gap or 0.0) + (0.0 if batch.gap is None else float(batch.gap[0]))
    close(value, result.value, noise(metric, x, y, value) + 2 * gaps, "value_and_grad and solve")
    if metric.name.startswith("softdtw") or metric.name == "euclidean":
        # Their costs are of differences: to move both series changes nothing.
        size = np.abs(grad_x).sum() + np.abs(grad_y).sum()
        # Differences of gradients and of costs, each of this size at most.
        share = 1.0 if metric.name == "softdtw_divergence" else 1e-9
        size += share * len(x) * len(y) * float(max(np.abs(x.values).max(), np.abs(y.values).max()))
        off = float(np.abs(grad_x.sum(0) + grad_y.sum(0)).max())
        require(off <= 1e-6 * size + 1e-300, f"the gradients add up to {off!r}")


def all_pairs(ns):
    """A matrix is that of the single distances."""
    metric, X, Y, D = ns["metric"], ns["X"], ns["Y"], ns["answer"]
    finite(D, "the matrix")
    require(D.shape == (len(X), len(Y)), f"shape {D.shape}")
    i, j = (int(k) for k in np.unravel_index(int(ns["entry"]) % D.size, D.shape))
    single = metric.solve(X[i], Y[j])
    # Of a symmetric metric the matrix may hold the other order, with a gap of its own.
    gap = (single.gap or 0.0) + max(single.gap or 0.0, metric.solve(Y[j], X[i]).gap or 0.0)
    close(D[i, j], single.value, noise(metric, X[i], Y[j], single.value) + gap, f"entry ({i}, {j})")


def nearest(ns):
    """Neighbours are those of the whole matrix."""
    metric, answer, k = ns["metric"], ns["answer"], ns["k"]
    finite(answer.distances, "distances")
    D = stotmetrics.pairwise(ns["Q"], ns["X"], metric)
    best = np.sort(D, axis=1)[:, :k]
    slack = RTOL * np.abs(best) + 1e-300 + _gap(metric, ns)
    require((np.abs(answer.distances - best) <= slack).all(), f"{answer.distances} are not the least of {D}")


def _gap(metric, ns):
    return 2 * max((metric.solve(q, x).gap or 0.0) for q in ns["Q"] for x in ns["X"])


def centred(ns):
    """A barycenter is finite and no worse than where it starts; no step leaves it there."""
    metric, X, answer = ns["metric"], ns["X"], ns["answer"]
    finite((answer.values, answer.objective), "the barycenter")
    start = stotmetrics.barycenter(X, metric, max_iter=0)
    finite((start.values, start.objective), "its start")
    require(start.n_iter == 0, f"{start.n_iter} steps where none was allowed")
    slack = 1e-6 * (abs(start.objective) + abs(answer.objective)) + 1e-300
    require(
        answer.objective <= start.objective + slack, f"{answer.objective!r} is above {start.objective!r}, the start"
    )


def followed(ns):
    """A path is in the order of both series, and its value is the value."""
    metric, x, y, (path, value) = ns["metric"], ns["x"], ns["y"], ns["answer"]
    require(math.isfinite(value), f"value is {value!r}")
    close(value, metric(x, y), 0.0, "alignment_path and distance")
    require(all(0 <= i < len(x) and 0 <= j < len(y) for i, j in path), f"{path} leaves the series")
    if not metric.traits.uses_weights:
        require(path[0] == (0, 0) and path[-1] == (len(x) - 1, len(y) - 1), f"{path} does not end in the corners")


def bounded(ns):
    """A lower bound is never above the value."""
    metric, x, y, bound = ns["metric"], ns["x"], ns["y"], ns["answer"]
    result = metric.solve(x, y)
    allowed = noise(metric, x, y, result.value) + (result.gap or 0.0)
    require(not math.isnan(bound) and bound <= result.value + allowed, f"{bound!r} is above {result.value!r}")


def all_bounded(ns):
    """Nor are those of a set."""
    metric, X, answer = ns["metric"], ns["X"], ns["answer"]
    require(not np.isnan(answer).any(), f"bounds {answer}")
    for i, x in enumerate(X):
        bounded({"metric": metric, "x": x, "y": X[-1], "answer": float(answer[i, -1])})


def enclosed(ns):
    """An envelope encloses its series."""
    finite(list(ns["answer"]), "the envelope")
    lower, upper = ns["answer"]
    v = ns["v"].reshape(lower.shape)
    require((lower <= v).all() and (v <= upper).all(), "a value outside")


def smoothed(ns):
    """Several smoothings at once are one after the other."""
    for k, gamma in enumerate(ns["gammas"]):
        D = stotmetrics.pairwise(ns["X"], metric=stotmetrics.get_metric("sta", **{**ns["params"], "gamma": gamma}))
        finite(ns["answer"][k], "the matrices")
        require(np.allclose(ns["answer"][k], D, rtol=1e-6, atol=1e-300), f"other distances at gamma = {gamma!r}")


def aligned(ns):
    """Soft-DTW of a cost matrix: an alignment starts and ends in the corners."""
    result = ns["answer"]
    finite((result.value, result.alignment), "softdtw_from_cost")
    require(result.alignment.min() >= 0 and result.alignment.max() <= 1 + 1e-6, "the alignment leaves [0, 1]")
    close(result.alignment[0, 0], 1.0, 1e-6, "the first corner")
    close(result.alignment[-1, -1], 1.0, 1e-6, "the last corner")


def grounded(ns):
    """A ground is finite, symmetric, and the same again from its own description."""
    ground = ns["ground"]
    cost = ground.cost()
    finite((cost, ground.median(), ground.mean(), ground.epsilon(), ground.spread, ground.rho(0.5)), "the ground")
    require(np.array_equal(cost, cost.T) and cost.min() >= 0, "the cost is not symmetric, or negative")
    finite(list(ground.kernels(ground.epsilon())), "the kernels")
    finite(ground.normalized().cost(), "the normalised cost")
    again = stotmetrics.Ground.from_config(ground.to_config())
    require(np.array_equal(again.cost(), cost), "another ground from its own description")


def transported(ns):
    """A plan is finite and not negative, its marginals are kept to stopThr, and its parts add up."""
    plan, log = ns["answer"]
    a, b, M = ns["a"], ns["b"], ns["M"]
    finite(plan, "the plan")
    require(plan.min() >= 0, f"the plan holds {plan.min()!r}")
    require(not plan[np.isinf(M)].any(), "mass where it is forbidden")
    names = ("value", "value_linear", "value_reg", "value_mass", "cost", "total_cost", "err")
    finite({name: log[name] for name in names}, "log")
    require(log["gap"] >= 0 and (math.isfinite(log["gap"]) or np.isinf(M).any()), f"gap is {log['gap']!r}")
    if log["converged"] and ns["balanced"] and ns["stopThr"] > 0:
        off = (abs(plan.sum(1) - a).sum() + abs(plan.sum(0) - b).sum()) / a.sum()
        require(off <= ns["stopThr"] + 1e-6, f"the marginals are off by {off:.3g} at stopThr = {ns['stopThr']:.3g}")
    if log["converged"] and not ns["balanced"] and np.isfinite(M).all():
        # A marginal that is kept is kept to rounding, and what that is worth its potential says.
        off = [
            abs(potential) @ abs(plan.sum(1 - axis) - mass)
            for axis, (potential, mass) in enumerate(zip(map(np.nan_to_num, log["potentials"]), (a, b), strict=True))
            if np.isinf(np.broadcast_to(ns["reg_m"], 2)[axis])
        ]
        parts = [log[name] for name in ("value_linear", "value_reg", "value_mass")]
        allowed = log["gap"] + sum(off) + RTOL * sum(map(abs, parts))
        close(sum(parts), log["value"], 2 * allowed, "the parts and the value")


def diverged(ns):
    """A divergence is finite, 0 between equal masses, and the same from both sides."""
    value, log = ns["answer"]
    require(math.isfinite(value) and math.isfinite(log["gap"]) and log["gap"] >= 0, f"{value!r}, gap {log['gap']!r}")
    finite({name: log[name] for name in ("ab", "aa", "bb")}, "log")
    if ns["a"].tolist() == ns["b"].tolist():
        require(value == 0.0, f"{value!r} between equal masses")
    other, back = ns["tr"].sinkhorn_divergence(ns["b"], ns["a"], ns["M"], ns["reg"], ns["reg_m"], ns["reg_type"],
                                               numItermax=ns["numItermax"], log=True)  # fmt: skip
    size = sum(abs(log[name]) for name in ("ab", "aa", "bb"))
    close(value, other, log["gap"] + back["gap"] + 1e-6 * size, "S(a, b) and S(b, a)")


def read_back(ns):
    """A series holds what was handed over; a set holds such series."""
    for series in ns["answer"]:
        finite((series.values, series.times, series.weights), "the series")
        require((np.diff(series.times) > 0).all(), "times that do not increase")
