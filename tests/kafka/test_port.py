"""The log port (processor/kafka) against a real broker: each case of kafka_port_conformance."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "kafka_port_conformance"
TIMEOUT_S = 180


def program():
    """The dev build has it, with sanitizers; a release is built without tests."""
    folders = [os.environ.get("WEIR_BUILD"), ROOT / "build/dev", ROOT / "build/release"]
    paths = [pathlib.Path(each) / NAME for each in folders if each]
    return next((each for each in paths if each.exists()), paths[-1])


def cases():
    if not program().exists():
        return ["not-built"]
    listed = subprocess.run([program(), "--list"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


@pytest.mark.parametrize("case", cases())
def test_port(cluster, case):
    assert program().exists(), f"{NAME} is not built"
    result = subprocess.run([program(), cluster.bootstrap, case], capture_output=True, text=True,
                            timeout=TIMEOUT_S, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-4000:]
