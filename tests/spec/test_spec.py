"""A bound metric: a function that compares, hashes, pickles and round-trips through JSON."""

import json
import pickle
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import stotmetrics
from stotmetrics import (
    BoundMetric,
    ConvergenceWarning,
    InvalidParameterError,
    MetricSpec,
    Result,
    Traits,
    get_metric,
    parameter,
    register,
)
from stotmetrics.spec.bound import bind
from stotmetrics.spec.result import Batch


@dataclass(frozen=True)
class Parameters:
    p: float = parameter(2.0, doc="exponent", low=1.0)


@dataclass(frozen=True)
class Reserved:
    n_jobs: int = parameter(1, doc="what pairwise takes itself")


def power_mean_gap(x, y, params):
    return float(np.abs(x.values.mean() - y.values.mean()) ** params.p)


SPEC = MetricSpec(
    name="power_mean_gap",
    pair=power_mean_gap,
    params=Parameters,
    traits=lambda params: Traits(symmetric=True, unequal_length=True, triangle=params.p == 1.0),
)


def test_a_bound_metric_is_a_function_of_two_series():
    assert bind(SPEC, p=1)([0.0, 2.0], [4.0]) == 3.0


def test_traits_depend_on_the_parameters():
    assert bind(SPEC, p=1.0).traits.triangle
    assert not bind(SPEC).traits.triangle


def test_equality_and_hash_follow_name_and_parameters():
    assert bind(SPEC, p=2) == bind(SPEC)
    assert hash(bind(SPEC, p=2)) == hash(bind(SPEC))
    assert bind(SPEC, p=3) != bind(SPEC)
    assert bind(SPEC) != "power_mean_gap"
    assert repr(bind(SPEC, p=3)) == "power_mean_gap(p=3.0)"


@pytest.mark.usefixtures("fresh_registry")
def test_config_round_trips_as_json():
    register(SPEC)
    metric = bind(SPEC, p=1.5)
    assert BoundMetric.from_config(json.loads(json.dumps(metric.config()))) == metric


@pytest.mark.parametrize(
    "config",
    [{}, [], None, "softdtw", {"metric": "softdtw"}, {"metric": 1, "params": {}}, {"metric": "dtw", "params": 3}],
)
def test_a_config_that_is_none_is_refused(config):
    with pytest.raises(InvalidParameterError, match="config must be what config"):
        BoundMetric.from_config(config)


@pytest.mark.usefixtures("fresh_registry")
def test_a_declared_metric_pickles_by_name(install):
    source = (
        "from stotmetrics import MetricSpec\n"
        "SPEC = MetricSpec(name='declared', pair=lambda x, y, params: float(len(x) == len(y)))"
    )
    install("by-name", {"declared": "by_name_module:SPEC"}, {"by_name_module": source})
    from stotmetrics import get_metric

    metric = get_metric("declared")
    data = pickle.dumps(metric)
    assert b"lambda" not in data
    assert pickle.loads(data) == metric


def test_a_metric_of_the_session_pickles_whole():
    # Its functions are importable here; a notebook's travel by cloudpickle.
    import cloudpickle

    metric = bind(SPEC, p=3)
    again = cloudpickle.loads(cloudpickle.dumps(metric))
    assert again([1.0], [3.0]) == metric([1.0], [3.0]) == 8.0


def test_block_defaults_to_the_loop_of_pair():
    left = [bind(SPEC).accept([float(k)], "x") for k in range(3)]
    batch = bind(SPEC, p=1).block(left, left, np.array([0, 2]), np.array([1, 0]))
    np.testing.assert_array_equal(batch.values, [1.0, 2.0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_never_come_out(value):
    single = MetricSpec(name="broken", pair=lambda x, y, params: value)
    with pytest.raises(FloatingPointError, match=r"broken\(\) gave"):
        bind(single)([1.0], [1.0])
    batched = MetricSpec(
        name="broken", pair=single.pair, block=lambda left, right, i, j, params, cutoff: Batch(np.full(len(i), value))
    )
    with pytest.raises(FloatingPointError, match="rescale"):
        bind(batched).block([1], [1], np.array([0]), np.array([0]))


def test_preparation_happens_once_for_the_same_object():
    calls = []
    spec = MetricSpec(
        name="counted",
        prepare=lambda series, params: calls.append(1) or series,
        pair=lambda x, y, params: 0.0,
    )
    x = bind(spec).accept([1.0], "x")
    bind(spec)(x, x)
    assert len(calls) == 1


def test_a_solver_that_stops_early_warns_once():
    spec = MetricSpec(name="lazy", pair=lambda x, y, params: Result(1.0, converged=False, n_iter=7, gap=0.25))
    with pytest.warns(ConvergenceWarning, match=r"lazy did not converge in 7 iterations, error at most 0.25") as caught:
        result = bind(spec).solve([1.0], [2.0])
    assert len(caught) == 1
    assert not result.converged


def test_a_metric_without_gradient_says_so():
    with pytest.raises(NotImplementedError, match="power_mean_gap has no gradient"):
        bind(SPEC).value_and_grad([1.0], [2.0])


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"name": "two words", "pair": max}, ValueError, "valid identifier"),
        ({"name": "m", "pair": 3}, TypeError, "pair must be callable"),
        ({"name": "m", "pair": power_mean_gap, "lower_bounds": 3}, TypeError, "lower_bounds must be callable"),
        ({"name": "m", "pair": max, "reference": "no colon"}, TypeError, "package.module:function"),
        ({"name": "m", "pair": max, "params": Reserved}, ValueError, "'n_jobs', which functions such as pairwise"),
        ({"name": "m", "pair": max, "traits": 3}, TypeError, "traits must be"),
    ],
)
def test_a_malformed_spec_is_refused(fields, error, message):
    with pytest.raises(error, match=message):
        MetricSpec(**fields)


def test_extras_are_computed_once_when_asked_for_and_travel_in_a_pickle():
    calls = []
    result = Result(1.0, gap=1e-9, extras={"w": lambda: calls.append(1) or 0.5})
    assert calls == []
    assert result.w == result.w == 0.5
    assert len(calls) == 1
    again = pickle.loads(pickle.dumps(Result(2.0, extras={"w": lambda: 0.25})))
    assert (again.value, again.w, again.available) == (2.0, 0.25, ("w",))
    with pytest.raises(AttributeError, match="no plan; its metric offers: w"):
        _ = result.plan
    assert repr(result) == "Result(value=1.0, converged=True, n_iter=0, gap=1e-09)"


def test_no_warning_without_cause():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bind(SPEC)([1.0], [2.0])


@pytest.mark.parametrize(("answer", "told"), [(None, "None"), ("near", "'near'"), ([1.0], r"\[1.0\]")])
def test_a_function_that_gives_no_number_is_told_so(answer, told):
    def odd(x, y):
        return answer

    with pytest.raises(TypeError, match=f"must return a number; odd gave {told}"):
        get_metric(odd)([0.0, 1.0], [1.0, 2.0])


@pytest.mark.parametrize("ask", ["distance", "pairwise", "value_and_grad"])
def test_a_lack_of_memory_says_which_metric_wanted_so_much(ask):
    def pair(x, y, params):
        raise MemoryError("191 GiB")

    def block(left, right, rows, cols, params, cutoff=None):
        raise MemoryError("191 GiB")

    def gradients(left, right, rows, cols, params, side):
        raise MemoryError("191 GiB")

    spec = MetricSpec("hungry", pair, block=block, gradients=gradients, traits=Traits(differentiable=True))
    call = getattr(stotmetrics, ask)
    with pytest.raises(MemoryError, match=r"^hungry\(\) needs more memory than there is .*191 GiB.*shorten them"):
        call([0.0, 1.0], [1.0, 0.0], metric=spec) if ask != "pairwise" else call([[0.0], [1.0]], metric=spec)


def test_lengths_whose_costs_fit_no_memory_are_refused_by_name():
    x = np.zeros(400_000)
    for name in ("opw", "taot", "tlp", "softdtw_sharp", "etiot_hbcd"):
        with pytest.raises(MemoryError, match=rf"^{name}\(.*needs more memory than there is"):
            stotmetrics.distance(x, x[1:], metric=name)
