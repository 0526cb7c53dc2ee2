"""What each part of a topology costs an event: the constants that `weir plan --load` adds up.

    costs.py [--runs N] [--events N] [--task-only] [--evidence]

A task alone (job_task, as in growth.py) runs topologies that differ in one thing, in turns: one look-back and nine of a
kind, no remembered column and five. A constant is the difference of two medians, divided by how often the thing is
there. What a live process has on top (reading, transactions, checkpoints) is what draining Kafka takes more than the
task alone, as in drain.py but without the rival: with few users for what every event takes, with many for rows that a
checkpoint writes for one event each, and in little memory for users that are read again. A commit's cost is what
1,000 events a second take more when more of them alert, as in latency.py. Bytes come out of the same runs.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench"), str(ROOT / "bench/job")]

import growth  # noqa: E402
import process  # noqa: E402
from cluster import Cluster  # noqa: E402
from drain import BROKER_CORE, FIGURES, Weir, World, three  # noqa: E402
from growth import DAY_MS, JOB, cell, put_behind  # noqa: E402
from evidence import leave_evidence  # noqa: E402

R3, R4 = 0b00100, 0b01000
USERS, PER_USER = 10_000, 20
DAY = dict(users=USERS, step_ms=DAY_MS / (PER_USER * USERS), warm=300_000, events=200_000, rules=R3 | R4)
TEXTS, TEXT_SIZE, NUMBERS = 4, 6.25, 2  # remembered ones: user, merchant and device have 8, 7 and 8 bytes, a country 2
RULES, EXPRESSIONS = 20, 10
SPANS = ["5m", "10m", "1h", "2h", "6h", "12h", "18h", "24h"]
KINDS = {
    "count": "count(over {})", "sum": "sum(amount_cents over {})", "extreme": "max(amount_cents over {})",
    "distinct": "distinct(country over {})", "pick": "last(country over {})", "condition": "count(where amount_cents > 100000 over {})",
    "group": "count(over {} by user_id, country)",
}


def bare():
    """Two rules about the event alone: nothing is remembered."""
    text = JOB[:JOB.index("features:")] + JOB[JOB.index("rules:"):]
    for rule in ("r1", "r2", "r5"):
        begin = text.index(f"  {rule}:")
        end = min(at for at in (text.find("\n  r", begin + 1), text.find("\noutputs:", begin)) if at > 0)
        text = text[:begin] + text[end + 1:]
    return text


def remembering(columns=None, features=("n: count(over 24h)",), dedupe=False):
    """The same, and what each user did in a day."""
    text = bare().replace("\nrules:\n", "\nfeatures:\n" + "".join(f"  {feature}\n" for feature in features) + "\nrules:\n")
    more = ("    dedupe: 24h\n" if dedupe else "") + (f"    remember: {{ for: 24h, columns: {columns} }}\n" if columns else "")
    return text.replace("    late_events: own_time\n", f"    late_events: own_time\n{more}")


def look_backs(kind):
    return remembering(features=["n: count(over 24h)", *(f"x_{i}: {kind.format(span)}" for i, span in enumerate(SPANS))])


def expressions(count):
    features = ["n: count(over 24h)", *(f"x_{i}: amount_cents * {i + 2} - n" for i in range(count))]
    return put_behind(remembering(features=features), "rules",
                      [f"x_{i}: {{ when: \"x_{i} < -1000000 - n\", severity: low }}" for i in range(count)])


def topologies():
    yield "bare", bare(), DAY
    yield "remembering", remembering(), DAY
    yield "twice as often", remembering(), {**DAY, "step_ms": DAY["step_ms"] / 2}
    # A checkpoint after each commit: hardly any user pays twice in between, and rows are written whole.
    yield "rows", remembering(), {**DAY, "step_ms": 2 * DAY["step_ms"], "checkpoint_bytes": 1}
    yield "longer rows", remembering(), {**DAY, "step_ms": DAY["step_ms"], "checkpoint_bytes": 1}
    for name, kind in KINDS.items():
        yield name, look_backs(kind), DAY
    yield "texts", remembering("[card_id, merchant_id, device_id, country]"), DAY
    yield "numbers", remembering("[amount_cents, event_ms]"), DAY
    yield "dedupe", remembering(dedupe=True), DAY
    yield "rules", put_behind(remembering(), "rules", [
        f"x_{i}: {{ when: \"n > {1000 + i} and amount_cents > 100\", severity: low }}" for i in range(RULES)]), DAY
    yield "expressions", expressions(EXPRESSIONS), DAY
    yield "job", JOB, {**DAY, "rules": growth.ALL_RULES}




# ---- the task alone ----


def run_tasks(runs):
    """{name: [what each run took]}"""
    cells = [cell("costs", name, topology, **workload) for name, topology, workload in topologies()]
    found = {each["name"]: [] for each in cells}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            for each in cells:
                found[each["name"]].append(growth.run(each, pathlib.Path(folder)))
    return {name: {"ns": three(of, "ns"), "tail_bytes": of[0]["tail_bytes"], "memory_bytes": of[0]["memory_bytes"] / USERS}
            for name, of in found.items()}


class Differences:
    """Between cells, of one figure."""

    def __init__(self, cells, figure):
        self.of = {name: (found[figure][0] if isinstance(found[figure], list) else found[figure])
                   for name, found in cells.items()}

    def __call__(self, more, less="remembering", times=1):
        return max(0.0, (self.of[more] - self.of[less]) / times)


def task_constants(cells):
    ns, memory, tail = (Differences(cells, figure) for figure in ("ns", "memory_bytes", "tail_bytes"))
    text = (ns("texts", times=TEXTS), memory("texts", times=TEXTS))
    number = (ns("numbers", times=NUMBERS), memory("numbers", times=NUMBERS))
    kinds = {name: [max(0.0, take(name) - (column[i] if column else 0)) / len(SPANS) for i, take in enumerate((ns, memory))]
             for name, column in (("count", None), ("sum", number), ("extreme", number), ("distinct", text), ("pick", text),
                                  ("condition", number), ("group", text))}
    # Those that have a condition or a group are counts, and have one of their own.
    for name in ("condition", "group"):
        kinds[name] = [max(0.0, of - count) for of, count in zip(kinds[name], kinds["count"])]
    event_memory = memory("twice as often", times=PER_USER)
    event_bytes = tail("longer rows", "rows", times=PER_USER / 2)
    # What is remembered is written as it comes, and again when its chunk is sealed.
    bare_tail = tail.of["bare"]
    sealed = (tail.of["remembering"] - bare_tail) / event_bytes
    return {
        "event_ns": ns.of["remembering"] - kinds["count"][0],
        **{f"{name}_ns": of[0] for name, of in kinds.items()},
        "text_ns": text[0], "number_ns": number[0], "dedupe_ns": ns("dedupe"),
        "rule_ns": ns("rules", times=RULES), "expression_ns": ns("expressions", times=2 * EXPRESSIONS),
        "entity_memory": memory.of["remembering"] - PER_USER * event_memory - kinds["count"][1], "event_memory": event_memory,
        **{f"{name}_memory": of[1] for name, of in kinds.items()},
        "text_memory": max(0.0, text[1] / PER_USER - TEXT_SIZE), "number_memory": number[1] / PER_USER,
        "dedupe_memory": memory("dedupe", times=PER_USER),
        "row_bytes": tail.of["rows"] - PER_USER / 2 * event_bytes, "event_bytes": event_bytes,
        "text_bytes": max(0.0, tail("texts", times=TEXTS * (1 + sealed)) - TEXT_SIZE),
        "number_bytes": tail("numbers", times=NUMBERS * (1 + sealed)),
        "tail_event_bytes": bare_tail - event_bytes, "sealed": sealed,
    }


# ---- with Kafka ----

HOURS = 26  # of event time, in a drain
FEW, MANY = 100_000, 1_000_000
LARGE_MIB, SMALL_MIB = 2048, 256
CHECKPOINT_S = 10
# As in processor/cli/capacity.c and memory_budget.c, for one worker.
REMEMBERED_H, COUNTRY_SIZE = 24 + 1 / 60, 2
EVENTS_IN_CHUNK, EVENTS_IN_HEAD = 16, 24
MIB, FIXED_MIB, ENTITIES, UNCHECKPOINTED, ROW_MEMORY = 1 << 20, 72, 0.36, 0.20, 120


def drained(users, memories_mib, runs, events):
    """What runs with each memory took: [median, least, most]."""
    found = [[] for _ in memories_mib]
    with tempfile.TemporaryDirectory(prefix="weir-costs-") as folder, Cluster() as cluster:
        process.pin(cluster.kafka.process.pid, BROKER_CORE)
        given = argparse.Namespace(events=events, users=users, distribution="uniform", seed=1, step_ms=HOURS * 3_600_000 / events,
                                   commit_ms=100, remember_all=False, set={})
        world = World(cluster, pathlib.Path(folder), given)
        for number in range(runs):
            for i, mib in enumerate(memories_mib):
                given.set = {"WEIR_MEMORY": f"{mib}MB"}
                found[i].append(world.drain(Weir(world, number * len(memories_mib) + i)))
                print(users, f"{mib}MB", json.dumps(found[i][-1]), flush=True)
    return [{figure: three(of, figure) for figure in (*FIGURES, "disk_mb")} |
            {"users": users, "memory_mib": mib, "bytes_per_event": of[-1]["bytes_per_event"]}
            for mib, of in zip(memories_mib, found)]


def commits(runs):
    """Of weir at 1,000 events a second, of which few alert, and many: processor's share and commits a second."""
    with tempfile.TemporaryDirectory() as folder:
        told = pathlib.Path(folder) / "latency.json"
        subprocess.run([sys.executable, ROOT / "bench/job/latency.py", "--only", "weir", "--alerts", "0.1,5", "--rates", "1000",
                        "--seconds", "20", "--warm-up", "10", "--history", "50000", "--runs", str(runs), "--json", told], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        of = json.loads(told.read_text())["runs"]
    return [{name: statistics.median(take(each) for each in of if each["asked"] == asked)
             for name, take in (("commits_per_s", lambda each: each["commits_per_s"]),
                                ("cpu_share", lambda each: each["cpu_share"]["subject"]))} for asked in ("0.1", "5")]


def job_state(constants, drained_events, users, memory_mib, per_s):
    """What the model (processor/cli/capacity.c) makes of a drain of the job: a key's bytes, rows written whole, keys in memory."""
    of = argparse.Namespace(**constants)
    events = max(1, drained_events * REMEMBERED_H / HOURS / users)
    event_bytes = of.event_bytes + of.text_bytes + COUNTRY_SIZE + of.number_bytes
    event_memory = of.event_memory + of.text_memory + COUNTRY_SIZE + of.number_memory
    key_bytes = of.entity_memory + 2 * of.count_memory + of.distinct_memory + of.sum_memory + events * event_memory
    row_bytes = of.row_bytes + min(events, EVENTS_IN_HEAD) * event_bytes
    budget = (memory_mib - FIXED_MIB) * MIB
    between = per_s * CHECKPOINT_S
    rows, most = -users * math.expm1(-between / users), UNCHECKPOINTED * budget / 2 / (row_bytes + ROW_MEMORY)
    if rows > most:
        between, rows = -users * math.log1p(-most / users), most
    return {"events_per_key": events, "row_bytes": row_bytes, "state_bytes": users * (of.row_bytes + events * event_bytes),
            "sealed_bytes": event_bytes if events > EVENTS_IN_CHUNK else 0,
            "whole_rows": rows / between, "misses": 1 - min(1, ENTITIES * budget / (users * key_bytes))}


def live_constants(tasks, constants, drains, steady, events):
    """What is left for reading, transactions and checkpoints; `drains`: few users, many, and many in little memory."""
    few, many, little = (each["cpu_s_per_million"][0] * 1000 for each in drains)
    states = [job_state(constants, events, users, mib, each["events_per_s"][0])
              for each, (users, mib) in zip(drains, ((FEW, LARGE_MIB), (MANY, LARGE_MIB), (MANY, SMALL_MIB)))]
    rows = [each["whole_rows"] for each in states]
    row_ns = max(0.0, (many - few) / (rows[1] - rows[0]))
    return states, {
        "live_ns": max(0.0, few - tasks["job"]["ns"][0] - rows[0] * row_ns), "row_ns": row_ns,
        "miss_ns": max(0.0, (little - many - (rows[2] - rows[1]) * row_ns) / (states[2]["misses"] - states[1]["misses"])),
        "commit_ns": max(0.0, 1e9 * (steady[1]["cpu_share"] - steady[0]["cpu_share"]) /
                         (steady[1]["commits_per_s"] - steady[0]["commits_per_s"])),
        "record_bytes": max(0.0, drains[1]["bytes_per_event"]["changelog"] / rows[1] - states[1]["row_bytes"]),
        # With little memory for rows hardly any wait for it; at most, between two compactions.
        "disk_factor": drains[2]["disk_mb"][2] * 1e6 / states[2]["state_bytes"],
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--events", type=int, default=4_000_000, help="of a drain")
    arguments.add_argument("--task-only", action="store_true", help="without Kafka")
    arguments.add_argument("--evidence", action="store_true", help="leave docs/evidence/costs.json")
    given = arguments.parse_args()
    speed = [process.calibration()]
    tasks = run_tasks(given.runs)
    constants = task_constants(tasks)
    for name, figures in tasks.items():
        print(f"{name:16} {figures['ns']}  tail {figures['tail_bytes']:.1f}  memory {figures['memory_bytes']:.0f}")
    kafka = {}
    if not given.task_only:
        drains = [*drained(FEW, [LARGE_MIB], given.runs, given.events),
                  *drained(MANY, [LARGE_MIB, SMALL_MIB], given.runs, given.events)]
        steady = commits(given.runs)
        states, live = live_constants(tasks, constants, drains, steady, given.events)
        constants.update(live)
        kafka = {"drains": drains, "modelled": states, "steady": steady}
    speed.append(process.calibration())
    for name, value in constants.items():
        print(f"{name:20} {value:.1f}")
    if given.evidence and kafka:
        leave_evidence("costs", f"./dev bench costs {' '.join(sys.argv[1:])}".strip(), runs=given.runs, speed=speed,
                       constants={name: float(f"{value:.3g}") for name, value in constants.items()}, tasks=tasks, **kafka)


if __name__ == "__main__":
    main()
