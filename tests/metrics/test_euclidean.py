"""euclidean: its definition, scales beyond squares, and the refusal of unequal lengths."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import stotmetrics
from stotmetrics import InvalidSeriesError


def test_matrix_equals_scipy():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(70, 13, 2)), rng.normal(size=(9, 13, 2))
    expected = cdist(X.reshape(70, -1), Y.reshape(9, -1))
    np.testing.assert_allclose(stotmetrics.pairwise(X, Y, metric="euclidean"), expected, rtol=1e-14)
    neighbors = stotmetrics.kneighbors(X, Y, metric="euclidean", k=3)
    np.testing.assert_array_equal(neighbors.indices, np.argsort(expected, axis=0, kind="stable")[:3].T)


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1.0, 1e160, 1e200])
def test_it_scales_with_its_series_beyond_the_range_of_squares(scale):
    assert stotmetrics.euclidean([0.0, 3.0 * scale], [4.0 * scale, 0.0]) == pytest.approx(5.0 * scale, rel=1e-15)


def test_series_of_two_lengths_are_refused():
    with pytest.raises(InvalidSeriesError, match="equal length"):
        stotmetrics.euclidean([0.0, 1.0], [0.0, 1.0, 2.0])


def test_gradient_is_the_unit_vector_between_and_zero_between_equals():
    value, left, right = stotmetrics.value_and_grad([3.0, 0.0], [0.0, 4.0], metric="euclidean")
    assert value == 5.0
    np.testing.assert_allclose(left[:, 0], [0.6, -0.8])
    np.testing.assert_array_equal(right, -left)
    assert not stotmetrics.value_and_grad([1.0, 2.0], [1.0, 2.0], metric="euclidean")[1].any()


def test_barycenter_of_a_triangle_is_its_geometric_median():
    X = [[0.0, 0.0], [4.0, 0.0], [2.0, 2.0 * np.sqrt(3.0)]]
    center = stotmetrics.barycenter(X, metric="euclidean", init=[1.0, 0.5])
    np.testing.assert_allclose(center.values[:, 0], [2.0, 2.0 / np.sqrt(3.0)], atol=1e-5)
