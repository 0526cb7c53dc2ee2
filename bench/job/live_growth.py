"""What an event costs a live process when there is more of everything: growth.py's cells, drained from Kafka.

    live_growth.py [--events N] [--runs N] [--users-max N] [--only GROUP] [--evidence]

Each cell is weir with the benchmark's job and something added. Those of a group drain the same topic by turns, but for
users, of whom there are others. As in drain.py the alerts must be the oracle's, and the first quarter of the input is not
measured: by then the windows are full, and the process has the memory that it wants, as it had not yet with less input.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import types

from drain import ALL_RULES, BROKER_CORE, Cluster, Weir, World, leave_evidence, process, three
from growth import all_cells

MEMORY = "1GB"


def world_of(cluster, folder, cell, events):
    users, step_ms, _, distribution, *_ = cell["arguments"]
    given = types.SimpleNamespace(events=events, users=users, distribution=distribution, seed=1, step_ms=step_ms, commit_ms=100,
                                  remember_all=False, set={"WEIR_MEMORY": MEMORY})
    return World(cluster, folder, given)


def rules_of(cell):
    return tuple(each for bit, each in enumerate(ALL_RULES) if cell["arguments"][4] >> bit & 1)


def drain_by_turns(cells, events, runs):
    """The cells drain one topic: what each of their runs took."""
    taken = {each["name"]: [] for each in cells}
    with tempfile.TemporaryDirectory(prefix="weir-growth-") as folder, Cluster() as cluster:
        process.pin(cluster.kafka.process.pid, BROKER_CORE)
        world = world_of(cluster, pathlib.Path(folder), cells[0], events)
        for _ in range(runs):
            for each in cells:
                number = sum(map(len, taken.values()))
                taken[each["name"]].append(world.drain(Weir(world, number, each["topology"], rules_of(each))))
                print(json.dumps({"group": each["group"], "name": each["name"], **taken[each["name"]][-1]}), flush=True)
    return taken


def rows_of(group, taken):
    first = None
    for name, runs in taken.items():
        cost = three(runs, "cpu_s_per_million")
        first = first or cost[0]
        yield {"group": group, "name": name, "cpu_s_per_million": cost, "ratio": cost[0] / first,
               "events_per_s": statistics.median(each["events_per_s"] for each in runs),
               "peak_mb": max(each["peak_mb"] for each in runs), "bytes_per_event": runs[-1]["bytes_per_event"]}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--events", type=int, default=10_000_000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--users-max", type=int, default=100_000)
    arguments.add_argument("--only", choices=("windows", "features", "rules", "users"))
    arguments.add_argument("--evidence", action="store_true", help="leave docs/evidence/live-growth.json")
    given = arguments.parse_args()
    groups = {}
    for each in all_cells(given.users_max):
        if given.only in (None, each["group"]):
            groups.setdefault(each["group"], []).append(each)
    rows, speed = [], [process.calibration()]
    for group, cells in groups.items():
        # Other users are another input; they cannot take turns within one cluster.
        together = [[each] for each in cells] if group == "users" else [cells]
        taken = {}
        for some in together:
            taken |= drain_by_turns(some, given.events, given.runs)
        rows += rows_of(group, taken)
        speed.append(process.calibration())
    for row in rows:
        print(f"{row['group']:9} {row['name']:>10} {'%.2f [%.2f-%.2f]' % tuple(row['cpu_s_per_million'])} CPU-s per million "
              f"x {row['ratio']:.2f}  {row['events_per_s']:,.0f}/s  peak {row['peak_mb']:.0f} MB")
    if given.evidence:
        leave_evidence("live-growth", f"./dev bench live-growth {' '.join(sys.argv[1:])}".strip(), events=given.events,
                       runs=given.runs, memory=MEMORY, growth=rows, speed=speed)


if __name__ == "__main__":
    main()
