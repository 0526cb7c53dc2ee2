#!/usr/bin/env python3
"""Breaks the protocol on purpose, once per row of mutants.toml, and expects the simulation to notice.

Works on a copy of the source tree, in a folder of its own: for each mutant one file is changed and compiled, `sim`
linked again, and run: the directed schedules, then seed after seed until one fails. Exit 1 when the unbroken program
fails or a mutant survives; 2 when a mutant's text is not found exactly once.

    mutants.py [--seeds N] [--jobs N] [--work FOLDER] [NAME...]
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).with_suffix(".toml")
SEED_FAILED = re.compile(r"^(?:seed (\d+) (?:failed|aborted)|(a directed schedule) failed)(?:: (.*))?$", re.M)
RUN_SECONDS = 900  # a mutant that goes round in circles is caught, too


class Text(Exception):
    """A mutant does not fit the source any more."""


def broken(source, mutant):
    """The text of the file with the mutant in it."""
    for old, new in [[mutant["old"], mutant["new"]], *mutant.get("also", [])]:
        found = source.count(old.strip("\n"))
        if found != 1:
            raise Text(f"found {found} times: {old.strip()!r}")
        source = source.replace(old.strip("\n"), new.strip("\n"))
    return source


def copy_tree(to):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def quiet(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}")


class Workshop:
    """The copied tree and its build."""

    def __init__(self, folder):
        self.tree = folder / "tree"
        self.build = folder / "build"
        self.tree.mkdir(parents=True, exist_ok=True)
        copy_tree(self.tree)
        self.environment = os.environ | {"CCACHE_BASEDIR": str(folder), "CCACHE_NOHASHDIR": "1"}
        quiet(["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
              env=self.environment)
        self.make("sim-unbroken")

    def make(self, name):
        quiet(["ninja", "-C", self.build, "sim"], env=self.environment)
        made = self.build / name
        shutil.copy2(self.build / "sim", made)
        return made

    def make_mutant(self, name, mutant):
        path = self.tree / mutant["file"]
        whole = path.read_text()
        path.write_text(broken(whole, mutant))
        try:
            return self.make("sim-" + name)
        finally:
            path.write_text(whole)


def run(program, seeds):
    """(caught, by what, after how many seeds)"""
    try:
        done = subprocess.run([program, "--directed", "--seeds", str(seeds)], capture_output=True, text=True,
                              timeout=RUN_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True, "no end", seeds
    if done.returncode == 0:
        return False, "", seeds
    output = done.stdout + done.stderr
    found = SEED_FAILED.search(output)
    if found is None:
        return True, output.strip().split("\n")[-1][:200], 0
    return True, (found[3] or "an assertion: " + assertion(output))[:200], int(found[1] or 0)


def assertion(output):
    lines = [line for line in output.split("\n") if "ENSURE" in line or "ensure" in line or "unreachable" in line]
    return lines[0] if lines else "died"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000, help="at most so many per mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--work", type=pathlib.Path, help="keep the copy here, and use it again")
    parser.add_argument("--unbroken-seeds", type=int, default=200)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    mutants = tomllib.loads(TABLE.read_text())
    chosen = {name: mutants[name] for name in args.names} if args.names else mutants
    for name, mutant in mutants.items():
        try:
            broken((ROOT / mutant["file"]).read_text(), mutant)
        except Text as error:
            print(f"mutant {name}: its text in {mutant['file']} is {error}")
            return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-mutants-") as scratch:
        workshop = Workshop(args.work or pathlib.Path(scratch))
        caught, why, _ = run(workshop.build / "sim-unbroken", args.unbroken_seeds)
        if caught:
            print(f"the unbroken program fails: {why}")
            return 1
        survivors = hunt(workshop, chosen, args)
    print(f"mutants={len(chosen)} caught={len(chosen) - survivors} missed={survivors}"
          f" seconds={time.monotonic() - started:.0f}")
    return 1 if survivors else 0


def hunt(workshop, chosen, args):
    survivors = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = {}
        for name, mutant in chosen.items():
            runs[pool.submit(run, workshop.make_mutant(name, mutant), args.seeds)] = name
        for done in concurrent.futures.as_completed(runs):
            caught, why, seeds = done.result()
            name = runs[done]
            survivors += not caught
            print(f"{'caught' if caught else 'MISSED':7}{name:24}seed {seeds:5}  {why}   | {chosen[name]['breaks']}",
                  flush=True)
    return survivors


if __name__ == "__main__":
    sys.exit(main())
