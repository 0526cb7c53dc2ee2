"""One input for several tests, and runs over it."""

import pytest
from traffic import Traffic, run_and_kill

GENERATE = ["--batch", "60000", "--users", "3000", "--attack-every", "300", "--poison", "0.003",
            "--late", "0.02", "--duplicates", "0.01", "--seed", "7",
            "--start", "2026-01-31T12:00:00Z"]


@pytest.fixture(scope="session")
def traffic(cluster, weir, tmp_path_factory):
    return Traffic(weir, cluster, tmp_path_factory.mktemp("traffic"), "traffic", GENERATE)


@pytest.fixture(scope="session")
def killed_run(traffic, tmp_path_factory):
    return run_and_kill(traffic, tmp_path_factory.mktemp("killed"), "kept", state_is_kept=True)


@pytest.fixture(scope="session")
def killed_run_without_state(traffic, tmp_path_factory):
    return run_and_kill(traffic, tmp_path_factory.mktemp("killed"), "lost", state_is_kept=False)
