"""Writes what the processes are to read, whatever the brokers do."""

import logging
import time

STALLED_S = 20
# Clients say much of brokers that are away, which is what they are.
SILENT = logging.getLogger("weir.chaos.clients")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class Sender:
    """An idempotent producer, and another one when it has stopped: after a broker was killed librdkafka 2.16 now and then
    sends nothing any more, and all wait for a load that does not come. What is sent again may lie in the topic twice."""

    def __init__(self, cluster, topic):
        self.cluster, self.topic = cluster, topic
        self.sent = 0
        self.waiting = {}  # number -> record, not acknowledged yet
        self.moved_at = time.monotonic()
        self.open()

    def open(self):
        self.producer = self.cluster.producer(message_timeout_ms=600_000, reconnect_backoff_max_ms=500,
                                              enable_idempotence=True, logger=SILENT)

    def send(self, record):
        """A record is a dict of Producer.produce's arguments."""
        self.waiting[self.sent] = record
        self.give(self.sent)
        self.sent += 1

    def give(self, number):
        self.producer.produce(self.topic, **self.waiting[number],
                              on_delivery=lambda error, _: self.answered(number, error))

    def answered(self, number, error):
        if error is None:
            self.waiting.pop(number, None)
            self.moved_at = time.monotonic()

    def tend(self, wait_s):
        self.producer.poll(wait_s)
        if not self.waiting:
            self.moved_at = time.monotonic()
        elif time.monotonic() - self.moved_at > STALLED_S:
            self.replace()

    def replace(self):
        print(f"{self.topic}: {len(self.waiting)} records were not acknowledged for {STALLED_S} s; another producer sends"
              " them", flush=True)
        self.producer.purge()
        self.producer.poll(0)
        self.open()
        for number in sorted(self.waiting):
            self.give(number)
        self.moved_at = time.monotonic()

    def flush(self, timeout_s):
        """How many are still not acknowledged."""
        deadline = time.monotonic() + timeout_s
        while self.waiting and time.monotonic() < deadline:
            self.tend(0.1)
        return len(self.waiting)
