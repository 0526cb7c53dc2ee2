"""Generated traffic, and runs over it that are killed in the middle."""

import json
import shutil
import time

import verdict
from cluster import encode_avro, wait_until
from weir import SCHEMAS, Topology, Weir


def now_ms():
    return int(time.time() * 1000)


class Traffic:
    """Topics with tables, payments, attacks and poison; read by any number of topologies."""

    def __init__(self, weir, cluster, folder, prefix, options, partitions=4):
        self.prefix = prefix
        self.weir = weir
        self.cluster = cluster
        self.folder = folder
        self.started_ms = now_ms()
        self.raw = None
        first = self.processor("input")
        first.create_topics(partitions)
        first.command("generate", *options, "--truth", folder / "truth.jsonl")
        self.truth = [json.loads(line) for line in open(folder / "truth.jsonl")]
        self.move_users(first.topology)

    def processor(self, name):
        topology = Topology(self.folder, "card-fraud-local.yaml", self.prefix, f"{self.prefix}-{name}")
        return Weir(self.weir, self.cluster, topology, self.folder)

    def move_users(self, topology):
        """Users whose profile changes about when they are attacked: some rows arrive before the
        payment that they are meant for, some after it. Some profiles are deleted."""
        schema = json.loads((SCHEMAS / "user-profile.avsc").read_text())
        schema_id = self.cluster.registry.register(f"{topology.profiles}-value", schema)
        rows = []
        for i, line in enumerate(line for line in self.truth if line.get("attack") in
                                 ("location_mismatch", "high_amount", "slow_burn")):
            row = {"user_id": line["user_id"], "country": ("DE", "US", "JP", "BR")[i % 4],
                   "updated_at": line["event_time"] - 60_000}
            value = encode_avro(schema_id, schema, row) if i % 7 else None
            rows.append({"key": line["user_id"], "value": value,
                         "timestamp": line["arrival"] + (30_000 if i % 2 else -30_000)})
        rows.sort(key=lambda row: row["timestamp"])
        self.cluster.produce(topology.profiles, rows)

    def judge(self, topology):
        """Nothing in the input is near the limit of what is from the future."""
        if self.raw is None:
            self.raw = verdict.raw_records(self.cluster, topology.transactions)
        return verdict.expected(self.cluster, topology, (self.started_ms, now_ms()), self.raw)


def kill_in_the_middle(weir, process, share):
    """-9 once this share of the input is committed, and not all of it. Returns how much was."""
    total = sum(weir.cluster.end_offsets(weir.topology.transactions).values())
    wait_until(lambda: weir.committed() > share * total, 600, "the middle", pause_s=0.002)
    process.kill()
    done = weir.committed()
    assert 0 < done < total, f"{done} of {total} done: this was not the middle"
    return done


def run_and_kill(traffic, folder, name, state_is_kept, share):
    """The whole input, with one kill -9; returns what ran."""
    weir = traffic.processor(name)
    weir.create_topics()
    state = folder / f"state-{name}"
    weir.killed_at = kill_in_the_middle(weir, weir.start(state, wait=False), share)
    if not state_is_kept:
        shutil.rmtree(state)
    with weir.running(state) as process:
        weir.wait_for_end(process, timeout_s=600)
    return weir
