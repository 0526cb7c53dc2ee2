#!/usr/bin/env python3
"""`./dev chaos`: rounds of faults until there were enough minutes or kills; leaves
docs/evidence/NAME.json, and the logs of what was found in build/results/chaos. Ends with 1 when
anything was found."""

import argparse
import json
import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / each) for each in ("tests/support", "tests", "tests/chaos")]

import kill_points  # noqa: E402
from brokers import BadNetwork, OneBroker, ThreeBrokers, behind_weather  # noqa: E402
from cluster import Cluster, kafka_version  # noqa: E402
from evidence import leave_evidence  # noqa: E402
from world import BROKER_SETTINGS, JVM, fast_folder  # noqa: E402

ROUND_S = 240
# The Python proxy is slow, and what goes through it counts less often.
NETWORK_ROUND_S = 120
NETWORK_EVERY = 4


class Run:
    """One cluster; with one broker, every fourth round goes through the bad network."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.program = ROOT / "build/chaos/weir"
        self.seeds = random.Random(options.seed)
        self.campaigns = []
        self.deadline = time.monotonic() + options.minutes * 60

    def kills(self):
        return sum(each.kills() for each in self.campaigns)

    def found(self):
        return [finding for each in self.campaigns for finding in each.findings]

    def is_over(self):
        return (time.monotonic() > self.deadline or self.kills() >= self.options.kills
                or len(self.found()) >= self.options.findings)

    def run(self):
        if self.options.brokers == 3:
            with Cluster(self.folder / "cluster", settings=BROKER_SETTINGS, jvm=JVM, brokers=3) as cluster:
                self.rounds(self.add(ThreeBrokers, cluster, "three"))
            return
        settings, port, weather = behind_weather(self.options.seed)
        with Cluster(self.folder / "cluster", settings=settings, jvm=JVM, ports=(port, None)) as cluster, weather:
            self.rounds(self.add(OneBroker, cluster, "one"),
                        self.add(BadNetwork, cluster, "network", weather=weather))

    def add(self, kind, cluster, name, **options):
        folder = self.folder / name
        folder.mkdir()
        campaign = kind(self.program, cluster, folder, name=f"chaos-{name}", events=80_000, rate=200,
                        seed=self.options.seed, **options)
        self.campaigns.append(campaign)
        return campaign

    def rounds(self, usual, sometimes=None):
        number = 0
        while not self.is_over():
            number += 1
            networked = sometimes is not None and number % NETWORK_EVERY == 0
            campaign = sometimes if networked else usual
            left_s = self.deadline - time.monotonic()
            campaign.run_round(self.seeds.randrange(1 << 30), self.options.kills - self.kills(),
                               min(NETWORK_ROUND_S if networked else ROUND_S, max(left_s, 20)))
            self.write()

    def figures(self):
        parts = [each.figures() for each in self.campaigns]
        minutes = sum(part["minutes_of_chaos"] for part in parts)
        sums = {key: sum(part[key] for part in parts) for key in
                ("kills", "findings", "records", "alerts", "dead_letters", "ended_after_a_freeze",
                 "ended_while_brokers_were_away", "ended_by_an_assertion_of_the_client", "coordinator_lost_offsets")}
        counts = {}
        for key in ("faults", "broker_faults", "killed_at", "failed_at", "frozen_at"):
            counts[key] = {}
            for part in parts:
                for name, count in part[key].items():
                    counts[key][name] = counts[key].get(name, 0) + count
        judged = [each for part in parts for each in part["rounds"] if each.get("judged", True)]
        return {
            "seed": self.options.seed, "kafka": kafka_version(), "brokers": self.options.brokers, "pods": 3, "workers": 2,
            "partitions": 6, "minutes_of_chaos": round(minutes, 1),
            "kills_per_minute": round(sums["kills"] / minutes, 1) if minutes else 0,
            **sums, "rounds": sum(len(part["rounds"]) for part in parts),
            "rounds_that_equal_the_oracle": len(judged),
            "kill_points_without_a_kill": sorted(set(kill_points.NAMES) - set(counts["killed_at"])),
            **counts,
        }

    def write(self):
        leave_evidence(self.options.name, f"./dev chaos {' '.join(sys.argv[1:])}".strip(),
                       **self.figures())
        folder = ROOT / "build/results/chaos"
        folder.mkdir(parents=True, exist_ok=True)
        for i, finding in enumerate(self.found()):
            (folder / f"finding-{i}.json").write_text(json.dumps(finding, indent=4))


def main():
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kills", type=int, default=1_000_000, help="stop after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--findings", type=int, default=10, help="stop after so many")
    options = parser.parse_args()
    options.name = "chaos" if options.brokers == 1 else "chaos-three-brokers"
    with fast_folder() as folder:
        run = Run(options, pathlib.Path(folder))
        run.run()
    figures = run.figures()
    print(json.dumps(figures, indent=4))
    print(f"{figures['kills']} kills, {figures['kills_per_minute']} a minute; "
          f"{figures['findings']} findings")
    sys.exit(1 if run.found() else 0)


if __name__ == "__main__":
    main()
