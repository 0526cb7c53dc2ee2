"""Measures `weir run` against a real broker, and `weir backtest`; `./dev bench` calls it.

    run.py [--events N] [--runs N] [--quick]     measure, leave docs/evidence/bench.json

The input lies in Kafka before weir starts: it drains it as fast as it can, on one core, with one
worker; the broker has the other cores. Every run reads the same records under another name, so with
empty state. The number of alerts must be the same in every run and in the backtest of the export.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench")]

import handbook_csv  # noqa: E402
import process  # noqa: E402
import report  # noqa: E402
from cluster import Cluster  # noqa: E402
from log_growth import LogGrowth  # noqa: E402
from weir import Topology, Weir  # noqa: E402

TOPOLOGY = "card-fraud-local.yaml"
PARTITIONS = 4
WEIR_CORE, BROKER_CORE = 0, 1
DRAIN_TIMEOUT_S = 1800
INTERNAL = ("__consumer_offsets", "__transaction_state")


def drain(cluster, program, folder, prefix, number):
    """One `weir run` from the beginning to the end of the input."""
    topology = Topology(folder, TOPOLOGY, prefix, name=f"{prefix}-run{number}")
    weir = Weir(program, cluster, topology, folder, WEIR_WORKERS="1")
    weir.create_topics(PARTITIONS)
    events = sum(cluster.end_offsets(topology.transactions).values())
    growth = LogGrowth(cluster.kafka.folder / "data",
                       lambda topic: topic.startswith(topology.name) or topic in INTERNAL)
    broker = cluster.kafka.process.pid
    broker_before, started = process.cpu_seconds(broker), time.monotonic()
    running = weir.start(folder / f"state{number}", wait=False, WEIR_WORKERS="1")
    process.pin(running.pid, WEIR_CORE)
    try:
        while weir.lag() > 0:
            if not running.running() or time.monotonic() - started > DRAIN_TIMEOUT_S:
                raise RuntimeError(running.output()[-4000:])
            growth.look()
            time.sleep(0.25)
        figures = {
            "events": events,
            "seconds": time.monotonic() - started,
            "cpu_s": process.cpu_seconds(running.pid),
            "broker_cpu_s": process.cpu_seconds(broker) - broker_before,
            "peak_bytes": process.peak_bytes(running.pid),
            "log_bytes": {topic.replace(topology.name + "-", ""): size
                          for topic, size in growth.bytes_by_topic().items()},
        }
    finally:
        running.stop()
    figures["alerts"] = sum(1 for _ in cluster.each_message(topology.alerts, timeout_s=300))
    return figures


def backtest(program, topology, files, cwd, *options):
    """One `weir backtest`; its own account, and what the kernel says of its memory."""
    command = ["taskset", "-c", str(WEIR_CORE), program, "backtest", topology, "--json", *options]
    for file in files:
        command += ["--input", file]
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen([str(each) for each in command], stdout=out, cwd=cwd,
                                 stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise RuntimeError(f"{command}: {child.returncode}")
        out.seek(0)
        account = json.load(out)
    return {
        "events": account["records"],
        "seconds": account["elapsed_us"] / 1e6,
        "cpu_s": account["cpu_us"] / 1e6,
        "peak_bytes": usage.ru_maxrss * 1024,
        "alerts": sum(rule["alerts"] for rule in account["rules"].values()),
    }


def measure_kafka(program, given, folder):
    with Cluster() as cluster:
        process.pin(cluster.kafka.process.pid, BROKER_CORE)
        prefix = f"b{uuid.uuid4().hex[:6]}"
        topology = Topology(folder, TOPOLOGY, prefix)
        weir = Weir(program, cluster, topology, folder)
        weir.create_topics(PARTITIONS)
        weir.command("generate", "--batch", str(given.events), "--users", str(given.users),
                     timeout_s=DRAIN_TIMEOUT_S)
        runs = []
        for number in range(given.runs):
            runs.append(drain(cluster, program, folder, prefix, number))
            print(json.dumps({"drain": runs[-1]}), file=sys.stderr)
        export = folder / "export.avro"
        weir.command("export", "--output", str(export), timeout_s=DRAIN_TIMEOUT_S)
    registry = ["--registry", f"{export}.schemas", "--schemas", ROOT / "schemas"]
    backtests = [backtest(program, topology.path, [export], folder, *registry)
                 for _ in range(given.runs)]
    return runs, backtests


def measure_handbook(program, given, folder):
    file = folder / "handbook.csv.gz"
    handbook_csv.write(file, given.events)
    return [backtest(program, ROOT / "topologies/handbook.yaml", [file], folder)
            for _ in range(given.runs)]


def check_alerts(*groups):
    counts = {figures["alerts"] for group in groups for figures in group}
    if len(counts) != 1:
        raise RuntimeError(f"runs of the same records gave different numbers of alerts: {sorted(counts)}")


def summary(runs):
    """[median, least, most] of what is counted per event or second."""
    def of(value):
        values = [value(each) for each in runs]
        return [statistics.median(values), min(values), max(values)]

    figures = {
        "records_per_s": of(lambda each: each["events"] / each["seconds"]),
        "records_per_cpu_s": of(lambda each: each["events"] / each["cpu_s"]),
        "cpu_s_per_million": of(lambda each: each["cpu_s"] * 1e6 / each["events"]),
        "peak_mb": of(lambda each: each["peak_bytes"] / 1e6),
    }
    if "broker_cpu_s" in runs[0]:
        figures["broker_cpu_s_per_million"] = of(
            lambda each: each["broker_cpu_s"] * 1e6 / each["events"])
        figures["log_bytes_per_event"] = of(
            lambda each: sum(each["log_bytes"].values()) / each["events"])
    return figures


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--users", type=int, default=100000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="50,000 events, once; no evidence is left")
    parser.add_argument("--weir", default=ROOT / "build/release/weir", type=pathlib.Path)
    given = parser.parse_args()
    if given.quick:
        given.events, given.users, given.runs = 50000, 5000, 1
    return given


def main():
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as temporary:
        folder = pathlib.Path(temporary)
        before = process.calibration()
        runs, backtests = measure_kafka(given.weir.resolve(), given, folder)
        handbook = measure_handbook(given.weir.resolve(), given, folder)
        after = process.calibration()
    check_alerts(runs, backtests)
    check_alerts(handbook)
    groups = {"drain": runs, "backtest_export": backtests, "backtest_csv": handbook}
    figures = {
        "topology": TOPOLOGY, "events": given.events, "users": given.users, "partitions": PARTITIONS,
        "calibration": [before, after],
        "summary": {name: summary(group) for name, group in groups.items()}, "runs": groups,
    }
    if given.quick:
        print(report.table(figures))
        return
    report.leave_evidence(figures, given.weir)
    print(f"docs/evidence/{report.NAME}.json; docs/performance.md: tests/architecture/documents.py --write")


if __name__ == "__main__":
    main()
