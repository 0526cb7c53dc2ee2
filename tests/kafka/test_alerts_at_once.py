"""An alert is committed at once, with its own partition alone: what is in hand of the others waits for the
commit interval, so that the broker writes no markers for them."""

import json

import verdict
from cluster import encode_avro, wait_until
from oracle.inputs import murmur2_partition
from payments import Payments
from weir import SCHEMAS, Topology, Weir, metrics

PARTITIONS = 4
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())


def test_an_alert_commits_its_own_partition(weir, cluster, tmp_path, unique):
    topology = Topology(tmp_path, "velocity.yaml", unique)
    program = Weir(weir, cluster, topology, tmp_path)
    program.create_topics(PARTITIONS)
    payments = Payments(seed=12)
    schema_id = cluster.registry.register(f"{topology.transactions}-value", TRANSACTION)
    users = {murmur2_partition(user.encode(), PARTITIONS): user for user in payments.users}
    assert len(users) == PARTITIONS

    def pay(user):
        payment = payments.payment(user)
        cluster.produce(topology.transactions, [
            {"key": user, "timestamp": payment["event_time"],
             "value": encode_avro(schema_id, TRANSACTION, payment)}], partitioner="murmur2_random")

    def committed():
        offsets = cluster.committed_offsets(topology.name, topology.transactions)
        return {partition: offsets[partition] for partition in users}

    with program.running(tmp_path / "state", WEIR_WORKERS="1", WEIR_COMMIT_INTERVAL="60s",
                         WEIR_PARTITIONER="murmur2") as process:
        for user in users.values():
            pay(user)
        wait_until(lambda: metrics(process).get("weir_records_total") == PARTITIONS, 30, "records in hand")
        assert set(committed().values()) == {0}
        for _ in range(5):
            pay(users[0])
        wait_until(lambda: verdict.raised_alerts(cluster, topology), 30, "an alert")
        assert committed() == {0: 6, 1: 0, 2: 0, 3: 0}
    assert committed() == {0: 6, 1: 1, 2: 1, 3: 1}
