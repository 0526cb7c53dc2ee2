"""The log port (processor/kafka) against a real broker: each case of kafka_port_conformance."""

import os
import pathlib
import subprocess

import pytest

from cluster import Cluster, free_ports
from proxy import END_TXN, Proxy

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


def run(bootstrap, case):
    assert program().exists(), f"{NAME} is not built"
    result = subprocess.run([program(), bootstrap, case], capture_output=True, text=True,
                            timeout=TIMEOUT_S, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-4000:]


@pytest.mark.parametrize("case", cases())
def test_port(cluster, case):
    run(cluster.bootstrap, case)


@pytest.mark.parametrize("fault", ["lose_response", "delay"])
def test_port_under_a_cut_connection(fault):
    """A delayed EndTxn could end the next transaction (KAFKA-17754): the taint rule prevents it."""
    broker_port, proxy_port = free_ports(2)
    settings = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{proxy_port}"}
    with Cluster(registry=False, settings=settings, ports=(broker_port, None)):
        with Proxy(proxy_port, broker_port, END_TXN, fault) as proxy:
            run(f"127.0.0.1:{proxy_port}", "a_cut_connection_taints")
            assert proxy.spoilt == 1
            assert proxy.delivered_late == (fault == "delay")
