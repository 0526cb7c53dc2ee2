"""The program under test is the release with kill points, build/chaos."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def chaos_weir():
    path = pathlib.Path(os.environ.get("WEIR_CHAOS_BUILD", ROOT / "build/chaos")) / "weir"
    assert path.exists(), f"{path} is not built"
    return path
