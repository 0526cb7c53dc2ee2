"""A load that lasts for an hour: generated before, into a topic of its own, then passed on at a steady rate
whatever the pods do. Nothing is held in memory, and the oracle judges it a partition at a time."""

import copy
import heapq
import math
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

import verdict
from cluster import Cluster
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from oracle.inputs import Record
from oracle.processor import Judgement
from sender import SILENT, Sender
from traffic import now_ms
from weir import Topology, Weir
from world import LOOK_S, PARTITIONS

AT_ONCE = 500
READ_S = 3600
FILE = "card-fraud-local.yaml"


class Feed:
    """The topics of a topology: tables that are complete, payments that come as `start` says."""

    def __init__(self, program, cluster, folder, name):
        self.cluster = cluster
        self.started_ms = now_ms()
        self.topology = Topology(folder, FILE, name)
        self.weir = Weir(program, cluster, self.topology, folder)
        self.weir.create_topics(PARTITIONS)
        self.sent = 0
        self.over = threading.Event()
        self.thread = None
        self.failure = None

    def generate(self, options):
        """Straight into the topic that is read."""
        self.weir.command("generate", *options, timeout_s=READ_S)

    def prepare(self, options):
        """Tables as they are to be, payments into a topic where they wait."""
        name = self.topology.name
        self.waiting = f"{name}-waiting-transactions"
        waiting = Topology(self.weir.folder, FILE, name, f"{name}-waiting",
                           lambda text: text.replace(f"topic: {name}-transactions", f"topic: {self.waiting}"))
        source = Weir(self.weir.program, self.cluster, waiting, self.weir.folder)
        source.create_topics(PARTITIONS)
        source.command("generate", *options, timeout_s=READ_S)

    def lag(self):
        """Payments that are not done; infinite while the broker has no answer."""
        try:
            return self.weir.lag()
        except KafkaException:
            return math.inf

    # ---- the load ----

    def start(self, rate):
        self.thread = threading.Thread(target=self.run, args=(rate,), name="feed", daemon=True)
        self.thread.start()

    def stop(self):
        self.over.set()
        if self.thread is not None:
            self.thread.join()
        if self.failure:
            raise RuntimeError("the load ended") from self.failure

    def run(self, rate):
        try:
            self.pass_on(rate)
        except Exception as failure:  # said where stop() is called
            self.failure = failure

    def pass_on(self, rate):
        """An open loop: what could not be sent while the broker was away is due when it is back."""
        sender = Sender(self.cluster, self.topology.transactions)
        ends = self.cluster.end_offsets(self.waiting)
        records = heapq.merge(*(self.read(partition, end) for partition, end in ends.items()),
                              key=lambda message: message.timestamp()[1])
        began = time.monotonic()
        while not self.over.is_set():
            due = int((time.monotonic() - began) * rate)
            for message in islice(records, min(due - self.sent, AT_ONCE)):
                sender.send({"value": message.value(), "key": message.key(), "partition": message.partition(),
                             "timestamp": message.timestamp()[1]})
                self.sent += 1
            sender.tend(0)
            if due - self.sent < AT_ONCE:
                self.over.wait(LOOK_S)
        if sender.flush(600):
            raise RuntimeError("payments were not acknowledged")

    def read(self, partition, end):
        """What waits in a partition, also when the broker is away for a while."""
        consumer = Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": "weir-soak-feed",
                             "enable.auto.commit": False, "auto.offset.reset": "error",
                             "reconnect.backoff.max.ms": 500, "queued.max.messages.kbytes": 2048}, logger=SILENT)
        try:
            consumer.assign([TopicPartition(self.waiting, partition, 0)])
            position = 0
            while position < end and not self.over.is_set():
                for message in consumer.consume(AT_ONCE, 0.2):
                    if message.error() is None:
                        assert message.offset() == position, f"{position} of {partition} is gone"
                        position += 1
                        yield message
                    elif message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                        raise RuntimeError(str(message.error()))
        finally:
            consumer.close()

    # ---- the judgement ----

    def judge(self, processes):
        """Asserts that what came out is, for every user and every field, what the oracle makes of what went in."""
        counts = self.cluster.end_offsets(self.topology.transactions)
        registry = copy.copy(self.cluster.registry)
        registry.process = None
        place = (self.cluster.bootstrap, registry, self.topology, (self.started_ms, now_ms()))
        total = Judgement([], [], Counter())
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for part in pool.map(judge_partition, [(place, len(counts), each) for each in counts]):
                total.alerts.extend(part.alerts)
                total.dead_letters.extend(part.dead_letters)
                total.counts.update(part.counts)
        verdict.check(self.cluster, self.topology, total)
        verdict.check_journal(self.cluster, self.topology, [range(counts[each]) for each in sorted(counts)])
        return {"records": sum(counts.values()), "alerts": len(total.alerts),
                "alerts_per_rule": dict(verdict.rules_of(total)),
                "dead_letters": len(total.dead_letters), **total.counts}


class RunningElsewhere(Cluster):
    """The cluster that another process started."""

    bootstrap = None

    def __init__(self, bootstrap, registry):
        self.bootstrap, self.registry = bootstrap, registry
        self.asking_clients, self.partition_counts = {}, {}


def judge_partition(task):
    (bootstrap, registry, topology, clock_ms), count, number = task
    cluster = RunningElsewhere(bootstrap, registry)
    records = (Record(number, message.offset(), message.timestamp()[1], message.key(), message.value())
               for message in cluster.each_message(topology.transactions, timeout_s=READ_S, partition=number))
    return verdict.expected(cluster, topology, clock_ms,
                            [records if each == number else () for each in range(count)])
