"""`memory` is a ceiling: a million payments of few and of many users, drained at full speed and
restored, with brokers that stand still, and once where the kernel kills what takes more."""

import ceiling
import pytest
from weir import Topology, Weir

EVENTS = "1000000"
SIZES = ["256MB", "512MB", "1GB"]
USERS = ["30000", "1000000"]
TIMEOUT_S = 3600


@pytest.fixture(scope="module")
def inputs(cluster, weir, tmp_path_factory):
    """A prefix per number of users, its topics filled."""
    folder = tmp_path_factory.mktemp("memory")
    for users in USERS:
        first = Weir(weir, cluster, Topology(folder, "card-fraud-local.yaml", f"memory{users}"), folder)
        first.create_topics(4)
        first.command("generate", "--batch", EVENTS, "--users", users, "--seed", "5",
                      timeout_s=TIMEOUT_S)
    return {users: f"memory{users}" for users in USERS}


def processor(weir, cluster, inputs, folder, users, name):
    topology = Topology(folder, "card-fraud-local.yaml", inputs[users], f"{inputs[users]}-{name}")
    fraud = Weir(weir, cluster, topology, folder)
    fraud.create_topics(4)
    return fraud


@pytest.fixture(scope="module")
def figures():
    return []


@pytest.mark.parametrize("users", USERS)
@pytest.mark.parametrize("size", SIZES)
def test_it_holds(cluster, weir, inputs, figures, tmp_path, size, users):
    fraud = processor(weir, cluster, inputs, tmp_path, users, size.lower())
    peaks = ceiling.drain(fraud, tmp_path / "state", size, TIMEOUT_S, WEIR_WORKERS="1")
    figures.append({"memory": size, "users": int(users), "peak_bytes": peaks})
    assert max(peaks.values()) <= ceiling.bytes_of(size) * ceiling.TOLERANCE, peaks


def test_it_holds_while_the_broker_stands_still(cluster, weir, inputs, figures, tmp_path):
    fraud = processor(weir, cluster, inputs, tmp_path, USERS[0], "still")
    with ceiling.standing_still(cluster.kafka.process.pid, every_s=4, for_s=2):
        peaks = ceiling.drain(fraud, tmp_path / "state", "256MB", TIMEOUT_S, WEIR_WORKERS="1")
    figures.append({"memory": "256MB", "users": int(USERS[0]), "broker": "stands still 2 s in 6",
                    "peak_bytes": peaks})
    assert max(peaks.values()) <= ceiling.bytes_of("256MB") * ceiling.TOLERANCE, peaks


def test_it_lives_where_more_would_kill_it(cluster, weir, inputs, figures, evidence, tmp_path, unique):
    size = "256MB"
    limit = int(ceiling.bytes_of(size) * ceiling.TOLERANCE)
    fraud = processor(weir, cluster, inputs, tmp_path, USERS[0], "limited")
    with ceiling.limited(unique, limit) as group:
        if group is not None:
            peaks = ceiling.drain(fraud, tmp_path / "state", size, TIMEOUT_S, group, WEIR_WORKERS="1")
            figures.append({"memory": size, "users": int(USERS[0]), "killed_above_bytes": limit,
                            "peak_bytes": peaks})
    evidence("memory", events=int(EVENTS), partitions=4, workers=1, runs=figures)
    if group is None:
        pytest.skip("no memory cgroup (v1) can be made here")
