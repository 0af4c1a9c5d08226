"""One choice of the build for all kernels, and the same numbers from each build."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from stotmetrics.kernels import (
    _clouds,
    _cpu,
    _differences,
    _entropic,
    _hbcd,
    _matrixfree,
    _sinkhorn,
    _softdtw,
    _softdtw_many,
    _transport,
)
from stotmetrics.transport.ground_cost import Ground
from stotmetrics.transport.panels import panels_of
from stotmetrics.transport.single_precision import Singles, approach
from stotmetrics.versions import kernel_builds

KERNELS = Path(_cpu.__file__).parent
Floats = npt.NDArray[np.float64]
Numbers = tuple[Floats | float, ...]


def draw(seed: int, n: int, m: int) -> tuple[Floats, ...]:
    """Two series of random values and their times and masses."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 1)).cumsum(0), rng.normal(size=(m, 1)).cumsum(0)
    return x, np.linspace(0, 1, n), np.full(n, 1 / n), y, np.linspace(0, 1, m), np.full(m, 1 / m)


def softdtw(n: int, m: int) -> Numbers:
    x, _, _, y, _, _ = draw(0, n, m)
    X = [x, y, x[::-1].copy(), y[::-1].copy()]
    at = np.cumsum([0, *map(len, X)], dtype=np.intp)
    rows, cols = (side.astype(np.intp) for side in np.indices((4, 4)).reshape(2, -1))
    stacked = np.concatenate(X), at, np.concatenate(X), at, rows, cols, np.full(16, 0.3)
    cost = (x - y.T) ** 2
    return _softdtw_many.values(*stacked), *_softdtw_many.gradients(*stacked), *_softdtw.value_and_alignment(cost, 0.3)


def sinkhorn(n: int, m: int) -> Numbers:
    rng = np.random.default_rng(1)
    x, y, cost = rng.random((5, n)), rng.random((4, m)), rng.random((n, m)) / 0.1
    rows, cols = (side.astype(np.intp) for side in np.indices((5, 4)).reshape(2, -1))
    log = _sinkhorn.log_mass
    u, v, logku, logkv, dual, *_ = _sinkhorn.solve(
        (np.exp(-cost),), (cost,), x, log(x), y, log(y), rows, cols, np.zeros((20, m)),
        epsilon=0.1, rho=1.0, spread=1.0, tol=1e-13, max_iter=5000,
    )  # fmt: skip
    return u, v, logku, logkv, dual


def single_sinkhorn(n: int, m: int) -> Numbers:
    """A few sweeps between frames of a grid."""
    ground = Ground.grid((n, m)).normalized()
    mass = np.random.default_rng(5).random((4, n * m)) + 0.1
    rows, cols = np.arange(4, dtype=np.intp), np.array([1, 2, 3, 0], dtype=np.intp)
    histograms = Singles.of(panels_of(ground.costs, 0.1), mass, _sinkhorn.log_mass(mass))
    start, limits = np.zeros(mass.shape), {"epsilon": 0.1, "rho": 1.0, "tol": 1e-12, "max_iter": 12, "depth": 5}
    return (approach(histograms, rows, cols, start, **limits)[0],)


def gibbs(n: int, m: int) -> Numbers:
    x, t, a, y, s, b = draw(2, n, m)
    plan = _matrixfree.Plan(x, t, y, s, 2.0)
    sums = plan.sums(a, np.zeros(m), 0.3, 5.0)
    work = _entropic.Workspace()
    status, value, objective, *_ = work.etiot(x, t, a, y, s, b, 2.0, 0.2, 1e-11, 500)
    assert status == 0
    return *sums, np.array([value, objective])


def single_gibbs(n: int, m: int) -> Numbers:
    """Where steps in single precision end, at the first one behind them."""
    x, t, a, y, s, b = draw(2, n + 31, m + 31)
    work = _entropic.Workspace()
    A, B = (x - y.T) ** 2, np.subtract.outer(t, s) ** 2
    *_, steps = work.saddle(A, B, a, b, 0.1, 1e-9, 100)
    status, *_ = work.saddle(A, B, a, b, 0.1, 1e-9, work.single)
    assert status != 0
    assert 0 < work.single < steps
    return *work.potentials(), np.array([work.w()])


def stack(values: Floats, times: Floats, weights: Floats) -> _clouds.Stack:
    """One cloud."""
    order = np.argsort(values[:, 0]).astype(np.intc)
    return _clouds.Stack(values, times, weights, order, np.array([0, len(times)]), np.zeros(1, dtype=np.uint8))


def pricing(n: int, m: int) -> Numbers:
    x, t, a, y, s, b = draw(3, n, m)
    stacks = [stack(*side) for side in ((x, t, a), (y, s, b))]
    work, first = _transport.Workspace(), np.zeros(1, dtype=np.intp)
    (status,), (value,), (lower,), (w,), _ = work.tiots(*stacks, first, first, 2.0, np.array([np.inf]))
    assert status == 0
    return *work.potentials(), np.array([value, lower, w])


def hbcd(n: int, m: int) -> Numbers:
    x, t, a, y, s, b = draw(4, n, m)
    _, value, objective, _, w, _ = _hbcd.Descent().run(x, t, a, y, s, b, 2.0, 1.0, 1e-9, 2000)
    return (np.array([value, objective, w]),)


def differences(n: int, m: int) -> Numbers:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(5, n)), rng.normal(size=(4, n))
    rows, cols = (side.astype(np.intp) for side in np.indices((5, 4)).reshape(2, -1))
    moved = max(1, n - m % 3)
    return _differences.euclidean(x, y, rows, cols), _differences.warping(x, y, rows, cols, moved, 0.7)


FAMILIES = {
    "soft-DTW": softdtw,
    "Sinkhorn": sinkhorn,
    "single Sinkhorn": single_sinkhorn,
    "Gibbs plans": gibbs,
    "single Gibbs plans": single_gibbs,
    "pricing": pricing,
    "HBCD": hbcd,
    "differences": differences,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (4, 8), (13, 31), (66, 65)])
def test_every_build_gives_the_numbers_of_the_baseline(family: str, shape: tuple[int, int], build: str) -> None:
    solve: Callable[[int, int], Numbers] = FAMILIES[family]
    here = solve(*shape)
    _cpu.use_build("baseline")
    try:
        there = solve(*shape)
    finally:
        _cpu.use_build(build)
    tol = 1e-3 if family.startswith("single") else 1e-9
    for ours, plain in zip(here, there, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=tol, atol=tol)


def test_every_family_runs_the_build_that_was_chosen(build: str) -> None:
    assert kernel_builds().keys() == FAMILIES.keys()
    assert set(kernel_builds().values()) == {build}


# Pricing decides which basis is optimal: of that the numbers are the same.
@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"pricing"}))
def test_wider_builds_are_no_copies_of_the_baseline(family: str, build: str) -> None:
    """Fused multiplications round once where the baseline rounds twice, so that last digits differ."""
    here = FAMILIES[family](66, 65)
    _cpu.use_build("baseline")
    try:
        there = FAMILIES[family](66, 65)
    finally:
        _cpu.use_build(build)
    same = all(np.array_equal(ours, plain) for ours, plain in zip(here, there, strict=True))
    assert same == (build == "baseline")


def test_exponentials_are_right_to_the_last_digits() -> None:
    """Between two points at no distance, the plan is exp(alpha)."""
    exponents = np.concatenate([np.linspace(-345.0, 709.0, 5001), np.linspace(-1.0, 1.0, 5001)])
    nowhere, here = np.zeros(len(exponents)), np.zeros(1)
    plan = _matrixfree.Plan(nowhere[:, None], nowhere, here[:, None], here, 2.0)
    entries = plan.sparse(exponents, here, 0.5, 1.0, nowhere, here, len(exponents))
    assert entries is not None
    np.testing.assert_array_max_ulp(entries[0], np.exp(exponents), 2)


def told(word: str) -> subprocess.CompletedProcess[str]:
    """What a process says whose environment asks for this build."""
    code = "from stotmetrics.versions import kernel_builds; print(*set(kernel_builds().values()))"
    environment = {**os.environ, "STOTMETRICS_CPU": word}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("word", _cpu.builds())
def test_the_environment_chooses_the_build_of_all_families(word: str) -> None:
    assert told(word).stdout.split() == [word]


def test_without_a_word_the_widest_build_runs() -> None:
    assert told("").stdout.split() == [_cpu.builds()[0]]


def test_an_unknown_word_is_an_error_that_names_the_known_ones() -> None:
    done = told("abacus")
    assert done.returncode != 0
    assert "STOTMETRICS_CPU" in done.stderr
    assert re.search("baseline, avx2, avx512(, wide)?; got 'abacus'", done.stderr)
    with pytest.raises(ValueError, match="got 'abacus'"):
        _cpu.use_build("abacus")


def test_a_build_that_the_processor_lacks_is_never_exchanged_in_silence(build: str) -> None:
    done = told("avx512")
    if "avx512" in _cpu.builds():
        assert done.stdout.split() == ["avx512"]
    else:
        assert "does not run the build 'avx512'" in done.stderr
    assert _cpu.build() == build


@pytest.mark.skipif(
    not {"avx512", "wide"} & set(_cpu.builds()),
    reason="this processor has no AVX-512; tox -e wide compiles that build for AVX2",
)
@pytest.mark.parametrize("radius", [-1, 3])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 1.0])
def test_wide_vectors_give_the_alignments_of_narrow_ones(radius: int, gamma: float) -> None:
    """Lanes do not meet. Hard DTW rounds alike in both builds; soft-DTW has another exponential in the wide one."""
    rng = np.random.default_rng(5)
    X = [rng.normal(size=(n, 2)).cumsum(0) for n in (30, 41, 41, 64, 65, 130, 130, 131, 131, 131)]
    at = np.cumsum([0, *map(len, X)], dtype=np.intp)
    rows, cols = (side.astype(np.intp) for side in np.indices((10, 10)).reshape(2, -1))
    stacked = np.concatenate(X), at, np.concatenate(X), at, rows, cols, np.full(100, gamma)
    before, numbers = _cpu.build(), []
    try:
        for name in ("avx2", _cpu.builds()[0]):
            _cpu.use_build(name)
            numbers.append((_softdtw_many.values(*stacked, radius), *_softdtw_many.gradients(*stacked, radius)))
    finally:
        _cpu.use_build(before)
    for narrow, wide in zip(*numbers, strict=True):
        np.testing.assert_allclose(wide, narrow, rtol=0.0 if gamma == 0.0 else 1e-13, atol=1e-13 * gamma)


def test_only_one_header_names_a_processor() -> None:
    named = re.compile(r"\b(avx\w*|sse\w*|x86\w*|i386|\w*_mm\d*_\w+|__m\d+\w*|\w*cpu_supports|immintrin)\b", re.I)
    headers = sorted(KERNELS.glob("*.h"))
    assert [path.name for path in headers if named.search(path.read_text())] == ["_simd.h"]
