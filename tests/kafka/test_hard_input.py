"""Input that generated traffic never is: few users with very much to remember, half of it late, ties,
jumps of days, ids that come again much later, profiles that change and go. Through `weir backtest`,
from an export that is written here; no broker is needed. TEST_SEED repeats one of them."""

import json
import os
import random

import fastavro
import pytest
import verdict
from cluster import encode_avro
from oracle import processor
from oracle.inputs import Record, murmur2_partition
from payments import COUNTRIES, PLACES, START_MS
from test_export import alerts_of_file
from weir import SCHEMAS, Topology, Weir

PARTITIONS = 3
EVENTS = 12_000
SEEDS = [int(os.environ["TEST_SEED"])] if "TEST_SEED" in os.environ else [1, 2, 3]
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())
PROFILE = json.loads((SCHEMAS / "user-profile.avsc").read_text())
TRANSACTION_ID, PROFILE_ID = 1, 2
EXPORTED = fastavro.parse_schema({
    "type": "record", "name": "ExportedRecord", "namespace": "weir", "partitions": PARTITIONS,
    "fields": [{"name": "topic", "type": "string"}, {"name": "partition", "type": "int"},
               {"name": "offset", "type": "long"},
               {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
               {"name": "key", "type": ["null", "bytes"]},
               {"name": "value", "type": ["null", "bytes"]},
               {"name": "warm_up", "type": "boolean"}]})
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


class HardInput:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.users = [f"u{seed}-{i}" for i in range(8)]
        self.ids = []
        self.payments = [[] for _ in range(PARTITIONS)]
        self.profiles = [[] for _ in range(PARTITIONS)]
        self.write()

    def add(self, topic, key, value, timestamp):
        partition = murmur2_partition(key.encode(), PARTITIONS)
        records = topic[partition]
        records.append(Record(partition, len(records), timestamp, key.encode(), value))

    def step(self):
        """Mostly seconds or nothing, sometimes days: what is remembered expires."""
        chance = self.random.random()
        if chance < 0.3:
            return 0
        return self.random.randrange(20_000) if chance < 0.9985 else self.random.randrange(8 * DAY_MS)

    def lateness(self):
        chance = self.random.random()
        if chance < 0.5:
            return 0
        if chance < 0.8:
            return self.random.randrange(3 * MINUTE_MS)
        return self.random.choice((MINUTE_MS, HOUR_MS, HOUR_MS + 1, self.random.randrange(HOUR_MS)))

    def event_id(self):
        """Some come again: after seconds, and after more than the day for which they count once."""
        if self.ids and self.random.random() < 0.05:
            return self.random.choice(self.ids[-200:] if self.random.random() < 0.5 else self.ids)
        self.ids.append(f"e{len(self.ids)}")
        return self.ids[-1]

    def payment(self, now):
        pick = self.random
        user = self.users[min(pick.randrange(8), pick.randrange(8))]
        lat, lon = PLACES[pick.choice(COUNTRIES)]
        return {"tx_id": self.event_id(), "user_id": user, "card_id": f"c{pick.randrange(2)}",
                "merchant_id": f"m{pick.randrange(40)}",
                "device_id": pick.choice((None, "d0", "d1", f"d{pick.randrange(1000)}")),
                "country": pick.choice(("DE", "DE", "DE", pick.choice(COUNTRIES))),
                "amount_cents": pick.choice((pick.randrange(-500, 500), pick.randrange(30_000),
                                             pick.randrange(400_000))),
                "event_time": now - self.lateness(),
                "lat": pick.choice((None, lat, lat, lat)), "lon": pick.choice((None, lon, lon, lon))}

    def write(self):
        now = START_MS
        for _ in range(EVENTS):
            now += self.step()
            if self.random.random() < 0.02:
                self.write_profile(now)
            payment = self.payment(now)
            self.add(self.payments, payment["user_id"],
                     encode_avro(TRANSACTION_ID, TRANSACTION, payment), now)

    def write_profile(self, now):
        user = self.random.choice(self.users)
        row = {"user_id": user, "country": self.random.choice(COUNTRIES),
               "updated_at": now - self.random.choice((0, 1, HOUR_MS, 40 * DAY_MS))}
        self.add(self.profiles, user, None if self.random.random() < 0.2
                 else encode_avro(PROFILE_ID, PROFILE, row), now)


def write_export(path, topology, hard, blocked):
    """As `weir export` does: tables that everybody sees, then partition after partition in the order
    of a worker."""
    def rows():
        for record in blocked:
            yield topology.blocked, record
        for payments, profiles in zip(hard.payments, hard.profiles):
            for is_profile, record in processor.merged(payments, profiles):
                yield topology.profiles if is_profile else topology.transactions, record

    with open(path, "wb") as file:
        fastavro.writer(file, EXPORTED, (
            {"topic": topic, "partition": record.partition, "offset": record.offset,
             "timestamp": record.timestamp_ms, "key": record.key, "value": record.value,
             "warm_up": False} for topic, record in rows()), codec="deflate")


class NoCluster:
    """A backtest needs neither."""

    bootstrap = "nowhere:1"
    brokers = [bootstrap]

    class registry:
        url = "http://nowhere"


@pytest.mark.parametrize("seed", SEEDS)
def test_backtest_and_oracle_agree(weir, tmp_path, seed):
    topology = Topology(tmp_path, "card-fraud-local.yaml", "hard")
    program = Weir(weir, NoCluster, topology, tmp_path)
    schemas = {TRANSACTION_ID: TRANSACTION, PROFILE_ID: PROFILE}
    for schema_id, schema in schemas.items():
        (tmp_path / "registry").mkdir(exist_ok=True)
        (tmp_path / f"registry/{schema_id}-x-value.avsc").write_text(json.dumps(schema))
    hard = HardInput(seed)
    blocked = [Record(0, i, START_MS, f"m{i}".encode(), json.dumps({"merchant_id": f"m{i}"}).encode())
               for i in range(2)]
    write_export(tmp_path / "hard.avro", topology, hard, blocked)
    program.command("backtest", "--input", tmp_path / "hard.avro", "--registry", tmp_path / "registry",
                    "--alerts", tmp_path / "alerts.avro", "--dead-letters", tmp_path / "letters.jsonl")

    settings = processor.Settings(topology=topology.name, topic=topology.transactions, mode="replay",
                                  clock_ms=(1 << 50, 1 << 50))
    judgement = processor.judge(hard.payments, hard.profiles, blocked,
                                {"transaction": TRANSACTION, "profile": PROFILE, "of": schemas.get},
                                settings)
    bodies, _ = alerts_of_file(tmp_path / "alerts.avro")
    letters = [json.loads(line) for line in open(tmp_path / "letters.jsonl")]
    lines = verdict.differences(judgement.alerts, [verdict.decoded(body + b"\x04") for body in bodies])
    lines += verdict.dead_letter_differences(
        judgement.dead_letters, [(each["topic"], int(each["partition"]), int(each["offset"]),
                                  each["reason"]) for each in letters])
    print(seed, judgement.counts, verdict.rules_of(judgement), len(judgement.dead_letters))
    assert not lines, f"TEST_SEED={seed}\n" + "\n".join(lines)
    assert len(verdict.rules_of(judgement)) == 8
    assert judgement.counts["caused by late events"] > 100
