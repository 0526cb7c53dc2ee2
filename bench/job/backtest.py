"""Runs the job's input, exported from Kafka, through `weir backtest` on one core.

    backtest.py [--events N] [--users N] [--distribution uniform|mandelbrot|zipf] [--runs N] [--keep DIR] [--json FILE]

The correctness gate comes first: the alerts must be exactly the oracle's. Then each run is timed without writing
alerts, and a run over a tenth of the input is taken off, so that starting does not count.
"""

import json
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench"), str(ROOT / "bench/job")]

import process  # noqa: E402
from cluster import Cluster  # noqa: E402
from drain import BROKER_CORE, BUILD, CORE, Weir, World, job_parser, prepare, spread, three  # noqa: E402
from evidence import leave_evidence  # noqa: E402

EXPORT = "export.avro"


def export(folder, given, events):
    """(the folder with the topology and its export, the expected alerts)"""
    given.events, given.step_ms = events, given.hours * 3_600_000 / events
    with Cluster() as cluster:
        process.pin(cluster.kafka.process.pid, BROKER_CORE)
        world = World(cluster, folder, given)
        subject = Weir(world, 0)
        subject.command("export", "--output", str(subject.folder / EXPORT))
        return subject.folder, world.expected


def backtest(folder, *options):
    """(seconds, processor seconds)"""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["taskset", "-c", str(CORE), BUILD / "weir", "backtest", folder / "job.yaml", "--schemas", ROOT / "schemas",
                    "--registry", folder / f"{EXPORT}.schemas", "--input", folder / EXPORT, *options],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.monotonic() - started,
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def judge(folder, expected):
    alerts = folder / "alerts.jsonl"
    backtest(folder, "--alerts", alerts)
    found = sorted(f"R{each['rule'][1:]} {each['event_id']}"
                   for each in map(json.loads, alerts.read_text().splitlines()))
    if found != expected:
        missing, extra = set(expected) - set(found), set(found) - set(expected)
        raise RuntimeError(f"{len(expected)} alerts expected, {len(found)} found; missing {sorted(missing)[:3]}, "
                           f"extra {sorted(extra)[:3]}")


def main():
    parser = job_parser(__doc__.splitlines()[0], users=100_000, hours=26, runs=5, events=1_000_000, only="weir")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the topology and its export, kept")
    given, _ = prepare(parser)
    events, runs = given.events, []
    with tempfile.TemporaryDirectory(prefix="weir-job-") as name:
        folders = {}
        for label, count in (("short", events // 10), ("long", events)):
            place = pathlib.Path(name) / label
            place.mkdir()
            folders[label], expected = export(place, given, count)
        judge(folders["long"], expected)
        for _ in range(given.runs):
            short, long = backtest(folders["short"]), backtest(folders["long"])
            count = events - events // 10
            runs.append({"events_per_s": count / (long[0] - short[0]),
                         "cpu_s_per_million": (long[1] - short[1]) * 1e6 / count})
            print(json.dumps(runs[-1]), flush=True)
        if given.keep:
            shutil.copytree(folders["long"], given.keep, dirs_exist_ok=True)
    for figure in ("events_per_s", "cpu_s_per_million"):
        print(f"backtest {figure:20} {'%.2f [%.2f-%.2f]' % spread(runs, figure)}")
    if given.evidence:
        leave_evidence("backtest", f"./dev bench backtest {' '.join(sys.argv[1:])}".strip(), events=events, users=given.users,
                       distribution=given.distribution, runs=given.runs,
                       medians={figure: three(runs, figure) for figure in ("events_per_s", "cpu_s_per_million")})
    if given.json:
        given.json.write_text(json.dumps({"events": events, "users": given.users, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
