"""Fixtures that the whole suite shares."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published data and reference figures; not part of the project."""
    folder = Path(os.environ.get("STOTMETRICS_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the folder of published data and reference figures is absent (STOTMETRICS_SHARED)")
    return folder
