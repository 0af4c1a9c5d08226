"""Losses for JAX: values and gradients of the kernels, under jit and vmap, in the precision of the input."""

import numpy as np
import pytest

import stotmetrics
from stotmetrics import InvalidParameterError

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from stotmetrics.hosts.jax import series_loss  # noqa: E402

LOSSES = [
    ("softdtw", {"gamma": 0.5}),
    ("softdtw_divergence", {"gamma": 0.5, "band": 2}),
    ("tiot", {"standardize": False}),
    ("etiot", {"epsilon": 0.1, "tol": 1e-14}),
]
each_loss = pytest.mark.parametrize(("name", "params"), LOSSES, ids=[name for name, _ in LOSSES])


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def batch(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@each_loss
def test_values_and_gradients_are_those_of_the_metric(name, params):
    x, y = batch(3, 6, 2), batch(3, 5, 2, seed=1)
    metric = stotmetrics.get_metric(name, **params)
    pairs = [metric.value_and_grad(np.asarray(a), np.asarray(b)) for a, b in zip(x, y, strict=True)]
    loss = series_loss(name, **params)
    value, (grad_x, grad_y) = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(x, y)
    assert float(value) == pytest.approx(np.mean([v for v, _, _ in pairs]), rel=1e-12)
    np.testing.assert_allclose(grad_x, np.stack([g for _, g, _ in pairs]) / 3, rtol=1e-12)
    np.testing.assert_allclose(grad_y, np.stack([g for _, _, g in pairs]) / 3, rtol=1e-12)
    np.testing.assert_allclose(series_loss(metric, reduction="none")(x, y), [v for v, _, _ in pairs], rtol=1e-9)
    assert float(series_loss(metric, reduction="sum")(x, y)) == pytest.approx(sum(v for v, _, _ in pairs), rel=1e-9)


@each_loss
def test_gradients_are_the_slopes_of_the_loss(name, params):
    from jax.test_util import check_grads

    check_grads(series_loss(name, **params), (batch(2, 4), batch(2, 5, seed=1)), order=1, modes=["rev"], rtol=1e-5)


def test_padding_counts_for_nothing():
    x, y = batch(2, 7, 2), batch(2, 6, 2, seed=1)
    loss = series_loss("softdtw", reduction="none")
    n, m = jnp.array([7, 3]), jnp.array([2, 6])
    for form in (loss, jax.jit(loss)):
        values = form(x, y, n, m)
        assert float(values[1]) == pytest.approx(float(loss(x[1:, :3], y[1:])[0]))
    slope = jax.grad(lambda x: loss(x, y, n, m).sum())(x)
    assert not slope[1, 3:].any() and slope[1, :3].all()


def test_single_precision_in_and_out():
    x, y = batch(2, 9).astype(jnp.float32), batch(2, 9, seed=1).astype(jnp.float32)
    loss = series_loss("etiot", epsilon=0.1)
    value, slope = jax.value_and_grad(loss)(x, y)
    assert value.dtype == slope.dtype == jnp.float32
    wide = jax.grad(loss)(x.astype(float), y.astype(float))
    np.testing.assert_allclose(slope, wide, rtol=1e-5, atol=1e-6)


def test_vmap_takes_batches_of_batches():
    x, y = batch(3, 2, 5), batch(3, 2, 4, seed=1)
    loss = series_loss("softdtw")
    np.testing.assert_allclose(jax.vmap(loss)(x, y), [loss(a, b) for a, b in zip(x, y, strict=True)])


def test_a_step_down_the_gradient_lowers_the_loss():
    x, y = batch(4, 12), batch(4, 12, seed=1)
    step = jax.jit(jax.value_and_grad(series_loss("tiot", standardize=False, root=False)))
    first, _ = step(x, y)
    for _ in range(30):
        value, slope = step(x, y)
        x = x - 2.0 * slope
    assert value < 0.5 * first


def test_what_cannot_be_used_is_refused():
    with pytest.raises(NotImplementedError, match="no gradient"):
        series_loss("dtw")
    with pytest.raises(InvalidParameterError, match="reduction must be"):
        series_loss("softdtw", reduction="max")
    with pytest.raises(InvalidParameterError, match="with the same B >= 1"):
        series_loss("softdtw")(batch(2, 3), batch(3, 3))
    with pytest.raises(InvalidParameterError, match="input_lengths must be 2 integers from 1 to 3"):
        series_loss("softdtw")(batch(2, 3), batch(2, 3), [3, 4])


def test_half_precision_gives_a_loss_in_single_precision():
    x, y = jnp.full((2, 5), 300.0, dtype=jnp.float16), jnp.zeros((2, 5), dtype=jnp.float16)
    value, slope = jax.value_and_grad(series_loss("softdtw"))(x, y)
    assert (value.dtype, slope.dtype) == (jnp.float32, jnp.float16)
    assert float(value) == pytest.approx(stotmetrics.softdtw(np.full(5, 300.0), np.zeros(5)), rel=1e-6)


def test_what_single_precision_cannot_hold_is_an_error():
    x = jnp.full((1, 3), 1e20, dtype=jnp.float32)
    with pytest.raises(Exception, match=r"softdtw: a value of 3e\+40 is beyond the range of float32"):
        series_loss("softdtw")(x, 0 * x).block_until_ready()
