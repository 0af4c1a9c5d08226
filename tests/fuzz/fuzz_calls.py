"""Every public function with drawn arguments, and the laws that its answer must keep."""

from collections.abc import Callable
from dataclasses import dataclass, field

import fuzz_draws as draws
import fuzz_laws as laws
import numpy as np
from fuzz_draws import Script, array_text

import stotmetrics

# Public names that compute nothing from data of a user.
EXEMPT = {
    *("AxisWarning", "ConvergenceWarning", "DuplicateMetricError", "InvalidParameterError", "InvalidSeriesError"),
    *("MetricLoadError", "UnknownMetricError", "Barycenter", "Batch", "GradBatch", "Neighbors", "Result", "Traits"),
    "merge_shards",  # of files
    *("BoundMetric", "MetricSpec", "Series", "parameter", "register", "unregister", "list_metrics", "show_versions"),
}


@dataclass
class Call:
    """One call: the script that makes it, the line that is timed, and what must hold of its ``answer``."""

    name: str
    script: Script
    line: str
    laws: list[Callable[[dict], None]] = field(default_factory=list)


def metric_names():
    return [name for name in stotmetrics.list_metrics() if _is_ours(name)]


def _is_ours(name):
    return stotmetrics.get_metric(name).spec.pair.__module__.startswith("stotmetrics.metrics.")


def _pose(script, name, most=12):
    """x, y and a metric bound to drawn parameters."""
    spec = stotmetrics.get_metric(name).spec
    draws.pair(script, _widest(name), most)
    points = None
    if stotmetrics.get_metric(name).traits.compares_frames:
        points = len(eval(script.lines[0].partition(" = ")[2], {"np": np, "sm": stotmetrics}).values.T)
    keys = draws.parameters(script, spec, points)
    script.let("metric", f"sm.get_metric({name!r}{keys})")
    # The paper's own rule leaves the range of a double wherever its epsilon is far below the costs.
    script.moderate &= name != "etiot_hbcd"
    return keys


def _widest(name):
    """The traits of a metric at its defaults: what its parameters narrow is refused by name."""
    return stotmetrics.get_metric(name).traits


def solve(script, name):
    _pose(script, name)
    script.let("power", str(int(script.rng.integers(-900, 900))))
    return Call(f"solve {name}", script, "sm.solve(x, y, metric)", [laws.solved, laws.axioms, laws.homogeneous])


def function(script, name):
    """The function of a metric; a value is checked through solve."""
    keys = _pose(script, name)
    return Call(f"{name}()", script, f"sm.{name}(x, y{keys})", [lambda ns: laws.finite(ns["answer"], "the value")])


def distance(script, name):
    keys = _pose(script, name)
    return Call(
        f"distance {name}", script, f"sm.distance(x, y, {name!r}{keys})",
        [lambda ns: laws.finite(ns["answer"], "the value")],
    )  # fmt: skip


def value_and_grad(script, name):
    _pose(script, name)
    return Call(f"value_and_grad {name}", script, "sm.value_and_grad(x, y, metric)", [laws.graded])


def pairwise(script, name):
    script.moderate = name != "etiot_hbcd"
    spec, traits = stotmetrics.get_metric(name).spec, _widest(name)
    draws.collection(script, "X", traits, int(script.rng.integers(1, 5)), 6)
    script.let("Y", "X" if script.chance(0.5) else "X[::-1]")
    script.let("metric", f"sm.get_metric({name!r}{draws.parameters(script, spec)})")
    script.let("entry", str(int(script.rng.integers(100))))
    call = "sm.pairwise(X, None if Y is X else Y, metric)"
    return Call(f"pairwise {name}", script, call, [laws.all_pairs])


def kneighbors(script, name):
    script.moderate = name != "etiot_hbcd"
    spec, traits = stotmetrics.get_metric(name).spec, _widest(name)
    count = int(script.rng.integers(2, 7))
    draws.collection(script, "A", traits, count, 6)
    script.let("X", f"A[{count // 2}:]")
    script.let("Q", f"A[: {count // 2}]")
    script.let("metric", f"sm.get_metric({name!r}{draws.parameters(script, spec)})")
    script.let("k", str(int(script.rng.integers(1, count - count // 2 + 1))))
    line = script.pick("sm.kneighbors(X, Q, metric, k)", "sm.NeighborIndex(X, metric).kneighbors(Q, k)")
    return Call(f"kneighbors {name}", script, line, [laws.nearest])


def barycenter(script, name):
    spec, traits = stotmetrics.get_metric(name).spec, _widest(name)
    draws.collection(script, "X", traits, int(script.rng.integers(1, 4)), 6)
    script.let("metric", f"sm.get_metric({name!r}{draws.parameters(script, spec)})")
    call = f"sm.barycenter(X, metric, max_iter={int(script.rng.integers(0, 15))})"
    return Call(f"barycenter {name}", script, call, [laws.centred])


def alignment_path(script, name):
    _pose(script, name)
    return Call(f"alignment_path {name}", script, "sm.alignment_path(x, y, metric)", [laws.followed])


def lower_bound(script, name):
    _pose(script, name)
    return Call(f"lower_bound {name}", script, "sm.lower_bound(x, y, metric)", [laws.bounded])


def lower_bounds(script, name):
    spec, traits = stotmetrics.get_metric(name).spec, _widest(name)
    draws.collection(script, "X", traits, int(script.rng.integers(1, 4)), 6)
    script.let("metric", f"sm.get_metric({name!r}{draws.parameters(script, spec)})")
    return Call(f"lower_bounds {name}", script, "sm.lower_bounds(X, None, metric)", [laws.all_bounded])


def envelope(script, name):
    d = int(script.rng.integers(1, 4))
    script.let("v", array_text(draws.values(script, draws.length(script), d, script.scale())))
    band = script.pick("None", str(int(script.rng.integers(0, 9))))
    return Call("envelope", script, f"sm.envelope(v, {band})", [laws.enclosed])


def sta_over_gamma(script, name):
    draws.collection(script, "X", _widest("sta"), int(script.rng.integers(1, 4)), 5)
    gammas = script.rng.random(int(script.rng.integers(1, 4))) * script.pick(1.0, 0.0, 10.0)
    script.let("gammas", repr(gammas.tolist()))
    script.let("params", repr({"signed": "abs", "rho": float(10.0 ** script.rng.uniform(-3, 3))}))
    return Call("sta_over_gamma", script, "sm.sta_over_gamma(X, gammas=gammas, **params)", [laws.smoothed])


def softdtw_from_cost(script, name):
    n, m = (int(k) for k in script.rng.integers(1, 10, 2))
    cost = draws.values(script, n, m, script.scale())
    forbidden = script.rng.random((n, m)) < script.pick(0.0, 0.2)
    script.let("C", array_text(np.where(forbidden, np.inf, cost)))
    gamma = draws.number(script, 0.0, draws.LARGEST)
    return Call("softdtw_from_cost", script, f"sm.softdtw_from_cost(C, {float(gamma)!r})", [laws.aligned])


def ground(script, name):
    script.let("ground", draws.ground(script, int(script.rng.integers(1, 9))))
    return Call("Ground", script, "ground.normalized()", [laws.grounded])


def reading(script, name):
    d = int(script.rng.integers(1, 4))
    T = draws.length(script)
    script.let("v", array_text(draws.values(script, T, d, script.scale())))
    script.let("t", array_text(draws.times(script, T)))
    script.let("w", array_text(draws.weights(script, T)))
    call = "[sm.as_series(v, times=t, weights=w), *sm.as_dataset([v, v[:1], v])]"
    return Call("as_series, as_dataset", script, call, [laws.read_back])


def as_paths(script, name):
    T, count, d = (int(k) for k in script.rng.integers(1, 6, 3))
    drawn = draws.values(script, T, count * d, script.scale()).reshape(T, count, d)
    script.let("P", f"sm.as_paths({array_text(drawn)}, weights={array_text(draws.weights(script, count))})")
    return Call("as_paths", script, "[P, sm.as_paths(P.values)]", [laws.read_back])


def _masses(script, n, m, balanced):
    a, b = (script.rng.random(k) * (script.rng.random(k) < script.pick(1.0, 0.7)) for k in (n, m))
    a[0], b[0] = 0.5, 0.5
    size = script.scale()
    a, b = a * size, b * size * (1.0 if balanced or script.chance(0.7) else 10.0 ** script.rng.uniform(-6, 6))
    if balanced:
        b = b * (a.sum() / b.sum())
    script.let("a", array_text(a))
    script.let("b", array_text(b))


def _transport(script, n, m):
    cost = np.abs(draws.values(script, n, m, script.scale()))
    if script.chance(0.15):
        cost[1:, 1:][script.rng.random((n - 1, m - 1)) < 0.3] = np.inf
    script.let("M", array_text(cost))
    reach = float(cost[np.isfinite(cost)].max()) or 1.0
    reg = reach * 10.0 ** script.rng.uniform(-3, 2) if script.chance(0.8) else draws.number(script, 1e-300, 1e300)
    script.let("reg", repr(float(np.clip(reg, 1e-300, 1e300))))
    script.let("numItermax", str(script.pick(1, 10, 1000)))
    script.let("stopThr", repr(script.pick(0.0, 1e-3, 1e-6, 1e-9, 1e-12)))
    return "numItermax=numItermax, stopThr=stopThr, log=True"


def sinkhorn(script, name):
    n, m = (int(k) for k in script.rng.integers(1, 9, 2))
    script.let("balanced", "True")
    _masses(script, n, m, True)
    keys = _transport(script, n, m)
    return Call("transport.sinkhorn", script, f"tr.sinkhorn(a, b, M, reg, {keys})", [laws.transported])


def sinkhorn2(script, name):
    n, m = (int(k) for k in script.rng.integers(1, 9, 2))
    _masses(script, n, m, True)
    keys = _transport(script, n, m)
    call = f"tr.sinkhorn2(a, b, M, reg, {keys})"
    return Call("transport.sinkhorn2", script, call, [lambda ns: laws.finite(ns["answer"][0], "the value")])


def _penalty(script):
    penalty = repr(float(draws.number(script, 1e-300, 1e300)))
    if script.chance(0.2):
        return f"({penalty}, np.inf)" if script.chance(0.5) else f"(np.inf, {penalty})"
    return penalty


def sinkhorn_unbalanced(script, name):
    n, m = (int(k) for k in script.rng.integers(1, 9, 2))
    script.let("balanced", "False")
    _masses(script, n, m, False)
    keys = _transport(script, n, m)
    script.let("reg_m", _penalty(script))
    call = f"tr.sinkhorn_unbalanced(a, b, M, reg, reg_m, reg_type={script.pick('kl', 'entropy')!r}, {keys})"
    return Call("transport.sinkhorn_unbalanced", script, call, [laws.transported])


def sinkhorn_unbalanced2(script, name):
    n, m = (int(k) for k in script.rng.integers(1, 9, 2))
    _masses(script, n, m, False)
    keys = _transport(script, n, m)
    kind = f"reg_type={script.pick('kl', 'entropy')!r}, returnCost={script.pick('linear', 'total')!r}"
    call = f"tr.sinkhorn_unbalanced2(a, b, M, reg, {_penalty(script)}, {kind}, {keys})"
    return Call("transport.sinkhorn_unbalanced2", script, call, [lambda ns: laws.finite(ns["answer"][0], "the value")])


def sinkhorn_divergence(script, name):
    n = int(script.rng.integers(1, 8))
    balanced = script.chance(0.4)
    _masses(script, n, n, balanced)
    if script.chance(0.2):
        script.let("b", "a.copy()")
    _transport(script, n, n)
    script.let("M", "np.abs(np.subtract.outer(M[0], M[0])) if np.isfinite(M).all() else np.zeros(M.shape)")
    script.let("reg_m", "np.inf" if balanced else repr(float(draws.number(script, 1e-300, 1e300))))
    script.let("reg_type", repr(script.pick("kl", "entropy")))
    call = "tr.sinkhorn_divergence(a, b, M, reg, reg_m, reg_type, numItermax=numItermax, log=True)"
    return Call("transport.sinkhorn_divergence", script, call, [laws.diverged])


# Function of one metric, and how often it is drawn beside the others.
OF_METRICS = {
    solve: 6,
    distance: 1,
    function: 1,
    value_and_grad: 2,
    alignment_path: 1,
    lower_bound: 1,
    lower_bounds: 1,
    pairwise: 2,
    kneighbors: 2,
    barycenter: 1,
}
OF_NONE = {
    sta_over_gamma: 1,
    softdtw_from_cost: 3,
    envelope: 1,
    ground: 2,
    reading: 1,
    as_paths: 1,
    sinkhorn: 3,
    sinkhorn2: 1,
    sinkhorn_unbalanced: 4,
    sinkhorn_unbalanced2: 2,
    sinkhorn_divergence: 3,
}
# How many draws of those without a metric come with one round of draws of those with one.
ROUNDS = 14


def covered():
    """Public names that the fuzz calls."""
    names = {maker.__name__ for maker in (*OF_METRICS, *OF_NONE) if maker not in (function, ground, reading)}
    return names | {"NeighborIndex", "Ground", "as_series", "as_dataset", "get_metric", "pairwise", *metric_names()}


def draw(rng):
    """One call, drawn."""
    script = Script(rng)
    makers = [maker for maker, times in OF_METRICS.items() for _ in range(times * ROUNDS)]
    makers += [maker for maker, times in OF_NONE.items() for _ in range(times * 5)]
    maker = makers[int(rng.integers(len(makers)))]
    names = metric_names()
    if maker in (value_and_grad, barycenter):
        names = [name for name in names if stotmetrics.get_metric(name).has_gradient]
    return maker(script, names[int(rng.integers(len(names)))])
