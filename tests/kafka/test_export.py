"""The past again: `weir export` and `weir backtest` say what was said live, byte for byte."""

import io
import json
from collections import Counter
from datetime import datetime, timezone

import fastavro
import verdict

MODE_SIZE = 1  # the last field of an alert, an enum


def alerts_of_file(path):
    """The datums of an Avro file as they lie there, without their mode, and the modes."""
    bodies, modes = [], Counter()
    with open(path, "rb") as file:
        for block in fastavro.block_reader(file):
            rest = block.bytes_.getvalue()
            stream = io.BytesIO(rest)
            at = 0
            for _ in range(block.num_records):
                modes[fastavro.schemaless_reader(stream, verdict.ALERT_SCHEMA, None)["mode"]] += 1
                bodies.append(rest[at:stream.tell() - MODE_SIZE])
                at = stream.tell()
    return bodies, modes


def backtest(weir, folder, *options):
    """Exports with these options and runs the file: bodies, modes, dead letters."""
    export, alerts, letters = (folder / name for name in ("e.avro", "alerts.avro", "letters.jsonl"))
    weir.command("export", *options, "--output", export)
    weir.command("backtest", "--input", export, "--registry", f"{export}.schemas",
                 "--alerts", alerts, "--dead-letters", letters)
    bodies, modes = alerts_of_file(alerts)
    refused = [json.loads(line) for line in open(letters)]
    return bodies, modes, [(each["topic"], int(each["partition"]), int(each["offset"]),
                            each["reason"]) for each in refused]


def time_text(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def cause_of(body):
    """(partition, offset) of the record that an alert was raised at."""
    alert = verdict.decoded(body)
    cause = alert["caused_by"]
    return alert["source_partition"], cause["offset"] if cause else alert["source_offset"]


def test_everything_again(traffic, killed_run, tmp_path):
    live = verdict.raised_alerts(traffic.cluster, killed_run.topology)
    bodies, modes, letters = backtest(killed_run, tmp_path)
    assert Counter(bodies) == Counter(body[:-MODE_SIZE] for body in live)
    assert modes == {"replay": len(live)}
    assert Counter(letters) == Counter(verdict.dead_letters(traffic.cluster, killed_run.topology))


def test_a_range_again(traffic, killed_run, tmp_path):
    """What lies before the range is looked back to, and not said again."""
    raw = traffic.raw or verdict.raw_records(traffic.cluster, killed_run.topology.transactions)
    times = sorted(record.timestamp_ms for partition in raw for record in partition)
    first, last = times[len(times) // 2], times[len(times) * 3 // 4]
    inside = set()
    for partition in raw:
        begin = next(each.offset for each in partition if each.timestamp_ms >= first)
        end = next(each.offset for each in partition if each.timestamp_ms >= last)
        inside.update((partition[0].partition, offset) for offset in range(begin, end))

    live = [body for body in verdict.raised_alerts(traffic.cluster, killed_run.topology)
            if cause_of(body) in inside]
    bodies, _, letters = backtest(killed_run, tmp_path, "--from", time_text(first), "--to",
                                  time_text(last))
    assert Counter(bodies) == Counter(body[:-MODE_SIZE] for body in live)
    assert len({verdict.decoded(body)["rule"] for body in live}) == 8
    cold, _, _ = backtest(killed_run, tmp_path, "--from", time_text(first), "--to",
                          time_text(last), "--no-warm-up")
    assert Counter(cold) != Counter(bodies)
    assert Counter(letters) == Counter(
        letter for letter in verdict.dead_letters(traffic.cluster, killed_run.topology)
        if letter[1:3] in inside)
