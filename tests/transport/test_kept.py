"""What is kept between calls is bounded in bytes, and made once."""

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics.metrics import sta
from stotmetrics.transport.ground_cost import Ground, default_ground
from stotmetrics.transport.kept import kept


@given(st.lists(st.integers(0, 120), min_size=1, max_size=40))
def test_bytes_stay_below_the_limit_but_for_the_last_value(sizes):
    made = []

    @kept(limit=100, nbytes=len)
    def zeros(count):
        made.append(count)
        return bytes(count)

    for size in sizes:
        assert zeros(size) is zeros(size)
        assert zeros.kept_bytes() <= max(100, size)
    assert len(made) <= len(sizes)
    if sum(set(sizes)) <= 100:
        assert sorted(made) == sorted(set(sizes))


def test_the_least_recently_used_goes_first():
    made = []

    @kept(limit=100, nbytes=len)
    def zeros(count):
        made.append(count)
        return bytes(count)

    for size in (40, 50, 40, 30, 40, 50):
        zeros(size)
    assert made == [40, 50, 30, 50]


def test_threads_that_ask_for_the_same_get_one_value():
    values = []

    @kept(limit=10, nbytes=len)
    def zeros(count):
        return bytearray(count)

    threads = [threading.Thread(target=lambda: values.append(zeros(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(value) for value in values}) == 1


def test_grounds_of_many_sizes_hold_no_more_than_their_bound():
    """Each of these is 5 MB of cost and three times that of kernels."""
    for size in range(700, 720):
        stotmetrics.sta(np.ones((1, size)), np.ones((1, size)), epsilon=0.5, tol=0.1)
    assert default_ground.kept_bytes() <= 64 * 2**20
    assert sta._problem.kept_bytes() <= 256 * 2**20


def test_series_on_one_ground_share_one_problem_however_large():
    ground = Ground.from_points(np.random.default_rng(0).random((30, 2)))
    bound = stotmetrics.get_metric("sta", ground=ground)
    first, second = (bound.prepare(stotmetrics.Series(np.full((2, 30), height))) for height in (1.0, 2.0))
    assert first.problem is second.problem
