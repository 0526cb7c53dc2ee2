#!/usr/bin/env python3
"""`./dev soak`: two processes under a steady load, with a fault every now and then and quiet in between; what they
take of memory, descriptors, disk and topics is measured all the time. Leaves docs/evidence/soak.json. Ends with 1
when anything was found.

Time in the payments goes faster than ours: the month that the topology remembers has as many payments as STATE_MAX
says, and is over before the first third. From then on the state has its full size, with the topology as it is shipped.
What the machine can do is measured with a state of that size: what is not in memory any more is read again."""

import argparse
import json
import os
import pathlib
import random
import sys
import tempfile
import time
from collections import Counter

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / each) for each in ("tests/support", "tests", "tests/chaos")]

import cluster as clusters  # noqa: E402
import coordinator  # noqa: E402
from brokers import restart_the_only_one  # noqa: E402
from cluster import Cluster, kafka_version, wait_until  # noqa: E402
from evidence import leave_evidence  # noqa: E402
from faults import FAULTS, goes_on  # noqa: E402
from feed import Feed  # noqa: E402
from measures import Places, Processes, Verdict  # noqa: E402
from world import BROKER_SETTINGS, PARTITIONS, Outages, Pod, Stuck  # noqa: E402

PODS = 2
MEMORY = "256MB"
# The defaults, but for memory and for what a fault would otherwise wait for (world.POD_SETTINGS).
POD_SETTINGS = {"WEIR_WORKERS": "1", "WEIR_MEMORY": MEMORY, "WEIR_COMMIT_INTERVAL": "100ms",
                "WEIR_CHECKPOINT_INTERVAL": "10s"}
# The broker deletes, and compacts, whole segments that are no longer written to, and keeps the marks of deleted
# rows for a day: an hour would not show whether topics are bounded. A process that restores needs seconds.
MIB = 1 << 20
SEGMENT_BYTES = 8 * MIB
KAFKA_SETTINGS = {
    **BROKER_SETTINGS,
    "log.segment.bytes": SEGMENT_BYTES,
    "log.segment.delete.delay.ms": 1000,
    "log.retention.check.interval.ms": 5000,
    "log.cleaner.backoff.ms": 5000,
    "log.cleaner.delete.retention.ms": 120_000,
}
REMEMBERED_S = (30 * 24 + 1) * 3600  # by the topology, with what may come late
# Payments in that time, at most, and for each minute of the run.
STATE_MAX, STATE_A_MINUTE = 1_500_000, 25_000
PAYMENTS_PER_USER = 60  # a month's
MEASURED = 300_000  # for the capacity, when the state is full
LOAD = 0.5
# The oracle judges every payment: some 60 us of a processor each, and 550 bytes of memory of each in a partition.
ORACLE_EVENTS_MAX = 45_000_000
# Of a run there are six of these: faults, then quiet.
CYCLES, STORMY = 6, 0.7
FAULT_EVERY_S = (20, 40)
DRAIN_S, FILL_S = 600, 1800
# A broker that was killed reads its logs again, and here they are long.
BROKER_START_S = 600
# How often each comes, of so many; in an order that the seed chooses, again and again.
BAG = {
    "kill -9": 3, "kill -9 while it starts": 1, "kill -9, state lost": 1, "kill -9 at a kill point": 3,
    "I/O error at a kill point": 1, "SIGSTOP past the time-outs": 1, "SIGSTOP at a kill point": 1, "SIGTERM": 2,
    "rebalance storm": 1, "two processes of one name": 1, "the broker": 1,
}


class SoakPod(Pod):
    def start(self, kill_point=None, **settings):
        super().start(kill_point, **{**POD_SETTINGS, **settings})
        self.load.processes.watch(self.process)
        return self


def options_of(state, events, seed):
    """Of `weir generate`: the month has so many payments, whatever time it takes."""
    return ["--batch", str(events), "--rate", f"{state / REMEMBERED_S:.6f}", "--seed", str(seed),
            "--users", str(state // PAYMENTS_PER_USER), "--start", "2015-01-01T00:00:00Z",
            "--attack-every", "500", "--poison", "0.001", "--late", "0.02", "--duplicates", "0.01"]


def capacity(program, cluster, folder, state, seed):
    """Payments a second that the same pods take from a topic in which they wait, when the state is full."""
    folder.mkdir()
    feed = Feed(program, cluster, folder, "capacity")
    feed.processes = Processes()
    feed.generate(options_of(state, state + MEASURED, seed))
    pods = [SoakPod(feed, number, folder) for number in range(PODS)]
    try:
        for pod in pods:
            pod.start()
        left = wait_until(lambda: (lag := feed.lag()) <= MEASURED and lag, FILL_S, "a full state")
        began = time.monotonic()
        wait_until(lambda: feed.lag() == 0, FILL_S, "the last payment")
        measured = left / (time.monotonic() - began)
        assert [pod.process.stop(120) for pod in pods] == [0] * PODS
    finally:
        for pod in pods:
            pod.kill()
    for topic in cluster.topics():
        if topic.startswith("capacity-"):
            cluster.delete_topic(topic)
    return measured


class Soak:
    def __init__(self, cluster, feed, folder, seconds, seed):
        self.cluster, self.feed, self.seconds = cluster, feed, seconds
        self.random = random.Random(seed)
        self.outages = Outages()
        self.bag = []
        self.is_drained = False
        self.offsets_put_back = 0
        self.counts, self.findings, self.kills, self.disturbances = Counter(), [], 0, []
        feed.processes = self.processes = Processes()
        self.pods = [SoakPod(feed, number, folder, outages=self.outages) for number in range(PODS)]
        self.places = Places(cluster, feed.topology, [pod.state for pod in self.pods], feed.weir.lag)

    # ---- faults ----

    def next_fault(self):
        if not self.bag:
            self.bag = [name for name, count in BAG.items() for _ in range(count)]
            self.random.shuffle(self.bag)
        return self.bag.pop()

    def disturb(self):
        name, began = self.next_fault(), self.places.now()
        pod = self.random.choice(self.pods)
        print(f"{began:6.0f} s: {name}, pod {pod.name}", flush=True)
        if name == "the broker":
            self.attempt(name, pod, lambda *_: self.restart_the_broker())
        else:
            self.counts[name] += 1
            self.attempt(name, pod, FAULTS[name][1])
        self.disturbances.append((began, self.places.now()))

    def attempt(self, name, pod, fault):
        try:
            self.kills += fault(pod, self.random)
        except Stuck as stuck:
            if not (coordinator.is_suspected(pod.log()) and self.put_offsets_back()):
                self.found(pod, name, str(stuck))
                pod.kill()
                pod.start()

    def put_offsets_back(self):
        """What weir says to do, if the broker is to blame: as in a campaign."""
        for pod in self.pods:
            self.kills += pod.kill()
        is_brokers_fault = coordinator.has_lost_offsets(self.feed.weir)
        if is_brokers_fault:
            print("the coordinator lost offsets: `weir recover`", flush=True)
            self.offsets_put_back += 1
            self.recover()
        for pod in self.pods:
            pod.start()
        return is_brokers_fault

    def recover(self):
        try:
            coordinator.put_offsets_back(self.feed.weir)
        except TimeoutError as error:
            self.findings.append(str(error))

    def restart_the_broker(self):
        self.counts[restart_the_only_one(self.cluster.kafka, self.random, self.outages)] += 1
        for pod in self.pods:
            goes_on(pod)
        return 0

    def look_after(self):
        """Whom nothing is done to goes on, or ended because the broker was away."""
        for pod in self.pods:
            if not pod.process.running():
                self.attempt("nothing", pod, lambda pod, _: pod.start_again() or 0)

    def found(self, pod, name, what):
        self.findings.append(f"{name}, pod {pod.name}: {what}")
        print(f"FINDING {self.findings[-1]}\n{pod.log()[-6000:]}", flush=True)

    # ---- the run ----

    def run(self, rate):
        self.processes.start()
        self.places.start()
        try:
            for pod in self.pods:
                pod.start()
            self.feed.start(rate)
            self.go_on()
            self.feed.stop()
            self.end()
        finally:
            for each in (self.feed, self.processes, self.places):
                each.over.set()
            for pod in self.pods:
                self.kills += pod.kill()

    def go_on(self):
        cycle = self.seconds / CYCLES
        next_s = self.random.uniform(*FAULT_EVERY_S)
        while (now := self.places.now()) < self.seconds:
            if self.feed.failure:
                return
            if now >= next_s:
                next_s = now + self.random.uniform(*FAULT_EVERY_S)
                if now % cycle < STORMY * cycle:
                    self.disturb()
            self.look_after()
            time.sleep(0.5)
        self.processes.stop()
        self.places.stop()

    def end(self):
        def drained():
            self.look_after()
            return self.feed.lag() == 0

        try:
            wait_until(drained, DRAIN_S, "the end of the input", pause_s=0.5)
            self.is_drained = True
        except TimeoutError as error:
            self.findings.append(f"{error}; {self.feed.lag()} payments are left")
        codes = [pod.process.stop(120) for pod in self.pods]
        if any(codes):
            self.findings.append(f"ended with {codes} after SIGTERM")

    def figures(self):
        pods = self.pods
        return {
            "faults": dict(self.counts), "kills": self.kills,
            "killed_at": dict(sum((pod.reached for pod in pods), Counter())),
            "failed_at": dict(sum((pod.failed for pod in pods), Counter())),
            "frozen_at": dict(sum((pod.stopped for pod in pods), Counter())),
            "coordinator_lost_offsets": self.offsets_put_back,
            "ended_after_a_freeze": sum(pod.ended_after_freeze for pod in pods),
            "ended_while_the_broker_was_away": sum(pod.ended_in_outage for pod in pods),
            "ended_by_an_assertion_of_the_client": sum(pod.ended_by_client for pod in pods),
        }


def judge(feed):
    """The oracle's figures, and what it found."""
    try:
        began = time.monotonic()
        judged = feed.judge(os.cpu_count())
        return {**judged, "lost": 0, "duplicated": 0, "different": 0,
                "oracle_seconds": round(time.monotonic() - began)}, []
    except AssertionError as error:
        return {"lost": None, "duplicated": None}, [f"the oracle: {error}"]


def run(options, folder):
    seconds = options.minutes * 60
    program = ROOT / "build/chaos/weir"
    with Cluster(folder / "cluster", settings=KAFKA_SETTINGS) as cluster:
        state = int(min(STATE_MAX, STATE_A_MINUTE * options.minutes))
        can = capacity(program, cluster, folder / "capacity", state, options.seed)
        most = ORACLE_EVENTS_MAX / seconds
        rate = min(LOAD * can, most)
        print(f"{can:.0f} payments a second, load {rate:.0f}", flush=True)
        assert state / rate <= seconds / 3, "the state is not full in the first third"
        feed = Feed(program, cluster, folder, "soak")
        # Some more than is sent: a load that ends sooner would be no load.
        generated = options_of(state, int(rate * seconds * 1.02) + 1000, options.seed)
        feed.prepare(generated)
        soak = Soak(cluster, feed, folder, seconds, options.seed)
        soak.run(rate)
        print("the oracle", flush=True)
        measured = Verdict(soak.processes.lives, soak.places.samples, soak.disturbances, seconds, MEMORY)
        measured.keep(ROOT / "build/results/soak/samples.json")
        outcome, differences = judge(feed) if soak.is_drained else ({"lost": None, "duplicated": None}, [])
        findings = [*soak.findings, *measured.findings, *differences]
        figures = {
            "seed": options.seed, "minutes": options.minutes, "kafka": kafka_version(), "pods": PODS, "workers_each": 1,
            "partitions": PARTITIONS, "broker_settings": KAFKA_SETTINGS, "settings": POD_SETTINGS,
            "capacity_per_s": round(can), "load_per_s": round(rate), "load_of_capacity": round(rate / can, 2),
            "load_is_what_the_oracle_takes": rate == most, "generated_with": generated,
            "remembered_payments": state, "remembered_time_passes_in_s": round(state / rate), "sent": feed.sent,
            "judged": "every payment, every field of every alert",
            **soak.figures(), **outcome, **measured.figures(), "findings": findings,
        }
    return figures


def main():
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    clusters.START_TIMEOUT_S = BROKER_START_S
    with tempfile.TemporaryDirectory(prefix="weir-soak-") as folder:
        figures = run(options, pathlib.Path(folder))
    leave_evidence("soak", f"./dev soak {' '.join(sys.argv[1:])}".strip(), **figures)
    print(json.dumps(figures, indent=4))
    for each in figures["findings"]:
        print(f"FOUND {each}")
    sys.exit(1 if figures["findings"] else 0)


if __name__ == "__main__":
    main()
