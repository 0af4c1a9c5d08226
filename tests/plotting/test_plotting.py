"""What a picture shows is what the result says, and what cannot be drawn is refused by name."""

import pickle
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stotmetrics
from stotmetrics import cli, plotting

mpl.use("Agg")

X = [0.0, 2.0, 1.0, 0.0, 0.0]
Y = [0.0, 0.0, 2.0, 1.0]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def links_of(ax):
    return np.array([path.vertices for path in ax.collections[0].get_paths()]).reshape(-1, 2, 2)


@pytest.mark.parametrize("kind", ["links", "cost", "alignment", None])
@pytest.mark.parametrize("metric", ["softdtw", "tiot", "taot", "dtw"])
def test_a_result_draws_itself_on_the_axes_it_is_given(ax, metric, kind):
    assert stotmetrics.solve(X, Y, metric=metric).plot(kind, ax=ax) is ax


def test_without_axes_there_is_a_new_figure():
    before = set(plt.get_fignums())
    stotmetrics.solve(X, Y, metric="dtw").plot()
    assert len(set(plt.get_fignums()) - before) == 1


def test_links_join_the_points_of_the_plan_at_their_own_times(ax):
    x = stotmetrics.as_series(X, times=[0.0, 0.5, 4.0, 4.5, 9.0])
    result = stotmetrics.solve(x, Y, metric="tiot")
    plotting.plot_alignment(result, ax=ax, threshold=0.0, offset=10.0)
    rows, cols = np.nonzero(result.plan > 0)
    wanted = {(x.times[i], X[i] + 10.0, float(j), Y[j]) for i, j in zip(rows, cols, strict=True)}
    assert {tuple(link.ravel()) for link in links_of(ax)} == wanted


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.8])
def test_links_below_the_threshold_are_left_out(ax, threshold):
    result = stotmetrics.solve(X, Y, metric="softdtw", gamma=2.0)
    plotting.plot_alignment(result, ax=ax, threshold=threshold)
    assert len(links_of(ax)) == (result.alignment > threshold * result.alignment.max()).sum()


def test_of_too_many_links_the_strongest_are_drawn(ax):
    coupling = np.arange(20.0).reshape(5, 4)
    plotting.plot_alignment(coupling, X, Y, ax=ax, max_links=3, offset=0.0)
    assert {tuple(link[:, 0]) for link in links_of(ax)} == {(4.0, 3.0), (4.0, 2.0), (4.0, 1.0)}


def test_series_of_several_channels_draw_their_cost_and_ask_for_a_channel_to_link(ax):
    x, y = np.array([X, X]).T, np.array([Y, Y]).T
    result = stotmetrics.solve(x, y, metric="dtw")
    assert result.plot(ax=ax).images
    with pytest.raises(stotmetrics.InvalidParameterError, match="channel must be given, from 0 to 1"):
        result.plot("links", ax=ax)
    result.plot("links", ax=plt.subplots()[1], channel=1)
    with pytest.raises(stotmetrics.InvalidParameterError, match="from 0 to 1; got 2"):
        result.plot("links", ax=ax, channel=2)


def test_the_shades_are_the_matrix_and_forbidden_cells_stay_white(ax):
    C = np.array([[0.0, np.inf], [1.0, 2.0]])
    plotting.plot_cost_matrix(stotmetrics.softdtw_from_cost(C, gamma=0.0), ax=ax)
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, np.where(np.isfinite(C), C, np.nan))


def test_a_result_without_a_cost_shades_its_plan(ax):
    result = stotmetrics.solve(X, Y, metric="tiot")
    if "cost" not in result.available:
        np.testing.assert_array_equal(result.plot("cost", ax=ax).images[0].get_array(), result.plan)


def test_a_result_that_was_pickled_draws_the_same(ax):
    result = pickle.loads(pickle.dumps(stotmetrics.solve(X, Y, metric="tiot")))
    result.plot(ax=ax)
    other = plt.subplots()[1]
    stotmetrics.solve(X, Y, metric="tiot").plot(ax=other)
    np.testing.assert_array_equal(links_of(ax), links_of(other))


@pytest.mark.parametrize(("metric", "params"), [("tiot", {}), ("tiot", {"p": 1.0}), ("etiot", {"epsilon": 0.1})])
def test_the_curve_of_weights_is_concave_and_its_top_is_the_objective(ax, metric, params):
    result = stotmetrics.solve(X, Y, metric=metric, **params)
    plotting.plot_weight(X, Y, metric, ax=ax, **params)
    w, heights = ax.lines[0].get_data()
    assert heights.max() == pytest.approx(result.objective, rel=1e-7)
    slopes = np.diff(heights) / np.diff(w)
    assert (np.diff(slopes) <= 1e-6).all()
    assert ax.lines[1].get_xdata()[0] == pytest.approx(result.w)


def order_of(ax):
    return ax.images[0].get_array()


@given(shift=st.floats(-5, 5), diagonal=st.floats(-5, 5), seed=st.integers(0, 99))
def test_the_dendrogram_minds_neither_a_common_shift_nor_the_diagonal(shift, diagonal, seed):
    A = np.random.default_rng(seed).uniform(1.0, 2.0, size=(5, 5))
    D = A + A.T
    np.fill_diagonal(D, 0.0)
    E = D + shift
    np.fill_diagonal(E, diagonal)
    drawn = [plotting.plot_matrix(matrix, ax=plt.subplots()[1]) for matrix in (D, E)]
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(order_of(drawn[0])[off] + shift, order_of(drawn[1])[off])
    plt.close("all")


def test_the_neighbour_that_is_explained_is_the_nearest_one(ax):
    rng = np.random.default_rng(0)
    train, query = rng.normal(size=(6, 12)), rng.normal(size=12)
    nearest = int(stotmetrics.pairwise([query], train, metric="tiot").argmin())
    labels = np.array(["a", "b"] * 3)
    title = plotting.plot_neighbor(query, train, labels, ax=ax).get_title()
    assert title.startswith(f"nearest: X[{nearest}], {labels[nearest]}\ntiot = ")
    rivals = labels != labels[nearest]
    assert f"{stotmetrics.pairwise([query], train[rivals], metric='tiot').min():.4g}" in title


def test_a_plan_that_moves_nothing_has_no_arrows_and_one_move_has_one(ax):
    a = np.ones((3, 3))
    stay = np.eye(9)
    assert len(plotting.plot_frame_plan(stay, a, a, ax=ax).collections) == 0
    move = np.zeros((9, 9))
    move[0, 5] = 1.0
    arrows = plotting.plot_frame_plan(stay * 100 + move, a, a, ax=ax).collections[-1]
    np.testing.assert_array_equal(np.c_[arrows.XY, arrows.U, arrows.V], [[0.0, 0.0, 2.0, 1.0]])


def test_the_far_side_of_a_mesh_is_covered_by_the_near_one(ax):
    corners = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [1, 0, 1]], dtype=float)
    plotting.plot_mesh(corners, [[3, 4, 5], [0, 1, 2]], [0, 0, 0, 1, 1, 1], ax=ax, elevation=0.0, azimuth=0.0)
    # Seen along the x-axis, the triangle at x = 1 comes last.
    np.testing.assert_array_equal(ax.collections[0].get_array(), [0.0, 1.0])


REFUSED = {
    "x and y belong together; got only x": lambda: plotting.plot_alignment(np.eye(5), X),
    "only a result of solve": lambda: plotting.plot_alignment(np.eye(5)),
    "as many times as the matrix has rows and columns, \\(5, 5\\); got 5 and 4": (
        lambda: plotting.plot_alignment(np.eye(5), X, Y)
    ),
    "must have plan or alignment; its metric offers: none": (
        lambda: plotting.plot_alignment(stotmetrics.solve(X, X, metric="euclidean"))
    ),
    "threshold must be": lambda: plotting.plot_alignment(np.eye(5), X, X, threshold=1.0),
    "kind must be one of 'links', 'cost', 'alignment'; got 'lines'": (
        lambda: stotmetrics.solve(X, Y, metric="dtw").plot("lines")
    ),
    "coupling must have the shape of the cost": lambda: plotting.plot_cost_matrix(np.eye(5), coupling=np.eye(4)),
    "matrix of shape \\(n, m\\)": lambda: plotting.plot_cost_matrix(X),
    "metric must be 'tiot' or 'etiot'": lambda: plotting.plot_weight(X, Y, "dtw"),
    "n_weights must be": lambda: plotting.plot_weight(X, Y, n_weights=1),
    "D must be symmetric": lambda: plotting.plot_matrix([[0.0, 1.0], [2.0, 0.0]]),
    "D must be a square matrix": lambda: plotting.plot_matrix([[0.0, 1.0]]),
    "D must hold finite numbers": lambda: plotting.plot_matrix([[0.0, np.nan], [np.nan, 0.0]]),
    "method must be one of": lambda: plotting.plot_matrix(np.eye(2), method="ward"),
    "labels must be 2, one for each series": lambda: plotting.plot_matrix(np.eye(2), labels=["a"]),
    "frames of one shape": lambda: plotting.plot_frame_plan(np.eye(4), np.ones((2, 2)), np.ones((2, 3))),
    "row and a column for each of the 4 pixels": (
        lambda: plotting.plot_frame_plan(np.eye(3), np.ones((2, 2)), np.ones((2, 2)))
    ),
    "faces must name vertices from 0 to 2; got up to 3": (
        lambda: plotting.plot_mesh(np.eye(3), [[0, 1, 3]], np.ones(3))
    ),
    "faces must be integers": lambda: plotting.plot_mesh(np.eye(3), [[0.0, 1.0, 2.0]], np.ones(3)),
    "values must be 3 numbers": lambda: plotting.plot_mesh(np.eye(3), [[0, 1, 2]], np.ones(2)),
    "row and a column for each of the 3 vertices": (
        lambda: plotting.plot_mesh(np.eye(3), [[0, 1, 2]], np.ones(3), plan=np.eye(2))
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(message):
    with pytest.raises(stotmetrics.InvalidParameterError, match=message):
        REFUSED[message]()


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'stotmetrics\[plot\]'"):
        stotmetrics.solve(X, Y, metric="dtw").plot()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["plot", "[0, 1]", "[0, 1]", "--out", str(tmp_path / "a.png")]) == 2
    assert "pip install 'stotmetrics[plot]'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["links", "cost", "alignment", "weight"])
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_command_writes_the_picture_and_prints_the_value(tmp_path, capsys, kind, ending):
    out = tmp_path / f"picture.{ending}"
    command = ["plot", str(X), str(Y), "--metric", "tiot", "--param", "p=1", "--kind", kind, "--out", str(out)]
    assert cli.main(command) == 0
    assert out.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")
    assert capsys.readouterr().out.endswith(f" = {stotmetrics.tiot(X, Y, p=1)!r}\n")


def test_the_command_refuses_an_ending_it_cannot_write(tmp_path, capsys):
    assert cli.main(["plot", "[0, 1]", "[0, 1]", "--out", str(tmp_path / "picture.gif")]) == 2
    assert "--out must end in .png, .svg, .pdf" in capsys.readouterr().err
