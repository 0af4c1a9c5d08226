"""The identity of a job: whatever decides the numbers changes it, and nothing else does."""

import functools
import subprocess
import sys
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest

from stotmetrics import MetricSpec, Series, Traits, as_dataset, as_series, get_metric, pairwise
from stotmetrics.engine.identity import code_of, differences, digest_of, fingerprint, job_of
from stotmetrics.spec.metric import spec_of_function


def code(function):
    return code_of(spec_of_function(function))


def defined(source, **names):
    """What ``f`` is after a cell of a notebook ran; every cell is its own file."""
    scope = {"np": np, "__name__": "__main__", **names}
    filename = f"<cell {np.random.default_rng().integers(10**9)}>"
    exec(compile(textwrap.dedent(source), filename, "exec"), scope)
    return scope["f"]


BASE = """
    def f(x, y):
        return float(np.abs(x - y).sum())
"""


@pytest.mark.parametrize(
    "same",
    [
        BASE,
        "\n\n\n" + BASE,
        """
    # A comment, and other spaces.
    def f(x, y):

        return float( np.abs(x - y).sum() )
    """,
    ],
)
def test_the_same_code_elsewhere_is_the_same(same):
    assert code(defined(same)) == code(defined(BASE))


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("abs", "square"),
        BASE.replace("sum()", "sum() * 2"),
        BASE.replace("sum()", "sum() * 2.0"),
        BASE.replace("x - y", "y - x"),
        BASE.replace("f(x, y)", "f(x, y, scale=1)"),
        BASE.replace("sum()", "sum(axis=-1)"),
    ],
)
def test_other_code_is_another(other):
    assert code(defined(other)) != code(defined(BASE))


PAIRS = [
    # A closure, a default, a global, a helper, a helper of a helper, a constant in a nested function, and so on.
    ("def make(w):\n    return lambda x, y: w * 1.0\nf = make({})", 1, 2),
    ("def f(x, y, w={}):\n    return w", 1, 2),
    ("def f(x, y, *, w={}):\n    return w", 1, 2),
    ("w = {}\ndef f(x, y):\n    return w", 1, 2),
    ("w = {}\ndef f(x, y):\n    return w['a']", {"a": 1}, {"a": 2}),
    ("w = [{}, 3]\ndef f(x, y):\n    return w[0]", 1, 2),
    ("w = np.array({})\ndef f(x, y):\n    return w[0]", [1.0, 2.0], [1.0, 3.0]),
    ("w = frozenset(({}, 'b', 'c'))\ndef f(x, y):\n    return 'a' in w", "'a'", "'d'"),
    ("def g(x):\n    return {}\ndef f(x, y):\n    return g(x)", 1, 2),
    (
        ("def h(x):\n    return {}\ndef g(x):\n    return h(x)\ndef f(x, y):\n    return g(x)"),
        1,
        2,
    ),
    ("def f(x, y):\n    return sum({} for _ in x)", 1, 2),
    ("import functools\nf = functools.partial(lambda w, x, y: w, {})", 1, 2),
    (
        ("import functools\n@functools.lru_cache\ndef g(k):\n    return {}\ndef f(x, y):\n    return g(1)"),
        1,
        2,
    ),
    (
        (
            "class C:\n    def __init__(self, w):\n        self.w = w\n"
            "    def __call__(self, x, y):\n        return self.w\nf = C({})"
        ),
        1,
        2,
    ),
    ("class C:\n    def __call__(self, x, y):\n        return {}\nf = C()", 1, 2),
    (
        ("class C:\n    w = {}\n    def d(self, x, y):\n        return self.w\nf = C().d"),
        1,
        2,
    ),
    (
        (
            "class B:\n    def g(self):\n        return {}\nclass C(B):\n    def d(self, x, y):\n"
            "        return self.g()\nf = C().d"
        ),
        1,
        2,
    ),
    (
        (
            "class C:\n    @property\n    def w(self):\n        return {}\n"
            "    def d(self, x, y):\n        return self.w\nf = C().d"
        ),
        1,
        2,
    ),
    ("class C:\n    @staticmethod\n    def d(x, y):\n        return {}\nf = C.d", 1, 2),
    (
        (
            "class C:\n    __slots__ = ('w',)\n    def __init__(self, w):\n        self.w = w\n"
            "    def d(self, x, y):\n        return self.w\nf = C({}).d"
        ),
        1,
        2,
    ),
    (
        ("from scipy.spatial.distance import {} as g\ndef f(x, y):\n    return g(x, y)"),
        "euclidean",
        "cosine",
    ),
    ("def f(x, y):\n    return np.{}(x - y)", "sum", "max"),
    (
        ("import functools, scipy.stats\n@functools.wraps(scipy.stats.zscore)\ndef f(x, y):\n    return {}"),
        1,
        2,
    ),
    ("f = np.{}", "dot", "inner"),
    ("import math\ng = math.{}\ndef f(x, y):\n    return g(x[0])", "sin", "cos"),
    (
        ("def f(x, y):\n    try:\n        return 1 / x[0]\n    except {}:\n        return 0.0"),
        "ZeroDivisionError",
        "ValueError",
    ),
]


@pytest.mark.parametrize(("source", "before", "after"), PAIRS)
def test_what_the_code_reads_is_part_of_it(source, before, after):
    first, again, other = (code(defined(source.replace("{}", str(value)))) for value in (before, before, after))
    assert first == again
    assert first != other


def test_a_fitted_model_counts_with_what_it_learnt():
    from sklearn.preprocessing import StandardScaler

    def with_model(scale):
        model = StandardScaler().fit(np.array([[0.0], [scale]]))
        return lambda x, y: float(model.transform(x)[0, 0])

    assert code(with_model(1.0)) == code(with_model(1.0))
    assert code(with_model(1.0)) != code(with_model(2.0))


WRITERS = [
    "seen = []\ndef f(x, y):\n    seen.append(x)\n    return 0.0",
    "seen = {}\ndef f(x, y):\n    seen[len(seen)] = x\n    return 0.0",
    "seen = {}\ndef f(x, y):\n    return seen.setdefault(len(seen), 0.0)",
    "calls = 0\ndef f(x, y):\n    global calls\n    calls += 1\n    return 0.0",
    (
        "def make():\n    n = 0\n    def f(x, y):\n        nonlocal n\n        n += 1\n"
        "        return 0.0\n    return f\nf = make()"
    ),
    "class C:\n    n = 0\n    def __call__(self, x, y):\n        self.n += 1\n        return 0.0\nf = C()",
    (
        "class C:\n    def __init__(self):\n        self.seen = {}\n    def d(self, x, y):\n"
        "        return self.note(x)\n    def note(self, x):\n        self.seen[len(self.seen)] = x\n"
        "        return 0.0\nf = C().d"
    ),
    "import functools\n@functools.lru_cache\ndef g(k):\n    return k\ndef f(x, y):\n    return float(g(x[0]))",
    "import threading\nlock = threading.Lock()\ndef f(x, y):\n    with lock:\n        return 0.0",
]


@pytest.mark.parametrize("source", WRITERS)
def test_caches_and_counters_of_the_code_itself_are_not(source):
    function = defined(source)
    before = code(function)
    for k in range(3):
        function(np.full(2, k), np.zeros(2))
    assert code(function) == before


def test_code_that_goes_in_circles_ends():
    source = """
        class Node:
            def __init__(self):
                self.me = self
        node = Node()
        def g(x):
            return f(x, x)
        def f(x, y):
            return g(x) if node.me is None else 0.0
    """
    assert code(defined(source)) == code(defined(source))


@dataclass(frozen=True)
class Weighted:
    weight: float

    def __call__(self, x, y):
        return self.weight


def test_a_dataclass_counts_by_its_fields():
    assert code(Weighted(1.0)) == code(Weighted(1.0)) != code(Weighted(2.0))


def test_every_function_of_a_spec_that_decides_numbers_counts():
    before, after = lambda x, y, params: 1.0, lambda x, y, params: 2.0
    prepare = lambda series, params: series.values  # noqa: E731
    first = MetricSpec(name="m", pair=before)
    others = [
        MetricSpec(name="m", pair=after),
        MetricSpec(name="m", pair=before, prepare=prepare),
        MetricSpec(name="m", pair=before, block=lambda left, right, rows, cols, params, cutoff=None: None),
    ]
    assert len({code_of(spec) for spec in [first, *others]}) == 4


def test_code_is_the_same_in_another_process(tmp_path):
    """Sets, strings and addresses differ from process to process."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import functools
            import numpy as np
            from scipy.spatial.distance import cosine
            from stotmetrics.engine.identity import code_of
            from stotmetrics.spec.metric import spec_of_function
            words, table = {"a", "b", "c", "d"}, {"x": np.arange(3.0), "y": (1, 2)}
            class Base:
                w = np.float32(2)
            class Model(Base):
                def __init__(self):
                    self.me, self.words = self, words
                def __call__(self, x, y):
                    return helper(x) + cosine(x, y) + sum(v in {"p", "q", "r"} for v in self.words) + table["y"][0]
            @functools.lru_cache
            def helper(x):
                return len(x)
            print(code_of(spec_of_function(Model())))
        """)
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", f"exec(compile(open({str(script)!r}).read(), 'elsewhere', 'exec'))"]
            if seed == "3"
            else [sys.executable, str(script)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(set(runs)) == 1
    assert len(runs[0].strip()) == 64


def test_a_module_of_ones_own_counts_by_what_is_used_of_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def with_module(name, used, unused):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "my_distances.py").write_text(
            f"def d(x, y):\n    return {used}\n\ndef e(x, y):\n    return {unused}\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        sys.modules.pop("my_distances", None)
        identity = code(defined("import my_distances\ndef f(x, y):\n    return my_distances.d(x, y)"))
        sys.modules.pop("my_distances", None)
        return identity

    base = with_module("one", 1.0, 1.0)
    assert with_module("two", 1.0, 2.0) == base
    assert with_module("three", 2.0, 1.0) != base


def test_an_installed_plugin_counts_by_the_version_of_its_distribution(install):
    source = "from stotmetrics import MetricSpec\nSPEC = MetricSpec(name='plug', pair=lambda x, y, params: 1.0)\n"
    site = install("plugs", {"plug": "plugs_module:SPEC"}, {"plugs_module": source})
    first = code_of(get_metric("plug").spec)
    metadata = site / "plugs-1.2.dist-info" / "METADATA"
    assert first == code_of(get_metric("plug").spec)
    metadata.write_text(metadata.read_text().replace("Version: 1.2", "Version: 1.3"))
    site.touch()
    assert first != code_of(get_metric("plug").spec)


# Data.


def test_everything_about_the_series_counts():
    values = np.arange(12.0)
    sets = [
        [Series(values.reshape(6, 2))],
        [Series(values.reshape(4, 3))],
        [Series(values.reshape(6, 2), frame_shape=(1, 2))],
        [Series(values.reshape(6, 2), frame_shape=(2, 1))],
        [as_series(values.reshape(6, 2), times=np.arange(6.0) + 1)],
        [as_series(values.reshape(6, 2), weights=np.arange(6.0) + 1)],
        [as_series(values.reshape(6, 2), times=np.arange(6.0) + 1, weights=np.arange(6.0) + 1)],
        [Series(values.reshape(6, 2)), Series(values.reshape(6, 2))],
        [Series(values[:6].reshape(3, 2)), Series(values[6:].reshape(3, 2))],
        [Series(values[::-1].reshape(6, 2).copy())],
        [Series(-0.0 * values.reshape(6, 2))],
        [Series(0.0 * values.reshape(6, 2))],
    ]
    assert len({fingerprint(series) for series in sets}) == len(sets)
    assert fingerprint(as_dataset(values.reshape(2, 6).tolist())) == fingerprint(as_dataset(values.reshape(2, 6)))


def test_metric_parameters_traits_and_version_count(monkeypatch):
    X = as_dataset([[1.0, 2.0]])
    jobs = [
        job_of(get_metric("softdtw"), [X]),
        job_of(get_metric("softdtw", gamma=0.5), [X]),
        job_of(get_metric("gak"), [X]),
        job_of(get_metric("softdtw"), [X, X]),
        job_of(get_metric(MetricSpec(name="m", pair=lambda x, y, params: 0.0)), [X]),
        job_of(get_metric(MetricSpec(name="m", pair=lambda x, y, params: 0.0, traits=Traits(symmetric=True))), [X]),
    ]
    monkeypatch.setattr("stotmetrics.__version__", "999")
    jobs.append(job_of(get_metric("softdtw"), [X]))
    assert len({digest_of(job) for job in jobs}) == len(jobs)
    assert differences(jobs[0], jobs[1]) == "parameters"
    assert differences(jobs[4], jobs[5]) == "traits"
    assert differences(jobs[0], jobs[-1]) == "version of stotmetrics"


# End to end.


class StopError(Exception):
    """The run ends here."""


def stop(done, total):
    if done:
        raise StopError


@pytest.mark.parametrize(
    "make",
    [
        lambda value: lambda x, y: float(value),
        lambda value: functools.partial(lambda w, x, y: float(w), value),
        lambda value: Weighted(float(value)),
        lambda value: defined(f"def g():\n    return {value}.0\ndef f(x, y):\n    return g()"),
    ],
)
def test_a_metric_that_was_replaced_under_its_name_does_not_complete_the_old_matrix(tmp_path, make):
    X, out = np.arange(60.0)[:, None], tmp_path / "D.npy"
    with pytest.raises(StopError):
        pairwise(X, metric=make(1), out=out, progress=stop)
    with pytest.raises(FileExistsError, match="another code of the metric"):
        pairwise(X, metric=make(2), out=out)
    np.testing.assert_array_equal(pairwise(X, metric=make(1), out=out), np.ones((60, 60)))
    with pytest.raises(FileExistsError, match="another code of the metric"):
        pairwise(X, metric=make(2), out=out)
    np.testing.assert_array_equal(pairwise(X, metric=make(2), out=out, overwrite=True), np.full((60, 60), 2.0))


def test_frames_of_another_shape_do_not_complete_the_old_matrix(tmp_path):
    frames = np.random.default_rng(0).random((30, 2, 16)) + 0.05
    with pytest.raises(StopError):
        pairwise(frames.reshape(30, 2, 2, 8), metric="sta", out=tmp_path / "D.npy", progress=stop)
    with pytest.raises(FileExistsError, match="another series"):
        pairwise(frames.reshape(30, 2, 4, 4), metric="sta", out=tmp_path / "D.npy")
