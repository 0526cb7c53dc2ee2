"""What an event costs when there is more of everything: longer windows, more features, more rules, more users.

    growth.py [--runs N] [--users-max N] [--json FILE]

Each cell is the benchmark's job with something added, run by job_task: a task alone, from Avro bodies to the records of
the tail, in memory, timed without the making of the payments and behind a part of them that fills the windows. The
correctness gate comes first: what was added raises no alert, so the alerts must be the oracle's. Cells take turns; the
figure of a group is the ratio between its last and its first cell, whose payments are the same (but for the users).
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench")]

import process  # noqa: E402
from evidence import leave_evidence  # noqa: E402

JOB = (ROOT / "bench/job/job.yaml").read_text()
PROGRAM = ROOT / "build/release/job_task"
CORE = 0
ALL_RULES, WITHOUT_R5 = 0b11111, 0b01111
DAY_MS = 24 * 3600 * 1000
PRINTED = re.compile(r"(\d+) alerts, (\d+) expected, (\d+) bytes for the tail\n([\d.]+) ns per event, (\d+) bytes")


def put_behind(text, heading, lines):
    """The job with more lines in a section."""
    assert f"\n{heading}:\n" in text
    return text.replace(f"\n{heading}:\n", f"\n{heading}:\n" + "".join(f"  {line}\n" for line in lines), 1)


def windows(span):
    """A month of events is remembered either way."""
    text = JOB.replace("    accept_late: 1m\n", "    accept_late: 1m\n    remember: { for: 30d }\n")
    assert text != JOB
    return put_behind(text, "features", [f"n_w: count(over {span})", f"s_w: sum(amount_cents over {span})",
                                         f"d_w: distinct(country over {span})"])


def features(count):
    """The job without R5 has three; the others are of every kind over several windows."""
    text = JOB.replace("  spend_24h:    sum(amount_cents over 24h)\n", "")
    text = re.sub(r"  r5:\n    when: .*\n    severity: .*\n", "", text)
    kinds = ["count(over {})", "sum(amount_cents over {})", "max(amount_cents over {})", "distinct(merchant_id over {})",
             "avg(amount_cents over {})", "count(where amount_cents > 100000 over {})"]
    spans = ["5m", "1h", "24h"]
    more = [kind.format(span) for span in spans for kind in kinds][:count - 3]
    assert len(set(more)) == count - 3
    return put_behind(text, "features", [f"more_{i}: {feature}" for i, feature in enumerate(more)])


def rules(count):
    """Conditions as people write them, which never hold."""
    kinds = ["tx_1m > {}", "amount_cents > 1000000{}", "countries_6h >= {} and tx_6h >= 5", "merchant_id == 'none-{}'",
             "spend_24h > 1000000{} and amount_cents > 100"]
    more = [f"more_{i}: {{ when: \"{kinds[i % len(kinds)].format(1000 + i)}\", severity: low }}" for i in range(count - 5)]
    return put_behind(JOB, "rules", more)


def cell(group, name, topology, *, users, step_ms, warm, events, distribution="uniform", rules=ALL_RULES, checkpoint_bytes=None):
    return {"group": group, "name": name, "topology": topology, "events": warm + events, "timed": events,
            "arguments": [users, step_ms, warm, distribution, rules, *([checkpoint_bytes] if checkpoint_bytes else [])]}


def all_cells(users_max):
    """Two payments of a user a minute apart would alert: steps are long enough that hardly any do."""
    # 600 payments of each user in 30 days, which pass before anything is timed.
    month = dict(users=1000, step_ms=30 * DAY_MS / 600_000, warm=620_000, events=200_000)
    # 20 of each in a day.
    day = dict(users=10_000, step_ms=DAY_MS / 200_000, warm=300_000, events=200_000)
    yield cell("windows", "1 h", windows("1h"), **month)
    yield cell("windows", "30 d", windows("30d"), **month)
    yield cell("features", "3", features(3), **day, rules=WITHOUT_R5)
    yield cell("features", "20", features(20), **day, rules=WITHOUT_R5)
    yield cell("rules", "5", rules(5), **day)
    yield cell("rules", "100", rules(100), **day)
    users = 10_000
    while users <= users_max:
        # Every user has 5 payments, and the later ones keep to that pace.
        yield cell("users", f"{users:,}", JOB, users=users, step_ms=DAY_MS / (5 * users), warm=5 * users,
                   events=max(200_000, users))
        users *= 10


def run(each, folder):
    path = folder / "job.yaml"
    path.write_text(each["topology"])
    schema = folder / "job-transaction.avsc"
    schema.write_text((ROOT / "bench/job/job-transaction.avsc").read_text())
    done = subprocess.run(["taskset", "-c", str(CORE), PROGRAM, path, ROOT / "schemas", str(each["events"]),
                           *map(str, each["arguments"])], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = PRINTED.search(done.stdout)
    if done.returncode != 0 or found is None:
        sys.exit(f"{each['group']} {each['name']}: {done.stdout}{done.stderr}")
    return {"ns": float(found[4]), "tail_bytes": int(found[3]) / each["timed"], "memory_bytes": int(found[5]),
            "alerts": int(found[1])}


def report(cells, runs):
    """Rows: group, name, median and extent of ns, bytes a user; ratios between a group's cells."""
    rows, first = [], {}
    for each in cells:
        found = runs[each["group"], each["name"]]
        ns = [one["ns"] for one in found]
        row = {"group": each["group"], "name": each["name"], "ns": statistics.median(ns), "least": min(ns), "most": max(ns),
               "tail_bytes": found[0]["tail_bytes"], "memory_bytes": found[0]["memory_bytes"], "alerts": found[0]["alerts"],
               "users": each["arguments"][0]}
        row["ratio"] = row["ns"] / first.setdefault(each["group"], row["ns"])
        rows.append(row)
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--users-max", type=int, default=1_000_000)
    arguments.add_argument("--json", type=pathlib.Path)
    arguments.add_argument("--evidence", action="store_true", help="leave docs/evidence/growth.json")
    given = arguments.parse_args()
    cells = list(all_cells(given.users_max))
    runs = {(each["group"], each["name"]): [] for each in cells}
    before = process.calibration()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.runs):
            for each in cells:
                runs[each["group"], each["name"]].append(run(each, pathlib.Path(folder)))
    rows = report(cells, runs)
    for row in rows:
        print(f"{row['group']:9} {row['name']:>10} {row['ns']:7.0f} ns [{row['least']:.0f}-{row['most']:.0f}] "
              f"x {row['ratio']:.2f}  tail {row['tail_bytes']:4.0f} B/event  memory {row['memory_bytes'] / row['users']:6.0f} B/user")
    after = process.calibration()
    print(f"a fixed piece of work took {before['cpu_s']} s of CPU before, {after['cpu_s']} after")
    if given.evidence:
        leave_evidence("growth", f"./dev bench growth {' '.join(sys.argv[1:])}".strip(), runs=given.runs, growth=rows,
                       calibration=[before, after])
    if given.json:
        given.json.write_text(json.dumps({"growth": rows, "calibration": [before, after]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
