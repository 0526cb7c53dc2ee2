"""Producers move from one schema to the next, and the registry is away for a while: nothing
restarts, nothing is lost."""

import json
import time

import pytest
import verdict
from cluster import cpu_seconds, encode_avro, wait_until
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from oracle import card_fraud, text
from payments import Payments, write_tables
from weir import SCHEMAS, Topology, Weir

OUTAGE_S = 30
PARTITIONS = 4
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())
PROFILE = json.loads((SCHEMAS / "user-profile.avsc").read_text())

# What the topology reads: a field that the first producers do not write, and one that the last
# producers will have renamed.
CHANNEL = {"name": "channel", "type": "string", "default": "till"}
READER = {**TRANSACTION, "fields": [
    {**field, "aliases": ["shop_id"]} if field["name"] == "merchant_id" else field
    for field in TRANSACTION["fields"]] + [CHANNEL]}
ONLINE_RULE = """
  online:
    when: channel == 'web' and amount > 80
    severity: low
"""


class Online(card_fraud.Rule):
    name, severity = "online", "low"

    def holds(self, look):
        return look.event.more == "web" and look.event.cents > 8000

    def operands(self, look):
        return [("channel", "web", "==", "web"), ("amount", text.cents(look.event.cents), ">", "80")]


def changed(schema, **changes):
    """A field's new form by name: None removes it."""
    fields = [changes.get(field["name"], field) for field in schema["fields"]]
    return {**schema, "fields": [field for field in fields if field is not None]}


# In the order in which producers come to write them.
FIRST = changed(TRANSACTION, amount_cents={"name": "amount_cents", "type": "int"})
WIDER = TRANSACTION
ADDED = {**TRANSACTION, "fields": [CHANNEL, *TRANSACTION["fields"]]}
REMOVED = changed(ADDED, lat=None, lon=None)
RENAMED = changed(REMOVED, merchant_id={"name": "shop_id", "type": "string",
                                        "aliases": ["merchant_id"]})


def in_form(schema, payment):
    """The payment as a producer with this schema writes it."""
    row = {**payment, "shop_id": payment["merchant_id"],
           "channel": "web" if payment["amount_cents"] % 2 else "till"}
    return {field["name"]: row[field["name"]] for field in schema["fields"]}


class Evolution:
    def __init__(self, program, cluster, folder, prefix):
        (folder / "transaction.avsc").write_text(json.dumps(READER))
        (folder / "user-profile.avsc").write_text(json.dumps(PROFILE))
        self.cluster = cluster
        self.topology = Topology(folder, "card-fraud-local.yaml", prefix,
                                 edit=lambda text: text.replace("\nrules:\n", f"\nrules:{ONLINE_RULE}"))
        self.weir = Weir(program, cluster, self.topology, folder)
        self.weir.create_topics(PARTITIONS)
        self.payments = Payments(seed=5)
        self.started_ms = int(time.time() * 1000)
        self.subject = f"{self.topology.transactions}-value"
        self.ids = {}
        write_tables(cluster, self.topology, self.payments, PROFILE)

    def id_of(self, schema):
        """Registered when it is first asked for; afterwards the registry may be away."""
        text = json.dumps(schema)
        if text not in self.ids:
            self.ids[text] = self.cluster.registry.register(self.subject, schema)
        return self.ids[text]

    def write(self, schema, count):
        """fastavro's bytes."""
        schema_id = self.id_of(schema)
        self.cluster.produce(self.topology.transactions, (
            {"key": payment["user_id"], "timestamp": self.payments.now_ms,
             "value": encode_avro(schema_id, schema, in_form(schema, payment))}
            for payment in self.payments.take(count)))

    def write_with_confluent(self, schema, count):
        """Registers the schema and writes as its own serializer does."""
        client = SchemaRegistryClient({"url": self.cluster.registry.url})
        serialize = AvroSerializer(client, json.dumps(schema))
        context = SerializationContext(self.topology.transactions, MessageField.VALUE)
        self.cluster.produce(self.topology.transactions, (
            {"key": payment["user_id"], "timestamp": self.payments.now_ms,
             "value": serialize(in_form(schema, payment), context)}
            for payment in self.payments.take(count)))

    def check(self):
        def rules(table):
            both = [Online(), *card_fraud.rules(table)]
            return lambda partition, offset: both

        judgement = verdict.expected(self.cluster, self.topology,
                                     (self.started_ms, int(time.time() * 1000)), rules=rules,
                                     schemas={"transaction": READER})
        assert not judgement.dead_letters
        assert len(verdict.rules_of(judgement)) >= 7, verdict.rules_of(judgement)
        verdict.check(self.cluster, self.topology, judgement)
        return judgement


@pytest.fixture
def evolution(weir, cluster, tmp_path, unique):
    return Evolution(weir, cluster, tmp_path, unique)


def busy_share(process, seconds):
    """Of one core, while nothing comes."""
    before, began = cpu_seconds(process.pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(process.pid) - before) / (time.monotonic() - began)


def unfinished(cluster, topology):
    """The partitions of which not everything is committed."""
    done = cluster.committed_offsets(topology.name, topology.transactions)
    return {partition for partition, end in cluster.end_offsets(topology.transactions).items()
            if done.get(partition, 0) < end}


def test_producers_move_on_and_the_registry_goes_away(evolution, cluster, tmp_path):
    weir, topology = evolution.weir, evolution.topology
    with weir.running(tmp_path / "state") as process:
        evolution.write_with_confluent(FIRST, 3000)
        for schema in (FIRST, WIDER, ADDED):
            evolution.write(schema, 3000)
        weir.wait_for_end(process)
        for schema in (REMOVED, RENAMED):
            evolution.id_of(schema)

        cluster.registry.stop()
        try:
            stopped = time.monotonic()
            # A schema that weir has never seen: the partition waits, one record is enough.
            evolution.write(REMOVED, 1)
            waiting = unfinished(cluster, topology)
            assert len(waiting) == 1
            while time.monotonic() - stopped < OUTAGE_S:
                for schema in (FIRST, WIDER, ADDED):
                    evolution.write(schema, 20)
                time.sleep(0.5)
            wait_until(lambda: unfinished(cluster, topology) == waiting, 20,
                       "all but the partition that waits for a schema")
            assert busy_share(process, 3) < 0.5, "it does not wait for the registry: it goes round"
        finally:
            cluster.registry.start()
        weir.wait_for_end(process)
        for schema in (RENAMED, REMOVED, FIRST):
            evolution.write(schema, 2000)
        weir.wait_for_end(process)
    evolution.check()


def test_alerts_are_read_by_another_implementation(evolution, cluster, tmp_path):
    weir = evolution.weir
    with weir.running(tmp_path / "state") as process:
        evolution.write_with_confluent(TRANSACTION, 2000)
        weir.wait_for_end(process)
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": cluster.registry.url}))
    context = SerializationContext(evolution.topology.alerts, MessageField.VALUE)
    alerts = [deserialize(message.value(), context)
              for message in cluster.each_message(evolution.topology.alerts)]
    assert alerts and {alert["topology"] for alert in alerts} == {evolution.topology.name}
    assert all(alert["event_time"].tzinfo is not None for alert in alerts)
