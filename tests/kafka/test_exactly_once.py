"""The main job on a real broker: what `weir run` says of generated traffic is what the oracle says,
no alert lost, none twice, although it is killed in the middle."""

import shutil
import time

import pytest
import verdict
from cluster import wait_until
from weir import Topology, Weir

EVENTS = 60_000
USERS = 3_000
GENERATE = ["--batch", str(EVENTS), "--users", str(USERS), "--attack-every", "300",
            "--poison", "0.003", "--late", "0.02", "--duplicates", "0.01", "--seed", "7"]


def now_ms():
    return int(time.time() * 1000)


class Traffic:
    """One input for all tests of this file: topics with tables, payments, attacks and poison."""

    def __init__(self, weir, cluster, folder, prefix):
        self.prefix = prefix
        self.weir = weir
        self.cluster = cluster
        self.folder = folder
        self.started_ms = now_ms()
        self.raw = None
        first = self.processor("input")
        first.create_topics()
        first.command("generate", *GENERATE)

    def processor(self, name):
        topology = Topology(self.folder, "card-fraud-local.yaml", self.prefix, f"{self.prefix}-{name}")
        return Weir(self.weir, self.cluster, topology, self.folder)

    def judge(self, topology):
        """Nothing in the input is near the limit of what is from the future."""
        if self.raw is None:
            self.raw = verdict.raw_records(self.cluster, topology.transactions)
        return verdict.expected(self.cluster, topology, (self.started_ms, now_ms()), self.raw)


@pytest.fixture(scope="module")
def traffic(cluster, weir, tmp_path_factory):
    return Traffic(weir, cluster, tmp_path_factory.mktemp("exactly-once"), "eo")


def kill_in_the_middle(weir, process):
    """-9 once some of the input is committed, and not all of it."""
    total = sum(weir.cluster.end_offsets(weir.topology.transactions).values())
    wait_until(lambda: weir.lag() < 0.7 * total, 60, "a third of the input")
    process.kill()
    left = weir.lag()
    assert 0 < left < total, f"{left} of {total} left: this was not the middle"


@pytest.mark.parametrize("state_is_kept", [True, False], ids=["state-kept", "state-lost"])
def test_nothing_lost_and_nothing_twice(traffic, tmp_path, state_is_kept):
    weir = traffic.processor("kept" if state_is_kept else "lost")
    weir.create_topics()
    state = tmp_path / "state"
    kill_in_the_middle(weir, weir.start(state, wait=False))
    if not state_is_kept:
        shutil.rmtree(state)
    with weir.running(state) as process:
        weir.wait_for_end(process)

    judgement = traffic.judge(weir.topology)
    print(judgement.counts, verdict.rules_of(judgement), len(judgement.dead_letters))
    verdict.check(traffic.cluster, weir.topology, judgement)
    assert len(verdict.rules_of(judgement)) == 8, "every rule must have alerted"
    assert judgement.counts["caused by late events"] > 0
