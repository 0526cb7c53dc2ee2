"""The simulated cluster (tests/sim) behaves as the broker does: ten thousand random sequences of
calls give the same answers on both."""

import time

from cluster import kafka_version
from conformance import run

SEQUENCES = 10_400
PROCESSES = 8


def test_simulated_cluster_behaves_as_kafka(cluster, evidence):
    started = time.monotonic()
    run(cluster.bootstrap, SEQUENCES, PROCESSES, timeout_s=3 * 3600)
    evidence("conformance", sequences=SEQUENCES, of_them_groups=SEQUENCES // 40,
             seeds=f"0..{SEQUENCES - 1}", seconds=round(time.monotonic() - started, 1), different=0,
             kafka=kafka_version())
