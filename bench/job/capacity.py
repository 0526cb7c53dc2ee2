"""What `weir plan --load` says of drains that were not used to measure its constants, and what they really took.

    capacity.py [--runs N] [--events N] [--evidence]

Every cell drains the job as drain.py does, without the rival and only if its alerts are the oracle's, and then asks
`weir plan` about the same topology, keys, settings and the rate that was measured.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench"), str(ROOT / "bench/job")]

import process  # noqa: E402
from cluster import Cluster  # noqa: E402
from drain import BROKER_CORE, BUILD, FIGURES, Weir, World, three  # noqa: E402
from evidence import leave_evidence  # noqa: E402

HOURS, PERCENT = 26, 100
DEFAULT, LITTLE, MUCH = "512MB", "256MB", "1GB"
# Users, distribution, all columns and dedupe, memory.
CELLS = [
    (100_000, "mandelbrot", False, DEFAULT), (30_000, "uniform", False, MUCH), (300_000, "uniform", False, LITTLE),
    (500_000, "uniform", False, MUCH), (300_000, "uniform", True, MUCH),
]
JOB_TEXT_BYTES, JOB_ALL_TEXT_BYTES = 2, 7.5  # a country; all texts, on average


def estimate(subject, given, memory, events_per_s, alert_share):
    """Of `weir plan`, for what was measured."""
    command = subject.arguments("plan", "--load", f"{events_per_s:.0f}/s", "--average", f"{given.events / HOURS / 3600:.3f}/s",
                                "--keys", str(given.users), "--pods", "1", "--alerts", f"{PERCENT * alert_share:.6f}",
                                "--text-bytes", str(JOB_ALL_TEXT_BYTES if given.remember_all else JOB_TEXT_BYTES), "--json")
    told = subprocess.run(command, env={**os.environ, **subject.environment, "WEIR_MEMORY": memory}, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    return json.loads(told)


def measure(users, distribution, remember_all, memory, options):
    given = argparse.Namespace(events=options.events, users=users, distribution=distribution, seed=1,
                               step_ms=HOURS * 3_600_000 / options.events, commit_ms=100, remember_all=remember_all,
                               set={"WEIR_MEMORY": memory})
    with tempfile.TemporaryDirectory(prefix="weir-capacity-") as folder, Cluster() as cluster:
        process.pin(cluster.kafka.process.pid, BROKER_CORE)
        world = World(cluster, pathlib.Path(folder), given)
        subjects = [Weir(world, number) for number in range(options.runs)]
        runs = [world.drain(subject) for subject in subjects]
        found = {figure: three(runs, figure) for figure in (*FIGURES, "disk_mb")}
        # A drain is behind: alerts wait for the interval between commits.
        told = estimate(subjects[0], given, memory, found["events_per_s"][0], 1e-8)
    of_topics = {topic: size for topic, size in runs[-1]["bytes_per_event"].items() if topic in ("tail", "changelog")}
    return {
        "users": users, "distribution": distribution, "remember_all": remember_all, "memory": memory, **found,
        "bytes_per_event": of_topics, "estimated": told,
        "ratio": {"processors": told["event_ns"] / 1000 / found["cpu_s_per_million"][0],
                  "tail": told["tail_bytes_per_event"] / of_topics["tail"],
                  "changelog": told["changelog_bytes_per_event"] / of_topics["changelog"],
                  "disk": told["disk_bytes_per_pod"] / 1e6 / found["disk_mb"][0]},
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--events", type=int, default=4_000_000)
    arguments.add_argument("--evidence", action="store_true", help="leave docs/evidence/capacity.json")
    options = arguments.parse_args()
    cells = []
    for each in CELLS:
        cells.append(measure(*each, options))
        print(json.dumps(cells[-1]), flush=True)
    for each in cells:
        print(f"{each['users']:>9,} {each['distribution']:10} {'all columns' if each['remember_all'] else '':11} {each['memory']:>6}: "
              + ", ".join(f"{name} x {ratio:.2f}" for name, ratio in each["ratio"].items()))
    if options.evidence:
        leave_evidence("capacity", f"./dev bench capacity {' '.join(sys.argv[1:])}".strip(), runs=options.runs,
                       events=options.events, cells=cells)


if __name__ == "__main__":
    main()
