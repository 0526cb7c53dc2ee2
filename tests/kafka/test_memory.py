"""`memory` is a ceiling: what the kernel says was resident at most, drained as fast as it goes."""

import ceiling
from weir import Topology, Weir

MEMORY = "256MB"
OPTIONS = ["--batch", "200000", "--users", "100000", "--seed", "5"]


def test_draining_and_restoring_stay_within_the_memory(cluster, weir, unique, tmp_path):
    fraud = Weir(weir, cluster, Topology(tmp_path, "card-fraud-local.yaml", unique), tmp_path)
    fraud.create_topics(4)
    fraud.command("generate", *OPTIONS)
    peaks = ceiling.drain(fraud, tmp_path / "state", MEMORY, timeout_s=300)
    most = ceiling.bytes_of(MEMORY) * ceiling.TOLERANCE
    assert all(peak <= most for peak in peaks.values()), peaks
    # It used the memory that it was given: a limit that nothing comes near would prove nothing.
    assert peaks["drain"] > ceiling.bytes_of(MEMORY) / 2, peaks


def test_too_little_memory_is_refused(cluster, weir, unique, tmp_path):
    fraud = Weir(weir, cluster, Topology(tmp_path, "card-fraud-local.yaml", unique), tmp_path,
                 WEIR_MEMORY="64MB", WEIR_STATE=str(tmp_path / "state"))
    fraud.create_topics(1)
    result = fraud.command("run", check=False)
    assert result.returncode == 2
    assert "memory: 64MB is too little for 1 worker; at least" in result.stderr
