"""Two processes with standbys, and what a move costs: read from their logs and from the journal."""

import json
import re
from datetime import datetime

from cluster import Process, wait_until
from weir import SCHEMAS, get

EVENT = re.compile(r"^(\S+) \w+ event=(\S+) ?(.*)$")


def events(process, name):
    """[(seconds since 1970, {key: value})] of one kind of log line."""
    found = []
    for line in process.output().splitlines():
        match = EVENT.match(line)
        if match and match[2] == name:
            at = datetime.fromisoformat(match[1].replace("Z", "+00:00")).timestamp()
            found.append((at, dict(each.split("=", 1) for each in match[3].split() if "=" in each)))
    return found


def status(process):
    text = get(process, "/status")
    return json.loads(text) if text else {"partitions": [], "standbys": []}


def tasks(process):
    return sorted(each["partition"] for each in status(process)["partitions"]
                  if each["kind"] == "task" and each["state"] == "ready")


def wait_for_standby(process, partitions, timeout_s=600):
    """Until it follows these partitions and has everything of them."""
    def follows():
        assert process.running(), process.output()[-3000:]
        return sorted(each["partition"] for each in status(process)["standbys"]
                      if each["state"] == "following" and each["behind"] == 0) == sorted(partitions)

    wait_until(follows, timeout_s, f"standbys of {partitions}", pause_s=0.1)


def pauses(cluster, topology, partitions, since_ms):
    """{partition: the longest time in ms between two transactions since then}, from the journal,
    where every transaction with events leaves a record."""
    longest = {}
    for partition in partitions:
        times = [message.timestamp()[1]
                 for message in cluster.each_message(topology.journal, partition=partition)]
        times = [each for each in times if each >= since_ms]
        longest[partition] = max((b - a for a, b in zip(times, times[1:])), default=0)
    return longest


def generate(weir, seconds, rate, seed):
    """`weir generate` in real time, beside what the test does."""
    return Process(
        [weir.program, "generate", weir.topology.path, "--rate", rate, "--seconds", seconds,
         "--seed", seed, "--no-tables", "--schemas", SCHEMAS],
        weir.folder / f"{weir.topology.name}-generate.log", cwd=weir.folder, env=weir.settings)


def wait_for_traffic(weir, before, timeout_s=120):
    """Until some of what is generated beside is done: a pause is between two transactions."""
    wait_until(lambda: weir.committed() > before + 1000, timeout_s, "payments to come in")


def takeover(process, since, partitions):
    """What the new owner's log says of the move: how its rows came, and the times in ms from the
    assignment to the last restored and the last claimed partition."""
    assigned = [at for at, _ in events(process, "worker.assigned") if at >= since]
    restored = [(at, each) for at, each in events(process, "lane.restored")
                if at >= since and int(each["partition"]) in partitions]
    return {"from": sorted({each["from"] for _, each in restored}),
            "restored": sorted(int(each["partition"]) for _, each in restored),
            "restore_ms": [int(each["ms"]) for _, each in restored],
            "assigned_to_restored_ms": round((max(at for at, _ in restored) - assigned[-1]) * 1000)
            if restored and assigned else None}

