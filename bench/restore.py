"""Measures how long a process takes to its first alert: restored from Kafka alone, and from its local disk.

    restore.py [--events N] [--users N] [--partitions N]

On a real broker. Payments of that many users are processed once, then the process ends cleanly. It
is started again without its state directory (changelog and tail), and again with it. Prints rows
and rows a second from the program's own log, seconds to readiness, processor time, and the load
that the machine had meanwhile.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench")]

import process  # noqa: E402
from cluster import Cluster, wait_until  # noqa: E402
from weir import Topology, Weir  # noqa: E402

LINE = re.compile(r"^(\S+) \w+ event=(lane\.opened|lane\.restored) (.*)$", re.M)


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def figures(log):
    """Rows, and seconds from the first partition's opening to the last one's end."""
    opened, restored, rows, sources = [], [], 0, set()
    for when, event, rest in LINE.findall(log):
        fields = dict(part.split("=", 1) for part in rest.split() if "=" in part)
        if event == "lane.opened" and fields["kind"] == "task":
            opened.append(at(when))
        elif event == "lane.restored":
            restored.append(at(when))
            rows += int(fields["rows"])
            sources.add(fields["from"])
    seconds = max(restored) - min(opened)
    return {"from": "+".join(sorted(sources)), "partitions": len(restored), "rows": rows,
            "restore_s": round(seconds, 2), "rows_per_s": round(rows / seconds) if seconds else 0}


def measure(weir, state):
    started = time.monotonic()
    running = weir.start(state, wait=False, WEIR_WORKERS="1")
    try:
        wait_until(lambda: weir.is_ready(running), 600, "ready", pause_s=0.01)
        found = {"ready_s": round(time.monotonic() - started, 2),
                 "cpu_s": round(process.cpu_seconds(running.pid), 2), "load": os.getloadavg()[0]}
        found.update(figures(running.output()))
    finally:
        running.stop(120)
    return found


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--events", type=int, default=400_000)
    options.add_argument("--users", type=int, default=400_000)
    options.add_argument("--partitions", type=int, default=4)
    asked = options.parse_args()
    program = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build/release")) / "weir"
    with tempfile.TemporaryDirectory() as folder, Cluster() as cluster:
        folder = pathlib.Path(folder)
        topology = Topology(folder, "card-fraud-local.yaml", f"restore-{uuid.uuid4().hex[:6]}")
        weir = Weir(program, cluster, topology, folder)
        weir.create_topics(asked.partitions)
        weir.command("generate", "--batch", str(asked.events), "--users", str(asked.users),
                     "--attacks", "none", timeout_s=1800)
        state = folder / "state"
        running = weir.start(state, wait=False)
        weir.wait_for_end(running, timeout_s=1800)
        assert running.stop(120) == 0
        shutil.rmtree(state)
        for name in ("kafka", "disk"):
            time.sleep(1)
            print(name, json.dumps(measure(weir, state)), flush=True)


if __name__ == "__main__":
    main()
