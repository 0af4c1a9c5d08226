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

    vectors = rng.normal(size=(3, m))
    back = plan.products(alpha, beta, w, epsilon, P.sum(1), vectors)
    np.testing.assert_allclose(back, (vectors @ P.T / P.sum(1)) @ P, rtol=1e-10, atol=1e-12)

    low_rows, low_columns = 0.2 * P.sum(1), 0.3 * P.sum(0)
    values, where, starts = plan.sparse(alpha, beta, w, epsilon, low_rows, low_columns, n * m)
    kept = (low_rows[:, None] < P) | (low_columns < P)
    np.testing.assert_array_equal(starts, np.concatenate([[0], np.cumsum(kept.sum(1))]))
    np.testing.assert_array_equal(where, np.nonzero(kept)[1])
    np.testing.assert_allclose(values, P[kept], rtol=1e-12)
    assert plan.sparse(alpha, beta, w, epsilon, np.zeros(n), np.zeros(m), n * m - 1) is None

    # Rows scaled to their masses, whatever beta is.
    a, D = rng.uniform(size=n), A - B
    for beta_here in (beta, 1e4 * beta):
        exponents = beta_here - (w * A + (1 - w) * B) / epsilon
        Q = np.exp(exponents - exponents.max(1, keepdims=True))
        factor = a / Q.sum(1)
        Q *= factor[:, None]
        of_rows, columns, products, slope, curvature = plan.sums(a, beta_here, w, epsilon)
        off = (Q * D).sum(1, keepdims=True) / a[:, None] - D
        np.testing.assert_allclose(of_rows, np.log(factor) - exponents.max(1), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(columns, Q.sum(0), rtol=1e-9, atol=1e-30)
        np.testing.assert_allclose(products, (Q * off).sum(0), rtol=1e-8, atol=1e-11)
        assert slope == pytest.approx((Q * D).sum(), rel=1e-10)
        assert curvature == pytest.approx((Q * off**2).sum(), rel=1e-8, abs=1e-11)

        share, rest = rng.uniform(size=m), rng.uniform(size=m)
        R = Q * share
        wanted = [R.sum(1), (A * R).sum(1), (B * R).sum(1), A @ rest, B @ rest]
        np.testing.assert_allclose(plan.costs(a, beta_here, w, epsilon, share, rest), wanted, rtol=1e-9)
