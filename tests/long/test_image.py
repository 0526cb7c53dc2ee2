"""The image of the Dockerfile, built unchanged, processes real traffic as a user without rights on a
root that cannot be written to."""

import os
import pathlib
import shutil

import debian
import pytest
from cluster import Process, free_ports, wait_until
from weir import Topology, Weir

IMAGE = "localhost/weir:test"
EVENTS = 20_000
USER = 65532


@pytest.mark.skipif(os.geteuid() != 0, reason="making an image without an engine needs root")
def test_the_image_runs_without_root_on_a_read_only_root(cluster, weir, unique, tmp_path, evidence):
    size = debian.build_image(IMAGE)
    topology = Topology(tmp_path, "card-fraud-local.yaml", unique)
    outside = Weir(weir, cluster, topology, tmp_path)
    outside.create_topics()
    outside.command("generate", "--batch", str(EVENTS), "--attack-every", "200")

    files, state = tmp_path / "files", tmp_path / "state"
    files.mkdir()
    state.mkdir()
    os.chown(state, USER, USER)
    shutil.copy(topology.path, files / "topology.yaml")
    port = free_ports(1)[0]
    with debian.read_only_root(IMAGE) as root:
        process = Process(
            debian.contained(root, state, files, [
                "/usr/bin/weir", "run", "/etc/weir/topology.yaml",
                "--schemas", "/usr/share/weir/schemas"]),
            tmp_path / "image.log",
            env={**outside.settings, "WEIR_STATE": "/var/lib/weir", "WEIR_HTTP": f"127.0.0.1:{port}"})
        process.port = port
        try:
            wait_until(lambda: outside.is_ready(process), 60, "the image")
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
            assert "CapEff:\t0000000000000000" in status
            outside.wait_for_end(process)
            assert process.stop() == 0, process.output()[-4000:]
        finally:
            process.kill()
    alerts = cluster.consume(topology.alerts)
    assert alerts
    evidence("image", size=size, events=EVENTS, alerts=len(alerts), user=USER)
