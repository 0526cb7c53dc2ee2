"""How long weir and the rival are away: from the start of the process after a kill -9 until new alerts are visible,
with the local state kept and with it lost, in turns, on the state of many users.

    restart.py [--events N] [--users N] [--distribution ...] [--commit-ms MS] [--runs N] [--only weir|rival]
               [--json FILE] [--evidence]

The job's input is drained first, and its alerts must be the oracle's. Then a feeder goes on paying, in every partition,
amounts that alert at once; the process is killed and started again. Both are static members, so that their partitions
are theirs at once. The process has one core, the broker the other. Seconds are taken from the start of the process to
the first alert that a reader of committed records sees, and to the first one of the last partition. With --evidence the
figures are left in docs/evidence/restart.json.
"""

import io
import json
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench"), str(ROOT / "bench/job")]

import fastavro  # noqa: E402
import process  # noqa: E402
from cluster import Cluster, wait_until  # noqa: E402
from drain import BROKER_CORE, PARTITIONS, Weir, World, job_parser, prepare, spread  # noqa: E402
from evidence import leave_evidence  # noqa: E402

SCHEMA = fastavro.parse_schema(json.loads((ROOT / "bench/job/job-transaction.avsc").read_text()))
USERS_FED = 200  # enough for every partition to have some
NUMBER_FED = 90_000_000_000
ALERTING_CENTS = 400_000
FEED_EVERY_S = 0.02
BACK_TIMEOUT_S = 600


class Feeder(threading.Thread):
    """Pays in every partition, all the time; knows which partition each payment went to."""

    def __init__(self, world, at_ms):
        super().__init__(daemon=True)
        self.world, self.at_ms = world, at_ms
        self.number = NUMBER_FED
        self.partition_of = {}
        self.over = threading.Event()

    def pay(self, producer):
        self.number += 1
        self.at_ms += 1
        user, tx = f"u{self.number % USERS_FED:07d}", f"t{self.number:011d}"
        body = io.BytesIO()
        fastavro.schemaless_writer(body, SCHEMA, {
            "tx_id": tx, "user_id": user, "card_id": f"c{user[1:]}", "merchant_id": "m000000",
            "device_id": f"d{user[1:]}", "country": "C0", "amount_cents": ALERTING_CENTS, "event_ms": self.at_ms})

        def written(error, message):
            if error is None:
                self.partition_of[tx] = message.partition()

        producer.produce(self.world.payments, b"\0\0\0\0\1" + body.getvalue(), user.encode(), on_delivery=written)

    def run(self):
        producer = self.world.cluster.producer(partitioner="murmur2_random", linger_ms=0)
        while not self.over.is_set():
            for _ in range(PARTITIONS):
                self.pay(producer)
            producer.poll(0)
            self.over.wait(FEED_EVERY_S)
        producer.flush(30)

    def stop(self):
        self.over.set()
        self.join()


def newest_ms(world):
    """The event time of the newest payment."""
    last = {partition: end - 1 for partition, end in world.cluster.end_offsets(world.payments).items()}
    return max(fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), SCHEMA)["event_ms"]
               for message in world.cluster.each_message(world.payments, start=last))


def reader_from_end(cluster, topic):
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "watch", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "fetch.wait.max.ms": 10})
    consumer.assign([TopicPartition(topic, partition, end) for partition, end in cluster.end_offsets(topic).items()])
    return consumer


class Watch:
    """Of the alerts that are committed from now on: when the first one of each partition of the input was seen."""

    def __init__(self, world, subject, feeder):
        self.subject, self.feeder = subject, feeder
        self.first_s = {}
        self.consumer = reader_from_end(world.cluster, subject.alerts)

    def look(self, started):
        for message in self.consumer.consume(500, timeout=0.01):
            if message.error():
                continue
            rule, tx = self.subject.alert_of(message.value()).split()
            partition = self.feeder.partition_of.get(tx)
            if rule == "R3" and partition is not None:
                self.first_s.setdefault(partition, time.monotonic() - started)
        return len(self.first_s) == PARTITIONS


def come_back(world, subject, feeder, state_is_kept):
    """Killed, perhaps robbed of its state, started: seconds to the first alerts."""
    subject.running.kill()
    if not state_is_kept:
        shutil.rmtree(subject.folder / "state")
    watch = Watch(world, subject, feeder)
    started = time.monotonic()
    subject.running = subject.start()
    wait_until(lambda: watch.look(started) or gone(subject), BACK_TIMEOUT_S, f"{subject.name} to alert again", pause_s=0)
    watch.consumer.close()
    return {"who": subject.name, "state": "kept" if state_is_kept else "lost",
            "first_alert_s": min(watch.first_s.values()), "last_partition_s": max(watch.first_s.values()),
            "cpu_s": process.cpu_seconds(subject.running.pid), **restored(subject, state_is_kept)}


def restored(subject, state_is_kept):
    """What weir says of loading the changelog: rows of all partitions, and how many a second."""
    if state_is_kept or not isinstance(subject, Weir):
        return {}
    found = re.findall(r"event=lane\.restored .* rows=(\d+) from=changelog ms=(\d+)", subject.running.output())[-PARTITIONS:]
    rows, longest_ms = sum(int(each[0]) for each in found), max(int(each[1]) for each in found)
    return {"rows": rows, "rows_per_s": rows * 1000 / longest_ms}


def gone(subject):
    if not subject.running.running():
        raise RuntimeError(f"{subject.name} ended: {subject.running.output()[-3000:]}")
    return False


def measure(world, subject):
    subject.running = subject.start()
    try:
        wait_until(lambda: gone(subject) or done(world, subject) >= world.given.events, BACK_TIMEOUT_S * 3,
                   f"{subject.name} at the end of the input", pause_s=0.2)
        world.judge(subject)
        feeder = Feeder(world, newest_ms(world))
        feeder.start()
        try:
            time.sleep(2)
            return [come_back(world, subject, feeder, kept) for kept in (True, False)]
        finally:
            feeder.stop()
    finally:
        subject.running.kill()


def done(world, subject):
    return sum(world.cluster.committed_offsets(subject.group, world.payments).values())


def medians(found):
    """{who: {state: {figure: [median, least, most]}}}"""
    out = {}
    for each in found:
        runs = [other for other in found if (other["who"], other["state"]) == (each["who"], each["state"])]
        out.setdefault(each["who"], {})[each["state"]] = {
            figure: [round(of(other[figure] for other in runs), 2) for of in (statistics.median, min, max)]
            for figure in each if figure not in ("who", "state", "load")}
    return out


def main():
    parser = job_parser(__doc__.splitlines()[0], users=1_000_000, hours=20, runs=3, distribution="uniform")
    given, subjects = prepare(parser)
    found = []
    for number in range(given.runs):
        for kind in subjects:
            # A cluster for each: what one has fed must not be the other's input.
            with tempfile.TemporaryDirectory(prefix="weir-restart-") as folder, Cluster() as cluster:
                process.pin(cluster.kafka.process.pid, BROKER_CORE)
                world = World(cluster, pathlib.Path(folder), given)
                for each in measure(world, kind(world, number)):
                    found.append({**each, "load": process.calibration()["load"]})
                    print(json.dumps(found[-1]), flush=True)
    for kind in subjects:
        for state in ("kept", "lost"):
            runs = [each for each in found if each["who"] == kind.name and each["state"] == state]
            for figure in ("first_alert_s", "last_partition_s", "cpu_s"):
                print(f"{kind.name:6} {state} {figure:18} {'%.2f [%.2f-%.2f]' % spread(runs, figure)}")
    if given.evidence:
        leave_evidence("restart", f"./dev bench restart {' '.join(sys.argv[1:])}".strip(), users=given.users,
                       events=given.events, runs=given.runs, loads=[each["load"] for each in found], medians=medians(found))
    if given.json:
        given.json.write_text(json.dumps({"given": vars(given) | {"json": None}, "runs": found}, indent=1))


if __name__ == "__main__":
    main()
