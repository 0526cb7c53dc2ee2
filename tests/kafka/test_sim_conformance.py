"""The simulated cluster (tests/sim) behaves as the broker does: some hundred random sequences of
calls; tests/long/test_conformance.py makes thousands."""

from conformance import run


def test_simulated_cluster_behaves_as_kafka(cluster):
    run(cluster.bootstrap, sequences=300, processes=3, timeout_s=400)
