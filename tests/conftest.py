"""Fixtures and hypothesis profiles that the whole suite shares."""

import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from stotmetrics.spec import registry

# Deadlines measure the machine, not the code.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=30, **_COMMON)
settings.register_profile("ci", max_examples=20, derandomize=True, **_COMMON)
# A mutant is dead at the first counter-example, however large.
_FIRST = (Phase.explicit, Phase.generate)
settings.register_profile("mutants", max_examples=20, derandomize=True, phases=_FIRST, **_COMMON)
settings.register_profile("nightly", max_examples=1500, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Published figures take long: they are compared where ``-m published`` asks for it."""
    if "published" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("published"):
                item.add_marker(pytest.mark.skip(reason="slow: pytest -m published"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published data and reference figures; not part of the project."""
    folder = Path(os.environ.get("STOTMETRICS_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the folder of published data and reference figures is absent (STOTMETRICS_SHARED)")
    return folder


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that has loaded and registered nothing, put back afterwards."""
    monkeypatch.setattr(registry, "_loaded", {})
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None
) -> Callable[[str, dict[str, str], dict[str, str]], Path]:
    """Install a distribution: ``install(name, {metric: "module:ATTRIBUTE"}, {module: source})``."""

    def _install(name: str, metrics: dict[str, str], modules: dict[str, str]) -> Path:
        site = tmp_path / name
        info = site / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = "".join(f"{metric} = {target}\n" for metric, target in metrics.items())
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{lines}")
        for module, source in modules.items():
            (site / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))
        return site

    return _install


@pytest.fixture
def dask_traffic(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[tuple[int, int]]]:
    """What clients of Dask send from now on: bytes of what is scattered; bytes and tasks of each batch."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    scattered: list[int] = []
    batches: list[tuple[int, int]] = []
    scatter, submit = distributed.Client.scatter, distributed.Client.submit

    def scattering(self: Any, data: Any, **how: Any) -> Any:
        scattered.append(len(pickle.dumps(data)))
        return scatter(self, data, **how)

    def submitting(self: Any, function: Any, *args: Any, **how: Any) -> Any:
        batches.append((len(pickle.dumps(how["tasks"])), len(how["tasks"])))
        return submit(self, function, *args, **how)

    monkeypatch.setattr(distributed.Client, "scatter", scattering)
    monkeypatch.setattr(distributed.Client, "submit", submitting)
    return scattered, batches


@pytest.fixture
def quietly():
    """Answers what a call answers, which must not warn."""

    def answer(call):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return call()

    return answer
