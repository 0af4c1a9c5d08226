"""Arrays that lie, overlap or pretend: every function gives the right answer or a clear error, and never a crash."""

from functools import partial
from importlib import metadata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

import stotmetrics
from stotmetrics.series_sets import read_dataset
from stotmetrics.spec import registry
from stotmetrics.testing.strategies import series
from stotmetrics.transport import pot as transport

OWN = sorted(
    point.name for point in metadata.entry_points(group=registry.GROUP) if point.value.startswith("stotmetrics.")
)
# What a person can mend; anything else would be a crash of ours.
CLEAR = (stotmetrics.InvalidSeriesError, stotmetrics.InvalidParameterError)


class Subclass(np.ndarray):
    """An array of another type with the same numbers."""


class Wrapped:
    """Not an array, but it can become one."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


class Failing:
    """It promises to become an array and fails."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no array today")


def misaligned(x):
    raw = np.zeros(x.nbytes + 1, dtype=np.uint8)
    shifted = raw[1:].view(np.float64).reshape(x.shape)
    shifted[...] = x
    assert not shifted.flags.aligned or x.size == 0
    return shifted


def spread(x, step):
    wide = np.full((len(x) * abs(step), x.shape[1] + 3), np.nan)
    wide[::step, 1 : 1 + x.shape[1]] = x
    return wide[::step, 1 : 1 + x.shape[1]]


def record(x):
    table = np.zeros(x.shape, dtype=[("pad", "i1"), ("value", "f8")])
    table["value"] = x
    return table["value"]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


SAME = {
    "misaligned": misaligned,
    "big-endian": lambda x: x.astype(">f8"),
    "long double": lambda x: x.astype(np.longdouble),
    "negative strides": lambda x: spread(x, -1),
    "wide strides": lambda x: spread(x, 3),
    "Fortran order": np.asfortranarray,
    "field of a record": record,
    "read-only": read_only,
    "subclass": lambda x: x.view(Subclass),
    "mask without a masked entry": lambda x: np.ma.masked_array(x, mask=False),
    "wrapped": Wrapped,
    "memory view": lambda x: memoryview(x),
    "padded with NaN rows": lambda x: np.vstack([x, np.full((2, x.shape[1]), np.nan)]),
}


def positive(x):
    """Legal for every metric: STA wants mass."""
    return np.abs(x) + 0.1


@pytest.mark.parametrize("form", SAME)
@given(series(min_length=2, max_length=4))
def test_the_same_numbers_in_any_memory_give_the_same_value(form, x):
    x = positive(x)
    y = x[::-1].copy()
    for name in ("softdtw", "tiot", "sta", "otw"):
        wanted = stotmetrics.distance(x, y, metric=name)
        assert stotmetrics.distance(SAME[form](x), SAME[form](y), metric=name) == pytest.approx(
            wanted, rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize("name", OWN)
def test_zero_strides_repeat_a_value(name):
    repeated = as_strided(np.array([1.5]), shape=(4, 1), strides=(0, 0))
    other = np.arange(1.0, 5.0)
    wanted = stotmetrics.distance(np.full((4, 1), 1.5), other, metric=name)
    assert stotmetrics.distance(repeated, other, metric=name) == wanted


@pytest.mark.parametrize("name", OWN)
def test_a_size_that_no_memory_holds_is_a_memory_error(name):
    claimed = as_strided(np.array([1.0]), shape=(10**15, 1), strides=(0, 0))
    with pytest.raises(MemoryError):
        stotmetrics.distance(claimed, [1.0], metric=name)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    "bad",
    [
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        Failing(),
        np.array([1.0, None], dtype=object),
        np.array(["1", "2"]),
        np.array([1.0 + 2j, 1.0]),
        np.array([], dtype=np.float64),
        np.zeros((3, 0)),
        np.zeros((0, 3)),
        np.zeros((2, 1, 1, 1)),
        np.float64(1.0),
        np.datetime64("2020-01-01"),
        [[1.0, 2.0], [3.0]],
        [1.0, [2.0]],
        {"a": 1.0},
        "text",
        b"bytes",
        object(),
        np.array([2**63 - 1, 0]),
        [1e400, 0.0],
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_no_series_is_refused_by_name(name, bad):
    with pytest.raises(CLEAR, match=r"^y "):
        stotmetrics.distance([1.0, 2.0], bad, metric=name)
    with pytest.raises(CLEAR, match=r"^x "):
        stotmetrics.distance(bad, [1.0, 2.0], metric=name)


@pytest.mark.parametrize("name", OWN)
@given(st.sampled_from([1e-320, 1e-300, 1e-150, 1e100, 1e150, 1e300, 1.7e308]))
def test_extreme_numbers_give_a_finite_value_or_say_why_not(name, scale):
    x, y = np.array([0.5, 1.0, 0.25]) * scale, np.array([1.0, 0.5, 0.75]) * scale
    with np.errstate(all="ignore"):
        try:
            value = stotmetrics.distance(x, y, metric=name)
        except (FloatingPointError, stotmetrics.ConvergenceWarning, *CLEAR):
            return
        assert np.isfinite(value)


@pytest.mark.parametrize("name", ["softdtw", "tiot", "sta", "otw"])
def test_a_set_may_be_any_view_of_memory(name):
    data = positive(np.random.default_rng(0).normal(size=(4, 6)))
    wanted = stotmetrics.pairwise(data, metric=name)
    for form in (misaligned, np.asfortranarray, lambda x: x.astype(">f8"), lambda x: spread(x, -1)):
        np.testing.assert_allclose(stotmetrics.pairwise(form(data), metric=name), wanted, rtol=1e-9, atol=1e-9)


def test_overlapping_series_are_read_and_not_written():
    base = positive(np.random.default_rng(1).normal(size=8))
    before = base.copy()
    windows = np.lib.stride_tricks.sliding_window_view(base, 5)
    for name in OWN:
        matrix = stotmetrics.pairwise(windows, metric=name)
        np.testing.assert_allclose(matrix, stotmetrics.pairwise(windows.copy(), metric=name), rtol=1e-9, atol=1e-9)
    assert (base == before).all()


RNG = np.random.default_rng(2)
FRAMES, OTHERS = RNG.random((4, 2)) + 0.1, RNG.random((3, 2)) + 0.1
SETS = RNG.random((3, 4, 2)) + 0.1
COST = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
MASSES = np.array([0.1, 0.2, 0.3, 0.4])
COLUMNS = np.column_stack([MASSES, MASSES[::-1]])


def averaged(**changed):
    center = stotmetrics.barycenter(**{"X": SETS, "metric": "softdtw", **changed})
    return center.values, center.objective


def unbalanced(function, a, b, M):
    return function(a, b, M, 1.0, 1.0)


def balanced(function, a, b, M):
    return function(a, b, M, 1.0)


# Every place that takes numbers, beside the series of `distance`: a legal array, and what to do with it.
FUNCTIONS = {
    "solve": (FRAMES, lambda x: stotmetrics.solve(x, OTHERS, metric="etiot").plan),
    "value_and_grad": (FRAMES, lambda x: stotmetrics.value_and_grad(x, OTHERS, metric="softdtw")),
    "value_and_grad of sta": (OTHERS, lambda y: stotmetrics.value_and_grad(FRAMES, y, metric="sta")),
    "times": (np.array([0.0, 1.0, 2.5, 4.0]), lambda t: stotmetrics.as_series(FRAMES, times=t).times),
    "weights": (MASSES, lambda w: stotmetrics.as_series(FRAMES, weights=w).weights),
    "pairwise X": (SETS, lambda X: stotmetrics.pairwise(X, metric="dtw")),
    "pairwise Y": (SETS, lambda Y: stotmetrics.pairwise(SETS, Y, metric="dtw")),
    "kneighbors X_train": (SETS, lambda X: stotmetrics.kneighbors(X, SETS, "dtw").distances),
    "kneighbors X_query": (SETS, lambda X: stotmetrics.kneighbors(SETS, X, "tiot").distances),
    "barycenter X": (SETS, lambda X: averaged(X=X)),
    "barycenter weights": (MASSES[:3], lambda w: averaged(weights=w)),
    "barycenter init": (FRAMES, lambda x: averaged(init=x)),
    "sta_over_gamma X": (SETS, lambda X: stotmetrics.sta_over_gamma(X, gammas=[0.1])),
    "sta_over_gamma gammas": (MASSES, lambda g: stotmetrics.sta_over_gamma(SETS, gammas=g)),
    "softdtw_from_cost": (COST[:, :3], lambda C: stotmetrics.softdtw_from_cost(C, 0.5).value),
    "Ground.from_cost": (COST, lambda M: stotmetrics.Ground.from_cost(M).cost()),
    "Ground.from_points": (FRAMES, lambda xyz: stotmetrics.Ground.from_points(xyz).cost()),
    "ground of sta": (COST[:2, :2], lambda M: stotmetrics.distance(FRAMES, OTHERS, metric="sta", ground=M)),
}
for function, call in (
    (transport.sinkhorn, balanced),
    (transport.sinkhorn2, balanced),
    (transport.sinkhorn_unbalanced, unbalanced),
    (transport.sinkhorn_unbalanced2, unbalanced),
    (transport.sinkhorn_divergence, balanced),
):
    FUNCTIONS |= {
        f"{function.__name__} a": (MASSES, partial(call, function, b=MASSES[::-1], M=COST)),
        f"{function.__name__} b": (COLUMNS, lambda b, function=function, call=call: call(function, MASSES, b, COST)),
        f"{function.__name__} M": (COST, lambda M, function=function, call=call: call(function, MASSES, COLUMNS, M)),
    }


def same(left, right):
    if isinstance(left, tuple):
        return all(map(same, left, right))
    return np.allclose(left, right, rtol=1e-9, atol=1e-9)


def in_memory(form, x):
    """The array in that form, or None where the form is one of series."""
    if form in ("negative strides", "wide strides"):
        step = -1 if form.startswith("negative") else 3
        wide = np.full((len(x) * abs(step), *x.shape[1:]), np.nan)
        wide[::step] = x
        return wide[::step]
    return None if form == "padded with NaN rows" else SAME[form](x)


@pytest.mark.parametrize("form", SAME)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_takes_the_same_numbers_in_any_memory(function, form):
    x, enter = FUNCTIONS[function]
    y = in_memory(form, x)
    if y is not None:
        assert same(enter(y), enter(x))


@pytest.mark.parametrize(
    "bad",
    [
        np.ma.masked_array(COST, mask=COST > 2),
        Failing(),
        np.array([[1.0, None]] * 2, dtype=object),
        np.array([["1", "2"]] * 2),
        COST + 1j,
        np.zeros((3, 0)),
        np.zeros((0, 3)),
        np.zeros((1, 1, 1, 1, 2)),
        np.datetime64("2020-01-01"),
        [[1.0, 2.0], [3.0, [1.0, 2.0]]],
        [[1e400] * 4] * 4,
        np.full((4, 4), np.nan),
        {"a": 1.0},
        {1.0, 2.0},
        "text",
        b"bytes",
        object(),
        True,
    ],
    ids=lambda bad: type(bad).__name__,
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_refuses_what_is_no_array_of_numbers(function, bad):
    with pytest.raises(CLEAR):
        FUNCTIONS[function][1](bad)


@pytest.mark.parametrize("shape", [(10**15,), (10**15, 1), (10**8, 10**8), (10**6, 10**6, 10**6)])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_refuses_sizes_that_no_memory_holds(function, shape):
    claimed = as_strided(np.array([1.0]), shape=shape, strides=(0,) * len(shape))
    with pytest.raises((MemoryError, *CLEAR)):
        FUNCTIONS[function][1](claimed)


def test_rows_that_are_shared_take_no_memory(monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 1000)  # a million bytes
    wide = np.ones((200, 4000))
    assert len(read_dataset(wide[::2], "X")) == 100
    with pytest.raises(MemoryError, match="pass fewer series at a time"):
        read_dataset(wide[:, ::2], "X")
    with pytest.raises(MemoryError, match="pass fewer series at a time"):
        stotmetrics.as_dataset(wide)
