"""Memory that is refused before it is taken, and what the bar shows."""

import io
import re

import numpy as np
import pytest
from disk_runs import SPEC, WANTED, X, names, stopped

from stotmetrics import pairwise
from stotmetrics.engine import output
from stotmetrics.engine.tiles import tiles_of
from stotmetrics.errors import InvalidParameterError


def test_memory_is_refused_before_it_is_taken(tmp_path):
    big = np.broadcast_to(np.zeros((1, 4)), (20_000, 4))
    with pytest.raises(
        MemoryError, match=r"max_memory is 1 GB, and this takes 3.2 GB: 3.2 GB for the matrix and 640 kB"
    ):
        pairwise(big, metric=SPEC, max_memory="1 GB")
    with pytest.raises(MemoryError, match="pass fewer series"):
        pairwise(X, metric=SPEC, max_memory=400, out=tmp_path / "D.npy")
    assert names(tmp_path) == []
    np.testing.assert_array_equal(pairwise(X, metric=SPEC, max_memory=WANTED.nbytes + X.nbytes), WANTED)
    with pytest.raises(MemoryError, match=r"condensed=True or dtype='float32'"):
        pairwise(X, metric=SPEC, max_memory=WANTED.nbytes + X.nbytes - 1)
    pairwise(X, metric=SPEC, max_memory="16 kB", dtype="float32")


@pytest.mark.parametrize(
    ("said", "meant"),
    [(1000, 1000), ("1000", 1000), ("4 GB", 4e9), ("2.5kB", 2500), ("1GiB", 2**30), ("3 mib", 3 * 2**20), (2e9, 2e9)],
)
def test_memory_is_said_in_bytes_or_words(said, meant):
    assert output.bytes_of(said) == meant


@pytest.mark.parametrize(
    "said", [0, -1, True, "", "GB", "4 XB", "-3 GB", "1 2", float("nan"), float("inf"), None, [1], "4 GG"]
)
def test_other_words_for_memory_are_refused(said):
    with pytest.raises(InvalidParameterError, match="max_memory must be a positive number of bytes"):
        output.bytes_of(said)


def test_the_bar_shows_rate_and_time_and_starts_where_the_last_run_ended(tmp_path, capfd):
    stopped(tmp_path / "D.npy", 3)
    pairwise(X, metric=SPEC, out=tmp_path / "D.npy", progress=True)
    shown = capfd.readouterr().err
    assert re.match(r"\s*gap:\s+6\d%.*\[00:00<\?, \?pair/s\]", shown), shown
    assert re.search(r"gap: 100%.*\[00:00<00:00, .*pair/s\]", shown), shown


def test_a_notebook_gets_a_bar_of_its_own(monkeypatch):
    import tqdm.auto

    made = []

    class Bar(tqdm.auto.tqdm):
        def __init__(self, *args, **named):
            made.append(named["desc"])
            super().__init__(*args, **named, file=io.StringIO())

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    pairwise(X, metric=SPEC, progress=True)
    assert made == ["gap"]


def test_millions_of_tiles_are_not_listed_first():
    tiles = tiles_of(10**6, 10**6, 4, within=True, symmetric=True, zero_self=True)
    assert len(tiles) == 250_000 * 250_001 // 2
    assert tiles[len(tiles) - 1].rows == slice(10**6 - 4, 10**6)
    assert tiles.pairs_in_all() == 10**6 * (10**6 - 1) // 2
