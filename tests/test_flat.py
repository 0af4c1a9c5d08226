"""BoundMetric.flat: metrics for hosts that hand over flat rows."""

import pickle

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

import stotmetrics
from stotmetrics import InvalidParameterError, InvalidSeriesError

X = np.random.default_rng(1).normal(size=(6, 5, 2))


@pytest.mark.parametrize("name", ["dtw", "euclidean", "softdtw"])
def test_scipy_gets_our_values_from_flat_rows(name):
    metric = stotmetrics.get_metric(name)
    expected = stotmetrics.pairwise(X, metric=metric)
    np.testing.assert_allclose(cdist(X.reshape(6, -1), X.reshape(6, -1), metric=metric.flat(2)), expected, atol=1e-13)
    np.testing.assert_allclose(pdist(X.reshape(6, -1), metric=metric.flat(2)), expected[np.triu_indices(6, 1)])


def test_it_pickles_and_says_what_it_cannot_read():
    flat = stotmetrics.get_metric("dtw").flat(2)
    assert pickle.loads(pickle.dumps(flat)) == flat
    with pytest.raises(InvalidSeriesError, match=r"x must be a flat row of times times 2 values; got shape \(5,\)"):
        flat(np.zeros(5), np.zeros(4))
    with pytest.raises(InvalidParameterError, match="d must be an integer >= 1"):
        stotmetrics.get_metric("dtw").flat(0)


def test_a_flat_row_of_one_time_is_in_no_doubt():
    # filterwarnings is "error": nothing is said of axes that are told.
    assert stotmetrics.get_metric("dtw").flat(3)(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 4.0])) == 4.0
