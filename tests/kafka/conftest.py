"""One input for several tests, and runs over it."""

import pytest
from traffic import Traffic, run_and_kill

GENERATE = ["--batch", "60000", "--users", "3000", "--attack-every", "300", "--poison", "0.003",
            "--late", "0.02", "--duplicates", "0.01", "--seed", "7",
            "--start", "2026-01-31T12:00:00Z"]
# All of it takes a second or two: what is committed first is to be some of it, not all.
SHARE = 0.05


@pytest.fixture(scope="session")
def traffic(cluster, weir, tmp_path_factory):
    return Traffic(weir, cluster, tmp_path_factory.mktemp("traffic"), "traffic", GENERATE)


@pytest.fixture(scope="session")
def killed_run(traffic, tmp_path_factory):
    return run_and_kill(traffic, tmp_path_factory.mktemp("killed"), "kept", True, SHARE)


@pytest.fixture(scope="session")
def killed_run_without_state(traffic, tmp_path_factory):
    return run_and_kill(traffic, tmp_path_factory.mktemp("killed"), "lost", False, SHARE)
