"""What a process stands on behaves badly: the network at the worst moment, the clock, the memory."""

import contextlib
import os
import pathlib
import struct
import subprocess
import time

import pytest
from brokers import settings_behind
from cluster import Cluster, free_ports, wait_until
from proxy import END_TXN, Proxy
from world import BROKER_SETTINGS, JVM, Load, Pod, fast_folder

DONE_S = 300
PRODUCE, TXN_OFFSET_COMMIT, ADD_OFFSETS = 0, 28, 25
SHIM = pathlib.Path(__file__).with_name("clock_shim.c")
CLOCK_STEPS_S = [7200, -7200, 86400, -3600, 0, 30, -30]
MEMORY_CGROUP = pathlib.Path("/sys/fs/cgroup/memory")


def run_through(load, pod):
    """All of the input, slowly enough for many transactions; then the oracle."""
    load.start(load.left())

    def is_done():
        code = pod.process.popen.poll()
        assert code is None, f"ended with {code}:\n{pod.log()[-3000:]}"
        return not load.thread.is_alive() and load.weir.lag() == 0

    wait_until(is_done, DONE_S, "the end of the input")
    assert pod.process.stop() == 0
    return load.judge()


# ---- a request of a transaction that is late, or whose answer is lost ----


@pytest.mark.parametrize("fault,api_key,every", [
    ("delay", END_TXN, 15), ("lose_response", END_TXN, 15), ("lose_response", TXN_OFFSET_COMMIT, 15),
    ("lose_response", ADD_OFFSETS, 15), ("lose_response", PRODUCE, 60)])
def test_requests_of_transactions_are_spoilt(chaos_weir, tmp_path, unique, fault, api_key, every):
    """A delayed EndTxn would end the next transaction (KAFKA-17754): a new producer comes first."""
    proxy_port, direct, proxied, controller = free_ports(4)
    settings = settings_behind(proxy_port, direct, proxied, controller)
    with fast_folder() as folder, \
            Cluster(f"{folder}/cluster", settings=settings, jvm=JVM, ports=(direct, None)) as cluster, \
            Proxy(proxy_port, proxied, api_key, fault, every=every) as proxy:
        load = Load(chaos_weir, cluster, tmp_path, unique, events=6000, seed=12, rate=400)
        pod = Pod(load, 0, tmp_path, f"127.0.0.1:{proxy_port}").start()
        with contextlib.ExitStack() as closing:
            closing.callback(pod.kill)
            closing.callback(load.stop)
            run_through(load, pod)
        assert proxy.spoilt >= 5
        assert proxy.delivered_late == (proxy.spoilt if fault == "delay" else 0)


@pytest.fixture(scope="module")
def chaos_cluster():
    with fast_folder() as folder, Cluster(f"{folder}/cluster", settings=BROKER_SETTINGS, jvm=JVM) as cluster:
        yield cluster


@pytest.fixture
def load(chaos_weir, chaos_cluster, tmp_path, unique):
    load = Load(chaos_weir, chaos_cluster, tmp_path, unique, events=10_000, seed=13, rate=500)
    yield load
    load.stop()


@pytest.fixture
def pod(load, tmp_path):
    pod = Pod(load, 0, tmp_path)
    yield pod
    pod.kill()


# ---- the clock ----


class WallClock:
    """Of a process that is started with `environment`."""

    def __init__(self, folder):
        library, self.file = folder / "clock_shim.so", folder / "clock"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SHIM, "-ldl"], check=True)
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "WEIR_TEST_CLOCK": str(self.file)}

    def set(self, ahead_s):
        """In place: the process has the file mapped."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", ahead_s * 10**9))


def test_the_clock_steps(load, pod, tmp_path):
    """By hours, forward and back, while it works. With the clock a day ahead the broker refuses the
    alerts' timestamps, which is no alert's fault."""
    clock = WallClock(tmp_path)
    pod.start(**clock.environment)
    pod.wait_for_log("event=run.started", 60)
    load.start(load.left() - 2000)
    seen = set()
    while load.thread.is_alive():
        for step in CLOCK_STEPS_S:
            clock.set(step)
            time.sleep(0.7)
            seen.add(step)
    load.stop()
    clock.set(0)
    lines = pod.log().splitlines()
    run_through(load, pod)
    assert seen == set(CLOCK_STEPS_S)
    # It did see them: a line of its log lies before the one above it.
    stamps = [line.split()[0] for line in lines if line.startswith("20")]
    assert stamps != sorted(stamps)


# ---- memory ----


@pytest.mark.skipif(os.geteuid() != 0 or not (MEMORY_CGROUP / "memory.limit_in_bytes").exists(),
                    reason="needs a memory cgroup (v1) of its own")
def test_256_megabytes_are_enough(load, pod, unique):
    """The kernel kills what takes more. What is `memory:` then, and the rest of the process."""
    group = MEMORY_CGROUP / unique
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text("256M")
        pod.start(WEIR_MEMORY="224MB")
        (group / "cgroup.procs").write_text(str(pod.process.pid))
        run_through(load, pod)
        most = int((group / "memory.max_usage_in_bytes").read_text())
        assert most <= 256 << 20
    finally:
        pod.kill()
        wait_until(lambda: not (group / "cgroup.procs").read_text(), 30, "the group to be empty")
        subprocess.run(["rmdir", str(group)], check=True)
