"""`memory` is a ceiling: what the kernel says was resident at most, drained as fast as it goes."""

import ceiling
import pytest
from weir import Topology, Weir

OPTIONS = ["--batch", "200000", "--users", "100000", "--seed", "5"]


@pytest.mark.parametrize("memory", ["192MB", "256MB"])  # the first is the least for two workers
def test_draining_and_restoring_stay_within_the_memory(cluster, weir, unique, tmp_path, memory):
    fraud = Weir(weir, cluster, Topology(tmp_path, "card-fraud-local.yaml", unique), tmp_path)
    fraud.create_topics(4)
    fraud.command("generate", *OPTIONS)
    peaks = ceiling.drain(fraud, tmp_path / "state", memory, timeout_s=300)
    most = ceiling.bytes_of(memory) * ceiling.TOLERANCE
    assert all(peak <= most for peak in peaks.values()), peaks
    # It used the memory that it was given: a limit that nothing comes near would prove nothing.
    assert peaks["drain"] > ceiling.bytes_of(memory) / 2, peaks


def test_too_little_memory_is_refused(cluster, weir, unique, tmp_path):
    fraud = Weir(weir, cluster, Topology(tmp_path, "card-fraud-local.yaml", unique), tmp_path,
                 WEIR_MEMORY="64MB", WEIR_STATE=str(tmp_path / "state"))
    fraud.create_topics(1)
    result = fraud.command("run", check=False)
    assert result.returncode == 2
    assert "memory: 64MB is too little for 1 worker; at least" in result.stderr
