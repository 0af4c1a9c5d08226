"""Every test of a kernel runs on every build of the kernels that this processor runs."""

from collections.abc import Iterator

import pytest

from stotmetrics.kernels import _cpu


@pytest.fixture(scope="module", autouse=True, params=_cpu.builds())
def build(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _cpu.build()
    _cpu.use_build(request.param)
    yield request.param
    _cpu.use_build(before)
