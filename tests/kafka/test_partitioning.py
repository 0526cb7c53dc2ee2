"""Producers that place one user's payments in different partitions: what lies in the wrong one is
named, counted and put aside."""

import json
import time

import verdict
from cluster import encode_avro, wait_until
from oracle.inputs import crc32_partition, murmur2_partition
from payments import Payments, write_tables
from weir import SCHEMAS, Topology, Weir, metrics

PARTITIONS = 4
EACH = 1500
TRANSACTION = json.loads((SCHEMAS / "transaction.avsc").read_text())
PROFILE = json.loads((SCHEMAS / "user-profile.avsc").read_text())


def write(cluster, topology, payments, partitioner, with_key):
    schema_id = cluster.registry.register(f"{topology.transactions}-value", TRANSACTION)
    cluster.produce(topology.transactions, (
        {"key": payment["user_id"] if with_key else None, "timestamp": payment["event_time"],
         "value": encode_avro(schema_id, TRANSACTION, payment)}
        for payment in payments.take(EACH)), partitioner=partitioner)


def test_misplaced_records_are_put_aside(weir, cluster, tmp_path, unique):
    topology = Topology(tmp_path, "card-fraud-local.yaml", unique)
    program = Weir(weir, cluster, topology, tmp_path)
    program.create_topics(PARTITIONS)
    payments = Payments(seed=11)
    started_ms = int(time.time() * 1000)
    write_tables(cluster, topology, payments, PROFILE)
    write(cluster, topology, payments, "murmur2_random", with_key=True)
    write(cluster, topology, payments, "consistent_random", with_key=True)
    write(cluster, topology, payments, "murmur2_random", with_key=False)
    with program.running(tmp_path / "state", WEIR_PARTITIONER="murmur2") as process:
        program.wait_for_end(process)
        judgement = verdict.expected(cluster, topology, (started_ms, int(time.time() * 1000)))
        misplaced = [letter for letter in judgement.dead_letters if letter[3] == "wrong_partition"]
        # A worker publishes its figures a moment after it has counted.
        name = 'weir_dead_letters_total{reason="wrong_partition"}'
        wait_until(lambda: metrics(process)[name] == len(misplaced), 10, f"{name} {len(misplaced)}")
    verdict.check(cluster, topology, judgement)
    # By another count: all without a key, and of CRC32's those that murmur2 places elsewhere.
    users = [user.encode() for user in payments.users]
    apart = {user for user in users
             if murmur2_partition(user, PARTITIONS) != crc32_partition(user, PARTITIONS)}
    raw = verdict.raw_records(cluster, topology.transactions)
    assert len(misplaced) == sum(1 for partition in raw for record in partition
                                 if record.key is None or (record.key in apart and
                                 crc32_partition(record.key, PARTITIONS) == record.partition))
    assert len(misplaced) > EACH * 1.5


def test_a_stream_to_be_repartitioned_is_refused(weir, cluster, tmp_path, unique):
    topology = Topology(tmp_path, "card-fraud-local.yaml", unique,
                        edit=lambda text: text.replace("    format: avro ", "    partitioned: no\n"
                                                       "    format: avro ", 1))
    result = Weir(weir, cluster, topology, tmp_path).command("validate", check=False)
    assert result.returncode != 0
    assert "partitioned" in result.stdout + result.stderr
    assert "hop" in result.stdout + result.stderr
