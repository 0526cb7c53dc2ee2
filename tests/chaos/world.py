"""What a round plays with: a load that comes in little by little, and the processes ("pods") that
share it."""

import pathlib
import shutil
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

import verdict
from cluster import wait_until
from confluent_kafka import KafkaException
from sender import Sender
from traffic import Traffic, now_ms
from weir import Topology, Weir, metrics

PARTITIONS = 6
WORKERS = 2
SESSION_S = 4
TRANSACTION_S = 5
# Of the brokers: what is left open is ended soon after its time, not up to ten seconds later.
BROKER_SETTINGS = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "group.min.session.timeout.ms": 1000,
}
POD_SETTINGS = {
    "WEIR_WORKERS": str(WORKERS),
    "WEIR_SESSION_TIMEOUT": f"{SESSION_S}s",
    "WEIR_KAFKA_TRANSACTION_TIMEOUT_MS": str(TRANSACTION_S * 1000),
    "WEIR_COMMIT_INTERVAL": "50ms",
    "WEIR_CHECKPOINT_INTERVAL": "1s",
    "WEIR_MEMORY": "256MB",
}
TRAFFIC_OPTIONS = ["--users", "3000", "--attack-every", "60", "--poison", "0.003", "--late", "0.02",
                   "--duplicates", "0.01", "--start", "2026-01-31T12:00:00Z"]
LOOK_S = 0.02
ASK_S = 2
BEHIND_MAX = 4000
# Compiled by one compiler: a broker that is killed every minute never gets to where two pay off.
JVM = ("-XX:TieredStopAtLevel=1",)
# In memory, where there is such a place: a process that is killed loses nothing that it has written,
# to whatever, and starts sooner. What a machine loses with its power is not tried here.
MEMORY = pathlib.Path("/dev/shm")


def fast_folder():
    return tempfile.TemporaryDirectory(prefix="weir-chaos-", dir=MEMORY if MEMORY.is_dir() else None)


class Load:
    """Payments with attacks, poison, duplicates and late events, copied from a topic that is written
    at once into the one that is read, at a rate. Table rows are all there before the first payment:
    a stream and its tables are merged as far as they have arrived, and the oracle must know how."""

    def __init__(self, program, cluster, folder, name, events, seed, rate):
        self.cluster = cluster
        self.rate = rate
        self.started_ms = now_ms()
        source = Traffic(program, cluster, folder, f"{name}-source",
                         [*TRAFFIC_OPTIONS, "--batch", str(events), "--seed", str(seed)], PARTITIONS)
        source = source.processor("input").topology
        self.topology = Topology(folder, "card-fraud-local.yaml", name)
        self.weir = Weir(program, cluster, self.topology, folder)
        self.weir.create_topics(PARTITIONS)
        self.payments = self.read(source.transactions)
        self.copy_table(source.blocked, self.topology.blocked)
        self.copy_table(source.profiles, self.topology.profiles)
        for topic in (source.transactions, source.profiles, source.blocked):
            cluster.delete_topic(topic)
        self.sent = 0
        self.asked_s, self.behind = 0, False
        self.over = threading.Event()
        self.thread = None

    def read(self, topic):
        """In the order of time, as far as a topic with partitions has one."""
        messages = list(self.cluster.each_message(topic))
        messages.sort(key=lambda message: (message.timestamp()[1], message.partition(),
                                           message.offset()))
        return [{"partition": message.partition(), "key": message.key(), "value": message.value(),
                 "timestamp": message.timestamp()[1]} for message in messages]

    def copy_table(self, source, topic):
        """Older than every payment; when a row counts from is in the row."""
        rows = self.read(source)
        first = min(payment["timestamp"] for payment in self.payments) - len(rows) - 1
        self.cluster.produce(topic, ({**row, "timestamp": first + i} for i, row in enumerate(rows)))

    def start(self, most):
        """Writes so many more payments, at most."""
        self.over.clear()
        until = min(len(self.payments), self.sent + most)
        self.thread = threading.Thread(target=self.run, args=(until,))
        self.thread.start()

    def stop(self):
        self.over.set()
        if self.thread is not None:
            self.thread.join()
        self.thread = None

    def run(self, until):
        """A broker that is away costs nothing but time: what lies in the topic is what counts."""
        sender = Sender(self.cluster, self.topology.transactions)
        due, looked = float(self.sent), time.monotonic()
        while self.sent < until and not self.over.is_set():
            now = time.monotonic()
            if not self.far_behind(now):
                due += (now - looked) * self.rate
            looked = now
            while self.sent < min(due, until):
                sender.send(self.payments[self.sent])
                self.sent += 1
            sender.tend(LOOK_S)
            self.over.wait(LOOK_S)
        sender.flush(600)

    def far_behind(self, now):
        """When nobody reads, nothing more is written: the load is to last."""
        if now - self.asked_s > ASK_S:
            self.asked_s = now
            try:
                self.behind = self.weir.lag() > BEHIND_MAX
            except KafkaException:
                self.behind = True  # the brokers are away
        return self.behind

    def left(self):
        return len(self.payments) - self.sent

    def judge(self):
        """Asserts that what came out is what the oracle makes of what went in."""
        raw = verdict.raw_records(self.cluster, self.topology.transactions)
        judgement = verdict.expected(self.cluster, self.topology, (self.started_ms, now_ms()), raw)
        verdict.check(self.cluster, self.topology, judgement)
        verdict.check_journal(self.cluster, self.topology, raw)
        return {"records": sum(map(len, raw)), "alerts": len(judgement.alerts),
                "dead_letters": len(judgement.dead_letters), **judgement.counts}


class Outages:
    """When the cluster was away: a process that ends with a sentence then is not wrong."""

    def __init__(self):
        self.last_end = float("-inf")
        self.now = False

    def __enter__(self):
        self.now = True

    def __exit__(self, *_):
        self.last_end = time.monotonic()
        self.now = False

    def any_since(self, moment):
        return self.now or self.last_end > moment


class Stuck(Exception):
    """A process that should go on does not: a finding."""


LAST_WORDS = 5  # lines
CLIENTS_ASSERTION = "rd_kafka_assignment_partition_stopped: Assertion `rktp->rktp_started' failed"


class Pod:
    """One `weir run` that is killed and started again under the same name, on the same directory."""

    def __init__(self, load, number, folder, bootstrap=None, outages=None):
        self.load = load
        self.bootstrap = bootstrap
        self.outages = outages or Outages()
        self.number = number
        self.name = f"{number:05d}"
        self.folder = pathlib.Path(folder) / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "state"
        self.weir = Weir(load.weir.program, load.cluster, load.topology, self.folder)
        if bootstrap:
            self.weir.settings["WEIR_BROKERS"] = bootstrap
        self.process = None
        self.reached, self.failed, self.stopped = Counter(), Counter(), Counter()
        self.ended_after_freeze = self.ended_in_outage = self.ended_by_client = 0

    def start(self, kill_point=None, **settings):
        assert self.process is None or not self.process.running()
        if self.process is not None:
            self.forget_log()
        settings = {**POD_SETTINGS, "WEIR_ORDINAL": self.name, "WEIR_KILL_POINT": kill_point or "", **settings}
        self.process = self.weir.start(self.state, wait=False, **settings)
        self.started_at = time.monotonic()
        return self

    def another(self, number, folder=None):
        """Another of the same load, where this one is."""
        return type(self)(self.load, number, folder or self.folder.parent, self.bootstrap, self.outages)

    def forget_log(self):
        self.process.log.unlink(missing_ok=True)

    def said(self, text):
        return text in self.process.output()

    def log(self):
        """Without what the Kafka client says of settings and of brokers that are away."""
        if self.process is None or not self.process.log.exists():
            return ""
        return "\n".join(line for line in self.process.output().splitlines()
                         if "facility=CONFWARN" not in line and "facility=FAIL" not in line)

    def why_not_ready(self):
        """What the probe answers, also when it is no."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.process.port}/readyz", timeout=5) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def wait_for_log(self, text, timeout_s):
        wait_until(lambda: self.said(text), timeout_s, f"pod {self.name} to say '{text}'")

    def done(self):
        """(commits, records) of this process so far."""
        seen = metrics(self.process)
        return (sum(value for name, value in seen.items() if name.startswith("weir_commits_total")),
                sum(value for name, value in seen.items() if name.startswith("weir_records_total")))

    def wait_for_progress(self, timeout_s):
        """Commits with records in them, more than it has done now."""
        commits, records = self.done()

        def moved():
            nonlocal commits, records
            if not self.process.running():
                self.start_again()
                commits = records = 0
            if self.is_stopped():  # on a busy machine it comes to its kill point after it was waited for
                self.process.resume()
            now = self.done()
            return now[0] > commits + 1 and now[1] > records

        since = time.monotonic()
        while not moved():
            if time.monotonic() - max(since, self.outages.last_end) > timeout_s and not self.outages.now:
                raise Stuck(f"pod {self.name} did not commit within {timeout_s} s")
            time.sleep(LOOK_S)

    def start_again(self):
        """What Kubernetes does with a process that ended because its brokers were away, or that its client ended."""
        in_outage = self.process.popen.returncode > 0 and self.outages.any_since(self.started_at)
        if not in_outage and not self.ended_by_assertion():
            raise self.ended("instead of going on")
        self.ended_in_outage += in_outage
        time.sleep(0.5)
        self.start()

    def ended(self, when):
        """To be raised: how it ended, and its last words, as it may not be the one whose log a finding keeps."""
        words = self.process.output().splitlines()[-LAST_WORDS:]
        return Stuck("\n".join([f"ended with {self.process.popen.returncode} {when}", *words]))

    def wait_for_death(self, timeout_s, or_stop=False):
        """True when it died (or, if wanted, stopped itself) in time."""
        deadline = time.monotonic() + timeout_s
        while self.process.running() and not (or_stop and self.is_stopped()):
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
        return True

    def is_stopped(self):
        try:
            text = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return False
        return text.rsplit(")", 1)[1].split()[0] == "T"

    def kill(self):
        if self.process is not None and self.process.running():
            self.process.kill()
            return True
        return False

    def ended_by_assertion(self):
        """Fenced, the client gives its partitions up by itself; when they had just been assigned anew it stops some of them
        twice and ends the process (librdkafka issue 5573, mended after 2.15)."""
        log = self.process.output()
        found = self.process.popen.returncode == -signal.SIGABRT and \
            any(CLIENTS_ASSERTION in line for line in log.splitlines()[-LAST_WORDS:]) and \
            "Fatal consumer error: Broker: Static consumer fenced" in log
        self.ended_by_client += found
        return found

    def killed_itself(self):
        return self.process.popen.returncode == -signal.SIGKILL and self.said("kill point ")

    def lose_state(self):
        shutil.rmtree(self.state, ignore_errors=True)


class Guest:
    """A process under a name of its own that comes and goes: each time all partitions move."""

    def __init__(self, host, number):
        self.pod = host.another(number)

    def visit(self, timeout_s, stays_s, leaves_by="kill"):
        self.pod.start()
        self.pod.wait_for_progress(timeout_s)
        time.sleep(stays_s)
        if leaves_by == "kill":
            self.pod.kill()
        else:
            self.pod.process.stop()
