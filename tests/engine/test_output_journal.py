"""The journal: whatever is left of it and of the matrix, the next run ends with the bytes of an undisturbed one."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stotmetrics.engine.destination import Layout
from stotmetrics.engine.matrix_file import FileDestination
from stotmetrics.engine.tiles import tiles_of

N, SIDE = 7, 2
JOB, OTHER = {"series": "these"}, {"series": "those"}
VALUES = np.add.outer(np.arange(N), np.arange(N)) + 0.5
TILES = tiles_of(N, N, SIDE, within=True, symmetric=True, zero_self=False)
HEADER = 128


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)


def complete(path, *, job=JOB, most=10, values=VALUES):
    """Write the matrix, or so many tiles of it; how many were written."""
    layout = Layout(N, N, mirror=True)
    destination = FileDestination(path, layout, np.dtype(np.float64), job)
    todo = destination.todo(TILES)
    for k in todo[:most]:
        tile = TILES[k]
        i, j = tile.pairs()
        destination.write(k, tile, values[i + tile.rows.start, j + tile.cols.start], mirror=True)
    if len(todo) <= most:
        destination.finish()
    destination.close()
    return min(len(todo), most)


def journal_of(path):
    return path.with_name(path.name + ".journal")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed") / "D.npy"
    complete(path)
    np.testing.assert_array_equal(np.load(path), VALUES)
    return path.read_bytes()


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The bytes of matrix and journal that a run leaves that was stopped after six of ten tiles."""
    path = tmp_path_factory.mktemp("stopped") / "D.npy"
    assert complete(path, most=6) == 6
    return path.read_bytes(), journal_of(path).read_bytes()


def resumed(folder, matrix, journal):
    """Tiles written and bytes found by a run that finds these two files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "D.npy"
    path.write_bytes(matrix)
    journal_of(path).write_bytes(journal)
    return complete(path), path.read_bytes()


def tiles_in(journal):
    return journal.count(b"\ntile ")


def test_only_what_is_left_is_written(tmp_path, left, wanted):
    assert resumed(tmp_path / "again", *left) == (4, wanted)


def test_the_journal_may_be_cut_at_every_byte(tmp_path, left, wanted):
    matrix, journal = left
    for size in range(len(journal) + 1):
        count, contents = resumed(tmp_path / "cut", matrix, journal[:size])
        assert contents == wanted
        whole = sum(journal[:size].endswith(line) or line + b"\n" in journal[:size] for line in _tile_lines(journal))
        assert count == len(TILES) - whole, f"cut at {size} of {len(journal)}"


def _tile_lines(journal):
    return [line for line in journal.split(b"\n") if line.startswith(b"tile ")]


def test_a_cut_journal_is_taken_up_by_a_run_that_is_stopped_as_well(tmp_path, left, wanted):
    matrix, journal = left
    path = tmp_path / "D.npy"
    for size in range(0, len(journal), 3):
        path.write_bytes(matrix)
        journal_of(path).write_bytes(journal[:size])
        complete(path, most=2)
        complete(path)
        assert path.read_bytes() == wanted
        path.unlink()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_bytes_may_be_lost_changed_or_put_in(tmp_path, left, wanted, data):
    matrix, journal = left
    start = data.draw(st.integers(0, len(journal)))
    stop = data.draw(st.integers(start, min(len(journal), start + 60)))
    # Pieces of the journal itself are the garbage that is most like it.
    piece = st.tuples(st.integers(0, len(journal)), st.integers(0, 80)).map(lambda at: journal[at[0] : at[0] + at[1]])
    garbage = data.draw(st.one_of(st.binary(max_size=60), piece, st.just(b"\0" * 4096), st.just(b"\n\n1\n")))
    damaged = journal[:start] + garbage + journal[stop:]
    count, contents = resumed(tmp_path / "damaged", matrix, damaged)
    assert contents == wanted
    hit = sum(1 for line in _tile_lines(journal) if line not in damaged.split(b"\n"))
    assert 4 <= count <= 4 + hit


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, HEADER + 8 * N * N), st.sampled_from(["cut", "zeros", "noise", "more"]))
def test_the_matrix_may_lose_its_tail(tmp_path, left, wanted, size, how):
    matrix, journal = left
    rest = len(matrix) - size
    tail = {"cut": b"", "zeros": bytes(rest), "noise": b"\xa5" * rest, "more": matrix[size:] + b"more"}[how]
    count, contents = resumed(tmp_path / "tail", matrix[:size] + tail, journal)
    assert contents == wanted
    assert count >= 4


def test_a_record_of_numbers_that_never_reached_the_disk_is_found_out(tmp_path, left, wanted):
    matrix, journal = left
    lost = matrix[:HEADER] + bytes(len(matrix) - HEADER)
    assert resumed(tmp_path / "lost", lost, journal) == (len(TILES), wanted)


def test_a_finished_matrix_whose_journal_lost_its_end_is_made_good(tmp_path, wanted):
    path = tmp_path / "D.npy"
    complete(path)
    journal = journal_of(path).read_bytes()
    job_is_known = journal.index(b"\n", journal.index(b"job ")) + 1
    for size in range(job_is_known, len(journal)):
        count, contents = resumed(tmp_path / "cut", wanted, journal[:size])
        assert (contents, count) == (wanted, len(TILES) - tiles_in_whole(journal[:size]))


def tiles_in_whole(cut):
    return sum(len(line) == len(b"tile 0 01234567 01234567") for line in _tile_lines(cut))


def test_records_of_another_job_are_never_taken_for_this_one(tmp_path, left, wanted):
    """Even where a crash glued the tiles of one journal behind the first line of another."""
    path = tmp_path / "D.npy"
    complete(path, job=OTHER, most=6, values=VALUES + 1)
    matrix, journal = left
    tail = journal_of(path).read_bytes()
    count, contents = resumed(
        tmp_path / "glued", matrix, journal[: journal.index(b"\ntile")] + tail[tail.index(b"\ntile") :]
    )
    assert (count, contents) == (len(TILES), wanted)


def test_the_job_of_another_is_refused_and_named(tmp_path):
    path = tmp_path / "D.npy"
    complete(path, most=6)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"another series; finish that run, pass overwrite=True"):
        complete(path, job=OTHER)
    assert path.read_bytes() == before
    assert complete(path) == 4


def test_an_unfinished_matrix_without_a_journal_that_can_be_read_is_known_by_its_mark(tmp_path, left, wanted):
    matrix, journal = left
    torn = journal.replace(b"job {", b"job [")
    assert resumed(tmp_path / "mine", matrix, torn) == (4, wanted)
    path = tmp_path / "D.npy"
    path.write_bytes(matrix)
    journal_of(path).write_bytes(torn)
    with pytest.raises(FileExistsError, match="belongs to a run"):
        complete(path, job=OTHER)


def test_an_unfinished_matrix_cannot_be_loaded(tmp_path):
    complete(tmp_path / "D.npy", most=6)
    with pytest.raises(ValueError):
        np.load(tmp_path / "D.npy")


def test_a_run_that_was_killed_before_its_first_tile_blocks_nobody(tmp_path, wanted):
    path = tmp_path / "D.npy"
    FileDestination(path, Layout(N, N, mirror=True), np.dtype(np.float64), OTHER).journal.close()
    assert path.exists()
    assert complete(path) == len(TILES)
    assert path.read_bytes() == wanted
