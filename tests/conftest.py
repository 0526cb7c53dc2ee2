"""Fixtures of the integration tests (tests/kafka, tests/long). The programs are those of the build
directory in WEIR_BUILD, by default build/release."""

import json
import os
import pathlib
import platform
import subprocess
import sys
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests")]

from cluster import Cluster  # noqa: E402


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


LIBRARIES = ["librdkafka1", "librocksdb*", "libavro2*", "libsimdjson*", "libjansson4", "libfyaml0",
             "libmicrohttpd12*", "libsleef3", "libc6", "gcc-1*"]


def output_of(*command):
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False,
                            stdin=subprocess.DEVNULL)
    return result.stdout.strip()


@pytest.fixture
def evidence():
    """evidence(name, **figures) leaves docs/evidence/NAME.json: what was run, on what, and what came
    out. Figures in the documentation are taken from there."""

    def write(name, **figures):
        versions = output_of("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n",
                             *LIBRARIES).splitlines()
        record = {
            "name": name,
            "commit": output_of("git", "rev-parse", "HEAD"),
            "changed_since_commit": bool(output_of("git", "status", "--porcelain", "-uno")),
            "command": "./dev test --long",
            "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
            "processors": os.cpu_count(),
            "libraries": dict(line.split()[1:] for line in versions if line.startswith("installed")),
            **figures,
        }
        path = ROOT / "docs/evidence" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=4) + "\n")

    return write
