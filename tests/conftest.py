"""Fixtures of the integration tests (tests/kafka, tests/long). The programs are those of the build
directory in WEIR_BUILD, by default build/release."""

import os
import pathlib
import sys
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests")]

from cluster import Cluster  # noqa: E402
from evidence import leave_evidence  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    """One broker and one registry for the whole run; tests keep apart by the names of topics."""
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def weir():
    """The path of the program under test."""
    path = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build/release")) / "weir"
    assert path.exists(), f"{path} is not built"
    return path


@pytest.fixture
def unique():
    """A prefix for topics and groups that no other test uses."""
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def evidence():
    """evidence(name, **figures) leaves docs/evidence/NAME.json."""
    return leave_evidence
