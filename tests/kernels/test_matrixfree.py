"""Products with a plan that is never stored equal those with the same plan as a matrix."""

import numpy as np
import pytest

from stotmetrics.kernels._matrixfree import Plan
from stotmetrics.transport.point_clouds import powers


@pytest.mark.parametrize(("n", "m", "d", "p"), [(9, 13, 1, 2.0), (13, 9, 2, 1.5), (1, 6, 1, 1.0), (5, 1, 3, 2.0)])
def test_every_product_equals_that_of_the_matrix(n, m, d, p):
    rng = np.random.default_rng(n)
    x, y, t, s = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.normal(size=n), rng.normal(size=m)
    alpha, beta, w, epsilon = rng.normal(size=n), rng.normal(size=m), 0.3, 0.7
    A, B = powers(x, y, p), powers(t[:, None], s[:, None], p)
    P = np.exp(alpha[:, None] + beta - (w * A + (1 - w) * B) / epsilon)
    plan = Plan(x, t, y, s, p)

    rows, row_products, columns, products, curvature = plan.sums(alpha, beta, w, epsilon)
    np.testing.assert_allclose(rows, P.sum(1), rtol=1e-12)
    np.testing.assert_allclose(row_products, (P * (A - B)).sum(1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(columns, P.sum(0), rtol=1e-12)
    np.testing.assert_allclose(products, (P * (A - B)).sum(0), rtol=1e-10, atol=1e-12)
    assert curvature == pytest.approx((P * (A - B) ** 2).sum(), rel=1e-12)

    vectors = rng.normal(size=(3, m))
    forward, back = plan.products(alpha, beta, w, epsilon, P.sum(1), vectors)
    np.testing.assert_allclose(forward, vectors @ P.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(back, (vectors @ P.T / P.sum(1)) @ P, rtol=1e-10, atol=1e-12)

    rest = rng.uniform(size=m)
    wanted = [P.sum(1), (A * P).sum(1), (B * P).sum(1), A @ rest, B @ rest]
    np.testing.assert_allclose(plan.costs(alpha, beta, w, epsilon, rest), wanted, rtol=1e-10)
