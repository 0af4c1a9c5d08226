"""One order of arguments in every function, and a metric in each of its forms."""

import inspect
import pickle
import warnings

import numpy as np
import pytest

import stotmetrics
from stotmetrics import Batch, ConvergenceWarning, GradBatch, MetricSpec, Traits
from stotmetrics.spec.bound import bind
from stotmetrics.spec.prepared import PreparedSet, packed

X, Y = [0.0, 1.0, 2.0], [0.0, 2.0, 2.0]
OF_TWO = ("distance", "solve", "value_and_grad")


def largest_gap(x, y):
    """Largest difference.

    Of two series of one length.
    """
    return np.abs(x - y).max()


@pytest.mark.parametrize("name", [*OF_TWO, "pairwise", "kneighbors", "barycenter"])
def test_series_come_first_and_soft_dtw_is_the_default(name):
    parameters = list(inspect.signature(getattr(stotmetrics, name)).parameters.values())
    place = 1 if name == "barycenter" else 2
    assert parameters[place].name == "metric"
    assert parameters[place].default == "softdtw"


@pytest.mark.parametrize("name", OF_TWO)
def test_an_old_habit_is_answered_with_the_right_call(name):
    with pytest.raises(TypeError, match=rf"series come first .*{name}\(x, y, metric='dtw'\)"):
        getattr(stotmetrics, name)("dtw", X, Y)
    with pytest.raises(TypeError, match=r"metric=metric"):
        getattr(stotmetrics, name)(stotmetrics.get_metric("dtw"), X, Y)


def test_a_metric_in_the_place_of_a_set_is_answered_with_the_right_call():
    with pytest.raises(TypeError, match=r"pairwise\(X, Y, metric='dtw'\)"):
        stotmetrics.pairwise([X], "dtw")
    with pytest.raises(TypeError, match=r"kneighbors\(X_train, X_query, metric='dtw'\)"):
        stotmetrics.kneighbors("dtw", [X], [Y])
    with pytest.raises(TypeError, match=r"barycenter\(X, metric='softdtw'\)"):
        stotmetrics.barycenter("softdtw", [X])


@pytest.mark.parametrize("wrong", [X, 3, None, float])
def test_what_is_no_metric_is_refused(wrong):
    with pytest.raises(stotmetrics.InvalidParameterError, match="metric must be a name"):
        stotmetrics.distance(X, Y, wrong)


def test_a_function_is_a_metric_that_claims_nothing():
    metric = stotmetrics.get_metric(largest_gap)
    assert metric(X, Y) == 1.0
    assert metric.traits == Traits(unequal_length=True, multivariate=True)
    assert (metric.name, metric.spec.summary) == ("largest_gap", "Largest difference.")
    assert pickle.loads(pickle.dumps(metric)) == metric
    np.testing.assert_array_equal(stotmetrics.pairwise([X, Y], metric=largest_gap), [[0.0, 1.0], [1.0, 0.0]])
    assert stotmetrics.kneighbors([X, Y], [Y], largest_gap).indices.tolist() == [[1]]


def test_a_function_is_handed_plain_values():
    shapes = []

    def seen(x, y):
        shapes.append(x.shape)
        return 0.0

    for x in (np.zeros(3), np.zeros((3, 1)), np.zeros((3, 2)), np.zeros((3, 2, 4))):
        stotmetrics.distance(x, x, metric=seen)
    assert shapes == [(3,), (3,), (3, 2), (3, 2, 4)]


def test_a_function_is_registered_under_its_name_or_another():
    try:
        assert stotmetrics.register(largest_gap).name == "largest_gap"
        stotmetrics.register(lambda x, y: 2.0, name="two")
        assert stotmetrics.distance(X, Y, metric="largest_gap") == 1.0
        assert stotmetrics.distance(X, Y, metric="two") == 2.0
    finally:
        for name in ("largest_gap", "two"):
            stotmetrics.unregister(name)


def test_the_function_of_a_metric_is_that_metric():
    assert stotmetrics.get_metric(stotmetrics.tiot, p=1) == stotmetrics.get_metric("tiot", p=1)


def test_a_set_is_packed_once():
    packs = []

    def stack(series):
        packs.append(len(series))
        return np.array([s.values.mean() for s in series])

    def block(left, right, rows, cols, params, cutoff=None):
        return Batch(np.abs(packed(left, stack)[rows] - packed(right, stack)[cols]))

    spec = MetricSpec(
        name="means",
        pair=lambda x, y, params: abs(x.values.mean() - y.values.mean()),
        block=block,
        traits=Traits(symmetric=True, releases_gil=True),
    )
    stotmetrics.pairwise(np.random.default_rng(0).normal(size=(100, 4)), metric=spec)
    assert packs == [100]


def test_a_pickled_set_packs_for_itself():
    numbers = PreparedSet([1, 2, 3])
    assert packed(numbers, sum) == 6
    again = pickle.loads(pickle.dumps(numbers))
    assert list(again) == [1, 2, 3]
    assert again[1:][0] == 2
    assert packed([1, 2], sum) == 3


def slack_spec(converged):
    def gradients(left, right, rows, cols, params, side):
        slopes = [np.zeros_like(left[i].values) for i in rows]
        return GradBatch(np.zeros(len(rows)), slopes, slopes, np.full(len(rows), converged), np.full(len(rows), 0.5))

    return MetricSpec(
        name="slack", pair=lambda x, y, params: 0.0, gradients=gradients, traits=Traits(differentiable=True)
    )


def test_a_gradient_that_did_not_converge_is_told_as_a_value_is():
    with pytest.warns(ConvergenceWarning, match=r"slack did not converge .*error at most 0\.5"):
        stotmetrics.value_and_grad(X, Y, metric=slack_spec(False))
    with pytest.warns(ConvergenceWarning, match="gradients on the way") as caught:
        stotmetrics.barycenter([X, Y], metric=slack_spec(False))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stotmetrics.value_and_grad(X, Y, metric=slack_spec(True))


def test_parameters_whose_names_a_function_takes_itself_go_in_a_dict():
    frames = np.random.default_rng(0).uniform(0.5, 1.0, size=(2, 3, 4))
    center = stotmetrics.barycenter(frames, metric="sta", max_iter=3, metric_params={"max_iter": 5000, "tol": 1e-5})
    bound = stotmetrics.get_metric("sta", max_iter=5000, tol=1e-5)
    assert center.n_iter <= 3
    np.testing.assert_array_equal(center.values, stotmetrics.barycenter(frames, metric=bound, max_iter=3).values)


def test_whether_a_metric_pickles_by_name_does_not_depend_on_what_was_loaded():
    from stotmetrics.metrics.dtw import SPEC
    from stotmetrics.spec import registry

    before = pickle.dumps(bind(SPEC))
    registry._loaded.pop("dtw", None)
    assert pickle.dumps(bind(SPEC)) == before
    stotmetrics.get_metric("dtw")
    assert pickle.dumps(bind(SPEC)) == before
