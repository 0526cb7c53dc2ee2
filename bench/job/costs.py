"""What each part of a topology costs an event: the constants that `weir plan --load` adds up.

    costs.py [--runs N] [--events N] [--task-only] [--evidence]

A task alone (job_task, as in growth.py) runs topologies that differ in one thing, in turns: one look-back and eight more
of a kind, no remembered column and four. A constant is the difference of two medians, divided by how often the thing is
there. What a live process has on top (reading, transactions, checkpoints) is what draining Kafka takes more than the
task alone, as in capacity.py: few users, many, and more than there is memory for, with few events
each and with many, small ones and large. Each drain is an equation in what an event, a row that is written whole and a
user that is read again take, by themselves and by the byte; they are solved together. A commit's cost is what 1,000
events a second take more when more of them alert, as in latency.py. Bytes come out of the same runs.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench"), str(ROOT / "bench/job")]

import growth  # noqa: E402
import process  # noqa: E402
from capacity import measure  # noqa: E402
from drain import three  # noqa: E402
from growth import DAY_MS, JOB, cell, put_behind  # noqa: E402
from evidence import leave_evidence  # noqa: E402

R3, R4 = 0b00100, 0b01000
USERS, PER_USER = 10_000, 20
DAY = dict(users=USERS, step_ms=DAY_MS / (PER_USER * USERS), warm=300_000, events=200_000, rules=R3 | R4)
TEXTS, TEXT_SIZE, NUMBERS = 4, 6.25, 2  # remembered ones: card, merchant and device have 8, 7 and 8 bytes, a country 2
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

# Users, whether all columns are remembered, and memory: the first two have memory for all.
DRAINS = [(100_000, False, "2GB"), (1_000_000, False, "2GB"), (1_000_000, False, "256MB"), (10_000, False, "512MB"),
          (100_000, True, "512MB")]
ROOMY, COMMITS_PER_S = "2GB", 10
TELLS_NOTHING = 1e-6  # a coefficient: a part of a drain's events
# What the job remembers: a country and an amount; or everything, tx_id among it.
COLUMNS = {False: {"text_ns": 1, "number_ns": 1}, True: {"text_ns": 6, "number_ns": 2, "dedupe_ns": 1}}


def commits(runs):
    """Of weir at 1,000 events a second, of which few alert, and many: processor's share and commits a second."""
    with tempfile.TemporaryDirectory() as folder:
        told = pathlib.Path(folder) / "latency.json"
        subprocess.run([sys.executable, ROOT / "bench/job/latency.py", "--only", "weir", "--alerts", "0.1,5", "--rates", "1000",
                        "--seconds", "20", "--warm-up", "10", "--history", "50000", "--runs", str(runs), "--json", told],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        of = json.loads(told.read_text())["runs"]
    return [{name: statistics.median(take(each) for each in of if each["asked"] == asked)
             for name, take in (("commits_per_s", lambda each: each["commits_per_s"]),
                                ("cpu_share", lambda each: each["cpu_share"]["subject"]))} for asked in ("0.1", "5")]


def solved(rows):
    """Of as many equations as unknowns: each the coefficients and, last, what they sum up to."""
    rows = [list(row) for row in rows]
    for i in range(len(rows)):
        best = max(range(i, len(rows)), key=lambda at: abs(rows[at][i]))
        if abs(rows[best][i]) < TELLS_NOTHING:
            sys.exit("in none of these drains are users read again: they need more --events")
        rows[i], rows[best] = rows[best], rows[i]
        for other in range(len(rows)):
            if other != i:
                times = rows[other][i] / rows[i][i]
                rows[other] = [a - times * b for a, b in zip(rows[other], rows[i])]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


def live_constants(tasks, constants, drains, steady):
    """What is left for reading, transactions, checkpoints and loading. How many rows are written whole and users read again is
    `weir plan`'s word, which takes it from bytes: when those have changed, measure twice."""
    def columns_ns(remember_all):
        return sum(count * constants[name] for name, count in COLUMNS[remember_all].items())

    commit_ns = max(0.0, 1e9 * (steady[1]["cpu_share"] - steady[0]["cpu_share"]) /
                    (steady[1]["commits_per_s"] - steady[0]["commits_per_s"]))
    task_ns = tasks["job"]["ns"][0] - columns_ns(False)  # without its columns
    equations = []
    for drain in drains:
        told = drain["estimated"]
        rows, key_event_bytes = told["whole_rows_per_event"], told["state_bytes"] / drain["users"] - constants["row_bytes"]
        # A fresh process meets most users of the second drain for the first time: there is memory for them.
        misses = 0 if drain["memory"] == ROOMY else 1 - told["resident_share"]
        known = task_ns + columns_ns(drain["remember_all"]) + commit_ns * COMMITS_PER_S / drain["events_per_s"][0]
        equations.append([1, rows, rows * told["row_bytes"], misses, misses * key_event_bytes,
                          drain["cpu_s_per_million"][0] * 1000 - known])
    names = ("live_ns", "row_ns", "row_byte_ns", "miss_ns", "miss_byte_ns")
    found = {name: max(0.0, value) for name, value in zip(names, solved(equations))}
    little = drains[2]
    return {
        **found, "commit_ns": commit_ns,
        # With little memory for rows hardly any wait for it; at most, between two compactions.
        "disk_factor": little["disk_mb"][2] * 1e6 / little["estimated"]["state_bytes"],
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
        drains = [measure(users, "uniform", remember_all, memory, given) for users, remember_all, memory in DRAINS]
        steady = commits(given.runs)
        constants.update(live_constants(tasks, constants, drains, steady))
        kafka = {"drains": drains, "steady": steady}
    speed.append(process.calibration())
    for name, value in constants.items():
        print(f"{name:20} {value:.1f}")
    if given.evidence and kafka:
        leave_evidence("costs", f"./dev bench costs {' '.join(sys.argv[1:])}".strip(), runs=given.runs, speed=speed,
                       constants={name: float(f"{value:.3g}") for name, value in constants.items()}, tasks=tasks, **kafka)


if __name__ == "__main__":
    main()
