"""What lies in the topics, as the oracle takes it and says it, and the comparison of the two."""

import io
import json
import math
from collections import Counter

import fastavro
from cluster import decode_avro
from oracle import processor
from oracle.inputs import Record, without_logical_types
from weir import SCHEMAS

ALERT_SCHEMA = fastavro.parse_schema(
    without_logical_types(json.loads((SCHEMAS / "fraud-alert.avsc").read_text())))
FRAMING_SIZE = 5


def raw_records(cluster, topic):
    """Per partition, in the order of offsets."""
    partitions = [[] for _ in cluster.end_offsets(topic)]
    for message in cluster.each_message(topic):
        partitions[message.partition()].append(Record(
            message.partition(), message.offset(), message.timestamp()[1], message.key(),
            message.value()))
    return partitions


def schema_source(registry):
    """id -> schema, or None when the registry does not know it."""
    import urllib.error

    def schema_of(schema_id):
        try:
            return registry.schema(schema_id)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    return schema_of


def expected(cluster, topology, clock_ms, inputs=None, **options):
    """The oracle's judgement of what lies in the topology's topics."""
    settings = processor.Settings(topology=topology.name, topic=topology.transactions,
                                  profile_topic=topology.profiles, clock_ms=clock_ms)
    payments = inputs or raw_records(cluster, topology.transactions)
    blocked = [record for partition in raw_records(cluster, topology.blocked)
               for record in partition]
    schemas = {"transaction": json.loads((SCHEMAS / "transaction.avsc").read_text()),
               "profile": json.loads((SCHEMAS / "user-profile.avsc").read_text()),
               "of": schema_source(cluster.registry)}
    schemas.update(options.pop("schemas", {}))
    return processor.judge(payments, raw_records(cluster, topology.profiles), blocked, schemas,
                           settings, **options)


def raised_alerts(cluster, topology):
    """The alerts as raw bodies without framing, in no order, committed ones only. Written in the
    schema that the registry has: it must be ours."""
    bodies = []
    for message in cluster.each_message(topology.alerts):
        alert = decode_avro(cluster.registry, message.value())
        assert message.key() == alert["entity"].encode(), alert
        bodies.append(message.value()[FRAMING_SIZE:])
    return bodies


def decoded(body):
    """Times as microseconds; every byte must be used."""
    stream = io.BytesIO(body)
    alert = fastavro.schemaless_reader(stream, ALERT_SCHEMA, None)
    assert not stream.read(1), "bytes behind an alert"
    return alert


def dead_letters(cluster, topology):
    """(topic, partition, offset, reason), each checked to carry the source's bytes."""
    found = []
    for message in cluster.each_message(topology.dead_letters):
        headers = {name: value.decode() for name, value in message.headers()}
        found.append((headers["weir.source.topic"], int(headers["weir.source.partition"]),
                      int(headers["weir.source.offset"]), headers["weir.reason"]))
    return found


# ---- comparing ----


def same_number(a, b):
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-11)
    except (TypeError, ValueError):
        return False


def same_alert(wanted, got):
    """In every field. Kilometres are computed with another library here: their last digits differ,
    and the oracle refuses to judge what would depend on them."""
    if wanted == got:
        return True
    rest_of = lambda alert: {name: value for name, value in alert.items() if name != "operands"}
    return (rest_of(wanted) == rest_of(got) and len(wanted["operands"]) == len(got["operands"])
            and all(a == b or (a["operand"] == b["operand"] == "km"
                               and a["comparison"] == b["comparison"]
                               and same_number(a["value"], b["value"])
                               and (a["limit"] == b["limit"]))
                    for a, b in zip(wanted["operands"], got["operands"])))


def key_of(alert):
    """An id that comes again after its dedupe time is another event."""
    return (alert["rule"], alert["event_id"], alert["alert_id"], alert["source_partition"],
            alert["source_offset"])


def differences(wanted, got, most=5):
    """Lines that say what is missing, what is extra, and what differs; none: all the same."""
    wanted_count, got_count = (Counter(map(key_of, each)) for each in (wanted, got))
    lost, extra = wanted_count - got_count, got_count - wanted_count
    lines = [f"{lost.total()} lost of {len(wanted)}, {extra.total()} too many of {len(got)}"] \
        if lost or extra else []
    lines += [f"lost: {key}" for key in sorted(lost)[:most]]
    lines += [f"too many: {key}" for key in sorted(extra)[:most]]
    by_key = {key_of(alert): alert for alert in wanted}
    different = [(by_key[key_of(alert)], alert) for alert in got
                 if key_of(alert) in by_key and not same_alert(by_key[key_of(alert)], alert)]
    if different:
        lines.append(f"{len(different)} of {len(got)} differ")
    for a, b in different[:most]:
        for name in a:
            if a[name] != b[name]:
                lines.append(f"{key_of(a)[:2]} {name}:\n  wanted {a[name]}\n  got    {b[name]}")
    return lines


def dead_letter_differences(wanted, got, most=5):
    wanted, got = Counter(wanted), Counter(got)
    lines = [f"lost dead letter: {each}" for each in sorted((wanted - got).elements())[:most]]
    return lines + [f"dead letter too many: {each}" for each in sorted((got - wanted).elements())[:most]]


def check_journal(cluster, topology, payments):
    """Every record of the input is in one run, in order, and the outputs are as many as counted."""
    schema = fastavro.parse_schema(
        without_logical_types(json.loads((SCHEMAS / "journal.avsc").read_text())))
    outputs = 0
    for number, partition in enumerate(payments):
        seq, position = 0, {}
        for message in cluster.each_message(topology.journal, partition=number):
            record = fastavro.schemaless_reader(io.BytesIO(message.value()[1:]), schema, None)
            assert record["seq"] > seq, f"journal {number}: seq {record['seq']} after {seq}"
            seq = record["seq"]
            outputs += record["output_count"]
            for run in record["runs"]:
                assert run["first_offset"] == position.get(run["topic"], 0), \
                    f"journal {number} seq {seq}: {run} after {position}"
                assert run["count"] == run["last_offset"] + 1 - run["first_offset"]
                position[run["topic"]] = run["last_offset"] + 1
        assert position[topology.transactions] == len(partition), f"journal {number}: {position}"
    written = sum(1 for topic in (topology.alerts, topology.dead_letters)
                  for _ in cluster.each_message(topic))
    assert outputs == written, f"the journal counts {outputs} outputs, the topics have {written}"


def check(cluster, topology, judgement):
    """Asserts that the topics hold what the oracle says; returns the alerts' bodies."""
    bodies = raised_alerts(cluster, topology)
    lines = differences(judgement.alerts, [decoded(body) for body in bodies])
    lines += dead_letter_differences(judgement.dead_letters, dead_letters(cluster, topology))
    assert not lines, "\n".join(lines)
    return bodies


def rules_of(judgement):
    return Counter(alert["rule"] for alert in judgement.alerts)
